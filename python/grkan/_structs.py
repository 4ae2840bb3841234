# SPDX-License-Identifier: Apache-2.0
"""The structs of grkan.h, and how they are made. Nothing else in the package knows how they lie in memory.

Each lies as the C compiler lays it (python/tests/test_library.py compares).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import c_char, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p, sizeof

from ._names import DETERMINISM_LEVELS, DTYPES, FAMILIES, FORMS, PROLOGUES, SCOPES, STRATEGIES, index_of
from ._operation import Operation, Options


MOST_TABLES = 4  # GRKAN_MOST_TABLES


class RationalStruct(ctypes.Structure):
    """grkan_rational"""

    _fields_ = [("numerator_degree", c_int), ("denominator_degree", c_int), ("form", c_int),
                ("numerator_scope", c_int), ("denominator_scope", c_int)]


class NormStruct(ctypes.Structure):
    """grkan_norm"""

    _fields_ = [("epsilon", c_double), ("has_scale", c_int), ("has_shift", c_int)]


class OperationStruct(ctypes.Structure):
    """grkan_operation"""

    _fields_ = [("outer", c_int64), ("channels", c_int64), ("inner", c_int64), ("groups", c_int64), ("dtype", c_int),
                ("output_dtype", c_int), ("family", c_int), ("rational", RationalStruct), ("prologue", c_int),
                ("norm", NormStruct)]


class OptionsStruct(ctypes.Structure):
    """grkan_options"""

    _fields_ = [("strategy", c_int), ("determinism", c_int), ("cpu_threads", c_int), ("cpu_simd", c_int),
                ("cpu_parallel_for", c_void_p), ("cpu_parallel_context", c_void_p), ("frozen", c_uint32),
                ("writes_y", c_int)]


class BufferStruct(ctypes.Structure):
    """grkan_buffer"""

    _fields_ = [("base", c_void_p), ("offset", c_size_t)]


class PropertiesStruct(ctypes.Structure):
    """grkan_device_properties"""

    _fields_ = [("selector", c_char * 32), ("backend", c_char * 16), ("name", c_char * 128), ("driver", c_char * 128),
                ("architecture", c_char * 64), ("compute_units", c_int32), ("wave_width", c_int32),
                ("is_gpu", c_int32), ("dtypes", c_uint32), ("has_atomics", c_int32), ("is_ieee", c_int32),
                ("memory_bytes", c_uint64), ("cache_bytes", c_uint64)]


def operation_struct(o: Operation) -> OperationStruct:
    """grkan_operation"""
    rational = RationalStruct(o.numerator_degree, o.denominator_degree, index_of("form", o.form, FORMS),
                              index_of("numerator_scope", o.numerator_scope, SCOPES),
                              index_of("denominator_scope", o.denominator_scope, SCOPES))
    output_dtype = 0 if o.output_dtype is None else 1 + index_of("output_dtype", o.output_dtype, DTYPES)
    return OperationStruct(o.outer, o.channels, o.inner, o.groups, index_of("dtype", o.dtype, DTYPES), output_dtype,
                           FAMILIES.index("rational"), rational, index_of("prologue", o.prologue, PROLOGUES),
                           NormStruct(o.epsilon, o.has_scale, o.has_shift))


def options_struct(o: Options) -> OptionsStruct:
    """grkan_options"""
    return OptionsStruct(index_of("strategy", o.strategy, STRATEGIES),
                         index_of("determinism", o.determinism, DETERMINISM_LEVELS), o.cpu_threads, 0,
                         None, None, o.frozen, o.writes_y)


# The arguments of calls, which are made anew for each: packing bytes takes a quarter of the time that filling a
# ctypes.Structure takes. A buffer is an address, and an offset that is 0.
_BUFFER, _NO_BUFFER = f"P{sizeof(c_size_t)}x", f"{sizeof(BufferStruct)}x"


def _buffers(count: int, most: int) -> str:
    return _BUFFER * count + _NO_BUFFER * (most - count)


def forward_packer(tables: int, is_norm: bool) -> Callable[..., bytes]:
    """What makes grkan_forward_arguments of the addresses x, *tables, y and, of a norm, mean and rstd."""
    return struct.Struct(f"@{_BUFFER}{_buffers(tables, MOST_TABLES)}{_BUFFER}{_buffers(2 * is_norm, 2)}").pack


def backward_packer(tables: int, is_norm: bool, writes_y: bool) -> Callable[..., bytes]:
    """What makes grkan_backward_arguments of the addresses x, dy, *tables, dx, *table_gradients; a value of
    grkan_accumulation; the workspace's address, and its bytes; of a norm, mean and rstd; and y, if it is written."""
    of_tables = _buffers(tables, MOST_TABLES)
    return struct.Struct(f"@{_BUFFER}{_BUFFER}{of_tables}{_BUFFER}{of_tables}i{_BUFFER}N{_buffers(2 * is_norm, 2)}"
                         f"{_buffers(int(writes_y), 1)}").pack
