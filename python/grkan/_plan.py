# SPDX-License-Identifier: Apache-2.0
"""Devices and plans. Devices are kept for the life of the process, and of the plans those that were used last."""

from __future__ import annotations

import dataclasses
import functools
import threading
import weakref
from collections.abc import Callable, Iterable
from ctypes import byref, c_int, c_void_p
from typing import Any, NamedTuple, TypeVar

from ._library import check, load, raise_last_error
from ._names import ACCUMULATIONS, DTYPES, NORMS, Accumulation, text
from ._operation import Operation, Options
from ._structs import PropertiesStruct, backward_packer, forward_packer, operation_struct, options_struct


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

    def __init__(self, selector: str | None, operation: Operation, options: Options = Options()):  # noqa: B008 - frozen
        device = open_device(selector)
        handle = c_void_p()
        check(load().grkan_plan_create(device.handle, byref(operation_struct(operation)),
                                       byref(options_struct(options)), byref(handle)))
        self.workspace_bytes: int = load().grkan_plan_workspace_bytes(handle)
        self._handle = handle.value  # a number takes ctypes less time than a c_void_p
        # What was enqueued goes on without its plan. At the end of Python, the system takes all.
        weakref.finalize(self, load().grkan_plan_destroy, handle).atexit = False
        self._forward, self._backward = load().grkan_forward, load().grkan_backward
        count, is_norm = len(operation.tables), operation.prologue in NORMS
        self._pack_forward, self._pack_backward = (forward_packer(count, is_norm),
                                                   backward_packer(count, is_norm, options.writes_y))

    def forward(self, x: int, numerator: int, denominator: int, y: int, stream: int = 0) -> None:
        """Enqueue y = F(x), of a plan without prologue."""
        self.enqueue_forward((x, numerator, denominator, y), stream)

    def backward(self, x: int, dy: int, numerator: int, denominator: int, dx: int, dnumerator: int, ddenominator: int,
                 workspace: int, stream: int = 0, accumulation: Accumulation = "overwrite") -> None:
        """Enqueue the gradients, of a plan without prologue. The workspace holds workspace_bytes."""
        self.enqueue_backward((x, dy, numerator, denominator, dx, dnumerator, ddenominator), workspace, stream,
                              accumulation)

    def enqueue_forward(self, addresses: Iterable[int], stream: int) -> None:
        """forward() of x, all tables, y; of a norm also mean and rstd, each 0 if it is not to be written."""
        status = self._forward(self._handle, self._pack_forward(*addresses), stream)
        if status:
            raise_last_error(status)

    def enqueue_backward(self, addresses: Iterable[int], workspace: int, stream: int,
                         accumulation: Accumulation = "overwrite", more: Iterable[int] = ()) -> None:
        """backward() of x, dy, all tables, dx, the gradients of the tables; more: of a norm mean and rstd, and y of a
        plan that writes it. What is not there or not wanted is 0."""
        arguments = self._pack_backward(*addresses, _ACCUMULATION[accumulation], workspace, self.workspace_bytes, *more)
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
