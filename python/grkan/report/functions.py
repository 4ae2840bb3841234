# SPDX-License-Identifier: Apache-2.0
"""Learned functions as a drawing: a panel for each layer, a line for each group, and in grey what they were before."""

from __future__ import annotations

import dataclasses

import numpy

from .. import _output
from .._arrays import forward
from .._names import Form
from . import plots

SAMPLES = 401
_MOST_NAMED = 8  # groups that have a colour and a name each; more are a range of colours


@dataclasses.dataclass(frozen=True)
class Layer:
    """Tables of one layer in f64, [1 or groups, width] each, now and before; before is None where it is not known."""

    name: str
    form: Form
    now: tuple[numpy.ndarray, numpy.ndarray]
    before: tuple[numpy.ndarray, numpy.ndarray] | None


class Drawing:
    """An SVG, which a notebook shows."""

    def __init__(self, svg: str):
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str) -> None:
        """Write it to a file; "-" is the standard output. OSError if it cannot be written."""
        _output.write(path, self.svg)


def values(tables: tuple[numpy.ndarray, numpy.ndarray], form: Form, x: numpy.ndarray) -> numpy.ndarray:
    """F(x) of each group, [groups, points]."""
    groups = max(map(len, tables))
    columns = numpy.repeat(x[:, None], groups, axis=1)
    return forward(columns, *tables, form=form).T


def _panel(ax, layer, x, before_label, band):
    now = values(layer.now, layer.form, x)
    named = len(now) <= _MOST_NAMED
    if layer.before is not None:
        before = values(layer.before, layer.form, x)
        if len(before) == 1 or numpy.ptp(before, axis=0).max() == 0:
            ax.plot(x, before[0], color="#d4d4d4", linewidth=band, label=before_label)
        else:
            for group, y in enumerate(before):
                ax.plot(x, y, color=plots.shade(group, len(now), named), linewidth=1, linestyle=":",
                        label=before_label if group == 0 else None)
    for group, y in enumerate(now):
        label = f"group {group}" if named and len(now) > 1 else "now" if group == 0 and len(now) == 1 else None
        ax.plot(x, y, color=plots.shade(group, len(now), named), linewidth=1.5 if named else 0.8, label=label)
    ax.set_title(plots.plain_text(layer.name) + ("" if named else f", {len(now)} groups from dark to light"))


@plots.styled
def draw(layers: list[Layer], interval: tuple[float, float] = (-3.0, 3.0), before_label: str = "at first") -> Drawing:
    """The drawing of some layers."""
    x = numpy.linspace(*interval, SAMPLES)
    columns = 1 if len(layers) == 1 else 2 if len(layers) <= 4 else 4
    figure, axes = plots.make_panels(len(layers), height=4.2 if columns == 1 else 3.2 if columns == 2 else 2.2,
                                     columns=columns)
    for ax, layer in zip(axes, layers):
        _panel(ax, layer, x, before_label, 6 if columns < 4 else 4)
    return Drawing(plots.make_svg(figure, axes))
