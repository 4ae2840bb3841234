# SPDX-License-Identifier: Apache-2.0
"""KAT among timm's models: after `import grkan.timm`, timm.create_model("kat_base_patch16_224") makes one.

Each of kat_{tiny,small,base}_patch16_224 begins with swish, and has a twin that says so (kat_tiny_swish_patch16_224)
and one that begins with gelu. flash_kat_{tiny,small,base}_patch16_224 are FlashKAT's, whose m, n, num_groups and
den_groups are arguments. Names and shapes of parameters are the published ones, so that their checkpoints load,
strictly. The activations' coefficients are among no_weight_decay(). to_kat makes a KAT of another ViT of timm's.
"""

from __future__ import annotations

from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

from .torch import FlashKAT_Group, KAT_Group, to_kat

_SIZES = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}  # width and heads
_DEPTH = 12

__all__ = ["KATVisionTransformer", "to_kat"]  # and the registered functions, which timm adds


def _config(**weights: Any) -> dict[str, Any]:
    return {"num_classes": 1000, "input_size": (3, 224, 224), "pool_size": None, "crop_pct": 0.875,
            "interpolation": "bicubic", "fixed_input_size": True, "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD, "first_conv": "patch_embed.proj", "classifier": "head", **weights}


# The weights that KAT's authors have published; ".vitft" were begun from a ViT's.
default_cfgs = generate_default_cfgs({
    **{f"kat_{size}_patch16_224{tag}": _config(hf_hub_id=f"adamdad/kat_{size}_patch16_224{tag}")
       for size in _SIZES for tag in ("", ".vitft")},
    **{f"{start}_{size}{end}_patch16_224": _config()
       for size in _SIZES for start, end in (("kat", "_swish"), ("kat", "_gelu"), ("flash_kat", ""))}})


class KATVisionTransformer(VisionTransformer):
    """timm's ViT with KAT's GR-KANs for MLPs.

    Args:
        act_init: what the second rational of a block begins as.
        flash: the arguments of FlashKAT_Group; None: the activations are KAT_Group.
        narrow_input: see GroupRationalMlp.
        fused, recompute: see to_kat; checkpoints are the same either way.
        others: VisionTransformer's.
    """

    def __init__(self, *, act_init: str = "swish", flash: dict[str, Any] | None = None, narrow_input: bool = True,
                 fused: bool = False, recompute: bool = True, **others: Any):
        super().__init__(**others)

        def activation(channels: int, mode: Any) -> KAT_Group | FlashKAT_Group:
            mode = act_init if mode == "swish" else mode
            return KAT_Group(mode=mode) if flash is None else FlashKAT_Group(in_features=channels, mode=mode, **flash)

        to_kat(self, activation, narrow_input, fused=fused, recompute=recompute)


def _register(name: str, size: str, is_flash: bool = False, **fixed: Any) -> None:
    def create(pretrained: bool = False, **arguments: Any) -> KATVisionTransformer:
        width, heads = _SIZES[size]
        if is_flash:
            usual = {"m": 6, "n": 4, "num_groups": 1, "den_groups": 8}
            fixed["flash"] = {key: arguments.pop(key, value) for key, value in usual.items()}
        arguments = {"patch_size": 16, "embed_dim": width, "depth": _DEPTH, "num_heads": heads, **fixed, **arguments}
        out_indices = arguments.pop("out_indices", 3)
        return build_model_with_cfg(KATVisionTransformer, name, pretrained, pretrained_filter_fn=checkpoint_filter_fn,
                                    pretrained_strict=True, feature_cfg={"out_indices": out_indices,
                                                                         "feature_cls": "getter"}, **arguments)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"A KAT of the size of vit_{size}_patch16_224."
    globals()[name] = register_model(create)


for _size in _SIZES:
    _register(f"kat_{_size}_patch16_224", _size)
    _register(f"kat_{_size}_swish_patch16_224", _size)
    _register(f"kat_{_size}_gelu_patch16_224", _size, act_init="gelu")
    _register(f"flash_kat_{_size}_patch16_224", _size, is_flash=True)
