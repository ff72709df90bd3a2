#!/usr/bin/python3
"""Makes tests/goldens/torch: what PyTorch computes. Needs Debian's python3-torch and python3-numpy.

For every shape a float64 and a float32 folder. In the float32 one x, dy and the parameters are float32
values; `y_train.npy` and so on is what PyTorch makes of them in float32, `y_train_64.npy` what it makes of the
same values in float64. steps.json: the running statistics after each of three batches.
"""

import json
import os

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
EPS = 1e-5
SHAPES = {"2d": (13, 5), "3d": (4, 3, 7), "nchw": (3, 4, 5, 3), "5d": (2, 3, 2, 3, 4)}


def results(x, dy, gamma, beta, running_mean, running_var):
    out = {}
    for mode in ("train", "test"):
        leaves = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
        y = F.batch_norm(leaves[0], torch.tensor(running_mean), torch.tensor(running_var), leaves[1], leaves[2],
                         training=mode == "train", momentum=0.1, eps=EPS)
        y.backward(torch.tensor(dy))
        out["y_" + mode] = y.detach().numpy()
        for name, leaf in zip(("dx", "dgamma", "dbeta"), leaves):
            out["%s_%s" % (name, mode)] = leaf.grad.numpy()
    return out


def make_arrays(name, shape, dtype, random):
    channels = shape[1]
    inputs = {
        "x": random.normal(3, 2, shape), "dy": random.normal(0, 1, shape),
        "gamma": random.normal(1, 0.5, channels), "beta": random.normal(0, 1, channels),
        "running_mean": random.normal(3, 1, channels), "running_var": random.uniform(0.5, 6, channels)}
    inputs = {key: value.astype(dtype) for key, value in inputs.items()}
    arrays = dict(inputs, **results(**inputs))
    if dtype == "float32":
        wide = {key: value.astype("float64") for key, value in inputs.items()}
        arrays.update({key + "_64": value for key, value in results(**wide).items()})
    folder = os.path.join(HERE, "torch", "%s_%s" % (name, dtype))
    os.makedirs(folder, exist_ok=True)
    for key, value in arrays.items():
        np.save(os.path.join(folder, key + ".npy"), value)


def steps(layer, batches):
    """[[running_mean, running_var], ...] after each batch."""
    layer.train()
    after = []
    for batch in batches:
        layer(torch.tensor(batch))
        after.append([layer.running_mean.tolist(), layer.running_var.tolist()])
    return after


class BiasedLayer(torch.nn.Module):
    """The usual layer written by hand: PyTorch's momentum, but the biased variance is what is kept."""

    def __init__(self, channels, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.running_mean = torch.zeros(channels, dtype=torch.float64)
        self.running_var = torch.ones(channels, dtype=torch.float64)

    def forward(self, x):
        keep, take = 1 - self.momentum, self.momentum
        self.running_mean = keep * self.running_mean + take * x.mean(dim=0)
        self.running_var = keep * self.running_var + take * x.var(dim=0, unbiased=False)


def main():
    random = np.random.default_rng(150203167)
    for name, shape in SHAPES.items():
        for dtype in ("float64", "float32"):
            make_arrays(name, shape, dtype, random)
    batches = [random.normal(2 * i, 1 + i, (9 + i, 3)) for i in range(3)]
    spatial = [random.normal(2 * i, 1 + i, (2, 3, 4, 2 + i)) for i in range(3)]
    wide = {"dtype": torch.float64}
    record = {
        "batches": [b.tolist() for b in batches],
        "batches_nchw": [b.tolist() for b in spatial],
        "momentum 0.1": steps(torch.nn.BatchNorm1d(3, momentum=0.1, **wide), batches),
        "momentum None": steps(torch.nn.BatchNorm1d(3, momentum=None, **wide), batches),
        "momentum 0.1, nchw": steps(torch.nn.BatchNorm2d(3, momentum=0.1, **wide), spatial),
        "momentum None, nchw": steps(torch.nn.BatchNorm2d(3, momentum=None, **wide), spatial),
        "momentum 0.1, biased": steps(BiasedLayer(3), batches),
    }
    with open(os.path.join(HERE, "torch", "steps.json"), "w") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
