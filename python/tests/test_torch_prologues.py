# SPDX-License-Identifier: Apache-2.0
"""rational() with a bias and with another type for its result, and norm_rational(): against PyTorch's modules and the
formula without prologues, and against the formulas with them."""

import pytest

torch = pytest.importorskip("torch")

from conftest import FORMS, coefficients

import grkan
from grkan.torch import formula, norm_formula, norm_rational, rational

torch.manual_seed(0)
A, B = (torch.from_numpy(c) for c in coefficients())
X, DY = torch.randn(2, 4, 3, 16, dtype=torch.float64)
SCALE, SHIFT = torch.randn(2, 16, dtype=torch.float64)
NORMS = ("layer_norm", "rms_norm")
TABLES = [(SCALE, SHIFT), (SCALE, None), (None, SHIFT), (None, None)]


def composed(x, scale, shift, a, b, form="abs_terms", norm="layer_norm", eps=1e-5):
    """A norm as PyTorch has it, or as its authors define it; then the rational."""
    if norm == "layer_norm":
        z = torch.nn.functional.layer_norm(x, x.shape[-1:], scale, shift, eps)
    else:
        z = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
        z = z * (1 if scale is None else scale) + (0 if shift is None else shift)
    return formula(z, a, b, form)


def leaves(*tensors):
    return [None if t is None else t.clone().requires_grad_() for t in tensors]


def gradients(y, dy, *inputs):
    return torch.autograd.grad(y, [t for t in inputs if t is not None], dy)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale, shift", TABLES, ids=["both", "scale", "shift", "none"])
@pytest.mark.parametrize("form", FORMS)
def test_norm_formula(form, scale, shift, norm):
    inputs = leaves(X, scale, shift, A, B)
    found, wanted = norm_formula(*inputs, form, norm=norm), composed(*inputs, form, norm)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, DY, *inputs), gradients(wanted, DY, *inputs))


@pytest.mark.parametrize("shape, channel_dim", [((3, 16), -1), ((2, 16, 5), 1), ((16,), 0)])
def test_formula_with_bias(shape, channel_dim):
    x = torch.randn(shape, dtype=torch.float64)
    bias = SHIFT.reshape(-1, *[1] * (len(shape) - 1 - channel_dim % len(shape)))
    found = formula(x, A, B, "square", channel_dim, bias=SHIFT)
    assert torch.equal(found, formula(x + bias, A, B, "square", channel_dim))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("out_dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_types_apart(dtype, out_dtype):
    """y and dy in another type than x and dx: rounded once, from what is computed in f32."""
    dy, (x, a, b) = DY.to(out_dtype), leaves(X.to(dtype), A.float(), B.float())
    wide = x.detach().float().requires_grad_()
    y, expected = rational(x, a, b, out_dtype=out_dtype), rational(wide, a, b)
    assert y.dtype is out_dtype and torch.equal(y, expected.to(out_dtype))
    dx, *others = gradients(y, dy, x, a, b)
    wanted, *wanted_others = gradients(expected, dy.float(), wide, a, b)
    assert dx.dtype is dtype and torch.equal(dx, wanted.to(dtype))
    torch.testing.assert_close(others, wanted_others)


def bias(t):
    return lambda: rational(X, A, B, bias=t)


def norm(x=X, scale=SCALE, shift=SHIFT, **options):
    return lambda: norm_rational(x, scale, shift, A, B, **options)


@pytest.mark.parametrize("call, text", [
    (bias(SHIFT[:5]), r"bias has (another )?shape.*expected"),
    (bias(SHIFT[None]), r"bias has (another )?shape.*expected"),
    (bias([1.0]), "bias is a list; expected a torch.Tensor"),
    (norm(scale=SCALE[:5]), r"scale has (another )?shape.*expected"),
    (norm(shift=SHIFT.to("meta")), "shift lies on meta; expected cpu, as x"),
    (norm(norm="batch_norm"), "norm is 'batch_norm'; expected one of layer_norm, rms_norm"),
    (norm(out_dtype=torch.float32), "out_dtype is torch.float32 for an x of torch.float64; expected float64"),
    (norm(out_dtype=torch.int8), "out_dtype is torch.int8; expected float32, float16, bfloat16 or float64"),
])
def test_refusals(call, text):
    with pytest.raises(grkan.InvalidArgumentError, match=text):
        call()
