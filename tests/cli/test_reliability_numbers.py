"""Cases 47 to 55: values that are hard to compute with."""

import itertools
import math

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, loaded, main

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

    def check(self, x, gamma, beta, eps=1e-5):
        """y, mean, var and all gradients are the exact ones rounded once."""
        self.state(mode="train", gamma=gamma, beta=beta, eps=eps)
        y = self.forward(x)
        self.assert_bits(y, oracle.forward(x, 1, gamma, beta, eps))
        want, cache = oracle.Statistics(x, 1), self.json("cache.json")
        self.assertEqual(cache["mean"], want.rounded("mean"))
        self.assertEqual(cache["var"], want.rounded("var"))
        dy = self.random.normal(0, 1, x.shape).astype(x.dtype)
        expected = oracle.backward(x, dy, 1, gamma, eps)
        for source in (["--state", "state.json"], ["--cache", "cache.json"]):
            self.save("dy.npy", dy)
            self.ok("backward", "dy.npy", "--x", "x.npy", *source, "--dx", "dx.npy", "--dgamma", "dgamma.npy",
                    "--dbeta", "dbeta.npy", "--quiet")
            for name in ("dx", "dgamma", "dbeta"):
                self.assert_bits(self.load(name + ".npy"), getattr(expected, name), (name, source))

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
            self.assert_bits(y, oracle.forward(bad, 1, STATE["gamma"], STATE["beta"], 1e-5, STATE["running_mean"],
                                               STATE["running_var"]))

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
                    self.assert_bits(dx, oracle.backward(x, dy, 1, gamma, 1e-5).dx, (dtype, constant, gamma))
                    self.assert_bits(dgamma, np.zeros(3))

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
            self.assert_bits(self.forward(x, "--mode", "test"), want)

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

    def test_case_52_results_of_mean_1e8_and_variance_1_are_rounded_once(self):
        gamma, beta = [1.5, -0.5], [0.25, 3.0]
        for mean in (1e8, -1e8, 1e12):
            x = self.random.normal(mean, 1, (40, 2, 3))
            self.check(x, gamma, beta)
            for outlier in (0.0, -mean, 1e-300, 1e15):
                with_outlier = x.copy()
                with_outlier[0, :, 0] = outlier
                self.check(with_outlier, gamma, beta)

    def test_case_52_results_of_mean_1e8_in_float32_are_rounded_once(self):
        x = self.random.normal(1e8, 100, (40, 2, 3)).astype("float32")
        self.check(x, [1.5, -0.5], [0.25, 3.0])
        x[0] = 0
        self.check(x, [1.5, -0.5], [0.25, 3.0])

    def test_case_52_results_of_a_mean_of_1e15_deviations_are_rounded_once(self):
        # Steps of 1/8 around 1e15: beside the mean nothing is left but its own last digits.
        self.check(1e15 + self.random.integers(-8, 9, (40, 2, 3)) / 8, [1.5, -0.5], [0.25, 3.0])

    def test_case_52_results_of_cancelling_values_are_rounded_once(self):
        x = np.resize([1e30, 1.0, -1e30, 3e-30, 0.5], (30, 2, 2))
        self.check(x, [1.0, 2.0], [0.0, 1.0])

    def test_case_53_values_near_the_largest_float32_have_finite_statistics(self):
        x = (self.random.uniform(-1, 1, (20, 3, 4)) * 3.4e38).astype("float32")
        self.check(x, STATE["gamma"], STATE["beta"])
        x[:] = np.finfo("float32").max
        x[1] = -x[1]
        self.check(x, STATE["gamma"], STATE["beta"])
        self.assertTrue(all(math.isfinite(v) for v in self.json("cache.json")["var"]))

    # x whose variance is beyond double; y and all gradients are none the worse for it.
    BEYOND = ([1e308, -1e308], [1.7e308, 1.0], [1e200, 0])

    def test_case_53_a_variance_beyond_double_is_refused_where_it_is_kept(self):
        for values in self.BEYOND:
            self.save("x.npy", np.resize(values, (8, 3)))
            for output in ("y.npy", "-"):  # nothing leaves through a pipe either
                for keeps in ((), ("--state-out", "new.json"), ("--no-update", "--cache", "cache.json"),
                              ("--momentum", "1")):
                    self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", output, *keeps,
                               mentions="bn: x.npy: var of channel 0 is outside the range of double")
            self.fails(BAD_INPUT, "stats", "x.npy", "-o", "part.json", mentions="bn: all inputs together: var of channel 0")
            self.fails(BAD_INPUT, "calibrate", "x.npy", "--state", "state.json", mentions="bn: all inputs together: var")

    def test_case_53_a_variance_beyond_double_is_no_problem_where_it_is_not_kept(self):
        for values in self.BEYOND:
            x, dy = np.resize(values, (8, 3)), self.random.normal(0, 1, (8, 3))
            self.save("x.npy", x)
            before = self.read("state.json")
            y = oracle.forward(x, 1, STATE["gamma"], STATE["beta"], 1e-5)
            self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update")
            self.assert_bits(self.load("y.npy"), y)
            run = self.silent("forward", "x.npy", "--state", "state.json", "-o", "-", "--no-update")
            self.assert_bits(loaded(run.stdout), y)
            self.assertEqual(self.read("state.json"), before)
            want = oracle.backward(x, dy, 1, STATE["gamma"], 1e-5)
            for name, got in zip(("dx", "dgamma", "dbeta"), self.backward(x, dy)):
                self.assert_bits(got, getattr(want, name), name)

    def test_case_53_the_first_channel_beyond_double_is_named(self):
        self.save("x.npy", np.array([[1.0, 1e160, 1e160]] * 4 + [[0.0, -1e160, 1e160]] * 4))
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                   mentions="bn: x.npy: var of channel 1 is outside the range of double")

    def test_case_53_an_unbiased_variance_beyond_double_matters_where_it_is_used(self):
        # Of a and -a the variance is a^2, the unbiased one 2 a^2.
        for a in (1e154, 1.3e154):
            x = np.array([[a], [-a]])
            self.save("x.npy", x)
            state = {"mode": "train", "momentum": 0.5, "gamma": [1.5], "beta": [0.25], "running_mean": [1.0],
                     "running_var": [1.0], "num_batches_tracked": 3}
            y = oracle.forward(x, 1, [1.5], [0.25], 1e-5)
            batch = oracle.Statistics(x, 1)
            self.assertTrue(batch.rounded("var")[0] < math.inf == batch.rounded("var_unbiased")[0])
            for estimator in ("biased", "unbiased"):
                self.state(**dict(state, running_var_estimator=estimator))
                forward = ["forward", "x.npy", "--state", "state.json", "--quiet"]
                self.silent(*forward, "-o", "y.npy", "--no-update", "--cache", "cache.json")
                self.assert_bits(self.load("y.npy"), y)
                self.assertEqual(self.json("cache.json")["var"], batch.rounded("var"))
                if estimator == "unbiased":
                    for output, more in itertools.product(("y.npy", "-"), ([], ["--state-out", "new.json"])):
                        self.fails(BAD_INPUT, *forward, "-o", output, *more,
                                   mentions="bn: x.npy: var of channel 0 is outside the range of double")
                    for more, name in (([], "all inputs together"), (["--average-batches"], "x.npy")):
                        self.fails(BAD_INPUT, "calibrate", "x.npy", "--state", "state.json", *more,
                                   mentions="bn: %s: var of channel 0" % name)
                else:
                    self.assert_bits(loaded(self.silent(*forward, "-o", "-").stdout), y)
                    after = self.json("state.json")
                    self.assertEqual(after["running_var"], oracle.updated([1.0], batch.rounded("var"), 0.5, "running", 4))
                    self.silent("calibrate", "x.npy", "--state", "state.json")
                    self.assertEqual(self.json("state.json")["running_var"], batch.rounded("var"))

    def test_case_53_stats_needs_no_unbiased_variance(self):
        x = np.resize([1.3e154, -1.3e154], (2, 3))
        self.save("x.npy", x)
        self.silent("stats", "x.npy", "-o", "part.json")
        self.assertEqual(self.json("part.json")["var"], oracle.Statistics(x, 1).rounded("var"))
        self.silent("stats", "part.json", "-o", "again.json")
        self.assertEqual(self.read("again.json"), self.read("part.json"))

    def check_gradients_beyond_double(self, x, dy, beyond, mode, eps=1e-5):
        """dgamma or dbeta of channel 1 is beyond double: refused where it is asked for, and only there."""
        self.state(mode=mode, gamma=STATE["gamma"], running_mean=[0.0] * 3, running_var=[1.0] * 3,
                   num_batches_tracked=1, eps=eps)
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        running = ([0.0] * 3, [1.0] * 3) if mode == "test" else ()
        want = oracle.backward(x, dy, 1, STATE["gamma"], eps, *running)
        self.assertEqual([name for name in ("dgamma", "dbeta") if not np.isfinite(getattr(want, name)).all()], [beyond])
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--cache", "cache.json")
        other = "dbeta" if beyond == "dgamma" else "dgamma"
        for source in ("--state", "state.json"), ("--cache", "cache.json"):
            backward = ["backward", "dy.npy", "--x", "x.npy", *source, "--quiet"]
            for outputs in ([], ["--dx", "dx.npy"], ["--dx", "-"], ["--" + other, "other.npy"], ["--" + other, "-"]):
                self.fails(BAD_INPUT, *backward, "--" + beyond, "beyond.npy", *outputs,
                           mentions="bn: x.npy: %s of channel 1 is outside the range of double" % beyond)
            self.fails(BAD_INPUT, *backward, "--" + beyond, "-", mentions=beyond + " of channel 1")
            self.silent(*backward, "--dx", "dx.npy", "--" + other, "other.npy")
            self.assert_bits(self.load("dx.npy"), want.dx)
            self.assert_bits(self.load("other.npy"), getattr(want, other))
            run = self.silent(*backward, "--dx", "-")
            self.assert_bits(loaded(run.stdout), want.dx)

    def test_case_53_a_dgamma_beyond_double_is_refused_where_it_is_asked_for(self):
        x, dy = self.random.normal(0, 1, (8, 3)), self.random.normal(0, 1, (8, 3))
        x[:, 1], dy[:, 1] = [1, -1] * 4, [1e308, -1e308] * 4
        for mode in ("train", "test"):
            self.check_gradients_beyond_double(x, dy, "dgamma", mode)

    def test_case_53_a_dbeta_beyond_double_is_refused_where_it_is_asked_for(self):
        x, dy = self.random.normal(0, 1, (8, 3)), self.random.normal(0, 1, (8, 3))
        x[:, 1], dy[:, 1] = 0, 1e308
        for mode in ("train", "test"):
            self.check_gradients_beyond_double(x, dy, "dbeta", mode)

    def test_case_53_a_constant_near_the_largest_double_is_no_problem(self):
        y = self.forward(np.full((8, 3), 1.7e308))
        self.assertEqual(y.tolist(), [STATE["beta"]] * 8)
        cache = self.json("cache.json")
        self.assertEqual((cache["mean"], cache["var"]), ([1.7e308] * 3, [0.0] * 3))  # the sum is beyond double

    def test_case_53_squares_beyond_double_with_a_variance_within_are_no_problem(self):
        x = np.ldexp(2.0 ** 52 + self.random.integers(0, 9, (8, 3, 2)), 480)
        self.assertGreater(x.min(), 1e154)
        self.check(x, STATE["gamma"], STATE["beta"])

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
        self.check(x, [1.0, 1e3, 1e-5], [0.0, 0.0, 0.0])
        self.assertTrue((0 < abs(self.load("y.npy"))).any())

    def test_case_55_results_of_denormal_float64_values_are_rounded_once(self):
        x = self.random.integers(-900, 900, (20, 3, 4)) * 5e-324
        for eps in (1e-5, 1e-300, 5e-324):
            self.check(x, [1.0, 1e10, 1e-5], [0.0, 0.0, 0.0], eps)

    def test_case_55_outputs_may_be_denormal(self):
        x = self.random.normal(0, 1, (20, 3, 4)).astype("float32")
        self.check(x, [1e-40, 3e-44, 1e-45], [0.0, 1e-42, 0.0])
        y = self.load("y.npy")
        self.assertTrue(((0 < abs(y)) & (abs(y) < 1.17e-38)).any())
        self.check(x.astype("float16"), [1e-6, 1e-7, 1e-5], [0.0, 1e-7, 0.0])
        self.check(x.astype("float64"), [1e-308, 3e-323, 5e-324], [0.0, 1e-322, 0.0])

    def test_running_statistics_near_the_largest_double_are_updated(self):
        self.state(**dict(STATE, momentum=0.5, running_mean=[-1.7e308] * 3, running_var=[1.7e308] * 3))
        x = np.resize([1.3e154, -1.3e154], (8, 3))
        self.save("x.npy", x)
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        after, batch = self.json("state.json"), oracle.Statistics(x, 1)
        for key, old, name in (("running_mean", -1.7e308, "mean"), ("running_var", 1.7e308, "var")):
            self.assertEqual(after[key], oracle.updated([old] * 3, batch.rounded(name), 0.5, "running", 4))
            self.assertTrue(all(math.isfinite(v) for v in after[key]))


if __name__ == "__main__":
    main()
