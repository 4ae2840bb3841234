# SPDX-License-Identifier: Apache-2.0
"""The functions that KAT's and FlashKAT's packages have beside their modules, with the published names and signatures.

x is [..., channels]; for those of two dimensions it is [batch, channels, height, width]. Coefficients are [groups, 6]
and [groups, 4]; a single row goes for all groups.
"""

from __future__ import annotations

import torch

from .._errors import InvalidArgumentError
from .._names import integer
from ._autograd import rational


def _check_groups(groups: int, numerator: torch.Tensor, denominator: torch.Tensor) -> None:
    rows = max(len(numerator), len(denominator))
    if rows not in (1, integer("group", groups, 1)):
        raise InvalidArgumentError(f"group is {groups}; expected {rows}, the rows of the coefficients")


def _gradients(dy: torch.Tensor, x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor,
               channel_dim: int = -1) -> tuple[torch.Tensor, ...]:
    with torch.enable_grad():
        x, a, b = (t.detach().requires_grad_() for t in (x, numerator, denominator))
        return torch.autograd.grad(rational(x, a, b, "abs_terms", channel_dim), (x, a, b), dy)


def Rational_CUDA_A_1DGroup(x: torch.Tensor, weight_numerator: torch.Tensor, weight_denominator: torch.Tensor,
                            group: int) -> torch.Tensor:
    """KAT's function for the cpu, here that of the GPU. The published one leaves out the abs of x in Q."""
    _check_groups(group, weight_numerator, weight_denominator)
    return rational(x, weight_numerator, weight_denominator)


class RationalTriton1DGroup:
    """RationalTriton1DGroup.apply(x, numerator, denominator, group), as if it were KAT's autograd.Function."""

    @staticmethod
    def apply(input: torch.Tensor, weight_numerator: torch.Tensor, weight_denominator: torch.Tensor,
              group: int) -> torch.Tensor:
        return Rational_CUDA_A_1DGroup(input, weight_numerator, weight_denominator, group)


rational_1dgroup = RationalTriton1DGroup  # before KAT's package was Triton's


class RationalTriton2D:
    """The same for [batch, channels, height, width]."""

    @staticmethod
    def apply(input: torch.Tensor, weight_numerator: torch.Tensor, weight_denominator: torch.Tensor,
              group: int) -> torch.Tensor:
        _check_groups(group, weight_numerator, weight_denominator)
        return rational(input, weight_numerator, weight_denominator, "abs_terms", 1)


class FlashRationalTriton1DGroup:
    """FlashKAT's: the groups are the rows of the coefficients."""

    @staticmethod
    def apply(input: torch.Tensor, weight_numerator: torch.Tensor, weight_denominator: torch.Tensor) -> torch.Tensor:
        return rational(input, weight_numerator, weight_denominator)


@torch.no_grad()
def rational_fwd_triton(x: torch.Tensor, n: torch.Tensor, d: torch.Tensor, group: int) -> torch.Tensor:
    return RationalTriton1DGroup.apply(x, n, d, group)


def rational_bwd_triton(grad_output: torch.Tensor, x: torch.Tensor, n: torch.Tensor, d: torch.Tensor,
                        group: int) -> tuple[torch.Tensor, ...]:
    _check_groups(group, n, d)
    return _gradients(grad_output, x, n, d)


rational_fwd_1dgroup, rational_bwd_1dgroup = rational_fwd_triton, rational_bwd_triton  # of kat_rational_cu


@torch.no_grad()
def rational_fwd_triton_2d(x: torch.Tensor, n: torch.Tensor, d: torch.Tensor, group: int) -> torch.Tensor:
    return RationalTriton2D.apply(x, n, d, group)


def rational_bwd_triton_2d(grad_output: torch.Tensor, x: torch.Tensor, n: torch.Tensor, d: torch.Tensor,
                           group: int) -> tuple[torch.Tensor, ...]:
    _check_groups(group, n, d)
    return _gradients(grad_output, x, n, d, 1)


@torch.no_grad()
def flash_rational_fwd_triton(x: torch.Tensor, n: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
    return rational(x, n, d)


def flash_rational_bwd_triton(grad_output: torch.Tensor, x: torch.Tensor, n: torch.Tensor,
                              d: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return _gradients(grad_output, x, n, d)
