# SPDX-License-Identifier: Apache-2.0
"""The kernels as operators grkan::rational and grkan::rational_backward, for torch.compile (PyTorch 2.4 and later)."""

from __future__ import annotations

import torch
from torch.library import Library, register_autograd, register_fake  # ImportError before 2.4

from .._errors import InvalidArgumentError
from ._kernels import coefficient_dtype, dense, like, plan_of, run_backward, run_forward

_library = Library("grkan", "DEF")  # the operators live as long as this object
_library.define("rational(Tensor x, Tensor numerator, Tensor denominator, str form, int channel_dim) -> Tensor",
                tags=(torch.Tag.pt2_compliant_tag,))
_library.define("rational_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, str form, "
                "int channel_dim) -> (Tensor, Tensor, Tensor)", tags=(torch.Tag.pt2_compliant_tag,))

operator = torch.ops.grkan.rational.default


def _prepare(x, numerator, denominator, form, channel_dim):
    """x without gaps, and its plan. rational() sees to the coefficients; who calls the operator may not have."""
    wanted = coefficient_dtype(x)
    for name, t in (("numerator", numerator), ("denominator", denominator)):
        if t.dtype is not wanted or not t.is_contiguous():
            raise InvalidArgumentError(f"{name} has dtype {t.dtype} and strides {t.stride()}; expected {wanted}, "
                                       "contiguous")
    x = dense(x)
    return x, plan_of(x, numerator, denominator, form, channel_dim)


def _forward(x, numerator, denominator, form, channel_dim):
    x, plan = _prepare(x, numerator, denominator, form, channel_dim)
    return run_forward(plan, x, numerator, denominator)


def _backward(dy, x, numerator, denominator, form, channel_dim):
    x, plan = _prepare(x, numerator, denominator, form, channel_dim)
    # torch.compile's CUDA graphs must know of all memory that outlives a call, so the workspace does not.
    return run_backward(plan, x, like(dy, x), numerator, denominator, keep_workspace=False)


for _key in ("CPU", "CUDA"):  # ROCm's key is CUDA too
    _library.impl("rational", _forward, _key)
    _library.impl("rational_backward", _backward, _key)


@register_fake("grkan::rational", lib=_library)
def _fake_forward(x, numerator, denominator, form, channel_dim):
    return torch.empty_like(x)


@register_fake("grkan::rational_backward", lib=_library)
def _fake_backward(dy, x, numerator, denominator, form, channel_dim):
    return torch.empty_like(x), torch.empty_like(numerator), torch.empty_like(denominator)


def _setup_context(ctx, inputs, output):
    x, numerator, denominator, ctx.form, ctx.channel_dim = inputs
    ctx.save_for_backward(x, numerator, denominator)


def _gradients(ctx, dy):
    if torch.is_grad_enabled():
        from ._autograd import differentiable_gradients
        return *differentiable_gradients(ctx, dy, ctx.form, ctx.channel_dim), None, None
    return *torch.ops.grkan.rational_backward.default(dy, *ctx.saved_tensors, ctx.form, ctx.channel_dim), None, None


register_autograd("grkan::rational", _gradients, setup_context=_setup_context, lib=_library)
