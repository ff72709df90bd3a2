"""numpy_batch_norm.py X.npy Y.npy: train mode as courses teach it, in plain NumPy, for NCHW.

Channels are brought last by a transpose, every other axis is flattened into rows, and the rows are
normalised column by column.
"""

import sys

import numpy as np

EPS = 1e-5
MOMENTUM = 0.9


def forward_rows(x, gamma, beta, running):
    """x of shape (m, C); updates the running statistics in place."""
    mean = x.mean(axis=0)
    var = x.var(axis=0)
    x_hat = (x - mean) / np.sqrt(var + EPS)
    running["mean"] = MOMENTUM * running["mean"] + (1 - MOMENTUM) * mean
    running["var"] = MOMENTUM * running["var"] + (1 - MOMENTUM) * var
    return gamma * x_hat + beta


def forward_images(x, gamma, beta, running):
    """x of shape (N, C, H, W)."""
    n, c, h, w = x.shape
    rows = x.transpose(0, 3, 2, 1).reshape(-1, c)
    y = forward_rows(rows, gamma, beta, running)
    return y.reshape(n, w, h, c).transpose(0, 3, 2, 1)


def main(x_path, y_path):
    x = np.load(x_path)
    channels = x.shape[1]
    gamma, beta = np.ones(channels, x.dtype), np.zeros(channels, x.dtype)
    running = {"mean": np.zeros(channels, x.dtype), "var": np.zeros(channels, x.dtype)}
    np.save(y_path, forward_images(x, gamma, beta, running))


if __name__ == "__main__":
    main(*sys.argv[1:])
