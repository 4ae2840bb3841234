# SPDX-License-Identifier: Apache-2.0
"""The rational function as PyTorch's own operations: what derivatives of higher order, forward mode, the transforms of
torch.func and ONNX's exporters go through."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._names import FORMS, Form
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


def formula(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form = "abs_terms",
            channel_dim: int = -1) -> torch.Tensor:
    """What grkan.torch.rational computes, as operations of PyTorch: slow, differentiable any number of times.

    It keeps a tensor for each step. Unlike the kernels it evaluates in powers of x everywhere, so it overflows where
    they do not (from about abs(x) = 5e7 in f32).
    """
    if has_torch_function((x, numerator, denominator)):
        return handle_torch_function(formula, (x, numerator, denominator), x, numerator, denominator, form, channel_dim)
    trailing = x.dim() - 1 - channel_dim % x.dim()
    channels = shape_of(x)[channel_dim]
    wide = x.to(numerator.dtype)
    a, b = (_by_channel(table, channels, trailing) for table in (numerator, denominator))
    if form == "abs_terms":
        magnitude = _magnitude(wide)
        q = 1 + magnitude * _polynomial([_magnitude(c) for c in b], magnitude)
    elif form == "abs_sum":
        q = 1 + _magnitude(wide * _polynomial(b, wide))
    elif form == "abs_sum_offset":
        q = 0.1 + _magnitude(_polynomial(b, wide))
    elif form == "square":
        q = 1 + (wide * _polynomial(b, wide)).square()
    else:
        q = 1 + wide * _polynomial(b, wide)
    return (_polynomial(a, wide) / q).to(x.dtype)


def gradients_of_formula(dy: torch.Tensor, inputs: Sequence[torch.Tensor], wanted: Sequence[bool], form: int,
                         channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """The gradients of the wanted inputs (x and its tables), which require them; with a graph behind them if
    gradients are being recorded. The form is a number, as operators take it."""
    create_graph = torch.is_grad_enabled()
    x, numerator, denominator = inputs
    chosen = [t for t, is_wanted in zip(inputs, wanted) if is_wanted]
    with torch.enable_grad():
        y = formula(x, numerator, denominator, FORMS[form], channel_dim)
        found = iter(torch.autograd.grad(y, chosen, dy, create_graph=create_graph, allow_unused=True))
    gradients: list[torch.Tensor | None] = []
    for t, is_wanted in zip(inputs, wanted):
        gradient = next(found) if is_wanted else None
        gradients.append(torch.zeros_like(t) if is_wanted and gradient is None else gradient)
    return tuple(gradients)
