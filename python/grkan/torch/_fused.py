# SPDX-License-Identifier: Apache-2.0
"""Modules that compute two of a network's in one pass: a norm and the rational behind it, a rational and the linear
layer behind it. Each is a Sequential of the two, whose state dict is that of the two."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .._errors import InvalidArgumentError
from .._names import Norm
from ._autograd import rational
from ._kernels import table_dtype
from ._linear import rational_linear
from ._modules import FlashKAT_Group, KAT_Group, Rational, coefficients_of, parameters_of
from ._paths import is_exporting
from ._prologues import OutDtype, is_traced, norm_rational

_KINDS = Rational, KAT_Group, FlashKAT_Group
_FORWARDS = tuple(kind.forward for kind in _KINDS)


def is_rational(activation: Any) -> bool:
    """Whether a module is a rational of channels in the last dimension, of its own forward.

    Its type is asked for first, here and for linear layers: torch.compile guards that in any case, and what else is
    asked takes a guard more at each call.
    """
    kind = type(activation)
    return (kind in _KINDS or getattr(kind, "forward", None) in _FORWARDS) and activation.channel_dim == -1


def check_activation(activation: Any, channels: int | None = None) -> None:
    """Raise for what is no rational of channels in the last dimension, of its own forward."""
    if not is_rational(activation):
        raise InvalidArgumentError(f"activation is a {type(activation).__name__}; expected a Rational, KAT_Group or "
                                   "FlashKAT_Group, of channels in the last dimension")
    if channels is not None and activation.in_features not in (None, channels):
        raise InvalidArgumentError(f"activation has {activation.in_features} channels; expected {channels}")


class NormKind(NamedTuple):
    """What a module is that computes a norm of its input's last dimension."""

    name: Norm
    channels: int
    eps: float | None  # None: that of the input's type


def kind_of_norm(norm: Any) -> NormKind:
    """Of PyTorch's LayerNorm or RMSNorm, or timm's RmsNorm. Raises for another module."""
    shape = tuple(getattr(norm, "normalized_shape", ()))
    is_rms = type(norm).__name__.lower().endswith("rmsnorm")
    if not (isinstance(norm, nn.LayerNorm) or is_rms) or len(shape) != 1:
        raise InvalidArgumentError(f"norm is a {type(norm).__name__}{list(shape)}; expected a LayerNorm or RMSNorm of "
                                   "one dimension, the channels")
    return NormKind("rms_norm" if is_rms else "layer_norm", shape[0], norm.eps)


def norm_then_rational(norm: nn.Module, kind: NormKind, activation: nn.Module, x: torch.Tensor,
                       out_dtype: OutDtype) -> torch.Tensor:
    """activation(norm(x)), from the parameters of both."""
    scale, shift = parameters_of(norm, "weight", "bias")
    numerator, denominator = coefficients_of(activation)
    return norm_rational(x, scale, shift, numerator, denominator, activation.form, eps=kind.eps, norm=kind.name,
                         out_dtype=out_dtype)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                or getattr(module, "_backward_pre_hooks", None))  # since PyTorch 2.0


def is_plain_linear(module: nn.Module) -> bool:
    """Whether a module's call is that of a linear layer with its parameters, and nothing more."""
    kind = type(module)
    return (kind is nn.Linear or kind.forward is nn.Linear.forward) and not _has_hooks(module)


def linear_then_activation(linear: nn.Module, activation: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """activation(linear(x)). In a compiled program the rational takes the linear layer's bias, if that has its tables'
    type: under autocast it is then not cast at each call, and its gradient takes no pass of its own."""
    if is_traced() and not is_exporting() and _takes_bias(activation, linear, x):
        weight, bias = parameters_of(linear, "weight", "bias")
        if bias is not None and bias.dtype is table_dtype(x):
            return rational(F.linear(x, weight), *coefficients_of(activation), activation.form, bias=bias)
    return activation(linear(x))


def _takes_bias(activation: nn.Module, linear: nn.Module, x: torch.Tensor) -> bool:
    """Whether calls of both do nothing more than to compute, nor refuse x."""
    return (is_rational(activation) and is_plain_linear(linear) and not _has_hooks(activation) and x.dim() <= 3
            and (activation.in_features is None or activation.in_features == linear.out_features))


class NormRational(nn.Sequential):
    """A norm, then a rational, in one pass over memory: a LayerNorm or RMSNorm of the last dimension, and a Rational,
    KAT_Group or FlashKAT_Group. It stores its input, and two numbers a row.

    out_dtype is that of the result, see norm_rational().
    """

    def __init__(self, norm: nn.Module, activation: nn.Module, out_dtype: OutDtype = "autocast"):
        kind = kind_of_norm(norm)
        check_activation(activation, kind.channels)
        super().__init__(norm, activation)
        self.kind, self.out_dtype = kind, out_dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return norm_then_rational(self[0], self.kind, self[1], x, self.out_dtype)


class RationalLinear(nn.Sequential):
    """GR-KAN's layer: a Rational, KAT_Group or FlashKAT_Group, then a linear layer. See rational_linear().

    A call takes the bias of a linear layer before as well, which is not to add it then: layer(x, bias).
    """

    def __init__(self, activation: nn.Module, linear: nn.Linear, recompute: bool = True):
        if not isinstance(linear, nn.Linear):
            raise InvalidArgumentError(f"linear is a {type(linear).__name__}; expected a torch.nn.Linear")
        check_activation(activation, linear.in_features)
        super().__init__(activation, linear)
        self.recompute = recompute

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        return rational_then_linear(self[0], self[1], x, bias, self.recompute)

    def extra_repr(self) -> str:
        return f"recompute={self.recompute}"


def rational_then_linear(activation: nn.Module, linear: nn.Module, x: torch.Tensor, bias: torch.Tensor | None,
                         recompute: bool) -> torch.Tensor:
    """linear(activation(x + bias)), from the parameters of both; a linear layer with more to it is called."""
    numerator, denominator = coefficients_of(activation)
    if not is_plain_linear(linear):
        return linear(rational(x, numerator, denominator, activation.form, bias=bias, out_dtype="autocast"))
    weight, linear_bias = parameters_of(linear, "weight", "bias")
    return rational_linear(x, numerator, denominator, weight, linear_bias, activation.form, bias=bias,
                           recompute=recompute)


class DeferredNorm(nn.Module):
    """A norm in its place, with its parameters, that leaves its work to the module behind: it gives its input."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.kind = kind_of_norm(norm)
        for name in ("weight", "bias"):
            self.register_parameter(name, getattr(norm, name, None))
        self.train(norm.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def extra_repr(self) -> str:
        return f"{self.kind.channels}, norm={self.kind.name!r}, eps={self.kind.eps}"
