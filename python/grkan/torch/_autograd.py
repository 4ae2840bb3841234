# SPDX-License-Identifier: Apache-2.0
"""The function that users call, and its gradient."""

from __future__ import annotations

from typing import Any

import torch

from ._formula import formula
from ._kernels import check_arguments, coefficient_dtype, dense, like, plan_of, run_backward, run_forward

operator: Any
try:
    from ._operator import operator
except ImportError:  # before PyTorch 2.4
    operator = None


def differentiable_gradients(ctx, dy: torch.Tensor, form: str,
                             channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """The gradients with a graph behind them, for derivatives of higher order."""
    x, numerator, denominator = inputs = ctx.saved_tensors
    wanted = [i for i in range(3) if ctx.needs_input_grad[i]]
    y = formula(x, numerator, denominator, form, channel_dim)
    found = torch.autograd.grad(y, [inputs[i] for i in wanted], dy, create_graph=True, allow_unused=True)
    gradients: list[torch.Tensor | None] = [None, None, None]
    for i, gradient in zip(wanted, found):
        gradients[i] = torch.zeros_like(inputs[i]) if gradient is None else gradient
    return tuple(gradients)


class RationalFunction(torch.autograd.Function):
    """The kernels as a node of autograd: what eager calls take, since it costs the host less than an operator."""

    @staticmethod
    def forward(ctx, x, numerator, denominator, form, channel_dim):
        ctx.save_for_backward(x, numerator, denominator)
        if not x.is_contiguous():
            x = dense(x)
        plan = plan_of(x, numerator, denominator, form, channel_dim)
        ctx.call = plan, form, channel_dim
        return run_forward(plan, x, numerator, denominator)

    @staticmethod
    def backward(ctx, dy):
        plan, form, channel_dim = ctx.call
        if torch.is_grad_enabled():
            return *differentiable_gradients(ctx, dy, form, channel_dim), None, None
        x, numerator, denominator = ctx.saved_tensors
        if not (x.is_contiguous() and dy.is_contiguous()):
            x = dense(x)
            dy = like(dy, x)
        return *run_backward(plan, x, dy, numerator, denominator, True), None, None


# Function.apply of PyTorch 2 first does in Python what torch.func's transforms need, which takes the host a tenth of the
# time of forward and backward. What it calls in the end is enough, since those transforms never get there.
_apply = super(torch.autograd.Function, RationalFunction).apply
_transforms_are_active = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)

_PLAIN = (torch.Tensor, torch.nn.Parameter)  # other types of tensors (fake ones, for example) go by the dispatcher


def rational(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: str = "abs_terms",
             channel_dim: int = -1) -> torch.Tensor:
    """The group-wise rational function P(x) / Q(x), differentiable in all three tensors.

    Within a transform of torch.func (grad, vmap, jvp, ...) it is computed by PyTorch's operations (formula).

    Args:
        x: of any shape, f32, f16, bf16 or f64, on the cpu or a GPU. The result has its type also under autocast.
        numerator: [1 or groups, m + 1], a0 first.
        denominator: [1 or groups, n], b1 first; n + 1 with b0 first for form "abs_sum_offset". Coefficients are
            converted to f32 (f64 for an x of f64), and so are their gradients computed.
        form: of the denominator: "abs_terms" (KAT), "abs_sum", "abs_sum_offset" or "plain".
        channel_dim: the dimension of x that holds the channels; they are split into groups as numpy.array_split does.
    """
    wanted = coefficient_dtype(x)
    if numerator.dtype is not wanted:
        numerator = numerator.to(wanted)
    if denominator.dtype is not wanted:
        denominator = denominator.to(wanted)
    if operator is not None and (torch.compiler.is_compiling() or type(x) not in _PLAIN):
        return operator(x, numerator.contiguous(), denominator.contiguous(), form, channel_dim)
    if _transforms_are_active():  # torch.func's, each of which has rules for PyTorch's own operations
        check_arguments(x, numerator, denominator, form, channel_dim)
        return formula(x, numerator, denominator, form, channel_dim)
    return _apply(x, numerator.contiguous(), denominator.contiguous(), form, channel_dim)
