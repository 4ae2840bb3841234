# SPDX-License-Identifier: Apache-2.0
"""grkan: the group-wise rational function of GR-KAN layers, forward and backward, on any device.

    import numpy, grkan

    y = grkan.forward(x, numerator, denominator)
    dx, dnumerator, ddenominator = grkan.backward(x, dy, numerator, denominator)

takes arrays of NumPy and of every library with DLPack; a Plan takes addresses. grkan.torch holds PyTorch's modules.
grkan.devices() lists what the machine has. The shared library is loaded by the first call that needs it.
"""

from ._arrays import backward, forward
from ._errors import (CompileError, DeviceError, Error, InvalidArgumentError, LibraryNotFoundError, NoBackendError,
                      NoDeviceError, OutOfMemoryError, UnsupportedError)
from ._fit import Fit, fit, preset
from ._operation import Operation, Options
from ._plan import Device, Plan, Version, device, devices, version
from ._version import __version__  # of this package; version() is the library's

__all__ = ["CompileError", "Device", "DeviceError", "Error", "Fit", "InvalidArgumentError", "LibraryNotFoundError",
           "NoBackendError", "NoDeviceError", "Operation", "Options", "OutOfMemoryError", "Plan", "UnsupportedError",
           "Version", "__version__", "backward", "device", "devices", "fit", "forward", "preset", "version"]
