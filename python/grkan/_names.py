# SPDX-License-Identifier: Apache-2.0
"""The names that calls take, as types; and checks of arguments that say what was expected."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal, get_args

from ._errors import InvalidArgumentError

# The enumerations of grkan.h, each in the order of its values.
Dtype = Literal["f32", "f16", "bf16", "f64"]
Form = Literal["abs_terms", "abs_sum", "abs_sum_offset", "plain", "square"]
Family = Literal["rational"]
Scope = Literal["shared", "group"]
Prologue = Literal["none", "bias", "layer_norm", "rms_norm"]
Norm = Literal["layer_norm", "rms_norm"]  # the prologues that read a row
Growth = Literal["auto", "linear", "any"]
Strategy = Literal["auto", "element", "block", "tree"]
Determinism = Literal["run_to_run", "none", "device_to_device"]
Accumulation = Literal["overwrite", "add"]

FAMILIES, SCOPES, PROLOGUES, NORMS = get_args(Family), get_args(Scope), get_args(Prologue), get_args(Norm)
DTYPES, FORMS, STRATEGIES = get_args(Dtype), get_args(Form), get_args(Strategy)
DETERMINISM_LEVELS, ACCUMULATIONS, GROWTHS = get_args(Determinism), get_args(Accumulation), get_args(Growth)

# What fit approximates, what preset holds, and what KAT_Group starts as.
Function = Literal["identity", "relu", "leaky_relu", "leaky_relu_0.1", "sigmoid", "tanh", "swish", "gelu", "mish",
                   "softplus", "sin"]
PresetName = Literal[Function, "kat_identity", "kat_relu", "kat_leaky_relu", "kat_leaky_relu_0.1", "kat_tanh",
                     "kat_sigmoid", "kat_swish", "kat_gelu", "kat_gelu_old"]
Mode = Literal[Function, "gelu_old", "geglu", "swishglu", "erfc_Softplus_2"]


def index_of(argument: str, value: Any, expected: Sequence[str]) -> int:
    """The number that an enumeration has for a name."""
    try:
        return expected.index(value)
    except ValueError:
        raise InvalidArgumentError(f"{argument} is {value!r}; expected one of {', '.join(expected)}") from None


def integer(argument: str, value: Any, low: int, high: int | None = None) -> int:
    """value as an int, if it is one (NumPy's too, but no bool) from low to high."""
    expected = f"an integer from {low}" + ("" if high is None else f" to {high}")
    if isinstance(value, bool):
        raise InvalidArgumentError(f"{argument} is {value}; expected {expected}")
    try:
        found = operator.index(value)
    except TypeError:
        raise InvalidArgumentError(f"{argument} is {value!r}; expected {expected}") from None
    if found < low or (high is not None and found > high):
        raise InvalidArgumentError(f"{argument} is {found}; expected {expected}")
    return found


def pair(argument: str, value: Any, what: str) -> tuple[Any, Any]:
    """value as two values."""
    try:
        first, second = value
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{argument} is {value!r}; expected {what}") from None
    return first, second


def degrees_of(value: Any) -> tuple[int, int]:
    m, n = pair("degrees", value, "(m, n), of numerator and denominator")
    return integer("degrees: m", m, 0, 15), integer("degrees: n", n, 0, 15)


def text(argument: str, value: Any) -> bytes:
    """A string as the library takes it."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{argument} is {value!r}; expected a string")
    return value.encode()
