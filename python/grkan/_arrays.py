# SPDX-License-Identifier: Apache-2.0
"""forward and backward of arrays."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from ctypes import byref, c_void_p
from typing import Any, cast

import numpy

from ._dlpack import NUMPY_COEFFICIENTS, Array, assert_writable, empty_like, view, view_like
from ._errors import InvalidArgumentError
from ._library import check, load
from ._names import ACCUMULATIONS, NORMS, Accumulation, Determinism, Form, Norm, Prologue, Strategy, index_of
from ._operation import FROZEN_X, PROLOGUE_TABLES, TABLES, Options, operation_of
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

# What forward of a norm finds of each row, and backward needs.
NORM_STATISTICS: dict[Prologue, tuple[str, ...]] = {"layer_norm": ("mean", "rstd"), "rms_norm": ("rstd",)}


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
def _on_device(selector: str, inputs: list[Array | None], outputs: list[Array | None]) -> Iterator[list[int]]:
    """Addresses on the device, 0 for None: of the arrays themselves when they lie there, else of copies, the outputs
    being copied back at the end. An output's own content goes there too: it may be added to."""
    arrays = inputs + outputs
    if all(array is None or array.selector == selector for array in arrays):
        yield [array.address if array else 0 for array in arrays]
        return
    copies = [_Memory(selector, _bytes_of(array)) if array else None for array in arrays]
    try:
        for array, copy in zip(arrays, copies):
            if array and copy:
                copy.upload(array.address)
        yield [copy.address if copy else 0 for copy in copies]
        for array, copy in zip(outputs, copies[len(inputs):]):
            if array and copy:
                copy.download(array.address)
    finally:
        for copy in copies:
            if copy:
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


class _Inputs:
    """What forward and backward share: x, the tables by name, a norm's statistics of rows, and what makes a plan."""

    def __init__(self, x: Any, tables: dict[str, Any], form: Form, channel_dim: int, norm: Norm | None,
                 epsilon: float, statistics: dict[str, Any], device: str | None, stream: int):
        if norm is not None:
            index_of("norm", norm, NORMS)
        self.x, self.form, self.channel_dim = view("x", x, stream), form, channel_dim
        self.epsilon = epsilon if norm else 0.0
        self.prologue: Prologue = norm or ("none" if tables["bias"] is None else "bias")
        names = TABLES + PROLOGUE_TABLES[self.prologue]
        known = {*names, *NORM_STATISTICS.get(self.prologue, ())}
        for name, values in (tables | statistics).items():
            if values is not None and name not in known:
                raise InvalidArgumentError(f"{name} is given and norm is {norm!r}; expected None of it")
        self.tables: dict[str, Array | None] = {
            name: None if name not in TABLES and tables[name] is None else _table(name, tables[name], self.x, stream)
            for name in names}
        kind = "f64" if self.x.dtype == "f64" else "f32"
        self.statistics: list[Array | None] = [
            None if values is None else view_like(name, values, self.x, self.x.shape[:-1], kind, stream)
            for name, values in statistics.items()] if norm else []
        self.selector = _select(self.x, device)

    def plan(self, y: Array, options: Options) -> Plan:
        """y: or dy, of y's type."""
        shapes = [None if table is None else table.shape for table in self.tables.values()]
        return plan_for(self.selector, operation_of(self.x.shape, shapes, self.form, self.channel_dim, self.x.dtype,
                                                    y.dtype, self.prologue, self.epsilon), options)


def forward(x: Any, numerator: Any, denominator: Any, *, form: Form = "abs_terms", channel_dim: int = -1,
            bias: Any = None, norm: Norm | None = None, scale: Any = None, shift: Any = None, epsilon: float = 1e-5,
            mean: Any = None, rstd: Any = None, out: Any = None, device: str | None = None,
            determinism: Determinism = "run_to_run", stream: int = 0) -> Any:
    """F(z) for every element x, with the coefficients of the group that its channel belongs to. z is x, or what a
    prologue makes of it: x + bias, or a norm of each row of channels.

    Args:
        x: contiguous array of float32, float16, bfloat16 or float64: NumPy's, or any with DLPack on the host, CUDA or
            ROCm. Taken without a copy.
        numerator: [1 or groups, m + 1], a0 first; float32 (float64 for float64), where x lies. For an x of the host
            also a list.
        denominator: [1 or groups, n], b1 first; n + 1 with b0 first for form "abs_sum_offset".
        form: of the denominator: "abs_terms", "abs_sum", "abs_sum_offset", "plain" or "square".
        channel_dim: the dimension of x that holds the channels.
        bias: [channels], of the coefficients' type; not with a norm.
        norm: "layer_norm" or "rms_norm", over the channels, which are the last dimension then.
        scale, shift: of the norm: [channels], or None for ones and zeros.
        epsilon: of the norm.
        mean, rstd: of the norm: arrays to write into what backward needs, of the coefficients' type and of x's shape
            without the channels; "rms_norm" has no mean. None: not written.
        out: array to write into, of x's shape; may be x. Its type may be another than x's, but for float64.
        device: None for where x lies. An x of the host may be sent to another device, "opencl" for example; then the
            call copies there and back.
        determinism: "run_to_run", "device_to_device" or "none".
        stream: the native stream (cudaStream_t, hipStream_t) to enqueue on, as an integer; 0 for the default.

    Returns:
        out, or a new array of the kind of x.
    """
    tables = {"numerator": numerator, "denominator": denominator, "bias": bias, "scale": scale, "shift": shift}
    statistics = {"mean": mean, "rstd": rstd}
    inputs = _Inputs(x, tables, form, channel_dim, norm, epsilon, statistics, device, stream)
    result = empty_like(x) if out is None else out
    for name, array in (("out", result), *statistics.items()):
        assert_writable(name, array)
    y = view_like("out", result, inputs.x, inputs.x.shape, None, stream)
    plan = inputs.plan(y, Options(determinism=determinism))
    with _on_device(inputs.selector, [inputs.x, *inputs.tables.values()], [y, *inputs.statistics]) as addresses:
        plan.enqueue_forward(addresses, stream)
    return result


def _frozen_bits(frozen: Sequence[str], names: Sequence[str]) -> int:
    bits = 0
    for name in frozen:
        bits |= FROZEN_X if name == "x" else 1 << index_of("frozen", name, names)
    return bits


def backward(x: Any, dy: Any, numerator: Any, denominator: Any, *, form: Form = "abs_terms", channel_dim: int = -1,
             bias: Any = None, norm: Norm | None = None, scale: Any = None, shift: Any = None, epsilon: float = 1e-5,
             mean: Any = None, rstd: Any = None, frozen: Sequence[str] = (), y: Any = None,
             out: Sequence[Any] | None = None, accumulation: Accumulation = "overwrite", device: str | None = None,
             strategy: Strategy = "auto", determinism: Determinism = "run_to_run", stream: int = 0) -> Any:
    """The gradients of a loss with respect to x and the tables, given dy, that with respect to F(z).

    Args:
        x, numerator, denominator, form, channel_dim, bias, norm, scale, shift, epsilon, device, determinism, stream: as
            for forward.
        dy: array of the shape of x, of the type of F(z).
        mean, rstd: of a norm: what forward wrote.
        frozen: names of inputs whose gradients are not wanted ("x", "numerator", "scale", ...): they are not computed.
        y: array of dy's shape and type to write F(z) into again; may be dy.
        out: the arrays to write into, in the order of what is returned, None for what is not. dx, of x's type, may be
            x, or dy if that has it, too.
        accumulation: "overwrite" what the gradients of tables in out hold, or "add" to it.
        strategy: how the gradients of tables are summed: "auto", "tree", "block" or "element".

    Returns:
        (dx, dnumerator, ddenominator), with dbias behind them, or a norm's dscale and dshift: out, or new arrays of the
        kinds of x and the tables. None for what is frozen, and for a scale or shift that there is not.
    """
    index_of("accumulation", accumulation, ACCUMULATIONS)
    tables = {"numerator": numerator, "denominator": denominator, "bias": bias, "scale": scale, "shift": shift}
    inputs = _Inputs(x, tables, form, channel_dim, norm, epsilon, {"mean": mean, "rstd": rstd}, device, stream)
    dy_ = view_like("dy", dy, inputs.x, inputs.x.shape, None, stream)
    likes = {"x": inputs.x, **inputs.tables}
    bits = _frozen_bits(frozen, tuple(inputs.tables))
    wanted = [like is not None and name not in frozen for name, like in likes.items()]
    if out is None:
        if accumulation == "add":
            raise InvalidArgumentError("accumulation is 'add' and out is None; expected the gradients to add to")
        out = tuple(empty_like(cast(Array, like).source) if is_wanted else None
                    for like, is_wanted in zip(likes.values(), wanted))
    expected = ", ".join(f"d{name}" for name in likes)
    if not isinstance(out, (tuple, list)) or len(out) != len(likes):
        raise InvalidArgumentError(f"out is a {type(out).__name__}; expected ({expected})")
    outputs: list[Array | None] = []
    for (name, like), array, is_wanted in zip(likes.items(), out, wanted):
        if not is_wanted or like is None:
            outputs.append(None)
            continue
        assert_writable(f"out: d{name}", array)
        outputs.append(view_like(f"out: d{name}", array, inputs.x, like.shape, like.dtype, stream))
    if y is not None:
        assert_writable("y", y)
        outputs.append(view_like("y", y, inputs.x, dy_.shape, dy_.dtype, stream))
    plan = inputs.plan(dy_, Options(strategy=strategy, determinism=determinism, frozen=bits, writes_y=y is not None))
    place, size = Workspaces.place(inputs.selector, stream), plan.workspace_bytes
    workspace = (_workspaces.take(place, size) or _zeroed(inputs.selector, size)) if size > 0 else None
    before = [inputs.x, dy_, *inputs.tables.values(), *inputs.statistics]
    with _on_device(inputs.selector, before, outputs) as addresses:
        first, count = 2 + len(inputs.tables), len(before)
        plan.enqueue_backward(addresses[:first] + addresses[count:count + len(likes)],
                              workspace.address if workspace else 0, stream, accumulation,
                              addresses[first:count] + addresses[count + len(likes):])
    if workspace:
        _workspaces.give(place, workspace.bytes, workspace)
    return out
