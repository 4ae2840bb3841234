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
from ._modules import KAT_Group
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


def autocast_type(x: torch.Tensor) -> torch.dtype:
    """What autocast would have a linear layer take for x: x's own type where autocast is off."""
    kind = x.device.type
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    if kind == "cuda":
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else x.dtype
    return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else x.dtype


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
        x = self.act2(self.fc1(x))
        if self.drop2 > 0:
            x = F.dropout(x, self.drop2, self.training)
        return self.fc2(x)

    def extra_repr(self) -> str:
        return f"narrow_input={self.narrow_input}, drop1={self.drop1}, drop2={self.drop2}"


def _check_mlp(where: str, mlp: Any) -> None:
    """Raise for what has another structure than linear, activation, linear."""
    fc1, fc2, norm = (getattr(mlp, name, None) for name in ("fc1", "fc2", "norm"))
    if not (isinstance(fc1, nn.Linear) and isinstance(fc2, nn.Linear) and fc1.out_features == fc2.in_features
            and hasattr(mlp, "act") and isinstance(norm, (type(None), nn.Identity))):
        raise InvalidArgumentError(f"{where} is a {type(mlp).__name__}; expected fc1, act and fc2: two linear layers "
                                   "with an activation, and nothing else, between them")


def _probability(mlp: Any, name: str) -> float:
    return float(getattr(getattr(mlp, name, None), "p", 0.0))


def _kat_mlp(mlp: Any, activation: Activation, narrow_input: bool, keep_weights: bool) -> GroupRationalMlp:
    mode = SECOND_MODE
    if keep_weights:
        mode = function_of(mlp.act) or ""
        if not mode:
            raise InvalidArgumentError(f"keep_weights: the activation of an MLP is {mlp.act}; expected a function that "
                                       "grkan.fit knows by name")
    fc1, fc2 = (layer if keep_weights else
                nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device=layer.weight.device)
                for layer in (mlp.fc1, mlp.fc2))
    made = GroupRationalMlp(fc1, fc2, activation, mode, narrow_input, _probability(mlp, "drop1"),
                            _probability(mlp, "drop2"))
    if not keep_weights:
        made.reset_weights()
    return made.to(mlp.fc1.weight.device, mlp.fc1.weight.dtype).train(mlp.training)


def to_kat(vit: Any, activation: Activation = published_activation, narrow_input: bool = True,
           keep_weights: bool = False) -> Any:
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
    """
    blocks = getattr(vit, "blocks", None)
    if not isinstance(blocks, (nn.Sequential, nn.ModuleList)) or len(blocks) == 0:
        raise InvalidArgumentError(f"vit is a {type(vit).__name__} without blocks; expected a vision transformer")
    for number, block in enumerate(blocks):  # all of them, before one of them is changed
        _check_mlp(f"blocks.{number}.mlp", getattr(block, "mlp", None))
    spared = set(vit.no_weight_decay()) if hasattr(vit, "no_weight_decay") else set()
    for number, block in enumerate(blocks):
        block.mlp = _kat_mlp(block.mlp, activation, narrow_input, keep_weights)
        for name in ("act1", "act2"):
            spared.update(f"blocks.{number}.mlp.{name}.{parameter}"
                          for parameter, _ in getattr(block.mlp, name).named_parameters())
    vit.no_weight_decay = functools.partial(set, sorted(spared))  # of names, so that a copy of the ViT keeps it
    return vit
