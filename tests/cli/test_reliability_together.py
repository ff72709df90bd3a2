"""Cases 72 to 77: many processes on the same files."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

import oracle
from harness import BN, BnTest, SYSTEM, main, saved

STATE = {"mode": "train", "momentum": 0.5, "gamma": [1.0, 2.0], "running_mean": [0.0, 0.5],
         "running_var": [1.0, 2.0], "num_batches_tracked": 0, "metadata": "kept"}

# Updates the state $2 times, each through its own process; one worker.
WORKER = 'for i in $(seq "$2"); do "$BN" forward x.npy --state "$1" -o "$3" --quiet || exit 9; done'

# Takes the lock of a file, says so, and keeps it.
HOLDER = ("import fcntl, os, sys, time\n"
          "fd = os.open(sys.argv[1], os.O_RDWR)\n"
          "fcntl.flock(fd, fcntl.LOCK_EX)\n"
          "print('locked', flush=True)\n"
          "time.sleep(600)\n")


class TogetherTest(BnTest):
    def setUp(self):
        super().setUp()
        self.x = self.random.normal(0, 1, (8, 2))
        self.save("x.npy", self.x)
        self.state(**STATE)

    def workers(self, count, updates, names=("state.json",)):
        return [subprocess.Popen(["bash", "-c", WORKER, "worker", names[i % len(names)], str(updates), "y%d.npy" % i],
                                 cwd=self.dir, env=dict(os.environ, BN=BN), stderr=subprocess.PIPE)
                for i in range(count)]

    def finish(self, processes):
        for process in processes:
            _, stderr = process.communicate(timeout=120)
            self.assertEqual((process.returncode, stderr), (0, b""))

    def holder(self, name="state.json"):
        process = subprocess.Popen([sys.executable, "-c", HOLDER, self.path(name)], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"locked\n")
        return process

    def expected(self, updates):
        """running_mean after so many equal batches."""
        batch = oracle.Statistics(self.x, 1).rounded("mean")
        mean = STATE["running_mean"]
        for k in range(updates):
            mean = oracle.updated(mean, batch, 0.5, "running", k + 1)
        return mean

    def test_case_72_sixteen_processes_with_fifty_updates_each_count_800(self):
        self.finish(self.workers(16, 50))
        after = self.json("state.json")
        self.assertEqual(after["num_batches_tracked"], 800)
        self.assertEqual(after["running_mean"], self.expected(800))
        self.assertEqual(after["metadata"], "kept")
        self.assertEqual(set(os.listdir(self.dir)), {"x.npy", "state.json"} | {"y%d.npy" % i for i in range(16)})

    def test_case_73_a_reader_meanwhile_always_parses_a_whole_state(self):
        processes = self.workers(4, 25)
        reads = last = 0
        while any(p.poll() is None for p in processes):
            state = self.json("state.json")
            self.assertEqual(set(state), set(STATE))
            self.assertGreaterEqual(state["num_batches_tracked"], last)
            last = state["num_batches_tracked"]
            reads += 1
        self.finish(processes)
        self.assertGreater(reads, 10)
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 100)

    def test_case_73_another_bn_meanwhile_always_reads_a_whole_state(self):
        processes = self.workers(3, 25)
        while any(p.poll() is None for p in processes):
            self.silent("forward", "x.npy", "--state", "state.json", "--mode", "test", "-o", "-", "--quiet")
        self.finish(processes)

    def test_case_74_the_real_path_and_a_link_mixed_lose_no_update(self):
        os.mkdir(self.path("folder"))
        os.symlink("../state.json", self.path("folder/link"))
        os.symlink("folder/link", self.path("second"))
        self.finish(self.workers(6, 25, ("state.json", "folder/link", "second", self.path("state.json"))))
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 150)
        self.assertTrue(os.path.islink(self.path("folder/link")))
        self.assertEqual(os.listdir(self.path("folder")), ["link"])

    def test_case_75_test_mode_works_with_a_read_only_state_in_a_read_only_directory(self):
        os.mkdir(self.path("model"))
        os.rename(self.path("state.json"), self.path("model/state.json"))
        prefix, program = self.as_ordinary_user()
        os.chmod(self.path("model/state.json"), 0o444)
        os.chmod(self.path("model"), 0o555)
        before = self.snapshot()
        self.ok("forward", "x.npy", "--state", "model/state.json", "-o", "y.npy", "--mode", "test", "--quiet",
                prefix=prefix, program=program)
        self.ok("forward", "x.npy", "--state", "model/state.json", "-o", "y.npy", "--no-update", prefix=prefix,
                program=program)
        self.ok("forward", "x.npy", "--state", "model/state.json", "-o", "y.npy", "--state-out", "new.json",
                prefix=prefix, program=program)
        after = self.snapshot()
        self.assertEqual({k: v for k, v in after.items() if k not in (b"y.npy", b"new.json")}, before)
        self.fails(SYSTEM, "forward", "x.npy", "--state", "model/state.json", "-o", "y.npy", "--mode", "train",
                   mentions="model", prefix=prefix, program=program)

    def test_case_75_test_mode_takes_no_lock(self):
        self.holder()
        for arguments in (["--mode", "test"], ["--no-update"], ["--state-out", "new.json"]):
            self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--lock-timeout", "0", "--quiet",
                    *arguments)
        self.ok("backward", "x.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy")

    def test_case_76_a_stopped_holder_of_the_lock_is_waited_for_until_the_timeout(self):
        holder = self.holder()
        os.kill(holder.pid, signal.SIGSTOP)
        for timeout in ("0", "0.3"):
            for command in (["forward", "x.npy", "-o", "y.npy"], ["calibrate", "x.npy"]):
                # Without the flag it would wait for a minute.
                self.fails(SYSTEM, *command, "--state", "state.json", "--lock-timeout", timeout, timeout=30,
                           mentions="state.json: is still locked by another process after %s s; run again later, or "
                                    "wait longer with --lock-timeout" % timeout)

    def test_case_76_when_the_holder_is_killed_the_next_one_goes_on_at_once(self):
        holder = self.holder()
        process = subprocess.Popen([BN, "forward", "x.npy", "--state", "state.json", "-o", "y.npy"], cwd=self.dir)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 0)
        holder.kill()
        killed = time.monotonic()
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertLess(time.monotonic() - killed, 5)
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 1)

    def test_case_76_a_state_replaced_while_waiting_for_the_lock_is_read_again(self):
        with open(self.path("state.json"), "rb") as old:
            fcntl.flock(old, fcntl.LOCK_EX)
            process = subprocess.Popen([BN, "forward", "x.npy", "--state", "state.json", "-o", "y.npy"], cwd=self.dir)
            time.sleep(0.3)
            self.write("other.json", json.dumps(dict(STATE, num_batches_tracked=41)))
            os.rename(self.path("other.json"), self.path("state.json"))
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 42)

    def test_case_76_a_state_with_another_gamma_by_then_is_refused(self):
        for change in ({"gamma": [1.0, 3.0]}, {"eps": 0.5}, {"momentum": 0.25}, {"running_var_estimator": "unbiased"},
                       {"beta": [1.0, 1.0]}):
            self.state(**STATE)
            with open(self.path("state.json"), "rb") as old:
                fcntl.flock(old, fcntl.LOCK_EX)
                process = subprocess.Popen([BN, "forward", "x.npy", "--state", "state.json", "-o", "y.npy"],
                                           cwd=self.dir, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
                time.sleep(0.2)
                self.write("other.json", json.dumps(dict(STATE, **change)))
                os.rename(self.path("other.json"), self.path("state.json"))
            stdout, stderr = process.communicate(timeout=30)
            self.assertEqual((process.returncode, stdout, stderr.count(b"\n")), (3, b"", 1), stderr)
            self.assertEqual(self.json("state.json"), dict(STATE, **change))
            self.assertEqual(set(os.listdir(self.dir)), {"x.npy", "state.json"})

    def test_case_77_four_processes_with_the_same_output_leave_exactly_one_of_theirs(self):
        want = []
        for i in range(4):
            self.save("x%d.npy" % i, self.random.normal(i, 1, (2000 + i, 2)))
            self.ok("forward", "x%d.npy" % i, "--state", "state.json", "-o", "y.npy", "--no-update")
            want.append(self.read("y.npy"))
        for _ in range(5):
            processes = [subprocess.Popen([BN, "forward", "x%d.npy" % i, "--state", "state.json", "-o", "y.npy",
                                           "--no-update"], cwd=self.dir, stderr=subprocess.PIPE) for i in range(4)]
            seen = []
            watcher = threading.Thread(target=lambda: seen.extend(self.read("y.npy") for _ in range(20)))
            watcher.start()
            self.finish(processes)
            watcher.join()
            self.assertIn(self.read("y.npy"), want)
            self.assertTrue(all(data in want for data in seen))
        self.assertEqual(set(os.listdir(self.dir)), {"state.json", "x.npy", "y.npy"} | {"x%d.npy" % i for i in range(4)})

    def test_updates_by_calibrate_and_forward_together_leave_a_whole_state(self):
        processes = self.workers(2, 20)
        while any(p.poll() is None for p in processes):
            self.ok("calibrate", "--state", "state.json", "x.npy", "--quiet")
        self.finish(processes)
        self.assertEqual(set(self.json("state.json")), set(STATE))

    def test_the_bytes_of_an_output_are_those_of_numpy_save_after_the_race(self):
        self.finish(self.workers(2, 3))
        self.assertEqual(self.read("y0.npy"), saved(np.load(self.path("y0.npy"))))


if __name__ == "__main__":
    main()
