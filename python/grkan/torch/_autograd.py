# SPDX-License-Identifier: Apache-2.0
"""The function that users call, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._errors import InvalidArgumentError
from .._names import FORMS, Form, index_of
from .._operation import TABLES
from ._formula import formula, gradients_of_formula
from ._kernels import check_arguments, check_gradient, run_backward, run_forward
from ._paths import has_memory, is_plain, needs_formula, untraced

operator: Any
try:
    from ._operator import gradients_by_dispatcher, operator
except ImportError:  # before PyTorch 2.4
    operator, gradients_by_dispatcher = None, gradients_of_formula


class RationalFunction(torch.autograd.Function):
    """The kernels as a node of autograd: what plain calls take, since it costs the host less than an operator."""

    @staticmethod
    def forward(ctx, x, numerator, denominator, form, channel_dim):  # *tables would take the host 2 % more
        ctx.save_for_backward(x, numerator, denominator)
        ctx.names = form, channel_dim
        return run_forward(x, (numerator, denominator), form, channel_dim)

    @staticmethod
    def backward(ctx, dy):
        form, channel_dim = ctx.names
        x, *tables = saved = ctx.saved_tensors
        if not torch.is_grad_enabled() and is_plain(dy, *saved):
            try:
                return *run_backward(dy, x, list(map(torch.Tensor.contiguous, tables)), form, channel_dim,
                                     True), None, None
            except RuntimeError:
                if has_memory(dy, *saved):
                    raise
        check_gradient(dy, x, tables)
        return *gradients_by_dispatcher(dy, saved, ctx.needs_input_grad[:-2], form, channel_dim), None, None


# Function.apply of PyTorch 2 first does in Python what torch.func's transforms need, which takes the host a tenth of
# the time of forward and backward. What it calls in the end is enough, since those transforms never get there.
_apply = super(torch.autograd.Function, RationalFunction).apply


def _as_kernels_take(x: torch.Tensor, tables: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The tables contiguous, and in f32 (f64 for an x of f64)."""
    wanted = torch.float64 if x.dtype is torch.float64 else torch.float32  # table_dtype, without a call
    taken = []
    for t in tables:
        taken.append((t if t.dtype is wanted else t.to(wanted)).contiguous())  # noqa: PERF401 - this is faster
    return taken


def _by_dispatcher(x: torch.Tensor, tables: Sequence[torch.Tensor], form: Form, channel_dim: int) -> torch.Tensor:
    """rational() of what is not plain."""
    tensors = (x, *tables)
    if has_torch_function(tensors):  # a subclass, a mode, or a graph's node in torch.fx.symbolic_trace
        return handle_torch_function(rational, tensors, *tensors, form, channel_dim)
    for name, t in zip(("x", *TABLES), tensors):
        if not isinstance(t, torch.Tensor):
            raise InvalidArgumentError(f"{name} is a {type(t).__name__}; expected a torch.Tensor")
        if t.layout is not torch.strided or t.is_nested:
            raise InvalidArgumentError(f"{name} has layout {t.layout}{' (nested)' if t.is_nested else ''}; expected a "
                                       "dense tensor (its to_dense(), or values())")
    tables = _as_kernels_take(x, tables)
    way = operator
    if operator is None or needs_formula():
        way = formula
        with untraced():
            check_arguments(x, tables, form, channel_dim)
    return way(x, *tables, form, channel_dim)


def rational(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form = "abs_terms",
             channel_dim: int = -1) -> torch.Tensor:
    """The group-wise rational function P(x) / Q(x), differentiable in all three tensors any number of times.

    Like PyTorch's own functions it can be overridden by subclasses of Tensor and by modes (__torch_function__), and is
    one call in a graph of torch.fx.symbolic_trace. In forward mode, within a transform of torch.func (grad, vmap, jvp,
    ...), under torch.jit.trace and in what ONNX's exporters see it is computed by PyTorch's operations (formula).

    Args:
        x: of any shape, f32, f16, bf16 or f64, on the cpu or a GPU. The result has its type also under autocast.
        numerator: [1 or groups, m + 1], a0 first.
        denominator: [1 or groups, n], b1 first; n + 1 with b0 first for form "abs_sum_offset". Coefficients are
            converted to f32 (f64 for an x of f64), and so are their gradients computed.
        form: of the denominator: "abs_terms" (KAT), "abs_sum", "abs_sum_offset", "plain" or "square".
        channel_dim: the dimension of x that holds the channels; they are split into groups as numpy.array_split does.
    """
    tables = numerator, denominator
    if operator is not None and torch.compiler.is_dynamo_compiling():
        way: Any = formula if needs_formula() else operator
        return way(x, *_as_kernels_take(x, tables), form, channel_dim)
    if is_plain(x, numerator, denominator):
        try:
            return _apply(x, *_as_kernels_take(x, tables), form, channel_dim)
        except RuntimeError:
            if has_memory(x, *tables):
                raise
        except TypeError:
            index_of("form", form, FORMS)  # a list, perhaps, which finds no plan
            raise
    return _by_dispatcher(x, tables, form, channel_dim)
