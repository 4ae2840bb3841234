# SPDX-License-Identifier: Apache-2.0
"""The operators of the rational function with a prologue (PyTorch 2.4 and later), as _operators has those without.

    grkan::prologue_rational            what programs contain; it has derivatives
    grkan::prologue_rational_forward    what it computes below autograd
    grkan::norm_rational_forward        the same of a norm, with what backward needs of the rows
    grkan::prologue_rational_backward   its gradients, those that are wanted, and y again

A tensor that there is not, or that is not wanted, is an empty one.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from .._names import PROLOGUES
from . import _native
from ._formula import formula_of_prologue, formula_with_statistics
from ._kernels import (OUTPUT_DTYPES, WANTS_Y, Prologue, check_gradient, check_known_sizes, run_norm_forward,
                       run_prologue_backward, run_prologue_forward, table_dtype)
from ._operators import Row, operator_of, prepare_sharding, register
from ._paths import needs_formula
from ._prologue_function import Kernels
from ._sharding import norm_forward_rule, prologue_backward_rule, prologue_forward_rule

# ---------------------------------------------------------------------------------------------------- fake kernels


def _check(x: torch.Tensor, *arguments: Any) -> Prologue:
    """What kernels refuse, of forward's arguments."""
    *tables, form, channel_dim, kind, epsilon, output = arguments
    p = Prologue(kind, epsilon, output)
    check_known_sizes(x, tables, form, channel_dim, p)
    return p


def _like(x: torch.Tensor, p: Prologue, dtype: torch.dtype | None) -> torch.Tensor:
    """A result that lies as x does; a norm's is contiguous."""
    options = {"memory_format": torch.contiguous_format} if p.is_norm else {}
    return torch.empty_like(x, dtype=dtype, **options)


def _empty(x: torch.Tensor, *shape: int) -> torch.Tensor:
    return x.new_empty(shape, dtype=table_dtype(x))


def _fake_forward(x, *arguments):
    p = _check(x, *arguments)
    return _like(x, p, OUTPUT_DTYPES[p.output])


def _fake_norm_forward(x, *arguments):
    y, rstd = _fake_forward(x, *arguments), _empty(x, *x.shape[:-1])
    return y, torch.empty_like(rstd) if PROLOGUES[arguments[6]] == "layer_norm" else _empty(x, 0), rstd


def _fake_backward(dy, x, *arguments):
    *tables, _, _, form, channel_dim, kind, epsilon, wanted = arguments
    check_gradient(dy, x, tables[:2], has_other_type=True)
    p = _check(x, *tables, form, channel_dim, kind, epsilon, 0)
    gradients = [_like(x, p, None), *(torch.empty_like(t, memory_format=torch.contiguous_format) for t in tables)]
    y = _like(x, p, dy.dtype) if wanted & WANTS_Y else _empty(x, 0)
    return *(g if wanted >> k & 1 else _empty(x, 0) for k, g in enumerate(gradients)), y


# ------------------------------------------------------------------------------------------------------ derivatives


def _differentiable(x, *arguments):
    prepare_sharding()
    if needs_formula():
        _check(x, *arguments)
        return formula_of_prologue(x, *arguments)
    try:
        if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *arguments[:4])):
            return kernels.function.apply(x, *arguments)
        return kernels.forward(x, *arguments)
    except RuntimeError as error:
        _check(x, *arguments)
        raise _native.as_grkan_raises(error) from None


def _vmap(info, in_dims, *arguments):
    tensors, (form, channel_dim, *numbers) = arguments[:5], arguments[5:]
    dims = in_dims[:5]
    if all(dim is None for dim in dims[1:]):
        x, *tables = tensors
        channel_dim = channel_dim + 1 if channel_dim >= 0 else channel_dim
        return operator(x.movedim(dims[0], 0), *tables, form, channel_dim, *numbers), 0
    each = [[t] * info.batch_size if dim is None else t.unbind(dim) for t, dim in zip(tensors, dims)]
    return torch.stack([operator(*parts, form, channel_dim, *numbers) for parts in zip(*each)]), 0


# -------------------------------------------------------------------------------------------------------- the table

_run_backward = functools.partial(run_prologue_backward, keep_workspace=False)  # as in _operators
_TABLES = "Tensor numerator, Tensor denominator, Tensor first, Tensor second"
_PROLOGUE = "int form, int channel_dim, int prologue, float epsilon"
_INPUTS = f"Tensor x, {_TABLES}, {_PROLOGUE}, int output"

PROLOGUE_ROWS = (
    Row("prologue_rational", f"({_INPUTS}) -> Tensor", run_prologue_forward, _fake_forward, _differentiable, _vmap,
        formula_of_prologue, prologue_forward_rule),
    Row("prologue_rational_forward", f"({_INPUTS}) -> Tensor", run_prologue_forward, _fake_forward,
        decomposition=formula_of_prologue, sharding=prologue_forward_rule),
    Row("norm_rational_forward", f"({_INPUTS}) -> (Tensor, Tensor, Tensor)", run_norm_forward, _fake_norm_forward,
        decomposition=formula_with_statistics, sharding=norm_forward_rule),
    Row("prologue_rational_backward",
        f"(Tensor dy, Tensor x, {_TABLES}, Tensor mean, Tensor rstd, {_PROLOGUE}, int wanted) -> "
        "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)", _run_backward, _fake_backward,
        sharding=prologue_backward_rule),
)

for _row in PROLOGUE_ROWS:
    register(_row)

operator = operator_of(PROLOGUE_ROWS[0])
kernels = Kernels(*map(operator_of, PROLOGUE_ROWS[1:]))
direct_kernels = kernels
if _native.library is not None:  # eager calls pass by the dispatcher, as _autograd has it
    _forward, _norm_forward, _backward = (
        _native.direct(row.name, getattr(operator_of(row), "_op", operator_of(row))) for row in PROLOGUE_ROWS[1:])
    direct_kernels = Kernels(_forward, _norm_forward, _backward, operators=kernels)
