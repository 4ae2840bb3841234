# SPDX-License-Identifier: Apache-2.0
"""What the report says in tables: rows of text, which the page and Markdown both show."""

import dataclasses
import re
from typing import Any

from . import documents


@dataclasses.dataclass
class Table:
    title: str
    note: str
    headings: list
    rows: list

    def numeric_columns(self):
        """Whether each column holds numbers, with their units: those are aligned at the right."""
        columns = [[str(cell) for cell in column if cell != ""] for column in zip(*self.rows)]
        return [bool(column) and all(map(_NUMBER.match, column)) for column in columns]


_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?( ms,.*| × \d.*)?$")


def _number(value, digits=3):
    """Three digits, without an exponent where a person can read it."""
    if value == 0:
        return "0"
    if 100 <= abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.{digits}g}" if 1e-4 <= abs(value) < 100 else f"{value:.{digits - 1}e}"


def shape(operation):
    rows, channels, inner = operation["outer"], operation["channels"], operation["inner"]
    return f"{rows} × {channels}" + (f" × {inner}" if inner != 1 else "")


def kind_of(document):
    return "Training" if document.content["schema"].startswith("grkan-train") else "Inference"


def device_of(document):
    """What a file of whole models was measured on."""
    machine = document.content["machine"]
    return machine.get("device", f"{machine['architecture']}, {machine['cores']} cores")


_MODELS = {"vit": "ViT", "kat": "KAT with grkan", "kat-gelu": "KAT with GELU", "kat-eager": "KAT with the formula",
           "flashkat": "FlashKAT", "kat-published": "KAT as published"}


def model_name(name):
    return _MODELS.get(name, name)


def setting(row):
    """What a row of a file of whole models was measured with."""
    mode = row.get("mode") or ("CUDA graphs" if row.get("cuda_graphs") else
                               "compiled" if row.get("compile") else "eager")
    return f"{row['size']}, batch {row['batch']}, {mode}{', one core' if row.get('one_core') else ''}"


def machines(read):
    headings = ["file", "machine", "system", "device", "driver", "copy GB/s", "grkan", "date"]
    rows = []
    for number, document in enumerate(read):
        content = document.content
        machine = content["machine"]
        name = f"{documents.letter(number)}: {document.name}"
        date = content["date"].replace("T", " ").rstrip("Z")
        if not document.devices:
            commit = content.get("grkan", {}).get("commit", "") if isinstance(content.get("grkan"), dict) else ""
            rows.append([name, f"{machine['architecture']}, {machine['cores']} cores", "", machine.get("device", "cpu"),
                         f"torch {machine['torch']}", "", commit, date])
            continue
        memory = machine["memory_bytes"] / 2**30
        for device in document.devices:
            properties = device.properties
            copy = properties.get("copy_gb_per_s")
            rows.append([name, f"{machine['cpu']}, {machine['cores']} cores, {memory:.0f} GiB",
                         f"{machine['os']}, {machine['kernel']}", f"{device.label} ({properties['device']})",
                         properties["driver"], _number(copy) if copy else "", content["grkan"]["commit"], date])
    return Table("Machines", "", headings, rows)


def models(read):
    """Whole models: images per second, and beside the ViT of the same run."""
    rows = []
    for document in read:
        for row in document.results:
            start = [kind_of(document), device_of(document), setting(row), model_name(row["model"])]
            if "images_per_second" not in row:
                rows.append([*start, "", "", row.get("failed", row.get("absent"))])
                continue
            ratio, peak = row.get("ratio_to_vit"), row.get("peak_bytes")
            rows.append([*start, f"{row['images_per_second']['median']:.1f}", f"{ratio:.3f}" if ratio else "",
                         f"{peak / 2**30:.2f}" if peak else ""])
    return Table("Models", "Images per second, alternated in one process; medians.",
                 ["what", "device", "size", "model", "images/s", "of the ViT's", "peak GiB"], rows)


def is_plain(case):
    """One call of what a user gets: the tree with the promise that is the default."""
    return (case["determinism"] == "run_to_run" and case["strategy"] in ("tree", "auto") and
            case.get("arithmetic", 1) == 1 and "implementation" not in case)


def _layer(case):
    operation = case["operation"]
    degrees = operation["numerator_degree"], operation["denominator_degree"]
    return (operation["outer"], operation["channels"], operation["inner"], operation["groups"], degrees,
            operation["denominator"], case["dtype"], case["pass"])


def layers(devices):
    """Milliseconds of each layer on each device, the part of the copy's speed, and how it compares to the fastest."""
    found: dict[Any, dict[str, Any]] = {}
    labels = []
    for device in devices:
        for case in filter(is_plain, device.cases()):
            found.setdefault(_layer(case), {}).setdefault(device.label, case)
            if device.label not in labels:
                labels.append(device.label)
    rows = []
    for key in sorted(found):
        cases = found[key]
        fastest = min(case["milliseconds"]["median"] for case in cases.values())
        cells = []
        for label in labels:
            case = cases.get(label)
            cells.append("" if case is None else
                         f"{_number(case['milliseconds']['median'])} ms, {case['fraction_of_copy']:.2f} of copy, "
                         f"{case['milliseconds']['median'] / fastest:.2f} ×")
        one = next(iter(cases.values()))
        rows.append([shape(one["operation"]), one["dtype"], one["pass"], *cells])
    return Table("Layers", "Median time; the speed in necessary bytes over that of a copy on the same device; and the "
                 "time over that of the fastest device in the row.", ["rows × channels", "type", "pass", *labels], rows)


def over_grkan(device):
    """Each case of a run of several implementations, with its time over grkan's in the same run, if that is there."""
    measured = device.peers()
    own = {_layer(case): case["milliseconds"]["median"] for case in measured if case["implementation"] == "grkan"}
    for case in measured:
        grkan = own.get(_layer(case))
        yield case, grkan and case["milliseconds"]["median"] / grkan


def peers(devices):
    """Every implementation of a run beside grkan in the same run."""
    rows = [[device.label, shape(case["operation"]), case["dtype"], case["pass"].replace("_", " "),
             case["implementation"], _number(case["milliseconds"]["median"]), f"{ratio:.2f}" if ratio else ""]
            for device in devices for case, ratio in over_grkan(device)]
    return Table("Peers", "Alternated in one process; medians. The last column is the time over grkan's.",
                 ["device", "rows × channels", "type", "pass", "implementation", "ms", "over grkan"], rows)


def ladder(devices):
    rows = [[device.label, shape(case["operation"]), case["dtype"], case["strategy"],
             _number(case["milliseconds"]["median"]), _number(case["atomics"]), _number(case["bytes"] / 1e6),
             str(case["launches"])] for device in devices for case in device.cases("ladder")]
    return Table("The ladder", "Backward with each strategy: float atomics, necessary megabytes and kernel launches of "
                 "one call.",
                 ["device", "rows × channels", "type", "strategy", "ms", "atomics", "MB", "launches"], rows)


def determinism(devices):
    rows = []
    for device in devices:
        cases = list(device.cases("determinism"))
        base = {(case["dtype"], case["pass"]): case["milliseconds"]["median"] for case in cases
                if case["determinism"] == "run_to_run"}
        for case in cases:
            own, usual = case["milliseconds"]["median"], base.get((case["dtype"], case["pass"]))
            rows.append([device.label, case["dtype"], case["pass"], case["determinism"], case["strategy"],
                         _number(own), f"{own / usual:.3f}" if usual else ""])
    return Table("The price of determinism", "With no promise the strategy is the one that the cost model picks.",
                 ["device", "type", "pass", "promise", "strategy", "ms", "over run_to_run"], rows)


def errors(devices):
    rows = []
    for device in devices:
        for case in device.errors():
            for gradient in ("numerator", "denominator"):
                error = case[gradient]
                rows.append([device.label, shape(case["operation"]), case["dtype"], case["strategy"],
                             case["determinism"], gradient, f"{error['mean_absolute']:.2e}", f"{error['relative']:.2e}",
                             f"{error['largest_relative']:.2e}", _number(error["of_bound"], 2)])
    return Table("Rounding errors of the coefficient gradients", "Against exact sums, over 10 seeds: mean absolute "
                 "error; norm of the error over norm of the gradient, mean and largest; the largest error as a part of "
                 "its bound.", ["device", "rows × channels", "type", "strategy", "promise", "gradient",
                                "mean absolute", "relative", "largest", "of bound"], rows)


def predictions(devices):
    """The model predicts what a device does at its best, so the least of the samples is shown beside the median."""
    rows = []
    for device in devices:
        cases = [case for case in filter(is_plain, device.cases()) if "predicted_milliseconds" in case]
        for which in ("median", "min") if cases else ():
            ratios = sorted(case["predicted_milliseconds"] / case["milliseconds"][which] for case in cases)
            within = [sum(abs(ratio - 1) <= part for ratio in ratios) for part in (0.15, 0.30)]
            rows.append([device.label, {"median": "median", "min": "least"}[which], str(len(ratios)),
                         f"{ratios[len(ratios) // 2]:.2f}", f"{ratios[0]:.2f}", f"{ratios[-1]:.2f}", *map(str, within)])
    return Table("Predicted over measured", "For the layers above, over the median and over the least of the samples.",
                 ["device", "over the", "cases", "median", "least", "largest", "within 15 %", "within 30 %"], rows)


def unsupported(devices):
    rows = [[device.label, case.get("implementation", "grkan"), case["dtype"], case["strategy"], case["determinism"],
             case["unsupported"]]
            for device in devices for case in device.properties["cases"] if "unsupported" in case]
    return Table("What did not run", "", ["device", "implementation", "type", "strategy", "promise", "reason"], rows)


def all_tables(read):
    """Every table that has rows."""
    devices = [device for document in read for device in document.devices]
    tables = [machines(read), models(read)] + [make(devices) for make in (layers, predictions, ladder, determinism,
                                                                          errors, peers, unsupported)]
    return [table for table in tables if table.rows]
