# SPDX-License-Identifier: Apache-2.0
"""Modules: grkan's own, and those of KAT and FlashKAT with the signatures and parameter names that were published, so
that their checkpoints load."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy
import torch
from torch import Tensor, nn

from .._errors import InvalidArgumentError
from .._fit import Fit, fit, preset
from .._names import FORMS, Form, Function, Mode, PresetName, degrees_of, index_of, integer, text
from ._autograd import rational_of
from ._paths import shape_of
from ._plot import Before, plot

if TYPE_CHECKING:
    from ..report.functions import Drawing


def _gelu(x: numpy.ndarray) -> numpy.ndarray:
    return x * numpy.vectorize(math.erfc)(-x / math.sqrt(2)) / 2


def _swish(x: numpy.ndarray) -> numpy.ndarray:
    return x / (1 + numpy.exp(-x))


# Published modes that are no presets: the published tables were fitted for "abs_sum", so that these are fitted anew.
_PRODUCTS = {
    "geglu": lambda x: x * _gelu(x),
    "swishglu": lambda x: x * _swish(x),
    "erfc_Softplus_2": lambda x: numpy.vectorize(math.erfc)(numpy.log1p(numpy.exp(x)))**2,
}


@functools.cache
def _fit_of_product(mode: str) -> Fit:
    x = numpy.linspace(-3, 3, 601)
    return fit((x, _PRODUCTS[mode](x)))


def _published(mode: Mode) -> Fit:
    """KAT's own table of a name; where that was fitted for another form (gelu), grkan's own for the function."""
    text("mode", mode)
    if mode in _PRODUCTS:
        return _fit_of_product(mode)
    try:
        return preset(cast(PresetName, f"kat_{mode}"))
    except InvalidArgumentError:
        return preset(cast(PresetName, mode))


def _parameter(row: numpy.ndarray, groups: int, device: torch.device | str | None = None,
               dtype: torch.dtype | None = None) -> nn.Parameter:
    """The coefficients of one group as those of several."""
    return nn.Parameter(torch.tensor(row, device=device, dtype=dtype or torch.get_default_dtype()).repeat(groups, 1))


class _Activation(nn.Module):
    """What the modules share: the names of their two tables, the form, and how they begin."""

    table_names: tuple[str, str]
    form: Form = "abs_terms"
    channel_dim: int = -1
    in_features: int | None = None  # None: any number of channels
    start: tuple[list[float], list[float]]  # the rows that their tables begin with

    def _set_tables(self, start: Fit, rows: tuple[int, int], **options: Any) -> None:
        """Make the parameters, all rows of a table the same."""
        self.start = start.numerator[0].tolist(), start.denominator[0].tolist()
        for name, row, count in zip(self.table_names, (start.numerator, start.denominator), rows):
            setattr(self, name, _parameter(row, count, **options))

    def reset_parameters(self) -> None:
        """Give all groups the coefficients again that they began with."""
        self._begin(zip((getattr(self, name) for name in self.table_names), self.start))

    @torch.no_grad()
    def _begin(self, rows: Iterable[tuple[torch.Tensor, list[float]]]) -> None:
        for table, row in rows:
            table.copy_(torch.tensor(row, dtype=table.dtype, device=table.device))

    def plot(self, before: Before = None, interval: tuple[float, float] = (-3.0, 3.0)) -> Drawing:
        """Draw the functions of all groups, and what they were before, see grkan.torch.plot()."""
        return plot(self, before, interval)


def parameters_of(module: nn.Module, first: str, second: str) -> tuple[Any, Any]:
    """Two parameters, None for one that there is not. nn.Module looks at much else first, which takes the host as long
    as half a call of a kernel."""
    parameters: dict[str, Any] = module._parameters
    try:
        return parameters[first], parameters[second]
    except KeyError:  # a parametrization has them
        return getattr(module, first, None), getattr(module, second, None)


def coefficients_of(activation: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Numerator and denominator of one of the modules here."""
    first, second = activation.table_names
    return parameters_of(activation, first, second)


class Rational(_Activation):
    """A rational activation whose coefficients are learned, one set for each group of channels.

    Parameters: numerator [1 or groups, m + 1] and denominator [groups, n].

    Args:
        groups: how many groups the channels are split into.
        init: the function that it starts as ("gelu", "swish", "identity", ...), or what grkan.fit gave; degrees and
            form are those of the latter then.
        degrees: of numerator and denominator. Other than (5, 4), the coefficients are fitted here and now.
        form: of the denominator, see rational().
        shared_numerator: one numerator for all groups, as KAT has it.
        channel_dim: the dimension of the input that holds the channels.
        device, dtype: of the parameters.
    """

    table_names = "numerator", "denominator"

    def __init__(self, groups: int = 8, init: Function | Fit = "gelu", *, degrees: tuple[int, int] = (5, 4),
                 form: Form = "abs_terms", shared_numerator: bool = True, channel_dim: int = -1,
                 device: torch.device | str | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        groups, channel_dim = integer("groups", groups, 1), integer("channel_dim", channel_dim, -64, 63)
        index_of("form", form, FORMS)
        degrees = degrees_of(degrees)
        if isinstance(init, str):
            init = preset(init, form) if degrees == (5, 4) else fit(init, degrees, form=form)
        elif not isinstance(init, Fit):
            raise InvalidArgumentError(f"init is {init!r}; expected the name of a function, or what grkan.fit gave")
        self.groups, self.form, self.channel_dim = groups, init.form, channel_dim
        self._set_tables(init, (1 if shared_numerator else groups, groups), device=device, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return rational_of(self, x, "numerator", "denominator", self.form, self.channel_dim)

    def extra_repr(self) -> str:
        coefficients = self.numerator.shape[1], self.denominator.shape[1]
        return f"groups={self.groups}, coefficients={coefficients}, form={self.form!r}, channel_dim={self.channel_dim}"


class KAT_Group(_Activation):
    """KAT's activation of [batch, length, channels], or [batch, channels]: rational_kat's KAT_Group.

    Args:
        num_groups: groups of channels, each with a denominator of its own; the numerator is shared.
        mode: the function that it starts as. "gelu" is a table that is right for the form; the published one is not.
        device: there for compatibility, without effect: a call computes where its input lies.
    """

    table_names = "weight_numerator", "weight_denominator"
    expected = "[batch, length, channels] (KAT_Group2D takes [batch, channels, height, width], Rational any shape)"

    def __init__(self, num_groups: int = 8, mode: Mode = "gelu", device: str = "cuda"):
        super().__init__()
        self.num_groups = integer("num_groups", num_groups, 1)
        self.order = (5, 4)
        self.initialize(mode)

    def initialize(self, mode: Mode = "gelu") -> None:
        """Begin anew, with new parameters, as a function."""
        self._set_tables(_published(mode), (1, self.num_groups))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if isinstance(input, Tensor) and not 1 <= input.dim() <= 3:
            raise InvalidArgumentError(f"input has shape {tuple(input.shape)}; expected {self.expected}")
        return rational_of(self, input, "weight_numerator", "weight_denominator")

    def extra_repr(self) -> str:
        return f"num_groups={self.num_groups}, order={self.order}"


class KAT_Group2D(KAT_Group):
    """The same for [batch, channels, height, width], which is read as it lies, not transposed."""

    channel_dim = 1
    expected = "[batch, channels, height, width] (KAT_Group takes [batch, length, channels], Rational any shape)"

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if isinstance(input, Tensor) and input.dim() != 4:
            raise InvalidArgumentError(f"input has shape {tuple(input.shape)}; expected {self.expected}")
        return rational_of(self, input, "weight_numerator", "weight_denominator", "abs_terms", 1)


class KAT_Group_Torch(KAT_Group):
    """KAT's module for the cpu, here the same as KAT_Group. The published one leaves out the abs of x in Q."""

    def __init__(self, num_groups: int = 8, mode: Mode = "gelu"):
        super().__init__(num_groups, mode)


class FlashKAT_Group(_Activation):
    """FlashKAT's activation of [..., channels].

    Args:
        in_features: channels of the input.
        num_groups: groups of the numerator; 0 or less: one for each channel.
        den_groups: groups of the denominator; likewise. Of the two, one is 1 or they are equal.
        m: coefficients of the numerator (its degree + 1): 6.
        n: coefficients of the denominator: 4.
        mode: the function that it starts as.
        device: there for compatibility, without effect: a call computes where its input lies.
    """

    table_names = "numerator_v", "denominator_v"

    def __init__(self, in_features: int, num_groups: int, den_groups: int, m: int, n: int, mode: Mode,
                 device: str = "cuda"):
        super().__init__()
        if (m, n) != (6, 4):
            raise InvalidArgumentError(f"(m, n) is {(m, n)}; expected (6, 4), as FlashKAT has it (grkan.torch.Rational "
                                       "takes any degrees)")
        self.m, self.n, self.in_features = m, n, integer("in_features", in_features, 1)
        self.num_groups = integer("num_groups", num_groups, -2**31, in_features)
        self.den_groups = integer("den_groups", den_groups, -2**31, in_features)
        self.num_groups, self.den_groups = (g if g > 0 else in_features for g in (self.num_groups, self.den_groups))
        if 1 != self.num_groups != self.den_groups != 1:
            raise InvalidArgumentError(f"num_groups is {self.num_groups} and den_groups {self.den_groups}; expected "
                                       "one of them 1, or both the same")
        self.initialize(mode)

    def initialize(self, mode: Mode = "gelu") -> None:
        """Begin anew, with new parameters, as a function."""
        self._set_tables(_published(mode), (self.num_groups, self.den_groups))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if isinstance(input, torch.Tensor) and (input.dim() == 0 or shape_of(input)[-1] != self.in_features):
            raise InvalidArgumentError(f"input has shape {tuple(input.shape)}; expected [..., {self.in_features}], the "
                                       "in_features")
        return rational_of(self, input, "numerator_v", "denominator_v")

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, num_groups={self.num_groups}, den_groups={self.den_groups}"
