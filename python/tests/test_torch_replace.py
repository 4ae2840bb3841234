# SPDX-License-Identifier: Apache-2.0
"""Rationals in the place of a model's activations; files of modules; and that grkan.torch needs no other package."""

import copy

import numpy
import pytest
from conftest import run_python

torch = pytest.importorskip("torch")

import grkan
from grkan.torch import KAT_Group, Rational, replace_activation
from torch import nn


class Squared(nn.Module):
    def forward(self, x):
        return torch.relu(x).square()


class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.fc1, self.act, self.fc2, self.softmax = nn.Linear(16, 32), act, nn.Linear(32, 16), nn.Softmax(-1)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


# The error of the best rational of degrees (5, 4), rounded up: of a preset on [-3, 3], else on [-5, 5].
ERRORS = [(nn.GELU(), 3, 2e-3), (nn.GELU(approximate="tanh"), 3, 2e-3), (nn.SiLU(), 3, 2e-6), (nn.ReLU(), 3, 4e-2),
          (nn.ReLU(inplace=True), 3, 4e-2), (nn.Mish(), 3, 2e-4), (nn.LeakyReLU(0.1), 3, 4e-2), (nn.ReLU6(), 5, 5e-2),
          (nn.Hardswish(), 5, 5e-2), (Squared(), 5, 0.2)]


@pytest.mark.parametrize("act, limit, error", ERRORS)
@torch.no_grad()
def test_a_rational_begins_as_what_it_replaces(act, limit, error):
    model = nn.Sequential(nn.Linear(16, 16), act)
    assert replace_activation(model, type(act), groups=4) == ["1"]
    x = torch.linspace(-limit, limit, 1600).reshape(100, 16)
    found, expected = model[1](x), act(x.clone())
    assert float((found - expected).abs().max()) <= error
    assert model[1].denominator.shape == (4, 4)


def test_which_are_replaced():
    def names(which, **options):
        model = nn.ModuleDict({"a": Block(nn.GELU()), "b": Block(nn.Tanh()), "c": Block(nn.Identity())})
        return replace_activation(model, which, **options)

    assert names(None) == ["a.act"]
    assert names("act") == ["a.act", "b.act", "c.act"]
    assert names("b.act") == ["b.act"]
    assert names((nn.GELU, nn.Tanh)) == ["a.act", "b.act"]
    assert names(lambda name, module: name.startswith("b") and isinstance(module, nn.Tanh)) == ["b.act"]
    assert names("softmax", init="gelu") == ["a.softmax", "b.softmax", "c.softmax"]


def test_what_makes_no_sense_is_refused():
    model = Block(nn.GELU())
    for call, text in ((lambda: replace_activation(model, "softmax"), "softmax is Softmax(dim=-1); expected"),
                       (lambda: replace_activation(model, "fc1"), "fc1 is Linear("),
                       (lambda: replace_activation(model, nn.Tanh), "expected some activation within the model"),
                       (lambda: replace_activation(model, 3), "which is 3; expected a name, a class"),
                       (lambda: replace_activation("gelu"), "model is a str; expected a torch.nn.Module"),
                       (lambda: replace_activation(model, groups=0), "groups is 0; expected an integer from 1")):
        with pytest.raises(grkan.InvalidArgumentError) as caught:
            call()
        assert text in str(caught.value)
    assert isinstance(model.act, nn.GELU)


def test_a_module_at_several_places_stays_one():
    shared = nn.GELU()
    model = nn.ModuleList([Block(shared), Block(shared), Block(nn.GELU())]).eval()
    assert replace_activation(model) == ["0.act", "1.act", "2.act"]
    assert model[0].act is model[1].act is not model[2].act and not model[0].act.training


def test_images_and_training():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
    replace_activation(model, groups=2, channel_dim=1, shared_numerator=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, labels = torch.randn(8, 3, 8, 8), torch.arange(8) % 2
    losses = []
    for _ in range(4):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert float((model[1].numerator[0] - model[1].numerator[1]).detach().abs().max()) > 1e-4
    model[1].reset_parameters()
    torch.testing.assert_close(model[1].state_dict(), Rational(2, "relu", shared_numerator=False).state_dict())


@pytest.mark.parametrize("make", [lambda: Rational(4, "swish"), lambda: KAT_Group(4),
                                  lambda: Rational(4, grkan.fit("tanh", (3, 2)))])
def test_files_load_with_weights_only(make, tmp_path):
    """A whole module too, where PyTorch can be told what it may make (2.4 and later)."""
    module = make()
    torch.save(module.state_dict(), tmp_path / "state.pt")
    copied = copy.deepcopy(module)
    copied.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True), strict=True)
    if not hasattr(torch.serialization, "add_safe_globals"):
        return
    torch.save(module, tmp_path / "module.pt")
    loaded = torch.load(tmp_path / "module.pt", weights_only=True)
    x = torch.from_numpy(numpy.linspace(-3, 3, 64, dtype=numpy.float32).reshape(4, 16))
    torch.testing.assert_close(loaded(x), module(x), rtol=0, atol=0)


def test_pytorch_is_all_that_grkan_torch_needs():
    done = run_python("-c", "import sys, grkan.torch; print([n for n in ('timm', 'transformers', 'matplotlib') "
                      "if n in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
