"""Cases 89 to 91 and 98: no slip destroys a file, and a file of the wrong kind is named by its kind."""

import itertools
import os
import resource
import subprocess

import numpy as np

from commands import STATE, CommandTest
from harness import BAD_INPUT, BN, USAGE, main

ARRAY, A_STATE, A_CACHE, A_PART = "a .npy array", "a state", "a cache of bn forward", "a part of bn stats"


class ProtectionTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.save("old.npy", np.zeros((5, 3)))
        self.state("old.json", **STATE)
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json", "--no-update")
        self.silent("stats", "x.npy", "-o", "part.json")
        self.write("other.json", '{"mode": "train", "momentum": 0.9, "eps": 1e-5, "lr": 0.1}')
        self.write("notes.txt", "to be kept")
        self.write("empty", "")

    FORWARD = ("forward", "x.npy", "--state", "state.json")
    BACKWARD = ("backward", "dy.npy", "--x", "x.npy", "--state", "state.json")

    # What each file is, and by which command each kind is written to a file.
    FILES = {"old.npy": ARRAY, "old.json": A_STATE, "cache.json": A_CACHE, "part.json": A_PART}
    WRITERS = ((ARRAY, (*FORWARD, "-o")), (ARRAY, (*BACKWARD, "--dx")), (ARRAY, (*BACKWARD, "--dgamma")),
               (ARRAY, (*BACKWARD, "--dbeta")), (A_CACHE, (*FORWARD, "-o", "z.npy", "--cache")),
               (A_STATE, (*FORWARD, "-o", "z.npy", "--state-out")), (A_PART, ("stats", "x.npy", "-o")))

    def test_case_89_an_output_replaces_only_what_it_may(self):
        for (kind, writer), (name, found) in itertools.product(self.WRITERS, self.FILES.items()):
            with self.subTest(writer=writer, name=name):
                self.write("target", self.read(name))
                if found == kind:
                    self.silent(*writer, "target")
                    continue
                message = self.fails(USAGE, *writer, "target")
                self.assertEqual(message, "bn: target: is %s, not %s; --force replaces it\n" % (found, kind))
                self.silent(*writer, "target", "--force")
                self.assertNotEqual(self.read("target"), self.read(name))

    def test_case_89_an_empty_file_is_replaced_by_anything(self):
        for _, writer in self.WRITERS:
            self.write("target", "")
            self.silent(*writer, "target")

    def test_case_89_other_files_are_replaced_by_arrays_alone_and_other_json_by_nothing(self):
        for kind, writer in self.WRITERS:
            with self.subTest(writer=writer):
                self.write("target", self.read("other.json"))
                self.fails(USAGE, *writer, "target", mentions="target: is JSON")
                self.write("target", "to be kept")
                if kind == ARRAY:
                    self.silent(*writer, "target")
                else:
                    self.fails(USAGE, *writer, "target", mentions="target: is not %s; --force" % kind)

    def test_case_89_a_forgotten_value_of_o_costs_no_shard(self):
        os.mkdir(self.path("slip"))
        for i in range(3):
            self.save("slip/%d.npy" % i, self.x)
        message = self.fails(USAGE, "stats", "-o", "slip/0.npy", "slip/1.npy", "slip/2.npy")
        self.assertIn("slip/0.npy: is a .npy array, not a part of bn stats; --force replaces it", message)
        # It is said before any input is looked at.
        self.fails(USAGE, "stats", "missing.npy", "-o", "slip/0.npy", mentions="slip/0.npy: is a .npy array")

    def test_case_89_a_long_state_in_any_order_is_known(self):
        keys = dict(reversed(list(STATE.items())), metadata={"shape": ["}", {"channels": "\\\""}]})
        keys.update({name: [1.0] * 30000 for name in ("beta", "gamma")})
        self.state("long.json", **dict(sorted(keys.items())))
        self.silent(*self.FORWARD, "-o", "z.npy", "--state-out", "long.json")
        self.fails(USAGE, *self.FORWARD, "-o", "long.json", mentions="is a state, not a .npy array")

    def test_case_89_a_file_that_appears_meanwhile_is_kept(self):
        os.mkfifo(self.path("pipe"))
        process = subprocess.Popen([BN, "stats", "pipe", "-o", "late.json"], cwd=self.dir, stderr=subprocess.PIPE)
        with open(self.path("pipe"), "wb") as pipe:  # returns when bn waits for the array
            self.save("late.json", self.x)
            pipe.write(self.read("x.npy"))
        message = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, USAGE, message)
        self.assertEqual(message, "bn: late.json: is a .npy array, not a part of bn stats; --force replaces it\n")
        self.assertEqual(self.read("late.json"), self.read("x.npy"))

    def test_case_89_init_refuses_any_file_without_force(self):
        for name in ("x.npy", "old.json", "empty", "notes.txt"):
            self.fails(USAGE, "init", "--channels", 3, "-o", name, mentions="exists already; --force replaces it")
        self.silent("init", "--channels", 3, "-o", "x.npy", "--force")

    def test_case_89_what_is_no_regular_file_is_written_as_ever(self):
        for output in ("/dev/null", "/dev/stdout", "-"):
            self.ok("stats", "x.npy", "-o", output)

    def test_case_89_a_file_that_may_not_be_read_is_kept(self):
        self.write("secret.json", self.read("part.json"))
        os.chmod(self.path("secret.json"), 0o222)
        prefix, program = self.as_ordinary_user()
        self.fails(USAGE, "stats", "x.npy", "-o", "secret.json", prefix=prefix, program=program,
                   mentions="secret.json: may not be read")

    def test_case_90_an_output_of_stats_is_none_of_its_inputs(self):
        os.link(self.path("part.json"), self.path("hard.json"))
        os.symlink("part.json", self.path("soft.json"))
        for output in ("part.json", "./part.json", "hard.json", "soft.json"):
            for force in ((), ("--force",)):
                self.fails(USAGE, "stats", "old.npy", "part.json", "-o", output, *force,
                           mentions=("the output %s is also an input" % output))
        self.fails(USAGE, "stats", "x.npy", "-o", "x.npy", "--force", mentions="x.npy is also an input")
        with open(self.path("x.npy"), "rb") as x:
            self.fails(USAGE, "stats", "-", "-o", "x.npy", "--force", stdin=x, mentions="also an input, -;")

    def test_case_90_nor_is_it_the_list_of_them(self):
        self.write("list", b"x.npy\0")
        self.fails(USAGE, "stats", "--files0-from", "list", "-o", "list", "--force",
                   mentions="the output list is also an input")

    def test_case_90_many_inputs_need_no_more_descriptors_than_one(self):
        self.silent("stats", *["part.json"] * 2000, "-o", "all.json", limits=[(resource.RLIMIT_NOFILE, 32)])

    def test_case_90_the_state_of_calibrate_is_none_of_its_inputs(self):
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", "x.npy", "state.json",
                   mentions="state.json: is a state, not a part of bn stats")

    def test_case_91_gamma_and_beta_of_the_state_are_protected(self):
        os.mkdir(self.path("layer"))
        for key in ("gamma", "beta"):
            self.save("layer/%s.npy" % key, np.ones(3))
        os.symlink("layer/gamma.npy", self.path("link.npy"))
        state = self.state("layer/state.json", **dict(STATE, gamma="gamma.npy", beta="beta.npy"))
        forward = ("forward", "x.npy", "--state", state, "--force")
        backward = ("backward", "dy.npy", "--x", "x.npy", "--state", state, "--force")
        for command, flags in ((forward, ("-o",)), (forward, ("-o", "z.npy", "--cache")),
                               (forward, ("-o", "z.npy", "--state-out")), ((*forward, "--no-update"), ("-o",)),
                               ((*forward, "--mode", "test"), ("-o",)), (backward, ("--dx",)),
                               (backward, ("--dgamma",)), (backward, ("--dbeta",))):
            for path, key in (("layer/gamma.npy", "gamma"), ("layer/beta.npy", "beta"), ("link.npy", "gamma")):
                self.fails(USAGE, *command, *flags, path, mentions=(
                    "%s.npy (%s of --state %s) and %s %s are the same file" % (key, key, state, flags[-1], path)))
        self.ok(*forward, "-o", "x.npy")  # the input is no part of the state

    def test_case_91_nothing_replaces_the_state_or_the_cache_in_use(self):
        backward = ("backward", "dy.npy", "--x", "x.npy")
        for command, used, flags in (
                (self.FORWARD, "--state state.json", ("-o",)), ((*self.FORWARD, "--mode", "test"), "--state state.json", ("-o",)),
                ((*self.FORWARD, "--no-update"), "--state state.json", ("-o",)),
                (self.FORWARD, "--state state.json", ("-o", "z.npy", "--cache")),
                (self.FORWARD, "--state state.json", ("-o", "z.npy", "--state-out")),
                *((self.BACKWARD, "--state state.json", (flag,)) for flag in ("--dx", "--dgamma", "--dbeta")),
                *(((*backward, "--cache", "cache.json"), "--cache cache.json", (flag,)) for flag in ("--dx", "--dgamma", "--dbeta"))):
            for force in ([], ["--force"]):
                self.fails(USAGE, *command, *force, *flags, used.split()[1], mentions=(used + " and ", "are the same file"))

    def test_case_98_a_file_of_the_wrong_kind_is_named_by_its_kind(self):
        verify = ("verify", "x.npy", "--state", "state.json")
        readers = {
            ARRAY: (("forward", "FILE", "--state", "state.json", "-o", "z"), ("init", "--gamma", "FILE", "-o", "z"),
                    ("backward", "FILE", "--x", "x.npy", "--state", "state.json", "--dx", "z"),
                    ("backward", "dy.npy", "--x", "FILE", "--state", "state.json", "--dx", "z"),
                    ("compare", "FILE", "x.npy"), ("compare", "x.npy", "FILE"),
                    ("verify", "FILE", "--state", "state.json", "--y", "y.npy"), (*verify, "--y", "FILE"),
                    (*verify, "--dy", "FILE", "--dx", "y.npy"), (*verify, "--dy", "dy.npy", "--dx", "FILE"),
                    (*verify, "--dy", "dy.npy", "--dgamma", "FILE"), (*verify, "--dy", "dy.npy", "--dbeta", "FILE")),
            A_STATE: (("forward", "x.npy", "--state", "FILE", "-o", "z"), ("calibrate", "x.npy", "--state", "FILE"),
                      ("backward", "dy.npy", "--x", "x.npy", "--state", "FILE", "--dx", "z"),
                      ("verify", "x.npy", "--state", "FILE", "--y", "y.npy"), (*verify, "--state-after", "FILE")),
            A_CACHE: (("backward", "dy.npy", "--x", "x.npy", "--cache", "FILE", "--dx", "z"),),
            A_PART: (("stats", "FILE", "-o", "z"), ("calibrate", "FILE", "--state", "state.json")),
        }
        for expected, commands in readers.items():
            for command, (name, found) in itertools.product(commands, self.FILES.items()):
                if found == expected or (expected, found) == (A_PART, ARRAY):
                    continue
                with self.subTest(command=command, name=name):
                    message = self.fails(BAD_INPUT, *[name if a == "FILE" else a for a in command])
                    self.assertEqual(message, "bn: %s: is %s, not %s\n" % (
                        name, found, expected + (" --cache" if expected == A_CACHE else "")))

    def test_case_98_a_gamma_of_the_state_that_is_no_array_is_named_by_its_kind(self):
        self.state("ref.json", **dict(STATE, gamma="cache.json"))
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "ref.json", "-o", "z",
                   mentions="ref.json: gamma: cache.json: is a cache of bn forward, not a .npy array")

    def test_case_98_what_comes_through_a_pipe_is_named_as_far_as_it_tells(self):
        self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "z", stdin=self.read("state.json"),
                   mentions="standard input: is JSON, not a .npy array")
        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "-", "--dx", "z",
                   stdin=self.read("x.npy"), mentions="is a .npy array, not a cache of bn forward --cache")

    def test_case_98_the_nearest_key_is_proposed_only_where_it_is_near(self):
        self.state("near.json", momentun=0.9)
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "near.json", "-o", "z",
                   mentions='unknown key "momentun"; the nearest valid key is "momentum"')
        self.state("far.json", learning_rate=0.9)
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "far.json", "-o", "z",
                   mentions='unknown key "learning_rate"; valid keys are mode, axis, eps, ')


if __name__ == "__main__":
    main()
