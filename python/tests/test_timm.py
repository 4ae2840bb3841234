# SPDX-License-Identifier: Apache-2.0
"""KAT among timm's models, and timm's ViTs made KATs."""

import copy
import io
import os
import pickle
from pathlib import Path

import pytest
from conftest import ROOT, run_python

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

import grkan
import grkan.timm
from grkan.torch import KAT_Group
from timm.optim import create_optimizer_v2

SMALL = {"depth": 2, "img_size": 32, "num_classes": 10}
WIDTHS = {"tiny": 192, "small": 384, "base": 768}


def published_shapes(width, names, depth=12, classes=1000):
    """The state dict of the published checkpoints, by what is known of them; names of one activation's coefficients."""
    numerator, denominator = names
    block = {"norm1.weight": (width,), "norm1.bias": (width,), "attn.qkv.weight": (3 * width, width),
             "attn.qkv.bias": (3 * width,), "attn.proj.weight": (width, width), "attn.proj.bias": (width,),
             "norm2.weight": (width,), "norm2.bias": (width,), "mlp.fc1.weight": (4 * width, width),
             "mlp.fc1.bias": (4 * width,), "mlp.fc2.weight": (width, 4 * width), "mlp.fc2.bias": (width,)}
    for act in ("act1", "act2"):
        block |= {f"mlp.{act}.{numerator}": (1, 6), f"mlp.{act}.{denominator}": (8, 4)}
    return {"cls_token": (1, 1, width), "pos_embed": (1, 197, width), "patch_embed.proj.weight": (width, 3, 16, 16),
            "patch_embed.proj.bias": (width,), "norm.weight": (width,), "norm.bias": (width,),
            "head.weight": (classes, width), "head.bias": (classes,),
            **{f"blocks.{i}.{name}": shape for i in range(depth) for name, shape in block.items()}}


def shapes_of(model):
    return {name: tuple(t.shape) for name, t in model.state_dict().items()}


@pytest.mark.parametrize("name, names", [
    *((f"kat_{size}{kind}_patch16_224", ("weight_numerator", "weight_denominator"))
      for size in WIDTHS for kind in ("", "_swish", "_gelu")),
    *((f"flash_kat_{size}_patch16_224", ("numerator_v", "denominator_v")) for size in WIDTHS)])
def test_models_have_the_published_structure(name, names):
    with torch.device("meta"):
        model = timm.create_model(name)
    width = next(width for size, width in WIDTHS.items() if size in name)
    assert shapes_of(model) == published_shapes(width, names)
    if "tiny" in name:
        assert sum(p.numel() for p in model.parameters()) == 5718328  # as KAT's authors print it


@pytest.mark.parametrize("name", ["kat_tiny_patch16_224", "kat_tiny_patch16_224.vitft"])
def test_published_weights_are_known_by_name(name):
    config = timm.get_pretrained_cfg(name)
    assert config.hf_hub_id == f"adamdad/{name}" and config.input_size == (3, 224, 224) and config.crop_pct == 0.875


def test_a_checkpoint_loads_strictly(tmp_path):
    torch.manual_seed(0)
    first = timm.create_model("kat_tiny_patch16_224", **SMALL)
    state = {name: torch.randn_like(t) for name, t in first.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    second = timm.create_model("kat_tiny_patch16_224", checkpoint_path=str(tmp_path / "a.pth"), **SMALL)
    torch.testing.assert_close(dict(second.state_dict()), state, rtol=0, atol=0)
    torch.save({"state_dict": timm.create_model("vit_tiny_patch16_224", **SMALL).state_dict()}, tmp_path / "b.pth")
    with pytest.raises(RuntimeError, match=r"act1\.weight_numerator"):
        timm.create_model("kat_tiny_patch16_224", checkpoint_path=str(tmp_path / "b.pth"), **SMALL)


def test_what_each_model_begins_as():
    for kind, function in (("", "swish"), ("_swish", "swish"), ("_gelu", "gelu")):
        mlp = timm.create_model(f"kat_tiny{kind}_patch16_224", **SMALL).blocks[1].mlp
        for act, mode in ((mlp.act1, "identity"), (mlp.act2, function)):
            expected = KAT_Group(mode=mode)
            torch.testing.assert_close(act.state_dict(), expected.state_dict(), rtol=0, atol=0)
    act = timm.create_model("flash_kat_tiny_patch16_224", num_groups=4, den_groups=4, **SMALL).blocks[0].mlp.act2
    assert act.numerator_v.shape == (4, 6) and act.denominator_v.shape == (4, 4) and act.in_features == 768


def coefficients_of(model):
    return {name for name, _ in model.named_parameters() if ".mlp.act" in name}


@pytest.mark.parametrize("make", [lambda: timm.create_model("kat_tiny_patch16_224", **SMALL),
                                  lambda: grkan.timm.to_kat(timm.create_model("vit_tiny_patch16_224", **SMALL)),
                                  lambda: timm.create_model("flash_kat_tiny_patch16_224", **SMALL)])
@pytest.mark.parametrize("copied", [lambda model: model, copy.deepcopy])
def test_no_coefficient_decays(make, copied):
    model = copied(make())
    found = coefficients_of(model)
    assert len(found) == 8 and found < model.no_weight_decay() and "pos_embed" in model.no_weight_decay()
    names = {id(p): name for name, p in model.named_parameters()}
    groups = create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05).param_groups
    decaying = {names[id(p)] for group in groups if group["weight_decay"] > 0 for p in group["params"]}
    assert not decaying & found and "blocks.0.mlp.fc1.weight" in decaying


def test_a_trained_vit_goes_on_as_a_kat():
    """The largest difference is that of twice 2 fits of gelu, whose error is 0.0013."""
    torch.manual_seed(0)
    vit = timm.create_model("vit_tiny_patch16_224", **SMALL).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        before = vit(images)
        kept = grkan.timm.to_kat(copy.deepcopy(vit), keep_weights=True)
        assert float((kept(images) - before).abs().max()) < 0.02 * float(before.abs().max())
        anew = grkan.timm.to_kat(copy.deepcopy(vit))
        assert float((anew(images) - before).abs().max()) > 0.05 * float(before.abs().max())
    assert not kept.blocks[0].mlp.training
    torch.testing.assert_close(kept.blocks[1].mlp.fc2.weight, vit.blocks[1].mlp.fc2.weight, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "vit_relpos_small_patch16_224", "beit_base_patch16_224"])
def test_other_vits_of_timms(name):
    model = grkan.timm.to_kat(timm.create_model(name, depth=1, num_classes=3))
    assert model(torch.randn(1, 3, 224, 224)).shape == (1, 3)


def test_dropout_stays():
    model = grkan.timm.to_kat(timm.create_model("vit_tiny_patch16_224", proj_drop_rate=0.5, **SMALL))
    mlp, x = model.blocks[0].mlp, torch.randn(1, 3, 192)
    assert (mlp.drop1, mlp.drop2) == (0.5, 0.5)
    assert not torch.equal(mlp(x), mlp(x))
    assert torch.equal(mlp.eval()(x), mlp(x))


def test_other_structures_are_refused_and_left_alone():
    model = timm.create_model("eva02_tiny_patch14_224", depth=1, num_classes=3)
    before = list(model.state_dict())
    with pytest.raises(grkan.InvalidArgumentError, match=r"blocks\.0\.mlp is a GluMlp; expected fc1, act and fc2"):
        grkan.timm.to_kat(model)
    assert list(model.state_dict()) == before
    with pytest.raises(grkan.InvalidArgumentError, match="vit is a ResNet without blocks; expected a vision"):
        grkan.timm.to_kat(timm.create_model("resnet18"))


def test_two_steps_of_training_a_copy_and_a_file():
    torch.manual_seed(0)
    model = timm.create_model("kat_tiny_patch16_224", **SMALL)
    optimizer = create_optimizer_v2(model, "adamw", lr=1e-3, weight_decay=0.05)
    images, labels = torch.randn(4, 3, 32, 32), torch.arange(4)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[2] < losses[0]
    again = pickle.loads(pickle.dumps(model.eval()))
    torch.testing.assert_close(again(images), model(images), rtol=0, atol=0)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=True), strict=True)


PROGRAM = """
import sys
import timm, torch
from timm.optim import create_optimizer_v2
import katransformer

torch.manual_seed(0)
name, file = sys.argv[1:]
options = {"m": 6, "n": 4, "num_groups": 1, "den_groups": 8} if "flash" in name else {}
model = timm.create_model(name, depth=2, **options)
optimizer = create_optimizer_v2(model, "adamw", lr=1e-3)
images, labels = torch.randn(2, 3, 224, 224), torch.arange(2)
for _ in range(2):
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
torch.save({"state": model.state_dict(), "images": images, "scores": model(images).detach()}, file)
print(type(model).__module__, type(model.blocks[0].mlp.act1).__module__)
"""


@pytest.mark.parametrize("package, name", [("kat_rational", "kat_tiny_patch16_224"),
                                           ("rational_kat", "flash_kat_tiny_patch16_224")])
def test_the_published_transformers_train_unedited(package, name, tmp_path):
    """GRKAN_PUBLISHED has folders with the katransformer.py of KAT and of FlashKAT, apart by colons."""
    folders = [Path(path) for path in os.environ.get("GRKAN_PUBLISHED", "").split(os.pathsep) if path]
    found = [path for path in folders if f"from {package} import" in (path / "katransformer.py").read_text()]
    if not found:
        pytest.skip(f"no folder in GRKAN_PUBLISHED has a katransformer.py that imports {package}")
    (tmp_path / "train.py").write_text(PROGRAM)
    done = run_python("-W", "ignore", "-m", "grkan.torch.in_place_of", package, str(tmp_path / "train.py"), name,
                      str(tmp_path / "a.pth"), PYTHONPATH=os.pathsep.join([str(ROOT / "python"), str(found[0])]))
    assert done.stdout.strip() == "katransformer grkan.torch._modules", done.stderr
    saved = torch.load(tmp_path / "a.pth")
    model = timm.create_model(name, depth=2).eval()
    model.load_state_dict(saved["state"], strict=True)
    with torch.no_grad():
        torch.testing.assert_close(model(saved["images"]), saved["scores"])
