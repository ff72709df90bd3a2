"""make_array.py FILE.npy DTYPE SEED REPEAT SIZE...

Writes normal values of that shape, REPEAT times along the first axis, and waits for the disk.
"""

import os
import sys

import numpy as np


def make_array(path, dtype, seed, repeat, shape):
    drawn_as = np.float64 if dtype == "float64" else np.float32
    values = np.random.default_rng(seed).standard_normal(shape, drawn_as)
    values += drawn_as(0.75)
    values = values.astype(dtype, copy=False)
    if repeat > 1:
        values = np.concatenate([values] * repeat)
    with open(path, "wb") as file:
        np.save(file, values)
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    path, dtype, seed, repeat, *shape = sys.argv[1:]
    make_array(path, dtype, int(seed), int(repeat), [int(size) for size in shape])
