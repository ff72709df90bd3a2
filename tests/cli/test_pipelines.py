"""What data pipelines need of bn: inputs in number and kind, cases 92 to 106 where they are about that."""

import json

import numpy as np

from commands import STATE
from harness import BAD_INPUT, BnTest, USAGE, main, npy, saved


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
            altered = {"eps": 2e-5, "gamma": [1.5, 0.5, 1.0], "axis": -1, "mode": {"train": "test", "test": "train"}[mode],
                       "mean": [0.5, 0.5, 0.5], "var": [0.5, 0.5, 0.5], "memory_order": "F"}
            for key, value in altered.items():
                self.write("cache.json", json.dumps(dict(good, **{key: value})))
                self.fails(BAD_INPUT, *backward, mentions="cache.json")
            self.write("cache.json", json.dumps({k: v for k, v in good.items() if k != "checksum"}))
            self.fails(BAD_INPUT, *backward, mentions=["cache.json", "checksum", "made again"])
            # What another program reads and writes again is the same cache.
            self.write("cache.json", json.dumps(good, indent=1, sort_keys=True))
            self.silent(*backward)

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
            self.fails(BAD_INPUT, "init", "--gamma", "bad.npy", "-o", "new.json", mentions=["bad.npy", str(shape), "(C,)"])
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
