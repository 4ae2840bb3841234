# SPDX-License-Identifier: Apache-2.0
"""What Inductor writes for calls of operators."""

import sys

import pytest
import torch
from grkan.torch import GroupRationalMlp, KAT_Group, NormRational, _inductor, _native
from grkan.torch._kat import FusedGroupRationalMlp

pytestmark = pytest.mark.skipif(_native.library is None, reason="operators in C are not there")


@pytest.fixture
def written():
    """A function's result under torch.compile, and the programs that Inductor has written."""
    from torch._inductor.utils import run_and_get_code

    torch._dynamo.reset()
    with torch._inductor.config.patch(force_disable_caches=True):
        yield run_and_get_code


def chain():
    torch.manual_seed(0)
    return torch.nn.Sequential(KAT_Group(), torch.nn.Linear(64, 64), KAT_Group())


def test_programs_call_functions_of_c(written):
    model, x = chain(), torch.randn(3, 64)

    def step():
        model.zero_grad()
        y = compiled(x)
        y.square().sum().backward()
        return y

    compiled = torch.compile(model)
    y, programs = written(step)
    text = "\n".join(programs)
    # Nobody wants the gradient of x itself.
    calls = {"rational_forward_into": 2, "rational_backward": 1, "prologue_rational_backward": 1}
    assert {name: text.count(f" grkan_{name}(") for name in calls} == calls
    assert ".default(" not in text
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    expected = model(x)
    expected.square().sum().backward()
    torch.testing.assert_close(y, expected)
    for own, p in zip(found, model.parameters()):
        torch.testing.assert_close(own, p.grad)


def test_results_lie_in_memory_that_inductor_plans(written):
    model = torch.nn.Sequential(*chain(), torch.nn.Linear(64, 64), KAT_Group())
    x = torch.randn(3, 64)
    with torch.no_grad():
        y, programs = written(torch.compile(model), x)
        text = "\n".join(programs)
        assert text.count("grkan_rational_forward_into(") == 3 and text.count("= empty_strided_cpu(") == 2
        assert torch.equal(y, model(x))


def test_norms_too(written):
    model = torch.nn.Sequential(NormRational(torch.nn.LayerNorm(64), KAT_Group()), torch.nn.Linear(64, 64))
    x = torch.randn(3, 64)
    with torch.no_grad():
        y, programs = written(torch.compile(model), x)
        assert "grkan_prologue_rational_forward_into(" in "\n".join(programs)
        assert torch.equal(y, model(x))


class Mlp(torch.nn.Module):
    """GR-KAN's under autocast."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.mlp = GroupRationalMlp(torch.nn.Linear(64, 128), torch.nn.Linear(128, 64))

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.mlp(x)


@pytest.mark.parametrize("training", [False, True])
def test_a_rational_takes_the_bias_of_the_linear_layer_before(written, training):
    model, x = Mlp(), torch.randn(5, 7, 64)
    with torch.no_grad():
        model.mlp.fc1.bias.normal_()

    def step(function):
        model.zero_grad()
        with torch.set_grad_enabled(training):
            y = function(x)
            if training:
                y.square().sum().backward()
        return [y, *(p.grad.clone() for p in model.parameters() if training)]

    compiled = torch.compile(model)
    found, programs = written(lambda: step(compiled))
    text = "\n".join(programs)
    assert text.count(" grkan_prologue_rational_forward_into(") == 1
    assert text.count(" grkan_rational_forward_into(") == 1
    # Between linear layers it sees rows of channels, as they do: no tensor is made for another shape, nor for a table
    # that there is not (in training one is, since x has no gradient).
    (call,) = (line for line in text.splitlines() if " grkan_prologue_rational_forward_into(" in line)
    assert "reinterpret_tensor" not in call
    assert training or "empty_strided_cpu((0, )" not in text
    expected = step(model)
    for own, other in zip(found, expected, strict=True):
        assert own.dtype is other.dtype
        torch.testing.assert_close(own.float(), other.float(), rtol=0.03, atol=0.03 * float(other.abs().max()))


def biased_layers(model, x):
    """How many linear layers of what TorchDynamo traces are given a bias."""
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    y = torch.compile(model, backend=keep)(x)
    torch.testing.assert_close(y, model(x), rtol=0.03, atol=0.03)
    nodes = [node for graph in graphs[0].modules() if isinstance(graph, torch.fx.GraphModule)
             for node in graph.graph.nodes]
    return sum(len(node.args) > 2 and node.args[2] is not None for node in nodes
               if node.target is torch.nn.functional.linear)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_a_bias_that_autocast_would_cast_is_added_behind(fused, training):
    model, x = Mlp(), torch.randn(5, 7, 64)
    if fused:
        model.mlp = FusedGroupRationalMlp(model.mlp.fc1, model.mlp.fc2)
    torch.nn.init.normal_(model.mlp.fc2.bias)
    with torch.set_grad_enabled(training):
        assert biased_layers(model, x) == 0
        if not fused:
            assert biased_layers(model.mlp, x) == 1  # of the second, whose type nobody changes
        handle = model.mlp.fc2.register_forward_hook(lambda module, inputs, y: y + 1)
        assert biased_layers(model, x) == 1
        handle.remove()


def test_it_takes_no_bias_past_hooks_and_other_types(written):
    def add_one(module, inputs, y):
        return y + 1

    for change in (lambda mlp: mlp.fc1.register_forward_hook(add_one),
                   lambda mlp: mlp.act2.register_forward_hook(add_one),
                   lambda mlp: mlp.fc1.to(torch.bfloat16)):  # whose bias the rational would have to cast
        model, x = Mlp(), torch.randn(3, 64)
        change(model.mlp)
        torch._dynamo.reset()
        with torch.no_grad():
            y, programs = written(torch.compile(model), x)
            assert "prologue" not in "\n".join(programs)
            torch.testing.assert_close(y, model(x), rtol=0.02, atol=0.02)


def test_in_programs_within_programs(written):
    inner = chain()

    def model(x):
        return torch.cond(x.sum() > 0, inner, torch.relu, (x,))

    with torch.no_grad():
        for x in (torch.ones(3, 64), -torch.ones(3, 64)):
            y, _ = written(torch.compile(model), x)
            torch.testing.assert_close(y, model(x))


def test_sizes_that_change(written):
    model = chain()
    compiled = torch.compile(model, dynamic=True)
    with torch.no_grad():
        for rows in (3, 7, 1, 0):
            x = torch.randn(rows, 64)
            torch.testing.assert_close(compiled(x), model(x))


def test_in_programs_of_cpp_a_call_is_as_inductor_has_it(written):
    model, x = chain(), torch.randn(3, 64)
    with torch._inductor.config.patch(cpp_wrapper=True), torch.no_grad():
        y, programs = written(torch.compile(model), x)
        assert "grkan_rational_forward" not in "\n".join(programs)
        torch.testing.assert_close(y, model(x))


def test_names_that_programs_import():
    assert _inductor.rational_forward is _inductor.function_of("rational_forward")
    y, x, module = torch.empty(3, 64), torch.randn(3, 64), KAT_Group()
    for t in (x, torch._neg_view(x)):  # the second is left to the dispatcher
        _inductor.rational_forward_into(y, t, *module.parameters(), 0, -1)
        assert torch.equal(y, module(t))
    with pytest.raises(AttributeError):
        _ = _inductor.no_such_operator
    with pytest.raises(AttributeError):
        _ = _inductor._private


@pytest.mark.parametrize("name", ["make_fallback", "lowerings", "tag_to_layout_constraint"])
def test_another_inductor_is_left_as_it_is(monkeypatch, name):
    from torch._inductor import lowering

    operator, lowerings = torch.ops.grkan.rational.default, lowering.lowerings
    monkeypatch.delitem(lowerings, operator, raising=False)  # an earlier test may have met it
    kept = dict(lowerings)
    monkeypatch.delattr(lowering, name)
    _inductor._register.__wrapped__((operator,))
    assert lowerings == kept


def test_inductor_is_not_loaded_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.lowering", None)
    monkeypatch.delitem(sys.modules, "torch._inductor.lowering")
    _inductor.prepare((torch.ops.grkan.rational.default,))
    assert "torch._inductor.lowering" not in sys.modules
