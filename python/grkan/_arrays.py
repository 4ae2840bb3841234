# SPDX-License-Identifier: Apache-2.0
"""forward and backward of arrays."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from ctypes import byref, c_void_p
from typing import Any

import numpy

from ._dlpack import NUMPY_COEFFICIENTS, Array, assert_writable, empty_like, view, view_like
from ._errors import InvalidArgumentError
from ._library import check, load
from ._names import ACCUMULATIONS, Accumulation, Determinism, Form, Strategy, index_of
from ._operation import TABLE_GRADIENTS, TABLES, Options, operation_of
from ._plan import Plan, open_device, plan_for
from ._structs import BufferStruct
from ._workspaces import Workspaces


class _Memory:
    """Memory of a device, from the library. Freed with the object."""

    def __init__(self, selector: str | None, size: int):
        self._device, self._base, self.bytes = open_device(selector).handle, c_void_p(), size
        check(load().grkan_memory_allocate(self._device, max(size, 1), byref(self._base)))
        # At the end of Python, the system takes all.
        self.free = weakref.finalize(self, load().grkan_memory_free, self._device, self._base)
        self.free.atexit = False

    @property
    def address(self) -> int:
        return self._base.value or 0

    def upload(self, address: int) -> None:
        check(load().grkan_memory_upload(self._device, BufferStruct(self._base, 0), address, self.bytes))

    def download(self, address: int) -> None:
        check(load().grkan_memory_download(self._device, address, BufferStruct(self._base, 0), self.bytes))


_workspaces: Workspaces[_Memory] = Workspaces()


def _zeroed(selector: str, size: int) -> _Memory:
    memory, zeros = _Memory(selector, size), numpy.zeros(size, numpy.uint8)
    memory.upload(zeros.ctypes.data)
    return memory


def _bytes_of(array: Array) -> int:
    count = 1
    for size in array.shape:
        count *= size
    return count * {"f32": 4, "f16": 2, "bf16": 2, "f64": 8}[array.dtype]


@contextlib.contextmanager
def _on_device(selector: str, inputs: list[Array], outputs: list[Array]) -> Iterator[list[int]]:
    """Addresses on the device: of the arrays themselves when they lie there, else of copies, the outputs being copied
    back at the end. An output's own content goes there too: it may be added to."""
    arrays = inputs + outputs
    if arrays[0].selector == selector:
        yield [array.address for array in arrays]
        return
    copies = [_Memory(selector, _bytes_of(array)) for array in arrays]
    try:
        for array, copy in zip(arrays, copies):
            copy.upload(array.address)
        yield [copy.address for copy in copies]
        for array, copy in zip(outputs, copies[len(inputs):]):
            copy.download(array.address)
    finally:
        for copy in copies:
            copy.free()


def _table(name: str, values: Any, x: Array, stream: int) -> Array:
    """An array as it is; on the host also whatever NumPy makes an array of."""
    wanted = NUMPY_COEFFICIENTS[x.dtype]
    if x.selector == "cpu" and (isinstance(values, numpy.ndarray) or not hasattr(values, "__dlpack__")):
        try:
            if values is None:
                raise TypeError("None is no array")
            values = numpy.ascontiguousarray(values, wanted)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"{name} is a {type(values).__name__}; expected an array of numbers, or what "
                                       f"NumPy makes one of ({error})") from None
    found = view(name, values, stream)
    return view_like(name, values, x, found.shape, "f64" if x.dtype == "f64" else "f32", stream)


def _select(x: Array, device: str | None) -> str:
    """Where to compute: where x lies, unless the caller wants x, of the host, taken elsewhere."""
    if device is None:
        return x.selector
    selector = open_device(device).properties.selector
    if x.selector not in ("cpu", selector):
        raise InvalidArgumentError(f"device is {device!r}; expected {x.selector!r}, where x lies")
    return selector


def _plan(x: Array, y: Array, tables: list[Array], form: Form, channel_dim: int, selector: str,
          options: Options) -> Plan:
    """y: or dy, of y's type."""
    operation = operation_of(x.shape, [table.shape for table in tables], form, channel_dim, x.dtype, y.dtype)
    return plan_for(selector, operation, options)


def forward(x: Any, numerator: Any, denominator: Any, *, form: Form = "abs_terms", channel_dim: int = -1,
            out: Any = None, device: str | None = None, determinism: Determinism = "run_to_run",
            stream: int = 0) -> Any:
    """F(x) for every element x, with the coefficients of the group that its channel belongs to.

    Args:
        x: contiguous array of float32, float16, bfloat16 or float64: NumPy's, or any with DLPack on the host, CUDA or
            ROCm. Taken without a copy.
        numerator: [1 or groups, m + 1], a0 first; float32 (float64 for float64), where x lies. For an x of the host
            also a list.
        denominator: [1 or groups, n], b1 first; n + 1 with b0 first for form "abs_sum_offset".
        form: of the denominator: "abs_terms", "abs_sum", "abs_sum_offset", "plain" or "square".
        channel_dim: the dimension of x that holds the channels.
        out: array to write into, of x's shape; may be x. Its type may be another than x's, but for float64.
        device: None for where x lies. An x of the host may be sent to another device, "opencl" for example; then the
            call copies there and back.
        determinism: "run_to_run", "device_to_device" or "none".
        stream: the native stream (cudaStream_t, hipStream_t) to enqueue on, as an integer; 0 for the default.

    Returns:
        out, or a new array of the kind of x.
    """
    x_ = view("x", x, stream)
    result = empty_like(x) if out is None else out
    assert_writable("out", result)
    y_ = view_like("out", result, x_, x_.shape, None, stream)
    tables = [_table(name, values, x_, stream) for name, values in zip(TABLES, (numerator, denominator))]
    selector = _select(x_, device)
    plan = _plan(x_, y_, tables, form, channel_dim, selector, Options(determinism=determinism))
    with _on_device(selector, [x_, *tables], [y_]) as addresses:
        plan.enqueue_forward(addresses, stream)
    return result


def backward(x: Any, dy: Any, numerator: Any, denominator: Any, *, form: Form = "abs_terms", channel_dim: int = -1,
             out: tuple[Any, Any, Any] | None = None, accumulation: Accumulation = "overwrite",
             device: str | None = None, strategy: Strategy = "auto", determinism: Determinism = "run_to_run",
             stream: int = 0) -> tuple[Any, Any, Any]:
    """The gradients of a loss with respect to x, numerator and denominator, given dy, that with respect to F(x).

    Args:
        x, numerator, denominator, form, channel_dim, device, determinism, stream: as for forward.
        dy: array of the shape of x, of the type of F(x).
        out: (dx, dnumerator, ddenominator), arrays to write into; dx, of x's type, may be x, or dy if that has it, too.
        accumulation: "overwrite" what the coefficient gradients of out hold, or "add" to it.
        strategy: how the coefficient gradients are summed: "auto", "tree", "block" or "element".

    Returns:
        (dx, dnumerator, ddenominator): out, or new arrays of the kinds of x, numerator and denominator.
    """
    index_of("accumulation", accumulation, ACCUMULATIONS)
    x_ = view("x", x, stream)
    dy_ = view_like("dy", dy, x_, x_.shape, None, stream)
    tables = [_table(name, values, x_, stream) for name, values in zip(TABLES, (numerator, denominator))]
    if out is None:
        if accumulation == "add":
            raise InvalidArgumentError("accumulation is 'add' and out is None; expected the gradients to add to")
        out = (empty_like(x), *(empty_like(table.source) for table in tables))
    if not isinstance(out, (tuple, list)) or len(out) != 3:
        raise InvalidArgumentError(f"out is a {type(out).__name__}; expected (dx, dnumerator, ddenominator)")
    outputs = []
    for name, array, like in zip(("dx", *TABLE_GRADIENTS), out, (x_, *tables)):
        assert_writable(f"out: {name}", array)
        outputs.append(view_like(f"out: {name}", array, x_, like.shape, like.dtype, stream))
    selector = _select(x_, device)
    plan = _plan(x_, dy_, tables, form, channel_dim, selector, Options(strategy=strategy, determinism=determinism))
    place, size = Workspaces.place(selector, stream), plan.workspace_bytes
    workspace = (_workspaces.take(place, size) or _zeroed(selector, size)) if size > 0 else None
    with _on_device(selector, [x_, dy_, *tables], outputs) as addresses:
        plan.enqueue_backward(addresses, workspace.address if workspace else 0, stream, accumulation)
    if workspace:
        _workspaces.give(place, workspace.bytes, workspace)
    return out
