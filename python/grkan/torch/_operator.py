# SPDX-License-Identifier: Apache-2.0
"""The kernels as operators grkan::rational and grkan::rational_backward, for torch.compile (PyTorch 2.4 and later)."""

from __future__ import annotations

import torch
from torch._decomp import register_decomposition
from torch.library import Library, register_autograd, register_fake  # ImportError before 2.4

from ._formula import formula
from ._kernels import check_gradient, check_tensors, run_backward, run_forward

_library = Library("grkan", "DEF")  # the operators live as long as this object
_library.define("rational(Tensor x, Tensor numerator, Tensor denominator, str form, int channel_dim) -> Tensor",
                tags=(torch.Tag.pt2_compliant_tag,))
_library.define("rational_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, str form, "
                "int channel_dim) -> (Tensor, Tensor, Tensor)", tags=(torch.Tag.pt2_compliant_tag,))

operator = torch.ops.grkan.rational.default
backward_operator = torch.ops.grkan.rational_backward.default


def _forward(x, numerator, denominator, form, channel_dim):
    return run_forward(x, numerator.contiguous(), denominator.contiguous(), form, channel_dim)


def _backward(dy, x, numerator, denominator, form, channel_dim):
    # torch.compile's CUDA graphs must know of all memory that outlives a call, so the workspace does not.
    return run_backward(dy, x, numerator.contiguous(), denominator.contiguous(), form, channel_dim,
                        keep_workspace=False)


for _key in ("CPU", "CUDA"):  # ROCm's key is CUDA too
    _library.impl("rational", _forward, _key)
    _library.impl("rational_backward", _backward, _key)


@register_fake("grkan::rational", lib=_library)
def _fake_forward(x, numerator, denominator, form, channel_dim):
    check_tensors(x, numerator, denominator, form, channel_dim)
    return torch.empty_like(x)


@register_fake("grkan::rational_backward", lib=_library)
def _fake_backward(dy, x, numerator, denominator, form, channel_dim):
    check_gradient(dy, x, numerator, denominator)
    check_tensors(x, numerator, denominator, form, channel_dim)
    return (torch.empty_like(x), *(torch.empty_like(t, memory_format=torch.contiguous_format)
                                   for t in (numerator, denominator)))


# What ONNX's exporter, and others that know no kernels, put in the operator's place.
register_decomposition(operator)(formula)

if hasattr(torch.library, "register_vmap"):  # PyTorch 2.5 and later; before, vmap warns and loops
    def _vmap(info, in_dims, x, numerator, denominator, form, channel_dim):
        if in_dims[1] is None and in_dims[2] is None:
            return operator(x.movedim(in_dims[0], 0), numerator, denominator, form,
                            channel_dim + 1 if channel_dim >= 0 else channel_dim), 0
        each = [[t] * info.batch_size if dim is None else t.unbind(dim)
                for t, dim in zip((x, numerator, denominator), in_dims)]
        return torch.stack([operator(*tensors, form, channel_dim) for tensors in zip(*each)]), 0

    torch.library.register_vmap("grkan::rational", _vmap, lib=_library)


def _setup_context(ctx, inputs, output):
    x, numerator, denominator, ctx.form, ctx.channel_dim = inputs
    ctx.save_for_backward(x, numerator, denominator)


def set_gradients(gradients):
    """Have the operator differentiated by gradients(ctx, dy, form, channel_dim)."""
    def backward(ctx, dy):
        return *gradients(ctx, dy, ctx.form, ctx.channel_dim), None, None

    register_autograd("grkan::rational", backward, setup_context=_setup_context, lib=_library)
