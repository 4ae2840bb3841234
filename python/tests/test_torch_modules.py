# SPDX-License-Identifier: Apache-2.0
"""The modules: signatures, state dicts of the published ones, training, copies."""

import copy
import inspect
import io
from typing import get_args

import numpy
import pytest

torch = pytest.importorskip("torch")

from conftest import FORMS

import grkan
from grkan._names import Mode
from grkan.torch import FlashKAT_Group, KAT_Group, KAT_Group2D, Rational, formula

# As published: rational_kat_cu's KAT_Group and KAT_Group2D, FlashKAT's FlashKAT_Group.
PUBLISHED = [
    (KAT_Group, "(num_groups=8, mode='gelu', device='cuda')", {},
     {"weight_numerator": (1, 6), "weight_denominator": (8, 4)}),
    (KAT_Group2D, "(num_groups=8, mode='gelu', device='cuda')", {},
     {"weight_numerator": (1, 6), "weight_denominator": (8, 4)}),
    (FlashKAT_Group, "(in_features, num_groups, den_groups, m, n, mode, device='cuda')",
     {"in_features": 16, "num_groups": 1, "den_groups": 8, "m": 6, "n": 4, "mode": "swish"},
     {"numerator_v": (1, 6), "denominator_v": (8, 4)}),
]


@pytest.mark.parametrize("kind, signature, arguments, parameters", PUBLISHED)
def test_published_checkpoints_load(kind, signature, arguments, parameters):
    plain = [p.replace(annotation=p.empty) for p in inspect.signature(kind).parameters.values()]
    assert str(inspect.Signature(plain)) == signature
    module = kind(**arguments)
    assert {name: tuple(t.shape) for name, t in module.state_dict().items()} == parameters
    file = io.BytesIO()
    torch.save({f"blocks.0.act.{name}": torch.randn(shape) for name, shape in parameters.items()}, file)
    file.seek(0)
    checkpoint = torch.load(file)
    model = torch.nn.Module()
    model.blocks = torch.nn.ModuleList([torch.nn.Module()])
    model.blocks[0].act = module
    model.load_state_dict(checkpoint, strict=True)
    x = torch.randn((2, 16, 4, 4) if kind is KAT_Group2D else (2, 16, 16))
    channel_dim = 1 if kind is KAT_Group2D else -1
    expected = formula(x.double(), *(checkpoint[f"blocks.0.act.{name}"].double() for name in parameters),
                       "abs_terms", channel_dim)
    torch.testing.assert_close(module(x).double(), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


FUNCTIONS = {
    "identity": (lambda x: x, 0.0),
    "relu": (torch.relu, 3.31e-2),
    "leaky_relu": (torch.nn.functional.leaky_relu, 3.29e-2),
    "tanh": (torch.tanh, 4.6e-5),
    "sigmoid": (torch.sigmoid, 2.1e-5),
    "swish": (torch.nn.functional.silu, 2e-6),
    "gelu": (torch.nn.functional.gelu, 4.6e-3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("make", [lambda name: KAT_Group(mode=name), lambda name: Rational(init=name)])
def test_a_module_starts_as_its_function(name, make):
    function, error = FUNCTIONS[name]
    x = torch.linspace(-3, 3, 8000).reshape(1000, 8)
    with torch.no_grad():
        assert float((make(name)(x) - function(x)).abs().max()) <= error


@pytest.mark.parametrize("form", FORMS)
def test_rational_of_any_form_and_degree(form):
    x = torch.linspace(-3, 3, 8000).reshape(1000, 8)
    small = Rational(init="tanh", form=form)
    wide = Rational(init="tanh", form=form, degrees=(7, 4), groups=2)
    fitted = Rational(init=grkan.fit("tanh", (3, 2), form=form), shared_numerator=False)
    with torch.no_grad():
        errors = [float((module(x) - torch.tanh(x)).abs().max()) for module in (wide, small, fitted)]
    least = 3e-3 if form == "square" else 1e-4
    assert errors[0] <= errors[1] + 1e-6 and errors[1] < least and errors[2] < 0.05, errors
    assert wide.numerator.shape == (1, 8) and fitted.numerator.shape == (8, 4) and fitted.form == form


def test_published_tables_are_used_where_they_are_right():
    """Published gelu coefficients belong to another form; the others start as published."""
    assert KAT_Group(mode="swish").weight_numerator[0, 0].item() == pytest.approx(3.054879741161051e-07)
    assert KAT_Group(mode="gelu").weight_numerator[0, 1].item() != pytest.approx(0.51692871)


def test_kat_group_2d_reads_channels_where_they_are():
    x = torch.randn(2, 16, 5, 3)
    module = KAT_Group2D(num_groups=4)
    with torch.no_grad():
        module.weight_denominator.add_(torch.rand(4, 4))
    last = KAT_Group(num_groups=4)
    last.load_state_dict(module.state_dict())
    expected = last(x.permute(0, 2, 3, 1).flatten(1, 2)).unflatten(1, (5, 3)).permute(0, 3, 1, 2)
    torch.testing.assert_close(module(x), expected)


def test_flashkat_without_groups_has_one_for_each_channel():
    module = FlashKAT_Group(16, -1, 0, 6, 4, "identity")
    assert module.numerator_v.shape == (16, 6) and module.denominator_v.shape == (16, 4)
    x = torch.randn(3, 16)
    torch.testing.assert_close(module(x), x)
    with pytest.raises(grkan.InvalidArgumentError, match=r"\(m, n\) is \(8, 4\); expected \(6, 4\)"):
        FlashKAT_Group(16, 1, 8, 8, 4, "identity")


def test_a_name_without_coefficients():
    with pytest.raises(grkan.InvalidArgumentError, match=r'name is "gellu"; expected one of .*gelu'):
        KAT_Group(mode="gellu")


@pytest.mark.parametrize("make, text", [
    *((lambda groups=groups: Rational(groups=groups), f"groups is {groups!r}; expected an integer from 1")
      for groups in (0, -8, 2.0, "8", None, True)),
    *((lambda groups=groups: KAT_Group(groups), f"num_groups is {groups!r}; expected an integer from 1")
      for groups in (0, -1, 8.5, None, False)),
    (lambda: Rational(degrees=(16, 4)), "degrees: m is 16; expected an integer from 0 to 15"),
    (lambda: Rational(degrees=(5, -1)), "degrees: n is -1; expected an integer from 0 to 15"),
    (lambda: Rational(degrees=5), "degrees is 5; expected (m, n)"),
    (lambda: Rational(degrees=None), "degrees is None; expected (m, n)"),
    (lambda: Rational(form=None), "form is None; expected one of abs_terms"),
    (lambda: Rational(form=["plain"]), "form is ['plain']; expected one of abs_terms"),
    (lambda: Rational(init=None), "init is None; expected the name of a function"),
    (lambda: Rational(init=[1.0]), "init is [1.0]; expected the name of a function"),
    (lambda: Rational(channel_dim=None), "channel_dim is None; expected an integer"),
    (lambda: KAT_Group(mode=None), "mode is None; expected a string"),
    (lambda: FlashKAT_Group(0, 1, 1, 6, 4, "gelu"), "in_features is 0; expected an integer from 1"),
    (lambda: FlashKAT_Group(16, 17, 1, 6, 4, "gelu"), "num_groups is 17; expected an integer from"),
    (lambda: FlashKAT_Group(16, 1, "8", 6, 4, "gelu"), "den_groups is '8'; expected an integer from"),
    (lambda: FlashKAT_Group(16, 2, 8, 6, 4, "gelu"), "num_groups is 2 and den_groups 8; expected one of them 1"),
])
def test_modules_refuse_what_makes_no_sense(make, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        make()
    assert text in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    module = Rational(groups=numpy.int64(4), degrees=(numpy.int32(3), numpy.int8(2)), init="tanh")
    assert module.numerator.shape == (1, 4) and module.denominator.shape == (4, 2)


@pytest.mark.parametrize("call, text", [
    (lambda: KAT_Group()(torch.ones(2, 16, 5, 3)), "input has shape (2, 16, 5, 3); expected [batch, length, channels] "
     "(KAT_Group2D takes [batch, channels, height, width]"),
    (lambda: KAT_Group()(torch.tensor(1.0)), "input has shape (); expected [batch, length, channels]"),
    (lambda: KAT_Group2D()(torch.ones(2, 16, 5)), "input has shape (2, 16, 5); expected [batch, channels, height,"),
    (lambda: KAT_Group2D()(torch.ones(1, 2, 16, 5, 5)), "expected [batch, channels, height, width]"),
    (lambda: KAT_Group()(torch.ones(2, 3, 4)), "groups is 8; expected 1 to 4, the channels of x"),
    (lambda: Rational(groups=5)(torch.ones(3, 4)), "groups is 5; expected 1 to 4, the channels of x"),
    (lambda: Rational(channel_dim=1)(torch.ones(16)), "channel_dim is 1; expected a dimension of x"),
    (lambda: FlashKAT_Group(16, 1, 8, 6, 4, "gelu")(torch.ones(2, 32)), "input has shape (2, 32); expected [..., 16]"),
    (lambda: FlashKAT_Group(16, 1, 8, 6, 4, "gelu")(torch.tensor(1.0)), "input has shape (); expected [..., 16]"),
    (lambda: KAT_Group()(None), "x is a NoneType; expected a torch.Tensor"),
    (lambda: KAT_Group2D()([[1.0]]), "x is a list; expected a torch.Tensor"),
    (lambda: FlashKAT_Group(16, 1, 8, 6, 4, "gelu")([1.0]), "x is a list; expected a torch.Tensor"),
])
def test_modules_refuse_other_shapes(call, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_has_coefficients(mode):
    assert KAT_Group(mode=mode).weight_numerator.shape == (1, 6)


def test_a_module_learns_a_function():
    torch.manual_seed(0)
    module = Rational(groups=2, init="identity")
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-2)
    x = torch.linspace(-3, 3, 512).reshape(256, 2)
    losses = []
    for _ in range(200):
        loss = (module(x) - torch.tanh(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.01 * losses[0], losses[::50]


def test_copies_and_conversions():
    module = Rational(groups=4, shared_numerator=False)
    x = torch.randn(6, 8)
    clone = copy.deepcopy(module)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    clone.load_state_dict(torch.load(file))
    assert torch.equal(clone(x), module(x)) and module.numerator.shape == (4, 6)
    assert module.double()(x.double()).dtype == torch.float64
    assert module.bfloat16()(x.bfloat16()).dtype == torch.bfloat16
    assert "groups=4, coefficients=(6, 4)" in repr(module)


@pytest.mark.parametrize("make", [lambda mode="gelu": KAT_Group(mode=mode),
                                  lambda mode="gelu": Rational(4, mode, form="square")], ids=["KAT", "Rational"])
def test_weights_only_loading(make):
    module, other, file = make("swish"), make(), io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(3, 16)
    assert torch.equal(other(x), module(x))


@pytest.mark.parametrize("module, name", [(KAT_Group(), "weight_numerator"), (Rational(4), "numerator"),
                                          (FlashKAT_Group(16, 1, 4, 6, 4, "swish"), "numerator_v")])
def test_parametrized_coefficients(module, name):
    """A parametrization takes the place of a parameter."""
    from torch.nn.utils import parametrize

    class Twice(torch.nn.Module):
        def forward(self, table):
            return 2 * table

    x = torch.randn(3, 16)
    expected = 2 * module(x)
    parametrize.register_parametrization(module, name, Twice())
    torch.testing.assert_close(module(x), expected)
