# SPDX-License-Identifier: Apache-2.0
"""The library's kernels on PyTorch's tensors: plans, streams and workspaces. Nothing of autograd.

What the operators in C do (python/operators), for PyTorch that has none of those; and the checks of both. A form is a
number here, as operators take it: its place among FORMS.

The host's time counts here: small models are bound by it. So one dictionary look-up stands between a call and its plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .._errors import InvalidArgumentError
from .._names import DETERMINISM_LEVELS, FORMS, Determinism, Dtype, index_of
from .._operation import TABLES, Options, channel_of, check_table, operation_of
from .._plan import MOST_PLANS, Plan, plan_for
from .._workspaces import Workspaces
from . import _native

_DTYPES: dict[torch.dtype, Dtype] = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
                                  torch.float64: "f64"}
_GPU_BACKEND = "hip" if torch.version.hip else "cuda"

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


def check_tensors(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int) -> None:
    """Raise for what no kernel takes, whatever the sizes."""
    if not 0 <= form < len(FORMS):
        raise InvalidArgumentError(f"form is {form}; expected 0 to {len(FORMS) - 1}, for {', '.join(FORMS)}")
    channel_of(x.shape, channel_dim)
    if x.dtype not in _DTYPES:
        raise InvalidArgumentError(f"x has dtype {x.dtype}; expected float32, float16, bfloat16 or float64")
    wanted = table_dtype(x)
    for name, t in zip(TABLES, tables):
        if t.device != x.device:
            raise InvalidArgumentError(f"{name} lies on {t.device}; expected {x.device}, as x")
        if t.dtype is not wanted:
            raise InvalidArgumentError(f"{name} has dtype {t.dtype}; expected {wanted} for an x of {x.dtype}")
        check_table(name, t.shape)


def check_gradient(dy: torch.Tensor, x: torch.Tensor, tables: Sequence[torch.Tensor]) -> None:
    """Raise if what was saved for backward does not fit dy. Saved-tensor hooks may give back anything."""
    wanted = table_dtype(dy)
    for name, t in zip(("x", *TABLES), (x, *tables)):
        for what, found, expected in (("dtype", t.dtype, dy.dtype if t is x else wanted),
                                      ("device", t.device, dy.device),
                                      ("shape", t.shape, dy.shape if t is x else t.shape)):
            if found != expected:
                raise InvalidArgumentError(f"{name} has {what} {found} in backward; expected {expected}, which goes "
                                           f"with dy: a saved-tensor hook has to give back what forward saved")


def _make_plan(selector: str, x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int,
               determinism: Determinism) -> Plan:
    check_tensors(x, tables, form, channel_dim)
    # Only the channels' place in memory matters: channels_last, or a transposed tensor, is as good as contiguous.
    order = _memory_order(x) or list(range(x.dim()))
    shape, channel = [x.shape[dim] for dim in order], order.index(channel_of(x.shape, channel_dim))
    operation = operation_of(shape, [t.shape for t in tables], FORMS[form], channel, _DTYPES[x.dtype])
    threads = 0 if x.is_cuda else torch.get_num_threads()
    return plan_for(selector, operation, Options(determinism=determinism, cpu_threads=threads))


def _plan_of(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int, index: int,
             is_contiguous: bool) -> Plan:
    """The plan for a dense x on the device of an index, and contiguous tables."""
    determinism = _determinism if _determinism != "none" else get_determinism()
    # Indices of devices, since objects take longer to make and to compare. -1 is the cpu, where threads count; meta
    # tensors have it too, but no address, which the library refuses.
    key: Any = (x.shape, x.dtype, index if index >= 0 else -torch.get_num_threads(), is_contiguous or x.stride(), form,
                channel_dim, determinism)
    for t in tables:
        key += t.shape, t.dtype, t.get_device()
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= MOST_PLANS:
            _plans.clear()  # plan_for still has those that were used last
        plan = _plans[key] = _make_plan(_selector(x.device), x, tables, form, channel_dim, determinism)
    return plan


def check_arguments(x: torch.Tensor, tables: Sequence[torch.Tensor], form: int, channel_dim: int) -> None:
    """Raise what a plan would, for calls that the kernels do not see. The cpu's plans cost next to nothing."""
    _make_plan("cpu", x, tables, form, channel_dim, "run_to_run")


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
    plan.enqueue_backward(map(_address_of, (x, dy, *tables, *gradients)),
                          0 if workspace is None else workspace.data_ptr(), stream)
    if place is not None and workspace is not None:
        _workspaces.give(place, workspace.numel(), workspace)
    return gradients
