"""Cases 78 to 88: too little memory, no threads, and every kind of pipe."""

import errno
import fcntl
import os
import re
import resource
import signal
import subprocess
import threading
import time

from harness import (BAD_INPUT, BN, BnTest, DONE, SYSTEM, USAGE, died_of, loaded, main, saved)
from namespaces import Namespace

STATE = {"mode": "train", "gamma": [1.5, 0.5, -2.0], "beta": [0.25, 0.0, 1.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 3}


class ResourcesTest(BnTest):
    SHAPE = (16, 3, 5)

    def setUp(self):
        super().setUp()
        self.use(self.SHAPE)

    def use(self, shape):
        self.x = self.random.normal(0, 1, shape).astype("float32")
        self.save("x.npy", self.x)
        self.save("dy.npy", self.random.normal(0, 1, shape).astype("float32"))
        self.state(**STATE)
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        self.y, self.new_state, self.old_state = self.read("y.npy"), self.read("new.json"), self.read("state.json")
        os.unlink(self.path("y.npy"))
        os.unlink(self.path("new.json"))

    FORWARD = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy"]

    def test_case_78_little_address_space_is_an_error_of_the_system_or_enough(self):
        self.need_no_sanitizer("it reserves terabytes of address space")
        self.use((64, 3, 100, 100))
        seen = set()
        for megabytes in [*range(8, 40, 2), *range(40, 200, 16), 512, 4096]:
            limits = [(resource.RLIMIT_AS, megabytes << 20)]
            if self.bn("--version", limits=limits).returncode != DONE:
                continue  # not even the dynamic loader has enough
            for command in (self.FORWARD, ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx",
                                           "y.npy"]):
                before = self.snapshot()
                run = self.bn(*command, limits=limits)
                seen.add(run.returncode)
                if run.returncode == DONE:
                    if command is self.FORWARD:
                        self.assertEqual(self.read("y.npy"), self.y)
                    os.unlink(self.path("y.npy"))
                    self.write("state.json", self.old_state)
                else:
                    self.check_failure(run, SYSTEM, before, "memory", what=megabytes)
        self.assertIn(DONE, seen)

    def test_case_78_a_state_that_needs_more_memory_than_there_is_is_an_error_of_the_system(self):
        self.need_no_sanitizer("it reserves terabytes of address space")
        self.write("state.json", '{"mode": "train", "gamma": [%s]}' % ", ".join(["1.5"] * 4000000))
        self.fails(SYSTEM, *self.FORWARD, mentions="memory", limits=[(resource.RLIMIT_AS, 64 << 20)])

    def test_case_78_memory_that_suffices_for_the_values_but_not_for_their_text_is_an_error_of_the_system(self):
        self.need_no_sanitizer("it reserves terabytes of address space")
        # The values of a million channels are 32 MB, and their text 20 MB in a buffer that doubles.
        said = {self.fails(SYSTEM, "init", "--channels", 10 ** 6, "-o", "new.json", mentions="out of memory",
                           limits=[(resource.RLIMIT_AS, megabytes << 20)]) for megabytes in range(32, 72, 8)}
        self.assertIn("bn: out of memory\n", said)  # the others name the channels

    def test_case_79_when_threads_cannot_start_fewer_do_the_work(self):
        self.use((64, 3, 100, 100))
        for threads in ("1", "2", "8"):
            self.write("state.json", self.old_state)
            self.silent(*self.FORWARD, "--threads", threads, env=self.preload(SHIM_NO_THREADS=1))
            self.assertEqual(self.read("y.npy"), self.y)
            self.assertEqual(self.read("state.json"), self.new_state)

    def test_case_79_a_limit_on_processes_only_costs_threads(self):
        self.need_no_sanitizer("its search for leaks needs a process of its own")
        self.use((64, 3, 100, 100))
        prefix, program = self.as_ordinary_user()
        self.ok(*self.FORWARD, "--threads", 8, prefix=["prlimit", "--nproc=1", *prefix], program=program)
        self.assertEqual(self.read("y.npy"), self.y)

    def test_case_80_senseless_numbers_of_threads_are_usage_errors(self):
        for value in ("0", "-1", "1e9", "abc", "", "1.5", "0x2", "99999999999999999999", "1000000000", "nan", " 2"):
            self.fails(USAGE, *self.FORWARD, "--threads=" + value, mentions="--threads")

    def test_case_81_without_proc_everything_works(self):
        self.need_no_sanitizer("its search for leaks reads /proc")
        inside = Namespace(self, 'mount -t tmpfs none /proc')
        run = self.bn(*self.FORWARD, "--cache", "cache.json", prefix=inside.prefix)
        self.assertEqual((run.returncode, run.stderr), (DONE, ""))
        self.assertEqual(self.read("y.npy"), self.y)
        self.assertEqual(self.read("state.json"), self.new_state)
        run = self.bn("forward", "-", "--state", "state.json", "-o", "-", "--mode", "test", prefix=inside.prefix,
                      stdin=saved(self.x))
        self.assertEqual(run.returncode, DONE, run.stderr)
        self.assertEqual(loaded(run.stdout).shape, self.x.shape)

    def test_case_82_a_reader_that_goes_away_ends_the_program_quietly_and_the_state_stays(self):
        self.use((64, 3, 100, 100))
        for mode in ("train", "test"):
            for source in ("x.npy", "-"):
                before = self.snapshot()
                script = '"$BN" forward %s --state state.json -o - --mode %s < x.npy | head -c1; exit ${PIPESTATUS[0]}'
                run = self.run_program(["bash", "-c", script % (source, mode)], env={"BN": BN})
                self.assertEqual((run.returncode, run.stdout, run.stderr), (128 + signal.SIGPIPE, b"\x93", ""))
                self.assertEqual(self.snapshot(), before)

    def test_case_82_with_sigpipe_ignored_a_closed_pipe_is_an_error_of_the_system(self):
        self.use((64, 3, 100, 100))
        read_end, write_end = os.pipe()
        os.close(read_end)
        self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "-", stdout=write_end,
                   mentions=["standard output", "Broken pipe"],
                   before=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        os.close(write_end)

    def test_case_83_a_closed_standard_output_is_an_error_of_the_system(self):
        for mode in ("train", "test"):
            self.fails(SYSTEM, "forward", "x.npy", "--state", "state.json", "-o", "-", "--mode", mode,
                       before=lambda: os.close(1), mentions="standard output")

    def test_case_83_data_never_land_in_another_file_through_a_closed_descriptor(self):
        for closed in ((0,), (1,), (2,), (0, 1), (0, 1, 2)):
            self.write("state.json", self.old_state)

            def close():
                for descriptor in closed:
                    os.close(descriptor)

            run = self.bn(*self.FORWARD, "--cache", "cache.json", "--verbose", before=close)
            self.assertEqual(run.returncode, DONE, (closed, run.stderr))
            self.assertEqual(self.read("y.npy"), self.y, closed)
            self.assertEqual(self.read("state.json"), self.new_state, closed)
            self.json("cache.json")
            # An error message has nowhere to go, and must not go into a file either.
            before = self.snapshot()
            run = self.bn("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--axis", "7", before=close)
            self.assertEqual(run.returncode, BAD_INPUT)
            self.assertEqual(self.snapshot(), before)

    def test_case_83_a_closed_standard_input_is_an_error_of_the_system(self):
        self.fails(SYSTEM, "forward", "-", "--state", "state.json", "-o", "y.npy", before=lambda: os.close(0),
                   mentions="standard input")

    def feed(self, pieces, arguments, nonblocking=False, pause=0.0):
        """Runs bn with standard input a pipe that gets these pieces, one write each."""
        read_end, write_end = os.pipe()
        if nonblocking:
            fcntl.fcntl(read_end, fcntl.F_SETFL, fcntl.fcntl(read_end, fcntl.F_GETFL) | os.O_NONBLOCK)
        process = subprocess.Popen([BN, *arguments], cwd=self.dir, stdin=read_end, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        os.close(read_end)

        def write():
            with os.fdopen(write_end, "wb", buffering=0) as pipe:
                for piece in pieces:
                    pipe.write(piece)
                    if pause:
                        time.sleep(pause)

        writer = threading.Thread(target=write)
        writer.start()
        stdout, stderr = process.communicate(timeout=60)
        writer.join()
        self.assertEqual((process.returncode, stderr), (DONE, b""))
        return stdout

    def test_case_84_standard_input_one_byte_at_a_time_gives_the_same_bits(self):
        data = saved(self.x)
        for mode in ("train", "test"):
            self.ok("forward", "x.npy", "--state", "state.json", "-o", "want.npy", "--no-update", "--mode", mode)
            arguments = ["forward", "-", "--state", "state.json", "-o", "-", "--no-update", "--mode", mode]
            want = self.read("want.npy")
            self.assertEqual(self.feed([data[i:i + 1] for i in range(len(data))], arguments), want)
            self.assertEqual(self.feed([data[i:i + 97] for i in range(0, len(data), 97)], arguments, True, 0.01), want)
            self.assertEqual(self.feed([data[:5], data[5:130], data[130:]], arguments, True, 0.1), want)

    def test_case_84_short_reads_and_writes_give_the_same_bits(self):
        for size in (1, 7, 1000):
            self.write("state.json", self.old_state)
            env = self.preload(SHIM_SHORT=size)
            self.silent(*self.FORWARD, "--cache", "cache.json", env=env)
            self.assertEqual(self.read("y.npy"), self.y)
            self.assertEqual(self.read("state.json"), self.new_state)
            run = self.silent("forward", "-", "--state", "state.json", "-o", "-", "--no-update", stdin=saved(self.x), env=env)
            self.assertEqual(run.stdout, self.y)
            self.silent("backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "dx.npy", env=env)
            want = self.read("dx.npy")
            self.silent("backward", "-", "--x", "x.npy", "--cache", "cache.json", "--dx", "-", stdin=self.read("dy.npy"))
            self.assertEqual(self.read("dx.npy"), want)

    def test_case_84_standard_output_that_does_not_block_gets_everything(self):
        self.use((64, 3, 100, 100))
        for mode in ("train", "test"):
            self.ok("forward", "x.npy", "--state", "state.json", "-o", "want.npy", "--no-update", "--mode", mode)
            read_end, write_end = os.pipe()
            fcntl.fcntl(write_end, fcntl.F_SETFL, fcntl.fcntl(write_end, fcntl.F_GETFL) | os.O_NONBLOCK)
            process = subprocess.Popen([BN, "forward", "x.npy", "--state", "state.json", "-o", "-", "--no-update",
                                        "--mode", mode], cwd=self.dir, stdout=write_end, stderr=subprocess.PIPE)
            os.close(write_end)
            time.sleep(0.2)
            with os.fdopen(read_end, "rb") as pipe:
                data = pipe.read()
            self.assertEqual((process.wait(timeout=30), process.stderr.read()), (DONE, b""))
            process.stderr.close()
            self.assertEqual(data, self.read("want.npy"))

    def test_case_84_standard_input_may_be_a_file_at_any_offset(self):
        self.write("both.npy", b"leading" + saved(self.x))
        with open(self.path("both.npy"), "rb", buffering=0) as file:
            file.seek(7)
            run = self.silent("forward", "-", "--state", "state.json", "-o", "-", "--no-update", stdin=file)
        self.assertEqual(run.stdout, self.y)

    def test_case_84_arrays_larger_than_a_pipe_come_through_whole(self):
        self.use((64, 3, 100, 100))
        run = self.silent("forward", "-", "--state", "state.json", "-o", "-", stdin=saved(self.x))
        self.assertEqual(run.stdout, self.y)
        self.assertEqual(self.read("state.json"), self.new_state)

    def test_case_63_room_can_be_reserved_or_not(self):
        for error in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            self.write("state.json", self.old_state)
            self.silent(*self.FORWARD, env=self.preload(SHIM_FALLOCATE=error))
            self.assertEqual(self.read("y.npy"), self.y)
        os.unlink(self.path("y.npy"))
        self.fails(SYSTEM, *self.FORWARD, env=self.preload(SHIM_FALLOCATE=errno.ENOSPC),
                   mentions="y.npy: cannot reserve")

    def test_case_85_a_producer_that_dies_amid_the_array_is_refused(self):
        data = saved(self.x)
        for size in (0, 5, 64, 127, 128, 129, 500, len(data) - 1):
            for mode in ("train", "test"):
                message = self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "y.npy", "--mode", mode,
                                     stdin=data[:size], mentions="standard input")
                if size >= 128:
                    expected, got = map(int, re.search(r"expected (\d+) bytes, got (\d+)", message).groups())
                    self.assertEqual(expected - got, len(data) - size)

    def test_case_85_a_large_array_cut_short_in_train_mode_leaves_standard_output_empty(self):
        self.use((64, 3, 100, 100))
        self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "-", stdin=saved(self.x)[:-1],
                   mentions="standard input")

    def test_case_86_help_into_a_full_device_is_an_error_of_the_system(self):
        for arguments in (["--help"], ["forward", "--help"], ["--version"]):
            with open("/dev/full", "wb") as stdout:
                self.fails(SYSTEM, *arguments, stdout=stdout, mentions="standard output")

    def test_case_86_help_into_a_closed_standard_output_is_an_error_of_the_system(self):
        self.fails(SYSTEM, "--help", before=lambda: os.close(1))

    def test_case_87_x_and_dy_both_from_standard_input_are_a_usage_error(self):
        self.fails(USAGE, "backward", "-", "--x", "-", "--state", "state.json", "--dx", "dx.npy", mentions="standard input",
                   stdin=saved(self.x))
        self.fails(USAGE, "stats", "-", "-", "-o", "part.json", stdin=saved(self.x), mentions="standard input")

    def test_case_88_a_terminal_as_standard_input_does_not_hang(self):
        terminal = self.terminal()
        for arguments in (["forward", "-", "--state", "state.json", "-o", "y.npy"],
                          ["backward", "dy.npy", "--x", "-", "--state", "state.json", "--dx", "dx.npy"],
                          ["stats", "-", "-o", "part.json"]):
            before = self.snapshot()
            run = self.bn(*arguments, stdin=terminal, timeout=20)
            self.assertIn(run.returncode, (USAGE, SYSTEM))
            self.check_failure(run, run.returncode, before, ["standard input", "terminal"])

    def test_case_88_a_directory_as_standard_input_does_not_hang(self):
        descriptor = os.open(self.dir, os.O_RDONLY)
        try:
            before = self.snapshot()
            run = self.bn("forward", "-", "--state", "state.json", "-o", "y.npy", stdin=descriptor, timeout=20)
            self.assertIn(run.returncode, (USAGE, SYSTEM))
            self.check_failure(run, run.returncode, before, ["standard input", "directory"])
        finally:
            os.close(descriptor)

    def test_progress_and_verbose_output_never_reach_standard_output(self):
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "-", "--verbose")
        self.assertEqual(run.stdout, self.y)
        self.assertIsNone(died_of(run.returncode))


if __name__ == "__main__":
    main()
