"""Cases 93, 99, 101 and 102: slips on the command line, and messages that say what to do."""

import os
import re
import resource
import select
import subprocess
import time

import numpy as np

from commands import CommandTest, STATE
from harness import BAD_INPUT, BN, DONE, SYSTEM, USAGE, BnTest, main, npy, saved
from namespaces import Namespace

# A command line of each command that is right, by words.
RIGHT = {"init": ["--channels", "3", "-o", "new.json"],
         "forward": ["x.npy", "--state", "state.json", "-o", "y.npy"],
         "backward": ["dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"],
         "stats": ["x.npy", "-o", "part.json"],
         "calibrate": ["x.npy", "--state", "state.json"],
         "compare": ["x.npy", "dy.npy"],
         "verify": ["x.npy", "--state", "state.json", "--y", "dy.npy"]}


class EmptyValuesTest(CommandTest):
    def flags(self, command):
        """{flag: whether it takes a value}, from the help."""
        text = self.ok(command, "--help").stdout.decode()
        flags = dict((name, bool(kind)) for name, kind in re.findall(r"^  (--?[a-z][a-z0-9-]*)( \S+)?", text, re.MULTILINE))
        flags.pop("-h", None)
        self.assertIn("--verbose", flags)
        return flags

    def test_case_93_an_empty_value_of_any_flag_is_refused_by_the_name_of_the_flag(self):
        for command, right in RIGHT.items():
            for flag, takes_value in self.flags(command).items():
                at = right.index(flag) if flag in right else len(right)
                before, behind = right[:at], right[at + 2:]
                for slip in ([[flag + "="], [flag, ""]] if takes_value else [[flag + "="]]):
                    with self.subTest(command=command, slip=slip):
                        # The word behind is what the flag would have taken for its value.
                        for words in ([*before, *slip, *behind], [*before, *slip, "--verbose", *behind]):
                            message = self.fails(USAGE, command, *words, mentions="bn: " + flag + " ")
                            self.assertIn("empty" if takes_value else "takes no value", message)

    def test_case_93_no_file_is_named_like_a_flag(self):
        line = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json"]
        self.fails(USAGE, *line, "--dx=", "--dgamma=dg.npy", mentions="--dx is given an empty value")
        self.fails(USAGE, *line, "--dx", "--dgamma=dg.npy", mentions=["--dx needs a value", "but --dgamma=dg.npy follows"])
        self.fails(USAGE, *line, "--dx", "--", mentions="--dx needs a value")
        self.ok(*line, "--dx=--dgamma=dg.npy")
        self.assertTrue(self.exists("--dgamma=dg.npy"))

    def test_case_93_a_short_flag_with_an_equals_sign_is_refused_with_what_is_meant(self):
        self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o=y.npy", mentions=": -o y.npy")
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "=y.npy")
        self.assertTrue(self.exists("=y.npy"))

    def test_case_93_an_empty_argument_is_refused(self):
        for command, right in RIGHT.items():
            for words in (["", *right], [*right, ""], [*right, "--", ""]):
                self.fails(USAGE, command, *words, mentions="empty")
            self.fails(USAGE, "", command, *right, mentions="the command is empty")
        self.fails(USAGE, "", mentions="the command is empty")


class MessagesTest(CommandTest):
    FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy"]

    def refused(self, *more, mentions=()):
        return self.fails(BAD_INPUT, *self.FORWARD, *more, mentions=mentions)

    def test_case_99_what_is_not_closed_ends_too_early_and_is_no_valid_json(self):
        for text in ("[1, 2", "[", '{"gamma": [1, 2', '{"gamma": "g', '{"mode": "train"', '{"gamma": [1, 2]\n'):
            self.write("state.json", text)
            self.refused(mentions=["state.json: is not valid JSON: it ends too early", "line"])
            self.write("part.json", text)
            if text.startswith("{"):
                self.fails(BAD_INPUT, "stats", "part.json", "-o", "p.json", mentions="part.json: is not valid JSON: it ends")
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "part.json", "--dx", "dx.npy",
                       mentions="part.json: is not valid JSON: it ends too early")
        self.write("state.json", "[1, 2]")
        self.refused(mentions="is valid JSON, but has to be an object")

    def test_case_99_the_nan_that_python_writes_is_named_with_its_key(self):
        for value, written in ((float("nan"), "NaN"), (float("inf"), "Infinity"), (-float("inf"), "-Infinity")):
            self.state(**dict(STATE, running_mean=[0.5, value, 1.0]))  # as json.dumps writes it
            self.assertIn(written, self.read("state.json").decode())
            self.refused(mentions=["state.json: ", "running_mean has %s at line 1" % written, "JSON has no NaN",
                                   "finite", "allow_nan=False"])

    def test_case_99_a_dtype_is_shown_alone_with_advice_that_works(self):
        arrays = (np.array([[1 + 2j, 3j], [0, 1]]), np.array([["1.5", "2"], ["3", "4"]]), np.array([[b"1", b"2"], [b"3", b"4"]]),
                  np.array([[1, 2.5], [3, 4]], dtype=object), np.zeros((4, 2), "M8[s]"), np.zeros((4, 2), "m8[s]"),
                  np.zeros((4, 2), np.longdouble), np.zeros((4, 2), np.clongdouble),
                  np.zeros((4, 2), [("mean, of 'a'", "<f4"), ("b", "<i8")]), np.zeros((4, 2), [("width", "<f4")]))
        self.state(mode="train")
        for x in arrays:
            with self.subTest(dtype=x.dtype):
                descr = np.lib.format.dtype_to_descr(x.dtype)
                header = "{'descr': %r, 'fortran_order': False, 'shape': %r, }" % (descr, x.shape)
                self.write("x.npy", npy(header, bytes(x.nbytes)))
                message = self.refused(mentions="cannot be normalised")
                self.assertNotIn("fortran_order", message)
                self.assertNotIn("shape", message)
                # The advice is an expression of x: what comes out of it is taken.
                advice = re.search(r"instance (?:one field of it, )?(.*?)(?: and x.*| where .*)?$", message.strip()).group(1)
                if "'a'" not in message:
                    self.save("x.npy", eval(advice, {"x": x}))
                    self.ok("stats", "x.npy", "-o", "part.json")

    def test_case_99_an_axis_out_of_range_names_where_it_comes_from(self):
        backward = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"]
        calibrate = ["calibrate", "x.npy", "--state", "state.json"]
        verify = ["verify", "x.npy", "--state", "state.json", "--y", "dy.npy"]
        for command in (self.FORWARD, backward, calibrate, verify, ["stats", "x.npy", "-o", "p.json"],
                        ["compare", "x.npy", "dy.npy"]):
            self.fails(BAD_INPUT, *command, "--axis", 3, mentions=["x.npy", "(5, 3, 4)", "--axis is 3", "-3..2"])
        self.state(**dict(STATE, axis=-4))
        for command in (self.FORWARD, backward, calibrate, verify):
            self.fails(BAD_INPUT, *command, mentions=["x.npy", "(5, 3, 4)", "the axis of state.json is -4", "-3..2"])
            self.fails(BAD_INPUT, *command, "--axis=-4", mentions="--axis is -4")

    def test_case_99_the_array_that_decides_says_which_of_two_lengths_is_wrong(self):
        for key in ("gamma", "beta", "running_mean", "running_var"):
            self.state(**dict(STATE, **{key: [1.0] * 4}))
            for command in (self.FORWARD, ["calibrate", "x.npy", "--state", "state.json"]):
                self.fails(BAD_INPUT, *command, mentions="state.json: %s has 4 values, but x.npy has 3 channels" % key)
        self.save("b.npy", np.ones(5))
        self.state(**dict(STATE, beta="b.npy"))
        self.refused(mentions="state.json: beta (b.npy) has 5 values, but x.npy has 3 channels")
        self.save("g.npy", np.ones(3))
        self.fails(BAD_INPUT, "init", "--gamma", "g.npy", "--beta", "b.npy", "-o", "new.json",
                   mentions="b.npy: 5 values, but g.npy says 3 channels")

    def test_case_99_a_missing_file_of_the_state_is_the_states_fault(self):
        self.state(**dict(STATE, gamma="g.npy"))
        for command in (self.FORWARD, ["calibrate", "x.npy", "--state", "state.json"],
                        ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"]):
            self.fails(BAD_INPUT, *command, mentions="bn: state.json: gamma: g.npy: No such file or directory")
        self.fails(SYSTEM, "init", "--gamma", "g.npy", "-o", "new.json", mentions="g.npy")

    def test_case_99_a_file_of_the_state_that_could_not_be_read_twice_is_refused_without_waiting(self):
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("directory"))
        for name in ("fifo", "directory"):
            self.state(**dict(STATE, gamma=name))
            self.refused(mentions="bn: state.json: gamma: %s: is not a regular file" % name)

    def test_case_99_too_little_memory_names_the_file_and_its_shape(self):
        self.need_no_sanitizer("it reserves more memory than the limit")
        count = 10 ** 9  # in files that are holes
        for name, shape in (("huge.npy", (2, count)), ("gamma.npy", (count,))):
            header = "{'descr': '<f4', 'fortran_order': False, 'shape': %r, }" % (shape,)
            self.write(name, npy(header))
            os.truncate(self.path(name), len(npy(header)) + 4 * int(np.prod(shape)))
        self.state("plain.json", mode="train")
        self.state(mode="train", gamma="gamma.npy")
        text = ["huge.npy: out of memory", "(2, %d)" % count]
        state = ["--state", "plain.json"]
        for words, mentions in (
                (["forward", "huge.npy", *state, "-o", "y.npy"], text), (["stats", "huge.npy", "-o", "p.json"], text),
                (["backward", "huge.npy", "--x", "huge.npy", *state, "--dbeta", "b.npy"], text),
                (["calibrate", "huge.npy", *state], text), (["verify", "huge.npy", *state, "--y", "huge.npy"], text),
                (["forward", "x.npy", "--state", "state.json", "-o", "y.npy"],
                 ["state.json: gamma: gamma.npy: out of memory", "(%d,)" % count]),
                (["init", "--gamma", "gamma.npy", "-o", "new.json"], ["gamma.npy: out of memory", "(%d,)" % count]),
                (["init", "--channels", count, "-o", "new.json"], ["new.json: out of memory", "%d channels" % count])):
            before = sorted(os.listdir(self.dir))
            run = self.bn(*words, "--threads=1" if words[0] != "init" else "--verbose", limits=[(resource.RLIMIT_AS, 1 << 30)])
            self.assertEqual((run.returncode, len(run.lines())), (SYSTEM, 1), (words, run.stderr))
            for mention in mentions:
                self.assertIn(mention, run.stderr)
            self.assertEqual(sorted(os.listdir(self.dir)), before)


class SurroundingsTest(BnTest):
    def setUp(self):
        super().setUp()
        self.x = self.random.normal(0, 1, (64, 3, 1024))
        self.save("x.npy", self.x)
        self.ok("init", "--preset", "pytorch", "--channels", 3, "-o", "state.json")

    def shown(self, leader, end):
        """What has come to a terminal by the time that this end has; it may come in pieces."""
        text = b""
        while not text.endswith(end):
            self.assertTrue(select.select([leader], [], [], 20)[0], text)
            text += os.read(leader, 65536)
        return text.decode()

    def test_case_101_the_progress_line_needs_no_escape_sequences(self):
        data = saved(self.x)
        self.ok("calibrate", "x.npy", "--state", "state.json")  # test mode has nothing to warn of then
        runs = []
        for term in ("dumb", None, "xterm-256color"):
            environment = dict(os.environ, TERM=term or "")
            if term is None:
                del environment["TERM"]
            leader, follower = self.terminal_ends()
            process = subprocess.Popen([BN, "forward", "-", "--state", "state.json", "--mode", "test", "-o", "y%d.npy" % len(runs)],
                                       stdin=subprocess.PIPE, stderr=follower, env=environment, cwd=self.dir)
            process.stdin.write(data[:len(data) // 2])
            process.stdin.flush()
            runs.append((process, leader))
        # Of a run that has something to say at the end, and of one that fails.
        self.state("warns.json", mode="test", running_mean=[0.0] * 3, running_var=[1.0] * 3)
        others = []
        forward = ["forward", "-", "-o", "other.npy", "--mode", "test", "--state"]
        # All inputs count, those before this one, too, and those behind it that are files.
        for command, end in (([*forward, "warns.json"], len(data)), ([*forward, "state.json"], -1),
                             (["stats", "x.npy", "-"], len(data)), (["stats", "-", "x.npy", "x.npy"], len(data))):
            leader, follower = self.terminal_ends()
            process = subprocess.Popen([BN, *command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=follower,
                                       cwd=self.dir)
            process.stdin.write(data[:len(data) // 2])
            process.stdin.flush()
            others.append((process, leader, data[len(data) // 2:end]))
        time.sleep(1.3)  # nothing shows within the first second
        for process, leader in runs:
            process.communicate(data[len(data) // 2:])
            self.assertEqual(process.returncode, DONE)
            said = self.shown(leader, end=b" \r")
            self.assertRegex(said, r"\rbn: 1 MB of 2 MB, \d+ MB/s, \d+ s left")
            self.assertNotIn("\x1b", said)
            # At the end the line is wiped out.
            *_, line, blank, end = said.split("\r")
            self.assertEqual((blank.strip(" "), end), ("", ""), said)
            self.assertGreaterEqual(len(blank), len(line.rstrip()))
        for (process, leader, rest), code, mention in zip(others, (DONE, BAD_INPUT),
                                                          ("never updated", "standard input: ends early")):
            process.communicate(rest)
            self.assertEqual(process.returncode, code)
            # It is wiped out before anything else is said.
            said = self.shown(leader, end=b"\n")
            *_, blank, last, end = said.split("\r")
            self.assertEqual((blank.strip(" "), end), ("", "\n"), said)
            self.assertGreater(len(blank), 10)
            self.assertIn(mention, last)
        for process, leader, rest in others[2:]:
            process.communicate(rest)
            self.assertEqual(process.returncode, DONE)
            self.assertRegex(self.shown(leader, end=b" \r"), r"^\rbn: \d MB of 3 MB, ")

    def test_case_101_an_array_is_not_written_to_a_terminal(self):
        forward = ["forward", "x.npy", "--state", "state.json", "-o"]
        backward = ["backward", "x.npy", "--x", "x.npy", "--state", "state.json"]
        for words in ([*forward, "-"], [*forward, "/dev/stdout"], *([*backward, f, "-"] for f in ("--dx", "--dgamma", "--dbeta"))):
            before = self.snapshot()
            leader, follower = self.terminal_ends()
            run = self.bn(*words, stdout=follower, timeout=20)
            self.check_failure(run, USAGE, before, ["is a terminal", "a file or a pipe"], words)
            os.set_blocking(leader, False)
            with self.assertRaises(BlockingIOError):
                os.read(leader, 1)

    def test_case_101_json_is_written_to_a_terminal(self):
        for words, text in ((["init", "--channels", 1, "-o", "-"], '"gamma": [1.0]'), (["stats", "x.npy", "-o", "-"], '"count"')):
            leader, follower = self.terminal_ends()
            self.assertEqual(self.bn(*words, stdout=follower).returncode, DONE)
            self.assertIn(text, self.shown(leader, end=b"}\r\n"))

    def test_case_101_help_is_a_command_too(self):
        self.assertEqual(self.silent("help").stdout, self.silent("--help").stdout)
        for command in RIGHT:
            self.assertEqual(self.silent("help", command).stdout, self.silent(command, "--help").stdout)
        self.fails(USAGE, "help", "forwrad", mentions="did you mean forward?")
        self.fails(USAGE, "help", "nonsense", mentions=["nonsense", "bn help lists"])
        self.fails(USAGE, "help", "forward", "stats", mentions="stats")
        self.fails(USAGE, "hlep", mentions="did you mean help?")

    def test_case_101_a_directory_for_temporary_files_that_is_full_is_named(self):
        data = saved(self.x)
        words = ["forward", "-", "--state", "state.json", "-o", os.devnull, "--no-update"]
        os.mkdir(self.path("temporary"))
        for directory in ("temporary", self.path("temporary")):
            self.fails(SYSTEM, *words, stdin=data, env={"TMPDIR": directory}, limits=[(resource.RLIMIT_FSIZE, 1 << 20)],
                       mentions=["standard input in %s (TMPDIR" % directory, "File too large"])
        self.fails(SYSTEM, *words, stdin=data, env={"TMPDIR": "none"}, mentions="none: ")
        for command in RIGHT:
            self.assertEqual(b"TMPDIR" in self.silent("help", command).stdout, command != "init")

    def test_case_101_a_file_system_for_temporary_files_that_is_full_is_named(self):
        os.mkdir(self.path("temporary"))
        inside = Namespace(self, 'mount -t tmpfs -o size=1m bn "$1/temporary"')
        run = self.bn("stats", "-", "-o", "part.json", prefix=inside.prefix, stdin=saved(self.x), env={"TMPDIR": "temporary"})
        self.assertEqual((run.returncode, len(run.lines())), (SYSTEM, 1), run.stderr)
        self.assertIn("standard input in temporary (TMPDIR names another directory): cannot write: No space left", run.stderr)


class HintTest(CommandTest):
    def fails_with(self, end, *more, shape, gamma=3):
        self.save("x.npy", np.zeros(shape))
        self.state(mode="train", gamma=[1.0] * gamma)
        for words in (["forward", "x.npy", "--state", "state.json", "-o", "y.npy"], ["calibrate", "x.npy", "--state", "state.json"],
                      ["backward", "x.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"],
                      ["verify", "x.npy", "--state", "state.json", "--y", "x.npy"]):
            message = self.fails(BAD_INPUT, *words, *more, mentions="gamma has %d value" % gamma)
            self.assertTrue(message.endswith(end + "\n"), message)

    def test_case_102_the_axis_that_fits_the_state_is_proposed(self):
        self.fails_with("; axis -1 has 3: give --axis -1?", shape=(2, 8, 9, 3))
        self.fails_with("; axis -1 has 3: give --axis -1?", shape=(3, 8, 3, 3))
        self.fails_with("; axis 2 has 3: give --axis 2?", shape=(3, 8, 3, 9))
        self.fails_with("; axis 0 has 3: give --axis 0?", shape=(3, 8))
        self.fails_with("; axis 1 has 3: give --axis 1?", "--axis=-1", shape=(2, 3, 8, 9))
        self.fails_with("; axis -1 has 3: give --axis -1?", "--axis=0", shape=(2, 3, 3))
        self.fails_with("(axis 1 of (2, 8, 9))", shape=(2, 8, 9))
        # What is proposed works.
        self.save("x.npy", self.random.normal(0, 1, (2, 8, 9, 3)))
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--axis", "-1")


if __name__ == "__main__":
    main()
