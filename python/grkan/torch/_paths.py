# SPDX-License-Identifier: Apache-2.0
"""Which way a call goes: to the kernels by addresses, by PyTorch's dispatcher to the operator, or through the formula.

The kernels take the addresses of plain tensors while nothing is active that wants to see operations or has rules of its
own for them. This is asked at every call, so each question is one call of C.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function_unary

PLAIN = (torch.Tensor, torch.nn.Parameter)  # other types go by the dispatcher


def never() -> bool:
    return False


_count_dispatch_modes = getattr(torch._C, "_len_torch_dispatch_stack", never)  # make_fx, FakeTensorMode, counters
_has_function_mode = getattr(torch._C, "_is_torch_function_mode_enabled", never)  # torch.set_default_device
_has_transform = getattr(torch._C, "_are_functorch_transforms_active", never)  # torch.func: grad, vmap, jvp
_is_tracing = torch._C._is_tracing  # torch.jit.trace, and ONNX's exporter on top of it


def is_compiling() -> bool:
    """Whether torch.compile or torch.export traces this call; PyTorch before 2.1 has no word for it."""
    return hasattr(torch, "compiler") and torch.compiler.is_compiling()


def is_watched() -> bool:
    """Whether something in this thread wants to see calls, or has rules for PyTorch's own operations only: a mode of
    __torch_function__, and what needs the formula."""
    return (_has_function_mode() or _has_transform() or _is_tracing() or forward_ad._current_level >= 0)


def is_plain(*tensors: torch.Tensor) -> bool:
    """Whether tensors are what lies at their addresses, and nothing watches or transforms the calls of this thread.
    Kernels in Python ask, since they take addresses.

    Not seen here are those without memory (meta, sparse, nested, zero, wrapped by vmap as it was before torch.func):
    whoever takes an address fails, and asks has_memory().
    """
    if _count_dispatch_modes() or is_watched():
        return False
    for t in tensors:  # noqa: SIM110 - all() takes longer
        if type(t) not in PLAIN or t.is_neg():
            return False
    return True


def has_memory(*tensors: torch.Tensor) -> bool:
    """Whether each has an address at which its elements lie. For calls that have failed: it takes its time."""
    try:
        return all(t.layout is torch.strided and not t.is_nested and (t.data_ptr() != 0 or t.numel() == 0)
                   and not t.is_meta for t in tensors)
    except RuntimeError:
        return False


def needs_formula() -> bool:
    """Whether what is active has rules for PyTorch's own operations only: forward mode, torch.func, torch.jit.trace."""
    # torch.compile's own tracer knows no torch.jit.trace, and takes no question about it.
    return _has_transform() or forward_ad._current_level >= 0 or (not is_compiling() and _is_tracing())


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Let torch.jit.trace record nothing: while it does, sizes are tensors, and each use as a number is warned of."""
    state = torch._C._get_tracing_state()
    if state is not None:
        torch._C._set_tracing_state(None)
    try:
        yield
    finally:
        if state is not None:
            torch._C._set_tracing_state(state)


def shape_of(t: torch.Tensor) -> Sequence[int]:
    """The shape in numbers. A graph that torch.jit.trace records is for these groups and channels."""
    with untraced():
        return t.shape


def is_exporting() -> bool:
    """Whether torch.export traces this call: by the flag that torch.compiler.is_exporting() gives, since Dynamo, up to
    PyTorch 2.11 at least, takes that function for true whenever it compiles."""
    return bool(getattr(getattr(torch, "compiler", None), "_is_exporting_flag", False))


_HAS_AUTOCAST_TYPES = hasattr(torch, "get_autocast_dtype")  # since PyTorch 2.4


def autocast_type(x: torch.Tensor) -> torch.dtype:
    """What autocast would have a linear layer take for x: x's own type where autocast is off, or x is f64. It is one
    call in a graph of torch.fx.symbolic_trace, since only the graph's calls have a type and a device."""
    if type(x) not in PLAIN and has_torch_function_unary(x):
        return handle_torch_function(autocast_type, (x,), x)
    kind, own = x.device.type, x.dtype
    if own is torch.float64:
        return own
    if _HAS_AUTOCAST_TYPES:
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else own
    if kind == "cuda":
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else own
    return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else own
