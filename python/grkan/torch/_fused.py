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
from ._linear import compiled_linear, rational_linear
from ._modules import FlashKAT_Group, KAT_Group, Rational, coefficients_of, parameters_of
from ._paths import PLAIN, is_exporting
from ._prologues import OutDtype, compute_plain, norm_rational

_F32, _F64 = torch.float32, torch.float64
_is_tracing = torch._C._is_tracing  # torch.jit.trace

# Of modules whose calls are known here, the classes, and their forwards.
_RATIONALS, _LINEARS = ((kinds, tuple(kind.forward for kind in kinds))
                        for kinds in ((Rational, KAT_Group, FlashKAT_Group), (nn.Linear,)))
# Hooks that all modules have, as PyTorch keeps them; those before backward since 2.0.
_HOOKS_OF_ALL = tuple(getattr(nn.modules.module, f"_global_{kind}_hooks", {})
                      for kind in ("forward_pre", "forward", "backward_pre", "backward"))


def is_rational(activation: Any) -> bool:
    """Whether a module is a rational of channels in the last dimension, of its own forward."""
    kinds, forwards = _RATIONALS
    kind = type(activation)
    return (kind in kinds or getattr(kind, "forward", None) in forwards) and activation.channel_dim == -1


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


def _only_computes(module: nn.Module, kinds: tuple[type, ...], forwards: tuple[Any, ...]) -> bool:
    """Whether a call of a module is one of these forwards, its class's, and nothing more: no hook sees it, and nothing
    stands for it in this module alone, as accelerate (forward) and module.compile() have it.

    Its type is asked for first, and a dict for what it has not: torch.compile guards neither, but every other answer,
    and the guards are asked at each call.
    """
    kind, own = type(module), module.__dict__
    return ((kind in kinds or (kind.forward in forwards and kind.__call__ is nn.Module.__call__))
            and not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                     or getattr(module, "_backward_pre_hooks", None)  # since PyTorch 2.0
                     or "forward" in own or "_compiled_call_impl" in own or any(_HOOKS_OF_ALL)))


def is_plain_linear(module: nn.Module) -> bool:
    """Whether a module's call is that of a linear layer with its parameters, and nothing more."""
    return _only_computes(module, *_LINEARS)


def compiled_call(linear: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """linear(x) where TorchDynamo traces it, see compiled_linear()."""
    if not is_exporting() and is_plain_linear(linear):
        return compiled_linear(x, *parameters_of(linear, "weight", "bias"))
    return linear(x)


def linear_then_activation(linear: nn.Module, activation: nn.Module, x: torch.Tensor,
                           is_compiled: bool) -> torch.Tensor:
    """activation(linear(x)). If both only compute, the rational takes the linear layer's bias, if that has
    its tables' type: under autocast it is then not cast at each call, and its gradient takes no pass of its own.

    is_compiled: is_traced(), which takes the host a frame of Python.
    """
    if not (type(x) in PLAIN and _only_computes(activation, *_RATIONALS) and _only_computes(linear, *_LINEARS)
            and not (is_exporting() if is_compiled else _is_tracing())):
        return activation(linear(x))
    of_linear, of_activation = linear._parameters, activation._parameters
    first, second = activation.table_names
    try:
        weight, bias, a, b = of_linear["weight"], of_linear["bias"], of_activation[first], of_activation[second]
    except KeyError:  # a parametrization has them
        return activation(linear(x))
    if (bias is None or bias.dtype is not (_F64 if x.dtype is _F64 else _F32) or bias.shape != weight.shape[:-1]
            or not (is_compiled or (type(weight) in PLAIN and type(bias) in PLAIN and type(a) in PLAIN
                                    and type(b) in PLAIN))
            or activation.channel_dim != -1 or activation.in_features not in (None, bias.shape[0])
            or not 1 <= x.dim() <= 3):
        return activation(linear(x))
    form, y = activation.form, F.linear(x, weight)
    made = None if is_compiled else compute_plain(y, a, b, bias, None, form, -1, "bias", 0.0, None)
    return rational(y, a, b, form, bias=bias) if made is None else made


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
