# SPDX-License-Identifier: Apache-2.0
"""Modules that compute two at once against the two, and the fused KAT against the plain one."""

import copy
import io
import sys

import pytest

torch = pytest.importorskip("torch")

from conftest import ROOT, require
from torch import nn

import grkan
from grkan.torch import (FlashKAT_Group, KAT_Group, KAT_Group2D, NormRational, Rational, RationalLinear,
                         rational_linear, to_kat)

sys.path.insert(0, str(ROOT / "examples"))
import kat

HAS_OPERATOR = hasattr(torch.library, "register_autograd")
CHANNELS = 16


class RMSNorm(nn.Module):
    """As timm and PyTorch 2.4 have it."""

    def __init__(self, channels, eps=1e-6):
        super().__init__()
        self.normalized_shape, self.eps = (channels,), eps
        self.weight = nn.Parameter(torch.rand(channels) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def layer_norm(**options):
    norm = nn.LayerNorm(CHANNELS, **options)
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    return norm


NORMS = {"layer_norm": layer_norm, "without tables": lambda: layer_norm(elementwise_affine=False),
         "rms_norm": lambda: RMSNorm(CHANNELS)}
ACTIVATIONS = {"KAT": lambda: KAT_Group(4, "swish"), "FlashKAT": lambda: FlashKAT_Group(CHANNELS, 1, 4, 6, 4, "swish"),
               "Rational": lambda: Rational(3, "tanh", degrees=(3, 2), form="square", shared_numerator=False)}


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    require(request.param)
    return torch.device(request.param)


def step(module, x, *more):
    """Result and gradients of the input and all parameters."""
    x = x.clone().requires_grad_()
    y = module(x, *more)
    y.square().sum().backward()
    found = [y.detach(), x.grad, *(p.grad.clone() for p in module.parameters())]
    module.zero_grad()
    return found


def assert_same(found, expected, tolerance=1e-10):
    assert len(found) == len(expected)
    for f, e in zip(found, expected):
        assert f.dtype == e.dtype
        torch.testing.assert_close(f, e, rtol=tolerance, atol=tolerance * max(1.0, float(e.abs().max())))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", NORMS)
def test_norm_rational(device, norm, activation):
    torch.manual_seed(0)
    two = nn.Sequential(NORMS[norm](), ACTIVATIONS[activation]()).to(device, torch.float64)
    fused = NormRational(*copy.deepcopy(two))
    x = torch.randn(2, 5, CHANNELS, dtype=torch.float64, device=device)
    assert_same(step(fused, x), step(two, x))
    assert_same(step(fused.float(), x.float()), step(two.float(), x.float()), 1e-4)


@pytest.mark.parametrize("recompute", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rational_linear(device, activation, recompute):
    torch.manual_seed(0)
    two = nn.Sequential(ACTIVATIONS[activation](), nn.Linear(CHANNELS, 7)).to(device, torch.float64)
    fused = RationalLinear(*copy.deepcopy(two), recompute)
    x, bias = torch.randn(2, 5, CHANNELS, dtype=torch.float64, device=device), torch.randn(CHANNELS, device=device)
    assert_same(step(fused, x), step(two, x))
    assert_same(step(fused, x, bias.double())[:2], step(two, x + bias)[:2])
    without = RationalLinear(ACTIVATIONS[activation](), nn.Linear(CHANNELS, 7, bias=False)).to(device)
    assert_same(step(without, x.float()), step(nn.Sequential(*without), x.float()), 1e-4)


@pytest.mark.parametrize("make, two", [
    (lambda n, a, linear: NormRational(n, a), lambda n, a, linear: (n, a)),
    (lambda n, a, linear: RationalLinear(a, linear), lambda n, a, linear: (a, linear))], ids=["norm", "linear"])
def test_state_dicts_are_those_of_the_two(make, two):
    modules = layer_norm(), KAT_Group(4), nn.Linear(CHANNELS, 7)
    fused = make(*copy.deepcopy(modules))
    plain, file, x = nn.Sequential(*two(*modules)), io.BytesIO(), torch.randn(3, CHANNELS)
    torch.save(fused.state_dict(), file)
    file.seek(0)
    plain.load_state_dict(torch.load(file))
    fused.load_state_dict(plain.state_dict())
    assert list(fused.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(fused(x), plain(x))
    if hasattr(torch.serialization, "add_safe_globals"):
        file = io.BytesIO()
        torch.save(fused, file)
        file.seek(0)
        with torch.serialization.safe_globals([nn.LayerNorm, nn.Linear]):
            assert torch.equal(torch.load(file, weights_only=True)(x), fused(x))


@pytest.mark.skipif(not hasattr(torch.serialization, "add_safe_globals"), reason="needs PyTorch 2.4 or later")
@pytest.mark.parametrize("fused", [False, True])
def test_weights_only_loading_of_whole_mlps(fused):
    mlp, file, x = to_kat(vit(), fused=fused).blocks[0].mlp, io.BytesIO(), torch.randn(3, 64)
    torch.save(mlp, file)
    file.seek(0)
    with torch.serialization.safe_globals([nn.LayerNorm, nn.Linear]):
        assert torch.equal(torch.load(file, weights_only=True)(x), mlp(x))


def saved_elements(module, x):
    """Elements of what a call keeps for backward, each tensor's memory once; parameters are there anyway."""
    kept = {}

    def keep(t):
        kept[t.data_ptr()] = t.numel()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        y = module(x)
    for parameter in module.parameters():
        kept.pop(parameter.data_ptr(), None)
    return sum(kept.values()) if y.requires_grad else None


def test_what_is_stored():
    x = torch.randn(64, CHANNELS)
    activation, linear = KAT_Group(4), nn.Linear(CHANNELS, CHANNELS)
    assert saved_elements(RationalLinear(activation, linear), x) == x.numel()
    assert saved_elements(RationalLinear(activation, linear, recompute=False), x) == 2 * x.numel()
    assert saved_elements(NormRational(layer_norm(), activation), x) == x.numel() + 2 * len(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast(dtype):
    """Results in autocast's type, and what autocast computes of the two, but for a rounding less."""
    torch.manual_seed(0)
    x = torch.randn(64, CHANNELS, dtype=dtype)
    norm, activation, linear = layer_norm(), KAT_Group(4, "swish"), nn.Linear(CHANNELS, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = NormRational(norm, activation)(x)
        assert y.dtype is torch.bfloat16
        torch.testing.assert_close(y, activation(norm(x.float())).bfloat16(), rtol=1e-2, atol=1e-2)
        found = [step(RationalLinear(activation, linear, recompute), x) for recompute in (True, False)]
        expected = step(nn.Sequential(activation, linear), x.bfloat16())
    assert found[0][0].dtype is torch.bfloat16 and found[0][1].dtype is dtype
    for of_one in found:
        for f, e in zip(of_one, expected):
            torch.testing.assert_close(f.float(), e.float(), rtol=3e-2, atol=3e-2 * float(e.float().abs().max()))


def test_a_weight_that_is_used_twice_under_autocast():
    """Autocast keeps a copy of a weight for its next use, with the graph behind it."""
    x, linear, activation = torch.randn(8, CHANNELS), nn.Linear(CHANNELS, CHANNELS), KAT_Group(4)
    fused = RationalLinear(activation, linear)

    def gradient(first):
        linear.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            linear(first(x)).float().sum().backward()
        return linear.weight.grad.clone()

    torch.testing.assert_close(gradient(fused), gradient(nn.Sequential(activation, linear)), rtol=2e-2, atol=1e-1)


def test_gradients_of_gradients():
    a, b, w = (torch.rand(shape, dtype=torch.float64, requires_grad=True) for shape in ((1, 4), (2, 3), (3, 6)))
    x, c, bias = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 6), (3,), (6,)))

    def function(x, a, b, w, c, bias):
        return rational_linear(x, a, b, w, c, bias=bias)

    assert torch.autograd.gradcheck(function, (x, a, b, w, c, bias))
    assert torch.autograd.gradgradcheck(function, (x, a, b, w, c, bias))
    for chosen in (0, 3, 4, 5):
        inputs = [t.detach().requires_grad_(i == chosen) for i, t in enumerate((x, a, b, w, c, bias))]
        assert torch.autograd.gradcheck(function, inputs)


def test_checkpointing():
    pytest.importorskip("torch.utils.checkpoint")
    module = nn.Sequential(NormRational(layer_norm(), KAT_Group(4)), RationalLinear(KAT_Group(4), nn.Linear(16, 8)))
    x = torch.randn(5, CHANNELS)
    found = step(lambda_module(module, True), x)
    assert all(torch.equal(f, e) for f, e in zip(found, step(lambda_module(module, False), x)))


def lambda_module(module, is_checkpointed):
    """The module, whose activations are computed again if so said."""
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            if is_checkpointed:
                return torch.utils.checkpoint.checkpoint(self.inner, x, use_reentrant=False)
            return self.inner(x)

    return Wrapped()


@pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled(backend):
    torch._dynamo.reset()
    torch.manual_seed(0)
    module = nn.Sequential(NormRational(layer_norm(), KAT_Group(4)), RationalLinear(KAT_Group(4), nn.Linear(16, 8)))
    compiled, x = torch.compile(module, fullgraph=True, backend=backend), torch.randn(5, CHANNELS)
    assert_same(step(compiled, x), step(module, x), 1e-5)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), module(x))
    linear = RationalLinear(KAT_Group(4), nn.Linear(16, 16, bias=False))
    assert saved_elements(torch.compile(linear, backend=backend), x) < 2 * x.numel()  # tables among it


def test_traced_by_fx():
    module = nn.Sequential(NormRational(layer_norm(), KAT_Group(4)), RationalLinear(KAT_Group(4), nn.Linear(16, 8)))
    graph, x = torch.fx.symbolic_trace(module), torch.randn(5, CHANNELS)
    assert rational_linear in [node.target for node in graph.graph.nodes]
    assert_same(step(graph, x)[:2], step(module, x)[:2])


class Formula(KAT_Group):
    def forward(self, x):
        return x


@pytest.mark.parametrize("make, text", [
    (lambda: NormRational(nn.LayerNorm((2, 8)), KAT_Group()), r"norm is a LayerNorm\[2, 8\]; expected a LayerNorm or"),
    (lambda: NormRational(nn.BatchNorm1d(8), KAT_Group()), r"norm is a BatchNorm1d\[\]; expected a LayerNorm or RMSN"),
    (lambda: NormRational(layer_norm(), nn.GELU()), "activation is a GELU; expected a Rational, KAT_Group or"),
    (lambda: NormRational(layer_norm(), KAT_Group2D()), "activation is a KAT_Group2D; expected a Rational, KAT_Gr"),
    (lambda: NormRational(layer_norm(), Rational(channel_dim=1)), "activation is a Rational; expected .* last dim"),
    (lambda: RationalLinear(Formula(), nn.Linear(16, 4)), "activation is a Formula; expected a Rational, KAT_Gro"),
    (lambda: RationalLinear(KAT_Group(), nn.Identity()), "linear is a Identity; expected a torch.nn.Linear"),
    (lambda: RationalLinear(ACTIVATIONS["FlashKAT"](), nn.Linear(8, 4)), "activation has 16 channels; expected 8"),
])
def test_refusals(make, text):
    with pytest.raises(grkan.InvalidArgumentError, match=text):
        make()


# --------------------------------------------------------------------------------------------------------------- KAT


def vit():
    torch.manual_seed(0)
    return kat.VisionTransformer("digits", image=8, patch=2, channels=1, classes=10)


def pair(**options):
    """A plain and a fused KAT with the same parameters, all of them other than at first."""
    plain, fused = to_kat(vit()), to_kat(vit(), fused=True, **options)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    fused.load_state_dict(plain.state_dict())
    plain.load_state_dict(fused.state_dict())
    return plain, fused


IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("recompute", [True, False])
def test_the_fused_kat_is_the_same_function(device, recompute):
    plain, fused = (model.to(device, torch.float64) for model in pair(recompute=recompute))
    names = [name for name, _ in plain.named_parameters()]
    assert [name for name, _ in fused.named_parameters()] == names
    assert plain.no_weight_decay() == fused.no_weight_decay() != set()
    images = IMAGES.to(device, torch.float64)
    assert_same(step(fused, images), step(plain, images), 1e-9)
    assert_same(step(fused.eval(), images), step(plain.eval(), images), 1e-9)


def test_the_fused_kat_stores_less():
    plain, fused = pair()
    elements = [saved_elements(model, IMAGES) for model in (plain, fused)]
    hidden = 3 * 17 * 256 * 2  # the inputs of both second linear layers
    assert elements[0] - elements[1] >= hidden


def test_copies_of_the_fused_kat_have_their_own_norms():
    _, fused = pair()
    copied = copy.deepcopy(fused)
    with torch.no_grad():
        fused.blocks[0].norm2.weight.zero_()
    assert not torch.equal(copied(IMAGES), fused(IMAGES))
    file = io.BytesIO()
    torch.save(copied, file)
    file.seek(0)
    again = torch.load(file, **({"weights_only": False} if HAS_OPERATOR else {}))
    assert torch.equal(again(IMAGES), copied(IMAGES))


def test_a_trained_vit_goes_on():
    before = vit().double()
    after = to_kat(copy.deepcopy(before), fused=True, keep_weights=True)
    images = IMAGES.double()
    torch.testing.assert_close(after(images), before(images), rtol=0.05, atol=0.05)


def test_hooks_and_other_linear_layers_are_called():
    plain, fused = pair()
    seen = []
    fused.blocks[0].mlp.fc1.register_forward_hook(lambda *_: seen.append("fc1"))
    fused.blocks[1].mlp.fc2.register_forward_pre_hook(lambda *_: seen.append("fc2"))
    torch.testing.assert_close(fused(IMAGES), plain(IMAGES), rtol=1e-4, atol=1e-4)
    assert seen == ["fc1", "fc2"]


def test_dropout_comes_between():
    plain, fused = pair()
    for model in (plain, fused):
        for block in model.blocks:
            block.mlp.drop1 = block.mlp.drop2 = 0.2
    found = []
    for model in (plain, fused):
        torch.manual_seed(1)
        found.append(step(model, IMAGES))
    assert_same(found[1], found[0], 1e-4)


class PostNorm(kat.Block):
    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.norm2(self.mlp(x))


class Strange(kat.Block):
    def forward(self, x):
        raise RuntimeError("no zeros, please")


@pytest.mark.parametrize("block, text", [
    (PostNorm(64, 4), r"blocks.1: fused: its mlp does not get what norm2 gives; expected mlp\(norm2\(x\)\)"),
    (Strange(64, 4), r"blocks.1: fused: it does not run on zeros \(no zeros, please\)"),
])
def test_blocks_that_cannot_be_fused(block, text):
    model = vit()
    model.blocks[1] = block
    before = repr(model)
    with pytest.raises(grkan.InvalidArgumentError, match=text):
        to_kat(model, fused=True)
    assert repr(model) == before
    model.blocks[1].norm2 = nn.Identity()
    with pytest.raises(grkan.InvalidArgumentError, match="norm2: fused: norm is a Identity"):
        to_kat(model, fused=True)


def test_only_rationals_can_be_fused():
    with pytest.raises(grkan.InvalidArgumentError, match="activation is a GELU; expected a Rational"):
        to_kat(vit(), kat.gelu_activation, fused=True)


@pytest.mark.skipif(not HAS_OPERATOR, reason="operators need PyTorch 2.4 or later")
def test_the_fused_kat_compiles_and_exports():
    torch._dynamo.reset()
    plain, fused = pair()
    compiled = torch.compile(fused, fullgraph=True, backend="aot_eager")
    assert_same(step(compiled, IMAGES), step(fused, IMAGES), 1e-5)
    program = torch.export.export(fused, (IMAGES,))
    names = [str(node.target) for node in program.graph.nodes]
    assert names.count("grkan.prologue_rational.default") == 4
    torch.testing.assert_close(program.module()(IMAGES), plain(IMAGES), rtol=1e-4, atol=1e-4)
    strict = torch.export.export(fused, (IMAGES,), strict=True)
    assert [str(node.target) for node in strict.graph.nodes].count("grkan.prologue_rational.default") == 4
