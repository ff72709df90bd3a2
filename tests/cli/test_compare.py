"""bn compare says how arrays differ: compared with integers and rationals."""

from fractions import Fraction
import itertools
import json
import math
import os

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, DIFFERS, DONE, SYSTEM, USAGE, main, saved

FLOATS = ["f2", "f4", "f8"]
DTYPES = FLOATS + ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
LARGEST = float(np.finfo("float64").max)


# ---- What has to come out ------------------------------------------------------------------------


def number_of(value, dtype):
    """Which of the numbers of a floating dtype a value becomes, counted from 0; infinity is one of them."""
    digits, smallest, largest = oracle.FORMATS[dtype]
    number, denominator = abs(value).as_integer_ratio()
    rounded = oracle.cut((number << oracle.PLACES) // denominator, True, dtype)
    if rounded == 0:
        return 0
    magnitude = Fraction(2) ** (largest + 1) if math.isinf(rounded) else Fraction(rounded)
    binade = largest + 1 if math.isinf(rounded) else math.frexp(rounded)[1] - 1
    unit = max(binade - (digits - 1), smallest)  # below the smallest normal number they are no denser
    steps = ((unit - smallest) << (digits - 1)) + int(magnitude / Fraction(2) ** unit)
    return -steps if value < 0 else steps


def coarser(a, b):
    """The floating dtype whose steps are counted; None of two integer dtypes."""
    return next((name for name in oracle.FORMATS if name in (a.dtype.name, b.dtype.name)), None)


def not_below(value):
    """The smallest double that is not below a rational number; None if there is none."""
    double = oracle.nearest(value)
    if double < value:
        double = math.inf if double == LARGEST else float(np.nextafter(double, np.inf))
    return None if math.isinf(double) else double


def in_memory_order(array, like):
    """The elements of one array in the memory order of another one."""
    fortran = like.flags.f_contiguous and not like.flags.c_contiguous
    return array.ravel("F" if fortran else "C")


class Pair:
    """a and b at an index; whether they are finite, and how far they are apart then."""

    def __init__(self, index, a, b, bits, dtype):
        self.index, self.a, self.b, self.same_bits = index, a, b, bits[0] == bits[1]
        self.nans = math.isnan(a) + math.isnan(b)
        self.finite = math.isfinite(a) and math.isfinite(b)
        self.equal = a == b
        self.zero_signs = self.equal and a == 0 and math.copysign(1, a) != math.copysign(1, b)
        self.one_infinite = not self.nans and not self.finite and not self.equal
        self.differs = self.finite and not self.equal
        self.error = Fraction(0)
        if self.differs:
            self.error = Fraction(a) - Fraction(b)
            self.absolute = oracle.nearest(abs(self.error))
            self.relative = oracle.nearest(abs(self.error / Fraction(b))) if b != 0 else None
            self.steps = abs(number_of(a, dtype) - number_of(b, dtype)) if dtype else abs(a - b)

    def passes(self, atol=None, rtol=None, ulp=None, equal_nan=False, bits=False):
        if bits:
            return self.same_bits
        if self.nans == 2:
            return equal_nan
        if not self.differs:
            return self.equal
        if ulp is not None and self.steps <= ulp:
            return True
        given = atol is not None or rtol is not None
        return given and abs(self.error) <= Fraction(atol or 0) + Fraction(rtol or 0) * abs(Fraction(self.b))


def largest(pairs, measure):
    """The first of the largest as JSON shows it."""
    measured = [p for p in pairs if p.differs and getattr(p, measure) is not None]
    if not measured:
        return None
    first = max(measured, key=lambda p: getattr(p, measure))  # max keeps the first
    value = getattr(first, measure)
    return {"value": None if value == math.inf else value, "index": first.index, "a": first.a, "b": first.b}


def differences(same, pairs, tolerance):
    """The keys from values to needed_ulp, of this many pairs of one finite value and of other pairs."""
    finite = same + sum(p.finite for p in pairs)
    mean = oracle.nearest(sum((p.error for p in pairs if p.differs), Fraction(0)) / finite) if finite else None
    atol, ulp = 0.0, 0
    if any(p.one_infinite or p.nans == 1 or (p.nans == 2 and not tolerance.get("equal_nan")) for p in pairs):
        atol = ulp = None
    else:
        different = [p for p in pairs if p.differs]
        rtol = Fraction(tolerance.get("rtol") or 0)
        atol = not_below(max([abs(p.error) - rtol * abs(Fraction(p.b)) for p in different] + [Fraction(0)]))
        ulp = max([p.steps for p in different] + [0])
    return {"values": same + len(pairs), "equal": same + sum(p.equal for p in pairs),
            "zero_signs": sum(p.zero_signs for p in pairs), "both_nan": sum(p.nans == 2 for p in pairs),
            "one_nan": sum(p.nans == 1 for p in pairs), "one_infinite": sum(p.one_infinite for p in pairs),
            "beyond": sum(not p.passes(**tolerance) for p in pairs),
            "max_abs": largest(pairs, "absolute"), "max_rel": largest(pairs, "relative"),
            "max_ulp": largest(pairs, "steps"), "mean_error": None if mean is not None and math.isinf(mean) else mean,
            "needed_atol": atol, "needed_ulp": None if ulp is None or ulp >= 2 ** 64 else ulp}


def badness(pairs):
    differing = [p for p in pairs if p.differs]
    return (sum(p.nans == 1 or p.one_infinite for p in pairs), max([p.steps for p in differing] + [0]),
            max([p.absolute for p in differing] + [0.0]))


def numbers_and_bits(flat):
    flat = flat.astype(flat.dtype.newbyteorder("="))
    numbers = [v if isinstance(v, float) else int(v) for v in flat.tolist()]
    return zip(numbers, flat.view("u%d" % flat.dtype.itemsize).tolist())


def compared(a, b, axis=None, **tolerance):
    """What bn compare --json prints."""
    flat = [in_memory_order(array, a) for array in (a, b)]
    # Looking at a pair takes long: not where both are one value, and no zero, of one kind of dtype.
    alike = a.dtype.kind == b.dtype.kind == "f" or a.dtype.name == b.dtype.name
    same = (flat[0] == flat[1]) & (flat[0] != 0) & np.isfinite(flat[0]) & alike
    indices = np.array([in_memory_order(i, a) for i in np.indices(a.shape)], int).reshape(a.ndim, a.size)
    (a_elements, b_elements) = (numbers_and_bits(f[~same]) for f in flat)
    pairs = [Pair(index, x, y, (x_bits, y_bits), coarser(a, b)) for index, (x, x_bits), (y, y_bits) in
             zip(indices[:, ~same].T.tolist(), a_elements, b_elements)]
    want = differences(int(same.sum()), pairs, tolerance)
    if axis is not None:
        channels = [[] for _ in range(a.shape[axis])]
        for pair in pairs:
            channels[pair.index[axis]].append(pair)
        counts = np.bincount(indices[axis, same], minlength=len(channels)).tolist()
        ranks = [badness(of) for of in channels]
        worst = sorted(range(len(channels)), key=lambda c: ranks[c], reverse=True)  # keeps the order of equals
        want["channels"] = [dict({"channel": c}, **differences(counts[c], channels[c], tolerance)) for c in worst[:10]]
    want["passes"] = want["beyond"] == 0
    return want


class OracleTest(BnTest):
    """The oracle's steps and bounds, where NumPy has them as well."""

    def test_steps_are_those_between_the_bits(self):
        for name in oracle.FORMATS:
            width = np.dtype(name).itemsize
            bits = self.random.integers(0, 2 ** (8 * width - 1), 500).astype("u%d" % width)
            bits = np.concatenate([bits, np.array([0, 1, 2], bits.dtype), np.array([0, 1, 65504], name).view(bits.dtype)])
            values = bits.view(name)
            for value, number in zip(values.tolist(), bits.tolist()):
                if math.isfinite(value):
                    self.assertEqual(number_of(value, name), number)
                    self.assertEqual(number_of(-value, name), -number)

    def test_values_are_rounded_to_the_coarser_dtype_as_numpy_converts(self):
        for name in ("float16", "float32"):
            values = np.ldexp(self.random.normal(0, 1, 1000), self.random.integers(-160, 140, 1000))
            values = np.concatenate([values, np.ldexp(self.random.integers(0, 9000, 1000) / 2, -25), [65519, 65520, 3.5e38]])
            with np.errstate(over="ignore"):
                bits = abs(values).astype(name).view("u%d" % np.dtype(name).itemsize)
            self.assertEqual([abs(number_of(v, name)) for v in values.tolist()], bits.tolist())

    def test_a_bound_is_the_smallest_double_that_is_not_below(self):
        for value, want in ((Fraction(1, 10), 0.1), (Fraction(0.1), 0.1), (Fraction(3, 10), float(np.nextafter(0.3, 1))),
                            (Fraction(1, 2 ** 1100), 5e-324), (Fraction(0), 0.0), (Fraction(LARGEST), LARGEST),
                            (Fraction(LARGEST) + 1, None)):
            self.assertEqual(not_below(value), want)


# ---- The program ---------------------------------------------------------------------------------


def flags_of(axis=None, atol=None, rtol=None, ulp=None, equal_nan=False, bits=False):
    flags = [(name, repr(value)) for name, value in
             (("--axis", axis), ("--atol", atol), ("--rtol", rtol), ("--ulp", ulp)) if value is not None]
    return ["=".join(f) for f in flags] + ["--equal-nan"] * equal_nan + ["--bits"] * bits


class CompareTest(BnTest):
    def arrays(self, a, b):
        self.save("a.npy", a)
        self.save("b.npy", b)

    def compare(self, *flags, inputs=("a.npy", "b.npy"), **more):
        """A run that says yes or no without a word on stderr, and changes nothing."""
        before = self.snapshot()
        run = self.bn("compare", *inputs, *flags, **more)
        self.assertIn(run.returncode, (DONE, DIFFERS), (flags, run.stderr))
        self.assertEqual(run.stderr, "", flags)
        self.assertEqual(self.snapshot(), before, flags)
        return run

    def assert_says(self, run, want, what=None):
        text = run.stdout.decode()
        self.assertTrue(text.endswith("}\n"), text)
        # As texts they are different if one has 1 and the other 1.0 or true, and if the order is another.
        self.assertEqual(json.dumps(json.loads(text), indent=1), json.dumps(want, indent=1), what)
        self.assertEqual(run.returncode, DONE if want["passes"] else DIFFERS, what)

    def check(self, a, b, more=(), **how):
        """What the program says of two arrays, which is what the oracle says."""
        a, b = np.asarray(a), np.asarray(b)
        self.arrays(a, b)
        run = self.compare("--json", *flags_of(**how), *more)
        want = compared(a, b, **how)
        self.assert_says(run, want, (a.dtype, b.dtype, a.shape, how))
        return want

    def answer(self, **how):
        return self.compare(*flags_of(**how)).returncode

    def passes(self, **how):
        self.assertEqual(self.answer(**how), DONE, how)

    def differs(self, **how):
        self.assertEqual(self.answer(**how), DIFFERS, how)

    def check_edges(self, a, b, rtol=None, **nan):
        """What is said to be needed is enough, and what is next to it is not."""
        want = self.check(a, b, rtol=rtol, **nan)
        given = dict({} if rtol is None else {"rtol": rtol}, **nan)
        if want["needed_ulp"] is None:
            self.differs(ulp=2 ** 64 - 1, **nan)
        else:
            self.passes(ulp=want["needed_ulp"], **nan)
            if want["needed_ulp"] > 0:
                self.differs(ulp=want["needed_ulp"] - 1, **nan)
        if want["needed_atol"] is None:
            self.differs(atol=LARGEST, **given)
        else:
            self.passes(atol=want["needed_atol"], **given)
            if want["needed_atol"] > 0:
                self.differs(atol=float(np.nextafter(want["needed_atol"], 0)), **given)
        return want

    # ---- Data ------------------------------------------------------------------------------------

    def numbers(self, dtype, size):
        """Ordinary, extreme and special values."""
        dtype, random = np.dtype(dtype), self.random
        if dtype.kind == "b":
            return random.integers(0, 2, size).astype(dtype)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            ordinary = random.integers(0, 100, size).astype(dtype)
            anything = random.integers(limits.min, limits.max, size, dtype.newbyteorder("="), endpoint=True)
            extreme = np.array([limits.min, limits.max, limits.max - 1, limits.max // 2 + 1, 0], dtype)
        else:
            limits = np.finfo(dtype)
            ordinary = random.normal(0, 10, size).astype(dtype)
            anything = np.ldexp(random.normal(0, 1, size), random.integers(limits.minexp - 20, limits.maxexp - 2, size))
            tiny = float(np.nextafter(dtype.type(0), dtype.type(1)))
            extreme = np.array([limits.max, limits.min, tiny, -tiny, 0.0, -0.0, np.nan, np.inf, -np.inf], dtype)
        kind = random.integers(0, 3, size)
        return np.choose(kind, [ordinary, anything.astype(dtype), random.choice(extreme, size)]).astype(dtype)

    def two(self, a_dtype, b_dtype, size):
        """Values of two dtypes, of which many are equal or nearly so."""
        b = self.numbers(b_dtype, size)
        if (b_dtype, a_dtype[0]) == ("u8", "i"):
            b >>= np.uint64(1)  # no more steps than 64 bits hold: see below
        with np.errstate(all="ignore"):
            near = b.astype(a_dtype)
            if near.dtype.kind == "f":
                near = np.where(self.random.random(size) < 0.5, near, np.nextafter(near, near.dtype.type(0)))
            a = np.where(self.random.random(size) < 0.7, near, self.numbers(a_dtype, size))
        a = a.astype(a_dtype)
        if (a_dtype, b_dtype[0]) == ("u8", "i"):
            a >>= np.uint64(1)
        return a, b

    TOLERANCES = [{}, {"ulp": 1}, {"atol": 0.5}, {"rtol": 0.001}, {"atol": 2.0, "rtol": 0.01, "ulp": 3, "equal_nan": True},
                  {"ulp": 0, "equal_nan": True}]

    # ---- dtypes, layouts, shapes -----------------------------------------------------------------

    def test_every_pair_of_dtypes_is_compared_exactly(self):
        tolerances = itertools.cycle(self.TOLERANCES)
        for a_dtype, b_dtype in itertools.product(DTYPES, DTYPES):
            with self.subTest(a=a_dtype, b=b_dtype):
                a, b = self.two(a_dtype, b_dtype, 150)
                self.check(a, b, **next(tolerances))
                self.check(a[:60].reshape(5, 4, 3), b[:60].reshape(5, 4, 3), axis=1, **next(tolerances))

    def test_finite_pairs_of_every_pair_of_dtypes_are_judged_at_the_edge(self):
        for a_dtype, b_dtype in itertools.product(DTYPES, DTYPES):
            with self.subTest(a=a_dtype, b=b_dtype):
                a, b = self.two(a_dtype, b_dtype, 30)
                finite = np.isfinite(a.astype("f8")) & np.isfinite(b.astype("f8"))
                want = self.check(a[finite], b[finite], rtol=0.25)
                if want["needed_atol"] is not None:
                    self.passes(atol=want["needed_atol"], rtol=0.25)
                    if want["needed_atol"] > 0:
                        self.differs(atol=float(np.nextafter(want["needed_atol"], 0)), rtol=0.25)

    def test_byte_orders_and_memory_orders_do_not_matter(self):
        tolerances = itertools.cycle(self.TOLERANCES)
        for a_dtype, b_dtype in ((">f2", "<f2"), ("<f4", ">f4"), (">f8", ">f8"), (">f8", "<f4"), (">i8", "<f8"), (">u4", ">i2"),
                                 ("<i8", ">i8")):
            for a_order, b_order in itertools.product("CF", "CF"):
                with self.subTest(a=a_dtype + a_order, b=b_dtype + b_order):
                    a, b = self.two(a_dtype, b_dtype, 120)
                    a = np.asarray(a.reshape(2, 3, 4, 5), order=a_order)
                    b = np.asarray(b.reshape(2, 3, 4, 5), order=b_order)
                    self.check(a, b, **next(tolerances))
                    self.check(a, b, axis=-2, **next(tolerances))

    def test_of_several_that_are_largest_the_first_in_the_memory_of_a_is_named(self):
        b = np.zeros((3, 4))
        a = np.zeros((3, 4))
        a[0, 3] = a[2, 0] = 1
        for a_order, b_order, index in (("C", "C", [0, 3]), ("C", "F", [0, 3]), ("F", "C", [2, 0]), ("F", "F", [2, 0])):
            want = self.check(np.asarray(a, order=a_order), np.asarray(b, order=b_order))
            self.assertEqual(want["max_abs"]["index"], index)
            self.assertIsNone(want["max_rel"])

    def test_ranks_from_0_to_4_have_their_indices(self):
        for shape in ((), (1,), (7,), (2, 3), (2, 3, 4), (2, 3, 2, 3), (1, 1, 1, 1)):
            for order in "CF":
                a, b = self.two("f4", "f8", math.prod(shape))
                a, b = np.asarray(a.reshape(shape), order=order), b.reshape(shape)
                self.check(a, b)
                for axis in range(-len(shape), len(shape)) if len(shape) > 1 else ():
                    self.check(a, b, axis=axis)

    def test_empty_arrays_are_equal_and_have_no_mean(self):
        for shape, axes in (((0,), []), ((0, 3), [0, 1]), ((3, 0), [0, 1]), ((2, 0, 4), [0, 1, 2])):
            for axis in [None] + axes:
                for dtypes in (("f8", "f8"), ("i4", "f2")):
                    want = self.check(np.zeros(shape, dtypes[0]), np.zeros(shape, dtypes[1]), axis=axis)
                    self.assertTrue(want["passes"])
                    self.assertIsNone(want["mean_error"])
        self.arrays(np.zeros((0, 3)), np.zeros((0, 3)))
        self.passes(bits=True)

    # ---- Kinds of data ---------------------------------------------------------------------------

    KINDS = {
        "all equal": lambda r, b: (b, b),
        "few different": lambda r, b: (np.where(r.random(b.shape) < 0.03, b + 1, b), b),
        "all different by one step": lambda r, b: (np.nextafter(b, np.inf), b),
        "one step towards 0": lambda r, b: (np.nextafter(b, 0), b),
        "twice as large": lambda r, b: (2 * b, b),
        "half as large": lambda r, b: (b / 2, b),
        "a constant off": lambda r, b: (np.round(b) + 0.25, np.round(b)),
        "of other sign": lambda r, b: (-b, b),
        "huge": lambda r, b: (r.choice([1e308, -1e308, 1.7e308, LARGEST, -LARGEST, 1.0], b.shape),
                              r.choice([1e308, -1e308, 1.7e308, LARGEST, -LARGEST, 1.0], b.shape)),
        "huge beside tiny": lambda r, b: (r.choice([1e308, 5e-324, -5e-324, 1.0], b.shape),
                                          r.choice([-1e308, 5e-324, 1e-320, 0.0, -0.0], b.shape)),
        "subnormal": lambda r, b: (r.integers(-9, 9, b.shape) * 5e-324, r.integers(-9, 9, b.shape) * 5e-324),
        "around the smallest normal number": lambda r, b: (
            r.integers(2 ** 52 - 3, 2 ** 52 + 4, b.shape) * 5e-324, r.integers(2 ** 52 - 3, 2 ** 52 + 4, b.shape) * 5e-324),
        "zeros of both signs": lambda r, b: (r.choice([0.0, -0.0], b.shape), r.choice([0.0, -0.0], b.shape)),
        "infinities": lambda r, b: (r.choice([np.inf, -np.inf], b.shape), r.choice([np.inf, -np.inf, 1.0], b.shape)),
        "NaN on one side": lambda r, b: (r.choice([np.nan, 1.0], b.shape), r.choice([1.0, 2.0, np.inf], b.shape)),
        "NaN on both sides": lambda r, b: (np.where(b < 0, np.nan, b), np.where(b < 0, np.nan, 2 * b)),
        "only NaN": lambda r, b: (np.full(b.shape, np.nan), np.full(b.shape, np.nan)),
        "anything not finite": lambda r, b: (r.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], b.shape),
                                             r.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], b.shape)),
        "cancelling errors": lambda r, b: (np.resize([1e308, 1.0, 1e-300, -1.0, 5e-324], b.shape),
                                           np.resize([1.0, 1e308, -1e-300, -1.0, 0.0], b.shape)),
    }

    def pairs_of_kinds(self):
        for name, make in self.KINDS.items():
            for dtype in FLOATS:
                with np.errstate(all="ignore"):
                    a, b = make(self.random, self.random.normal(0, 100, (6, 5, 4)))
                    yield name, dtype, a.astype(dtype), b.astype(dtype)

    def test_every_kind_of_data_is_compared_exactly(self):
        tolerances = itertools.cycle(self.TOLERANCES)
        for name, dtype, a, b in self.pairs_of_kinds():
            with self.subTest(data=name, dtype=dtype):
                self.check(a, b)
                self.check(a, b, **next(tolerances))
                self.check(np.asfortranarray(a), b, axis=int(self.random.integers(-3, 3)), **next(tolerances))

    def test_what_is_needed_is_enough_and_nothing_below_it(self):
        for name, dtype, a, b in self.pairs_of_kinds():
            with self.subTest(data=name, dtype=dtype):
                self.check_edges(a, b)
                self.check_edges(a, b, rtol=float(self.random.choice([1e-7, 0.1, 0.5, 3.0])), equal_nan=True)

    def test_relative_tolerances_are_decided_exactly(self):
        b = np.array([3.0, 1e-300, 1e300, 0.1, 7e-310, 1.0, 5e-324])
        for a in (b * 1.1, b * (1 + 2.0 ** -50), b * 2, b / 2, b - b / 3, -b):
            for x, y in zip(a.tolist(), b.tolist()):
                ratio = oracle.nearest(abs(Fraction(x) - Fraction(y)) / Fraction(y))
                for rtol in (np.nextafter(ratio, 0), ratio, np.nextafter(ratio, 9)):
                    self.check([x], [y], rtol=float(rtol))
        self.arrays([2.0, -6.0], [1.0, -3.0])
        self.passes(rtol=1.0)
        self.differs(rtol=float(np.nextafter(1.0, 0)))
        self.arrays([1.0, -3.0], [2.0, -6.0])
        self.passes(rtol=0.5)
        self.differs(rtol=float(np.nextafter(0.5, 0)))
        self.arrays([float(np.nextafter(3.0, 4))], [1.0])
        self.differs(atol=1.0, rtol=1.0)
        self.passes(atol=1.0, rtol=float(1 + 2.0 ** -51))
        self.arrays([1.0], [0.0])
        self.differs(rtol=1e308)

    def test_absolute_and_relative_tolerances_are_added_exactly(self):
        for _ in range(150):
            b = float(np.ldexp(self.random.normal(), int(self.random.integers(-20, 20))))
            rtol, atol = float(self.random.random()), float(np.ldexp(self.random.random(), int(self.random.integers(-60, 3))))
            edge = Fraction(b) + Fraction(atol) + Fraction(rtol) * abs(Fraction(b))
            a = oracle.nearest(edge) + 0.0
            near = [float(np.nextafter(a, -np.inf)), a, float(np.nextafter(a, np.inf))]
            self.check(near, [b] * 3, atol=atol, rtol=rtol)

    def test_steps_of_a_coarser_dtype_can_be_none_between_values_that_differ(self):
        for b_dtype in ("f2", "f4"):
            want = self.check_edges(np.array([1.0, 1 + 1e-9, 2.0]), np.array([1, 1, 2], b_dtype))
            self.assertEqual((want["needed_ulp"], want["equal"], want["beyond"]), (0, 2, 1))
            self.assertEqual(want["max_ulp"]["value"], 0)
        want = self.check_edges(np.array([1e300, 65520.0]), np.array([65504, 65504], "f2"))
        self.assertEqual(want["needed_ulp"], 1)

    def test_integers_beyond_2_to_the_53_are_exact(self):
        big = 2 ** 53
        for a_dtype, b_dtype in itertools.product(("i8", "u8"), ("i8", "u8", "f8", "f4", "f2")):
            a = np.array([big + 1, big + 3, 2 ** 63 - 1, 2 ** 62 + 1, 2 ** 63 - 513, 2 ** 63 - 512], a_dtype)
            with np.errstate(over="ignore"):
                b = np.array([big, big + 4, 2 ** 62, 2 ** 62, 2 ** 62 + 512, 2 ** 62 + 2 ** 10]).astype(b_dtype)
            if b_dtype in ("i8", "u8", "f8"):
                self.check_edges(a, b)
            for i in range(len(a)):
                self.check(a[i:i + 1], b[i:i + 1], atol=1.0)
                self.check(b[i:i + 1], a[i:i + 1], rtol=2.0 ** -53)
        for a, b in ((2 ** 63 - 1, -2 ** 63), (-2 ** 63, 2 ** 63 - 1)):
            self.check_edges(np.array([a], "i8"), np.array([b], "i8"))
        self.check_edges(np.array([2 ** 64 - 1, 0], "u8"), np.array([0, 2 ** 64 - 1], "u8"))
        self.check_edges(np.array([2 ** 64 - 1, 2 ** 63], "u8"), np.array([2 ** 63 - 1, 0], "i8"))

    def test_all_steps_that_may_be_needed_can_be_given(self):
        for a, b in ((np.array([LARGEST]), np.array([-LARGEST])), (np.array([2 ** 64 - 1], "u8"), np.array([0], "u8"))):
            want = self.check(a, b)
            self.passes(ulp=want["needed_ulp"])
            self.differs(ulp=want["needed_ulp"] - 1)

    def test_steps_between_integers_may_be_more_than_64_bits_hold(self):
        a, b = np.array([2 ** 64 - 1, 2 ** 64 - 1, 0], "u8"), np.array([-1, -2 ** 63, -2 ** 63], "i8")
        self.check(a, b)
        self.check(b, a)

    def test_zeros_of_other_sign_are_equal_whatever_the_dtype(self):
        for dtype in FLOATS:
            want = self.check(np.array([0.0, -0.0, 0.0, -0.0], dtype), np.array([0.0, -0.0, -0.0, 0.0]))
            self.assertEqual((want["equal"], want["zero_signs"], want["passes"]), (4, 2, True))

    def test_errors_are_summed_exactly(self):
        a = np.array([1e308, 1e308, 1.0, -1e308, -1e308, 5e-324, 2.0 ** -60])
        self.check(a, np.zeros(7))
        self.check(np.zeros(7), a)
        self.check(np.full(1000, 0.1), np.zeros(1000))
        self.check(np.full(3, 0.1, "f4"), np.full(3, 0.1))
        want = self.check([LARGEST], [-LARGEST])
        self.assertEqual((want["mean_error"], want["max_abs"]["value"], want["needed_atol"]), (None, None, None))

    def test_ordinary_arrays_pass_where_numpy_lets_them(self):
        for rtol, atol in itertools.product((0.0, 1e-7, 1e-3, 0.1), (0.0, 1e-8, 1e-2, 1.0)):
            for factor in (0.0, 0.9, 1.1):
                b = self.random.normal(0, 10, (20, 5))
                a = b + factor * (atol + rtol * abs(b)) * self.random.choice([-1, 1], b.shape)
                try:
                    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
                    want = DONE
                except AssertionError:
                    want = DIFFERS
                self.arrays(a, b)
                self.assertEqual(self.answer(rtol=rtol, atol=atol), want, (rtol, atol, factor))

    # ---- --axis, --bits, --equal-nan -------------------------------------------------------------

    def test_channels_of_every_axis_are_those_of_their_values(self):
        for a_dtype, b_dtype in (("f8", "f8"), ("f4", "f4"), ("f4", "f8"), ("i4", "i4"), ("i2", "f2")):
            for order in "CF":
                for axis in range(-4, 4):
                    a, b = self.two(a_dtype, b_dtype, 360)
                    self.check(np.asarray(a.reshape(3, 4, 5, 6), order=order), b.reshape(3, 4, 5, 6), axis=axis,
                               ulp=2, equal_nan=True)

    def test_the_ten_worst_channels_are_shown_the_worst_first(self):
        b = self.random.normal(0, 1, (4, 25, 3))
        a = b.copy()
        a[1, 7, 2] = np.nan           # first: a value that passes with no tolerance,
        a[0, 20, 0] = np.inf
        a[2, 20, 1] = np.nan          # or two of them,
        a[3, 3, 0] = np.nextafter(b[3, 3, 0], 9)  # then steps,
        a[3, 4, 0] = b[3, 4, 0] * 2
        b[0, 9, 0], a[0, 9, 0] = 1.0, 1.5         # then size,
        b[0, 8, 0], a[0, 8, 0] = 2.0, 3.0
        b[0, 11, 0], a[0, 11, 0] = 1.0, 1.5
        b[0, 12, 0] = a[0, 12, 0] = np.nan        # and last the number.
        want = self.check(a, b, axis=1)
        shown = [c["channel"] for c in want["channels"]]
        self.assertEqual(shown[:2], [20, 7])
        self.assertEqual([c for c in shown if c in (8, 9, 11)], [8, 9, 11])
        self.assertEqual(len(shown), 10)
        self.check(np.asfortranarray(a), b, axis=1, equal_nan=True)
        self.check(np.moveaxis(a, 1, 2), np.moveaxis(b, 1, 2), axis=-1)
        self.check(np.moveaxis(a, 1, 0), np.moveaxis(b, 1, 0), axis=0)
        self.assertEqual([c["channel"] for c in self.check(b, b, axis=1)["channels"]], list(range(10)))
        self.assertEqual(len(self.check(a[:, :9], b[:, :9], axis=1)["channels"]), 9)

    def test_bits_are_the_same_or_not(self):
        nans = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001], "u8").view("f8")
        a = np.concatenate([nans, nans, [0.0, -0.0, 0.0, np.inf, 1.0]])
        b = np.concatenate([nans, nans[::-1], [0.0, -0.0, -0.0, np.inf, 1.0]])
        want = self.check(a, b, bits=True)
        self.assertEqual((want["beyond"], want["both_nan"], want["equal"]), (5, 8, 5))
        self.check(a.astype(">f8"), b, bits=True)
        self.check(a[:4], a[:4], bits=True)
        self.passes(bits=True)
        self.differs()
        self.check(b.reshape(1, 13), a.reshape(1, 13), bits=True, axis=1)
        for dtype in DTYPES:
            x, y = self.two(dtype, dtype, 60)
            self.check(x, y, bits=True)
            self.check(x.astype(">" + dtype), y.astype("<" + dtype), bits=True)
            self.check(x.reshape(3, 20), np.asfortranarray(x.reshape(3, 20)), bits=True)
            self.passes(bits=True)

    def test_any_bits_are_compared_exactly(self):
        for width, exponents in ((2, 0x7C00), (4, 0x7F800000), (8, 0x7FF0000000000000)):
            bits = self.random.integers(0, 2 ** (8 * width), (2, 300), "u%d" % width)
            bits[:, :100] |= bits.dtype.type(exponents)  # NaN of many kinds
            bits[1, ::7] = bits[0, ::7]
            bits[1, 3::7] = bits[0, 3::7] ^ bits.dtype.type(1)
            a, b = bits.view("f%d" % width).reshape(2, 10, 30)
            for how in ({"bits": True}, {"equal_nan": True, "ulp": 1}, {"axis": 1}, {"axis": 0, "bits": True}):
                self.check(a, b, **how)

    def test_nan_beside_nan_passes_only_where_it_is_said(self):
        a = np.array([np.nan, 1.0, np.nan])
        for tolerance in ({}, {"ulp": 9}, {"atol": 1e300}, {"rtol": 1e300}):
            self.check(a, a, **tolerance)
            self.differs(**tolerance)
            self.check(a, a, equal_nan=True, **tolerance)
            self.passes(equal_nan=True, **tolerance)
        self.check(a.reshape(3, 1), -a[::-1].reshape(3, 1), equal_nan=True, axis=0)
        self.arrays(a, np.array([np.nan, 1.0, 1.0]))
        self.differs(equal_nan=True, ulp=2 ** 53, atol=1e300)

    def test_a_pair_passes_by_steps_or_by_distance(self):
        self.arrays([5e-324, float(np.nextafter(1e300, 2e300))], [1e-300, 1e300])
        self.differs(atol=1e-200)
        self.differs(ulp=1)
        self.passes(atol=1e-200, ulp=1)
        self.check(self.load("a.npy"), self.load("b.npy"), atol=1e-200, ulp=1)

    # ---- Many values -----------------------------------------------------------------------------

    def large(self, a_dtype, b_dtype, shape):
        b = self.random.normal(0, 1, shape).astype("f2").astype(b_dtype)
        a = b.astype(a_dtype)
        flat = a.reshape(-1)
        for i in self.random.integers(0, flat.size, 20).tolist():
            flat[i] = flat[i] * 2 + 1
        for i in self.random.integers(0, flat.size, 20).tolist():
            flat[i] = np.nextafter(flat[i], flat.dtype.type(9))
        for i in (0, 1023, 65535, 65536, flat.size - 1):
            flat[i] = -flat[i]
        return a, b

    def check_threads(self, a, b, **how):
        run = self.compare("--json", *flags_of(**how), "--threads=1")
        self.assert_says(run, compared(a, b, **how), (a.dtype, b.dtype, how))
        for more in (["--threads=2"], ["--threads=7"], ["--quiet"], ["--no-progress"]):
            self.assertEqual(self.compare("--json", *flags_of(**how), *more).stdout, run.stdout)
        text = [self.compare(*flags_of(**how), "--threads=%d" % n).stdout for n in (1, 2)]
        self.assertEqual(text[0], text[1])

    def test_many_values_and_threads_give_the_same_bytes(self):
        for a_dtype, b_dtype, a_order, how in (
                ("f4", "f4", "C", {}), ("f8", "f8", "C", {"axis": 1, "atol": 0.5}), ("f8", "f4", "F", {"axis": -1, "ulp": 3}),
                ("f2", "f4", "C", {"axis": 0, "rtol": 0.25})):
            a, b = self.large(a_dtype, b_dtype, (30, 100, 100))
            a = np.asarray(a, order=a_order)
            self.arrays(a, b)
            self.check_threads(a, b, **how)

    def test_many_equal_values_are_equal(self):
        for dtype in ("f4", "f8", "i4"):
            a = (100 * self.random.normal(0, 1, 300000)).astype(dtype)
            self.arrays(a, a)
            self.assert_says(self.compare("--json"), compared(a, a))
            self.passes(bits=True)
            a = a.copy()
            for i in (0, 131071, 299999):
                changed = a.copy()
                changed[i] += 1
                self.save("a.npy", changed)
                run = self.compare("--json")
                got = json.loads(run.stdout)
                self.assertEqual((run.returncode, got["equal"], got["beyond"]), (DIFFERS, 299999, 1))
                self.assertEqual(got["max_abs"]["index"], [i])
                self.differs(bits=True)

    def test_many_values_that_all_differ_are_compared_exactly(self):
        b = self.random.normal(0, 1, (20, 30, 15))
        for dtype in FLOATS:
            a = b.astype(dtype)
            self.check(a, b, axis=1, more=["--threads=2"])
            self.check(np.nextafter(a, a.dtype.type(0)), a, axis=2, more=["--threads=2"])

    # ---- Standard input --------------------------------------------------------------------------

    def test_either_array_comes_from_standard_input(self):
        for order in "CF":
            a, b = self.two("f4", "f8", 240)
            a, b = np.asarray(a.reshape(4, 60), order=order), b.reshape(4, 60)
            self.arrays(a, b)
            for how in ({}, {"axis": 1, "ulp": 1}):
                want = compared(a, b, **how)
                for inputs, piped in ((("-", "b.npy"), a), (("a.npy", "-"), b)):
                    flags = ["--json", *flags_of(**how)]
                    run = self.compare(*flags, inputs=inputs, stdin=saved(piped), env={"TMPDIR": self.path()})
                    self.assert_says(run, want, (inputs, how))
                    with open(self.path("a.npy" if inputs[0] == "-" else "b.npy"), "rb") as file:
                        self.assert_says(self.compare(*flags, inputs=inputs, stdin=file), want, (inputs, how))

    def test_an_array_is_equal_to_itself(self):
        self.save("x.npy", self.random.normal(0, 1, (5, 4)))
        self.assertEqual(self.compare(inputs=("x.npy", "x.npy")).returncode, DONE)
        self.assertEqual(self.compare("--bits", inputs=("x.npy", "./x.npy")).returncode, DONE)
        self.assertEqual(self.compare(inputs=("x.npy", "-"), stdin=self.read("x.npy")).returncode, DONE)

    # ---- Text ------------------------------------------------------------------------------------

    def first_line(self, *flags, **more):
        run = self.compare(*flags, **more)
        text = run.stdout.decode()
        self.assertTrue(text.endswith("\n"), text)
        return text.splitlines()[0], run.returncode

    def test_the_first_line_is_the_answer(self):
        b = np.arange(1.0, 361.0).reshape(4, 90)
        self.arrays(b, b)
        for flags, words in (([], "are equal"), (["--ulp", "5"], "are within --ulp 5"), (["--bits"], "have the same bits"),
                             (["--atol", "1e-6"], "are within --atol 1e-06"),
                             (["--atol", "1e-6", "--rtol", "0.001"], "are within --atol 1e-06, --rtol 0.001")):
            self.assertEqual(self.first_line(*flags), ("a.npy and b.npy: all 360 values " + words, DONE))
        a = b.copy()
        a[0, :3] += 1
        self.save("a.npy", a)
        for flags, words in (([], "are not equal"), (["--ulp", "5"], "are not within --ulp 5"),
                             (["--bits"], "do not have the same bits"), (["--rtol=1e-3"], "are not within --rtol 0.001"),
                             (["--atol", "1e-6", "--rtol", "0.001"], "are not within --atol 1e-06, --rtol 0.001"),
                             (["--axis", "1"], "are not equal")):
            self.assertEqual(self.first_line(*flags), ("a.npy and b.npy: 3 of 360 values " + words, DIFFERS))
        self.assertEqual(self.first_line("--atol=1"), ("a.npy and b.npy: all 360 values are within --atol 1", DONE))

    def test_quiet_and_verbose_change_nothing_on_standard_output(self):
        a, b = (x.reshape(6, 40) for x in self.two("f4", "f8", 240))
        for x, code in ((a, DIFFERS), (b, DONE)):
            self.arrays(x, b)
            for flags in (["--equal-nan"], ["--json", "--equal-nan"], ["--axis", "0", "--equal-nan"]):
                plain = self.compare(*flags)
                self.assertEqual(plain.returncode, code)
                quiet = self.compare(*flags, "--quiet")
                before = self.snapshot()
                verbose = self.bn("compare", "a.npy", "b.npy", *flags, "--verbose")
                self.assertEqual((quiet.returncode, quiet.stdout), (code, plain.stdout))
                self.assertEqual((verbose.returncode, verbose.stdout), (code, plain.stdout))
                self.assertIn("a.npy", verbose.stderr)
                self.assertIn("b.npy", verbose.stderr)
                self.assertIn("%d bytes read, 0 bytes written, " % (x.nbytes + b.nbytes), verbose.stderr)
                self.assertEqual(self.snapshot(), before)

    # ---- What is refused -------------------------------------------------------------------------

    def test_shapes_that_differ_are_refused_and_both_named(self):
        for a, b in (((3, 4), (4, 3)), ((12,), (3, 4)), ((), (1,)), ((3, 4), (3, 4, 1)), ((0, 3), (0, 4))):
            self.arrays(np.zeros(a), np.zeros(b))
            for flags in ([], ["--bits"], ["--json"], ["--axis", "0"]):
                message = self.fails(BAD_INPUT, "compare", "a.npy", "b.npy", *flags, mentions=["a.npy", "b.npy"])
                self.assertIn(str(a), message)
                self.assertIn(str(b), message)

    def test_bits_of_two_dtypes_are_not_compared(self):
        for a, b in (("f8", "f4"), ("i8", "f8"), ("i4", "u4"), ("?", "u1")):
            self.arrays(np.ones(3, a), np.ones(3, b))
            self.fails(BAD_INPUT, "compare", "a.npy", "b.npy", "--bits",
                       mentions=["a.npy", "b.npy", np.dtype(a).name, np.dtype(b).name, "--bits"])
        self.arrays(np.ones(3, ">f8"), np.ones(3, "<f8"))
        self.passes(bits=True)

    def test_bits_leave_no_room_for_a_tolerance(self):
        self.arrays(np.ones(3), np.ones(3))
        for flags in (["--atol", "1"], ["--rtol", "0"], ["--ulp", "0"], ["--equal-nan"]):
            self.fails(USAGE, "compare", "a.npy", "b.npy", "--bits", *flags, mentions="--bits")

    def test_standard_input_is_one_array_at_most(self):
        self.fails(USAGE, "compare", "-", "-", stdin=saved(np.ones(3)), mentions="standard input")

    def test_two_arrays_are_named_no_less_and_no_more(self):
        self.arrays(np.ones(3), np.ones(3))
        self.fails(USAGE, "compare")
        self.fails(USAGE, "compare", "a.npy", mentions="B")
        self.fails(USAGE, "compare", "a.npy", "b.npy", "a.npy", mentions="a.npy")

    def test_tolerances_are_numbers_that_are_not_negative(self):
        self.arrays(np.ones(3), np.ones(3))
        for flag in ("--atol", "--rtol"):
            for value in ("-1", "nan", "abc", "", "1e-5x", "1,5", "0x1p-3"):
                self.fails(USAGE, "compare", "a.npy", "b.npy", "%s=%s" % (flag, value), mentions=flag)
        for value in ("-1", "1.5", "abc", "", "1e3", "nan", "99999999999999999999999"):
            self.fails(USAGE, "compare", "a.npy", "b.npy", "--ulp=" + value, mentions="--ulp")
        for flag in ("--atol", "--rtol", "--ulp"):
            self.fails(USAGE, "compare", "a.npy", "b.npy", flag + "=1", flag + "=2", mentions=flag)

    def test_what_cannot_be_compared_is_refused_by_name(self):
        good = saved(np.ones((3, 4)))
        self.write("good.npy", good)
        self.write("text.npy", "no array")
        self.write("cut.npy", good[:-1])
        self.write("more.npy", good + b"\n")
        self.write("two.npy", good + good)
        self.save("complex.npy", np.ones((3, 4), "complex128"))
        os.mkdir(self.path("folder"))
        for bad, code in (("text.npy", BAD_INPUT), ("cut.npy", BAD_INPUT), ("more.npy", BAD_INPUT), ("two.npy", BAD_INPUT),
                          ("complex.npy", BAD_INPUT), ("missing.npy", SYSTEM), ("folder", SYSTEM)):
            for inputs in ((bad, "good.npy"), ("good.npy", bad)):
                for flags in ([], ["--json"], ["--bits"]):
                    self.fails(code, "compare", *inputs, *flags, mentions=bad)
            if code == BAD_INPUT:
                for inputs in (("-", "good.npy"), ("good.npy", "-")):
                    self.fails(code, "compare", *inputs, stdin=self.read(bad), mentions="standard input")

    def test_an_axis_out_of_range_is_refused(self):
        self.arrays(np.ones((3, 4)), np.ones((3, 4)))
        for axis in (2, -3, 63):
            self.fails(BAD_INPUT, "compare", "a.npy", "b.npy", "--axis", axis, mentions=["a.npy", "--axis is %d" % axis, "(3, 4)"])
        for shape in ((), (3,)):  # which have no channels for any command
            self.arrays(np.ones(shape), np.ones(shape))
            self.fails(BAD_INPUT, "compare", "a.npy", "b.npy", "--axis", 0, mentions="a.npy")

    def test_an_answer_that_cannot_be_written_is_no_answer(self):
        self.arrays(np.ones(3), np.ones(3))
        for flags in ([], ["--json"]):
            with open("/dev/full", "wb") as full:
                self.fails(SYSTEM, "compare", "a.npy", "b.npy", *flags, stdout=full, mentions="standard output")


if __name__ == "__main__":
    main()
