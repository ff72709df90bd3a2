"""bn calibrate sets what a whole dataset says: compared with exact rationals."""

import os
from fractions import Fraction

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, SYSTEM, USAGE, main, saved


class CalibrateTest(BnTest):
    STATE = {"mode": "test", "axis": 1, "eps": 1e-5, "momentum": 0.9, "momentum_weights": "running",
             "running_var_estimator": "biased", "gamma": [1.0, 2.0, 3.0], "beta": [0.0, 0.0, 0.5],
             "running_mean": [9.0, 9.0, 9.0], "running_var": [9.0, 9.0, 9.0], "num_batches_tracked": 2,
             "metadata": {"keep": "me"}}

    def setUp(self):
        super().setUp()
        self.batches = [self.random.normal(i, 1 + i, (4 + 3 * i, 3, 2)) for i in range(3)]
        for i, batch in enumerate(self.batches):
            self.save("x%d.npy" % i, batch)
        self.files = ["x0.npy", "x1.npy", "x2.npy"]
        self.pooled = oracle.Statistics(np.concatenate(self.batches), 1)

    def check(self, mean, var):
        after = self.json("state.json")
        self.assertEqual(after["running_mean"], mean)
        self.assertEqual(after["running_var"], var)
        changing = ("running_mean", "running_var", "num_batches_tracked")
        self.assertEqual({k: v for k, v in after.items() if k not in changing},
                         {k: v for k, v in self.STATE.items() if k not in changing
                          and k != "running_var_estimator"} | {
                              "running_var_estimator": after["running_var_estimator"]})
        self.assertEqual(list(after), list(self.STATE))

    def test_the_running_statistics_become_those_of_all_data_pooled(self):
        for estimator, var in (("biased", "var"), ("unbiased", "var_unbiased")):
            self.state(**dict(self.STATE, running_var_estimator=estimator))
            self.silent("calibrate", "--state", "state.json", *self.files)
            self.check(self.pooled.rounded("mean"), self.pooled.rounded(var))

    def test_arrays_and_parts_may_be_mixed_in_any_order(self):
        self.silent("stats", "x0.npy", "x2.npy", "-o", "part.json")
        for inputs in (["part.json", "x1.npy"], ["x1.npy", "part.json"]):
            self.state(**self.STATE)
            self.silent("calibrate", "--state", "state.json", *inputs)
            self.check(self.pooled.rounded("mean"), self.pooled.rounded("var"))

    def test_the_average_of_batches_is_the_exact_one_of_their_statistics_rounded_once(self):
        each = [oracle.Statistics(b, 1) for b in self.batches]
        for estimator, name in (("biased", "var"), ("unbiased", "var_unbiased")):
            self.state(**dict(self.STATE, running_var_estimator=estimator))
            self.silent("calibrate", "--state", "state.json", "--average-batches", *self.files)
            after = self.json("state.json")
            for key, attribute in (("running_mean", "mean"), ("running_var", name)):
                batches = zip(*(e.rounded(attribute) for e in each))
                self.assertEqual(after[key], [oracle.nearest(sum(map(Fraction, values)) / 3) for values in batches])

    def test_each_file_is_a_batch_also_when_it_comes_as_a_part(self):
        self.state(**self.STATE)
        self.silent("calibrate", "--state", "state.json", "--average-batches", *self.files)
        want = self.read("state.json")
        self.silent("stats", "x1.npy", "-o", "part.json")
        self.state(**self.STATE)
        self.silent("calibrate", "--state", "state.json", "--average-batches", "x0.npy", "part.json", "x2.npy")
        self.assertEqual(self.read("state.json"), want)

    def test_the_axis_comes_from_the_state_and_the_flag_overrides_it(self):
        for i, batch in enumerate(self.batches):
            self.save("x%d.npy" % i, np.moveaxis(batch, 1, 2))
        self.state(**self.STATE)
        self.silent("calibrate", "--state", "state.json", "--axis", "-1", *self.files)
        self.check(self.pooled.rounded("mean"), self.pooled.rounded("var"))

    def test_a_state_without_running_statistics_gets_them_and_test_mode_works(self):
        self.state(mode="test")
        self.silent("calibrate", "--state", "state.json", *self.files)
        self.assertEqual(self.json("state.json")["running_var"], self.pooled.rounded("var"))
        self.silent("forward", "x0.npy", "--state", "state.json", "-o", "y.npy")

    def test_a_wrong_number_of_channels_is_refused(self):
        self.save("x1.npy", np.ones((4, 5)))
        self.state(**self.STATE)
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", *self.files, mentions="x1.npy")

    def test_an_empty_dataset_leaves_the_state_with_a_warning(self):
        self.state(**self.STATE)
        self.save("x0.npy", np.zeros((0, 3)))
        for more in ([], ["--average-batches"]):
            before = self.snapshot()
            run = self.ok("calibrate", "--state", "state.json", "x0.npy", *more)
            self.assertEqual(run.lines(), ["bn: warning: x0.npy: an empty array, (0, 3)",
                                           "bn: warning: no values to calibrate with; state.json stays as it was"])
            self.assertEqual(self.snapshot(), before)

    def test_an_empty_batch_does_not_count_among_the_batches(self):
        self.save("empty.npy", np.zeros((0, 3)))
        for more in ([], ["--average-batches"]):
            self.state(**self.STATE)
            self.ok("calibrate", "--state", "state.json", *self.files, *more)
            want = self.read("state.json")
            self.state(**self.STATE)
            self.ok("calibrate", "--state", "state.json", "empty.npy", *self.files, *more)
            self.assertEqual(self.read("state.json"), want)

    def test_calibrate_without_inputs_is_a_usage_error(self):
        self.state(**self.STATE)
        self.fails(USAGE, "calibrate", "--state", "state.json")

    def test_one_value_per_channel_has_no_unbiased_variance(self):
        self.state(**dict(self.STATE, running_var_estimator="unbiased"))
        self.save("x0.npy", np.ones((1, 3)))
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", "x0.npy", mentions="unbiased")
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", "--average-batches", "x0.npy", "x1.npy",
                   mentions="x0.npy")

    def test_two_values_per_channel_have_one_and_a_single_value_has_the_biased_variance_0(self):
        self.state(**dict(self.STATE, running_var_estimator="unbiased"))
        self.save("x0.npy", np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]]))
        self.silent("calibrate", "--state", "state.json", "x0.npy")
        self.check([2.0, 2.0, 5.0], [2.0, 0.0, 8.0])
        self.state(**self.STATE)
        self.save("x0.npy", np.array([[1.0, 2.0, 3.0]]))
        self.silent("calibrate", "--state", "state.json", "x0.npy")
        self.check([1.0, 2.0, 3.0], [0.0] * 3)

    def test_a_variance_beyond_double_is_refused_by_the_name_of_its_input(self):
        self.state(**self.STATE)
        self.save("x1.npy", np.array([[1e308] * 3, [-1e308] * 3]))
        for more, name in (([], "all inputs together"), (["--average-batches"], "x1.npy")):
            self.fails(BAD_INPUT, "calibrate", "--state", "state.json", *self.files, *more,
                       mentions="bn: %s: var" % name)

    def test_a_nan_leaves_the_state_untouched(self):
        self.state(**self.STATE)
        self.batches[1][0, 0, 0] = np.nan
        self.save("x1.npy", self.batches[1])
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", *self.files, mentions="x1.npy")

    def test_the_data_may_come_from_standard_input(self):
        self.state(**self.STATE)
        self.silent("calibrate", "--state", "state.json", "-", stdin=saved(np.concatenate(self.batches)))
        self.check(self.pooled.rounded("mean"), self.pooled.rounded("var"))

    def test_the_missing_state_is_an_error_of_the_system(self):
        self.fails(SYSTEM, "calibrate", "--state", "missing.json", "x0.npy", mentions="missing.json")
        os.mkdir(self.path("folder"))
        self.fails(SYSTEM, "calibrate", "--state", "folder", "x0.npy", mentions="folder")


if __name__ == "__main__":
    main()
