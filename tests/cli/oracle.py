"""What the results have to be, computed a second time and in another way.

Exact: integers and rationals throughout, the root by math.isqrt, and one rounding at the very end.
Plain: the textbook NumPy code in float64, as users write it.
"""

from fractions import Fraction
import math

import numpy as np

# dtype: bits of the significand, exponents of the smallest number and of the largest power of two
FORMATS = {"float16": (11, -24, 15), "float32": (24, -149, 127), "float64": (53, -1074, 1023)}
# Results are cut into units of 2^-PLACES before they are rounded: half of the smallest double, so that
# every number halfway between two of any dtype is a whole number of units.
PLACES = 1075


def by_channel(array, axis):
    """The array as (C, m)."""
    moved = np.moveaxis(array, axis, 0)
    return moved.reshape(moved.shape[0], -1)


def from_channels(rows, shape, axis, dtype):
    """The inverse of by_channel."""
    axis = axis % len(shape)
    moved = (shape[axis],) + shape[:axis] + shape[axis + 1:]
    return np.moveaxis(np.array(rows, dtype).reshape(moved), 0, axis)


def integers(values):
    """([n, ...], e) with value = n * 2^e for finite Python floats and ints."""
    ratios = [v.as_integer_ratio() for v in values]
    places = max(d for _, d in ratios).bit_length() - 1
    return [n << (places + 1 - d.bit_length()) for n, d in ratios], -places


def fraction(number, exponent=0):
    """The exact value of a NumPy scalar, or of number * 2^exponent."""
    return Fraction(number.item() if isinstance(number, np.generic) else number) * Fraction(2) ** exponent


def nearest(value):
    """The double nearest to a Fraction: Python divides integers with one rounding, ties to even."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def cut(units, whole, dtype):
    """(units, and a part of one unless whole) * 2^-PLACES, units >= 0: to nearest, ties to even."""
    digits, smallest, largest = FORMATS[dtype]
    dropped = max(units.bit_length() - digits, smallest + PLACES)
    kept, rest, half = units >> dropped, units & ((1 << dropped) - 1), 1 << (dropped - 1)
    if rest > half or (rest == half and (not whole or kept % 2 == 1)):
        kept += 1
    if kept.bit_length() - 1 + dropped - PLACES > largest:
        return math.inf
    return math.ldexp(kept, dropped - PLACES)


class Rounder:
    """offset + n * 2^exponent / sqrt(d * 2^d_exponent), rounded once, for one n after the other; d > 0."""

    def __init__(self, offset, exponent, d, d_exponent, dtype):
        (number,), places = integers([offset])
        self.offset, self.dtype = offset, dtype
        self.base = number << (PLACES + places)
        bits = 2 * (exponent + PLACES) - d_exponent
        self.up, self.d = max(bits, 0), d << max(-bits, 0)
        self.known = {}

    def __call__(self, n):
        if n not in self.known:
            self.known[n] = self._round(n)
        return self.known[n]

    def _round(self, n):
        if n == 0:  # the offset with its sign, where it is zero, too
            return math.copysign(cut(abs(self.base), True, self.dtype), self.offset)
        square, rest = divmod(n * n << self.up, self.d)
        root = math.isqrt(square)
        whole = rest == 0 and root * root == square
        # Downwards: |n / sqrt(d)| lies at root, or between it and root + 1.
        down = self.base + (root if n > 0 else -root if whole else -root - 1)
        if down >= 0:
            return cut(down, whole, self.dtype)
        return -cut(-down if whole else -down - 1, whole, self.dtype)


class Channel:
    """m, and as integers times 2^exponent: x, S = sum x, V = m^2 (var + eps); in test mode m is 1, S the
    running mean and V the running variance + eps. Values that are not finite are left out of it as zeros."""

    def __init__(self, row, eps, mean=None, var=None):
        self.raw = row.tolist()
        finite = [v if math.isfinite(v) else 0 for v in self.raw]
        if mean is None:
            self.x, self.exponent = integers(finite)
            self.m, self.sum = len(self.x), sum(self.x)
            spread = self.m * sum(v * v for v in self.x) - self.sum * self.sum
            v_exponent = 2 * self.exponent
        else:
            self.m = 1
            (*self.x, self.sum), self.exponent = integers(finite + [mean])
            (spread,), v_exponent = integers([var])
        (small,), small_exponent = integers([eps])
        self.v_exponent = min(v_exponent, small_exponent)
        self.v = ((spread << (v_exponent - self.v_exponent)) +
                  (self.m * self.m * small << (small_exponent - self.v_exponent)))

    def off(self):
        """m x - S for every x."""
        return [self.m * v - self.sum for v in self.x]


def times(value, factor):
    """What IEEE 754 says of value * factor + anything finite, for a value that is not finite."""
    if math.isnan(value) or factor == 0:
        return math.nan
    return value if factor > 0 else -value


class Statistics:
    """Exact batch statistics of each channel: lists of Fraction."""

    def __init__(self, x, axis):
        self.mean, self.var, self.var_unbiased = [], [], []
        for row in by_channel(x, axis):
            values, exponent = integers(row.tolist())
            self.m = m = len(values)
            total, squares = sum(values), sum(v * v for v in values)
            spread = m * squares - total * total
            self.mean.append(fraction(total, exponent) / m)
            self.var.append(fraction(spread, 2 * exponent) / (m * m))
            self.var_unbiased.append(fraction(spread, 2 * exponent) / (m * (m - 1)) if m > 1 else None)

    def rounded(self, name):
        """Doubles; infinite where the statistic is beyond them."""
        return [nearest(v) for v in getattr(self, name)]


def output_dtype(array, dtype):
    """dtype, or without one the array's own, and float64 for integers."""
    return str(dtype or (array.dtype.name if array.dtype.kind == "f" else "float64"))


def forward(x, axis, gamma, beta, eps, running_mean=None, running_var=None, dtype=None):
    """y, every element rounded once; with running statistics: test mode."""
    dtype, rows = output_dtype(x, dtype), []
    for c, row in enumerate(by_channel(x, axis)):
        running = () if running_mean is None else (running_mean[c], running_var[c])
        channel = Channel(row, eps, *running)
        (g,), g_exponent = integers([gamma[c]])
        rounded = Rounder(beta[c], g_exponent + channel.exponent, channel.v, channel.v_exponent, dtype)
        rows.append([rounded(g * off) if math.isfinite(raw) else times(raw, gamma[c])
                     for raw, off in zip(channel.raw, channel.off())])
    return from_channels(rows, x.shape, axis, dtype)


class Gradients:
    """dx, dgamma and dbeta as arrays, every element rounded once."""

    def __init__(self, dx, dgamma, dbeta):
        self.dx, self.dgamma, self.dbeta = dx, np.array(dgamma, "float64"), np.array(dbeta, "float64")


def backward(x, dy, axis, gamma, eps, running_mean=None, running_var=None, dtype=None):
    """With running statistics: test mode. dgamma and dbeta are those of finite x and dy."""
    dtype, dx, dgamma, dbeta = output_dtype(dy, dtype), [], [], []
    for c, (row, up) in enumerate(zip(by_channel(x, axis), by_channel(dy, axis))):
        train = running_mean is None
        channel = Channel(row, eps, *(() if train else (running_mean[c], running_var[c])))
        m, v, v_exponent = channel.m, channel.v, channel.v_exponent
        up = up.tolist()
        dys, exponent = integers([d if math.isfinite(d) else 0 for d in up])
        total = sum(dys)
        both = exponent + channel.exponent
        w = m * sum(a * b for a, b in zip(channel.x, dys)) - channel.sum * total
        dbeta.append(nearest(fraction(total, exponent)))
        dgamma.append(Rounder(0.0, both, v, v_exponent, "float64")(w))
        (g,), g_exponent = integers([gamma[c]])
        if train:
            # (m dy - B) V - (m x - S) W, in units of 2^(exponent + v_exponent)
            w <<= 2 * channel.exponent - v_exponent
            n = [(m * d - total) * v - off * w for d, off in zip(dys, channel.off())]
            rounded = Rounder(0.0, g_exponent + exponent + v_exponent, v ** 3, 3 * v_exponent, dtype)
        else:
            n = dys
            rounded = Rounder(0.0, g_exponent + exponent, v, v_exponent, dtype)
        dx.append([rounded(g * value) if math.isfinite(raw) else times(raw, gamma[c])
                   for raw, value in zip(up, n)])
    return Gradients(from_channels(dx, x.shape, axis, dtype), dgamma, dbeta)


def updated(old, batch, momentum, weights, batches):
    """A running average after one batch, in double arithmetic, in the order written."""
    if momentum is None:
        keep = 1.0 - 1.0 / batches
        take = 1.0 - keep
    elif weights == "running":
        keep, take = momentum, 1.0 - momentum
    else:
        keep, take = 1.0 - momentum, momentum
    return [keep * o + take * b for o, b in zip(old, batch)]


# ---- Plain: NumPy in float64, one row per value, one column per channel --------------------------


def columns(array, axis):
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis]).astype(np.float64)


def plain_forward(x, gamma, beta, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return gamma * x_hat + beta, x_hat, mean, var


def plain_forward_test(x, gamma, beta, eps, running_mean, running_var):
    scale = gamma / np.sqrt(running_var + eps)
    return x * scale + (beta - running_mean * scale)


def plain_backward_by_steps(x, dy, gamma, eps):
    """Through the computational graph, a node at a time: variance, then mean."""
    m = len(x)
    mean, var = x.mean(axis=0), x.var(axis=0)
    inv_std = (var + eps) ** -0.5
    into_x_hat = dy * gamma
    into_var = (into_x_hat * (x - mean)).sum(axis=0) * -0.5 * inv_std ** 3
    into_centred = into_x_hat * inv_std + 2 * (x - mean) * into_var / m
    into_mean = -into_centred.sum(axis=0)
    return into_centred + into_mean / m


def plain_backward_by_formula(x, dy, gamma, eps):
    """The closed form with the derivatives by variance and by mean spelt out."""
    m = len(x)
    mean, var = x.mean(axis=0), x.var(axis=0)
    d_x_hat = dy * gamma
    d_var = (d_x_hat * (x - mean) * -0.5 * (var + eps) ** -1.5).sum(axis=0)
    d_mean = (-d_x_hat / np.sqrt(var + eps)).sum(axis=0) + d_var * (-2 * (x - mean)).mean(axis=0)
    return d_x_hat / np.sqrt(var + eps) + d_var * 2 * (x - mean) / m + d_mean / m
