#!/usr/bin/python3
"""Makes tests/goldens/npy: one array per dtype, byte order, memory order and version, written by NumPy.

Needs Debian's python3-numpy. Every array is (2, 3, 4) and holds the values 1, 2, ... 24 in C order.
"""

import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def write(name, array, version=(1, 0)):
    with open(os.path.join(HERE, "npy", name + ".npy"), "wb") as file:
        np.lib.format.write_array(file, array, version=version)


def main():
    os.makedirs(os.path.join(HERE, "npy"), exist_ok=True)
    values = np.arange(1, 25).reshape(2, 3, 4)
    for kind in DTYPES:
        for name, sign in (("little", "<"), ("big", ">")):
            if kind[1] == "1" and name == "big":
                continue
            array = values.astype(sign + kind)
            write("%s_%s_c" % (kind, name), array)
            write("%s_%s_fortran" % (kind, name), np.asfortranarray(array))
    for version in ((2, 0), (3, 0)):
        write("f4_version_%d" % version[0], values.astype("<f4"), version)


if __name__ == "__main__":
    main()
