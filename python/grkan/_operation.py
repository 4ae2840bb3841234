# SPDX-License-Identifier: Apache-2.0
"""What is computed, and how: an operation on tables of coefficients, and the options of its plan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ._errors import InvalidArgumentError
from ._names import (DETERMINISM_LEVELS, DTYPES, FORMS, NORMS, PROLOGUES, SCOPES, STRATEGIES, Determinism, Dtype, Form,
                     Prologue, Scope, Strategy, index_of, integer)

# The tables that are learned, in the library's order. Whatever takes several tensors or addresses of them has this one:
# the function's, then the prologue's, a number for each channel.
TABLES = ("numerator", "denominator")
PROLOGUE_TABLES: dict[Prologue, tuple[str, ...]] = {"none": (), "bias": ("bias",),
                                                    **dict.fromkeys(NORMS, ("scale", "shift"))}

FROZEN_X = 1 << 31  # of Options.frozen


@dataclasses.dataclass(frozen=True)
class Operation:
    """What is computed (grkan_operation); the names are those of the program."""

    outer: int
    channels: int
    inner: int
    groups: int
    numerator_degree: int
    denominator_degree: int
    form: Form
    dtype: Dtype
    numerator_scope: Scope = "shared"
    denominator_scope: Scope = "group"
    output_dtype: Dtype | None = None  # of y and dy; None: that of x and dx
    prologue: Prologue = "none"
    epsilon: float = 0.0  # of a norm, as what follows
    has_scale: bool = False
    has_shift: bool = False

    def __post_init__(self) -> None:
        index_of("form", self.form, FORMS)
        index_of("dtype", self.dtype, DTYPES)
        if self.output_dtype is not None:
            index_of("output_dtype", self.output_dtype, DTYPES)
        index_of("numerator_scope", self.numerator_scope, SCOPES)
        index_of("denominator_scope", self.denominator_scope, SCOPES)
        index_of("prologue", self.prologue, PROLOGUES)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables, those that are empty too."""
        return TABLES + PROLOGUE_TABLES[self.prologue]


@dataclasses.dataclass(frozen=True)
class Options:
    """How it is computed (grkan_options)."""

    strategy: Strategy = "auto"
    determinism: Determinism = "run_to_run"
    cpu_threads: int = 0
    frozen: int = 0  # bit k: the gradient of table k is not wanted; FROZEN_X: dx is not
    writes_y: bool = False  # backward gives y again

    def __post_init__(self) -> None:
        index_of("strategy", self.strategy, STRATEGIES)
        index_of("determinism", self.determinism, DETERMINISM_LEVELS)


def check_table(name: str, shape: Sequence[int]) -> None:
    """Raise for a table that has not a row of coefficients for each group."""
    if len(shape) != 2:
        raise InvalidArgumentError(f"{name} has shape {tuple(shape)}; expected [groups, coefficients]")


def check_channel_table(name: str, shape: Sequence[int], channels: int) -> None:
    """Raise for a table that has not a number for each channel."""
    if tuple(shape) != (channels,):
        raise InvalidArgumentError(f"{name} has shape {tuple(shape)}; expected {(channels,)}, the channels of x")


def scope_of(name: str, rows: int, groups: int) -> Scope:
    """The scope of a table with so many rows."""
    if rows not in (1, groups):
        raise InvalidArgumentError(f"{name} has {rows} rows; expected 1, which all groups share, or {groups}")
    return "group" if rows == groups else "shared"


def channel_of(shape: Sequence[int], channel_dim: int) -> int:
    """channel_dim counted from the first dimension."""
    try:
        return integer("channel_dim", channel_dim, -len(shape), len(shape) - 1) % len(shape)
    except InvalidArgumentError:
        raise InvalidArgumentError(f"channel_dim is {channel_dim!r}; expected a dimension of x, whose shape is "
                                   f"{tuple(shape)}") from None


def operation_of(shape: Sequence[int], table_shapes: Sequence[Sequence[int] | None], form: Form, channel_dim: int,
                 dtype: Dtype, output_dtype: Dtype | None = None, prologue: Prologue = "none",
                 epsilon: float = 0.0) -> Operation:
    """The operation on a contiguous tensor of a shape, its channels at channel_dim. A prologue's table that is not
    there has None for a shape."""
    coefficients = [table or () for table in table_shapes[:len(TABLES)]]
    for name, table in zip(TABLES, coefficients):
        check_table(name, table)
    channel, groups = channel_of(shape, channel_dim), max(table[0] for table in coefficients)
    if groups > shape[channel] > 0:
        raise InvalidArgumentError(f"groups is {groups}; expected 1 to {shape[channel]}, the channels of x")
    scopes = [scope_of(name, table[0], groups) for name, table in zip(TABLES, coefficients)]
    has = {}
    for name, of_channels in zip(PROLOGUE_TABLES[prologue], table_shapes[len(TABLES):]):
        has[name] = of_channels is not None
        if of_channels is not None:
            check_channel_table(name, of_channels, shape[channel])
    numerator, denominator = coefficients
    return Operation(
        outer=math.prod(shape[:channel]), channels=shape[channel], inner=math.prod(shape[channel + 1:]), groups=groups,
        numerator_degree=numerator[1] - 1,
        denominator_degree=denominator[1] - (1 if form == "abs_sum_offset" else 0),
        form=form, dtype=dtype, output_dtype=output_dtype, numerator_scope=scopes[0], denominator_scope=scopes[1],
        prologue=prologue, epsilon=float(epsilon), has_scale=has.get("scale", False), has_shift=has.get("shift", False))
