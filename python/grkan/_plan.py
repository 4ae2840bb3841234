# SPDX-License-Identifier: Apache-2.0
"""Devices and plans. Devices are kept for the life of the process, and of the plans those that were used last."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
import weakref
from collections.abc import Callable, Sequence
from ctypes import byref, c_int, c_void_p
from typing import Any, NamedTuple, TypeVar

from ._errors import InvalidArgumentError
from ._library import (ACCUMULATIONS, DETERMINISM_LEVELS, DTYPES, FORMS, STRATEGIES, OperationStruct, OptionsStruct,
                       PropertiesStruct, check, load, pack_backward_arguments, pack_forward_arguments,
                       raise_last_error)
from ._names import Accumulation, Determinism, Dtype, Form, Strategy, index_of, integer, text


@dataclasses.dataclass(frozen=True)
class Device:
    """What a device is (grkan_device_properties)."""

    selector: str
    backend: str
    name: str
    driver: str
    architecture: str
    compute_units: int
    wave_width: int
    is_gpu: bool
    dtypes: tuple[str, ...]
    has_atomics: bool
    is_ieee: bool
    memory_bytes: int
    cache_bytes: int


@dataclasses.dataclass(frozen=True)
class Operation:
    """What is computed (grkan_operation); the names are those of the program."""

    outer: int
    channels: int
    inner: int
    groups: int
    numerator_groups: int
    denominator_groups: int
    numerator_degree: int
    denominator_degree: int
    form: Form
    dtype: Dtype

    def __post_init__(self) -> None:
        index_of("form", self.form, FORMS)
        index_of("dtype", self.dtype, DTYPES)


@dataclasses.dataclass(frozen=True)
class Options:
    """How it is computed (grkan_options)."""

    strategy: Strategy = "auto"
    determinism: Determinism = "run_to_run"
    cpu_threads: int = 0

    def __post_init__(self) -> None:
        index_of("strategy", self.strategy, STRATEGIES)
        index_of("determinism", self.determinism, DETERMINISM_LEVELS)


def channel_of(shape: Sequence[int], channel_dim: int) -> int:
    """channel_dim counted from the first dimension."""
    try:
        return integer("channel_dim", channel_dim, -len(shape), len(shape) - 1) % len(shape)
    except InvalidArgumentError:
        raise InvalidArgumentError(f"channel_dim is {channel_dim!r}; expected a dimension of x, whose shape is "
                                   f"{tuple(shape)}") from None


def operation_of(shape: Sequence[int], numerator_shape: Sequence[int], denominator_shape: Sequence[int], form: Form,
                 channel_dim: int, dtype: Dtype) -> Operation:
    """The operation on a contiguous tensor of a shape, its channels at channel_dim."""
    for name, coefficients in (("numerator", numerator_shape), ("denominator", denominator_shape)):
        if len(coefficients) != 2:
            raise InvalidArgumentError(f"{name} has shape {tuple(coefficients)}; expected [groups, coefficients]")
    channel = channel_of(shape, channel_dim)
    offset, groups = 1 if form == "abs_sum_offset" else 0, max(numerator_shape[0], denominator_shape[0])
    if groups > shape[channel] > 0:
        raise InvalidArgumentError(f"groups is {groups}; expected 1 to {shape[channel]}, the channels of x")
    return Operation(
        outer=math.prod(shape[:channel]), channels=shape[channel], inner=math.prod(shape[channel + 1:]),
        groups=groups,
        numerator_groups=numerator_shape[0], denominator_groups=denominator_shape[0],
        numerator_degree=numerator_shape[1] - 1, denominator_degree=denominator_shape[1] - offset,
        form=form, dtype=dtype)


class _OpenDevice:
    """An open device. It is never closed: graphs may hold its kernels, and vendors' runtimes may be gone when Python
    ends."""

    def __init__(self, handle: c_void_p):
        self.handle = handle
        found = PropertiesStruct()
        check(load().grkan_device_describe(handle, byref(found)))
        values = {name: getattr(found, name) for name, *_ in found._fields_}
        values = {name: value.decode(errors="replace") if isinstance(value, bytes) else value
                  for name, value in values.items()}
        values["dtypes"] = tuple(name for i, name in enumerate(DTYPES) if found.dtypes >> i & 1)
        for name in ("is_gpu", "has_atomics", "is_ieee"):
            values[name] = bool(values[name])
        self.properties = Device(**values)


_lock = threading.RLock()
Result = TypeVar("Result")


def _locked(most: int | None) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Memoise the results that were used last, and let one thread at a time make what is not there yet."""
    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        cached = functools.lru_cache(maxsize=most)(function)

        @functools.wraps(function)
        def locked(*arguments: Any) -> Result:
            with _lock:
                return cached(*arguments)

        return locked

    return decorate


@_locked(most=None)
def open_device(selector: str | None) -> _OpenDevice:
    """The device of a selector; None as for grkan_device_open."""
    handle = c_void_p()
    check(load().grkan_device_open(None if selector is None else text("device", selector), byref(handle)))
    return _OpenDevice(handle)


_ACCUMULATION = {name: value for value, name in enumerate(ACCUMULATIONS)}


class Plan:
    """A plan (grkan_plan) on a device. Its calls take addresses, of memory of that device."""

    def __init__(self, selector: str | None, operation: Operation, options: Options = Options()):
        device = open_device(selector)
        handle = c_void_p()
        operation_struct = OperationStruct(
            operation.outer, operation.channels, operation.inner, operation.groups, operation.numerator_groups,
            operation.denominator_groups, operation.numerator_degree, operation.denominator_degree,
            index_of("form", operation.form, FORMS), index_of("dtype", operation.dtype, DTYPES))
        options_struct = OptionsStruct(
            index_of("strategy", options.strategy, STRATEGIES),
            index_of("determinism", options.determinism, DETERMINISM_LEVELS), options.cpu_threads, 0)
        check(load().grkan_plan_create(device.handle, byref(operation_struct), byref(options_struct), byref(handle)))
        self.workspace_bytes: int = load().grkan_plan_workspace_bytes(handle)
        self._handle = handle
        # What was enqueued goes on without its plan. At the end of Python, the system takes all.
        weakref.finalize(self, load().grkan_plan_destroy, handle).atexit = False
        self._forward, self._backward = load().grkan_forward, load().grkan_backward

    def forward(self, x: int, numerator: int, denominator: int, y: int, stream: int = 0) -> None:
        """Enqueue y = F(x)."""
        status = self._forward(self._handle, pack_forward_arguments(x, 0, numerator, 0, denominator, 0, y, 0), stream)
        if status:
            raise_last_error(status)

    def backward(self, x: int, dy: int, numerator: int, denominator: int, dx: int, dnumerator: int, ddenominator: int,
                 workspace: int, stream: int = 0, accumulation: Accumulation = "overwrite") -> None:
        """Enqueue the gradients. The workspace holds workspace_bytes."""
        arguments = pack_backward_arguments(x, 0, dy, 0, numerator, 0, denominator, 0, dx, 0, dnumerator, 0,
                                            ddenominator, 0, _ACCUMULATION[accumulation], workspace, 0,
                                            self.workspace_bytes)
        status = self._backward(self._handle, arguments, stream)
        if status:
            raise_last_error(status)


MOST_PLANS = 1024  # kept. Another shape takes microseconds, since plans share kernels; sequences may have any length.
plan_for = _locked(MOST_PLANS)(Plan)


def devices() -> list[Device]:
    """Every device of every backend that works, in the order of preference.

    A backend without a device is left out; device() says what is wrong with it.
    """
    library = load()
    found = []
    for i in range(library.grkan_backend_count()):
        name, count = library.grkan_backend_name(i), c_int()
        library.grkan_device_count(name, byref(count))
        for index in range(count.value):
            handle = c_void_p()
            if library.grkan_device_open_index(name, index, byref(handle)) == 0:
                found.append(_OpenDevice(handle).properties)
                library.grkan_device_close(handle)
    return found


def device(selector: str | None = None) -> Device:
    """The device that a selector names: "cpu", "cuda:1", "opencl:0:1".

    None: the environment's GRKAN_DEVICE, else the first that works of cuda, hip, an OpenCL GPU and the cpu. Raises
    NoBackendError or NoDeviceError with the reason.
    """
    return open_device(selector).properties


class Version(NamedTuple):
    """The library's version, and the commit that it was built from."""

    version: str
    commit: str


def version() -> Version:
    """The version of the library that is loaded."""
    return Version(load().grkan_version().decode(), load().grkan_commit().decode())
