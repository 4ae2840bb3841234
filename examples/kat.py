# SPDX-License-Identifier: Apache-2.0
"""A vision transformer that needs PyTorch alone, and activations to compare: grkan.torch's to_kat() makes a KAT of it.

It is timm's ViT, whose structure and names of parameters it shares.
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
