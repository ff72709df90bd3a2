"""Cases 94 to 97: signals during the commit, what every signal leaves behind, and states that nobody feeds."""

import os
import re
import signal
import subprocess
import tempfile
import time

from harness import BN, BnTest, DONE, USAGE, died_of, main, saved
from signals_at_random import CATCHABLE, COMMANDS, Runs, heed_all_signals, plan

STATE = {"mode": "train", "gamma": [1.5, 0.5, -2.0], "beta": [0.25, 0.0, 1.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 3}

FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "x.npy", "--cache", "cache.json"]
BACKWARD = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dy.npy", "--dgamma", "old.npy",
            "--dbeta", "dbeta.npy"]
CALIBRATE = ["calibrate", "--state", "state.json", "x.npy"]
INIT = ["init", "--channels", "3", "-o", "new.json"]


def setUpModule():
    heed_all_signals()


class SignalsTest(BnTest):
    def setUp(self):
        super().setUp()
        x = self.random.normal(0, 1, (16, 3, 5))
        self.save("x.npy", x)
        self.save("dy.npy", self.random.normal(0, 1, x.shape))
        self.save("old.npy", x[0])
        self.state(**STATE)
        self.before = self.files()

    def files(self):
        return {name: self.read(name) for name in os.listdir(self.dir)}

    def reset(self):
        for name in os.listdir(self.dir):
            os.unlink(self.path(name))
        for name, data in self.before.items():
            self.write(name, data)

    def names_at_once(self):
        """Where the file system has files without a name."""
        try:
            os.close(os.open(self.dir, os.O_TMPFILE | os.O_RDWR))
        except OSError as error:
            self.skip("no O_TMPFILE in %s: %s" % (self.dir, error))


class CommitTest(SignalsTest):
    """strace sends the signals; one thread, because it counts per thread."""

    def setUp(self):
        super().setUp()
        self.need_strace()
        self.log = os.path.join(tempfile.gettempdir(), os.path.basename(self.dir) + ".strace")
        self.addCleanup(lambda: os.path.exists(self.log) and os.unlink(self.log))

    def traced(self, command, *options, **more):
        return self.bn(*command, "--threads", 1, prefix=["strace", "-f", "-qq", "-o", self.log, *options], **more) \
            if command is not INIT else self.bn(*command, prefix=["strace", "-f", "-qq", "-o", self.log, *options], **more)

    def calls(self, command, **more):
        """[(system call, its number among those of its name, line)] of a whole run, from its first file on."""
        self.reset()
        run = self.traced(command, **more)
        self.assertEqual(run.returncode, DONE, run.stderr)
        counts, found = {}, []
        with open(self.log) as file:
            for line in file:
                text = line.split(maxsplit=1)[1]
                name = text.split("(")[0]
                if not name.isidentifier() or name in ("execve", "exit_group"):
                    continue
                counts[name] = counts.get(name, 0) + 1
                if found or (not text.startswith("execve") and re.search(r"\.npy|\.json", text)):
                    found.append((name, counts[name], text))
        return found

    def commit(self, calls):
        """The calls from the one that holds the signals to the one that lets them go."""
        held = [i for i, (name, _, text) in enumerate(calls) if name == "rt_sigprocmask" and "SIG_BLOCK" in text]
        free = [i for i, (name, _, text) in enumerate(calls) if name == "rt_sigprocmask" and "SIG_SETMASK" in text]
        return calls[held[-1]:free[-1] + 1]

    def sweep(self, command, calls, numbers, **more):
        """Every signal at every call; in how many runs everything was new."""
        self.reset()
        self.ok(*command)
        right, all_new = self.files(), 0
        for name, at, text in calls:
            for number in numbers:
                self.reset()
                what = (number, name, at, text)
                run = self.traced(command, "-e", "inject=%s:signal=%d:when=%d" % (name, number, at), **more)
                self.assertEqual((run.returncode, run.stderr), (-number, ""), what)
                after = self.files()
                self.assertIn(after, (self.before, right), what)
                all_new += after == right
        return all_new

    def test_case_94_a_signal_at_any_system_call_leaves_everything_old_or_everything_new(self):
        for command in (FORWARD, BACKWARD, CALIBRATE, INIT):
            calls = self.calls(command)
            all_new = self.sweep(command, calls, [signal.SIGTERM])
            # The commit, and what comes after it.
            self.assertGreaterEqual(all_new, len(self.commit(calls)) - 1)
            self.assertLess(all_new, len(calls))

    def test_case_94_every_signal_that_can_be_held_waits_for_the_end_of_the_commit(self):
        commit = self.commit(self.calls(FORWARD))
        renames = [i for i, (name, _, _) in enumerate(commit) if name == "renameat"]
        self.assertEqual(len(renames), 3)
        between = commit[renames[0]:renames[-1] + 1]
        self.assertEqual(self.sweep(FORWARD, between, CATCHABLE), len(between) * len(CATCHABLE))
        some = [signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGRTMAX]
        self.assertEqual(self.sweep(FORWARD, commit[1:], some), (len(commit) - 1) * len(some))

    def test_case_94_outputs_with_temporary_names_are_committed_alike(self):
        without = {"env": self.preload(SHIM_NO_TMPFILE=1)}
        calls = self.calls(FORWARD, **without)
        self.assertEqual([name for name, _, _ in calls if name == "linkat"], [])
        commit = self.commit(calls)
        self.assertEqual([name for name, _, _ in commit if name == "renameat"], ["renameat"] * 3)
        self.sweep(FORWARD, calls, [signal.SIGTERM], **without)
        self.assertEqual(self.sweep(FORWARD, commit[1:], [signal.SIGHUP], **without), len(commit) - 1)

    def test_case_94_a_failing_rename_still_tells_after_a_signal_that_it_ended_by(self):
        for name, at, _ in self.commit(self.calls(FORWARD)):
            if name not in ("linkat", "renameat", "fsync"):
                continue
            self.reset()
            run = self.traced(FORWARD, "-e", "inject=%s:error=EIO:signal=TERM:when=%d" % (name, at))
            self.assertEqual(died_of(run.returncode), "SIGTERM", (name, at, run.stderr))
            self.assertEqual([name for name in os.listdir(self.dir) if name.startswith(".bn-")], [], (name, at))

    def test_case_96_a_replaced_file_is_removed_after_the_commit(self):
        self.names_at_once()
        calls = [text for _, _, text in self.calls(["forward", "x.npy", "--state", "state.json", "-o", "old.npy"])]
        rename = next(i for i, text in enumerate(calls) if text.startswith("renameat") and "old.npy" in text)
        free = max(i for i, text in enumerate(calls) if "SIG_SETMASK" in text)
        kept = [re.search(r"= (\d+)", text).group(1) for text in calls[:rename] if "old.npy" in text and "O_PATH" in text]
        self.assertEqual(len(kept), 1, calls)
        closed = [i for i, text in enumerate(calls) if re.match(r"close\(%s\)" % kept[0], text) and i > rename]
        self.assertGreater(closed[0], free)

    def test_case_95_a_file_is_named_by_its_descriptor_or_by_proc_or_from_the_start(self):
        self.reset()
        self.ok(*FORWARD)
        right = self.files()
        for refused, via in ((0, "AT_EMPTY_PATH"), (1, "/proc/self/fd/"), (2, None)):
            calls = self.calls(FORWARD, env=self.preload(SHIM_NO_LINK=refused))
            self.assertEqual(self.files(), right)
            links = [text for name, _, text in calls if name == "linkat" and ".bn-" in text]
            self.assertEqual([via in text for text in links], [True] * 3 if via else [])


class EverySignalTest(SignalsTest):
    def waiting(self, **settings):
        """bn in the middle of its input, with its outputs open."""
        env = dict(os.environ, **(self.preload(**settings) if settings else {}))
        process = subprocess.Popen([BN, "forward", "-", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json",
                                    "--mode", "test", "--quiet"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=self.dir, env=env)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stderr.close)
        process.stdin.write(saved(self.load("x.npy"))[:400])
        process.stdin.flush()
        target = self.dir + "/"
        for _ in range(2000):  # until both outputs are open
            links = [os.path.join("/proc/%d/fd" % process.pid, fd) for fd in os.listdir("/proc/%d/fd" % process.pid)]
            if sum(self.is_temporary(link, target) for link in links) == 2:
                return process
            time.sleep(0.005)
        self.fail("no outputs were opened")

    @staticmethod
    def is_temporary(link, target):
        try:
            return os.readlink(link).startswith((target + ".bn-", target + "#"))
        except FileNotFoundError:
            return False

    def test_case_95_every_signal_that_can_be_caught_leaves_nothing_behind(self):
        for number in CATCHABLE:
            before = self.snapshot()
            process = self.waiting()
            process.send_signal(number)
            self.assertEqual((process.wait(timeout=20), process.stderr.read()), (-number, b""))
            self.assertEqual(self.snapshot(), before, number)

    def test_case_95_every_signal_that_can_be_caught_removes_files_that_have_names(self):
        for number in CATCHABLE:
            before = self.snapshot()
            process = self.waiting(SHIM_NO_TMPFILE=1)
            self.assertEqual(len([name for name in os.listdir(self.dir) if name.startswith(".bn-")]), 2)
            process.send_signal(number)
            self.assertEqual((process.wait(timeout=20), process.stderr.read()), (-number, b""))
            self.assertEqual(self.snapshot(), before, number)

    def test_case_95_two_signals_at_once_leave_nothing_behind_either(self):
        for numbers in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGHUP), (signal.SIGQUIT, signal.SIGUSR1)):
            before = self.snapshot()
            process = self.waiting(SHIM_NO_TMPFILE=1)
            for number in numbers:
                process.send_signal(number)
            self.assertIn(-process.wait(timeout=20), numbers)
            self.assertEqual(self.snapshot(), before, numbers)

    def test_case_95_a_kill_leaves_nothing_behind_where_files_need_no_name(self):
        self.names_at_once()
        before = self.snapshot()
        process = self.waiting()
        process.kill()
        process.wait(timeout=20)
        self.assertEqual(self.snapshot(), before)

    def test_case_95_a_signal_that_is_ignored_stays_ignored(self):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGPIPE, signal.SIGRTMIN):
            run = self.run_program(["sh", "-c", "trap '' %d; exec \"$@\"" % number, "sh", "sh", "-c",
                                    'kill -%d $$; exec "$@"' % number, "sh", BN, *CALIBRATE])
            self.assertEqual(run.returncode, DONE, run.stderr)
            process = subprocess.Popen([BN, "stats", "-", "-o", "part.json"], stdin=subprocess.PIPE, cwd=self.dir,
                                       preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
            time.sleep(0.1)
            process.send_signal(number)
            process.communicate(saved(self.load("x.npy")), timeout=20)
            self.assertEqual(process.returncode, DONE, number)

    def test_case_94_waiting_for_the_lock_is_interrupted_at_once(self):
        import fcntl
        with open(self.path("state.json"), "rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
                before = self.snapshot()
                process = subprocess.Popen([BN, *FORWARD], cwd=self.dir, stderr=subprocess.DEVNULL)
                time.sleep(0.3)
                start = time.monotonic()
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=20), -number)
                self.assertLess(time.monotonic() - start, 5)
                self.assertEqual(self.snapshot(), before)

    def test_case_94_signals_at_random_moments_leave_all_old_or_all_new(self):
        for settings in ({}, {"SHIM_NO_TMPFILE": 1}):
            runs = Runs(self.dir, env=self.preload(**settings) if settings else None)
            found = [runs.signalled(which, number) for which, number in plan(44, CATCHABLE[::3])]
            self.assertEqual([wrong for wrong in found if wrong], [])
        runs = Runs(self.dir)
        found = [runs.signalled(which, number) for which, number in plan(2 * len(COMMANDS), [signal.SIGKILL])]
        self.assertEqual([wrong for wrong in found if wrong], [])


class StatesThatWaitTest(SignalsTest):
    FORWARD = ["forward", "x.npy", "-o", "y.npy", "--state"]

    def test_case_97_a_named_pipe_as_the_state_to_be_updated_is_refused_without_waiting(self):
        os.mkfifo(self.path("pipe"))
        os.symlink("pipe", self.path("link"))
        for name in ("pipe", "./pipe", "link"):
            for arguments in ([], ["--mode", "train"]):
                self.fails(USAGE, *self.FORWARD, name, *arguments, timeout=20,
                           mentions=[name + ": is not the path of a regular file", "--state-out", "--no-update"])
            message = self.fails(USAGE, "calibrate", "x.npy", "--state", name, timeout=20,
                                 mentions=name + ": is not the path of a regular file")
            self.assertNotRegex(message, "--")

    def test_case_97_standard_input_gets_the_same_message_by_every_name(self):
        state = self.read("state.json")
        os.symlink("/dev/stdin", self.path("link"))
        for command in (["forward", "x.npy", "-o", "y.npy"], ["calibrate", "x.npy"]):
            messages = set()
            for name in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "link"):
                for stdin in (state, open(self.path("state.json"), "rb"), subprocess.DEVNULL):
                    if stdin is subprocess.DEVNULL and command[0] == "forward":
                        continue  # is read for its mode, and is empty
                    message = self.fails(USAGE, *command, "--state", name, stdin=stdin, timeout=20)
                    self.assertTrue(message.startswith("bn: " + name + ": "), message)
                    messages.add(message.replace(name, "STATE"))
                    if hasattr(stdin, "close"):
                        stdin.close()
            before = self.snapshot()
            script = '"$BN" %s --state <(cat state.json)' % " ".join(command)
            run = self.run_program(["bash", "-c", script], env={"BN": BN}, timeout=20)
            message = self.check_failure(run, USAGE, before)
            messages.add(re.sub(r"/dev/fd/\d+", "STATE", message))
            self.assertEqual(len(messages), 1, messages)
            for flag in re.findall(r"--[a-z-]+", messages.pop()):
                self.assertIn(flag, self.ok(command[0], "--help").stdout.decode())

    def test_case_97_a_pipe_can_be_the_state_where_nothing_is_updated(self):
        self.silent(*self.FORWARD, "state.json", "--mode", "test")
        right = self.read("y.npy")
        state = self.read("state.json")
        self.silent(*self.FORWARD, "/dev/stdin", "--mode", "test", stdin=state)
        self.assertEqual(self.read("y.npy"), right)
        self.silent(*self.FORWARD, "/dev/stdin", stdin=state.replace(b"train", b"test"))
        self.assertEqual(self.read("y.npy"), right)
        self.silent(*self.FORWARD, "/dev/stdin", "--no-update", stdin=state)
        self.silent(*self.FORWARD, "/dev/stdin", "--state-out", "new.json", stdin=state)
        self.silent(*FORWARD[:4], "-o", "y.npy")
        self.assertEqual(self.read("new.json"), self.read("state.json"))


if __name__ == "__main__":
    main()
