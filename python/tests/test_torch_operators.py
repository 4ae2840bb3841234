# SPDX-License-Identifier: Apache-2.0
"""The table of operators, and those in C: who has the kernels, what their refusals become (PyTorch 2.4 and later)."""

import os

import pytest

torch = pytest.importorskip("torch")
if not hasattr(torch.library, "register_autograd"):
    pytest.skip("operators need PyTorch 2.4 or later", allow_module_level=True)

from conftest import coefficients, run_python

import grkan
from grkan.torch import _autograd, _kernels, _native, _operators, _prologue_operators, rational

VERSION = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
IN_C = VERSION >= (2, 9) and os.environ.get(_native.OPERATORS_VARIABLE) != "python"
A, B = (torch.from_numpy(c).float() for c in coefficients())
X = torch.randn(5, 16)


def test_who_has_the_kernels():
    """The whole suite runs over either, and this says over which."""
    assert (_native.library is not None) == IN_C
    assert (_autograd.forward_kernel is not _kernels.run_forward) == _autograd.HAS_C == IN_C


@pytest.mark.parametrize("row", _operators.ROWS + _prologue_operators.PROLOGUE_ROWS, ids=lambda row: row.name)
def test_schemas(row):
    """Exported programs hold them: they are the same, whoever has the kernels."""
    operator = getattr(torch.ops.grkan, row.name).default
    assert str(operator._schema) == f"grkan::{row.name}{row.schema}"
    if VERSION >= (2, 12) or not IN_C:
        assert torch.Tag.pt2_compliant_tag in operator.tags


def test_both_ways_have_the_same_bits():
    forward, backward = _operators.ROWS[1].kernel, _operators.ROWS[2].kernel
    inputs = X, A, B, 0, -1
    assert torch.equal(torch.ops.grkan.rational_forward(*inputs), forward(*inputs))
    found = torch.ops.grkan.rational_backward(X.cos(), *inputs)
    assert all(torch.equal(f, e) for f, e in zip(found, backward(X.cos(), *inputs)))


@pytest.mark.skipif(not IN_C, reason="the kernels are Python's")
@pytest.mark.parametrize("arguments, text", [
    ((X, A, B, 0, 2), "channel_dim is 2; expected a dimension of x, which has 2"),
    ((X, A, B, 5, -1), "operation.rational.form is 5; expected a grkan_form"),
    ((X.int(), A, B, 0, -1), "x has a dtype .* that no kernel takes; expected float32, float16, bfloat16 or float64"),
    ((X, A.double(), B, 0, -1), "numerator has another dtype than goes with x; expected float32"),
])
def test_refusals_in_c(arguments, text):
    with pytest.raises(RuntimeError, match=text + r" \[GRKAN_ERROR_INVALID_ARGUMENT\]") as caught:
        torch.ops.grkan.rational_forward(*arguments)
    translated = _native.as_grkan_raises(caught.value)
    assert type(translated) is grkan.InvalidArgumentError and "[" not in str(translated)


def test_other_exceptions_are_left_as_they_are():
    error = RuntimeError("another [GRKAN_ERROR] text")
    assert _native.as_grkan_raises(error) is error


@pytest.mark.skipif(not IN_C, reason="the kernels are Python's")
def test_determinism_reaches_c():
    x, dy = torch.randn(2, 4000, 24)
    inputs = dy, x, torch.rand(1, 6), torch.rand(8, 4), 0, -1

    def bits(level):
        grkan.torch.set_determinism(level)
        try:
            return [torch.ops.grkan.rational_backward(*inputs), _operators.ROWS[2].kernel(*inputs)]
        finally:
            grkan.torch.set_determinism("run_to_run")

    for level in ("device_to_device", "run_to_run"):
        found, expected = bits(level)
        assert all(torch.equal(f, e) for f, e in zip(found, expected))
    assert not torch.equal(bits("device_to_device")[0][1], bits("run_to_run")[0][1])


def test_without_the_library(tmp_path):
    """The library alone, as an older installation has it: operators are Python's then."""
    alone = tmp_path / "libgrkan.so"
    alone.symlink_to(os.environ["GRKAN_LIBRARY"])
    script = ("import torch; from grkan.torch import _native, KAT_Group; assert _native.library is None; "
              "print(torch.ops.grkan.rational(torch.ones(2, 8), torch.ones(1, 6), torch.ones(8, 4), 0, -1).shape)")
    found = run_python("-c", script, GRKAN_LIBRARY=str(alone))
    assert found.stdout == "torch.Size([2, 8])\n", found.stderr


def test_inference_makes_no_node():
    x = X.clone().requires_grad_()
    assert rational(x, A, B).requires_grad and not rational(X, A, B).requires_grad
    with torch.no_grad():
        assert not rational(x, A, B).requires_grad
    with torch.inference_mode():
        assert rational(X, A, B).is_inference()


def test_derivatives_of_the_operator():
    """Whatever PyTorch asks of it: by the kernels, or by the formula where there are none for that."""
    from grkan.torch import formula
    x, a, b = X.double(), A.double(), B.double()

    def operator(t):
        return torch.ops.grkan.rational(t, a, b, 2, -1)

    def expected(t):
        return formula(t, a, b, "abs_sum_offset")

    v = x.cos()
    for found, wanted in ((f(operator), f(expected)) for f in (
            lambda f: torch.func.jvp(f, (x,), (v,))[1], lambda f: torch.func.vjp(f, x)[1](v)[0],
            lambda f: torch.func.grad(lambda t: f(t).sum())(x), lambda f: torch.func.jacfwd(f)(x[0]),
            lambda f: torch.func.hessian(lambda t: f(t).sum())(x[0]), lambda f: torch.func.linearize(f, x)[1](v),
            lambda f: torch.func.vmap(f)(x))):
        torch.testing.assert_close(found, wanted)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, v)
        found, wanted = (torch.autograd.forward_ad.unpack_dual(f(dual)).tangent for f in (operator, expected))
    torch.testing.assert_close(found, wanted)
