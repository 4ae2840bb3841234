# SPDX-License-Identifier: Apache-2.0
"""GR-KAN's layer as one function: the rational, then a linear layer, whose input is not stored but computed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import handle_torch_function, has_torch_function

from .._names import Form
from ._autograd import rational
from ._formula import formula_of_prologue, gradients_of
from ._kernels import WANTS_Y
from ._paths import autocast_type, is_exporting, needs_formula
from ._prologue_function import forward_of, wanted_of
from ._prologues import by_rows, eager_kernels, explained, has_kernels, inputs_of, is_traced

_INPUTS, _TENSORS = 5, 7  # x and the tables; with weight and bias of the linear layer


def compiled_linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """F.linear(x, weight, bias) where TorchDynamo traces it. A bias that autocast would cast, a launch at each call, is
    added behind, as it is: in Inductor's kernel of what comes then, such as a residual and a norm."""
    if bias is None or bias.dtype is autocast_type(x) or is_exporting():
        return F.linear(x, weight, bias)
    y = F.linear(x, weight)
    return (y + bias).to(y.dtype)


def _formula(*arguments: Any) -> torch.Tensor:
    """The function in PyTorch's operations."""
    weight, bias = arguments[_INPUTS:_TENSORS]
    y = formula_of_prologue(*arguments[:_INPUTS], *arguments[_TENSORS:])
    return F.linear(y, weight.to(y.dtype), None if bias is None else bias.to(y.dtype))


class RationalLinearFunction(torch.autograd.Function):
    """Of x, the four tables, weight, bias and the numbers of a prologue. Of tensors of x's size it saves x alone:
    backward of the rational gives its result again, which the gradient of weight needs."""

    @staticmethod
    def forward(ctx, *arguments):
        inputs, (weight, bias), numbers = arguments[:_INPUTS], arguments[_INPUTS:_TENSORS], arguments[_TENSORS:]
        kernels = eager_kernels()
        y, mean, rstd = forward_of(kernels.forward, kernels.norm_forward, (*inputs, *numbers))
        # Not left to autocast, which would keep its copy, made without a graph, for other uses of the same weight.
        narrow = weight.to(y.dtype)
        ctx.save_for_backward(*inputs, weight, bias, narrow, mean, rstd)
        ctx.numbers = numbers
        if is_traced():
            return compiled_linear(y, narrow, bias)
        return F.linear(y, narrow, None if bias is None else bias.to(y.dtype))

    @staticmethod
    def backward(ctx, dz):
        *inputs, weight, bias, narrow, mean, rstd = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:_TENSORS]
        if torch.is_grad_enabled() or needs_formula():
            gradients = gradients_of(_formula, dz, (*inputs, weight, bias), wanted, ctx.numbers)
            return *gradients, *[None] * len(ctx.numbers)
        bits = wanted_of(wanted) | (WANTS_Y if wanted[_INPUTS] else 0)
        *found, y = eager_kernels().gradients(dz @ narrow, inputs, (mean, rstd), bits, ctx.numbers)
        rows, dweight = dz.reshape(-1, dz.shape[-1]), None
        if y is not None and wanted[_INPUTS]:
            dweight = rows.t().mm(y.reshape(-1, y.shape[-1])).to(weight.dtype)
        dbias = rows.sum(0).to(bias.dtype) if wanted[_INPUTS + 1] else None
        return (*(g if is_wanted else None for g, is_wanted in zip(found, wanted)), dweight, dbias,
                *[None] * len(ctx.numbers))


def _recomputes(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether a call goes to the function above: where gradients are recorded, and nothing has other plans."""
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors):
        return False
    return not is_exporting() if is_traced() else has_kernels(*tensors)


def rational_linear(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, weight: torch.Tensor,
                    linear_bias: torch.Tensor | None = None, form: Form = "abs_terms", *,
                    bias: torch.Tensor | None = None, recompute: bool = True) -> torch.Tensor:
    """GR-KAN's layer: linear(rational(x, numerator, denominator, form, bias=bias), weight, linear_bias).

    For backward it stores x alone, and computes the linear layer's input again on the way. Under autocast that input
    has autocast's type.

    Args:
        x: [..., channels].
        numerator, denominator, form: see rational(); the channels are the last dimension.
        weight, linear_bias: of the linear layer behind, see torch.nn.functional.linear.
        bias: [channels], added to x on the way: that of the linear layer before.
        recompute: False stores the linear layer's input as well, which saves backward writing it.
    """
    tensors = (x, numerator, denominator, weight, linear_bias, bias)
    if has_torch_function(tensors) and not is_traced():
        return handle_torch_function(rational_linear, tensors, x, numerator, denominator, weight, linear_bias, form,
                                     bias=bias, recompute=recompute)
    if recompute and _recomputes([t for t in tensors if t is not None]):
        named = {"x": x, "numerator": numerator, "denominator": denominator, "bias": bias, "none": None}
        inputs, numbers = inputs_of(named, form, -1, "none" if bias is None else "bias", 0.0, "autocast")
        if is_traced():
            form_number, _, *others = numbers
            return by_rows(x, -1, lambda rows, channel: RationalLinearFunction.apply(
                rows, *inputs[1:], weight, linear_bias, form_number, channel, *others))
        try:
            return RationalLinearFunction.apply(*inputs, weight, linear_bias, *numbers)
        except RuntimeError as error:
            raise explained(error, inputs, numbers) from None
    y = rational(x, numerator, denominator, form, bias=bias, out_dtype="autocast")
    return compiled_linear(y, weight, linear_bias) if is_traced() else F.linear(y, weight, linear_bias)
