"""An array of any size passes through little memory: 64 MiB, and 4 KiB for each channel and thread.

The limit is on private writable memory (RLIMIT_DATA), which the stacks of threads count to; the
arrays are four times as large, and mostly holes on disk.
"""

import os
import resource
import subprocess

import numpy as np

from harness import BnTest, DIFFERS, DONE, header_of, main

MIB = 1 << 20
BYTES = 256 * MIB
THREADS = 2
STACK = 8 * MIB


class Memory(BnTest):

    def setUp(self):
        super().setUp()
        self.need_no_sanitizer("its shadow is private memory, too")
        self.need_space(5 * BYTES)

    def large(self, name, shape, dtype="<f4"):
        """A file of zeros but for its beginning and its end."""
        header = header_of(np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, [0] * len(shape)))
        text = header.replace("True", "False").ljust(117).encode() + b"\n"
        values = np.arange(1, 4097, dtype=dtype)
        size = int(np.prod(shape)) * values.itemsize
        with open(self.path(name), "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
            start = file.tell()
            file.write(values.tobytes())
            file.truncate(start + size)
            file.seek(start + size - values.nbytes)
            file.write(values.tobytes())
        return name

    def limits(self, channels, threads=THREADS):
        return [(resource.RLIMIT_STACK, STACK),
                (resource.RLIMIT_DATA, 64 * MIB + (4096 * channels + STACK) * threads)]

    def check(self, shape, axis=1, dtype="<f4", threads=THREADS):
        channels = shape[axis]
        self.large("x.npy", shape, dtype)
        self.silent("init", "--channels", channels, "--running-var", 1, "-o", "state.json")
        common = {"limits": self.limits(channels, threads)}
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json",
                "--axis", axis, "--threads", threads, **common)
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test",
                "--axis", axis, "--threads", threads, **common)
        # With what is wrong, too, which is looked at more closely.
        for mode in ("train", "test"):
            run = self.bn("verify", "x.npy", "--state", "state.json", "--y", "y.npy", "--mode", mode, "--dy", "x.npy",
                          "--dx", "y.npy", "--axis", axis, "--threads", threads, **common)
            self.assertEqual(run.returncode, DIFFERS, run.stderr)
        self.ok("backward", "y.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "y.npy",
                "--dgamma", "dgamma.npy", "--threads", threads, **common)
        self.ok("compare", "y.npy", "x.npy", "--atol", 1e300, "--axis", axis, "--threads", threads, **common)

    def test_channels_that_fit_a_buffer(self):
        self.check((64, 64, BYTES // 4 // 64 // 64))

    def test_channels_that_do_not_fit_a_buffer(self):
        self.check((2, 2, BYTES // 4 // 4))

    def test_rows_of_channels(self):
        self.check((BYTES // 4 // 256, 256))

    def test_many_channels(self):
        self.check((BYTES // 4 // 50000, 50000))

    def test_one_element_in_a_run(self):
        self.check((BYTES // 4 // 7, 7))

    def test_results_wider_than_what_they_are_made_of(self):
        self.check((1, 8, BYTES // 8 // 8), dtype="|u1")

    def test_many_threads_over_narrow_rows(self):
        self.check((BYTES // 2 // 7, 7), dtype="<f2", threads=32)

    def test_many_threads_with_wide_results(self):
        self.check((8, 64, BYTES // 8 // 8 // 64), dtype="|u1", threads=32)

    def test_one_long_row_of_channels(self):
        self.check((1, 8, BYTES // 4 // 8))

    def test_a_stream_in_test_mode(self):
        shape = (64, 64, BYTES // 4 // 64 // 64)
        self.large("x.npy", shape)
        self.silent("init", "--channels", 64, "--running-mean", 1, "-o", "state.json")
        with open(self.path("x.npy"), "rb") as file:
            source = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        with source, open(os.devnull, "wb") as sink:
            run = self.bn("forward", "-", "--state", "state.json", "--mode", "test", "-o", "-",
                          stdin=source.stdout, stdout=sink, limits=self.limits(64))
        self.assertEqual(run.returncode, DONE, run.stderr)

    def test_the_limit_is_one_that_a_whole_array_would_exceed(self):
        self.large("x.npy", (2, BYTES // 8))
        run = self.run_program(["/usr/bin/python3", "-c", "bytearray(%d)" % BYTES], limits=self.limits(2))
        self.assertNotEqual(run.returncode, DONE)


if __name__ == "__main__":
    main()
