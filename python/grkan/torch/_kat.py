# SPDX-License-Identifier: Apache-2.0
"""The Kolmogorov-Arnold Transformer: a vision transformer whose MLPs are GR-KANs.

A ViT's block has linear -> GELU -> linear; KAT's has rational -> linear -> rational -> linear (Yang and Wang,
"Kolmogorov-Arnold Transformer", ICLR 2025).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .._errors import InvalidArgumentError
from .._names import Mode
from ._autograd import rational
from ._fused import (DeferredNorm, check_activation, compiled_call, is_plain_linear, kind_of_norm,
                     linear_then_activation, norm_then_rational, rational_then_linear)
from ._modules import KAT_Group, coefficients_of, parameters_of
from ._paths import autocast_type
from ._prologues import OutDtype, is_traced
from ._replace import function_of

Activation = Callable[[int, Any], nn.Module]  # makes one from the number of channels and the function that it begins as

# What the two rationals of a block are at first: the function that their coefficients were fitted to.
FIRST_MODE, SECOND_MODE = "identity", "swish"
_FUNCTIONS = {"identity": lambda x: x, "swish": F.silu}


@functools.cache
def variance_gain(mode: str) -> float:
    """Var[x] / E[F(x)^2] for a normal x, by which the weights' variance is raised so that activations keep theirs."""
    middles = (torch.arange(4096, dtype=torch.float64, device="cpu") + 0.5) / 4096  # of parts of equal probability
    x = torch.special.ndtri(middles)
    return float(x.square().mean() / _FUNCTIONS[mode](x).square().mean())


def published_activation(channels: int, mode: Any) -> nn.Module:
    """KAT's own: 8 groups."""
    return KAT_Group(mode=mode)


class GroupRationalMlp(nn.Module):
    """KAT's in place of a ViT's MLP.

    Under autocast, LayerNorm gives float32, and a ViT's first linear layer casts it to 16 bits. Here the cast comes
    before the rational, so that it reads and writes 16 bits too, and the linear layer has nothing to cast: the same
    storage types as in the ViT, and arithmetic in float32 inside the rational.

    Args:
        fc1, fc2: the linear layers.
        activation: makes the two rationals, see to_kat().
        mode: the function that the second one begins as; whatever `activation` takes, if it is another.
        narrow_input: whether the cast comes first. False leaves the input as it is: what published modules were trained
            with.
        drop1, drop2: dropout in front of each linear layer, as KAT has it.
    """

    def __init__(self, fc1: nn.Linear, fc2: nn.Linear, activation: Activation = published_activation,
                 mode: Mode | Any = SECOND_MODE, narrow_input: bool = True, drop1: float = 0.0, drop2: float = 0.0):
        super().__init__()
        self.narrow_input, self.drop1, self.drop2 = narrow_input, drop1, drop2
        self.act1 = activation(fc1.in_features, FIRST_MODE)
        self.fc1 = fc1
        self.act2 = activation(fc2.in_features, mode)
        self.fc2 = fc2

    def reset_weights(self) -> None:
        """New weights of the linear layers, by which activations keep the variance of their input."""
        for linear, mode in ((self.fc1, FIRST_MODE), (self.fc2, SECOND_MODE)):
            nn.init.normal_(linear.weight, std=math.sqrt(variance_gain(mode) / linear.in_features))
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.narrow_input:
            x = x.to(autocast_type(x))
        x = self.act1(x)
        if self.drop1 > 0:
            x = F.dropout(x, self.drop1, self.training)
        is_compiled = is_traced()
        if is_compiled or torch.is_grad_enabled():
            x = linear_then_activation(self.fc1, self.act2, x, is_compiled)
        else:  # what is to be asked for the other way would take the host three times what it spares
            x = self.act2(self.fc1(x))
        if self.drop2 > 0:
            x = F.dropout(x, self.drop2, self.training)
        return compiled_call(self.fc2, x) if is_compiled else self.fc2(x)

    def extra_repr(self) -> str:
        return f"narrow_input={self.narrow_input}, drop1={self.drop1}, drop2={self.drop2}"


class FusedGroupRationalMlp(GroupRationalMlp):
    """The same with the work around the rationals done on the way: the norm in front of the first one, the bias of the
    first linear layer in the second one, whose result is not stored for the second linear layer, but computed again.

    Names and shapes of parameters stay as they are.

    Args:
        norm: the block's, which leaves its work to this (DeferredNorm): it stays the block's own, with its parameters.
            None: the input has been through one.
        recompute: see rational_linear().
        others: GroupRationalMlp's.
    """

    def __init__(self, *arguments: Any, norm: DeferredNorm | None = None, recompute: bool = True, **others: Any):
        super().__init__(*arguments, **others)
        for activation, linear in ((self.act1, self.fc1), (self.act2, self.fc2)):
            check_activation(activation, linear.in_features)
        self._norm = (norm,)  # not a module of this one, whose state dict would have it twice
        self.recompute = recompute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out_dtype: OutDtype = "autocast" if self.narrow_input else None
        (norm,) = self._norm
        # Looked up once: an attribute that is a module takes the host as long as one of PyTorch's functions.
        act1, fc1, act2, fc2 = self.act1, self.fc1, self.act2, self.fc2
        if norm is not None:
            x = norm_then_rational(norm, norm.kind, act1, x, out_dtype)
        else:
            x = rational(x, *coefficients_of(act1), act1.form, out_dtype=out_dtype)
        if self.drop1 > 0:
            x = F.dropout(x, self.drop1, self.training)
        if is_plain_linear(fc1):
            weight, bias = parameters_of(fc1, "weight", "bias")
            x = F.linear(x, weight)
        else:
            x, bias = fc1(x), None
        if self.drop2 > 0 and self.training:
            x = rational(x, *coefficients_of(act2), act2.form, bias=bias)
            return fc2(F.dropout(x, self.drop2))
        return rational_then_linear(act2, fc2, x, bias, self.recompute)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, recompute={self.recompute}"


def _check_mlp(where: str, mlp: Any) -> None:
    """Raise for what has another structure than linear, activation, linear."""
    fc1, fc2, norm = (getattr(mlp, name, None) for name in ("fc1", "fc2", "norm"))
    if not (isinstance(fc1, nn.Linear) and isinstance(fc2, nn.Linear) and fc1.out_features == fc2.in_features
            and hasattr(mlp, "act") and isinstance(norm, (type(None), nn.Identity))):
        raise InvalidArgumentError(f"{where} is a {type(mlp).__name__}; expected fc1, act and fc2: two linear layers "
                                   "with an activation, and nothing else, between them")


def _probability(mlp: Any, name: str) -> float:
    return float(getattr(getattr(mlp, name, None), "p", 0.0))


@torch.no_grad()
def _check_norm(where: str, block: Any, tokens: int) -> None:
    """Raise unless the norm of a block can leave its work to the MLP: what it gives goes there, and nowhere else."""
    try:
        channels = kind_of_norm(getattr(block, "norm2", None)).channels
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{where}.norm2: fused: {error}") from None
    given: dict[str, Any] = {}
    hooks = [block.norm2.register_forward_hook(lambda module, inputs, output: given.update(norm=output)),
             block.mlp.register_forward_pre_hook(lambda module, inputs: given.update(mlp=inputs[0]))]
    is_training = block.training
    weight = block.mlp.fc1.weight
    try:
        block.eval()(torch.zeros(1, tokens, channels, device=weight.device, dtype=weight.dtype))
    except Exception as error:  # of blocks that we do not know
        raise InvalidArgumentError(f"{where}: fused: it does not run on zeros ({error}); expected a block of [batch, "
                                   f"{tokens} tokens, {channels} channels]") from error
    finally:
        block.train(is_training)
        for hook in hooks:
            hook.remove()
    if given.get("mlp") is None or given.get("mlp") is not given.get("norm"):
        raise InvalidArgumentError(f"{where}: fused: its mlp does not get what norm2 gives; expected mlp(norm2(x))")


def _kat_mlp(mlp: Any, activation: Activation, narrow_input: bool, keep_weights: bool,
             fused: dict[str, Any] | None) -> GroupRationalMlp:
    mode = SECOND_MODE
    if keep_weights:
        mode = function_of(mlp.act) or ""
        if not mode:
            raise InvalidArgumentError(f"keep_weights: the activation of an MLP is {mlp.act}; expected a function that "
                                       "grkan.fit knows by name")
    fc1, fc2 = (layer if keep_weights else
                nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device=layer.weight.device)
                for layer in (mlp.fc1, mlp.fc2))
    kind = GroupRationalMlp if fused is None else functools.partial(FusedGroupRationalMlp, **fused)
    made = kind(fc1, fc2, activation, mode, narrow_input, _probability(mlp, "drop1"), _probability(mlp, "drop2"))
    if not keep_weights:
        made.reset_weights()
    return made.to(mlp.fc1.weight.device, mlp.fc1.weight.dtype).train(mlp.training)


def to_kat(vit: Any, activation: Activation = published_activation, narrow_input: bool = True,
           keep_weights: bool = False, fused: bool = False, recompute: bool = True) -> Any:
    """Replace the MLP of every block of a ViT, timm's or one built as those are. Returns the ViT, changed.

    The coefficients of the activations go to what its no_weight_decay() gives, since decay draws them to a function
    that is 0.

    Args:
        vit: has blocks, whose mlp has fc1, act and fc2.
        activation: activation(channels, mode) makes a module for each of the two rationals of a block; mode names the
            function that it shall be at first. KAT's own without it.
        narrow_input: cast the input to autocast's type before the first rational, see GroupRationalMlp.
        keep_weights: of the linear layers, for a ViT that is trained: the second rational begins as the activation
            that it replaces, and the first as the identity, so that the KAT begins as the ViT. Without it they are new,
            and the second rational begins as swish, as in KAT.
        fused: the norm in front of a block's MLP and the bias of its first linear layer are taken into the rationals.
            The same function, faster and with less memory. Parameters keep their names and shapes, so that checkpoints
            of either load into the other. Blocks must compute mlp(norm2(x)), which is tried.
        recompute: fused, do not store the input of a second linear layer, but compute it again in backward.
    """
    blocks = getattr(vit, "blocks", None)
    if not isinstance(blocks, (nn.Sequential, nn.ModuleList)) or len(blocks) == 0:
        raise InvalidArgumentError(f"vit is a {type(vit).__name__} without blocks; expected a vision transformer")
    positions = getattr(vit, "pos_embed", None)
    for number, block in enumerate(blocks):  # all of them, before one of them is changed
        _check_mlp(f"blocks.{number}.mlp", getattr(block, "mlp", None))
        if fused:
            tokens = positions.shape[1] if isinstance(positions, torch.Tensor) and positions.dim() == 3 else 4
            _check_norm(f"blocks.{number}", block, tokens)
    spared = set(vit.no_weight_decay()) if hasattr(vit, "no_weight_decay") else set()
    for number, block in enumerate(blocks):
        if fused:
            block.norm2 = DeferredNorm(block.norm2)
        block.mlp = _kat_mlp(block.mlp, activation, narrow_input, keep_weights,
                             {"norm": block.norm2, "recompute": recompute} if fused else None)
        for name in ("act1", "act2"):
            spared.update(f"blocks.{number}.mlp.{name}.{parameter}"
                          for parameter, _ in getattr(block.mlp, name).named_parameters())
    vit.no_weight_decay = functools.partial(set, sorted(spared))  # of names, so that a copy of the ViT keeps it
    return vit
