# SPDX-License-Identifier: Apache-2.0
"""Drawings of learned functions: whose lines are in them, and that they leave the caller's matplotlib alone."""

import copy
import sys
import xml.etree.ElementTree as ElementTree

import numpy
import pytest

torch = pytest.importorskip("torch")
matplotlib = pytest.importorskip("matplotlib")

import grkan
from grkan.report import functions, plots
from grkan.torch import FlashKAT_Group, KAT_Group, Rational, plot
from torch import nn


@torch.no_grad()
def shaken(module, seed=0):
    """As after training: every group another function."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@pytest.fixture
def panels(monkeypatch):
    """Draw something; for each panel its title and its lines by label, those without one by number."""
    def draw(make):
        seen = []
        real = plots.make_svg

        def keep(figure, axes):
            seen.extend((ax.get_title(), {line.get_label(): line.get_ydata() for line in ax.lines}) for ax in axes)
            return real(figure, axes)

        monkeypatch.setattr(plots, "make_svg", keep)
        drawing = make()
        ElementTree.fromstring(drawing.svg)
        assert drawing._repr_svg_() == drawing.svg
        return seen

    return draw


X = torch.linspace(-3, 3, functions.SAMPLES, dtype=torch.float64)


@torch.no_grad()
def assert_drawn(line, module, group, groups):
    """A line is what the module makes of the channels of a group."""
    y = copy.deepcopy(module).double()(X[:, None].expand(-1, 2 * groups).contiguous())
    numpy.testing.assert_allclose(line, y[:, 2 * group], rtol=0, atol=1e-6 * float(y.abs().max()))


@pytest.mark.parametrize("make", [lambda: Rational(4, "gelu", shared_numerator=False), lambda: KAT_Group(4, "swish"),
                                  lambda: Rational(4, "tanh", form="square", degrees=(3, 2)),
                                  lambda: FlashKAT_Group(8, 4, 1, 6, 4, "gelu")])
def test_a_line_for_each_group_and_how_it_began(panels, make):
    module = make()
    fresh = copy.deepcopy(module)
    (_, lines), = panels(shaken(module).plot)
    assert set(lines) == {"at first", *(f"group {i}" for i in range(4))}
    assert_drawn(lines["at first"], fresh, 0, 4)
    for group in range(4):
        assert_drawn(lines[f"group {group}"], module, group, 4)
    assert numpy.ptp([lines["group 0"], lines["group 1"]], axis=0).max() > 1e-3, "the groups cannot be told apart"


@pytest.mark.parametrize("kept", [copy.deepcopy, lambda module: copy.deepcopy(module.state_dict())])
def test_before_and_after(panels, kept):
    module = shaken(KAT_Group(2, "swish"), 1)
    copied, before = copy.deepcopy(module), kept(module)
    (_, lines), = panels(lambda: shaken(module, 2).plot(before=before))
    assert next(iter(lines)) == "before" and len(lines) == 4
    assert_drawn(lines["before"], copied, 0, 2)
    assert_drawn(list(lines.values())[1], copied, 1, 2)
    assert_drawn(lines["group 1"], module, 1, 2)


def test_all_layers_of_a_model(panels, tmp_path):
    model = nn.Sequential(nn.Linear(8, 8), KAT_Group(2), nn.ReLU(), nn.Sequential(Rational(9), nn.Linear(8, 8)))
    before = copy.deepcopy(model)
    found = panels(lambda: plot(shaken(model), before))
    assert [title for title, _ in found] == ["1", "3.0, 9 groups from dark to light"]
    assert len(found[1][1]) == 10
    drawing = functions.Drawing("<svg/>")
    drawing.save(str(tmp_path / "functions.svg"))
    assert (tmp_path / "functions.svg").read_text() == drawing.svg


def test_the_callers_matplotlib_is_left_alone():
    settings, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    Rational(2).plot()
    assert dict(matplotlib.rcParams) == settings and matplotlib.get_backend() == backend
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


@pytest.mark.parametrize("call, text", [
    (lambda: plot(nn.Linear(2, 2)), "model is a Linear without learned activations; expected one of grkan.torch's"),
    (lambda: plot([1]), "model is a list; expected a torch.nn.Module"),
    (lambda: Rational(2).plot(interval=(3, -3)), "interval is (3, -3); expected (low, high), numbers with low < high"),
    (lambda: Rational(2).plot(interval=3), "interval is 3; expected (low, high)"),
    (lambda: Rational(2).plot(before={}), "before has no numerator; expected a module or a state dict"),
    (lambda: Rational(2).plot(before=KAT_Group(2)), "before has no numerator; expected a module or a state dict"),
])
def test_what_cannot_be_drawn(call, text):
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)


def test_without_matplotlib(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("grkan.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(grkan.UnsupportedError, match=r"a drawing needs matplotlib: pip install 'grkan\[report\]'"):
        Rational(2).plot()
