# SPDX-License-Identifier: Apache-2.0
"""Arrays of any library as addresses, without a copy: NumPy's by themselves, others by the DLPack protocol."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from ctypes import c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any, NamedTuple

import numpy

from ._errors import InvalidArgumentError
from ._names import Dtype

# DLDeviceType: memory of the host, plain or pinned; of CUDA; of ROCm.
_BACKENDS = {1: "cpu", 3: "cpu", 11: "cpu", 2: "cuda", 10: "hip"}
# DLDataTypeCode and bits.
_DTYPES: dict[tuple[int, int], Dtype] = {(2, 32): "f32", (2, 16): "f16", (4, 16): "bf16", (2, 64): "f64"}
_NUMPY_DTYPES: dict[str, Dtype] = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "float64": "f64"}
NUMPY_COEFFICIENTS = {"f32": numpy.float32, "f16": numpy.float32, "bf16": numpy.float32, "f64": numpy.float64}
# What DLPack calls CUDA's legacy default stream; 0 would be ambiguous there. ROCm's is 0.
_DEFAULT_STREAMS = {"cuda": 1, "hip": 0}


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
                ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16), ("shape", ctypes.POINTER(c_int64)),
                ("strides", ctypes.POINTER(c_int64)), ("byte_offset", c_uint64)]


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype, _get_pointer.argtypes = c_void_p, [ctypes.py_object, ctypes.c_char_p]


class Array(NamedTuple):
    """Where an array's elements lie. Holds what keeps them alive."""

    address: int
    shape: tuple[int, ...]
    dtype: Dtype
    selector: str  # of the device: "cpu", "cuda:1"
    source: Any
    capsule: Any = None


def _is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Strides in elements. Those of dimensions of one element, and of an empty array, mean nothing."""
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size > 1 and stride != expected:
            return 0 in shape
        expected *= size
    return True


def _view_numpy(name: str, array: numpy.ndarray) -> Array:
    dtype = _NUMPY_DTYPES.get(array.dtype.name)
    if dtype is None or not array.dtype.isnative:
        raise InvalidArgumentError(f"{name} has dtype {array.dtype}; expected float32, float16, bfloat16 or float64")
    if not array.flags.c_contiguous:
        raise InvalidArgumentError(f"{name} is not contiguous; expected C order (numpy.ascontiguousarray makes it)")
    return Array(array.ctypes.data, array.shape, dtype, "cpu", array)


def _view_dlpack(name: str, array: Any, stream: int) -> Array:
    backend = _BACKENDS.get(int(array.__dlpack_device__()[0]))
    if backend is None:
        raise InvalidArgumentError(f"{name} lies on DLPack device {tuple(array.__dlpack_device__())}; expected memory "
                                   "of the host, CUDA or ROCm")
    if backend == "cpu":
        capsule = array.__dlpack__()
    else:
        capsule = array.__dlpack__(stream=stream or _DEFAULT_STREAMS[backend])
    tensor = _DLTensor.from_address(_get_pointer(capsule, b"dltensor"))
    dtype = _DTYPES.get((tensor.code, tensor.bits)) if tensor.lanes == 1 else None
    if dtype is None:
        raise InvalidArgumentError(f"{name} has DLPack type (code {tensor.code}, {tensor.bits} bits, {tensor.lanes} "
                                   "lanes); expected float32, float16, bfloat16 or float64")
    shape = tuple(tensor.shape[:tensor.ndim])
    if tensor.strides and not _is_contiguous(shape, tensor.strides[:tensor.ndim]):
        raise InvalidArgumentError(f"{name} is not contiguous; expected its last index to run fastest, without gaps")
    selector = backend if backend == "cpu" else f"{backend}:{tensor.device_id}"
    return Array((tensor.data or 0) + tensor.byte_offset, shape, dtype, selector, array, capsule)


def view(name: str, array: Any, stream: int) -> Array:
    """An array as an address. stream: where the caller will use it."""
    if isinstance(array, numpy.ndarray):
        return _view_numpy(name, array)
    if not hasattr(array, "__dlpack__"):
        raise InvalidArgumentError(f"{name} is a {type(array).__name__}; expected a NumPy array, or one of a library "
                                   "with DLPack")
    return _view_dlpack(name, array, stream)


def view_like(name: str, array: Any, model: Array, shape: Sequence[int], dtype: str | None, stream: int) -> Array:
    """The same, of an array that must have this shape and type (None: any) and lie where model lies."""
    found = view(name, array, stream)
    for what, value, expected in (("shape", found.shape, tuple(shape)), ("dtype", found.dtype, dtype or found.dtype),
                                  ("device", found.selector, model.selector)):
        if value != expected:
            raise InvalidArgumentError(f"{name} has {what} {value}; expected {expected}")
    return found


def assert_writable(name: str, array: Any) -> None:
    if isinstance(array, numpy.ndarray) and not array.flags.writeable:
        raise InvalidArgumentError(f"{name} is read-only; expected an array to write into")


def empty_like(array: Any) -> Any:
    """A new array of the same kind, by the function of this name in the library that the array comes from."""
    if hasattr(array, "__array_namespace__"):
        namespace = array.__array_namespace__()
    else:
        namespace = sys.modules.get(type(array).__module__.partition(".")[0])
    make = getattr(namespace, "empty_like", None)
    if make is None:
        raise InvalidArgumentError(f"no way is known to make a {type(array).__name__}; pass the outputs as out")
    return make(array)
