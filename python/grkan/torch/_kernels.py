# SPDX-License-Identifier: Apache-2.0
"""The library's kernels on PyTorch's tensors: plans, streams and workspaces. Nothing of autograd.

What the operators in C do (python/operators), for PyTorch that has none of those; and the checks of both. A form is a
number here, as operators take it: its place among FORMS.

The host's time counts here: small models are bound by it. So one dictionary look-up stands between a call and its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch

from .._errors import InvalidArgumentError
from .._names import DETERMINISM_LEVELS, DTYPES, FORMS, NORMS, PROLOGUES, Determinism, Dtype, index_of
from .._operation import (FROZEN_X, PROLOGUE_TABLES, TABLES, Operation, Options, channel_of, check_channel_table,
                          check_table, operation_of)
from .._plan import MOST_PLANS, Plan, plan_for
from .._workspaces import Workspaces
from . import _native

_DTYPES: dict[torch.dtype, Dtype] = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
                                  torch.float64: "f64"}
# The types of y by their numbers in operators, those of grkan_output_dtype; None: that of x.
OUTPUT_DTYPES: tuple[torch.dtype | None, ...] = (None, *sorted(_DTYPES, key=lambda t: DTYPES.index(_DTYPES[t])))
OUTPUTS = {dtype: number for number, dtype in enumerate(OUTPUT_DTYPES)}
_GPU_BACKEND = "hip" if torch.version.hip else "cuda"


class Prologue(NamedTuple):
    """What a plan knows beyond x and the function's tables; the numbers are those of operators."""

    kind: int = 0  # its place among PROLOGUES
    epsilon: float = 0.0
    output: int = 0
    frozen: int = 0  # as of grkan.Options
    writes_y: bool = False

    @property
    def is_norm(self) -> bool:
        return PROLOGUES[self.kind] in NORMS


NO_PROLOGUE = Prologue()

_determinism: Determinism = "run_to_run"
_plans: dict[Any, Plan] = {}
_workspaces: Workspaces[torch.Tensor] = Workspaces()

# PyTorch's own short cuts, which cost a tenth of the public functions' time.
_raw_stream = getattr(torch._C, "_cuda_getCurrentRawStream", None) or (
    lambda index: torch.cuda.current_stream(index).cuda_stream)
_address_of = torch.Tensor.data_ptr
_is_capturing = getattr(torch._C, "_cuda_isCurrentStreamCapturing", None) or torch.cuda.is_current_stream_capturing


def set_determinism(level: Determinism) -> None:
    """What is promised about the bits of results from now on: "run_to_run" (the default), "device_to_device" or "none".

    torch.use_deterministic_algorithms(True) makes "run_to_run" of "none".
    """
    global _determinism
    index_of("level", level, DETERMINISM_LEVELS)
    _determinism = level
    _native.promise(level)


def get_determinism() -> Determinism:
    """The level that calls have now."""
    if _determinism == "none" and torch.are_deterministic_algorithms_enabled():
        return "run_to_run"
    return _determinism


def _dense(x: torch.Tensor) -> torch.Tensor:
    """x, or a copy of it if its elements do not lie without gaps."""
    return x if _memory_order(x) is not None else x.clone()


def _like(t: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """t, or a copy of it that lies in memory as the dense tensor x does."""
    return t if t.stride() == x.stride() else torch.empty_like(x).copy_(t)


def _memory_order(x: torch.Tensor) -> list[int] | None:
    """The dimensions of x from the slowest to the fastest in memory; None if the elements lie with gaps or overlap."""
    strides = x.stride()
    order = sorted(range(x.dim()), key=lambda dim: (strides[dim], x.shape[dim] > 1), reverse=True)
    expected = 1
    for dim in reversed(order):
        if x.shape[dim] != 1:
            if strides[dim] != expected:
                return None
            expected *= x.shape[dim]
    return order


def _selector(device: torch.device) -> str:
    if device.type == "cpu":
        return "cpu"
    if device.type == "cuda":  # ROCm's builds call theirs so too
        return f"{_GPU_BACKEND}:{device.index}"
    raise InvalidArgumentError(f"x lies on {device}; expected cpu or cuda")


def table_dtype(x: torch.Tensor) -> torch.dtype:
    """The type of tables that go with x, and of their gradients."""
    return torch.float64 if x.dtype is torch.float64 else torch.float32


def check_dense(name: str, t: Any) -> None:
    """Raise for what is no tensor, or none of elements that lie at strides."""
    if not isinstance(t, torch.Tensor):
        raise InvalidArgumentError(f"{name} is a {type(t).__name__}; expected a torch.Tensor")
    if t.layout is not torch.strided or t.is_nested:
        raise InvalidArgumentError(f"{name} has layout {t.layout}{' (nested)' if t.is_nested else ''}; expected a "
                                   "dense tensor (its to_dense(), or values())")


def _check_prologue(x: torch.Tensor, tables: Sequence[torch.Tensor], channel: int, p: Prologue) -> None:
    if not 0 <= p.kind < len(PROLOGUES):
        raise InvalidArgumentError(f"prologue is {p.kind}; expected 0 to {len(PROLOGUES) - 1}, for "
                                   f"{', '.join(PROLOGUES)}")
    if not 0 <= p.output < len(OUTPUT_DTYPES):
        raise InvalidArgumentError(f"output is {p.output}; expected 0 to {len(OUTPUT_DTYPES) - 1}")
    y = OUTPUT_DTYPES[p.output] or x.dtype
    if (y is torch.float64) != (x.dtype is torch.float64):
        raise InvalidArgumentError(f"out_dtype is {y} for an x of {x.dtype}; expected float64 with float64 alone")
    if p.is_norm and channel != x.dim() - 1:
        raise InvalidArgumentError(f"the channels of x are dimension {channel}; expected the last one for a norm")
    for name, t in zip(PROLOGUE_TABLES[PROLOGUES[p.kind]], tables):
        if not p.is_norm or t.shape != (0,):
            check_channel_table(name, t.shape, x.shape[channel])


def check_tensors(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int,
                  p: Prologue = NO_PROLOGUE) -> None:
    """Raise for what no kernel takes, whatever the sizes."""
    if not 0 <= form < len(FORMS):
        raise InvalidArgumentError(f"form is {form}; expected 0 to {len(FORMS) - 1}, for {', '.join(FORMS)}")
    channel = channel_of(x.shape, channel_dim)
    if x.dtype not in _DTYPES:
        raise InvalidArgumentError(f"x has dtype {x.dtype}; expected float32, float16, bfloat16 or float64")
    wanted = table_dtype(x)
    _check_prologue(x, tables[len(TABLES):], channel, p)
    for name, t in zip(TABLES + PROLOGUE_TABLES[PROLOGUES[p.kind]], tables):
        if t.device != x.device:
            raise InvalidArgumentError(f"{name} lies on {t.device}; expected {x.device}, as x")
        if t.dtype is not wanted:
            raise InvalidArgumentError(f"{name} has dtype {t.dtype}; expected {wanted} for an x of {x.dtype}")
        if name in TABLES:
            check_table(name, t.shape)


def check_gradient(dy: torch.Tensor, x: torch.Tensor, tables: Sequence[torch.Tensor],
                   has_other_type: bool = False) -> None:
    """Raise if what was saved for backward does not fit dy, whose type may be another than x's if so said. Saved-tensor
    hooks may give back anything."""
    wanted = table_dtype(dy)
    for name, t in zip(("x", *TABLES), (x, *tables)):
        of_x = x.dtype if has_other_type else dy.dtype
        for what, found, expected in (("dtype", t.dtype, of_x if t is x else wanted),
                                      ("device", t.device, dy.device),
                                      ("shape", t.shape, dy.shape if t is x else t.shape)):
            if found != expected:
                raise InvalidArgumentError(f"{name} has {what} {found} in backward; expected {expected}, which goes "
                                           f"with dy: a saved-tensor hook has to give back what forward saved")


def _operation_of(x: torch.Tensor, tables: Sequence[torch.Tensor], shape: Sequence[int], channel: int, form: int,
                  p: Prologue) -> Operation:
    """That of a tensor of x's types with another shape, its channels at channel."""
    shapes = [None if t.shape == (0,) else t.shape for t in tables[:len(TABLES + PROLOGUE_TABLES[PROLOGUES[p.kind]])]]
    output = OUTPUT_DTYPES[p.output]
    return operation_of(shape, shapes, FORMS[form], channel, _DTYPES[x.dtype],
                        None if output is None else _DTYPES[output], PROLOGUES[p.kind], p.epsilon)


def _make_plan(selector: str, x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int,
               determinism: Determinism, p: Prologue) -> Plan:
    check_tensors(x, tables, form, channel_dim, p)
    # Only the channels' place in memory matters: channels_last, or a transposed tensor, is as good as contiguous.
    order = _memory_order(x) or list(range(x.dim()))
    shape, channel = [x.shape[dim] for dim in order], order.index(channel_of(x.shape, channel_dim))
    operation = _operation_of(x, tables, shape, channel, form, p)
    threads = 0 if x.is_cuda else torch.get_num_threads()
    return plan_for(selector, operation, Options(determinism=determinism, cpu_threads=threads, frozen=p.frozen,
                                                 writes_y=p.writes_y))


def check_known_sizes(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int,
                      p: Prologue = NO_PROLOGUE) -> None:
    """check_tensors, and raise what a plan would for the sizes of tables and the number of channels, if those are
    numbers: in a graph with dynamic shapes they may be symbols, and a kernel checks them when it runs."""
    check_tensors(x, tables, form, channel_dim, p)
    channels = x.shape[channel_of(x.shape, channel_dim)]
    if all(isinstance(size, int) for t in tables for size in (channels, *t.shape)):
        plan_for("cpu", _operation_of(x, tables, (channels,), 0, form, p), Options())


def _plan_of(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int, index: int,
             is_contiguous: bool, p: Prologue = NO_PROLOGUE) -> Plan:
    """The plan for a dense x on the device of an index, and contiguous tables."""
    determinism = _determinism if _determinism != "none" else get_determinism()
    # Indices of devices, since objects take longer to make and to compare. -1 is the cpu, where threads count; meta
    # tensors have it too, but no address, which the library refuses.
    key: Any = (x.shape, x.dtype, index if index >= 0 else -torch.get_num_threads(), is_contiguous or x.stride(), form,
                channel_dim, determinism)
    if p is not NO_PROLOGUE:
        key += p
    for t in tables:
        key += t.shape, t.dtype, t.get_device()
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= MOST_PLANS:
            _plans.clear()  # plan_for still has those that were used last
        plan = _plans[key] = _make_plan(_selector(x.device), x, tables, form, channel_dim, determinism, p)
    return plan


def check_arguments(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int,
                    p: Prologue = NO_PROLOGUE) -> None:
    """Raise what a plan would, for calls that the kernels do not see. The cpu's plans cost next to nothing."""
    _make_plan("cpu", x, tables, form, channel_dim, "run_to_run", p)


def run_forward(x: torch.Tensor, *arguments: Any) -> torch.Tensor:
    """F(x) of (x, *tables, form, channel_dim), on the current stream of the device."""
    *tables, form, channel_dim = arguments
    tables = list(map(torch.Tensor.contiguous, tables))
    index, is_contiguous = x.get_device(), x.is_contiguous()
    if not is_contiguous:
        x = _dense(x)
        is_contiguous = x.is_contiguous()
    plan = _plan_of(x, tables, form, channel_dim, index, is_contiguous)
    y = torch.empty_like(x)
    plan.enqueue_forward(map(_address_of, (x, *tables, y)), _raw_stream(index) if index >= 0 else 0)
    return y


def _enqueue_backward(plan: Plan, addresses: Iterable[int], x: torch.Tensor, index: int, keep_workspace: bool,
                      more: Iterable[int] = ()) -> None:
    """Plan.enqueue_backward on the current stream of the device of an index, where x lies."""
    stream = _raw_stream(index) if index >= 0 else 0
    place = workspace = None
    if plan.workspace_bytes:
        # While a CUDA graph is captured, memory is the graph's own: zeros would be written at the next replay only, and
        # replays on other streams would share them.
        if keep_workspace and not (index >= 0 and _is_capturing()):
            place = Workspaces.place(index, stream)
            workspace = _workspaces.take(place, plan.workspace_bytes)
        if workspace is None:
            workspace = torch.zeros(plan.workspace_bytes, dtype=torch.uint8, device=x.device)
    plan.enqueue_backward(addresses, 0 if workspace is None else workspace.data_ptr(), stream, more=more)
    if place is not None and workspace is not None:
        _workspaces.give(place, workspace.numel(), workspace)


def run_backward(dy: torch.Tensor, x: torch.Tensor, *arguments: Any, keep_workspace: bool = True
                 ) -> tuple[torch.Tensor, ...]:
    """dx and the gradients of the tables, of (dy, x, *tables, form, channel_dim), on the current stream.

    Takes nothing from forward but the tensors: what comes back from saved-tensor hooks may lie elsewhere and otherwise.
    """
    *tables, form, channel_dim = arguments
    tables = list(map(torch.Tensor.contiguous, tables))
    index = x.get_device()
    if dy.dtype is not x.dtype or dy.shape != x.shape or dy.get_device() != index:
        check_gradient(dy, x, tables)
    is_contiguous = x.is_contiguous()
    if not (is_contiguous and dy.is_contiguous()):
        x = _dense(x)
        dy = _like(dy, x)
        is_contiguous = x.is_contiguous()
    plan = _plan_of(x, tables, form, channel_dim, index, is_contiguous)
    gradients = tuple(map(torch.empty_like, (x, *tables)))
    _enqueue_backward(plan, map(_address_of, (x, dy, *tables, *gradients)), x, index, keep_workspace)
    return gradients


# ----------------------------------------------------------------------------------------------------------- prologues


def _prepare(x: torch.Tensor, tables: Sequence[torch.Tensor], channel_dim: int, p: Prologue
             ) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """x as kernels take it, and the tables that the prologue has."""
    tables = [t.contiguous() for t in tables[:len(TABLES + PROLOGUE_TABLES[PROLOGUES[p.kind]])]]
    return x.contiguous() if p.is_norm else _dense(x), tables


def _addresses(tensors: Iterable[torch.Tensor | None]) -> list[int]:
    """0 for None, and for an empty tensor."""
    return [0 if t is None else _address_of(t) for t in tensors]


def _absent(x: torch.Tensor) -> torch.Tensor:
    """What stands for a tensor that there is not."""
    return x.new_empty(0, dtype=table_dtype(x))


def run_prologue_forward(x: torch.Tensor, *arguments: Any) -> torch.Tensor:
    """F(z) of (x, numerator, denominator, first, second, form, channel_dim, prologue, epsilon, output)."""
    return _run_prologue_forward(x, arguments, False)[0]


def run_norm_forward(x: torch.Tensor, *arguments: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same of a norm, with the rows' mean and rstd."""
    return _run_prologue_forward(x, arguments, True)


def _run_prologue_forward(x: torch.Tensor, arguments: Sequence[Any], with_statistics: bool
                          ) -> tuple[torch.Tensor, ...]:
    *tables, form, channel_dim, kind, epsilon, output = arguments
    p = Prologue(kind, epsilon, output)
    index = x.get_device()
    x, tables = _prepare(x, tables, channel_dim, p)
    plan = _plan_of(x, tables, form, channel_dim, index, x.is_contiguous(), p)
    y = torch.empty_like(x, dtype=OUTPUT_DTYPES[output] or x.dtype)
    statistics: list[torch.Tensor | None] = []
    if p.is_norm:
        statistics = [None, None]
        if with_statistics:
            rows = x.new_empty(x.shape[:-1], dtype=table_dtype(x))
            statistics = [torch.empty_like(rows) if PROLOGUES[kind] == "layer_norm" else None, rows]
    plan.enqueue_forward(_addresses((x, *tables, y, *statistics)), _raw_stream(index) if index >= 0 else 0)
    return y, *(_absent(x) if t is None else t for t in statistics)


WANTS_Y = 1 << 5  # of run_prologue_backward's wanted


def frozen_of(wanted: int, table_count: int) -> int:
    """The bits of options.frozen, of those of what is wanted: x, then the tables."""
    frozen = ~(wanted >> 1) & ((1 << table_count) - 1)
    return frozen if wanted & 1 else frozen | FROZEN_X


def _statistics(x: torch.Tensor, mean: torch.Tensor, rstd: torch.Tensor, p: Prologue) -> list[torch.Tensor]:
    """Those of a norm, as kernels take them."""
    statistics = []
    for name, t in (("mean", mean), ("rstd", rstd)) if p.is_norm else ():
        expected = (0,) if name == "mean" and PROLOGUES[p.kind] == "rms_norm" else x.shape[:-1]
        if t.shape != expected or t.dtype is not table_dtype(x) or t.device != x.device:
            raise InvalidArgumentError(f"{name} has another shape, dtype or device than goes with the rows of x; "
                                       "expected what forward gave")
        statistics.append(t.contiguous())
    return statistics


def run_prologue_backward(dy: torch.Tensor, x: torch.Tensor, *arguments: Any, keep_workspace: bool = True
                          ) -> tuple[torch.Tensor, ...]:
    """dx, the gradients of the four tables, and y, each if wanted has its bit (1 << 0 for dx), else an empty tensor, of
    (dy, x, numerator, denominator, first, second, mean, rstd, form, channel_dim, prologue, epsilon, wanted)."""
    numerator, denominator, first, second, mean, rstd, form, channel_dim, kind, epsilon, wanted = arguments
    all_tables = numerator, denominator, first, second
    index, names = x.get_device(), TABLES + PROLOGUE_TABLES[PROLOGUES[kind]]
    check_gradient(dy, x, all_tables[:2], True)
    p = Prologue(kind, epsilon, OUTPUTS[dy.dtype if dy.dtype is not x.dtype else None],
                 frozen_of(wanted, len(names)), bool(wanted & WANTS_Y))
    x, tables = _prepare(x, all_tables, channel_dim, p)
    dy = dy if dy.stride() == x.stride() else torch.empty_like(x, dtype=dy.dtype).copy_(dy)
    plan = _plan_of(x, tables, form, channel_dim, index, x.is_contiguous(), p)
    gradients = [torch.empty_like(t) if wanted >> k & 1 and k <= len(tables) else _absent(x)
                 for k, t in enumerate((x, *tables, *all_tables[len(tables):]))]
    y = torch.empty_like(dy) if p.writes_y else _absent(x)
    statistics = _statistics(x, mean, rstd, p)
    _enqueue_backward(plan, _addresses((x, dy, *tables, *gradients[:1 + len(tables)])), x, index, keep_workspace,
                      _addresses((*statistics, *((y,) if p.writes_y else ()))))
    return *gradients, y
