# SPDX-License-Identifier: Apache-2.0
"""What Inductor writes for calls of operators."""

import sys

import pytest
import torch
from grkan.torch import KAT_Group, _inductor, _native

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
    for name in ("rational_forward", "rational_backward"):
        assert text.count(f" grkan_{name}(") == 2 and f"torch.ops.grkan.{name}.default(" not in text
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    expected = model(x)
    expected.square().sum().backward()
    torch.testing.assert_close(y, expected)
    for own, p in zip(found, model.parameters()):
        torch.testing.assert_close(own, p.grad)


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
        assert "grkan_rational_forward(" not in "\n".join(programs)
        torch.testing.assert_close(y, model(x))


def test_names_that_programs_import():
    assert _inductor.rational_forward is _inductor.function_of("rational_forward")
    with pytest.raises(AttributeError):
        _ = _inductor.no_such_operator
    with pytest.raises(AttributeError):
        _ = _inductor._private


@pytest.mark.parametrize("name", ["make_fallback", "lowerings", "tag_to_layout_constraint"])
def test_another_inductor_is_left_as_it_is(monkeypatch, name):
    from torch._inductor import lowering

    kept = dict(lowering.lowerings)
    monkeypatch.delattr(lowering, name)
    _inductor._register.__wrapped__((torch.ops.grkan.rational.default,))
    monkeypatch.undo()
    assert lowering.lowerings == kept


def test_inductor_is_not_loaded_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._inductor.lowering", None)
    monkeypatch.delitem(sys.modules, "torch._inductor.lowering")
    _inductor.prepare((torch.ops.grkan.rational.default,))
    assert "torch._inductor.lowering" not in sys.modules
