"""Cases 56 to 71: where results go, and everything that can be in the way."""

import os
import resource
import signal
import stat
import subprocess
import tempfile
import threading
import time

import numpy as np

from harness import BAD_INPUT, BN, BnTest, DONE, SYSTEM, USAGE, died_of, main, saved, snapshot
from namespaces import Namespace

STATE = {"mode": "train", "gamma": [1.5, 0.5, -2.0], "beta": [0.25, 0.0, 1.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 3}


class FilesTest(BnTest):
    def setUp(self):
        super().setUp()
        self.x = self.random.normal(0, 1, (16, 3, 5)).astype("float32")
        self.save("x.npy", self.x)
        self.save("dy.npy", self.random.normal(0, 1, self.x.shape).astype("float32"))
        self.state(**STATE)
        self.old_state = self.read("state.json")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        self.y, self.new_state = self.read("y.npy"), self.read("new.json")
        os.unlink(self.path("y.npy"))
        os.unlink(self.path("new.json"))

    FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy"]

    def forward(self, *arguments, **more):
        return self.silent("forward", "x.npy", "--state", "state.json", *arguments, **more)

    def reset(self):
        """Everything but the inputs removed, the state as at the start."""
        for name in os.listdir(self.dir):
            if name not in ("x.npy", "dy.npy"):
                os.unlink(self.path(name))
        self.write("state.json", self.old_state)

    def assert_old_or_new(self, what):
        self.assertIn(self.read("state.json"), (self.old_state, self.new_state), what)


class TargetsTest(FilesTest):
    def test_case_56_the_output_may_be_the_input_by_name(self):
        for name in ("x.npy", "./x.npy", self.path("x.npy")):
            self.save("x.npy", self.x)
            self.forward("-o", name, "--no-update")
            self.assertEqual(self.read("x.npy"), self.y)

    def test_case_56_the_output_may_be_the_input_by_symbolic_link(self):
        os.symlink("x.npy", self.path("link.npy"))
        self.forward("-o", "link.npy", "--no-update")
        self.assertEqual(self.read("x.npy"), self.y)
        self.assertEqual(os.readlink(self.path("link.npy")), "x.npy")

    def test_case_56_the_output_may_be_the_input_by_hard_link(self):
        os.link(self.path("x.npy"), self.path("hard.npy"))
        self.forward("-o", "hard.npy", "--no-update")
        self.assertEqual(self.read("hard.npy"), self.y)
        self.assertIn(self.read("x.npy"), (self.y, saved(self.x)))

    def test_case_56_the_gradient_may_replace_dy_or_x(self):
        arguments = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx"]
        self.silent(*arguments, "dx.npy")
        want = self.read("dx.npy")
        dy = self.read("dy.npy")
        self.silent(*arguments, "dy.npy")
        self.assertEqual(self.read("dy.npy"), want)
        self.write("dy.npy", dy)
        self.silent(*arguments, "x.npy")
        self.assertEqual(self.read("x.npy"), want)

    def test_case_57_two_outputs_that_are_the_same_file_are_refused(self):
        self.write("there.npy", "")
        os.symlink("there.npy", self.path("link.npy"))
        os.symlink("nowhere.npy", self.path("dangling.npy"))
        os.link(self.path("there.npy"), self.path("hard.npy"))
        os.symlink(".", self.path("here"))
        backward = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json"]
        for first, second in (("a.npy", "a.npy"), ("a.npy", "./a.npy"), ("a.npy", self.path("a.npy")),
                              ("a.npy", "here/a.npy"), ("there.npy", "link.npy"), ("there.npy", "hard.npy"),
                              ("nowhere.npy", "dangling.npy"), ("dangling.npy", "dangling.npy")):
            self.fails(USAGE, *backward, "--dx", first, "--dgamma", second, mentions=["--dx", "--dgamma"])
            self.fails(USAGE, *backward, "--dgamma", first, "--dbeta", second, mentions=["--dgamma", "--dbeta"])
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", first, "--cache", second,
                       mentions="--cache")
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", first, "--state-out", second,
                       mentions="--state-out")

    def test_case_57_an_output_that_is_the_state_is_refused(self):
        os.symlink("state.json", self.path("link"))
        os.link(self.path("state.json"), self.path("hard"))
        for name in ("state.json", "./state.json", "link", "hard"):
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", name, mentions="--state")
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", name,
                       mentions="--state")
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", name, "--mode", "test",
                       mentions="--state")
            self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", name,
                       mentions="--state")

    def test_case_58_a_missing_output_directory_is_an_error_before_computing(self):
        # The NaN would be found by computing, and is exit code 3.
        self.x[0, 0, 0] = np.nan
        self.save("x.npy", self.x)
        for arguments in (["-o", "no/y.npy"], ["-o", "y.npy", "--cache", "no/c.json"],
                          ["-o", "y.npy", "--state-out", "no/s.json"], ["-o", "x.npy/y.npy"]):
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", *arguments)
        self.fails(SYSTEM, "init", "--channels", 3, "-o", "no/state.json", mentions="no/state.json")
        self.fails(SYSTEM, "stats", "x.npy", "-o", "no/part.json", mentions="no/part.json")

    def test_case_58_a_read_only_output_directory_is_an_error_before_computing(self):
        self.x[0, 0, 0] = np.nan
        self.save("x.npy", self.x)
        os.mkdir(self.path("locked"))
        prefix, program = self.as_ordinary_user()
        os.chmod(self.path("locked"), 0o555)
        for arguments in (["-o", "locked/y.npy"], ["-o", "y.npy", "--cache", "locked/c.json"],
                          ["-o", "y.npy", "--state-out", "locked/s.json"]):
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", *arguments, mentions="locked",
                       prefix=prefix, program=program)

    def test_case_58_an_unreadable_input_is_an_error_of_the_system(self):
        prefix, program = self.as_ordinary_user()
        for name in ("x.npy", "state.json"):
            os.chmod(self.path(name), 0o000)
            self.fails(SYSTEM, *self.FORWARD, mentions=[name, "Permission denied"], prefix=prefix, program=program)
            os.chmod(self.path(name), 0o644)

    def test_case_59_an_output_that_is_a_directory_is_an_error_of_the_system(self):
        os.mkdir(self.path("folder"))
        os.symlink("folder", self.path("link"))
        for name in ("folder", "folder/", "link", ".", "/", "folder/new/"):
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", name)
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", name)

    def test_case_60_a_new_file_has_the_mode_that_the_umask_leaves(self):
        for umask in (0o022, 0o027, 0o077, 0o000):
            self.forward("-o", "y.npy", "--cache", "cache.json", "--state-out", "new.json",
                         before=lambda: os.umask(umask))
            for name in ("y.npy", "cache.json", "new.json"):
                self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), 0o666 & ~umask)
                os.unlink(self.path(name))

    def test_case_60_a_replaced_file_keeps_its_mode(self):
        for mode in (0o600, 0o640, 0o664, 0o666, 0o755):
            self.write("y.npy", "old")
            for name in ("y.npy", "state.json"):
                os.chmod(self.path(name), mode)
            self.forward("-o", "y.npy", before=lambda: os.umask(0o077))
            for name in ("y.npy", "state.json"):
                self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), mode)

    def test_case_61_behind_symbolic_links_the_target_is_replaced_and_the_links_stay(self):
        os.mkdir(self.path("real"))
        os.rename(self.path("state.json"), self.path("real/state.json"))
        os.symlink("real", self.path("folder"))
        os.symlink("folder/state.json", self.path("second"))
        os.symlink(self.path("second"), self.path("first"))
        self.silent("forward", "x.npy", "--state", "first", "-o", "y.npy")
        self.assertEqual(self.read("real/state.json"), self.new_state)
        self.assertEqual(sorted(os.listdir(self.path("real"))), ["state.json"])
        self.assertEqual(os.readlink(self.path("first")), self.path("second"))
        self.assertEqual(os.readlink(self.path("second")), "folder/state.json")
        self.assertFalse(os.path.islink(self.path("real/state.json")))

    def test_case_61_an_output_through_a_dangling_link_creates_its_target(self):
        os.mkdir(self.path("real"))
        os.symlink("real/y.npy", self.path("link.npy"))
        self.forward("-o", "link.npy")
        self.assertEqual(self.read("real/y.npy"), self.y)
        self.assertTrue(os.path.islink(self.path("link.npy")))

    def test_case_62_a_loop_of_symbolic_links_is_an_error_of_the_system(self):
        os.symlink("b", self.path("a"))
        os.symlink("a", self.path("b"))
        self.fails(SYSTEM, "forward", "x.npy", "--state", "a", "-o", "y.npy", mentions="a: ")
        self.fails(SYSTEM, "forward", "a", "--state", "state.json", "-o", "y.npy", mentions="a: ")
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "a", mentions="a: ")
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "b")


class SpaceTest(FilesTest):
    def test_case_63_a_full_file_system_at_any_size_changes_nothing(self):
        inside = Namespace(self, 'mount -t tmpfs -o size=1m bn "$1"')
        x = self.random.normal(0, 1, (400, 3, 30)).astype("float32")
        with open(inside.root + "/x.npy", "wb") as file:
            file.write(saved(x))
        with open(inside.root + "/state.json", "wb") as file:
            file.write(self.old_state)
        forward = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json"]
        with open(inside.root + "/fill", "wb") as fill:
            seen = set()
            for pages in range(0, 50):
                os.truncate(inside.root + "/fill", 0)
                status = os.statvfs(inside.root)
                os.posix_fallocate(fill.fileno(), 0, (status.f_bavail - pages) * status.f_frsize)
                before = snapshot(inside.root)
                run = self.bn(*forward, prefix=inside.prefix)
                seen.add(run.returncode)
                self.assertIn(run.returncode, (DONE, SYSTEM), run.stderr)
                if run.returncode == SYSTEM:
                    self.assertEqual(len(run.lines()), 1, run.stderr)
                    self.assertIn("No space left", run.stderr)
                    self.assertEqual(snapshot(inside.root), before)
                else:
                    for name in ("y.npy", "cache.json"):
                        os.unlink(inside.root + "/" + name)
                    with open(inside.root + "/state.json", "wb") as file:
                        file.write(self.old_state)
            self.assertEqual(seen, {DONE, SYSTEM})

    def test_case_63_a_file_system_without_room_for_a_spooled_stream_changes_nothing(self):
        inside = Namespace(self, 'mount -t tmpfs -o size=1m bn "$1"')
        with open(inside.root + "/state.json", "wb") as file:
            file.write(self.old_state)
        x = saved(self.random.normal(0, 1, (60000, 3)))
        before = snapshot(inside.root)
        run = self.bn("forward", "-", "--state", "state.json", "-o", "-", "--quiet", prefix=inside.prefix, stdin=x,
                      env={"TMPDIR": self.dir})
        self.assertEqual((run.returncode, run.stdout), (SYSTEM, b""), run.stderr)
        self.assertEqual(len(run.lines()), 1)
        self.assertEqual(snapshot(inside.root), before)

    def test_case_64_a_limit_on_the_size_of_files_is_an_error_and_no_signal(self):
        sizes = sorted({0, 1, 64, 100, 127, 128, 129, 200, len(self.y) - 1, len(self.y), len(self.new_state) - 1,
                        len(self.new_state), 2000, 4000, 100000})
        seen = set()
        for size in sizes:
            before = self.snapshot()
            run = self.bn(*self.FORWARD, "--cache", "cache.json", limits=[(resource.RLIMIT_FSIZE, size)])
            seen.add(run.returncode)
            if run.returncode == DONE:
                self.assertEqual(self.read("y.npy"), self.y)
                self.assertEqual(self.read("state.json"), self.new_state)
                self.reset()
            else:
                self.check_failure(run, SYSTEM, before, "File too large")
        self.assertEqual(seen, {DONE, SYSTEM})


class DevicesTest(FilesTest):
    def device(self, name, minor):
        """A character device of our own, so that nobody's /dev is at stake."""
        if os.geteuid() != 0:
            return "/dev/" + name
        path = self.path(name)
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            with open(path, "wb"):
                pass
        except OSError as error:
            self.skip("no device can be made here: %s" % error)
        return path

    def test_case_65_a_full_device_is_an_error_of_the_system(self):
        full = self.device("full", 7)
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", full, mentions=["full", "No space left"])
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", full)
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", full)
        self.fails(SYSTEM, "init", "--channels", 3, "-o", full, "--force")
        with open(full, "wb") as stdout:
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "-", stdout=stdout,
                       mentions="standard output")

    def test_case_65_the_null_device_takes_everything_and_stays_a_device(self):
        null = self.device("null", 3)
        self.forward("-o", null)
        self.assertTrue(stat.S_ISCHR(os.stat(null).st_mode))
        self.assertEqual(self.read("state.json"), self.new_state)

    def test_case_65_the_null_device_is_not_an_array(self):
        self.fails(BAD_INPUT, "forward", "/dev/null", "--state", "state.json", "-o", "y.npy", mentions="/dev/null")
        self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "y.npy", stdin=subprocess.DEVNULL)

    def test_case_66_named_pipes_work_as_input_and_output(self):
        for mode in ("train", "test"):
            self.ok("forward", "x.npy", "--state", "state.json", "-o", "want.npy", "--no-update", "--mode", mode)
            os.mkfifo(self.path("in"))
            os.mkfifo(self.path("out"))
            received = []
            feeder = threading.Thread(target=lambda: self.write("in", saved(self.x)))
            reader = threading.Thread(target=lambda: received.append(self.read("out")))
            feeder.start()
            reader.start()
            self.silent("forward", "in", "--state", "state.json", "-o", "out", "--no-update", "--mode", mode)
            feeder.join()
            reader.join()
            self.assertEqual(received, [self.read("want.npy")])
            for name in ("in", "out"):
                self.assertTrue(stat.S_ISFIFO(os.stat(self.path(name)).st_mode))
                os.unlink(self.path(name))

    def test_case_66_dev_stdout_and_dev_stdin_work(self):
        run = self.forward("-o", "/dev/stdout", "--no-update")
        self.assertEqual(run.stdout, self.y)
        run = self.silent("forward", "/dev/stdin", "--state", "state.json", "-o", "/dev/fd/1", "--no-update",
                          stdin=saved(self.x))
        self.assertEqual(run.stdout, self.y)

    def test_case_66_dev_stdout_redirected_to_a_file_gets_the_bytes_in_place(self):
        for name in ("-", "/dev/stdout"):
            with open(self.path("log"), "wb") as stdout:
                stdout.write(b"before ")
                stdout.flush()
                inode = os.fstat(stdout.fileno()).st_ino
                self.silent("forward", "x.npy", "--state", "state.json", "-o", name, "--no-update", stdout=stdout)
                stdout.write(b" after")
            self.assertEqual(self.read("log"), b"before " + self.y + b" after")
            self.assertEqual(os.stat(self.path("log")).st_ino, inode)


class ChangingInputTest(FilesTest):
    def test_case_67_an_input_truncated_while_it_is_read_is_an_error_and_no_signal(self):
        self.run_while("SHIM_TRUNCATE", lambda: self.save("x.npy", self.x))

    def test_case_67_an_input_that_grows_while_it_is_read_is_an_error(self):
        self.run_while("SHIM_GROW", lambda: self.save("x.npy", self.x))

    def test_case_67_any_input_that_is_rewritten_while_it_is_read_is_an_error(self):
        """Its size stays, its time does not; a command that has opened it anew since may take it."""
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--cache", "cache.json")
        self.save("gamma.npy", np.ones(3))
        backward = ["backward", "dy.npy", "--x", "x.npy", "--dx", "new.npy"]
        for command, name in ((["forward", "x.npy", "--state", "state.json", "-o", "new.npy", "--no-update"], "x.npy"),
                              (["forward", "x.npy", "--state", "state.json", "-o", "new.npy", "--mode", "test"], "x.npy"),
                              ([*backward, "--state", "state.json"], "dy.npy"), ([*backward, "--state", "state.json"], "x.npy"),
                              ([*backward, "--cache", "cache.json"], "dy.npy"),
                              (["stats", "dy.npy", "x.npy", "-o", "new.json"], "dy.npy"),
                              (["stats", "dy.npy", "x.npy", "-o", "new.json"], "x.npy"),
                              (["calibrate", "dy.npy", "x.npy", "--state", "state.json"], "x.npy"),
                              (["init", "--gamma", "gamma.npy", "-o", "new.json"], "gamma.npy")):
            with self.subTest(command=command, name=name):
                refused = 0
                old = self.read(name)
                for at in range(1, 20):
                    before = self.snapshot()
                    run = self.bn(*command, env=self.preload(SHIM_REWRITE=self.path(name), SHIM_AT=at))
                    if self.read(name) == old:
                        self.assertEqual(run.returncode, DONE, run.stderr)
                        break
                    self.write(name, old)
                    if run.returncode == DONE:
                        self.remove_new()
                        continue
                    refused += 1
                    self.assertEqual(run.returncode, SYSTEM)
                    self.assertEqual(run.stderr, "bn: %s: was changed while it was read; run again when nothing writes to it\n" % name)
                    self.assertEqual(self.snapshot(), before)
                self.remove_new()
                self.assertGreaterEqual(refused, 1)

    def remove_new(self):
        for name in ("new.npy", "new.json"):
            if self.exists(name):
                os.unlink(self.path(name))
        self.write("state.json", self.old_state)

    def run_while(self, event, make):
        """The event at every read of x, forward and backward, small and of several megabytes."""
        for shape in ((16, 3, 5), (40, 3, 100, 100)):
            self.x = self.random.normal(0, 1, shape).astype("float32")
            make()
            self.save("dy.npy", self.x)
            failures = 0
            for command in (self.FORWARD, ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "y.npy"]):
                for at in list(range(1, 10)) + [20, 50]:
                    make()
                    before = self.snapshot()
                    run = self.bn(*command, "--threads", 1,
                                  env=self.preload(**{event: self.path("x.npy"), "SHIM_AT": at}))
                    after = self.snapshot()
                    before.pop(b"x.npy")
                    after.pop(b"x.npy")
                    if os.path.getsize(self.path("x.npy")) == len(saved(self.x)):
                        self.assertEqual(run.returncode, DONE, run.stderr)
                        self.write("state.json", self.old_state)
                        os.unlink(self.path("y.npy"))
                        break
                    failures += 1
                    # In the header or before it, what is left is a malformed file.
                    self.assertIn(run.returncode, (SYSTEM, BAD_INPUT), run.stderr)
                    self.assertEqual(len(run.lines()), 1, run.stderr)
                    self.assertIn("x.npy", run.stderr)
                    self.assertEqual(after, before)
            self.assertGreaterEqual(failures, 4)

    def test_case_67_the_exit_code_of_a_truncation_is_that_of_the_system(self):
        for at in (3, 4):
            self.x = self.random.normal(0, 1, (40, 3, 100, 100)).astype("float32")
            self.save("x.npy", self.x)
            run = self.bn(*self.FORWARD, "--threads", 1,
                          env=self.preload(SHIM_TRUNCATE=self.path("x.npy"), SHIM_AT=at))
            self.assertEqual(run.returncode, SYSTEM, run.stderr)


class SignalsTest(FilesTest):
    """Signals and kills; strace injects them at every system call of a run with one thread."""

    def traced(self, injection, *command):
        return self.bn(*command, "--threads", 1, prefix=["strace", "-f", "-qq", "-o", "/dev/null", "-e", injection])

    def calls(self, *command):
        """[(name, how often)] of the system calls of a run, which strace counts."""
        self.need_strace()
        log = os.path.join(tempfile.gettempdir(), os.path.basename(self.dir) + ".strace")
        self.addCleanup(lambda: os.path.exists(log) and os.unlink(log))
        run = self.bn(*command, "--threads", 1, prefix=["strace", "-f", "-qq", "-o", log])
        self.assertEqual(run.returncode, DONE, run.stderr)
        counts = {}
        with open(log) as file:
            for line in file:
                name = line.split(maxsplit=1)[1].split("(")[0]
                if name.isidentifier() and name not in ("exit_group", "execve"):
                    counts[name] = counts.get(name, 0) + 1
        return sorted(counts.items())

    WRITES = {"openat", "write", "pwrite64", "fallocate", "fsync", "fdatasync", "flock", "fchmod", "rename", "renameat",
              "renameat2", "close", "ftruncate", "newfstatat", "fstat", "unlinkat", "pread64", "read", "linkat"}

    def test_case_68_a_signal_at_any_time_leaves_no_temporary_and_a_state_old_or_new(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for name, count in self.calls(*self.FORWARD):
                if name not in self.WRITES:
                    continue
                for at in range(1, count + 1):
                    self.reset()
                    what = (number.name, name, at)
                    run = self.traced("inject=%s:signal=%s:when=%d" % (name, number.name, at), *self.FORWARD)
                    self.assertIn(run.returncode, (-number, DONE), (what, run.stderr))
                    self.assertLessEqual(set(os.listdir(self.dir)), {"x.npy", "dy.npy", "state.json", "y.npy"}, what)
                    self.assert_old_or_new(what)
                    if self.exists("y.npy"):
                        self.assertEqual(self.read("y.npy"), self.y)
                    if self.read("state.json") == self.new_state:
                        self.assertEqual(self.read("y.npy"), self.y)

    def test_case_68_a_signal_while_waiting_for_input_ends_the_program_by_that_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for mode in ("train", "test"):
                before = self.snapshot()
                process = subprocess.Popen([BN, "forward", "-", "--state", "state.json", "-o", "y.npy", "--mode", mode],
                                           stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.dir)
                process.stdin.write(saved(self.x)[:400])
                process.stdin.flush()
                time.sleep(0.1)
                process.send_signal(number)
                _, stderr = process.communicate(timeout=20)
                self.assertEqual(died_of(process.returncode), number.name)
                self.assertEqual(stderr, b"")
                self.assertEqual(self.snapshot(), before)

    def test_case_68_an_ignored_hangup_stays_ignored(self):
        process = subprocess.Popen([BN, "forward", "-", "--state", "state.json", "-o", "y.npy"], cwd=self.dir,
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        data = saved(self.x)
        process.stdin.write(data[:400])
        process.stdin.flush()
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        _, stderr = process.communicate(data[400:], timeout=20)
        self.assertEqual((process.returncode, stderr), (DONE, b""))
        self.assertEqual(self.read("y.npy"), self.y)

    def test_case_69_a_kill_at_every_system_call_leaves_a_whole_state_and_the_next_run_is_right(self):
        later = None
        for name, count in self.calls(*self.FORWARD):
            if name not in self.WRITES:
                continue
            for at in range(1, count + 1):
                self.reset()
                what = (name, at)
                run = self.traced("inject=%s:signal=KILL:when=%d" % (name, at), *self.FORWARD)
                self.assertEqual(run.returncode, -signal.SIGKILL, (what, run.stderr))
                self.assert_old_or_new(what)
                applied = self.read("state.json") == self.new_state
                if applied:
                    self.assertEqual(self.read("y.npy"), self.y, what)
                elif self.exists("y.npy"):
                    self.assertEqual(self.read("y.npy"), self.y, what)
                self.silent(*self.FORWARD)
                self.assertEqual(self.read("y.npy"), self.y, what)
                if applied:
                    later = later or self.read("state.json")
                    self.assertEqual(self.read("state.json"), later, what)
                else:
                    self.assertEqual(self.read("state.json"), self.new_state, what)


class NamesTest(FilesTest):
    def test_case_70_a_link_planted_at_the_temporarys_name_is_not_followed(self):
        self.write("victim", "precious")
        for count, named in ((1, 0), (3, 0), (1, 1), (3, 1)):
            before = self.snapshot()[b"victim"]
            run = self.bn(*self.FORWARD, env=self.preload(SHIM_PLANT=self.path("victim"), SHIM_AT=count,
                                                          SHIM_NO_TMPFILE=named))
            self.assertEqual(self.snapshot()[b"victim"], before)
            self.assertIn(run.returncode, (DONE, SYSTEM))
            if run.returncode == DONE:
                self.assertEqual(self.read("y.npy"), self.y)
                self.assertFalse(os.path.islink(self.path("y.npy")))
            else:
                self.assertEqual(self.read("state.json"), self.old_state)
            links = [name for name in os.listdir(self.dir) if os.path.islink(self.path(name))]
            self.assertEqual(len(links), count)
            for name in links:
                os.unlink(self.path(name))
            self.write("state.json", self.old_state)

    NAMES = [b"n" * 255, b"new\nline.npy", b"-o", b"--state", b"\xff\xfe not utf-8 \xe9.npy", b" ", "\u00e4\u00f6\u6279".encode(),
             b"back\\slash'quote\"", b"a,b", b"x=y", b"@file", b"#", b"$HOME", b"%s%n", b"{}"]

    def test_case_71_awkward_names_work_for_every_file(self):
        for name in self.NAMES:
            with self.subTest(name=name[:20]):
                argument = b"./" + name if name.startswith(b"-") else name
                self.write(name, saved(self.x))
                self.silent("forward", argument, "--state", "state.json", "-o", "y.npy", "--no-update")
                self.assertEqual(self.read("y.npy"), self.y)
                os.unlink(self.path(name))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", argument, "--no-update")
                self.assertEqual(self.read(name), self.y)
                os.unlink(self.path(name))
                self.write(name, self.old_state)
                self.silent("forward", "x.npy", "--state", argument, "-o", "y.npy")
                self.assertEqual(self.read(name), self.new_state)
                os.unlink(self.path(name))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--cache", argument)
                self.silent("backward", "dy.npy", "--x", "x.npy", "--cache", argument, "--dx", "dx.npy")
                os.unlink(self.path(name))

    def test_case_71_errors_about_awkward_names_are_one_line(self):
        for name in self.NAMES:
            argument = b"./" + name if name.startswith(b"-") else name
            self.fails(SYSTEM, "forward", argument, "--state", "state.json", "-o", "y.npy")
            self.fails(SYSTEM, "forward", "x.npy", "--state", argument, "-o", "y.npy")
            self.write(name, "no array")
            self.fails(BAD_INPUT, "forward", argument, "--state", "state.json", "-o", "y.npy")
            os.unlink(self.path(name))

    def test_case_71_a_leading_dash_works_after_two_dashes_and_behind_an_equals_sign(self):
        self.write("-x.npy", saved(self.x))
        self.silent("forward", "--state", "state.json", "-o", "y.npy", "--no-update", "--", "-x.npy")
        self.assertEqual(self.read("y.npy"), self.y)
        self.write("-dy.npy", self.read("dy.npy"))
        self.silent("backward", "--x=-x.npy", "--state", "state.json", "--dx=-dx.npy", "--", "-dy.npy")
        self.assertTrue(self.exists("-dx.npy"))

    def test_case_71_a_name_of_256_bytes_is_an_error_of_the_system(self):
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "n" * 256)
        self.fails(SYSTEM, "forward", "n" * 256, "--state", "state.json", "-o", "y.npy")

    def test_case_71_a_path_as_long_as_the_system_allows_works(self):
        folder = "/".join(["f" * 200] * 4)
        os.makedirs(self.path(folder))
        self.forward("-o", folder + "/" + "y" * 255, "--no-update")
        self.assertEqual(self.read(folder + "/" + "y" * 255), self.y)


if __name__ == "__main__":
    main()
