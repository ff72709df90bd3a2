"""What the results have to be, computed a second time and in another way.

Exact: rationals (fractions.Fraction) for everything up to the variance, 60 decimal digits after it, where
a square root comes in. `Bounds` measures a result in units of the last place of its largest term.
Plain: the textbook NumPy code in float64, as users write it.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
import math

import numpy as np

DIGITS = 60

# dtype -> (bits of the significand, exponent of the smallest normal number)
FORMATS = {"float16": (11, -14), "float32": (24, -126), "float64": (53, -1022)}


def fraction(value):
    """The exact value of a NumPy scalar."""
    if isinstance(value, np.integer):
        return Fraction(int(value))
    return Fraction(float(value))


def decimal(value):
    """A Fraction, or a double, as a Decimal of DIGITS digits."""
    value = Fraction(value)
    return Decimal(value.numerator) / Decimal(value.denominator)


def ulp(magnitude, dtype):
    """The unit in the last place of a number of this magnitude, as an exact Decimal."""
    digits, smallest = FORMATS[str(dtype)]
    exponent = math.frexp(float(magnitude))[1] - 1 if magnitude else smallest
    return Decimal(2) ** (max(exponent, smallest) - digits + 1)


def by_channel(array, axis):
    """The array as (C, m)."""
    moved = np.moveaxis(array, axis, 0)
    return moved.reshape(moved.shape[0], -1)


def from_channels(rows, shape, axis):
    """The inverse of by_channel."""
    axis = axis % len(shape)
    moved = (shape[axis],) + shape[:axis] + shape[axis + 1:]
    return np.moveaxis(np.asarray(rows).reshape(moved), 0, axis)


class Statistics:
    """Exact batch statistics of each channel: lists of Fraction."""

    def __init__(self, x, axis):
        self.mean, self.var, self.var_unbiased = [], [], []
        for row in by_channel(x, axis):
            values = [fraction(v) for v in row]
            m = len(values)
            total, squares = sum(values), sum(v * v for v in values)
            self.m = m
            self.mean.append(total / m)
            self.var.append(squares / m - (total / m) ** 2)
            self.var_unbiased.append(
                (squares - total * total / m) / (m - 1) if m > 1 else None)

    def rounded(self, name):
        return [float(v) for v in getattr(self, name)]


def _inv_std(var, eps):
    return 1 / (decimal(var) + decimal(eps)).sqrt()


class Terms:
    """Expected values with, for each, its largest term; both as Decimal arrays of one shape."""

    def __init__(self, values, largest):
        self.values = values
        self.largest = largest

    def worst(self, result, dtype=None):
        """The largest error of a result in units of the last place of the largest term."""
        dtype = str(dtype or result.dtype)
        worst = Decimal(0)
        with localcontext() as context:
            context.prec = DIGITS
            for got, value, largest in zip(result.ravel().tolist(), self.values.ravel(),
                                           self.largest.ravel()):
                if not math.isfinite(got):
                    return math.inf
                worst = max(worst, abs(Decimal(got) - value) / ulp(largest, dtype))
        return float(worst)


def _assemble(rows, x, axis):
    table = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=object)
    for c, row in enumerate(rows):
        for i, value in enumerate(row):
            table[c, i] = value
    return from_channels(table, x.shape, axis)


def forward(x, axis, gamma, beta, eps, running_mean=None, running_var=None):
    """y with its largest terms gamma * x_hat, beta and y; with running statistics: test mode."""
    with localcontext() as context:
        context.prec = DIGITS
        if running_mean is None:
            batch = Statistics(x, axis)
            running_mean, running_var = batch.mean, batch.var
        values, largest = [], []
        for c, row in enumerate(by_channel(x, axis)):
            mean = Fraction(running_mean[c])
            scale = decimal(gamma[c]) * _inv_std(Fraction(running_var[c]), eps)
            b = decimal(beta[c])
            products = [scale * decimal(fraction(v) - mean) for v in row]
            values.append([p + b for p in products])
            largest.append([max(abs(p), abs(b), abs(p + b)) for p in products])
        return Terms(_assemble(values, x, axis), _assemble(largest, x, axis))


class Gradients:
    """dx as Terms; dgamma as Terms; dbeta as Fractions."""

    def __init__(self, dx, dgamma, dbeta):
        self.dx, self.dgamma, self.dbeta = dx, dgamma, dbeta


def backward(x, dy, axis, gamma, eps, running_mean=None, running_var=None):
    """dx with its largest terms; with running statistics: test mode."""
    train = running_mean is None
    with localcontext() as context:
        context.prec = DIGITS
        if train:
            batch = Statistics(x, axis)
            running_mean, running_var = batch.mean, batch.var
        dx, largest, dgamma, dbeta = [], [], [], []
        for c, (row, up) in enumerate(zip(by_channel(x, axis), by_channel(dy, axis))):
            mean, m = Fraction(running_mean[c]), len(row)
            inv_std = _inv_std(Fraction(running_var[c]), eps)
            g = decimal(gamma[c])
            xs = [fraction(v) - mean for v in row]
            dys = [fraction(v) for v in up]
            total = sum(dys, Fraction(0))
            product = inv_std * decimal(sum((a * b for a, b in zip(xs, dys)), Fraction(0)))
            dbeta.append(total)
            dgamma.append(product)
            rows, sizes = [], []
            for a, b in zip(xs, dys):
                first = g * inv_std * decimal(b)
                if train:
                    second = g * inv_std * decimal(total / m)
                    third = g * inv_std * inv_std * decimal(a / m) * product
                    value = first - second - third
                    rows.append(value)
                    sizes.append(max(abs(first), abs(second), abs(third), abs(value)))
                else:
                    rows.append(first)
                    sizes.append(abs(first))
            dx.append(rows)
            largest.append(sizes)
        table = np.array(dgamma, dtype=object)
        return Gradients(Terms(_assemble(dx, x, axis), _assemble(largest, x, axis)),
                         Terms(table, abs(table)), dbeta)


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
