# SPDX-License-Identifier: Apache-2.0
"""The function that users call, and its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._errors import InvalidArgumentError
from .._library import FORMS
from .._names import Form, index_of
from ._formula import formula, gradients_of_formula
from ._kernels import check_arguments, check_gradient, run_backward, run_forward
from ._paths import has_memory, is_plain, is_plain_too, needs_formula, untraced

operator: Any
try:
    from ._operator import backward_operator, operator, set_gradients
except ImportError:  # before PyTorch 2.4
    operator = None


def gradients_by_dispatcher(ctx: Any, dy: torch.Tensor, form: Form,
                            channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """The gradients of what is not plain, and those that have derivatives themselves."""
    x, numerator, denominator = saved = ctx.saved_tensors
    check_gradient(dy, *saved)
    if operator is not None and not torch.is_grad_enabled() and not needs_formula():
        return backward_operator(dy, x, numerator.contiguous(), denominator.contiguous(), form, channel_dim)
    return gradients_of_formula(dy, saved, ctx.needs_input_grad[:3], form, channel_dim)


if operator is not None:
    set_gradients(gradients_by_dispatcher)


class RationalFunction(torch.autograd.Function):
    """The kernels as a node of autograd: what plain calls take, since it costs the host less than an operator."""

    @staticmethod
    def forward(ctx, x, numerator, denominator, form, channel_dim):
        ctx.save_for_backward(x, numerator, denominator)
        ctx.names = form, channel_dim
        return run_forward(x, numerator, denominator, form, channel_dim)

    @staticmethod
    def backward(ctx, dy):
        form, channel_dim = ctx.names
        x, numerator, denominator = saved = ctx.saved_tensors
        if not torch.is_grad_enabled() and is_plain(x, numerator, denominator) and is_plain_too(dy):
            try:
                return *run_backward(dy, x, numerator.contiguous(), denominator.contiguous(), form, channel_dim,
                                     True), None, None
            except RuntimeError:
                if has_memory(dy, *saved):
                    raise
        return *gradients_by_dispatcher(ctx, dy, form, channel_dim), None, None


# Function.apply of PyTorch 2 first does in Python what torch.func's transforms need, which takes the host a tenth of
# the time of forward and backward. What it calls in the end is enough, since those transforms never get there.
_apply = super(torch.autograd.Function, RationalFunction).apply


def _coefficients(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor) -> tuple[torch.Tensor,
                                                                                                 torch.Tensor]:
    """Numerator and denominator as the kernels take them: contiguous, f32 (f64 for an x of f64)."""
    wanted = torch.float64 if x.dtype is torch.float64 else torch.float32  # coefficient_dtype, without a call
    if numerator.dtype is not wanted:
        numerator = numerator.to(wanted)
    if denominator.dtype is not wanted:
        denominator = denominator.to(wanted)
    return numerator.contiguous(), denominator.contiguous()


def _by_dispatcher(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form,
                   channel_dim: int) -> torch.Tensor:
    """rational() of what is not plain."""
    tensors = x, numerator, denominator
    if has_torch_function(tensors):  # a subclass, a mode, or a graph's node in torch.fx.symbolic_trace
        return handle_torch_function(rational, tensors, *tensors, form, channel_dim)
    for name, t in zip(("x", "numerator", "denominator"), tensors):
        if not isinstance(t, torch.Tensor):
            raise InvalidArgumentError(f"{name} is a {type(t).__name__}; expected a torch.Tensor")
        if t.layout is not torch.strided or t.is_nested:
            raise InvalidArgumentError(f"{name} has layout {t.layout}{' (nested)' if t.is_nested else ''}; expected a "
                                       "dense tensor (its to_dense(), or values())")
    numerator, denominator = _coefficients(*tensors)
    if operator is not None and not needs_formula():
        return operator(x, numerator, denominator, form, channel_dim)
    with untraced():
        check_arguments(x, numerator, denominator, form, channel_dim)
    return formula(x, numerator, denominator, form, channel_dim)


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
        form: of the denominator: "abs_terms" (KAT), "abs_sum", "abs_sum_offset" or "plain".
        channel_dim: the dimension of x that holds the channels; they are split into groups as numpy.array_split does.
    """
    if operator is not None and torch.compiler.is_dynamo_compiling():
        way = formula if needs_formula() else operator
        return way(x, *_coefficients(x, numerator, denominator), form, channel_dim)
    if is_plain(x, numerator, denominator):
        try:
            return _apply(x, *_coefficients(x, numerator, denominator), form, channel_dim)
        except RuntimeError:
            if has_memory(x, numerator, denominator):
                raise
        except TypeError:
            index_of("form", form, FORMS)  # a list, perhaps, which finds no plan
            raise
    return _by_dispatcher(x, numerator, denominator, form, channel_dim)
