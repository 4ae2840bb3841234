# SPDX-License-Identifier: Apache-2.0
"""What was found, in sentences: the first thing that a reader of the report sees.

There is one for each subject, over all files.
"""

import statistics
from typing import Any

from . import tables

_PASSES = {"forward_and_backward": "forward and backward", "backward": "backward", "forward": "forward"}  # most first


def _span(values, digits=2):
    """Of numbers: one if all look the same, else from the least to the largest."""
    low, high = (f"{value:.{digits}f}" if value < 100 else f"{value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _ratios(device, part, name, over):
    """name -> its times over those of another value of the same key, for cases alike but for that."""
    times: dict[Any, dict[str, float]] = {}
    for case in device.cases(part):
        times.setdefault((tables.shape(case["operation"]), case["dtype"], case["pass"]), {})[case[name]] = (
            case["milliseconds"]["median"])
    found: dict[str, list[float]] = {}
    for own in times.values():
        for value in own.keys() - {over} if over in own else ():
            found.setdefault(value, []).append(own[value] / own[over])
    return found


def models(read):
    """Whole models beside the ViT of their run, by what was done and where."""
    ratios: dict[str, dict[str, list[float]]] = {}
    most: dict[str, tuple[float, str]] = {}
    for document in read:
        where = f"{tables.kind_of(document)} on {tables.device_of(document)}" if document.results else ""
        for row in document.results:
            if "images_per_second" not in row:
                continue
            if row.get("ratio_to_vit") and row["model"] != "vit":
                ratios.setdefault(where, {}).setdefault(row["model"], []).append(row["ratio_to_vit"])
            rate = row["images_per_second"]["median"]
            if row["model"] == "kat" and rate > most.get(where, (0, ""))[0]:
                most[where] = rate, tables.setting(row)
    for where in sorted(ratios.keys() | most.keys()):
        parts = [", ".join(f"{tables.model_name(name)} {_span(found, 3)}" for name, found in ratios[where].items()) +
                 " of the ViT's images/s"] if where in ratios else []
        if where in most:
            parts.append(f"at most {most[where][0]:.0f} images/s of a KAT with grkan ({most[where][1]})")
        yield f"{where}: {'; '.join(parts)}."


def peers(device):
    ratios: dict[str, dict[str, list[float]]] = {}
    for case, ratio in tables.over_grkan(device):
        if ratio and case["implementation"] != "grkan":
            ratios.setdefault(case["pass"], {}).setdefault(case["implementation"], []).append(ratio)
    for one_pass, words in _PASSES.items():
        if one_pass in ratios:
            listed = sorted(ratios[one_pass].items(), key=lambda item: statistics.median(item[1]))
            return f"{words}, " + ", ".join(f"{name} {_span(found)}" for name, found in listed)
    return ""


def speed(device):
    cases = list(filter(tables.is_plain, device.cases()))
    found = [(one_pass, [case["fraction_of_copy"] for case in cases if case["pass"] == one_pass])
             for one_pass in ("forward", "backward")]
    return ", ".join(f"{_span(fractions)} {one_pass}" for one_pass, fractions in found if fractions)


def ladder(device):
    found = _ratios(device, "ladder", "strategy", "tree")
    return ", ".join(f"{_span(found[strategy], 1)} by every {strategy}" for strategy in ("element", "block")
                     if strategy in found)


def determinism(device):
    found = _ratios(device, "determinism", "determinism", "run_to_run").get("device_to_device", [])
    return _span(found) if found else ""


def errors(device):
    found: dict[str, list[float]] = {}
    for case in device.errors():
        if case["determinism"] != "device_to_device" and case["dtype"] != "f64":
            found.setdefault(case["strategy"], []).extend(case[gradient]["relative"]
                                                          for gradient in ("numerator", "denominator"))
    return ", ".join(f"{max(own):.1e} by {strategy}"
                     for strategy, own in sorted(found.items(), key=lambda item: max(item[1])))


def prediction(device):
    ratios = [case["predicted_milliseconds"] / case["milliseconds"]["median"]
              for case in filter(tables.is_plain, device.cases()) if case.get("predicted_milliseconds")]
    return f"{sum(abs(ratio - 1) <= 0.15 for ratio in ratios)} of {len(ratios)} cases" if ratios else ""


_SUBJECTS = (
    ("Others take, of grkan's time in the same run", peers),
    ("Layers reach, of the speed of a copy", speed),
    ("Where additions are atomic, backward takes, of the tree's time", ladder),
    ("Bits that repeat from device to device take, of the time for bits that repeat from run to run", determinism),
    ("The coefficients' gradients have relative errors, in f32 and 16 bits, of at most", errors),
    ("The cost model is within 15 % of the median in", prediction))


def sentences(read):
    """All that the files have something to say about."""
    devices = [device for document in read for device in document.devices]
    found = list(models(read))
    for subject, tell in _SUBJECTS:
        told = [f"{device.label}, {words}" for device in devices if (words := tell(device))]
        if told:
            found.append(f"{subject}: {'; '.join(told)}.")
    return found
