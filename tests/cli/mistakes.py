"""Batch normalisation in plain NumPy, right and with the mistakes that people make.

Written from the formulas in textbooks and from what the mistakes' names say, in one floating dtype all through;
it shares nothing with bn.
"""

import numpy as np


class Layer:
    """A layer, a batch and the gradient that comes back; every result can be had with other ingredients."""

    def __init__(self, x, dy, axis, gamma, beta, running_mean, running_var, batches=4, eps=1e-3, momentum=0.9,
                 unbiased=False, train=True, dtype="float64"):
        self.number = np.dtype(dtype).type
        (self.x, self.dy, self.gamma, self.beta, self.running_mean, self.running_var) = (
            np.asarray(a).astype(dtype) for a in (x, dy, gamma, beta, running_mean, running_var))
        self.axis = axis % self.x.ndim
        self.axes = tuple(a for a in range(self.x.ndim) if a != self.axis)
        self.batches, self.eps, self.momentum = batches, self.number(eps), self.number(momentum)
        self.settings = {"eps": eps, "momentum": momentum}  # as the state has them
        self.unbiased, self.train, self.dtype = unbiased, train, dtype
        self.m = self.x.size // len(self.gamma)
        self.batch_mean, self.batch_var = self.x.mean(axis=self.axes), self.x.var(axis=self.axes)
        # The estimate that goes into the running variance.
        self.kept_var = self.batch_var * self.number(self.m / (self.m - 1) if unbiased and self.m > 1 else 1)
        self.mean, self.var = ((self.batch_mean, self.batch_var) if train else
                               (self.running_mean, self.running_var))
        self.std = np.sqrt(self.var + self.eps)

    def part(self, x, dy, axis=None, **changes):
        """The same layer on other data."""
        keys = ("gamma", "beta", "running_mean", "running_var", "batches", "unbiased", "train", "dtype")
        return Layer(x, dy, self.axis if axis is None else axis,
                     **{**self.settings, **{key: getattr(self, key) for key in keys}, **changes})

    def state(self, axis=None):
        """The state file before the pass."""
        return {"mode": "train" if self.train else "test", "axis": self.axis if axis is None else axis,
                **self.settings, "momentum_weights": "running",
                "running_var_estimator": "unbiased" if self.unbiased else "biased",
                "num_batches_tracked": self.batches,
                **{key: getattr(self, key).astype(float).tolist()
                   for key in ("gamma", "beta", "running_mean", "running_var")}}

    def along(self, values):
        """One value per channel beside x."""
        if np.ndim(values) != 1:
            return values
        return np.reshape(values, [-1 if a == self.axis else 1 for a in range(self.x.ndim)])

    def pick(self, **given):
        """The ingredients as they are beside x, the right ones where none are given."""
        return [self.along(getattr(self, key) if value is None else value) for key, value in given.items()]

    # ---- Results -----------------------------------------------------------------------------

    def y(self, mean=None, std=None, gamma=None, beta=None, **_):
        mean, std, gamma, beta = self.pick(mean=mean, std=std, gamma=gamma, beta=beta)
        return gamma * ((self.x - mean) / std) + beta

    def dx(self, mean=None, std=None, gamma=None, terms=None, power=1, factor=1, **_):
        """power: of 1 / std; terms: whether the mean's and the variance's share is there."""
        mean, std, gamma = self.pick(mean=mean, std=std, gamma=gamma)
        gradient = self.dy
        if self.train if terms is None else terms:
            x_hat = (self.x - mean) / std
            gradient = (gradient - gradient.mean(axis=self.axes, keepdims=True)
                        - x_hat * (gradient * x_hat).mean(axis=self.axes, keepdims=True))
        return gamma * gradient / std ** power * self.number(factor)

    def dgamma(self, mean=None, std=None, power=1, factor=1, **_):
        mean, std = self.pick(mean=mean, std=std)
        return (self.dy * (self.x - mean) / std ** power).sum(axis=self.axes) * self.number(factor)

    def dbeta(self, factor=1, **_):
        return self.dy.sum(axis=self.axes) * self.number(factor)

    def running(self, old, batch, weight):
        weight = self.number(1) - self.momentum if weight is None else self.number(weight)
        return (self.number(1) - weight) * old + weight * batch

    def after_mean(self, weight=None, mean=None, **_):
        return self.running(self.running_mean, self.batch_mean if mean is None else mean, weight)

    def after_var(self, weight=None, var=None, **_):
        return self.running(self.running_var, self.kept_var if var is None else var, weight)


# What computes a quantity; running statistics have ingredients of their own.
RESULTS = {"y": Layer.y, "dx": Layer.dx, "dgamma": Layer.dgamma, "dbeta": Layer.dbeta,
           "running_mean": Layer.after_mean, "running_var": Layer.after_var}


def order(layer):
    """Each channel's neighbour."""
    return np.roll(np.arange(len(layer.gamma)), 1)


def unbiased(layer):
    return layer.batch_var * layer.number(layer.m / (layer.m - 1))


def other_std(square):
    return {"std": np.sqrt(square)}


# Mistakes that are another ingredient: name -> function of the layer, and of a value where it has one.
FORWARD = {
    "eps_other": lambda l, value: other_std(l.var + l.number(value)),
    "eps_outside_root": lambda l: {"std": np.sqrt(l.var) + l.eps},
    "eps_maximum": lambda l: other_std(np.maximum(l.var, l.eps)),
    "eps_missing": lambda l: other_std(l.var),
    "eps_twice": lambda l: other_std(l.var + l.eps + l.eps),
    "var_unbiased": lambda l: other_std(unbiased(l) + l.eps),
    "divided_by_var": lambda l: {"std": l.var + l.eps},
    "running_statistics": lambda l: {"mean": l.running_mean, **other_std(l.running_var + l.eps)},
    "batch_statistics": lambda l: {"mean": l.batch_mean, **other_std(l.batch_var + l.eps)},
    "gamma_missing": lambda l: {"gamma": np.ones_like(l.gamma)},
    "gamma_twice": lambda l: {"gamma": l.gamma * l.gamma},
    "gamma_sign_lost": lambda l: {"gamma": np.abs(l.gamma)},
    "beta_missing": lambda l: {"beta": 0 * l.beta},
    "beta_twice": lambda l: {"beta": l.beta + l.beta},
    "affine_twice": lambda l: {"gamma": l.gamma * l.gamma, "beta": l.gamma * l.beta + l.beta},
    "gamma_beta_swapped": lambda l: {"gamma": l.beta, "beta": l.gamma},
    "mean_missing": lambda l: {"mean": 0 * l.mean},
    "channels_permuted_parameters": lambda l: {"gamma": l.gamma[order(l)], "beta": l.beta[order(l)]},
    "channels_permuted_statistics": lambda l: {"mean": l.mean[order(l)], "std": l.std[order(l)]},
    # The gradients alone.
    "mean_terms_missing": lambda l: {"terms": False},
    # The formula of train mode, all of it.
    "mean_terms_added": lambda l: {"terms": True, "mean": l.batch_mean, **other_std(l.batch_var + l.eps)},
    "divided_by_count": lambda l: {"factor": 1 / l.m},
    "not_divided_by_count": lambda l: {"factor": l.m},
    "mean_for_sum": lambda l: {"factor": 1 / l.m},
    "inv_std_missing": lambda l: {"power": 0},
    "inv_std_squared": lambda l: {"power": 2},
    "x_for_x_hat": lambda l: {"mean": 0 * l.mean, "power": 0},
}
UPDATE = {
    "momentum_other_side": lambda l: {"weight": l.momentum},
    "momentum_cumulative": lambda l: {"weight": 1 / (l.batches + 1)},
    "momentum_other": lambda l, value: {"weight": value},
    "never_updated": lambda l: {"weight": 0},
    "updated_twice": lambda l: {"weight": 1 - float(l.momentum) ** 2},
    "var_biased": lambda l: {"var": l.batch_var},
    "var_unbiased": lambda l: {"var": unbiased(l)},
    "eps_in_running_var": lambda l: {"var": l.kept_var + l.eps},
    "deviation_for_variance": lambda l: {"var": np.sqrt(l.kept_var)},
    "channels_permuted_statistics": lambda l: {"mean": l.batch_mean[order(l)], "var": l.kept_var[order(l)]},
}


# ---- Mistakes that are another computation -------------------------------------------------------


def groups(layer, size):
    """The layer on every group of this many samples; the last group is smaller where they do not go up."""
    starts = range(0, len(layer.x), size)
    return [layer.part(layer.x[s:s + size], layer.dy[s:s + size]) for s in starts]


def grouped(layer, quantity, size, compute):
    """Ghost batches: every group is normalised by itself."""
    parts = [compute(part) for part in groups(layer, size)]
    return np.concatenate(parts) if quantity in ("y", "dx") else sum(parts)


def along_axis(layer, quantity, axis, compute, parameters_too=False):
    """Statistics of another axis; gamma and beta broadcast along the right one, or along that one, too."""
    if parameters_too:
        return compute(layer.part(layer.x, layer.dy, axis))
    over = tuple(a for a in range(layer.x.ndim) if a != axis)
    part = layer.part(layer.x, layer.dy)
    if quantity == "dx":
        part.axes = over  # its terms are means over what the statistics are of
    mean = layer.x.mean(axis=over, keepdims=True)
    return compute(part, mean=mean, std=np.sqrt(layer.x.var(axis=over, keepdims=True) + layer.eps))


def as_memory_of(layer, quantity, shape, axis, compute):
    """The memory is taken for an array of that shape."""
    result = compute(layer.part(layer.x.reshape(shape), layer.dy.reshape(shape), axis))
    return result.reshape(layer.x.shape) if quantity in ("y", "dx") else result


def as_nhwc(layer, quantity, compute):
    n, c, *others = layer.x.shape
    return as_memory_of(layer, quantity, (n, *others, c), -1, compute)


def as_nchw(layer, quantity, compute):
    n, *others, c = layer.x.shape
    return as_memory_of(layer, quantity, (n, c, *others), 1, compute)


def one_pass(layer, bits):
    """Mean and E[x^2] - E[x]^2, all in this precision, value by value in memory order."""
    low = np.dtype("float%d" % bits)
    columns = np.moveaxis(layer.x, layer.axis, -1).reshape(-1, len(layer.gamma)).astype(low)
    count = low.type(layer.m)
    mean = np.add.accumulate(columns, axis=0, dtype=low)[-1] / count
    squares = np.add.accumulate(columns * columns, axis=0, dtype=low)[-1] / count
    return mean.astype(layer.dtype), np.maximum(squares - mean * mean, 0).astype(layer.dtype)


def low_precision(layer, quantity, bits, compute):
    mean, var = one_pass(layer, bits)
    std = np.sqrt(var + layer.eps)
    if quantity == "running_var" and layer.unbiased:
        var = var * layer.number(layer.m / (layer.m - 1))
    return compute(layer, mean=mean, std=std, var=var)


def sharded(layer, quantity, size, compute):
    """The mean of what the shards have."""
    shards = groups(layer, size)
    mean, var = (sum(getattr(s, key) for s in shards) / len(shards) for key in ("batch_mean", "kept_var"))
    return compute(layer, mean=mean, var=var)


def of_whole_array(layer, _, compute):
    """x.mean() and x.var(), without an axis."""
    mean, std = layer.x.mean(), np.sqrt(layer.x.var() + layer.eps)
    return compute(layer, mean=np.full_like(layer.gamma, mean), std=np.full_like(layer.gamma, std))


# With a value where the mistake has one, and a function that has the result of a layer.
WHOLE = {
    "other_axis": along_axis,
    "whole_array": of_whole_array,
    "memory_as_nhwc": as_nhwc,
    "memory_as_nchw": as_nchw,
    "per_sample_statistics": lambda l, quantity, compute: grouped(l, quantity, 1, compute),
    "group_statistics": grouped,
    "shard_statistics": sharded,
    "low_precision_sums": low_precision,
    "gradients_swapped": lambda l, quantity, compute: l.dbeta() if quantity == "dgamma" else l.dgamma(),
}
# Those whose value says which.
VALUED = ("other_axis", "group_statistics", "shard_statistics", "low_precision_sums")


def ingredients(layer, quantity, names, value):
    table, changes = UPDATE if quantity.startswith("running") else FORWARD, {}
    for name in names:
        change = table[name]
        changes.update(change(layer, value) if change.__code__.co_argcount == 2 else change(layer))
    return changes


def made(layer, quantity, names, value=None):
    """What somebody has who makes these mistakes; `value` belongs to the one that has one."""
    whole = [name for name in names if name in WHOLE]
    others = [name for name in names if name not in WHOLE]

    def compute(part, **changes):
        return RESULTS[quantity](part, **{**changes, **ingredients(part, quantity, others, value)})

    if not whole:
        return compute(layer)
    return WHOLE[whole[0]](layer, quantity, *([value] if whole[0] in VALUED else []), compute)


# ---- Data like those of real models --------------------------------------------------------------


def sizes(random, low, high, channels, alternate=True):
    """Numbers of both signs between these sizes, exact in float32."""
    signs = np.where(np.arange(channels) % 2 == 0, -1, 1) if alternate else random.choice([-1, 1], channels)
    return (signs * np.exp(random.uniform(np.log(low), np.log(high), channels))).astype("float32")


def some_layer(random, shape, axis, dtype="float32", smallest=1e-4, largest=10, offset=(0.5, 3), gamma=(0.1, 3),
               beta=(0.1, 2), **more):
    """Variances from smallest to largest, other ones in every channel; means of this many deviations."""
    channels = shape[axis]
    deviation = np.sqrt(random.permutation(np.geomspace(smallest, largest, channels)))
    mean = deviation * sizes(random, *offset, channels, alternate=False)
    values = random.normal(0, 1, (*[n for i, n in enumerate(shape) if i != axis % len(shape)], channels))
    x = np.moveaxis(mean + deviation * values, -1, axis).astype(dtype)
    running_mean = (mean + deviation * random.uniform(-2, 2, channels)).astype("float32")
    running_var = (deviation ** 2 * np.exp(random.uniform(-1.2, 1.2, channels))).astype("float32")
    # Not centred, so that the terms of the mean matter.
    dy = (0.3 + random.normal(0, 1, shape)).astype(dtype)
    return Layer(x, dy, axis, sizes(random, *gamma, channels), np.roll(sizes(random, *beta, channels), 1),
                 running_mean, running_var, **more)
