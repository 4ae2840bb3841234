# SPDX-License-Identifier: Apache-2.0
"""Rationals in the place of a model's activations, fitted to the functions that those are."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

import numpy
import torch
from torch import nn

from .._errors import InvalidArgumentError
from .._fit import Fit, fit, function_values
from .._names import Form, Function
from ._modules import Rational

_KINDS = ("gelu", "silu", "swish", "mish", "relu")  # in the names of classes: PyTorch's, timm's and Transformers'
_NEAR = 1e-3  # what gelu's approximations differ from it, and less than any other two functions do
_FAR = numpy.linspace(-8, 8, 321)  # where relu6 is no relu
_POINTS = numpy.linspace(-5, 5, 1001)


@torch.no_grad()
def _values(module: nn.Module, x: numpy.ndarray) -> numpy.ndarray | None:
    """What a module makes of x, each element on its own; None if it is no such function."""
    t = torch.from_numpy(x)
    try:
        y, some = module(t.clone()), module(t[::2].clone())  # copies, for those that work in place
    except Exception:  # of modules that we do not know
        return None
    is_function = all(isinstance(found, torch.Tensor) and found.shape == given.shape
                      for found, given in ((y, t), (some, t[::2])))
    return y.double().numpy() if is_function and torch.equal(y[::2], some) and bool(y.isfinite().all()) else None


def function_of(module: nn.Module) -> Function | None:
    """The name of the function that a module without parameters is; None for one that has no name here."""
    y = _values(module, _FAR)
    names = () if y is None else cast("tuple[Function, ...]", get_args(Function))
    return next((name for name in names if numpy.abs(function_values(name, _FAR) - y).max() <= _NEAR), None)


def _start_of(name: str, module: nn.Module, degrees: tuple[int, int], form: Form,
              known: dict[bytes, Function | Fit]) -> Function | Fit:
    """What a rational begins as that goes to a module's place; known keeps it for the next one of that function."""
    y = _values(module, _POINTS)
    if y is None:
        raise InvalidArgumentError(f"{name} is {module}; expected a function of each element on its own, without "
                                   "parameters")
    key = y.tobytes()
    if key not in known:
        known[key] = function_of(module) or fit((_POINTS, y), degrees, form=form)
    return known[key]


def _is_activation(module: nn.Module) -> bool:
    kind = type(module).__name__.lower()
    return any(word in kind for word in _KINDS) and next(module.parameters(), None) is None


Which = str | type | tuple[type, ...] | Callable[[str, nn.Module], bool] | None


def _chooser(which: Which) -> Callable[[str, nn.Module], bool]:
    if which is None:
        return lambda name, module: _is_activation(module)
    if isinstance(which, str):
        return lambda name, module: name.rpartition(".")[2] == which or name == which
    if isinstance(which, (type, tuple)):
        return lambda name, module: isinstance(module, which)
    if callable(which):
        return which
    raise InvalidArgumentError(f"which is {which!r}; expected a name, a class or several, a function of name and "
                               "module, or None")


def replace_activation(model: nn.Module, which: Which = None, *, groups: int = 8, init: Function | Fit | None = None,
                       degrees: tuple[int, int] = (5, 4), form: Form = "abs_terms", shared_numerator: bool = True,
                       channel_dim: int = -1) -> list[str]:
    """Put a Rational in the place of each activation within a model. Returns the names of those, in order.

    A Rational begins as the function that it replaces: as a preset where that has one, else fitted to it on [-5, 5]. So
    a model that is trained goes on from where it is. A module that stands at several places stays one. Activations that
    a model calls as functions (torch.nn.functional.gelu) are not seen.

    Args:
        model: any module that has activations within it; it is changed.
        which: activations to replace: a name ("act", "blocks.0.mlp.act"), a class or a tuple of them, a function of
            name and module, or None: modules without parameters whose class is a GELU, SiLU, Swish, Mish or ReLU by
            its name.
        groups: of channels, each with a denominator of its own; 1 shares one function among all channels.
        init: the function to begin as, in the place of the one that is replaced.
        degrees, form, shared_numerator, channel_dim: see Rational. Images of [batch, channels, height, width] have
            channel_dim=1.
    """
    if not isinstance(model, nn.Module):
        raise InvalidArgumentError(f"model is a {type(model).__name__}; expected a torch.nn.Module")
    is_chosen = _chooser(which)
    chosen = [(name, module) for name, module in model.named_modules() if name and is_chosen(name, module)]
    if not chosen:
        raise InvalidArgumentError(f"which is {which!r}; expected some activation within the model, but it has none "
                                   "such (those that it calls as functions are not seen)")
    known: dict[bytes, Function | Fit] = {}
    made: dict[nn.Module, Rational] = {}
    for name, module in chosen:
        start = _start_of(name, module, degrees, form, known) if init is None else init
        made[module] = Rational(groups, start, degrees=degrees, form=form, shared_numerator=shared_numerator,
                                channel_dim=channel_dim)
    names = []
    for name, parent in list(model.named_modules()):
        near = next(parent.parameters(), next(model.parameters(), None))
        for child, module in list(parent._modules.items()):
            if module in made:
                setattr(parent, child, made[module].to(None if near is None else near.device).train(module.training))
                names.append(f"{name}.{child}" if name else child)
    return names
