"""Each flag of each command makes the difference that it is there for: none is read and forgotten."""

import fcntl
import os
import re
import shutil

import numpy as np

from commands import CommandTest, STATE
from harness import BAD_INPUT, DIFFERS, DONE, SYSTEM, USAGE, main

# A command line of each command, and for each flag what is to be added to it, or what to write
# instead of it: without and with the flag the outcome differs.
INIT = ["init", "--channels", "3", "-o", "new.json"]
FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy"]
BACKWARD = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"]
EMPTY = ["backward", "empty.npy", "--x", "empty.npy", "--state", "state.json", "--dx", "dx.npy"]
STATS = ["stats", "x.npy", "-o", "part.json"]
CALIBRATE = ["calibrate", "x.npy", "dy.npy", "--state", "state.json"]
COMPARE = ["compare", "x.npy", "dy.npy"]
NAN = ["compare", "nan.npy", "nan.npy"]
ZEROS = ["compare", "zeros.npy", "other_zeros.npy"]
VERIFY = ["verify", "x.npy", "--state", "state.json", "--y", "mine.npy"]
AFTER = [*VERIFY, "--state-after", "state.json"]
GRADIENTS = ["verify", "x.npy", "--state", "state.json", "--dy", "dy.npy", "--dx", "x.npy"]
# What has to be seen by other means, below; --no-progress in report_test.cpp, where no time passes.
OF_RUNS = {"--help", "--threads", "--fsync", "--no-progress"}
OTHERWISE = {"init": {"--help"}, "forward": OF_RUNS | {"--lock-timeout"}, "backward": OF_RUNS, "stats": OF_RUNS,
             "calibrate": OF_RUNS - {"--fsync"} | {"--lock-timeout"},
             "compare": OF_RUNS - {"--fsync"} | {"--quiet"},  # which has nothing to warn of
             "verify": OF_RUNS - {"--fsync"}}


def instead(line, old, new):
    return [new if word == old else word for word in line]


FLAGS = {
    "init": {
        "--preset": (INIT, [*INIT, "--preset", "pytorch"]), "--channels": (INIT, instead(INIT, "3", "4")),
        "--gamma": (INIT, [*INIT, "--gamma", "2"]), "--beta": (INIT, [*INIT, "--beta", "2"]),
        "--running-mean": (INIT, [*INIT, "--running-mean", "2"]), "--running-var": (INIT, [*INIT, "--running-var", "2"]),
        "--num-batches-tracked": (INIT, [*INIT, "--num-batches-tracked", "2"]), "--mode": (INIT, [*INIT, "--mode", "test"]),
        "--axis": (INIT, [*INIT, "--axis", "2"]), "--eps": (INIT, [*INIT, "--eps", "0.5"]),
        "--momentum": (INIT, [*INIT, "--momentum", "0.5"]),
        "--momentum-weights": (INIT, [*INIT, "--momentum-weights", "batch"]),
        "--running-var-estimator": (INIT, [*INIT, "--running-var-estimator", "unbiased"]),
        "-o": (INIT, instead(INIT, "new.json", "newer.json")),
        "--force": (instead(INIT, "new.json", "state.json"), [*instead(INIT, "new.json", "state.json"), "--force"]),
        "--verbose": (INIT, [*INIT, "--verbose"])},
    "forward": {
        "--state": (FORWARD, instead(FORWARD, "state.json", "other.json")), "-o": (FORWARD, instead(FORWARD, "y.npy", "z.npy")),
        "--mode": (FORWARD, [*FORWARD, "--mode", "test"]), "--axis": (FORWARD, [*FORWARD, "--axis", "2"]),
        "--eps": (FORWARD, [*FORWARD, "--eps", "0.5"]), "--momentum": (FORWARD, [*FORWARD, "--momentum", "0.5"]),
        "--cache": (FORWARD, [*FORWARD, "--cache", "new.json"]), "--state-out": (FORWARD, [*FORWARD, "--state-out", "new.json"]),
        "--no-update": (FORWARD, [*FORWARD, "--no-update"]), "--dtype": (FORWARD, [*FORWARD, "--dtype", "float16"]),
        "--verbose": (FORWARD, [*FORWARD, "--verbose"]),
        "--quiet": ([*FORWARD, "--momentum", "0.1"], [*FORWARD, "--momentum", "0.1", "--quiet"]),
        "--force": (instead(FORWARD, "y.npy", "other.json"), [*instead(FORWARD, "y.npy", "other.json"), "--force"])},
    "backward": {
        "--x": (BACKWARD, instead(BACKWARD, "x.npy", "dy.npy")),
        "--state": (BACKWARD, instead(BACKWARD, "state.json", "other.json")),
        "--cache": (BACKWARD, instead(instead(BACKWARD, "--state", "--cache"), "state.json", "cache.json")),
        "--dx": (BACKWARD, instead(BACKWARD, "dx.npy", "new.npy")), "--dgamma": (BACKWARD, [*BACKWARD, "--dgamma", "new.npy"]),
        "--dbeta": (BACKWARD, [*BACKWARD, "--dbeta", "new.npy"]), "--mode": (BACKWARD, [*BACKWARD, "--mode", "test"]),
        "--axis": (BACKWARD, [*BACKWARD, "--axis", "2"]), "--eps": (BACKWARD, [*BACKWARD, "--eps", "0.5"]),
        "--dtype": (BACKWARD, [*BACKWARD, "--dtype", "float16"]), "--verbose": (BACKWARD, [*BACKWARD, "--verbose"]),
        "--quiet": (EMPTY, [*EMPTY, "--quiet"]),
        "--force": (instead(BACKWARD, "dx.npy", "other.json"), [*instead(BACKWARD, "dx.npy", "other.json"), "--force"])},
    "stats": {
        "--files0-from": (STATS, ["stats", "--files0-from", "list", "-o", "part.json"]),
        "-o": (STATS, instead(STATS, "part.json", "new.json")), "--axis": (STATS, [*STATS, "--axis", "2"]),
        "--verbose": (STATS, [*STATS, "--verbose"]), "--quiet": ([*STATS, "empty.npy"], [*STATS, "empty.npy", "--quiet"]),
        "--force": (instead(STATS, "part.json", "other.json"), [*instead(STATS, "part.json", "other.json"), "--force"])},
    "calibrate": {
        "--files0-from": (CALIBRATE, ["calibrate", "--files0-from", "list", "--state", "state.json"]),
        "--state": (CALIBRATE, instead(CALIBRATE, "state.json", "other.json")),
        "--average-batches": (CALIBRATE, [*CALIBRATE, "--average-batches"]), "--axis": (CALIBRATE, [*CALIBRATE, "--axis", "2"]),
        "--verbose": (CALIBRATE, [*CALIBRATE, "--verbose"]),
        "--quiet": ([*CALIBRATE, "empty.npy"], [*CALIBRATE, "empty.npy", "--quiet"])},
    "compare": {
        "--atol": (COMPARE, [*COMPARE, "--atol", "100"]), "--rtol": (COMPARE, [*COMPARE, "--rtol", "1e9"]),
        "--ulp": (COMPARE, [*COMPARE, "--ulp", "9223372036854775807"]),
        "--equal-nan": (NAN, [*NAN, "--equal-nan"]),
        "--bits": (ZEROS, [*ZEROS, "--bits"]),
        "--axis": (COMPARE, [*COMPARE, "--axis", "2"]), "--json": (COMPARE, [*COMPARE, "--json"]),
        "--verbose": (COMPARE, [*COMPARE, "--verbose"])},
    "verify": {
        "--state": (VERIFY, instead(VERIFY, "state.json", "other.json")),
        "--y": (VERIFY, instead(VERIFY, "mine.npy", "dy.npy")), "--state-after": (VERIFY, AFTER),
        "--after-dtype": (AFTER, [*AFTER, "--after-dtype", "float16"]),
        "--dy": (GRADIENTS, instead(GRADIENTS, "dy.npy", "mine.npy")),
        "--dx": (GRADIENTS, [*GRADIENTS[:-1], "mine.npy"]),
        "--dgamma": (GRADIENTS, [*GRADIENTS, "--dgamma", "three.npy"]),
        "--dbeta": (GRADIENTS, [*GRADIENTS, "--dbeta", "three.npy"]),
        "--mode": (VERIFY, [*VERIFY, "--mode", "test"]), "--axis": (VERIFY, [*VERIFY, "--axis", "2"]),
        "--eps": (VERIFY, [*VERIFY, "--eps", "0.5"]), "--momentum": (AFTER, [*AFTER, "--momentum", "0.5"]),
        "--tolerance": (GRADIENTS, [*GRADIENTS, "--tolerance", "1e300"]), "--json": (VERIFY, [*VERIFY, "--json"]),
        "--verbose": (VERIFY, [*VERIFY, "--verbose"]),
        "--quiet": (instead(GRADIENTS, "dy.npy", "ones.npy"), [*instead(GRADIENTS, "dy.npy", "ones.npy"), "--quiet"])},
}
FAIL_WITHOUT = "--force"
# The other way that a command goes, and the flags that have to make their difference there, too.
OTHER_WAY = {
    "forward": (["--mode", "test"],
                {"--state", "-o", "--axis", "--eps", "--cache", "--dtype", "--verbose", "--force"}),
    "backward": (["--mode", "test"], {"--state", "--dx", "--dgamma", "--dbeta", "--axis", "--eps", "--dtype",
                                      "--verbose", "--force"}),
    "calibrate": (["--average-batches"], {"--files0-from", "--state", "--axis", "--verbose", "--quiet"}),
    "compare": (["--json"], {"--atol", "--rtol", "--ulp", "--equal-nan", "--bits", "--axis", "--verbose"}),
    "verify": (["--json"], {"--state", "--y", "--state-after", "--after-dtype", "--dy", "--dx", "--dgamma", "--dbeta",
                            "--mode", "--axis", "--eps", "--momentum", "--tolerance", "--verbose", "--quiet"}),
}
# What a run says by its exit code.
ANSWERS = {"compare": (DONE, DIFFERS), "verify": (DONE, DIFFERS)}


class FlagsTest(CommandTest):
    """Three channels along any axis but the first, of which only the second is meant."""

    def fresh(self):
        for name in os.listdir(self.dir):
            os.unlink(self.path(name))
        self.save("x.npy", self.x)
        self.save("dy.npy", self.dy)
        self.save("empty.npy", np.zeros((0, 3)))
        self.save("nan.npy", np.full(3, np.nan))
        self.save("zeros.npy", np.zeros(3))
        self.save("other_zeros.npy", -np.zeros(3))
        self.save("ones.npy", np.ones((3, 3, 3)))
        self.save("three.npy", np.ones(3))
        self.write("mine.npy", self.a_y)
        self.state(**dict(STATE, running_mean=[2.0, 0.5, 1.0]))
        self.state("other.json", **dict(STATE, eps=0.25))
        self.write("list", b"dy.npy\0")
        self.write("cache.json", self.a_cache)

    def setUp(self):
        super().setUp()
        self.x = self.random.normal(1, 2, (3, 3, 3))
        self.dy = self.random.normal(0, 1, (3, 3, 3))
        self.a_cache = self.a_y = b""
        self.fresh()
        self.silent(*FORWARD, "--no-update", "--eps", "0.75", "--cache", "a_cache.json")
        self.a_cache = self.read("a_cache.json")
        self.silent(*FORWARD, "--no-update")
        self.a_y = self.read("y.npy")

    def outcome(self, words):
        self.fresh()
        run = self.bn(*words)
        return run.returncode, run.stdout, run.stderr, {name: self.read(name) for name in os.listdir(self.dir)}

    def test_the_table_has_every_flag_of_every_command(self):
        for command, flags in FLAGS.items():
            text = self.silent(command, "--help").stdout.decode()
            shown = set(re.findall(r"^  (?:-h,)?(--?[a-z][a-z0-9-]*)", text, re.MULTILINE))
            self.assertEqual(shown, set(flags) | OTHERWISE[command], command)

    def test_each_flag_makes_a_difference(self):
        for command, flags in FLAGS.items():
            for flag, (without, given) in flags.items():
                with self.subTest(command=command, flag=flag):
                    self.check_difference(flag, without, given)
        for command, (way, flags) in OTHER_WAY.items():
            for flag in flags:
                with self.subTest(command=command, way=way, flag=flag):
                    without, given = FLAGS[command][flag]
                    self.check_difference(flag, [*without, *way], [*given, *way])

    def check_difference(self, flag, without, given):
        one, other = self.outcome(without), self.outcome(given)
        answers = ANSWERS.get(without[0], (DONE,))
        self.assertIn(one[0], (USAGE,) if flag == FAIL_WITHOUT else answers, one[2])
        self.assertIn(other[0], answers, other[2])
        if flag == "--verbose":
            self.assertEqual(one[1:2] + one[3:], other[1:2] + other[3:])
            self.assertEqual(one[2], "")
            self.assertRegex(other[2], r"bytes read, \d+ bytes written, ")
        elif flag == "--quiet":
            self.assertEqual(one[1:2] + one[3:], other[1:2] + other[3:])
            self.assertIn("bn: warning: ", one[2])
            self.assertEqual(other[2], "")
        else:
            self.assertNotEqual(one[1::2], other[1::2])

    def log_of(self, words, **more):
        """What shim.c saw: "s" for each fsync, "t" for each thread."""
        log = self.path() + ".log"
        self.addCleanup(lambda: os.path.exists(log) and os.unlink(log))
        self.ok(*words, env=self.preload(SHIM_LOG=log), **more)
        if not os.path.exists(log):
            return ""
        with open(log) as file:
            text = file.read()
        os.unlink(log)
        return text

    def test_threads_says_how_many(self):
        self.save("x.npy", np.zeros((64, 3, 4096)))
        shutil.copy(self.path("x.npy"), self.path("dy.npy"))
        verify = [*instead(VERIFY, "mine.npy", "dy.npy"), "--tolerance", "1e300"]
        for command in (FORWARD, BACKWARD, STATS, CALIBRATE, COMPARE, verify):
            for threads in (1, 3):
                log = self.log_of([*command, "--threads", threads])
                self.assertEqual(log.count("t") > 0, threads > 1, (command, log))

    def test_fsync_brings_outputs_to_the_disk(self):
        for command in ([*FORWARD, "--no-update"], [*FORWARD, "--mode", "test"], BACKWARD, STATS):
            self.assertEqual(self.log_of(command).count("s"), 0, command)
            self.assertGreater(self.log_of([*command, "--fsync"]).count("s"), 0, command)
        # A state always gets there; with --fsync the output does, too.
        always = self.log_of(FORWARD).count("s")
        self.assertGreater(always, 0)
        self.assertGreater(self.log_of([*FORWARD, "--fsync"]).count("s"), always)

    def test_lock_timeout_says_how_long_to_wait(self):
        for command in (FORWARD, CALIBRATE):
            with open(self.path("state.json"), "rb") as state:
                fcntl.flock(state, fcntl.LOCK_EX)
                self.fails(SYSTEM, *command, "--lock-timeout", "0", timeout=30, mentions="after 0 s")

    def test_the_arguments_are_read(self):
        for command, name in ((FORWARD, "x.npy"), (BACKWARD, "dy.npy"), (STATS, "x.npy"), (CALIBRATE, "dy.npy"),
                              (COMPARE, "x.npy"), (COMPARE, "dy.npy"), (VERIFY, "x.npy")):
            self.write(name, "no array")
            self.fails(BAD_INPUT, *command, mentions=name)
            self.fresh()


if __name__ == "__main__":
    main()
