# SPDX-License-Identifier: Apache-2.0
"""The rational function and its prologues as PyTorch's own operations: what derivatives of higher order, forward mode,
the transforms of torch.func and ONNX's exporters go through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._names import FORMS, NORMS, PROLOGUES, Form, Norm
from ._kernels import OUTPUT_DTYPES
from ._paths import shape_of


def _magnitude(t: torch.Tensor) -> torch.Tensor:
    """abs(t) whose derivative at 0 is +1, as the kernels have it."""
    return torch.where(t < 0, -t, t)


def _repeat(coefficients: torch.Tensor, channels: int) -> torch.Tensor:
    """Each group's row once for every channel of it."""
    return coefficients.unsqueeze(1).expand(-1, channels, -1).flatten(0, 1)


def _by_channel(coefficients: torch.Tensor, channels: int, trailing: int) -> list[torch.Tensor]:
    """One tensor for each coefficient, shaped to go with x: the groups are split as numpy.array_split does."""
    groups = shape_of(coefficients)[0]
    if groups > 1:
        size, larger = channels // groups, channels % groups
        first, others = _repeat(coefficients[:larger], size + 1), _repeat(coefficients[larger:], size)
        coefficients = torch.cat([first, others]) if larger > 0 else others
    return [c.reshape(-1, *[1] * trailing) for c in coefficients.unbind(1)]


def _polynomial(coefficients: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """c0 + c1 x + ..., by Horner's rule; 0 without coefficients."""
    total = torch.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _function(z: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form,
              channel_dim: int) -> torch.Tensor:
    """F(z), for a z of the coefficients' type."""
    trailing = z.dim() - 1 - channel_dim % z.dim()
    channels = shape_of(z)[channel_dim]
    a, b = (_by_channel(table, channels, trailing) for table in (numerator, denominator))
    if form == "abs_terms":
        magnitude = _magnitude(z)
        q = 1 + magnitude * _polynomial([_magnitude(c) for c in b], magnitude)
    elif form == "abs_sum":
        q = 1 + _magnitude(z * _polynomial(b, z))
    elif form == "abs_sum_offset":
        q = 0.1 + _magnitude(_polynomial(b, z))
    elif form == "square":
        q = 1 + (z * _polynomial(b, z)).square()
    else:
        q = 1 + z * _polynomial(b, z)
    return _polynomial(a, z) / q


def _statistics(x: torch.Tensor, norm: str, epsilon: float) -> tuple[torch.Tensor | None, torch.Tensor]:
    """Mean, where the norm has one, and 1 / deviation of each row of channels, the last dimension."""
    mean = x.mean(-1, keepdim=True) if norm == "layer_norm" else None
    deviation = x if mean is None else x - mean
    return mean, 1 / (deviation.square().mean(-1, keepdim=True) + epsilon).sqrt()


def _normalised(x: torch.Tensor, norm: str, epsilon: float, scale: torch.Tensor | None,
                shift: torch.Tensor | None) -> torch.Tensor:
    """A norm of each row."""
    mean, rstd = _statistics(x, norm, epsilon)
    z = (x if mean is None else x - mean) * rstd
    z = z if scale is None else z * scale
    return z if shift is None else z + shift


def formula(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form = "abs_terms",
            channel_dim: int = -1, *, bias: torch.Tensor | None = None,
            out_dtype: torch.dtype | None = None) -> torch.Tensor:
    """What grkan.torch.rational computes, as operations of PyTorch: slow, differentiable any number of times.

    It keeps a tensor for each step. Unlike the kernels it evaluates in powers of x everywhere, so it overflows where
    they do not (from about abs(x) = 5e7 in f32).
    """
    tensors = (x, numerator, denominator, bias)
    if has_torch_function(tensors):
        return handle_torch_function(formula, tensors, x, numerator, denominator, form, channel_dim, bias=bias,
                                     out_dtype=out_dtype)
    z = x.to(numerator.dtype)
    if bias is not None:
        z = z + bias.reshape(-1, *[1] * (x.dim() - 1 - channel_dim % x.dim()))
    return _function(z, numerator, denominator, form, channel_dim).to(out_dtype or x.dtype)


def norm_formula(x: torch.Tensor, scale: torch.Tensor | None, shift: torch.Tensor | None, numerator: torch.Tensor,
                 denominator: torch.Tensor, form: Form = "abs_terms", *, eps: float = 1e-5, norm: Norm = "layer_norm",
                 out_dtype: torch.dtype | None = None) -> torch.Tensor:
    """What grkan.torch.norm_rational computes, likewise."""
    tensors = (x, scale, shift, numerator, denominator)
    if has_torch_function(tensors):
        return handle_torch_function(norm_formula, tensors, *tensors, form, eps=eps, norm=norm, out_dtype=out_dtype)
    z = _normalised(x.to(numerator.dtype), norm, eps, scale, shift)
    return _function(z, numerator, denominator, form, -1).to(out_dtype or x.dtype)


def _none_if_empty(table: torch.Tensor) -> torch.Tensor | None:
    return table if shape_of(table)[0] > 0 else None


def formula_of_prologue(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, first: torch.Tensor,
                        second: torch.Tensor, form: int, channel_dim: int, prologue: int, epsilon: float,
                        output: int) -> torch.Tensor:
    """The same of what operators take: numbers for names, and empty tensors for a norm's tables that there are not. Of
    what is no norm any tensor may stand for those, which nobody looks at. A norm's result is contiguous, as a kernel's:
    with dynamic shapes PyTorch learns the strides here."""
    name, out_dtype = PROLOGUES[prologue], OUTPUT_DTYPES[output]
    if name in NORMS:
        return norm_formula(x.contiguous(), _none_if_empty(first), _none_if_empty(second), numerator, denominator,
                            FORMS[form], eps=epsilon, norm=name, out_dtype=out_dtype)
    return formula(x, numerator, denominator, FORMS[form], channel_dim, bias=first if name == "bias" else None,
                   out_dtype=out_dtype)


def formula_with_statistics(x: torch.Tensor, numerator: torch.Tensor, *arguments: Any
                            ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same of a norm, with what backward needs of the rows; an empty tensor for a mean that there is not."""
    name, epsilon = PROLOGUES[arguments[5]], arguments[6]
    mean, rstd = _statistics(x.contiguous().to(numerator.dtype), name, epsilon)
    return (formula_of_prologue(x, numerator, *arguments), rstd.new_empty(0) if mean is None else mean.squeeze(-1),
            rstd.squeeze(-1))


def gradients_of(function: Callable[..., torch.Tensor], dy: torch.Tensor, inputs: Sequence[torch.Tensor],
                 wanted: Sequence[bool], numbers: Sequence[Any]) -> tuple[torch.Tensor | None, ...]:
    """The gradients of the wanted inputs, tensors that require them, of function(*inputs, *numbers); with a graph
    behind them if gradients are being recorded."""
    create_graph = torch.is_grad_enabled()
    chosen = [t for t, is_wanted in zip(inputs, wanted) if is_wanted]
    with torch.enable_grad():
        y = function(*inputs, *numbers)
        found = iter(torch.autograd.grad(y, chosen, dy, create_graph=create_graph, allow_unused=True))
    gradients: list[torch.Tensor | None] = []
    for t, is_wanted in zip(inputs, wanted):
        gradient = next(found) if is_wanted else None
        gradients.append(torch.zeros_like(t) if is_wanted and gradient is None else gradient)
    return tuple(gradients)


def gradients_of_formula(dy: torch.Tensor, inputs: Sequence[torch.Tensor], wanted: Sequence[bool], form: int,
                         channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """Those of x and its tables. The form is a number, as operators take it."""
    return gradients_of(formula, dy, inputs, wanted, (FORMS[form], channel_dim))
