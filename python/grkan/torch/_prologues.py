# SPDX-License-Identifier: Apache-2.0
"""Calls of the rational function with a prologue: which way each goes, as _autograd has it for those without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch.overrides import handle_torch_function, has_torch_function

from .._errors import InvalidArgumentError
from .._names import FORMS, NORMS, PROLOGUES, Form, Norm, index_of
from .._operation import channel_of
from . import _native
from ._formula import formula_of_prologue
from ._kernels import (OUTPUTS, Prologue, check_arguments, check_dense, run_norm_forward, run_prologue_backward,
                       run_prologue_forward, table_dtype)
from ._paths import (PLAIN, autocast_type, has_memory, is_exporting, is_plain, is_watched, needs_formula, never,
                     untraced)
from ._prologue_function import Kernels, wanted_of

operator: Any
try:
    from ._operators import prepare_sharding
    from ._prologue_operators import direct_kernels, kernels, operator
except ImportError:  # before PyTorch 2.4
    operator = None
    kernels = direct_kernels = Kernels(run_prologue_forward, run_norm_forward, run_prologue_backward, by_address=True)

# x, and the four tables.
Tensors: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
Numbers: TypeAlias = tuple[int, int, int, float, int]  # form, channel_dim, prologue, epsilon, output
# Of a result: "autocast" is autocast's, None the input's own.
OutDtype: TypeAlias = torch.dtype | Literal["autocast"] | None

HAS_C = _native.library is not None
_F32, _F64 = torch.float32, torch.float64
# Whether torch.compile's tracer, TorchDynamo, is in this call.
is_traced: Callable[[], bool] = torch.compiler.is_dynamo_compiling if operator is not None else never
_absent: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}
_FORMS = {form: number for number, form in enumerate(FORMS)}
_PROLOGUES = {prologue: number for number, prologue in enumerate(PROLOGUES)}


def eager_kernels() -> Kernels:
    """What a call goes to by itself; where TorchDynamo traces it, operators that it knows."""
    return kernels if is_traced() else direct_kernels


def _empty(x: torch.Tensor) -> torch.Tensor:
    """What stands for a table that there is not."""
    wanted = table_dtype(x)
    if type(x) not in PLAIN or is_traced() or not is_plain(x):
        return x.new_empty(0, dtype=wanted)
    key = x.device, wanted
    if key not in _absent:
        with torch.inference_mode(False):  # it serves calls that are differentiated, too
            _absent[key] = torch.empty(0, dtype=wanted, device=x.device)
    return _absent[key]


def by_rows(x: torch.Tensor, channel_dim: int, function: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """function(x, channel_dim) where TorchDynamo traces it: of x as rows of channels, as linear layers have it. A
    compiled program would else make a tensor of Python's for each change between the two shapes."""
    if type(x) in PLAIN and x.dim() > 2 and channel_dim in (-1, x.dim() - 1) and x.is_contiguous():
        y = function(x.flatten(0, -2), -1)
        return y.view(*x.shape[:-1], y.shape[-1])
    return function(x, channel_dim)


def number_of_output(x: torch.Tensor, out_dtype: OutDtype) -> int:
    """The type of y as operators take it."""
    if out_dtype == "autocast":
        out_dtype = autocast_type(x)
    if out_dtype is None or out_dtype == x.dtype:
        return 0
    if out_dtype not in OUTPUTS:
        raise InvalidArgumentError(f"out_dtype is {out_dtype}; expected float32, float16, bfloat16, float64 or "
                                   "'autocast'")
    return OUTPUTS[out_dtype]


def inputs_of(named: dict[str, torch.Tensor | None], form: Form, channel_dim: int, prologue: str, epsilon: float,
              out_dtype: OutDtype) -> tuple[Tensors, Numbers]:
    """What operators take, of x and the four tables by their names."""
    for name, t in named.items():
        if t is None and name in ("scale", "shift", "bias", "none"):
            continue
        check_dense(name, t)
    x, *tables = named.values()
    numerator = tables[0]
    assert x is not None and numerator is not None
    wanted = table_dtype(x)
    # A compiled program would make an empty tensor at each call. Of norms alone anybody asks whether a table is empty.
    takes_any = is_traced() and prologue not in NORMS and not is_exporting()
    present = ((numerator.detach() if takes_any else _empty(x)) if t is None else t for t in tables)
    made = [t if t.dtype is wanted else t.to(wanted) for t in present]
    numbers = (index_of("form", form, FORMS), channel_dim, PROLOGUES.index(prologue), float(epsilon),
               number_of_output(x, out_dtype))
    return (x, *made), numbers


def explained(error: RuntimeError, inputs: Tensors, numbers: Numbers) -> RuntimeError:
    """What a kernel raised as what grkan raises, as _autograd has it."""
    x, *tables = inputs
    form, channel_dim, kind, epsilon, output = numbers
    check_arguments(x, tables, form, channel_dim, Prologue(kind, epsilon, output))
    if str(error).startswith("PyTorch's"):
        torch.empty_like(x)
    return _native.as_grkan_raises(error)


def has_kernels(*tensors: torch.Tensor) -> bool:
    """Whether a call may go to the kernels by itself, as one of plain tensors."""
    return all(type(t) in PLAIN for t in tensors) and is_plain(*tensors)


def _refuse(*_: Any) -> None:
    return None


_without_gradients = _native.direct("prologue_rational_forward", _refuse)


def compute_plain(x: torch.Tensor, numerator: torch.Tensor, denominator: torch.Tensor, first: torch.Tensor | None,
                  second: torch.Tensor | None, form: Form, channel_dim: int, prologue: str, epsilon: float | None,
                  out_dtype: OutDtype) -> torch.Tensor | None:
    """F(z) of plain tensors by the functions of C, which ask all that is to be asked where nobody records gradients.
    None: the call has to go the long way. Each line here counts, as in rational(). Not where TorchDynamo traces."""
    if type(x) not in PLAIN:
        return None
    try:
        if out_dtype == "autocast":
            out_dtype = autocast_type(x)
        is_recorded, wanted = torch.is_grad_enabled(), _F64 if x.dtype is _F64 else _F32
        if first is None or second is None:
            # Of norms alone anybody asks whether a table is empty. A table's gradient would be asked for twice.
            takes_any = prologue == "bias" and not is_recorded
            absent = numerator if takes_any else _absent[x.device, wanted]
            first, second = absent if first is None else first, absent if second is None else second
        if epsilon is None:
            epsilon = torch.finfo(x.dtype).eps
        output = 0 if out_dtype is x.dtype else OUTPUTS[out_dtype]
        kind = _PROLOGUES[prologue]
        if not is_recorded:
            return _without_gradients(x, numerator, denominator, first, second, _FORMS[form], channel_dim, kind,
                                      epsilon, output)
        if (HAS_C and type(numerator) in PLAIN and type(denominator) in PLAIN and type(first) in PLAIN
                and type(second) in PLAIN and numerator.dtype is wanted and not is_watched()):
            return direct_kernels.apply(x, numerator, denominator, first, second, _FORMS[form], channel_dim, kind,
                                        epsilon, output)
    except (KeyError, TypeError, RuntimeError):  # the long way says what is wrong with it
        pass
    return None


def compute(inputs: Tensors, numbers: Numbers) -> torch.Tensor:
    """F(z), differentiable."""
    if is_traced():
        if needs_formula():
            return formula_of_prologue(*inputs, *numbers)
        x, *tables = inputs
        form, channel_dim, *others = numbers
        return by_rows(x, channel_dim, lambda rows, channel: operator(rows, *tables, form, channel, *others))
    if has_kernels(*inputs):
        try:
            if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
                return direct_kernels.function.apply(*inputs, *numbers)
            return direct_kernels.forward(*inputs, *numbers)
        except RuntimeError as error:
            if has_memory(*inputs):
                raise explained(error, inputs, numbers) from None
    x, *tables = inputs
    form, channel_dim, kind, epsilon, output = numbers
    channel_of(x.shape, channel_dim)
    if operator is not None and not needs_formula():
        prepare_sharding()
        return operator(*inputs, *numbers)
    with untraced():
        check_arguments(x, tables, form, channel_dim, Prologue(kind, epsilon, output))
    return formula_of_prologue(*inputs, *numbers)


def some_gradients(dy: torch.Tensor, inputs: Sequence[torch.Tensor], wanted: Sequence[bool], form: int,
                   channel_dim: int) -> tuple[torch.Tensor | None, ...]:
    """Of x and its two tables, without a prologue, those that are wanted: the others are not computed."""
    empty = _empty(inputs[0])
    found = direct_kernels.gradients(dy, (*inputs, empty, empty), (empty, empty), wanted_of(wanted),
                              (form, channel_dim, 0, 0.0, 0))
    return tuple(g if is_wanted else None for g, is_wanted in zip(found, wanted))


def norm_rational(x: torch.Tensor, scale: torch.Tensor | None, shift: torch.Tensor | None, numerator: torch.Tensor,
                  denominator: torch.Tensor, form: Form = "abs_terms", *, eps: float | None = 1e-5,
                  norm: Norm = "layer_norm", out_dtype: OutDtype = None) -> torch.Tensor:
    """rational() of a norm of x, in one pass: F((x - mean) / sqrt(variance + eps) * scale + shift), over the channels.

    Differentiable in all tensors any number of times, and in all that rational() says otherwise.

    Args:
        x: [..., channels].
        scale, shift: [channels], what LayerNorm and RMSNorm call weight and bias; None for ones and zeros.
        numerator, denominator, form: see rational(); the channels are the last dimension.
        eps: of the norm; None: that of x's type, as RMSNorm has it.
        norm: "layer_norm", or "rms_norm", whose mean is 0.
        out_dtype: of the result: float32, float16 or bfloat16, whichever of them x has; "autocast": autocast's, so that
            a linear layer behind it has nothing to cast; None: x's own.
    """
    if norm in NORMS and not is_traced():
        y = compute_plain(x, numerator, denominator, scale, shift, form, -1, norm, eps, out_dtype)
        if y is not None:
            return y
    tensors = (x, scale, shift, numerator, denominator)
    if has_torch_function(tensors) and not is_traced():
        return handle_torch_function(norm_rational, tensors, *tensors, form, eps=eps, norm=norm, out_dtype=out_dtype)
    named = {"x": x, "numerator": numerator, "denominator": denominator, "scale": scale, "shift": shift}
    if eps is None and isinstance(x, torch.Tensor):
        eps = torch.finfo(x.dtype).eps
    index_of("norm", norm, NORMS)
    return compute(*inputs_of(named, form, -1, norm, eps or 0.0, out_dtype))
