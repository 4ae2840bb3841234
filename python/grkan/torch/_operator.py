# SPDX-License-Identifier: Apache-2.0
"""The kernels as operators grkan::rational and grkan::rational_backward, for torch.compile (PyTorch 2.4 and later)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch._decomp import register_decomposition
from torch.library import Library, register_autograd, register_fake  # ImportError before 2.4

from .._names import Form
from ._formula import formula, gradients_of_formula
from ._kernels import check_gradient, check_tensors, run_backward, run_forward
from ._paths import needs_formula

_library = Library("grkan", "DEF")  # the operators live as long as this object
_library.define("rational(Tensor x, Tensor numerator, Tensor denominator, str form, int channel_dim) -> Tensor",
                tags=(torch.Tag.pt2_compliant_tag,))
_library.define("rational_backward(Tensor dy, Tensor x, Tensor numerator, Tensor denominator, str form, "
                "int channel_dim) -> (Tensor, Tensor, Tensor)", tags=(torch.Tag.pt2_compliant_tag,))

operator = torch.ops.grkan.rational.default
_backward_operator = torch.ops.grkan.rational_backward.default


def _forward(x, *arguments):
    *tables, form, channel_dim = arguments
    return run_forward(x, list(map(torch.Tensor.contiguous, tables)), form, channel_dim)


def _backward(dy, x, *arguments):
    *tables, form, channel_dim = arguments
    # torch.compile's CUDA graphs must know of all memory that outlives a call, so the workspace does not.
    return run_backward(dy, x, list(map(torch.Tensor.contiguous, tables)), form, channel_dim, keep_workspace=False)


for _key in ("CPU", "CUDA"):  # ROCm's key is CUDA too
    _library.impl("rational", _forward, _key)
    _library.impl("rational_backward", _backward, _key)


@register_fake("grkan::rational", lib=_library)
def _fake_forward(x, *arguments):
    *tables, form, channel_dim = arguments
    check_tensors(x, tables, form, channel_dim)
    return torch.empty_like(x)


@register_fake("grkan::rational_backward", lib=_library)
def _fake_backward(dy, x, *arguments):
    *tables, form, channel_dim = arguments
    check_gradient(dy, x, tables)
    check_tensors(x, tables, form, channel_dim)
    return (torch.empty_like(x), *(torch.empty_like(t, memory_format=torch.contiguous_format) for t in tables))


# What ONNX's exporter, and others that know no kernels, put in the operator's place.
register_decomposition(operator)(formula)

if hasattr(torch.library, "register_vmap"):  # PyTorch 2.5 and later; before, vmap warns and loops
    def _vmap(info, in_dims, *arguments):
        *tensors, form, channel_dim = arguments
        dims = in_dims[:len(tensors)]
        if all(dim is None for dim in dims[1:]):
            x, *tables = tensors
            return operator(x.movedim(dims[0], 0), *tables, form,
                            channel_dim + 1 if channel_dim >= 0 else channel_dim), 0
        each = [[t] * info.batch_size if dim is None else t.unbind(dim) for t, dim in zip(tensors, dims)]
        return torch.stack([operator(*parts, form, channel_dim) for parts in zip(*each)]), 0

    torch.library.register_vmap("grkan::rational", _vmap, lib=_library)


def gradients_by_dispatcher(dy: torch.Tensor, inputs: Sequence[torch.Tensor], wanted: Sequence[bool], form: Form,
                            channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """The gradients of inputs (x and its tables) that are not plain, and those that have derivatives themselves."""
    if torch.is_grad_enabled() or needs_formula():
        return gradients_of_formula(dy, inputs, wanted, form, channel_dim)
    x, *tables = inputs
    return _backward_operator(dy, x, *map(torch.Tensor.contiguous, tables), form, channel_dim)


def _setup_context(ctx, inputs, output):
    *tensors, form, channel_dim = inputs
    ctx.save_for_backward(*tensors)
    ctx.names = form, channel_dim


def _differentiate(ctx, dy):
    x, *tables = saved = ctx.saved_tensors
    check_gradient(dy, x, tables)
    return *gradients_by_dispatcher(dy, saved, ctx.needs_input_grad[:len(saved)], *ctx.names), None, None


register_autograd("grkan::rational", _differentiate, setup_context=_setup_context, lib=_library)
