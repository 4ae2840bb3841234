# SPDX-License-Identifier: Apache-2.0
"""Drawings of learned functions, before training and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy
import torch
from torch import nn

from .._errors import InvalidArgumentError, UnsupportedError
from .._names import pair

if TYPE_CHECKING:
    from ..report.functions import Drawing, Layer

Before: TypeAlias = nn.Module | Mapping[str, torch.Tensor] | None


def _rows(t: Any) -> numpy.ndarray:
    return torch.as_tensor(t).detach().to("cpu", torch.float64).numpy()


def _before(name: str, names: tuple[str, str], layer: Any,
            before: Before) -> tuple[numpy.ndarray, numpy.ndarray] | None:
    """The tables of a layer before; name stands in front of theirs in a state dict."""
    if before is None:
        start = getattr(layer, "start", None)  # one row each; a module from an old file has none
        return None if start is None else (_rows([start[0]]), _rows([start[1]]))
    state = before.state_dict() if isinstance(before, nn.Module) else before
    missing = [name + one for one in names if name + one not in state]
    if missing:
        raise InvalidArgumentError(f"before has no {missing[0]}; expected a module or a state dict that fits the one "
                                   "that is drawn")
    numerator, denominator = (_rows(state[name + one]) for one in names)
    return numerator, denominator


def _layer(name: str, layer: Any, before: Before) -> Layer:
    from ..report.functions import Layer

    names = layer.table_names
    now = [_rows(getattr(layer, one)) for one in names]
    was = _before(f"{name}." if name else "", names, layer, before)
    return Layer(name or type(layer).__name__, layer.form, (now[0], now[1]), was)


def plot(model: nn.Module, before: Before = None, interval: tuple[float, float] = (-3.0, 3.0)) -> Drawing:
    """Draw the functions that a layer, or each layer of a model, has now, a line a group; and what they were before.

    A notebook shows what this returns; its save("functions.svg") writes a file. Needs matplotlib (the extra "report").

    Args:
        model: one of grkan's modules, or a module that has some within it.
        before: a copy of model, or of its state dict, from before training (copy.deepcopy). Without it: what each layer
            was made as.
        interval: of x.
    """
    try:
        from ..report.functions import draw
    except ImportError as error:
        raise UnsupportedError(f"a drawing needs matplotlib: pip install 'grkan[report]' ({error})") from error
    low, high = pair("interval", interval, "(low, high)")
    if not isinstance(model, nn.Module):
        raise InvalidArgumentError(f"model is a {type(model).__name__}; expected a torch.nn.Module")
    if not (isinstance(low, (int, float)) and isinstance(high, (int, float)) and -numpy.inf < low < high < numpy.inf):
        raise InvalidArgumentError(f"interval is {interval!r}; expected (low, high), numbers with low < high")
    layers = [_layer(name, module, before) for name, module in model.named_modules() if hasattr(module, "table_names")]
    if not layers:
        raise InvalidArgumentError(f"model is a {type(model).__name__} without learned activations; expected one of "
                                   "grkan.torch's modules, or a model that has some")
    return draw(layers, (low, high), "at first" if before is None else "before")
