# SPDX-License-Identifier: Apache-2.0
"""The plots of the report, as SVG that stands in the page itself."""

import io
import math
from typing import Any

import matplotlib
from matplotlib.figure import Figure  # not pyplot, whose figures and backend are the caller's
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# A decorator: what is drawn within a function has the settings below, and the caller keeps its own.
styled = matplotlib.rc_context({
    "svg.fonttype": "none", "svg.hashsalt": "grkan", "font.family": "sans-serif", "font.size": 10, "axes.grid": True,
    "grid.alpha": 0.3, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "figure.constrained_layout.use": True})

_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"]  # Okabe and Ito
_MARKERS = "osD^vPX*"
_HATCHES = ("", "///", "...", "xxx")
_LINES = ("-", "--", "-.")
_WIDTH = 10.5
_MOST_PANELS = 24  # of one plot; the tables have everything
_PASSES = ("forward", "backward")
_DTYPES = ("f32", "f16", "bf16", "f64")
_STRATEGIES = ("element", "block", "tree")
_EVERYWHERE = "tree, device_to_device"


def plain_text(text):
    """As matplotlib takes it: $ begins a formula, and a label that begins with _ is left out of legends."""
    text = "".join(one if one.isprintable() else "\ufffd" for one in text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def colour(number):
    return _COLOURS[number % len(_COLOURS)]


def shade(number, count, is_named=True):
    """The colour of one of several: its own, or of a range from dark to light."""
    return colour(number) if is_named else matplotlib.colormaps["viridis"](0.95 * number / max(1, count - 1))


def _legend(figure, axes):
    """One legend below all axes, each label once."""
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    if handles:
        place = {"loc": "outside lower center"} if _has_outside() else {"loc": "lower center",
                                                                        "bbox_to_anchor": (0.5, 1.0)}
        figure.legend(handles.values(), handles.keys(), ncol=2 if max(map(len, handles)) > 30 else 4, **place)


def _has_outside():
    """Legends outside of constrained axes came with matplotlib 3.7; before, the legend goes above the axes."""
    return tuple(int(part) for part in matplotlib.__version__.split(".")[:2]) >= (3, 7)


def make_svg(figure, axes):
    _legend(figure, axes)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg"):]


def make_panels(count, height=3.2, columns=2, **options):
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTH, height * rows))
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    flat = list(axes.flat)
    for ax in flat[count:]:
        ax.remove()
    return figure, flat[:count]


def _scale_of_times(ax):
    """Powers of ten where times are that far apart, else from 0: a part of a decade would have no number beside it."""
    low, high = ax.dataLim.intervaly
    if high > 8 * low:
        ax.set_yscale("log")
        _plain_log(ax.yaxis)
    else:
        ax.set_ylim(0, 1.1 * high)


def _plain_log(axis):
    """Powers and halves of ten as plain numbers."""
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


class _Look:
    """How a device is drawn: all of one GPU have its colour. Backends differ in hatches and lines, what is measured
    again is paler, and each has a marker of its own."""

    def __init__(self, device, number, gpu, backend, again):
        self.label, self.colour, self.marker = plain_text(device.label), colour(gpu), _MARKERS[number % len(_MARKERS)]
        self.hatch, self.line, self.alpha = _HATCHES[backend % len(_HATCHES)], _LINES[backend % len(_LINES)], 0.6**again

    def bars(self):
        return {"color": self.colour, "hatch": self.hatch, "edgecolor": "white", "linewidth": 0, "alpha": self.alpha,
                "label": self.label}

    def points(self):
        return {"color": self.colour, "marker": self.marker, "linestyle": "none"}

    def lines(self):
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line, "label": self.label}


def _looks(devices):
    """One for each device."""
    gpus: dict[str, Any] = {}  # name of a GPU -> its number, and name of a backend -> [its number, devices so far]
    looks = []
    for number, device in enumerate(devices):
        gpu, backends = gpus.setdefault(device.properties["name"], (len(gpus), {}))
        backend = backends.setdefault(device.properties["backend"], [len(backends), 0])
        looks.append(_Look(device, number, gpu, *backend))
        backend[1] += 1
    return looks


def _size(case, free):
    """What two cases must have in common to stand on one axis: all of the operation but what is free there."""
    operation = case["operation"]
    return tuple((name, operation[name]) for name in ("outer", "channels", "inner", "groups", "numerator_degree",
                                                      "denominator_degree", "denominator") if name not in free)


def _words(size):
    """A size for a title; what KAT's layers have goes without saying."""
    size = dict(size)
    parts = [str(size[name]) for name in ("outer", "channels", "inner")
             if name in size and (name, size[name]) != ("inner", 1)]
    words = " × ".join(parts)
    if "channels" not in size:
        words += " rows"
    elif "outer" not in size:
        words += " channels"
    if size.get("groups", 8) != 8:
        words += f", {size['groups']} groups"
    degrees = size.get("numerator_degree", 5), size.get("denominator_degree", 4)
    if degrees != (5, 4):
        words += f", degrees {degrees}"
    return words if size["denominator"] == "abs_terms" else f"{words}, {size['denominator']}"


def _order(dtype, one_pass, size):
    """By type, pass and size; numbers as numbers."""
    return (_DTYPES.index(dtype), (*_PASSES, "forward_and_backward").index(one_pass),
            [str(value).rjust(20) for _, value in size])


def _panels(devices, cases_of, free=()):
    """(type, pass, size) -> number of a device -> its cases: only cases of like size share an axis."""
    found: dict[Any, dict[int, list]] = {}
    for number, device in enumerate(devices):
        for case in cases_of(device):
            found.setdefault((case["dtype"], case["pass"], _size(case, free)), {}).setdefault(number, []).append(case)
    return {key: found[key] for key in sorted(found, key=lambda key: _order(*key))[:_MOST_PANELS]}


def _title(ax, dtype, one_pass, size):
    ax.set_title(plain_text(f"{one_pass.replace('_', ' ')}, {dtype}, {_words(size)}"), fontsize=10)


def _bars(ax, looks, own, places, has_values=False):
    """Bars beside each other: own has for each device's number {place: height}."""
    width = 0.8 / max(1, len(own))
    for order, (number, heights) in enumerate(own.items()):
        xs = [i + (order - (len(own) - 1) / 2) * width for i, place in enumerate(places) if place in heights]
        bars = ax.bar(xs, [heights[place] for place in places if place in heights], width * 0.9, **looks[number].bars())
        if has_values:
            ax.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    ax.set_xticks(range(len(places)), [str(place) for place in places])


def _plain_cases(device):
    return [case for case in device.cases()
            if case["determinism"] == "run_to_run" and case.get("arithmetic", 1) == 1
            and case["strategy"] in ("tree", "auto") and case["pass"] in _PASSES]


def fraction_of_copy(devices):
    """Bars by channels, a panel for each type, pass and number of rows."""
    panels, looks = _panels(devices, _plain_cases, ("channels",)), _looks(devices)
    if not panels:
        return None
    figure, axes = make_panels(len(panels), sharey=True)
    for ax, (key, cases) in zip(axes, panels.items()):
        own = {number: {case["operation"]["channels"]: case["fraction_of_copy"] for case in reversed(found)}
               for number, found in cases.items()}
        _bars(ax, looks, own, sorted({channels for heights in own.values() for channels in heights}))
        ax.axhline(1, color="black", linewidth=0.8)
        _title(ax, *key)
        ax.set_xlabel("channels")
        ax.set_ylabel("fraction of copy")
    return make_svg(figure, axes)


def arithmetic(devices):
    """How time grows with the arithmetic of an element."""
    panels, looks = _panels(devices, lambda device: device.cases("arithmetic")), _looks(devices)
    if not panels:
        return None
    figure, axes = make_panels(len(panels), sharey=True)
    for ax, (key, cases) in zip(axes, panels.items()):
        for number, found in cases.items():
            times = {case["arithmetic"]: case["milliseconds"]["median"] for case in found if "arithmetic" in case}
            if 1 in times:
                xs = sorted(times)
                ax.plot(xs, [times[x] / times[1] for x in xs], **looks[number].lines())
        ax.plot([1, 8], [1, 8], color="black", linewidth=0.8, linestyle=":", label="bound by arithmetic")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _title(ax, *key)
        ax.set_xlabel("times the arithmetic")
        ax.set_ylabel("times the time")
    return make_svg(figure, axes)


def ladder(devices):
    """Bars by strategy on a scale of powers of ten."""
    panels, looks = _panels(devices, lambda device: device.cases("ladder")), _looks(devices)
    if not panels:
        return None
    figure, axes = make_panels(len(panels))
    for ax, (key, cases) in zip(axes, panels.items()):
        _bars(ax, looks, {number: {case["strategy"]: case["milliseconds"]["median"] for case in found}
                          for number, found in cases.items()}, _STRATEGIES, has_values=True)
        ax.set_yscale("log")
        ax.margins(y=0.15)
        _plain_log(ax.yaxis)
        _title(ax, *key)
        ax.set_ylabel("ms")
    return make_svg(figure, axes)


# Part of a study, what its axis shows, what of the operation differs along it, and the place on the axis.
_GROWTH = (("sizes", "elements", ("outer", "inner"), lambda o: o["outer"] * o["channels"] * o["inner"]),
           ("groups", "groups", ("groups",), lambda o: o["groups"]),
           ("degrees", "degree of the numerator", ("numerator_degree", "denominator_degree"),
            lambda o: o["numerator_degree"]))


def growth(devices):
    """Time over sizes, groups and degrees: measured with markers, predicted as dotted lines."""
    looks = _looks(devices)
    panels = [(part, key, cases) for part in _GROWTH
              for key, cases in _panels(devices, lambda device, part=part: device.cases(part[0]), part[2]).items()]
    panels = panels[:_MOST_PANELS]
    if not panels:
        return None
    figure, axes = make_panels(len(panels))
    for ax, ((name, axis_label, _, of), key, cases) in zip(axes, panels):
        for number, found in cases.items():
            found = sorted(found, key=lambda case: of(case["operation"]))
            xs = [of(case["operation"]) for case in found]
            ax.plot(xs, [case["milliseconds"]["median"] for case in found], markersize=4, **looks[number].lines())
            ax.plot(xs, [case.get("predicted_milliseconds", math.nan) for case in found], color=looks[number].colour,
                    linestyle=":")
        if name != "degrees":
            ax.set_xscale("log", base=10 if name == "sizes" else 2)
        if name == "groups":
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _scale_of_times(ax)
        _title(ax, *key)
        ax.set_xlabel(axis_label)
        ax.set_ylabel("ms")
    return make_svg(figure, axes)


def errors(devices):
    """Relative errors by strategy, a panel for each type and size: the numerator's and the denominator's beside each
    other."""
    panels = _panels(devices, lambda device: [{"pass": "backward", **case} for case in device.errors()])
    looks = _looks(devices)
    if not panels:
        return None
    kinds = (*_STRATEGIES, _EVERYWHERE)
    figure, axes = make_panels(len(panels))
    for ax, (key, cases) in zip(axes, panels.items()):
        for order, (number, found) in enumerate(cases.items()):
            for case in found:
                kind = _EVERYWHERE if case["determinism"] == "device_to_device" else case["strategy"]
                if kind not in kinds:
                    continue
                place = kinds.index(kind) + (order - (len(cases) - 1) / 2) * 0.8 / len(cases)
                for gradient, offset, filled in (("numerator", -0.03, True), ("denominator", 0.03, False)):
                    ax.plot(place + offset, case[gradient]["relative"], fillstyle="full" if filled else "none",
                            label=f"{looks[number].label}: {'da' if filled else 'db'}", **looks[number].points())
        ax.set_yscale("log")
        ax.set_xlim(-0.5, len(kinds) - 0.5)
        ax.set_xticks(range(len(kinds)), [kind.replace(", ", ",\n") for kind in kinds])
        _title(ax, *key)
        ax.set_ylabel("relative error")
    return make_svg(figure, axes)


def predicted(devices):
    """Predicted against measured, all cases of grkan, with a band of 15 %."""
    points = {device.label: [(case["milliseconds"]["median"], case["predicted_milliseconds"])
                             for case in device.all_cases() if case.get("predicted_milliseconds")]
              for device in devices}
    everything = [number for pairs in points.values() for pair in pairs for number in pair]
    if not everything:
        return None
    figure, (ax,) = make_panels(1, height=5.5, columns=1)
    low, high = min(everything) / 1.5, max(everything) * 1.5
    ax.fill_between([low, high], [0.85 * low, 0.85 * high], [1.15 * low, 1.15 * high], color="#cccccc", linewidth=0,
                    label="within 15 %")
    for device, look in zip(devices, _looks(devices)):
        if points[device.label]:
            ax.plot(*zip(*points[device.label]), markersize=4, alpha=0.7, label=look.label, **look.points())
    for axis, scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        scale("log")
        _plain_log(axis)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_xlabel("measured ms")
    ax.set_ylabel("predicted ms")
    return make_svg(figure, [ax])


def determinism(devices):
    """Time of each promise over that of run_to_run."""
    levels = ("none", "run_to_run", "device_to_device")
    panels, looks = _panels(devices, lambda device: device.cases("determinism")), _looks(devices)
    if not panels:
        return None
    figure, axes = make_panels(len(panels), height=2.8, sharey=True)
    for ax, (key, cases) in zip(axes, panels.items()):
        own = {number: {case["determinism"]: case["milliseconds"]["median"] for case in found}
               for number, found in cases.items()}
        _bars(ax, looks, {number: {level: time / times["run_to_run"] for level, time in times.items()}
                          for number, times in own.items() if "run_to_run" in times}, levels)
        ax.axhline(1, color="black", linewidth=0.8)
        _title(ax, *key)
        ax.set_ylabel("over run_to_run")
    return make_svg(figure, axes)


def all_plots(devices):
    """Title, explanation and SVG of every plot that has something to show."""
    plots = (
        ("Fraction of the copy's speed", "Necessary bytes per second over those of a copy on the same device; the "
         "layers of KAT.", fraction_of_copy),
        ("More arithmetic", "The arithmetic of each element done 1, 2, 4 and 8 times. Flat: bound by memory. Along "
         "the dotted line: bound by arithmetic.", arithmetic),
        ("The ladder", "Milliseconds of backward: every element adds atomically; every block does; a tree without "
         "atomics.", ladder),
        ("Growth", "Time over the size of the tensor, the number of groups and the degrees. Dotted: predicted.",
         growth),
        ("Rounding errors by strategy", "Norm of the error over norm of the gradient, mean of 10 seeds; filled: "
         "numerator, open: denominator.", errors),
        ("The price of determinism", "", determinism),
        ("Predicted against measured", "Every case of every file; the grey band is 15 % wide to either side.",
         predicted))
    for title, note, draw in plots:
        svg = styled(draw)(devices)
        if svg is not None:
            yield title, note, svg
