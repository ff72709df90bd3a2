"""Every write-side system call fails once, at every position: nothing is lost, and the next run is right.

strace injects the errors; one thread, because it counts per thread.
"""

import os
import signal
import tempfile

from harness import BnTest, DONE, SYSTEM, main, snapshot

STATE = {"mode": "train", "gamma": [1.5, 0.5, -2.0], "beta": [0.25, 0.0, 1.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 3}

# What writes, or makes what is written last.
WRITE_SIDE = {"openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "fallocate", "fsync", "fdatasync",
              "sync_file_range", "flock", "fchmod", "fchown", "fchmodat", "ftruncate", "rename", "renameat", "renameat2",
              "link", "linkat", "unlink", "unlinkat", "close", "copy_file_range", "sendfile"}
READ_SIDE = {"read", "pread64", "readv", "preadv", "newfstatat", "fstat", "stat", "lstat", "statx", "lseek", "openat",
             "readlink", "readlinkat", "fcntl"}

FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json"]
BACKWARD = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy", "--dgamma", "dgamma.npy",
            "--dbeta", "dbeta.npy"]


class FaultsTest(BnTest):
    def setUp(self):
        super().setUp()
        self.need_strace()
        self.log = os.path.join(tempfile.gettempdir(), os.path.basename(self.dir) + ".strace")
        self.addCleanup(lambda: os.path.exists(self.log) and os.unlink(self.log))
        self.inputs = {}
        self.env = None
        x = self.random.normal(0, 1, (16, 3, 5))
        self.save("x.npy", x)
        self.save("dy.npy", self.random.normal(0, 1, x.shape))
        self.state(**STATE)
        self.inputs = {name: self.read(name) for name in os.listdir(self.dir)}

    def results(self):
        return {name: self.read(name) for name in os.listdir(self.dir)}

    def reset(self):
        for name in os.listdir(self.dir):
            os.unlink(self.path(name))
        for name, data in self.inputs.items():
            self.write(name, data)

    def traced(self, command, *options):
        return self.bn(*command, "--threads", 1, prefix=["strace", "-f", "-qq", "-o", self.log, *options], env=self.env)

    def positions(self, command, names):
        """[(system call, position)] of one whole run, leaving out what the dynamic loader does."""
        run = self.traced(command)
        self.assertEqual(run.returncode, DONE, run.stderr)
        counts, found, loading = {}, [], True
        with open(self.log) as file:
            for line in file:
                call = line.split(maxsplit=1)[1]
                name = call.split("(")[0]
                if not name.isidentifier():
                    continue
                counts[name] = counts.get(name, 0) + 1
                if loading and ("state.json" in call or "x.npy" in call) and name != "execve":
                    loading = False
                if not loading and name in names:
                    found.append((name, counts[name]))
        self.assertTrue(found)
        return found

    def sweep(self, command, names, error):
        self.reset()
        positions = self.positions(command, names)
        right = self.results()
        old = self.inputs
        failures = 0
        for name, at in positions:
            what = (name, at, error)
            self.reset()
            before = snapshot(self.dir)
            run = self.traced(command, "-e", "inject=%s:error=%s:when=%d" % (name, error, at))
            self.assertIn(run.returncode, (DONE, SYSTEM), (what, run.stderr))
            after = snapshot(self.dir)
            if run.returncode == DONE:
                self.assertEqual(self.results(), right, what)
            else:
                failures += 1
                self.assertEqual(len(run.lines()), 1, (what, run.stderr))
                self.assertTrue(run.stderr.startswith("bn: "), (what, run.stderr))
                self.assertEqual(run.stdout, b"")
                # After the first rename an output may be in its place; the state is the old one then.
                committed = {n for n in os.listdir(self.dir) if n not in old}
                self.assertLessEqual(committed, set(right), what)
                if self.only_before_commit(name):
                    self.assertEqual(after, before, what)
                for file in committed:
                    self.assertEqual(self.read(file), right[file], what)
                for file in old:
                    self.assertIn(self.read(file), (old[file], right[file]), what)
                if self.read("state.json") != old["state.json"]:
                    self.assertEqual(committed, set(right) - set(old), what)
                    continue
            if run.returncode != DONE:
                self.silent(*command)
                self.assertEqual(self.results(), right, what)
        return failures, len(positions)

    @staticmethod
    def only_before_commit(name):
        """Calls that never happen once the first output has got its name."""
        return name in {"write", "pwrite64", "fallocate", "flock", "fchmod", "ftruncate"}


class ErrorsTest(FaultsTest):
    def test_every_write_of_forward_train_survives_a_full_disk(self):
        failures, _ = self.sweep(FORWARD, WRITE_SIDE, "ENOSPC")
        self.assertGreater(failures, 5)

    def test_every_write_of_forward_train_survives_an_input_output_error(self):
        failures, _ = self.sweep(FORWARD, WRITE_SIDE, "EIO")
        self.assertGreater(failures, 5)

    def test_every_write_of_backward_survives_a_full_disk(self):
        failures, _ = self.sweep(BACKWARD, WRITE_SIDE, "ENOSPC")
        self.assertGreater(failures, 5)

    def test_every_write_of_backward_survives_an_input_output_error(self):
        failures, _ = self.sweep(BACKWARD, WRITE_SIDE, "EIO")
        self.assertGreater(failures, 5)

    def test_every_sync_of_outputs_survives_an_input_output_error(self):
        for command in (FORWARD, BACKWARD):
            failures, positions = self.sweep([*command, "--fsync"], {"fsync"}, "EIO")
            self.assertEqual(failures, positions)  # none is ignored

    def test_every_write_survives_where_outputs_have_names_from_the_start(self):
        self.env = self.preload(SHIM_NO_TMPFILE=1)
        for command in (FORWARD, BACKWARD):
            failures, _ = self.sweep(command, WRITE_SIDE, "ENOSPC")
            self.assertGreater(failures, 5)

    def test_every_read_survives_an_input_output_error(self):
        for command in (FORWARD, BACKWARD):
            failures, _ = self.sweep(command, READ_SIDE, "EIO")
            self.assertGreater(failures, 2)

    def test_every_write_survives_a_lack_of_descriptors(self):
        for command in (FORWARD, BACKWARD):
            self.sweep(command, {"openat", "open"}, "EMFILE")

    def test_interrupted_calls_are_made_again(self):
        interruptible = {"openat", "read", "pread64", "write", "pwrite64", "fallocate", "fsync", "fdatasync", "flock",
                         "ftruncate"}
        for command in (FORWARD, BACKWARD):
            failures, positions = self.sweep(command, interruptible, "EINTR")
            self.assertEqual(failures, 0)
            self.assertGreater(positions, 10)

    def test_an_interrupted_close_loses_nothing(self):
        for command in (FORWARD, BACKWARD):
            self.sweep(command, {"close"}, "EINTR")


class KillTest(FaultsTest):
    def kill_everywhere(self, command):
        self.reset()
        positions = self.positions(command, WRITE_SIDE)
        right = self.results()
        for name, at in positions:
            what = (name, at)
            self.reset()
            run = self.traced(command, "-e", "inject=%s:signal=KILL:when=%d" % (name, at))
            self.assertEqual(run.returncode, -signal.SIGKILL, (what, run.stderr))
            self.assertIn(self.read("state.json"), (self.inputs["state.json"], right["state.json"]), what)
            applied = self.read("state.json") == right["state.json"] != self.inputs["state.json"]
            for file in set(right) - set(self.inputs):
                if self.exists(file):
                    self.assertEqual(self.read(file), right[file], what)
                else:
                    self.assertFalse(applied, what)
            if not applied:
                self.silent(*command)
                self.assertEqual({n: self.read(n) for n in right}, right, what)

    def test_a_kill_at_every_write_of_forward_train_leaves_the_state_old_or_new(self):
        self.kill_everywhere(FORWARD)

    def test_a_kill_where_outputs_have_names_from_the_start_leaves_the_state_old_or_new(self):
        self.env = self.preload(SHIM_NO_TMPFILE=1)
        self.kill_everywhere(FORWARD)

    def test_a_kill_at_every_write_of_backward_leaves_whole_files(self):
        self.kill_everywhere(BACKWARD)

    def test_a_kill_at_every_write_of_calibrate_leaves_the_state_old_or_new(self):
        self.kill_everywhere(["calibrate", "--state", "state.json", "x.npy"])


if __name__ == "__main__":
    main()
