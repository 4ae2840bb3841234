# SPDX-License-Identifier: Apache-2.0
"""The function that users call, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._names import FORMS, Form, index_of
from .._operation import TABLES, channel_of
from . import _native
from ._formula import formula, gradients_of_formula
from ._kernels import check_arguments, check_dense, check_gradient, run_backward, run_forward, table_dtype
from ._paths import PLAIN, has_memory, is_plain, is_watched, needs_formula, untraced
from ._prologue_function import apply_of
from ._prologues import OutDtype, by_rows, compute, compute_plain, inputs_of, is_traced, some_gradients

operator: Any
forward_kernel: Any
backward_kernel: Any
try:
    from ._operators import (backward_operator, forward_operator, gradients_by_dispatcher, operator,
                             prepare_sharding)
except ImportError:  # before PyTorch 2.4
    operator, gradients_by_dispatcher = None, gradients_of_formula
HAS_C = _native.library is not None
if HAS_C:  # forward and backward take the host 0.86 of the time that those in Python take
    # What calls of an OpOverload end in, without its frame of Python.
    forward_kernel, backward_kernel = (_native.direct(name, getattr(o, "_op", o)) for name, o in (
        ("rational_forward", forward_operator), ("rational_backward", backward_operator)))
else:
    forward_kernel, backward_kernel = run_forward, run_backward

# Each is asked at every call, and a look-up in a module takes as long as the answer.
_F32, _F64 = torch.float32, torch.float64
_is_grad_enabled = torch.is_grad_enabled


def _explained(error: RuntimeError, x: torch.Tensor, tables: Sequence[torch.Tensor], form: int,
               channel_dim: int) -> RuntimeError:
    """What a kernel raised as what grkan raises. In Python there are names for devices and types, so its checks of the
    arguments come first; and PyTorch's own functions tell best why PyTorch has no memory."""
    check_arguments(x, tables, form, channel_dim)
    if str(error).startswith("PyTorch's"):
        torch.empty_like(x)
    return _native.as_grkan_raises(error)


class RationalFunction(torch.autograd.Function):
    """The kernels as a node of autograd. That costs the host less than an operator with derivatives does: forward and
    backward 0.85 of it."""

    @staticmethod
    def forward(ctx, x, numerator, denominator, form, channel_dim):  # *tables would take the host 2 % more
        ctx.save_for_backward(x, numerator, denominator)
        ctx.numbers = form, channel_dim
        return forward_kernel(x, numerator, denominator, form, channel_dim)

    @staticmethod
    def backward(ctx, dy):
        form, channel_dim = ctx.numbers
        x, numerator, denominator = saved = ctx.saved_tensors
        if not (_is_grad_enabled() or is_traced()) and (
                not is_watched() if HAS_C else is_plain(dy, x, numerator, denominator)):
            needs_x, needs_numerator, needs_denominator, *_ = wanted = ctx.needs_input_grad
            try:
                if needs_x and needs_numerator and needs_denominator:
                    return *backward_kernel(dy, x, numerator, denominator, form, channel_dim), None, None
                return *some_gradients(dy, saved, wanted[:-2], form, channel_dim), None, None
            except RuntimeError as error:
                if has_memory(dy, *saved):
                    check_gradient(dy, x, saved[1:])
                    raise _explained(error, x, saved[1:], form, channel_dim) from None
        check_gradient(dy, x, saved[1:])
        return *gradients_by_dispatcher(dy, saved, ctx.needs_input_grad[:-2], form, channel_dim), None, None


_apply = apply_of(RationalFunction)


def _as_kernels_take(x: torch.Tensor, tables: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The tables in f32 (f64 for an x of f64)."""
    wanted = table_dtype(x)
    return [t if t.dtype is wanted else t.to(wanted) for t in tables]


def _by_dispatcher(x: torch.Tensor, tables: Sequence[torch.Tensor], form: Form, channel_dim: int) -> torch.Tensor:
    """rational() of what is not plain."""
    tensors = (x, *tables)
    if has_torch_function(tensors):  # a subclass, a mode, or a graph's node in torch.fx.symbolic_trace
        return handle_torch_function(rational, tensors, *tensors, form, channel_dim)
    for name, t in zip(("x", *TABLES), tensors):
        check_dense(name, t)
    number = index_of("form", form, FORMS)
    channel_of(x.shape, channel_dim)
    a, b = _as_kernels_take(x, tables)
    if operator is not None and not needs_formula():
        prepare_sharding()
        return operator(x, a, b, number, channel_dim)
    with untraced():
        check_arguments(x, (a, b), number, channel_dim)
    return formula(x, a, b, form, channel_dim)


def _with_bias(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form, channel_dim: int,
               bias: torch.Tensor | None, out_dtype: OutDtype) -> torch.Tensor:
    """rational() with more than its own operator takes."""
    if bias is not None and not is_traced():
        y = compute_plain(x, numerator, denominator, bias, None, form, channel_dim, "bias", 0.0, out_dtype)
        if y is not None:
            return y
    tensors = (x, numerator, denominator, bias)
    if has_torch_function(tensors) and not is_traced():
        return handle_torch_function(rational, tensors, x, numerator, denominator, form, channel_dim, bias=bias,
                                     out_dtype=out_dtype)
    named = {"x": x, "numerator": numerator, "denominator": denominator, "bias": bias, "none": None}
    inputs, numbers = inputs_of(named, form, channel_dim, "none" if bias is None else "bias", 0.0, out_dtype)
    if bias is None and numbers[-1] == 0:
        return rational(x, numerator, denominator, form, channel_dim)
    return compute(inputs, numbers)


_NUMBERS: dict[str, int] = {form: number for number, form in enumerate(FORMS)}


def rational(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form = "abs_terms",
             channel_dim: int = -1, *, bias: torch.Tensor | None = None,
             out_dtype: OutDtype = None) -> torch.Tensor:
    """The group-wise rational function P(x) / Q(x), differentiable in all tensors any number of times.

    Like PyTorch's own functions it can be overridden by subclasses of Tensor and by modes (__torch_function__), and is
    one call in a graph of torch.fx.symbolic_trace. In forward mode, within a transform of torch.func (grad, vmap, jvp,
    ...), under torch.jit.trace and in what ONNX's exporters see it is computed by PyTorch's operations (formula).

    Args:
        x: of any shape, f32, f16, bf16 or f64, on the cpu or a GPU.
        numerator: [1 or groups, m + 1], a0 first.
        denominator: [1 or groups, n], b1 first; n + 1 with b0 first for form "abs_sum_offset". Coefficients are
            converted to f32 (f64 for an x of f64), and so are their gradients computed.
        form: of the denominator: "abs_terms" (KAT), "abs_sum", "abs_sum_offset", "plain" or "square".
        channel_dim: the dimension of x that holds the channels; they are split into groups as numpy.array_split does.
        bias: [channels], added to x on the way: that of a linear layer before, whose gradient then takes no pass of its
            own.
        out_dtype: of the result: float32, float16 or bfloat16, whichever of them x has; "autocast": autocast's where
            that is on, as a linear layer behind it takes it; None: x's own.
    """
    if bias is not None or out_dtype is not None:
        return _with_bias(x, numerator, denominator, form, channel_dim, bias, out_dtype)
    if is_traced():
        return _compiled(x, numerator, denominator, form, channel_dim)
    # Each line here counts: among the rest of a model's work they take several times what they take alone.
    number = _NUMBERS.get(form) if type(form) is str else None
    if number is not None and not _is_grad_enabled():
        return _without_gradients(x, numerator, denominator, number, channel_dim)
    return _eager(x, numerator, denominator, form, channel_dim)


def rational_of(module: torch.nn.Module, x: torch.Tensor, first: str, second: str, form: Form = "abs_terms",
                channel_dim: int = -1) -> torch.Tensor:
    """rational() of two of a module's parameters, in one frame of Python where nothing is recorded: a frame takes the
    host as long as one of PyTorch's functions."""
    parameters = module._parameters
    try:  # as parameters_of does
        numerator, denominator = parameters[first], parameters[second]
    except KeyError:
        numerator, denominator = getattr(module, first, None), getattr(module, second, None)
    number = _NUMBERS.get(form) if type(form) is str else None
    if number is None or _is_grad_enabled() or is_traced():
        return rational(x, numerator, denominator, form, channel_dim)
    return _without_gradients(x, numerator, denominator, number, channel_dim)


def _compiled(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form,
              channel_dim: int) -> torch.Tensor:
    """rational() where TorchDynamo traces it."""
    for name, t in zip(("x", *TABLES), (x, numerator, denominator)):
        check_dense(name, t)
    a, b = _as_kernels_take(x, (numerator, denominator))
    if needs_formula():
        return formula(x, a, b, form, channel_dim)
    number = index_of("form", form, FORMS)
    return by_rows(x, channel_dim, lambda rows, channel: operator(rows, a, b, number, channel))


def _eager(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: Form,
           channel_dim: int) -> torch.Tensor:
    """rational() where nothing compiles it."""
    if (type(x) in PLAIN and type(numerator) in PLAIN and type(denominator) in PLAIN and not is_watched()
            and (HAS_C or is_plain(x, numerator, denominator))):
        try:
            number = _NUMBERS[form]
        except (KeyError, TypeError):
            index_of("form", form, FORMS)
            raise
        try:
            wanted = _F64 if x.dtype is _F64 else _F32
            a = numerator if numerator.dtype is wanted else numerator.to(wanted)
            b = denominator if denominator.dtype is wanted else denominator.to(wanted)
            if _is_grad_enabled() and (x.requires_grad or a.requires_grad or b.requires_grad):
                return _apply(x, a, b, number, channel_dim)
            return forward_kernel(x, a, b, number, channel_dim)
        except RuntimeError as error:
            if has_memory(x, numerator, denominator):
                tables = _as_kernels_take(x, (numerator, denominator))
                raise _explained(error, x, tables, number, channel_dim) from None
    return _by_dispatcher(x, (numerator, denominator), form, channel_dim)


def _of_number(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, form: int,
               channel_dim: int) -> torch.Tensor:
    return _eager(x, numerator, denominator, FORMS[form], channel_dim)


# What nothing is to be asked about in Python, as the function of C asks itself.
_without_gradients = _native.direct("rational_forward", _of_number)
