"""Every number is the exact one rounded once, to nearest, ties to even: zeros, ties, nasty numbers."""

from fractions import Fraction
import itertools
import math
import re

import numpy as np

import oracle
from harness import BnTest, main

FLOATS = ["float16", "float32", "float64"]
LARGEST = np.finfo("float64").max


def column(values, dtype="float64"):
    return np.array(values, dtype).reshape(-1, 1)


class OracleTest(BnTest):
    """The oracle's rounding, where Python and NumPy can do it as well: of rational numbers."""

    def rational(self):
        """offset, n, exponent, root of d, exponent of d; and the value offset + n / sqrt(d)."""
        bits = int(self.random.choice([1, 20, 53, 62]))
        n = int(self.random.integers(-2 ** bits, 2 ** bits))
        root, exponent = int(self.random.integers(1, 2 ** 20)), int(self.random.integers(-1150, 1000))
        places = int(self.random.integers(-20, 20))
        offset = float(self.random.choice([0.0, 1.0, -5e-324, math.ldexp(self.random.normal(), exponent // 2)]))
        value = Fraction(offset) + Fraction(n, root) * Fraction(2) ** (exponent - places)
        return (offset, n, exponent, root * root, 2 * places), value

    def test_float64_is_rounded_as_python_divides(self):
        for _ in range(3000):
            (offset, n, exponent, d, d_exponent), value = self.rational()
            if n != 0:
                rounded = oracle.Rounder(offset, exponent, d, d_exponent, "float64")(n)
                self.assertEqual(rounded.hex(), oracle.nearest(value).hex())

    def test_narrow_floats_are_rounded_as_numpy_converts(self):
        for dtype in ("float16", "float32"):
            values = np.ldexp(self.random.normal(0, 1, 3000), self.random.integers(-160, 140, 3000))
            values = np.concatenate([values, np.ldexp(self.random.integers(-9000, 9000, 3000) / 2, -25)])
            with np.errstate(over="ignore"):
                want = values.astype(dtype)
            got = [oracle.Rounder(v, 0, 1, 0, dtype)(0) for v in values.tolist()]
            self.assert_bits(np.array(got, dtype), want)

    def test_roots_that_are_not_rational_are_cut_on_the_right_side(self):
        # 1 / sqrt(2) to 200 bits lies between these two.
        root = math.isqrt(2 << 400)
        for sign in (1, -1):
            got = oracle.Rounder(0.0, 0, 2, 0, "float64")(sign)
            below, above = Fraction(root, 2 << 200), Fraction(root + 1, 2 << 200)
            self.assertEqual([got, got], [sign * oracle.nearest(below), sign * oracle.nearest(above)])
            # Halfway to the next number but for the root.
            tiny = oracle.Rounder(1 + 2.0 ** -52, -53, 2, 0, "float64")
            self.assertEqual([tiny(sign), tiny(2 * sign)], [1 + 2.0 ** -52, 1 + 2.0 ** -52 + sign * 2.0 ** -52])


class RoundingTest(BnTest):
    def layer(self, mode="train", gamma=(1.0,), beta=None, eps=1e-5, mean=None, var=None):
        self.mode, self.eps, self.gamma = mode, eps, list(gamma)
        self.beta = list(beta) if beta is not None else [0.0] * len(self.gamma)
        self.running = (mean or [0.0] * len(self.gamma), var or [1.0] * len(self.gamma))
        self.state(mode=mode, eps=eps, gamma=self.gamma, beta=self.beta, running_mean=self.running[0],
                   running_var=self.running[1], num_batches_tracked=1)

    def statistics(self):
        return self.running if self.mode == "test" else ()

    def counted(self, run, what, want, *operands):
        """The warning counts just the infinities that finite operands have become."""
        infinite = int((np.isinf(want) & np.all([np.isfinite(o) for o in operands], axis=0)).sum())
        found = re.findall(r"(\d+) values? of %s (?:are|is) beyond the range of" % what, run.stderr)
        self.assertEqual(found, [str(infinite)] if infinite else [], run.stderr)

    def y(self, x, dtype=None):
        """y of the program, which is that of the oracle."""
        self.save("x.npy", x)
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update",
                      *(("--dtype", dtype) if dtype else ()))
        y = self.load("y.npy")
        want = oracle.forward(x, 1, self.gamma, self.beta, self.eps, *self.statistics(), dtype=dtype)
        self.assert_bits(y, want, (self.mode, self.eps, dtype))
        self.assertFalse(np.isnan(y[np.isfinite(x)]).any())
        self.counted(run, "y", want, x)
        return y

    def gradients(self, x, dy, dtype=None):
        """dx, dgamma and dbeta of the program, which are those of the oracle; None where they are beyond double."""
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        want = oracle.backward(x, dy, 1, self.gamma, self.eps, *self.statistics(), dtype=dtype)
        names = ["dx"] + [n for n in ("dgamma", "dbeta") if np.isfinite(getattr(want, n)).all()]
        run = self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json",
                      *[word for n in names for word in ("--" + n, n + ".npy")], *(("--dtype", dtype) if dtype else ()))
        got = {n: self.load(n + ".npy") for n in names}
        for name, array in got.items():
            self.assert_bits(array, getattr(want, name), (name, self.mode, self.eps, dtype))
        self.counted(run, "dx", want.dx, dy)
        return [got.get(n) for n in ("dx", "dgamma", "dbeta")]

    def assert_digits(self, array, *texts):
        self.assertEqual(["%.2e" % v for v in array.ravel()], list(texts))

    # ---- What double arithmetic gets wrong -------------------------------------------------------

    def test_an_element_beside_the_mean_has_all_its_digits(self):
        x = column([1, 1e-35, 0.5], "float32")
        self.layer()
        self.assert_digits(self.y(x)[2], "-8.16e-36")
        self.assert_digits(self.gradients(x, column([1, -1, 0], "float32"))[0][2], "1.63e-35")

    def test_subnormal_gradients_are_not_rounded_before_they_are_scaled_up(self):
        self.layer(eps=1e-100)
        dx = self.gradients(column([7, 7, 7]), column([5e-324, 0, 0]))[0]
        self.assert_digits(dx, "3.29e-274", "-1.65e-274", "-1.65e-274")

    def test_a_subnormal_gamma_is_not_rounded_with_the_deviation(self):
        self.layer("test", gamma=[5e-324], var=[2.0])
        self.assert_digits(self.gradients(column([0]), column([1e308]), "float32")[0], "3.49e-16")

    def test_finite_results_of_test_mode_need_no_finite_steps(self):
        self.layer("test", gamma=[1e300], eps=1e-20, var=[0.0])
        self.assert_digits(self.y(column([1e-20, 0])), "1.00e+290", "0.00e+00")
        self.layer("test", eps=1.7e308, var=[1.7e308])
        self.assert_digits(self.y(column([1e150, 0])), "5.42e-05", "0.00e+00")
        self.layer("test", mean=[-1.7e308], var=[1e300])
        self.assert_digits(self.y(column([1.7e308, 0])), "3.40e+158", "1.70e+158")
        self.layer("test", gamma=[1e200], eps=1e-290, var=[0.0])
        self.assert_digits(self.gradients(column([0]), column([1e-300]))[0], "1.00e+45")

    def test_small_values_between_huge_ones_have_all_their_digits(self):
        self.layer(gamma=[1e300])
        y = self.y(column([1e150, -1e150, 1e-310, 3e-310, 1.1e-310]))
        self.assertEqual(len(set(y.ravel().tolist())), 5)

    # ---- Zeros -----------------------------------------------------------------------------------

    def test_a_constant_channel_gives_beta_with_its_sign(self):
        betas = [-0.0, 0.0, 1.5, -5e-324, -1e-50]
        for dtype, gamma, mode in itertools.product(FLOATS, (1.5, -1.5, 0.0, -0.0), ("train", "test")):
            self.layer(mode, [gamma] * 5, betas, mean=[7.0] * 5)
            y = self.y(np.full((8, 5), 7.0), dtype)
            self.assertEqual([v.hex() for v in y[0].tolist()], [float(np.dtype(dtype).type(b)).hex() for b in betas])
            self.assertEqual(len(np.unique(y, axis=0)), 1)
            self.assertEqual(np.signbit(y).tolist(), [[True, False, False, True, True]] * 8)

    def test_a_gamma_of_zero_gives_beta_with_its_sign(self):
        for mode, gamma in itertools.product(("train", "test"), (0.0, -0.0)):
            self.layer(mode, [gamma] * 3, [-0.0, 0.0, -2.5])
            y = self.y(self.random.normal(0, 1, (8, 3)))
            self.assertEqual([[v.hex() for v in row] for row in y.tolist()],
                             [[(-0.0).hex(), (0.0).hex(), (-2.5).hex()]] * 8)

    def test_a_sum_of_exactly_zero_is_positive(self):
        # y = x - 1.5, and 1.5 - x: zero comes of two terms that are none.
        self.layer("test", [1.0, -1.0], [-1.5, 1.5], eps=0.25, var=[0.75] * 2)
        for dtype in FLOATS:
            y = self.y(np.array([[1.5, 1.5], [-0.0, 0.0]]), dtype)
            self.assertEqual(y.tolist(), [[0.0, 0.0], [-1.5, 1.5]])
            self.assertFalse(np.signbit(y[0]).any())

    def test_gradients_that_are_exactly_zero_are_positive(self):
        for mode, gamma in itertools.product(("train", "test"), (0.0, -0.0, -2.0)):
            self.layer(mode, [gamma] * 2)
            x = self.random.normal(0, 1, (8, 2))
            for dy in (np.zeros((8, 2)), np.full((8, 2), -0.0)):
                for gradient in self.gradients(x, dy):
                    self.assertEqual(np.signbit(gradient).any() or gradient.any(), False)
            if gamma == 0:
                dx = self.gradients(x, self.random.normal(0, 1, (8, 2)))[0]
                self.assertEqual(np.signbit(dx).any() or dx.any(), False)

    def test_what_rounds_to_zero_keeps_its_sign(self):
        for mode, dtype in itertools.product(("train", "test"), FLOATS):
            self.layer(mode, [5e-324, -5e-324], eps=1e10)
            x = np.array([[1.0, 1.0], [-1.0, -1.0]])
            for result in (self.y(x, dtype), self.gradients(x * 2 ** 0.5, x, dtype)[0]):
                self.assertFalse(result.any())
                self.assertEqual(np.signbit(result).tolist(), [[False, True], [True, False]])

    # ---- Ties and the ends of the range ----------------------------------------------------------

    def test_ties_go_to_even(self):
        # y = x + beta, then y = x / 2
        self.layer("test", [1.0], [2.0 ** -53], eps=0.5, var=[0.5])
        one = 2.0 ** -52
        y = self.y(column([1, 1 + one, 1 + 2 * one, -1, -1 - one]))
        self.assertEqual(y.ravel().tolist(), [1, 1 + 2 * one, 1 + 2 * one, -1 + one / 2, -1])
        self.layer("test", [0.5], eps=0.5, var=[0.5])
        for dtype, least in (("float16", 2.0 ** -24), ("float32", 2.0 ** -149), ("float64", 2.0 ** -1074)):
            x = column(np.arange(-9, 10) * least)
            want = [-4, -4, -4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 4]
            self.assertEqual((self.y(x, dtype).ravel() / np.dtype(dtype).type(least)).tolist(), want)
            self.assertEqual((self.gradients(x, x, dtype)[0].ravel() / np.dtype(dtype).type(least)).tolist(), want)

    def next_to_tie(self, digits, gamma, beta, var):
        """x, mean and a tie: gamma * (x - mean) / sqrt(var + eps) + beta is 2^-106 of its larger term from it, or less."""
        tie = Fraction(2 * int(self.random.integers(2 ** (digits - 1), 2 ** digits)) + 1, 2 ** digits)
        term = tie - Fraction(beta)
        square = (term / Fraction(gamma)) ** 2 * (Fraction(var) + Fraction(self.eps))
        target = Fraction(math.isqrt(int(square * 4 ** 300)), 2 ** 300) * (1 if term > 0 else -1)
        x = oracle.nearest(target)
        return x, oracle.nearest(Fraction(x) - target), tie

    def test_what_lies_next_to_a_tie_falls_on_its_own_side(self):
        # Where y is the small difference of a large beta, it takes more digits to tell.
        for (out, digits), size in itertools.product((("float16", 11), ("float32", 24), ("float64", 53)), (0, 1, 1e6, 1e15)):
            gammas, variances = self.random.uniform(0.5, 2, (2, 500)).tolist()
            betas = (size * self.random.normal(0, 1, 500)).tolist()
            self.layer("test", gammas, betas, var=variances)
            x, mean, ties = zip(*(self.next_to_tie(digits, *each) for each in zip(gammas, betas, variances)))
            # Each of the two may be the large one.
            for x, mean in ((x, mean), ([-m for m in mean], [-v for v in x])):
                self.layer("test", gammas, betas, mean=list(mean), var=variances)
                y = self.y(np.array([x]), out)
                sides = [(Fraction(v) - tie) * 2 ** digits for v, tie in zip(y.ravel().tolist(), ties)]
                self.assertEqual(set(sides), {1, -1}, (out, size))

    def test_gradients_next_to_a_tie_fall_on_its_own_side(self):
        # Of narrow results: as near as the last bit of dy brings them.
        for out, digits in (("float16", 11), ("float32", 24)):
            gammas, variances = self.random.uniform(0.5, 2, (2, 500)).tolist()
            self.layer("test", gammas, var=variances)
            dy = [self.next_to_tie(digits, gamma, 0.0, var)[0] for gamma, var in zip(gammas, variances)]
            self.gradients(np.zeros((1, 500)), np.array([dy]), out)

    def test_a_batch_of_ties_goes_to_even_in_train_mode(self):
        # var + eps is 1, so y is gamma * x: gamma has one bit more than the result.
        for dtype, digits in (("float16", 11), ("float32", 24)):
            ulp = 2.0 ** (1 - digits)
            self.layer(gamma=[1 + ulp / 2, 1 + 3 * ulp / 2], eps=0.75)
            y = self.y(np.array([[0.5, 0.5], [-0.5, -0.5]] * 4), dtype)
            self.assertEqual(y.tolist(), [[0.5, 0.5 + ulp], [-0.5, -0.5 - ulp]] * 4)

    def test_overflow_begins_halfway_beyond_the_largest_number(self):
        half = 2.0 ** 970  # of the last place of the largest double
        self.layer("test", [1.0] * 3, [half, np.nextafter(half, 0), -half], eps=0.5, var=[0.5] * 3)
        y = self.y(np.array([[LARGEST] * 3, [-LARGEST] * 3]))
        self.assertEqual(y.tolist(), [[math.inf, LARGEST, LARGEST - half], [-LARGEST + half, -LARGEST, -math.inf]])
        self.layer("test", [1.0], eps=0.5, var=[0.5])
        for dtype, bound in (("float16", 65520.0), ("float32", 2.0 ** 128 - 2.0 ** 103)):
            largest = float(np.finfo(dtype).max)
            x = column([bound, np.nextafter(bound, 0), -bound, -np.nextafter(bound, 0), np.nextafter(bound, 2 * bound)])
            want = [math.inf, largest, -math.inf, -largest, math.inf]
            self.assertEqual(self.y(x, dtype).ravel().tolist(), want)
            self.assertEqual(self.gradients(x, x, dtype)[0].ravel().tolist(), want)

    def test_nan_and_infinity_in_test_mode_are_those_of_ieee_754(self):
        gammas = [1.5, -1.5, 0.0, 5e-324, -1e300]
        for dtype, out in itertools.product(FLOATS, FLOATS):
            self.layer("test", gammas, [1e300, 0.0, 1.0, 0.0, -1e300], mean=[3.0] * 5, var=[1e300] * 5)
            x = np.repeat(np.array([[math.nan], [math.inf], [-math.inf], [1.0], [-0.0]]), 5, axis=1).astype(dtype)
            y = self.y(x, out)
            self.assertEqual(np.isnan(y[:3]).tolist(), [[True] * 5, [False, False, True, False, False],
                                                        [False, False, True, False, False]])
            self.save("dy.npy", x)
            self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy", "--dtype", out)
            want = oracle.backward(np.zeros(x.shape), x, 1, gammas, self.eps, *self.running, dtype=out).dx
            self.assert_bits(self.load("dx.npy"), want, (dtype, out))

    # ---- Values ----------------------------------------------------------------------------------

    def test_integers_beyond_two_to_the_53_keep_what_tells_them_apart(self):
        near = self.random.integers(-3, 4, (9, 2))
        for x in (np.array([2 ** 53, -2 ** 60]) + near, np.array([2 ** 63 - 4, -2 ** 63 + 3]) + near,
                  np.array([2 ** 64 - 4, 2 ** 63], "uint64") + near.astype("uint64")):
            dy = self.random.normal(0, 1, x.shape)
            for mode, out in itertools.product(("train", "test"), FLOATS):
                # In test mode the mean is the nearest double to what the values lie around.
                self.layer(mode, [1.5, -0.5], [0.25, 3.0], mean=[float(int(v)) for v in x[0]], var=[2.0, 1e-3])
                y = self.y(x, out)
                self.assertGreater(len(np.unique(y[:, 0])), 2)
                self.gradients(x, dy, out)

    def test_every_float16_is_rounded_once(self):
        x = np.arange(2 ** 16, dtype="uint16").view("float16")
        x = x[np.isfinite(x)].reshape(-1, 1)
        self.layer(gamma=[-0.7], beta=[0.3])
        for out in FLOATS:
            self.y(x, out)

    NASTY = {
        "normal": lambda r, m: r.normal(0, 1, m),
        "magnitudes of every size": lambda r, m: np.ldexp(r.normal(0, 1, m), r.integers(-1070, 1020, m)),
        "1e-300 beside 1e300": lambda r, m: r.choice([1e-300, 1e300, -1e300, 1.0, 3e-300], m),
        "one outlier": lambda r, m: np.where(np.arange(m) == m // 2, 1e20, r.normal(0, 1, m)),
        "nearly constant": lambda r, m: 1 + r.integers(0, 3, m) * 2.0 ** -52,
        "a mean of 1e15 deviations": lambda r, m: 1e15 + r.integers(-8, 9, m) / 8,
        "few digits": lambda r, m: r.integers(-4, 5, m) / 4,
        "two values": lambda r, m: r.choice([0.0, 1.0], m),
        "subnormal": lambda r, m: r.integers(-9, 10, m) * 5e-324,
        "subnormal in float32": lambda r, m: r.integers(-9, 10, m) * 2.0 ** -149,
        "the largest": lambda r, m: r.choice([-1, 1], m) * LARGEST,
        "constant": lambda r, m: np.full(m, 0.1),
        "zeros": lambda r, m: r.choice([0.0, -0.0], m),
    }
    FACTORS = [1.0, -1.0, 0.0, 5e-324, -5e-324, 1e-300, 1e300, -LARGEST, 1e10, 0.7, 1 + 2.0 ** -24, 1e-40]
    OFFSETS = [0.0, -0.0, 1.0, -0.3, 5e-324, 1e300, -LARGEST, 1e-300, 2.0 ** -25]

    def nasty(self, m, dtype):
        """(x, dy) of shape (m, C): every kind of x with every kind of dy, and with dy nearly a x + b."""
        columns = []
        for x, dy in itertools.product(self.NASTY.values(), [*self.NASTY.values(), None]):
            x = x(self.random, m)
            with np.errstate(over="ignore", invalid="ignore"):
                dy = dy(self.random, m) if dy else np.nan_to_num(0.75 * x / (abs(x).max() or 1) + 0.5)
                largest = float(np.finfo(dtype).max)
                columns.append([np.clip(v, -largest, largest).astype(dtype) for v in (x, dy)])
        return (np.stack(rows, axis=1) for rows in zip(*columns))

    def check_nasty(self, m, dtype, eps):
        x, dy = self.nasty(m, dtype)
        channels = x.shape[1]
        for mode, out in itertools.product(("train", "test"), FLOATS):
            with self.subTest(m=m, dtype=dtype, eps=eps, mode=mode, out=out):
                self.layer(mode, self.random.choice(self.FACTORS, channels).tolist(),
                           self.random.choice(self.OFFSETS, channels).tolist(), eps,
                           self.random.choice(self.OFFSETS, channels).tolist(),
                           abs(self.random.choice(self.FACTORS, channels)).tolist())
                self.y(x, out)
                self.gradients(x, dy, out)

    def test_nasty_numbers_are_rounded_once(self):
        lengths = itertools.cycle((2, 3, 9))
        for dtype, eps in itertools.product(FLOATS, (1e-5, 5e-324, 1e-290, 1e308)):
            self.check_nasty(next(lengths), dtype, eps)


if __name__ == "__main__":
    main()
