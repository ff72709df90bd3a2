"""Cases 47 to 55: values that are hard to compute with."""

import json
import math

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, main

STATE = {"mode": "train", "gamma": [1.5, 0.5, -2.0], "beta": [0.25, 0.0, 1.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 3}


class NumbersTest(BnTest):
    def setUp(self):
        super().setUp()
        self.state(**STATE)

    def forward(self, x, *arguments):
        self.save("x.npy", x)
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--cache", "cache.json",
                "--quiet", *arguments)
        return self.load("y.npy")

    def backward(self, x, dy, *arguments):
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy", "--dgamma",
                "dgamma.npy", "--dbeta", "dbeta.npy", "--quiet", *arguments)
        return [self.load(n) for n in ("dx.npy", "dgamma.npy", "dbeta.npy")]

    def check(self, x, gamma, beta, bound, eps=1e-5):
        """Forward and backward keep their bounds, and mean and var are the exact ones rounded once."""
        self.state(mode="train", gamma=gamma, beta=beta, eps=eps)
        y = self.forward(x)
        self.assertLessEqual(oracle.forward(x, 1, gamma, beta, eps).worst(y), bound)
        want, cache = oracle.Statistics(x, 1), self.json("cache.json")
        self.assertEqual(cache["mean"], want.rounded("mean"))
        self.assertEqual(cache["var"], want.rounded("var"))
        dy = self.random.normal(0, 1, x.shape).astype(x.dtype)
        expected = oracle.backward(x, dy, 1, gamma, eps)
        for source in (["--state", "state.json"], ["--cache", "cache.json"]):
            self.save("dy.npy", dy)
            self.ok("backward", "dy.npy", "--x", "x.npy", *source, "--dx", "dx.npy", "--dgamma", "dgamma.npy",
                    "--dbeta", "dbeta.npy", "--quiet")
            self.assertLessEqual(expected.dx.worst(self.load("dx.npy")), bound)
            dgamma = self.load("dgamma.npy")
            self.assertLessEqual(expected.dgamma.worst(dgamma), 1 if dgamma.dtype == np.float64 else 0.5001)

    def test_case_47_a_nan_in_test_mode_stays_in_its_place(self):
        x = self.random.normal(0, 1, (6, 3, 4))
        clean = self.forward(x, "--mode", "test")
        for value in (np.nan, np.inf, -np.inf):
            bad = x.copy()
            bad[2, 1, 3] = value
            y = self.forward(bad, "--mode", "test")
            at = np.zeros(x.shape, bool)
            at[2, 1, 3] = True
            self.assertTrue((y[~at] == clean[~at]).all())
            self.assertTrue(np.isnan(y[2, 1, 3]) if np.isnan(value) else y[2, 1, 3] == value)

    def test_case_47_gradients_in_test_mode_follow_ieee_754(self):
        x, dy = self.random.normal(0, 1, (6, 3)), self.random.normal(0, 1, (6, 3))
        clean = self.backward(x, dy, "--mode", "test")[0]
        dy[4, 2] = np.nan
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        run = self.bn("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--mode", "test", "--dx", "dx.npy")
        self.assertEqual(run.returncode, 0, run.stderr)
        dx = self.load("dx.npy")
        self.assertTrue(np.isnan(dx[4, 2]))
        dx[4, 2] = clean[4, 2]
        self.assertTrue((dx == clean).all())

    def test_case_48_nan_and_infinity_in_train_mode_are_refused_and_the_state_is_untouched(self):
        for value, name in ((np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf")):
            for dtype in ("float16", "float32", "float64"):
                for index in ((0, 0, 0), (3, 1, 2), (5, 2, 3)):
                    x = self.random.normal(0, 1, (6, 3, 4)).astype(dtype)
                    x[index] = value
                    self.save("x.npy", x)
                    for arguments in ((), ("--mode", "train", "--state-out", "new.json"), ("--cache", "c.json")):
                        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", *arguments,
                                   mentions=["x.npy", name, str(index)])
                    self.save("dy.npy", np.ones(x.shape))
                    self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx",
                               "dx.npy", mentions=["x.npy", str(index)])

    def test_case_48_the_first_bad_index_is_named_whatever_the_threads(self):
        x = self.random.normal(0, 1, (64, 3, 40, 40)).astype("float32")
        x[50, 0, 0, 0] = np.nan
        x[7, 2, 39, 38] = np.inf
        self.save("x.npy", x)
        for threads in (1, 2, 8):
            self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--threads", threads,
                       mentions="(7, 2, 39, 38)")

    def test_case_49_a_constant_channel_gives_beta_exactly_and_finite_gradients(self):
        for dtype in ("float16", "float32", "float64"):
            for constant in (0.1, 100.0, 1e4, -3.0, 0.0) + ((1e7, 1e30) if dtype != "float16" else ()):
                for gamma in (STATE["gamma"], [1e30, 1e-30, -1e10]):
                    self.state(mode="train", gamma=gamma, beta=STATE["beta"])
                    x = np.full((7, 3, 5), constant).astype(dtype)
                    y = self.forward(x)
                    for c, beta in enumerate(STATE["beta"]):
                        self.assertEqual(set(y[:, c].ravel().tolist()), {float(np.dtype(dtype).type(beta))})
                    dy = self.random.normal(0, 1, x.shape)
                    dx, dgamma, _ = self.backward(x, dy)
                    self.assertTrue(np.isfinite(dx).all())
                    self.assertEqual(dgamma.tolist(), [0.0] * 3)

    def test_case_49_a_constant_channel_of_integers_gives_beta_exactly(self):
        for dtype, constant in (("int64", -2 ** 63), ("uint64", 2 ** 64 - 1), ("int8", 7), ("int64", 2 ** 53 + 1)):
            y = self.forward(np.full((7, 3, 5), constant, dtype))
            for c, beta in enumerate(STATE["beta"]):
                self.assertEqual(set(y[:, c].ravel().tolist()), {beta})

    def test_case_50_one_value_per_channel_is_refused_in_train_mode_only(self):
        for shape in ((1, 3), (1, 3, 1), (1, 3, 1, 1)):
            x = self.random.normal(0, 1, shape)
            self.save("x.npy", x)
            self.save("dy.npy", x)
            message = self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                                 mentions="x.npy")
            self.assertIn("test", message)
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                       mentions="x.npy")
            want = oracle.forward(x, 1, STATE["gamma"], STATE["beta"], 1e-5, STATE["running_mean"],
                                  STATE["running_var"])
            self.assertLessEqual(want.worst(self.forward(x, "--mode", "test")), 4)

    def test_case_51_an_empty_batch_is_done_with_a_warning_and_the_state_stays(self):
        for shape in ((0, 3), (4, 3, 0), (0, 3, 0)):
            self.save("x.npy", np.zeros(shape))
            before = self.snapshot()[b"state.json"]
            run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
            self.assertEqual(len(run.lines()), 1)
            self.assertEqual(self.snapshot()[b"state.json"], before)
            self.assertEqual(self.load("y.npy").shape, shape)
            dx, dgamma, dbeta = self.backward(np.zeros(shape), np.zeros(shape))
            self.assertEqual((dx.shape, dgamma.tolist(), dbeta.tolist()), (shape, [0.0] * 3, [0.0] * 3))

    def test_case_52_mean_1e8_with_variance_1_keeps_the_bounds(self):
        gamma, beta = [1.5, -0.5], [0.25, 3.0]
        for mean in (1e8, -1e8, 1e12):
            x = self.random.normal(mean, 1, (40, 2, 3))
            self.check(x, gamma, beta, 4)
            for outlier in (0.0, -mean, 1e-300, 1e15):
                with_outlier = x.copy()
                with_outlier[0, :, 0] = outlier
                self.check(with_outlier, gamma, beta, 4)

    def test_case_52_mean_1e8_in_float32_keeps_the_bounds(self):
        x = self.random.normal(1e8, 100, (40, 2, 3)).astype("float32")
        self.check(x, [1.5, -0.5], [0.25, 3.0], 0.5001)
        x[0] = 0
        self.check(x, [1.5, -0.5], [0.25, 3.0], 0.5001)

    def test_case_52_cancelling_values_keep_the_bounds(self):
        x = np.resize([1e30, 1.0, -1e30, 3e-30, 0.5], (30, 2, 2))
        self.check(x, [1.0, 2.0], [0.0, 1.0], 4)

    def test_case_53_values_near_the_largest_float32_have_finite_statistics(self):
        x = (self.random.uniform(-1, 1, (20, 3, 4)) * 3.4e38).astype("float32")
        self.check(x, STATE["gamma"], STATE["beta"], 0.5001)
        x[:] = np.finfo("float32").max
        x[1] = -x[1]
        self.check(x, STATE["gamma"], STATE["beta"], 0.5001)
        self.assertTrue(all(math.isfinite(v) for v in self.json("cache.json")["var"]))

    def test_case_53_statistics_beyond_double_are_refused(self):
        for x in (np.resize([1e308, -1e308], (8, 3)), np.resize([1.7e308, 1.0], (8, 3)), np.resize([1e200, 0], (8, 3))):
            self.save("x.npy", x)
            self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                       mentions=["x.npy", "var"])
            self.save("dy.npy", np.ones((8, 3)))
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                       mentions="x.npy")

    def test_case_53_stats_refuses_what_has_no_unbiased_variance_in_double(self):
        # Of a and -a the variance is a^2, the unbiased one 2 * a^2.
        self.save("x.npy", np.resize([1.3e154, -1.3e154], (2, 3)))
        self.fails(BAD_INPUT, "stats", "x.npy", "-o", "part.json", mentions="var of channel 0")
        self.save("x.npy", np.resize([9e153, -9e153], (2, 3)))
        self.silent("stats", "x.npy", "-o", "part.json")
        self.silent("stats", "part.json", "-o", "again.json")

    def test_case_53_a_constant_near_the_largest_double_is_no_problem(self):
        y = self.forward(np.full((8, 3), 1.7e308))
        self.assertEqual(y.tolist(), [STATE["beta"]] * 8)

    def test_case_53_a_sum_beyond_double_with_a_variance_within_is_no_problem(self):
        x = np.full((8, 3), 1e300) * (1 + self.random.normal(0, 1e-150, (8, 3)))
        x[0] = np.nextafter(1e300, 2e300)
        want = oracle.Statistics(x, 1)
        if max(want.var) < 2 ** 1023:
            self.forward(x)
            self.assertEqual(self.json("cache.json")["mean"], want.rounded("mean"))

    def test_case_54_a_float16_overflow_is_infinity_and_one_warning_with_the_count(self):
        x = np.zeros((20, 3), "float16")
        x[3] = [60000, 1, 1]
        self.save("x.npy", x)
        self.state(mode="train", gamma=[60000.0, 1.0, 1.0], beta=[0.0, 0.0, 0.0])
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        y = self.load("y.npy")
        self.assertEqual(y[3, 0], np.inf)
        self.assertEqual(np.isinf(y).sum(), 1)
        self.assertEqual(len(run.lines()), 1, run.stderr)
        for what in (" y ", " 1 ", "float16"):
            self.assertIn(what, run.stderr)
        self.save("dy.npy", np.full((20, 3), 100, "float16"))
        self.state(mode="test", gamma=[60000.0, 1.0, 1.0], running_mean=[0.0] * 3, running_var=[0.01] * 3,
                   num_batches_tracked=1)
        run = self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy")
        self.assertEqual(np.isinf(self.load("dx.npy")).sum(), 20)
        self.assertEqual(len(run.lines()), 1, run.stderr)
        self.assertIn("20", run.stderr)

    def test_case_54_an_infinity_that_was_in_x_is_no_overflow(self):
        x = np.zeros((20, 3), "float16")
        x[3, 0] = np.inf
        self.save("x.npy", x)
        run = self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
        self.assertEqual(self.load("y.npy")[3, 0], np.inf)
        self.assertEqual(run.stderr, "")

    def test_case_54_rounding_to_the_largest_float16_is_no_overflow(self):
        self.state(mode="test", eps=1.0, running_mean=[0.0], running_var=[0.0], num_batches_tracked=1,
                   gamma=[1.0], beta=[0.0])
        self.save("x.npy", np.array([[65504.0], [65519.9], [65520.0]]))
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--dtype", "float16")
        self.assertEqual(self.load("y.npy").ravel().tolist(), [65504.0, 65504.0, np.inf])
        self.assertIn("1 ", run.stderr)

    def test_case_55_denormals_are_kept_in_statistics_and_results(self):
        x = self.random.integers(-900, 900, (20, 3, 4)) * 5e-324
        self.state(mode="train", gamma=[1.0, 1e10, 1e-5])
        y, cache, want = self.forward(x), self.json("cache.json"), oracle.Statistics(x, 1)
        self.assertTrue((0 < abs(y)).any())
        self.assertEqual(cache["mean"], want.rounded("mean"))
        self.assertTrue(any(0 < abs(v) < 2.3e-308 for v in cache["mean"]))
        x = (self.random.integers(-900, 900, (20, 3, 4)) * 2.0 ** -149).astype("float32")
        self.check(x, [1.0, 1e3, 1e-5], [0.0, 0.0, 0.0], 0.5001)
        self.assertTrue((0 < abs(self.load("y.npy"))).any())

    def test_case_55_denormal_float64_values_keep_the_bounds(self):
        x = self.random.integers(-900, 900, (20, 3, 4)) * 5e-324
        self.check(x, [1.0, 1e10, 1e-5], [0.0, 0.0, 0.0], 4)

    def test_case_55_outputs_may_be_denormal(self):
        x = self.random.normal(0, 1, (20, 3, 4)).astype("float32")
        self.check(x, [1e-40, 3e-44, 1e-45], [0.0, 1e-42, 0.0], 0.5001)
        y = self.load("y.npy")
        self.assertTrue(((0 < abs(y)) & (abs(y) < 1.17e-38)).any())
        self.check(x.astype("float16"), [1e-6, 1e-7, 1e-5], [0.0, 1e-7, 0.0], 0.5001)

    def test_the_running_update_is_refused_beyond_double(self):
        self.write("state.json", json.dumps(dict(STATE, momentum=1.0, momentum_weights="running")))
        y = self.forward(self.random.normal(0, 1, (9, 3)))
        self.assertTrue(np.isfinite(y).all())


if __name__ == "__main__":
    main()
