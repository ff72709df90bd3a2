"""bn stats merges exactly, bn calibrate sets what a whole dataset says; both against exact rationals."""

import itertools
import json
import os
import re
from fractions import Fraction

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, SYSTEM, USAGE, main, saved


def exact_number(text):
    """The value of "0x1a2bp-149"."""
    sign, digits, exponent = re.fullmatch(r"(-?)0x([0-9a-f]+)p(-?\d+)", text).groups()
    value = Fraction(int(digits, 16)) * Fraction(2) ** int(exponent)
    return -value if sign else value


class StatsTest(BnTest):
    HOSTILE = {
        "spread over the whole range": lambda r, shape: np.ldexp(r.normal(0, 1, shape), r.integers(-1000, 500, shape)),
        "massive cancellation": lambda r, shape: np.resize([1e30, 1.0, -1e30, 3e-30], shape),
        "one huge value among tiny ones": lambda r, shape: np.where(
            np.arange(np.prod(shape)).reshape(shape) == 17, 1e100, 1e-100),
        "denormals": lambda r, shape: r.integers(-9, 9, shape) * 5e-324,
        "constant 0.1": lambda r, shape: np.full(shape, 0.1),
        "constant 1e30": lambda r, shape: np.full(shape, 1e30),
        "alternating signs": lambda r, shape: np.resize([1e16, -1e16, 1.0], shape),
        "mean 1e8": lambda r, shape: r.normal(1e8, 1, shape),
        "float32 to its limits": lambda r, shape: np.resize(
            [3.4e38, -3.4e38, 1e-45, 1e-38, 3e38], shape).astype("float32"),
        "float16 to its limits": lambda r, shape: np.resize([65504, -65504, 6e-8, 1], shape).astype("float16"),
        "INT64_MIN": lambda r, shape: np.resize([-2 ** 63, 2 ** 63 - 1, -2 ** 63, 0, 1], shape).astype("int64"),
        "UINT64_MAX": lambda r, shape: np.resize(np.array([2 ** 64 - 1, 0, 2 ** 63], "uint64"), shape),
    }

    def stats(self, *inputs, output="part.json", arguments=()):
        self.silent("stats", *inputs, "-o", output, *arguments)
        return self.read(output)

    def check_part(self, part, x, axis=1):
        want = oracle.Statistics(x, axis)
        self.assertEqual(part["channels"], x.shape[axis])
        self.assertEqual(part["count"], want.m)
        self.assertEqual(part["mean"], want.rounded("mean"))
        self.assertEqual(part["var"], want.rounded("var"))
        rows = [[oracle.fraction(v) for v in row] for row in oracle.by_channel(x, axis)]
        sums = [v for v in part.values() if isinstance(v, list) and v and isinstance(v[0], str)]
        self.assertEqual(len(sums), 2)
        self.assertEqual([exact_number(t) for t in sums[0]], [sum(row) for row in rows])
        self.assertEqual([exact_number(t) for t in sums[1]], [sum(v * v for v in row) for row in rows])

    def test_mean_var_and_sums_are_exact_for_hostile_data(self):
        for name, make in self.HOSTILE.items():
            for shape, axis in (((40, 3), 1), ((2, 3, 30), 1), ((5, 4, 3), -1)):
                with self.subTest(data=name, shape=shape):
                    x = make(self.random, shape)
                    self.save("x.npy", x)
                    self.check_part(json.loads(self.stats("x.npy", arguments=("--axis", axis))), x, axis)

    def test_mean_and_var_are_exact_for_every_dtype(self):
        for dtype in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            for sign, order in itertools.product("<>", "CF"):
                with self.subTest(dtype=sign + dtype, order=order):
                    raw = self.random.integers(-100, 100, (7, 3, 5)) * (1.25 if dtype[0] == "f" else 1)
                    x = np.asarray(abs(raw) if dtype[0] == "u" else raw, order=order).astype(sign + dtype, order=order)
                    self.save("x.npy", x)
                    self.check_part(json.loads(self.stats("x.npy")), x)

    def test_random_data_of_many_sizes_are_exact(self):
        for m in (1, 2, 15, 16, 17, 1023, 1024, 1025, 5000):
            for dtype in ("float32", "float64"):
                x = self.random.normal(3, 2, (m, 3)).astype(dtype)
                self.save("x.npy", x)
                self.check_part(json.loads(self.stats("x.npy")), x)

    def test_merged_parts_in_any_order_and_grouping_are_the_file_of_all_data_at_once(self):
        for name, make in self.HOSTILE.items():
            with self.subTest(data=name):
                x = make(self.random, (24, 3, 4))
                self.save("x.npy", x)
                whole = self.stats("x.npy")
                pieces = np.split(x, sorted(self.random.choice(np.arange(1, 24), 4, replace=False)))
                for i, piece in enumerate(pieces):
                    self.save("x%d.npy" % i, piece)
                    self.stats("x%d.npy" % i, output="p%d.json" % i)
                arrays = ["x%d.npy" % i for i in range(5)]
                parts = ["p%d.json" % i for i in range(5)]
                self.assertEqual(self.stats(*arrays), whole)
                self.assertEqual(self.stats(*parts), whole)
                self.assertEqual(self.stats(*reversed(parts)), whole)
                self.assertEqual(self.stats("x3.npy", "p1.json", "x0.npy", "p4.json", "p2.json"), whole)
                self.stats("p4.json", "p0.json", output="left.json")
                self.stats("x2.npy", "p3.json", "x1.npy", output="right.json")
                self.assertEqual(self.stats("right.json", "left.json"), whole)

    def test_a_part_merged_alone_is_itself(self):
        self.save("x.npy", self.random.normal(0, 1, (9, 3)))
        whole = self.stats("x.npy")
        self.assertEqual(self.stats("part.json", output="again.json"), whole)

    def test_dtype_layout_and_shape_of_the_same_values_do_not_matter(self):
        x = self.random.normal(1, 1, (4, 3, 5, 6)).astype("float32")
        self.save("x.npy", x)
        whole = self.stats("x.npy")
        for other, axis in ((np.asfortranarray(x), 1), (np.moveaxis(x, 1, -1), -1), (x.astype("float64"), 1),
                            (x.astype(">f4"), 1), (x.reshape(4, 3, 30), 1), (np.moveaxis(x, 1, 0), 0),
                            (np.moveaxis(x, 1, -1).reshape(-1, 3), 1), (x[::-1, :, ::-1], 1)):
            self.save("x.npy", other)
            self.assertEqual(self.stats("x.npy", arguments=("--axis", axis)), whole)

    def test_threads_do_not_matter(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 5, 300)))
        whole = self.stats("x.npy")
        for threads in (1, 2, 3, 8, 64):
            self.assertEqual(self.stats("x.npy", arguments=("--threads", threads)), whole)

    def test_standard_input_and_output_work(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 5)))
        whole = self.stats("x.npy")
        run = self.silent("stats", "-", "-o", "-", stdin=self.read("x.npy"))
        self.assertEqual(run.stdout, whole)

    def test_stats_through_standard_output_may_be_an_input_again(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 5)))
        whole = self.stats("x.npy")
        run = self.bn("stats", "-", "-o", "-", stdin=whole)
        if run.returncode == 0:
            self.assertEqual(run.stdout, whole)
        else:
            self.assertEqual(run.returncode, BAD_INPUT)
            self.assertIn("standard input", run.stderr)

    def test_an_empty_array_adds_nothing(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 3)))
        whole = self.stats("x.npy")
        self.save("empty.npy", np.zeros((0, 3)))
        self.ok("stats", "empty.npy", "x.npy", "-o", "part.json")
        self.assertEqual(self.read("part.json"), whole)

    def test_numbers_of_channels_that_differ_are_refused_and_both_named(self):
        self.save("x3.npy", np.ones((4, 3)))
        self.save("x5.npy", np.ones((4, 5)))
        self.stats("x5.npy", output="p5.json")
        for other in ("x5.npy", "p5.json"):
            self.fails(BAD_INPUT, "stats", "x3.npy", other, "-o", "new.json", mentions=[other, "3", "5"])

    def test_a_nan_is_refused_with_its_file_and_index(self):
        x = np.ones((4, 3))
        self.save("a.npy", x)
        x[2, 1] = np.nan
        self.save("b.npy", x)
        self.fails(BAD_INPUT, "stats", "a.npy", "b.npy", "-o", "new.json", mentions=["b.npy", "(2, 1)"])

    def test_a_damaged_part_is_refused(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 3)))
        good = self.stats("x.npy").decode()
        part = json.loads(good)
        sums = [k for k, v in part.items() if isinstance(v, list) and isinstance(v[0], str)][0]
        changed = dict(part, **{sums: ["0x1p0"] * 3})
        for bad in ("", good[:-5], good + "{}", json.dumps(dict(part, count=41)), json.dumps(dict(part, channels=4)),
                    json.dumps(dict(part, count=-1)), json.dumps(changed), json.dumps(dict(part, extra=1)),
                    json.dumps(dict(part, **{sums: ["0x2p0"] + part[sums][1:]})),
                    json.dumps(dict(part, **{sums: ["1"] + part[sums][1:]})),
                    json.dumps({k: v for k, v in part.items() if k != "count"})):
            self.write("part.json", bad)
            self.fails(BAD_INPUT, "stats", "part.json", "-o", "new.json", mentions="part.json")

    def test_the_output_may_be_one_of_the_inputs(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 3)))
        whole = self.stats("x.npy")
        self.stats("part.json")
        self.assertEqual(self.read("part.json"), whole)

    def test_a_variance_beyond_double_is_refused(self):
        self.save("x.npy", np.array([[1e308], [-1e308]]))
        self.fails(BAD_INPUT, "stats", "x.npy", "-o", "new.json", mentions="var")


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

    def test_the_average_of_batches_is_the_textbook_rule(self):
        each = [oracle.Statistics(b, 1) for b in self.batches]
        for estimator, name in (("biased", "var"), ("unbiased", "var_unbiased")):
            self.state(**dict(self.STATE, running_var_estimator=estimator))
            self.silent("calibrate", "--state", "state.json", "--average-batches", *self.files)
            after = self.json("state.json")
            for key, attribute in (("running_mean", "mean"), ("running_var", name)):
                want = [sum(getattr(e, attribute)[c] for e in each) / 3 for c in range(3)]
                for got, value in zip(after[key], want):
                    self.assertLessEqual(abs(Fraction(got) - value), abs(value) * Fraction(1, 2 ** 51))

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
            self.assertIn("x0.npy", run.stderr)
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

    def test_one_value_a_channel_has_no_unbiased_variance(self):
        self.state(**dict(self.STATE, running_var_estimator="unbiased"))
        self.save("x0.npy", np.ones((1, 3)))
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", "x0.npy", mentions="unbiased")
        self.fails(BAD_INPUT, "calibrate", "--state", "state.json", "--average-batches", "x0.npy", "x1.npy",
                   mentions="x0.npy")

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
