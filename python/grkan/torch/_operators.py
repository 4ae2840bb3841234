# SPDX-License-Identifier: Apache-2.0
"""The operators that PyTorch's dispatcher has of grkan (PyTorch 2.4 and later): a table with a row for each.

    grkan::rational             what programs contain; it has derivatives
    grkan::rational_forward     what it computes below autograd, which passes over it: what compiled programs call
    grkan::rational_backward    its gradients

From PyTorch 2.9 on the kernels are C (_native), so that no Python stands between them and a compiled or exported
program. All else that PyTorch wants to know of an operator is said here, whoever has the kernels. A form is a number:
its place among FORMS.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._decomp import register_decomposition
from torch.library import Library, fallthrough_kernel, register_fake  # ImportError before 2.4

from .._names import FORMS
from . import _inductor, _native
from ._formula import formula, gradients_of_formula
from ._kernels import check_gradient, check_known_sizes, run_backward, run_forward
from ._paths import needs_formula
from ._sharding import Rule, backward_rule, forward_rule, register_rules

# ---------------------------------------------------------------------------------------------------- fake kernels


def _fake_forward(x, *arguments):
    *tables, form, channel_dim = arguments
    check_known_sizes(x, tables, form, channel_dim)
    return torch.empty_like(x)


def _fake_backward(dy, x, *arguments):
    *tables, form, channel_dim = arguments
    check_gradient(dy, x, tables)
    check_known_sizes(x, tables, form, channel_dim)
    return (torch.empty_like(x), *(torch.empty_like(t, memory_format=torch.contiguous_format) for t in tables))


# ------------------------------------------------------------------------------------------------------ derivatives


class _OperatorFunction(torch.autograd.Function):
    """rational as autograd sees it, for calls by the dispatcher."""

    @staticmethod
    def forward(ctx, *inputs):
        *tensors, form, channel_dim = inputs
        ctx.save_for_backward(*tensors)
        ctx.numbers = form, channel_dim
        return forward_operator(*inputs)

    @staticmethod
    def backward(ctx, dy):
        x, *tables = saved = ctx.saved_tensors
        check_gradient(dy, x, tables)
        return *gradients_by_dispatcher(dy, saved, ctx.needs_input_grad[:-2], *ctx.numbers), None, None


def _differentiable(x, *arguments):
    *tables, form, channel_dim = arguments
    prepare_sharding()
    if needs_formula():
        check_known_sizes(x, tables, form, channel_dim)
        return _decomposed(x, *arguments)
    try:
        return _OperatorFunction.apply(x, *arguments)
    except RuntimeError as error:
        check_known_sizes(x, tables, form, channel_dim)
        raise _native.as_grkan_raises(error) from None


def gradients_by_dispatcher(dy: torch.Tensor, inputs: Sequence[torch.Tensor], wanted: Sequence[bool], form: int,
                            channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """The gradients of inputs (x and its tables) that are not plain, and those that have derivatives themselves."""
    if torch.is_grad_enabled() or needs_formula():
        return gradients_of_formula(dy, inputs, wanted, form, channel_dim)
    if all(wanted):
        return backward_operator(dy, *inputs, form, channel_dim)
    empty = inputs[1].new_empty(0)
    bits = sum(1 << k for k, is_wanted in enumerate(wanted) if is_wanted)
    found = torch.ops.grkan.prologue_rational_backward(dy, *inputs, *[empty] * 4, form, channel_dim, 0, 0.0, bits)
    return tuple(g if is_wanted else None for g, is_wanted in zip(found, wanted))


# -------------------------------------------------------------------------------------------------- others' programs


def _vmap(info, in_dims, *arguments):
    *tensors, form, channel_dim = arguments
    dims = in_dims[:len(tensors)]
    if all(dim is None for dim in dims[1:]):
        x, *tables = tensors
        return operator(x.movedim(dims[0], 0), *tables, form, channel_dim + 1 if channel_dim >= 0 else channel_dim), 0
    each = [[t] * info.batch_size if dim is None else t.unbind(dim) for t, dim in zip(tensors, dims)]
    return torch.stack([operator(*parts, form, channel_dim) for parts in zip(*each)]), 0


def _decomposed(x, numerator, denominator, form, channel_dim):
    return formula(x, numerator, denominator, FORMS[form], channel_dim)


# -------------------------------------------------------------------------------------------------------- the table


@dataclasses.dataclass(frozen=True)
class Row:
    """An operator."""

    name: str
    schema: str  # what follows the name; python/operators/operators.c has the same
    kernel: Callable[..., Any]  # for the cpu and GPUs, where C has none
    fake: Callable[..., Any]  # the results' types, shapes and strides
    differentiable: Callable[..., Any] | None = None  # for the key Autograd, which is passed over otherwise
    vmap: Callable[..., Any] | None = None
    decomposition: Callable[..., Any] | None = None  # into PyTorch's operations, for ONNX and others without kernels
    sharding: Rule | None = None  # of DTensors


# torch.compile's CUDA graphs must know of all memory that outlives a call, so the workspace does not.
_run_backward = functools.partial(run_backward, keep_workspace=False)
_INPUTS = "Tensor x, Tensor numerator, Tensor denominator, int form, int channel_dim"

ROWS = (
    Row("rational", f"({_INPUTS}) -> Tensor", run_forward, _fake_forward, _differentiable, _vmap, _decomposed,
        forward_rule),
    Row("rational_forward", f"({_INPUTS}) -> Tensor", run_forward, _fake_forward, decomposition=_decomposed,
        sharding=forward_rule),
    Row("rational_backward", f"(Tensor dy, {_INPUTS}) -> (Tensor, Tensor, Tensor)", _run_backward, _fake_backward,
        sharding=backward_rule),
)

_library = Library("grkan", "FRAGMENT")  # what is registered lives as long as this object
_sharding_rules: list[tuple[torch._ops.OpOverload, Rule]] = []


def operator_of(row: Row) -> torch._ops.OpOverload:
    return getattr(torch.ops.grkan, row.name).default


def register(row: Row) -> None:
    """Make an operator known to PyTorch."""
    name = f"grkan::{row.name}"
    if _native.library is None:
        _library.define(row.name + row.schema, tags=(torch.Tag.pt2_compliant_tag,))
        for key in ("CPU", "CUDA"):  # ROCm's key is CUDA too
            _library.impl(row.name, row.kernel, key)
    operators = (operator_of(row),)

    def fake(*arguments: Any) -> Any:
        _inductor.prepare(operators)  # which traces with fake tensors first
        return row.fake(*arguments)

    register_fake(name, fake, lib=_library)
    # Without a derivative, autograd's own fallback would look at each argument, to warn of it.
    _library.impl(row.name, row.differentiable or fallthrough_kernel, "Autograd")
    if row.vmap is not None and hasattr(torch.library, "register_vmap"):  # PyTorch 2.5; before, vmap warns and loops
        torch.library.register_vmap(name, row.vmap, lib=_library)
    if row.decomposition is not None:
        register_decomposition(operator_of(row))(row.decomposition)
    if row.sharding is not None:
        _sharding_rules.append((operator_of(row), row.sharding))


for _row in ROWS:
    register(_row)


def prepare_sharding() -> None:
    """Before a call that may be of DTensors."""
    register_rules(tuple(_sharding_rules))


operator = torch.ops.grkan.rational.default
forward_operator = torch.ops.grkan.rational_forward.default
backward_operator = torch.ops.grkan.rational_backward.default
