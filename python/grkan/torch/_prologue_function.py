# SPDX-License-Identifier: Apache-2.0
"""The rational function with a prologue, as autograd sees it.

Its tables are numerator, denominator, first and second: of "bias" the first is the bias, of a norm they are scale and
shift; one that there is not is an empty tensor. The numbers behind them are (form, channel_dim, prologue, epsilon,
output), names as numbers (grkan._names, and _kernels.OUTPUTS).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ._formula import formula_of_prologue, gradients_of
from ._kernels import Prologue, check_gradient
from ._paths import has_memory, is_plain, needs_formula


def wanted_of(needs_input_grad: Sequence[bool]) -> int:
    """Bits of the gradients of x and the tables that somebody wants."""
    return sum(1 << k for k, is_wanted in enumerate(needs_input_grad[:5]) if is_wanted)


def forward_of(forward: Callable[..., torch.Tensor], norm_forward: Callable[..., tuple[torch.Tensor, ...]],
               inputs: Sequence[Any]) -> tuple[torch.Tensor, ...]:
    """(y, mean, rstd) of (x, *tables, *numbers): the statistics that backward needs, of others than norms some tensor
    that it does not look at."""
    if Prologue(inputs[7]).is_norm:
        return norm_forward(*inputs)
    return forward(*inputs), inputs[4], inputs[4]


class Kernels:
    """What computes it: operators, or Python where there are none."""

    def __init__(self, forward: Callable[..., torch.Tensor], norm_forward: Callable[..., tuple[torch.Tensor, ...]],
                 backward: Callable[..., tuple[torch.Tensor, ...]], by_address: bool = False):
        """by_address: for plain tensors alone."""
        self.forward, self.norm_forward, self.backward = forward, norm_forward, backward
        kernels = self

        class PrologueFunction(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                y, mean, rstd = forward_of(forward, norm_forward, inputs)
                ctx.save_for_backward(*inputs[:5], mean, rstd)
                ctx.numbers = inputs[5:]
                return y

            @staticmethod
            def backward(ctx, dy):
                *saved, mean, rstd = ctx.saved_tensors
                wanted = ctx.needs_input_grad[:5]
                gradients = None
                if not (torch.is_grad_enabled() or needs_formula() or (by_address and not is_plain(dy, *saved))):
                    try:
                        gradients = kernels.gradients(dy, saved, (mean, rstd), wanted_of(wanted), ctx.numbers)
                    except RuntimeError:
                        if not by_address or has_memory(dy, *saved):
                            raise
                if gradients is None:
                    gradients = gradients_of(formula_of_prologue, dy, saved, wanted, ctx.numbers)
                return *(g if is_wanted else None for g, is_wanted in zip(gradients, wanted)), *[None] * 5

        self.function = PrologueFunction

    def gradients(self, dy: torch.Tensor, inputs: Sequence[torch.Tensor], statistics: Sequence[torch.Tensor],
                  wanted: int, numbers: Sequence[Any]) -> tuple[torch.Tensor | None, ...]:
        """Of inputs, x and the tables, as wanted's bits say, and y again with WANTS_Y; what is not is empty."""
        form, channel_dim, kind, epsilon, _ = numbers
        check_gradient(dy, inputs[0], inputs[1:3], has_other_type=True)
        return self.backward(dy, *inputs, *statistics, form, channel_dim, kind, epsilon, wanted)
