"""Writes arrays.txt: whole .npy files as NumPy writes them, in hexadecimal, one a line.

    name, dtype, memory order, shape, bytes

Element k of every array, counted in C order, is (3 * k) % 50; so the test knows the values. Made
with Debian's NumPy 1.24.2: /usr/bin/python3 make_arrays.py > arrays.txt
"""

import io
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")  # versions 2 and 3 are not needed, says NumPy


def line(name, dtype, order, shape, version=None):
    values = (3 * np.arange(int(np.prod(shape)))) % 50
    array = np.array(values.reshape(shape), dtype=dtype, order=order)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    text = "x".join(map(str, shape)) if shape else "scalar"
    print(name, array.dtype.name, order, text, buffer.getvalue().hex())


for code in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    for byte_order in "<>":
        for order in "CF":
            line("v1" + byte_order, byte_order + code, order, (2, 3, 2))
for version in [(2, 0), (3, 0)]:
    for order in "CF":
        line(f"v{version[0]}<", "<f4", order, (2, 3, 2), version)
# Shapes where both orders are one, and headers that are just full: 21 digits for the dimension that
# may grow, and 1 to 64 spaces to a multiple of 64.
for shape in [(), (1,), (7,), (0,), (1, 5), (5, 1), (0, 3), (3, 0, 2), (1, 3, 1), (1,) * 20 + (2, 2)]:
    for order in "CF":
        line("v1<", "<f4", order, shape)
for rank in range(8, 20):
    line("v1<", "<f8", "C", (1,) * rank)
    line("v1<", "<f8", "F", (2,) + (1,) * rank + (3,))
sys.stdout.flush()
