# SPDX-License-Identifier: Apache-2.0
"""What an installed package must do, with NumPy alone: forward and backward, by files of the folder FOLDER.

    use_installed.py FOLDER
"""

import ctypes
import os
import sys

import numpy

import grkan
from grkan._library import library_path

folder = sys.argv[1].rstrip("/") + "/"
assert grkan.__file__.startswith(folder), grkan.__file__
x = numpy.linspace(-3, 3, 4096, dtype="float32").reshape(64, 64)
numerator, denominator = [[0, 1, 0.5]], numpy.full((8, 2), 0.1, "float32")
y = grkan.forward(x, numerator, denominator)
dx, dnumerator, ddenominator = grkan.backward(x, numpy.ones_like(x), numerator, denominator)

t = x.astype(float)
quotient = 1 + 0.1 * abs(t) + 0.1 * t * t
assert abs(y - (t + 0.5 * t * t) / quotient).max() < 1e-5
assert numpy.allclose(dnumerator[0], [(t**i / quotient).sum() for i in range(3)], atol=1e-2), dnumerator
identity = grkan.backward(x, x, [[0, 1]], numpy.zeros((1, 0)))[0]
assert (identity == x).all()

# PyTorch's operators, which say what they lack here.
operators = ctypes.CDLL(os.path.join(os.path.dirname(library_path()), "libgrkan_torch.so"))
operators.grkan_torch_register.restype = ctypes.c_char_p
assert b"expected PyTorch 2.9 or later" in operators.grkan_torch_register()

with open("/proc/self/maps") as maps:  # the emulator's, too
    mapped = {line.split()[-1] for line in maps if "libgrkan" in line}
assert mapped and all(path.startswith(folder) for path in mapped), mapped
for backend in ("cuda", "hip", "opencl"):
    try:
        print("ok:", backend, "is", grkan.device(backend).name)
    except grkan.Error as error:
        assert "not built" not in str(error) and "does not load" not in str(error), error
        print("ok:", error)
print("ok: grkan", *grkan.version())
