"""What data pipelines need of bn: inputs in number and kind, cases 92 to 106 where they are about that."""

import itertools
import json
import os
import threading

import numpy as np

from commands import STATE
from harness import BAD_INPUT, BnTest, SYSTEM, USAGE, main, npy, saved


class PipelinesTest(BnTest):
    def test_case_92_after_calibrate_the_next_batch_of_a_cumulative_average_has_the_weight_of_one_more(self):
        batches = [self.random.normal(i, 1, (8, 3)) for i in range(4)]
        for i, x in enumerate(batches):
            self.save("x%d.npy" % i, x)
        self.save("empty.npy", np.zeros((0, 3)))
        self.silent("stats", "x1.npy", "-o", "part.json")
        for flags in ([], ["--average-batches"]):
            self.state(**dict(STATE, momentum=None, num_batches_tracked=7))
            self.ok("calibrate", "x0.npy", "part.json", "empty.npy", "x2.npy", "--state", "state.json", *flags)
            self.assertEqual(self.json("state.json")["num_batches_tracked"], 3)
            self.silent("forward", "x3.npy", "--state", "state.json", "-o", "y.npy")
            after = self.json("state.json")
            self.assertEqual(after["num_batches_tracked"], 4)
            # All batches are of one size, so that the mean of the means is that of all values.
            np.testing.assert_allclose(after["running_mean"], np.concatenate(batches).mean(axis=0), rtol=1e-12)

    def test_case_92_with_a_number_as_momentum_the_count_stays(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        for flags in ([], ["--average-batches"]):
            self.state(**STATE)
            self.silent("calibrate", "x.npy", "--state", "state.json", *flags)
            self.assertEqual(self.json("state.json")["num_batches_tracked"], STATE["num_batches_tracked"])

    def test_case_92_init_takes_the_number_of_batches(self):
        for n in (0, 5, 2 ** 53):
            self.silent("init", "--channels", 2, "--num-batches-tracked", n, "-o", "s%d.json" % n)
            self.assertEqual(self.json("s%d.json" % n)["num_batches_tracked"], n)
        for n in ("-1", "1.5", "x", str(2 ** 53 + 1)):
            self.fails(USAGE, "init", "--channels", 2, "--num-batches-tracked=" + n, "-o", "new.json",
                       mentions=["--num-batches-tracked", n])

    def test_case_92_a_state_counts_to_2_to_the_53_and_no_further(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        forward = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy"]
        most = 2 ** 53
        self.state(**dict(STATE, num_batches_tracked=most - 1))
        self.silent(*forward)
        self.assertEqual(self.json("state.json")["num_batches_tracked"], most)
        os.unlink(self.path("y.npy"))
        self.fails(BAD_INPUT, *forward, mentions="state.json: num_batches_tracked has reached 2^53; set it back")
        self.silent(*forward, "--mode", "test")
        self.silent(*forward, "--no-update")
        self.silent("calibrate", "x.npy", "--state", "state.json")
        self.assertEqual(self.json("state.json")["num_batches_tracked"], most)
        self.state(**dict(STATE, num_batches_tracked=most + 1))
        self.fails(BAD_INPUT, *forward, "--mode", "test", mentions="state.json: num_batches_tracked is ")

    def test_case_100_no_values_have_sums_of_0(self):
        part = {"channels": 1, "count": 0, "mean": None, "var": None, "sum": ["0x0p0"], "sum_squares": ["0x0p0"]}
        self.write("part.json", json.dumps(part))
        self.silent("stats", "part.json")
        self.save("dy.npy", np.zeros((0, 1)))
        self.state(**dict(mode="train"))
        self.ok("forward", "dy.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json")
        cache = self.json("cache.json")
        for key in ("sum", "sum_squares"):
            self.write("part.json", json.dumps(dict(part, **{key: ["0x1p0"]})))
            self.fails(BAD_INPUT, "stats", "part.json", mentions=["part.json", key + "[0]", "count is 0"])
            self.write("cache.json", json.dumps(dict(cache, **{key: ["0x1p0"]})))
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "dy.npy", "--cache", "cache.json", "--dx", "dx.npy",
                       mentions=["cache.json", key + "[0]", "count is 0"])

    def test_case_100_a_cache_in_which_a_value_has_been_altered_is_refused(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        backward = ["backward", "x.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "dx.npy"]
        for mode in ("train", "test"):
            self.state(**STATE)
            self.silent("forward", "x.npy", "--state", "state.json", "--mode", mode, "-o", "y.npy",
                        "--cache", "cache.json")
            good = self.json("cache.json")
            self.silent(*backward)
            altered = {"eps": 2e-5, "gamma": [1.5, 0.5, 1.0], "axis": -1, "mean": [0.5, 0.5, 0.5],
                       "var": [0.5, 0.5, 0.5], "memory_order": "F", "mode": "test" if mode == "train" else "train"}
            for key, value in altered.items():
                self.write("cache.json", json.dumps(dict(good, **{key: value})))
                self.fails(BAD_INPUT, *backward, mentions="cache.json")
            self.write("cache.json", json.dumps({k: v for k, v in good.items() if k != "checksum"}))
            self.fails(BAD_INPUT, *backward, mentions=["cache.json", "checksum", "made again"])
            # What another program reads and writes again is the same cache.
            self.write("cache.json", json.dumps(good, indent=1, sort_keys=True))
            self.silent(*backward)

    def two_inputs(self):
        self.x = [self.random.normal(i, 1, (8 + i, 3)) for i in range(2)]
        for i, x in enumerate(self.x):
            self.save("x%d.npy" % i, x)
        self.silent("stats", "x0.npy", "x1.npy", "-o", "part.json")

    def test_case_103_every_input_is_checked_before_any_data_are_read(self):
        self.two_inputs()
        self.state(**STATE)
        x = self.x[0].copy()
        x[0, 0] = np.nan  # which whoever reads the data complains about
        self.save("bad_data.npy", x)
        self.save("channels.npy", np.ones((4, 5)))
        self.save("rank.npy", np.ones(3))
        self.write("cut.npy", saved(x)[:-1])
        self.write("magic.npy", "a text")
        self.write("part_2.json", self.read("part.json").replace(b'"count": 17', b'"count": 18'))
        self.write("second.npy", saved(self.x[0]) + saved(np.ones((4, 5))))
        os.mkdir(self.path("folder"))
        for bad, code, mention in (("channels.npy", BAD_INPUT, "5 channels"), ("rank.npy", BAD_INPUT, "(3,)"),
                                   ("cut.npy", BAD_INPUT, "cut short"), ("magic.npy", BAD_INPUT, "magic.npy"),
                                   ("part_2.json", BAD_INPUT, "part_2.json"), ("missing.npy", SYSTEM, "missing.npy"),
                                   ("second.npy", BAD_INPUT, "second.npy, array 2"),
                                   ("folder", SYSTEM, "folder: is a directory")):
            for command in (["stats", "-o", "new.json"], ["calibrate", "--state", "state.json"]):
                self.fails(code, *command, "bad_data.npy", "x0.npy", bad, mentions=mention)
                # Neither a FIFO nor standard input is waited for.
                reading, writing = os.pipe()
                os.mkfifo(self.path("fifo"))
                with os.fdopen(reading), os.fdopen(writing, "wb"):
                    self.fails(code, *command, "fifo", "-", bad, "x0.npy", mentions=mention, stdin=reading, timeout=20)
                os.unlink(self.path("fifo"))

    def test_case_103_files_streams_and_parts_may_be_mixed_in_any_order(self):
        self.two_inputs()
        want = self.silent("stats", "part.json", "x0.npy", "x1.npy").stdout
        for inputs in itertools.permutations(("part.json", "-", "fifo")):
            os.mkfifo(self.path("fifo"))
            writer = threading.Thread(target=self.write, args=("fifo", saved(self.x[1])), daemon=True)
            writer.start()
            self.assertEqual(self.silent("stats", *inputs, stdin=saved(self.x[0])).stdout, want)
            writer.join()
            os.unlink(self.path("fifo"))

    def test_case_103_one_process_may_write_to_several_fifos_one_after_the_other(self):
        self.two_inputs()
        for name in ("fifo0", "fifo1"):
            os.mkfifo(self.path(name))

        def produce():
            for i in range(2):
                self.write("fifo%d" % i, saved(self.x[i]))

        writer = threading.Thread(target=produce, daemon=True)
        writer.start()
        self.assertEqual(self.silent("stats", "fifo0", "fifo1", timeout=20).stdout, self.read("part.json"))
        writer.join()

    def test_case_103_names_come_from_a_list(self):
        self.two_inputs()
        self.state(**STATE)
        self.silent("calibrate", "x0.npy", "x1.npy", "--state", "state.json")
        want = self.read("state.json")
        odd = b"-\xff\n.npy"
        os.rename(self.path("x1.npy"), self.path(odd))
        for names in (b"x0.npy\0" + odd + b"\0", odd + b"\0x0.npy"):
            self.write("list", names)
            for arguments, stdin in ((["--files0-from", "list"], b""), (["--files0-from=-"], names)):
                self.assertEqual(self.silent("stats", *arguments, stdin=stdin).stdout, self.read("part.json"))
                self.state(**STATE)
                self.silent("calibrate", "--state", "state.json", *arguments, stdin=stdin)
                self.assertEqual(self.read("state.json"), want)
        # A list in a file may name standard input.
        self.write("list", b"-\0" + odd)
        self.assertEqual(self.silent("stats", "--files0-from", "list", stdin=self.read("x0.npy")).stdout,
                         self.read("part.json"))

    def test_case_103_what_is_wrong_with_a_list_is_said(self):
        self.two_inputs()
        for names, mentions in ((b"x0.npy\0\0", ["list:2", "zero-length"]), (b"", ["list", "no file name"]),
                                (b"\0", ["list:1"]), (b"x0.npy\0" + b"y" * 5000, ["list:2", "NUL"]),
                                (b"-\0x0.npy\0-\0", ["list", "more than once"])):
            self.write("list", names)
            self.fails(BAD_INPUT, "stats", "--files0-from", "list", mentions=mentions)
        self.write("list", b"x0.npy\nx1.npy\n")
        self.fails(SYSTEM, "stats", "--files0-from", "list", mentions="x0.npy\\nx1.npy\\n")
        self.fails(SYSTEM, "stats", "--files0-from", "gone", mentions="gone")
        self.fails(BAD_INPUT, "stats", "--files0-from", "-", stdin=b"x0.npy\0-\0", mentions=["standard input:2", "-"])
        self.fails(BAD_INPUT, "stats", "--files0-from", "/dev/zero", mentions="/dev/zero:1")
        self.write("list", b"x0.npy\0")
        self.fails(USAGE, "stats", "--files0-from", "list", "x1.npy", mentions=["x1.npy", "--files0-from"])
        self.fails(USAGE, "calibrate", "--state", "s.json", "--files0-from", "list", "x1.npy", mentions="--files0-from")

    def test_case_103_a_file_or_stream_may_hold_several_arrays(self):
        self.two_inputs()
        with open(self.path("both.npy"), "wb") as file:
            for x in self.x:
                np.save(file, np.asfortranarray(x))
        both = self.read("both.npy")
        self.assertEqual(self.silent("stats", "both.npy").stdout, self.read("part.json"))
        self.assertEqual(self.silent("stats", "-", stdin=both).stdout, self.read("part.json"))
        with open(self.path("both.npy"), "rb") as file:
            self.assertEqual(self.silent("stats", "-", stdin=file).stdout, self.read("part.json"))
        for flags in ([], ["--average-batches"]):
            results = []
            for inputs in (["x0.npy", "x1.npy"], ["both.npy"], ["-"]):
                self.state(**dict(STATE, momentum=None))
                self.silent("calibrate", "--state", "state.json", *flags, *inputs, stdin=both)
                results.append(self.read("state.json"))
            self.assertEqual(results, results[:1] * 3)
            self.assertEqual(self.json("state.json")["num_batches_tracked"], 2)

    def test_case_103_what_follows_an_array_and_is_none_is_refused(self):
        self.two_inputs()
        self.state(**STATE)
        both = saved(self.x[0]) + saved(self.x[1])
        self.write("both.npy", both)
        for more in (b"\n", b"more than an array", both[:-1], saved(np.ones((4, 5))), saved(np.full((4, 3), np.nan))):
            self.write("x.npy", both + more)
            for command in (["stats"], ["calibrate", "--state", "state.json"]):
                for inputs in (["x.npy"], ["-"]):
                    self.fails(BAD_INPUT, *command, *inputs, stdin=both + more, mentions=", array ")
        forward = ["forward", "--state", "state.json", "-o", "y.npy"]
        self.fails(BAD_INPUT, *forward, "both.npy", mentions="something follows the data")
        self.fails(BAD_INPUT, *forward, "-", stdin=both, mentions="something follows the data")
        self.fails(BAD_INPUT, "backward", "x0.npy", "--x", "both.npy", "--state", "state.json", "--dx", "dx.npy",
                   mentions="both.npy")
        self.save("gamma.npy", np.ones(3))
        self.write("gamma.npy", self.read("gamma.npy") * 2)
        self.fails(BAD_INPUT, "init", "--gamma", "gamma.npy", "-o", "new.json", mentions="something follows the data")

    def test_case_104_stats_without_an_output_writes_to_standard_output(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 5)))
        self.silent("stats", "x.npy", "-o", "part.json")
        before = self.snapshot()
        self.assertEqual(self.silent("stats", "x.npy").stdout, self.read("part.json"))
        self.assertEqual(self.snapshot(), before)

    def test_case_105_backward_takes_eps_instead_of_that_of_the_state(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        self.save("dy.npy", self.random.normal(0, 1, (8, 3)))
        outputs = ["--dx", "dx.npy", "--dgamma", "dgamma.npy"]
        for mode in ("train", "test"):
            self.state(**dict(STATE, eps=0.5))
            self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--mode", mode, *outputs)
            want = [self.read(n) for n in outputs[1::2]]
            self.state(**STATE)
            self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--mode", mode,
                        "--eps", "0.5", *outputs)
            self.assertEqual([self.read(n) for n in outputs[1::2]], want)
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json")
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json", "--eps", "0.5", *outputs,
                   mentions=["--eps", "cache"])
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--eps", "0", *outputs,
                   mentions="--eps")

    def test_case_105_values_of_channels_may_have_dimensions_of_1(self):
        flags = ("--gamma", "--beta", "--running-mean", "--running-var")
        values = {flag: self.random.random(3) for flag in flags}

        def arguments(shape, order="C"):
            for flag in flags:
                self.save(flag[2:] + ".npy", np.asarray(values[flag].reshape(shape), order=order))
            return [a for flag in flags for a in (flag, flag[2:] + ".npy")]

        self.silent("init", *arguments((3,)), "-o", "want.json")
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        self.state(mode="train", gamma="gamma.npy", beta="beta.npy")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "want.npy", "--no-update")
        for shape in ((1, 3), (3, 1), (1, 3, 1, 1), (1, 1, 1, 3)):
            for order in "CF":
                self.silent("init", *arguments(shape, order), "--force", "-o", "got.json")
                self.assertEqual(self.read("got.json"), self.read("want.json"))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update")
                self.assertEqual(self.read("y.npy"), self.read("want.npy"))
        for shape in ((), (2, 2), (0, 3)):
            self.save("bad.npy", np.ones(shape))
            self.fails(BAD_INPUT, "init", "--gamma", "bad.npy", "-o", "new.json",
                       mentions=["bad.npy", str(shape), "(C,)"])
        self.save("one.npy", np.ones((1, 1, 1)))
        self.silent("init", "--gamma", "one.npy", "-o", "one.json")
        self.assertEqual(self.json("one.json")["gamma"], [1.0])

    def test_case_106_bools_are_the_integers_0_and_1(self):
        x = self.random.random((40, 3)) < [0.2, 0.5, 0.9]
        dy = self.random.random((40, 3)) < 0.5
        for order in "CF":
            results = {}
            for dtype in ("bool", "uint8"):
                self.save("x.npy", np.asarray(x, dtype, order=order))
                self.save("dy.npy", np.asarray(dy, dtype, order=order))
                self.save("gamma.npy", np.array([True, False, True]).astype(dtype))
                self.state(**dict(STATE, gamma="gamma.npy"))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json")
                self.silent("backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "dx.npy",
                            "--dgamma", "dgamma.npy")
                self.silent("stats", "x.npy", "-o", "part.json")
                self.silent("calibrate", "x.npy", "--state", "state.json")
                results[dtype] = [self.read(n) for n in ("y.npy", "dx.npy", "dgamma.npy", "part.json", "state.json")]
                self.assertEqual(self.silent("stats", "-", stdin=saved(np.asarray(x, dtype))).stdout,
                                 self.read("part.json"))
            self.assertEqual(results["bool"], results["uint8"])
            self.assertEqual(self.load("y.npy").dtype, np.float64)

    def test_case_106_what_is_no_bool_is_named_with_its_file_and_index(self):
        self.state(**STATE)
        data = bytearray(40 * 3)
        self.save("dy.npy", np.zeros((40, 3)))
        for byte in (2, 128, 255):
            data[3 * 17 + 2] = byte
            self.write("x.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (40, 3)}", bytes(data)))
            named = ["x.npy", str(byte), "(17, 2)"]
            self.fails(BAD_INPUT, "stats", "x.npy", "-o", "part.json", mentions=named)
            self.fails(BAD_INPUT, "calibrate", "x.npy", "--state", "state.json", mentions=named)
            for mode in ("train", "test"):
                self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "--mode", mode, "-o", "y.npy",
                           mentions=named)
                self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--mode", mode,
                           "--dx", "dx.npy", mentions=named)
            self.fails(BAD_INPUT, "backward", "x.npy", "--x", "dy.npy", "--state", "state.json", "--dx", "dx.npy",
                       mentions=named)
            self.write("gamma.npy", npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", bytes([0, 1, byte])))
            self.fails(BAD_INPUT, "init", "--gamma", "gamma.npy", "-o", "new.json",
                       mentions=["gamma.npy", str(byte), "(2,)"])


if __name__ == "__main__":
    main()
