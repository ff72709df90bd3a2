"""Prints numbers a channel in columns, computed by NumPy and not by bn.

    show.py NAMES LABEL=FILE...

NAMES: of the channels, separated by commas. FILE: an array with the channels along axis 1 (its mean
and variance are shown), an array of one value per channel, or a state file (its running statistics).
"""

import json
import sys

import numpy as np


def rows(path):
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        return [(key, state[key]) for key in ("running_mean", "running_var")]
    array = np.load(path).astype(np.float64)
    if array.ndim == 1:
        return [("", array)]
    others = tuple(axis for axis in range(array.ndim) if axis != 1)
    return [("mean", array.mean(axis=others)), ("variance", array.var(axis=others))]


def main(names, *files):
    print(" " * 34 + "".join(f"{name:>13}" for name in names.split(",")))
    for file in files:
        label, path = file.split("=", 1)
        for what, values in rows(path):
            print(f"{label:<20}{what:<14}" + "".join(f"{value:>13.5g}" for value in values))
            label = ""


main(*sys.argv[1:])
