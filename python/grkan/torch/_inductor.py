# SPDX-License-Identifier: Apache-2.0
"""What torch.compile's Inductor writes for a call of an operator: that of a function of C.

By itself it writes torch.ops.grkan.NAME.default(...) and checks of each result's size, strides and alignment, which
take the host longer than the function does. Where the result is one tensor, Inductor's own memory takes it: that of a
tensor that nobody needs any more, more often than not. Generated programs import functions from here, by names that
stay, since Inductor's cache keeps programs. What is Inductor's own here may change: where it is not as expected, and in
C++ that is generated, a call is written as before.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from . import _native


_INTO = "_into"  # behind an operator's name: its function that takes before all else the tensor for the result


@functools.cache
def function_of(name: str) -> Callable[..., Any]:
    """The function for an operator, which is the operator's own where there is none of C."""
    operator = getattr(torch.ops.grkan, name.removesuffix(_INTO)).default
    call = getattr(operator, "_op", operator)

    def copy(y: torch.Tensor, *arguments: Any) -> None:
        y.copy_(call(*arguments))

    return _native.direct(name, copy if name.endswith(_INTO) else call)


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("_"):
        raise AttributeError(name)
    return function_of(name)


@functools.cache
def _direct_kernel() -> type:
    from torch._inductor.codegen.wrapper import PythonWrapperCodegen
    from torch._inductor.ir import FallbackKernel
    from torch._inductor.virtualized import V

    class DirectKernel(FallbackKernel):
        """A call of an operator, as Inductor makes it, but for its text."""

        def codegen(self, wrapper: Any) -> None:
            # Programs within programs have other wrappers, without imports.
            if not V.graph.cpp_wrapper and type(wrapper) is PythonWrapperCodegen:
                name = self.op_overload._opname
                wrapper.add_import_once(f"from {__name__} import {name} as grkan_{name}")
                self.python_kernel_name = f"grkan_{name}"
            super().codegen(wrapper)

        def codegen_size_asserts(self, wrapper: Any) -> None:
            """None: results are as their fake kernels say, which opcheck tests."""

        def codegen_alignment_asserts(self, wrapper: Any) -> None:
            """None: PyTorch's allocators align them."""

    return DirectKernel


@functools.cache
def _into_kernel() -> type:
    from torch._inductor.codegen.wrapper import PythonWrapperCodegen
    from torch._inductor.ir import ExternKernelOut

    class IntoKernel(ExternKernelOut):
        """A call of an operator with one result, whose memory is Inductor's."""

        def codegen(self, wrapper: Any) -> None:
            self.codegen_comment(wrapper)
            name, y, arguments = self.op_overload._opname, self.codegen_reference(), ", ".join(self.codegen_args())
            if type(wrapper) is PythonWrapperCodegen:
                wrapper.add_import_once(f"from {__name__} import {name}{_INTO} as grkan_{name}{_INTO}")
                wrapper.writeline(f"grkan_{name}{_INTO}({y}, {arguments})")
            else:
                wrapper.writeline(f"{y}.copy_(torch.ops.grkan.{name}.default({arguments}))")

    return IntoKernel


def _lower_into(operator: Any, *arguments: Any) -> Any:
    """A call with one result. Inputs keep from here on the strides that the result's were found by."""
    from torch._inductor import ir
    from torch._inductor.virtualized import V
    tensors = [ir.ExternKernel.realize_input(t) for t in arguments if isinstance(t, ir.IRNode)]
    for t in tensors:
        if ir.is_storage_and_layout(t):
            ir.as_storage_and_layout(t, freeze=True)
    numbers = arguments[len(tensors):]
    with V.graph.fake_mode:
        y = operator(*map(ir.ir_node_to_tensor, tensors), *numbers)
    return ir.TensorBox.create(_into_kernel()(ir.FallbackKernel.tensor_to_layout(y), tensors, numbers,
                                              op_overload=operator))


def _has_own_memory(operator: Any) -> bool:
    """Whether a call is to be written so that Inductor's memory takes the result."""
    from torch._inductor.virtualized import V
    return (len(operator._schema.returns) == 1 and not V.graph.cpp_wrapper
            and not getattr(V.graph, "fx_wrapper", False))


def _make_direct(results: Any) -> None:
    """Change the kernel behind what a lowering gave: a tensor, or several."""
    from torch._inductor.ir import FallbackKernel, MultiOutput
    for result in results if isinstance(results, (list, tuple)) else [results]:
        kernel = result.data.data
        if isinstance(kernel, MultiOutput):
            kernel.skip_size_stride_alignment_checks = True
            kernel = kernel.inputs[0]
        if type(kernel) is FallbackKernel:
            kernel.__class__ = _direct_kernel()


def _direct_lowering(operator: Any, lowering: Callable[..., Any]) -> Callable[..., Any]:
    def lower(*arguments: Any, **named: Any) -> Any:
        with contextlib.suppress(ImportError, AttributeError, TypeError):
            if not named and _has_own_memory(operator):
                return _lower_into(operator, *arguments)
        results = lowering(*arguments, **named)
        with contextlib.suppress(ImportError, AttributeError, IndexError):
            _make_direct(results)
        return results

    return lower


@functools.cache
def _register(operators: Sequence[Any]) -> None:
    try:
        from torch._inductor import lowering
        from torch._library.utils import get_layout_constraint_tag
        _direct_kernel(), _into_kernel()
        for operator in operators:
            if operator not in lowering.lowerings:
                tag = get_layout_constraint_tag(operator, with_default=True)
                lowering.make_fallback(operator, lowering.tag_to_layout_constraint(tag), warn=False)
            lowering.lowerings[operator] = _direct_lowering(operator, lowering.lowerings[operator])
    except (ImportError, AttributeError, TypeError, AssertionError):
        return


def prepare(operators: Sequence[Any]) -> None:
    """Before Inductor meets operators, a tuple of them. It is not loaded for that."""
    if "torch._inductor.lowering" in sys.modules:
        _register(operators)
