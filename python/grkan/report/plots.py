# SPDX-License-Identifier: Apache-2.0
"""The plots of the report, as SVG that stands in the page itself."""

import io
from typing import Any

import matplotlib

matplotlib.use("svg")  # before pyplot chooses
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "grkan", "font.family": "sans-serif", "font.size": 10, "axes.grid": True,
    "grid.alpha": 0.3, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "figure.constrained_layout.use": True})

_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"]  # Okabe and Ito
_MARKERS = "osD^vPX*"
_WIDTH = 10.5
_PASSES = ("forward", "backward")
_STRATEGIES = ("element", "block", "tree")
_EVERYWHERE = "tree, device_to_device"


def plain_text(text):
    """As matplotlib takes it: $ begins a formula, and a label that begins with _ is left out of legends."""
    text = "".join(one if one.isprintable() else "\ufffd" for one in text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _label(device):
    return plain_text(device.label)


def colour(number):
    return _COLOURS[number % len(_COLOURS)]


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
    plt.close(figure)
    text = stream.getvalue()
    return text[text.index("<svg"):]


def make_panels(count, height=3.2, columns=2, **options):
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(_WIDTH, height * rows), squeeze=False, **options)
    flat = list(axes.flat)
    for ax in flat[count:]:
        ax.remove()
    return figure, flat[:count]


def _plain_log(axis):
    """Powers and halves of ten as plain numbers."""
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _types(devices, part):
    found = {case["dtype"] for device in devices for case in device.cases(part)}
    return [dtype for dtype in ("f32", "f16", "bf16", "f64") if dtype in found]


def _plain_cases(device):
    return [case for case in device.cases()
            if case["determinism"] == "run_to_run" and case.get("arithmetic", 1) == 1
            and case["strategy"] in ("tree", "auto") and case["pass"] in _PASSES]


def fraction_of_copy(devices):
    """Bars by channels, a panel for each type and pass."""
    cases = {device.label: _plain_cases(device) for device in devices}
    panels = sorted({(case["dtype"], case["pass"]) for own in cases.values() for case in own},
                    key=lambda panel: (panel[0] != "f32", panel[0], _PASSES.index(panel[1])))
    if not panels:
        return None
    figure, axes = make_panels(len(panels), sharey=True)
    for ax, (dtype, one_pass) in zip(axes, panels):
        _copy_panel(ax, devices, cases, dtype, one_pass)
    return make_svg(figure, axes)


def _copy_panel(ax, devices, cases, dtype, one_pass):
    own = {label: {case["operation"]["channels"]: case["fraction_of_copy"] for case in reversed(found)
                   if (case["dtype"], case["pass"]) == (dtype, one_pass)} for label, found in cases.items()}
    channels = sorted({number for found in own.values() for number in found})
    shown = [device for device in devices if own[device.label]]
    width = 0.8 / max(1, len(shown))
    for place, device in enumerate(shown):
        number = devices.index(device)
        xs = [i + (place - (len(shown) - 1) / 2) * width for i, c in enumerate(channels) if c in own[device.label]]
        ys = [own[device.label][c] for c in channels if c in own[device.label]]
        ax.bar(xs, ys, width * 0.9, color=colour(number), label=_label(device))
    ax.axhline(1, color="black", linewidth=0.8)
    ax.set_xticks(range(len(channels)), [str(c) for c in channels])
    ax.set_title(f"{one_pass}, {dtype}")
    ax.set_xlabel("channels")
    ax.set_ylabel("fraction of copy")


def arithmetic(devices):
    """How time grows with the arithmetic of an element."""
    dtypes = _types(devices, "arithmetic")
    if not dtypes:
        return None
    panels = [(dtype, one_pass) for dtype in dtypes for one_pass in _PASSES]
    figure, axes = make_panels(len(panels), sharey=True)
    for ax, (dtype, one_pass) in zip(axes, panels):
        for number, device in enumerate(devices):
            times = {case["arithmetic"]: case["milliseconds"]["median"] for case in device.cases("arithmetic")
                     if (case["dtype"], case["pass"]) == (dtype, one_pass)}
            if 1 in times:
                xs = sorted(times)
                ax.plot(xs, [times[x] / times[1] for x in xs], marker=_MARKERS[number % 8], color=colour(number),
                        label=_label(device))
        ax.plot([1, 8], [1, 8], color="black", linewidth=0.8, linestyle=":", label="bound by arithmetic")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log", base=2)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_title(f"{one_pass}, {dtype}")
        ax.set_xlabel("times the arithmetic")
        ax.set_ylabel("times the time")
    return make_svg(figure, axes)


def ladder(devices):
    """Bars by strategy on a scale of powers of ten."""
    dtypes = _types(devices, "ladder")
    if not dtypes:
        return None
    figure, axes = make_panels(len(dtypes), sharey=True)
    for ax, dtype in zip(axes, dtypes):
        shown = [device for device in devices if any(case["dtype"] == dtype for case in device.cases("ladder"))]
        width = 0.8 / len(shown)
        for place, device in enumerate(shown):
            times = {case["strategy"]: case["milliseconds"]["median"] for case in device.cases("ladder")
                     if case["dtype"] == dtype}
            xs = [i + (place - (len(shown) - 1) / 2) * width for i, s in enumerate(_STRATEGIES) if s in times]
            bars = ax.bar(xs, [times[s] for s in _STRATEGIES if s in times], width * 0.9,
                          color=colour(devices.index(device)), label=_label(device))
            ax.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
        ax.set_yscale("log")
        ax.margins(y=0.15)
        _plain_log(ax.yaxis)
        ax.set_xticks(range(len(_STRATEGIES)), _STRATEGIES)
        ax.set_title(f"backward, {dtype}")
        ax.set_ylabel("ms")
    return make_svg(figure, axes)


_GROWTH = (("sizes", "elements", lambda o: o["outer"] * o["channels"] * o["inner"]),
           ("groups", "groups", lambda o: o["groups"]),
           ("degrees", "degree of the numerator", lambda o: o["numerator_degree"]))


def growth(devices):
    """Time over sizes, groups and degrees: measured with markers, predicted as dotted lines."""
    parts = [part for part in _GROWTH if _types(devices, part[0])]
    if not parts:
        return None
    panels = [(part, one_pass) for part in parts for one_pass in _PASSES]
    figure, axes = make_panels(len(panels))
    for ax, ((name, axis_label, of), one_pass) in zip(axes, panels):
        for number, device in enumerate(devices):
            cases = sorted((case for case in device.cases(name) if case["pass"] == one_pass),
                           key=lambda case: of(case["operation"]))
            if not cases:
                continue
            xs = [of(case["operation"]) for case in cases]
            ax.plot(xs, [case["milliseconds"]["median"] for case in cases], marker=_MARKERS[number % 8], markersize=4,
                    color=colour(number), label=_label(device))
            ax.plot(xs, [case["predicted_milliseconds"] for case in cases], color=colour(number), linestyle=":")
        if name != "degrees":
            ax.set_xscale("log", base=10 if name == "sizes" else 2)
        if name == "groups":
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_yscale("log")
        _plain_log(ax.yaxis)
        ax.set_title(f"{one_pass}, f32")
        ax.set_xlabel(axis_label)
        ax.set_ylabel("ms")
    return make_svg(figure, axes)


def errors(devices):
    """Relative errors by strategy, a panel for each type: the numerator's and the denominator's beside each other."""
    found = {case["dtype"] for device in devices for case in device.errors()}
    dtypes = [dtype for dtype in ("f32", "f16", "bf16", "f64") if dtype in found]
    if not dtypes:
        return None
    kinds = (*_STRATEGIES, _EVERYWHERE)
    figure, axes = make_panels(len(dtypes))
    for ax, dtype in zip(axes, dtypes):
        for number, device in enumerate(devices):
            for case in device.errors():
                if case["dtype"] != dtype:
                    continue
                kind = _EVERYWHERE if case["determinism"] == "device_to_device" else case["strategy"]
                if kind not in kinds:
                    continue
                place = kinds.index(kind) + (number - (len(devices) - 1) / 2) * 0.8 / len(devices)
                for gradient, offset, filled in (("numerator", -0.03, True), ("denominator", 0.03, False)):
                    ax.plot(place + offset, case[gradient]["relative"], marker=_MARKERS[number % 8], linestyle="none",
                            color=colour(number), fillstyle="full" if filled else "none",
                            label=f"{_label(device)}: {'da' if filled else 'db'}")
        ax.set_yscale("log")
        ax.set_xlim(-0.5, len(kinds) - 0.5)
        ax.set_xticks(range(len(kinds)), [kind.replace(", ", ",\n") for kind in kinds])
        ax.set_title(dtype)
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
    for number, device in enumerate(devices):
        if points[device.label]:
            ax.plot(*zip(*points[device.label]), marker=_MARKERS[number % 8], markersize=4, linestyle="none",
                    color=colour(number), alpha=0.7, label=_label(device))
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
    dtypes = _types(devices, "determinism")
    if not dtypes:
        return None
    panels = [(dtype, one_pass) for dtype in dtypes for one_pass in _PASSES]
    figure, axes = make_panels(len(panels), height=2.8, sharey=True)
    for ax, (dtype, one_pass) in zip(axes, panels):
        own = [{case["determinism"]: case["milliseconds"]["median"] for case in device.cases("determinism")
                if (case["dtype"], case["pass"]) == (dtype, one_pass)} for device in devices]
        shown = [number for number, times in enumerate(own) if "run_to_run" in times]
        width = 0.8 / max(1, len(shown))
        for place, number in enumerate(shown):
            times = own[number]
            xs = [i + (place - (len(shown) - 1) / 2) * width for i, level in enumerate(levels) if level in times]
            ax.bar(xs, [times[level] / times["run_to_run"] for level in levels if level in times], width * 0.9,
                   color=colour(number), label=_label(devices[number]))
        ax.axhline(1, color="black", linewidth=0.8)
        ax.set_xticks(range(len(levels)), levels)
        ax.set_title(f"{one_pass}, {dtype}")
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
        svg = draw(devices)
        if svg is not None:
            yield title, note, svg
