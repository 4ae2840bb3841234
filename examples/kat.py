# SPDX-License-Identifier: Apache-2.0
"""The Kolmogorov-Arnold Transformer: a vision transformer whose MLPs are GR-KANs.

A ViT's block has linear -> GELU -> linear; KAT's has rational -> linear -> rational -> linear (Yang and Wang,
"Kolmogorov-Arnold Transformer", ICLR 2025). to_kat() turns a ViT into a KAT: the one below, which needs PyTorch alone,
or timm's, whose structure and names of parameters it shares.
"""

import math

import torch
import torch.nn.functional as F
from grkan.torch import KAT_Group, formula
from torch import nn

# width, depth and heads; "digits" is for images of 8 x 8
SIZES = {"digits": (64, 2, 4), "tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12)}

# --------------------------------------------------------------------------------------------------------- activations


class FormulaGroup(KAT_Group):
    """grkan's module with the formula in PyTorch's own operators instead of grkan's kernels."""

    def forward(self, x):
        return formula(x, self.weight_numerator, self.weight_denominator)


def grkan_activation(channels, mode):
    return KAT_Group(mode=mode)


def eager_activation(channels, mode):
    return FormulaGroup(mode=mode)


def gelu_activation(channels, mode):
    """GELU in a rational's place: what a KAT would cost if its activation were as cheap as a ViT's."""
    return nn.GELU()


# ------------------------------------------------------------------------------------------------------------- GR-KAN

# What the two rationals of a block are at first: the function that their coefficients were fitted to.
FIRST_MODE, SECOND_MODE = "identity", "swish"
MODES = {"identity": lambda x: x, "swish": F.silu}


def variance_gain(function):
    """Var[x] / E[F(x)^2] for a normal x, by which the weights' variance is raised so that activations keep theirs."""
    x = torch.special.ndtri((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096)  # midpoints of equal probability
    return float(x.square().mean() / function(x).square().mean())


def autocast_type(x):
    """What autocast would have a linear layer take for x: x's own type where autocast is off."""
    kind = x.device.type
    if hasattr(torch, "get_autocast_dtype"):
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    if kind == "cuda":
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else x.dtype
    return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else x.dtype


class GroupRationalMlp(nn.Module):
    """KAT's in place of a ViT's MLP.

    activation(channels, mode) makes a module for each of the two rationals; mode names the function that it shall be at
    first. Under autocast, LayerNorm gives float32, and a ViT's first linear layer casts it to 16 bits. Here the cast
    comes before the rational, so that it reads and writes 16 bits too, and the linear layer has nothing to cast: the
    same storage types as in the ViT, and arithmetic in float32 inside the rational. narrow_input=False leaves the input
    as it is: what published modules were trained with.
    """

    def __init__(self, features, hidden, activation, narrow_input=True):
        super().__init__()
        self.narrow_input = narrow_input
        self.act1 = activation(features, FIRST_MODE)
        self.fc1 = nn.Linear(features, hidden)
        self.act2 = activation(hidden, SECOND_MODE)
        self.fc2 = nn.Linear(hidden, features)
        for linear, mode in ((self.fc1, FIRST_MODE), (self.fc2, SECOND_MODE)):
            nn.init.normal_(linear.weight, std=math.sqrt(variance_gain(MODES[mode]) / linear.in_features))
            nn.init.zeros_(linear.bias)

    def forward(self, x):
        if self.narrow_input:
            x = x.to(autocast_type(x))
        return self.fc2(self.act2(self.fc1(self.act1(x))))


def to_kat(vit, activation, narrow_input=True):
    """Replace the MLP of every block of a ViT, this one's or timm's. Returns the ViT, changed."""
    for block in vit.blocks:
        fc1 = block.mlp.fc1
        block.mlp = GroupRationalMlp(fc1.in_features, fc1.out_features, activation, narrow_input)
    return vit


# ---------------------------------------------------------------------------------------------------------------- ViT


def attend(query, key, value):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(query, key, value)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return scores.softmax(-1) @ value


class Attention(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)

    def forward(self, x):
        batch, tokens, features = x.shape
        split = self.qkv(x).reshape(batch, tokens, 3, self.heads, features // self.heads)
        y = attend(*split.permute(2, 0, 3, 1, 4).unbind(0))
        return self.proj(y.transpose(1, 2).reshape(batch, tokens, features))


class Mlp(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.fc1 = nn.Linear(features, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, features)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(features, eps=1e-6)
        self.attn = Attention(features, heads)
        self.norm2 = nn.LayerNorm(features, eps=1e-6)
        self.mlp = Mlp(features, 4 * features)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, channels, patch, features):
        super().__init__()
        self.proj = nn.Conv2d(channels, features, patch, stride=patch)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """timm's vit_{tiny,small,base}_patch16_224 without what is off there by default (dropout, layer scale, ...)."""

    def __init__(self, size, image=224, patch=16, channels=3, classes=1000):
        super().__init__()
        features, depth, heads = SIZES[size]
        self.patch_embed = PatchEmbed(channels, patch, features)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, features))
        self.pos_embed = nn.Parameter(torch.zeros(1, (image // patch) ** 2 + 1, features))
        self.blocks = nn.Sequential(*(Block(features, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(features, eps=1e-6)
        self.head = nn.Linear(features, classes)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images):
        x = self.patch_embed(images)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])
