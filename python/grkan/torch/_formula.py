# SPDX-License-Identifier: Apache-2.0
"""The rational function as PyTorch's own operations: what derivatives of higher order are taken through."""

from __future__ import annotations

import torch


def _magnitude(t: torch.Tensor) -> torch.Tensor:
    """abs(t) whose derivative at 0 is +1, as the kernels have it."""
    return torch.where(t < 0, -t, t)


def _by_channel(coefficients: torch.Tensor, channels: int, trailing: int) -> list[torch.Tensor]:
    """One tensor for each coefficient, shaped to go with x: the groups are split as numpy.array_split does."""
    groups = coefficients.shape[0]
    if groups > 1:
        sizes = [channels // groups + (1 if group < channels % groups else 0) for group in range(groups)]
        index = torch.repeat_interleave(torch.arange(groups), torch.tensor(sizes)).to(coefficients.device)
        coefficients = coefficients[index]
    return [c.reshape(-1, *[1] * trailing) for c in coefficients.unbind(1)]


def _polynomial(coefficients: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """c0 + c1 x + ..., by Horner's rule; 0 without coefficients."""
    total = torch.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def formula(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: str = "abs_terms",
            channel_dim: int = -1) -> torch.Tensor:
    """What grkan.torch.rational computes, as operations of PyTorch: slow, differentiable any number of times.

    It keeps a tensor for each step. Unlike the kernels it evaluates in powers of x everywhere, so it overflows where
    they do not (from about abs(x) = 5e7 in f32).
    """
    trailing = x.dim() - 1 - channel_dim % x.dim()
    channels = x.shape[channel_dim]
    wide = x.to(numerator.dtype)
    a = _by_channel(numerator, channels, trailing)
    b = _by_channel(denominator, channels, trailing)
    if form == "abs_terms":
        magnitude = _magnitude(wide)
        q = 1 + magnitude * _polynomial([_magnitude(c) for c in b], magnitude)
    elif form == "abs_sum":
        q = 1 + _magnitude(wide * _polynomial(b, wide))
    elif form == "abs_sum_offset":
        q = 0.1 + _magnitude(_polynomial(b, wide))
    else:
        q = 1 + wide * _polynomial(b, wide)
    return (_polynomial(a, wide) / q).to(x.dtype)
