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

from .._names import NORMS, PROLOGUES
from ._formula import formula_of_prologue, gradients_of
from ._kernels import check_gradient
from ._paths import has_memory, is_plain, needs_formula

_IS_NORM = tuple(prologue in NORMS for prologue in PROLOGUES)


def apply_of(function: Any) -> Callable[..., Any]:
    """An autograd.Function's apply where no transform of torch.func is active: what apply of PyTorch 2 calls in the
    end, without what those need, which takes the host a tenth of the time of forward and backward."""
    return super(torch.autograd.Function, function).apply


def wanted_of(needs_input_grad: Sequence[bool]) -> int:
    """Bits of the gradients of x and the tables that somebody wants."""
    return sum(1 << k for k, is_wanted in enumerate(needs_input_grad[:5]) if is_wanted)


def forward_of(forward: Callable[..., torch.Tensor], norm_forward: Callable[..., tuple[torch.Tensor, ...]],
               inputs: Sequence[Any]) -> tuple[torch.Tensor, ...]:
    """(y, mean, rstd) of (x, *tables, *numbers): the statistics that backward needs, of others than norms some tensor
    that it does not look at."""
    if _IS_NORM[inputs[7]]:
        return norm_forward(*inputs)
    return forward(*inputs), inputs[4], inputs[4]


class Kernels:
    """What computes it: operators, or Python where there are none."""

    def __init__(self, forward: Callable[..., torch.Tensor], norm_forward: Callable[..., tuple[torch.Tensor, ...]],
                 backward: Callable[..., tuple[torch.Tensor, ...]], by_address: bool = False,
                 operators: Kernels | None = None):
        """by_address: for plain tensors alone. operators: in the place of functions that TorchDynamo does not know,
        where it traces backward (compiled autograd)."""
        self.forward, self.norm_forward, self.backward = forward, norm_forward, backward
        self.operators = operators
        kernels = self

        class PrologueFunction(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, numerator, denominator, first, second, *numbers):
                ctx.numbers = numbers
                if _IS_NORM[numbers[2]]:
                    y, *statistics = norm_forward(x, numerator, denominator, first, second, *numbers)
                    ctx.save_for_backward(x, numerator, denominator, first, second, *statistics)
                    return y
                ctx.save_for_backward(x, numerator, denominator, first)  # each tensor counts
                return forward(x, numerator, denominator, first, second, *numbers)

            @staticmethod
            def backward(ctx, dy):
                saved, wanted = ctx.saved_tensors, ctx.needs_input_grad[:5]
                if len(saved) == 4:  # no norm: any tensor stands for what there is not
                    saved, wanted = saved + (saved[1],) * 3, (*wanted[:4], False)
                inputs, statistics = saved[:5], saved[5:]
                gradients = None
                if not (torch.is_grad_enabled() or needs_formula() or (by_address and not is_plain(dy, *inputs))):
                    try:
                        gradients = kernels.gradients(dy, inputs, statistics, wanted_of(wanted), ctx.numbers)
                    except RuntimeError:
                        if not by_address or has_memory(dy, *inputs):
                            raise
                if gradients is None:
                    gradients = gradients_of(formula_of_prologue, dy, inputs, wanted, ctx.numbers)
                return *(g if is_wanted else None for g, is_wanted in zip(gradients, wanted)), *[None] * 5

        self.function = PrologueFunction
        self.apply = apply_of(PrologueFunction)

    def gradients(self, dy: torch.Tensor, inputs: Sequence[torch.Tensor], statistics: Sequence[torch.Tensor],
                  wanted: int, numbers: Sequence[Any]) -> tuple[torch.Tensor | None, ...]:
        """Of inputs, x and the tables, as wanted's bits say, and y again with WANTS_Y; what is not is empty."""
        if self.operators is not None and torch.compiler.is_dynamo_compiling():
            return self.operators.gradients(dy, inputs, statistics, wanted, numbers)
        form, channel_dim, kind, epsilon, _ = numbers
        try:
            return self.backward(dy, *inputs, *statistics, form, channel_dim, kind, epsilon, wanted)
        except RuntimeError:
            check_gradient(dy, inputs[0], inputs[1:3], has_other_type=True)  # which says better what does not fit
            raise
