"""bn stats merges exactly: compared with exact rationals."""

import itertools
import json
import re
from fractions import Fraction

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, main


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

    def test_a_variance_beyond_double_is_refused(self):
        self.save("x.npy", np.array([[1e308], [-1e308]]))
        self.fails(BAD_INPUT, "stats", "x.npy", "-o", "new.json", mentions="var")


if __name__ == "__main__":
    main()
