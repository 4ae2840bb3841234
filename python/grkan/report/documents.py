# SPDX-License-Identifier: Apache-2.0
"""Reading the JSON files of `grkan bench --json`, `grkan fit --json`, the benchmarks of whole models and
examples/train_kat.py, trusting nothing in them."""

import dataclasses
import json
import math
import os
import pathlib

import jsonschema

LARGEST_FILE = 64 << 20

SCHEMA = "grkan-bench/1"
MODEL_SCHEMAS = "grkan-train-throughput/1", "grkan-inference/1"
FIT_SCHEMA = "grkan-fit/1"
TRAINING_SCHEMA = "grkan-training/1"


def _validator(name):
    return jsonschema.Draft202012Validator(
        json.loads(pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8")))


_validators = {SCHEMA: _validator("bench-1.schema.json"), FIT_SCHEMA: _validator("fit-1.schema.json"),
               TRAINING_SCHEMA: _validator("training-1.schema.json"),
               **dict.fromkeys(MODEL_SCHEMAS, _validator("models-1.schema.json"))}


class BadDocument(Exception):
    """A file that cannot be reported; the text says why."""


@dataclasses.dataclass
class Device:
    """A device of a file, with a label that no other device of the report has."""

    label: str
    properties: dict

    def cases(self, part=None):
        """grkan's measured cases of one part of a study, or of none and of the part "times"."""
        for case in self.all_cases():
            own = case.get("part")
            if own == part if part else own in (None, "times"):
                yield case

    def all_cases(self):
        """The measured cases of grkan itself, whatever their part."""
        return [case for case in self.properties["cases"] if not {"unsupported", "implementation"} & case.keys()]

    def peers(self):
        """The measured cases of a run of several implementations, grkan's among them."""
        return [case for case in self.properties["cases"] if "implementation" in case and "unsupported" not in case]

    def errors(self):
        return [case for case in self.properties.get("errors", []) if "unsupported" not in case]


@dataclasses.dataclass
class Document:
    """A file that was read and found right."""

    name: str
    content: dict
    devices: list  # of a file of grkan bench; empty for one of whole models

    @property
    def results(self):
        """The rows of a file of whole models."""
        return self.content.get("results", [])


def _reject(constant):
    raise BadDocument(f"holds {constant}, which is no number of JSON")


def _float(text):
    value = float(text)
    if not math.isfinite(value):
        raise BadDocument(f"holds {_short(text)}, which no double can be")
    return value


def _int(text):
    if len(text) > 309:  # more than any double has
        raise BadDocument(f"holds {_short(text)}, which no double can be")
    _float(text)
    return int(text)


def _object(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            raise BadDocument(f"holds the key {_short(key)!r} twice in one object")
        found[key] = value
    return found


def _short(text, most=40):
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _parse(data):
    """JSON as RFC 8259 has it, with a byte order mark or without one."""
    try:
        text = data.decode("utf-8-sig")
        content = json.loads(text, parse_constant=_reject, parse_float=_float, parse_int=_int,
                             object_pairs_hook=_object)
        json.dumps(content, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair is no text
    except json.JSONDecodeError as error:
        raise BadDocument(f"not JSON, or cut off: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise BadDocument("not text in UTF-8") from error
    except UnicodeEncodeError as error:
        raise BadDocument("holds half of a surrogate pair, which is no text") from error
    except RecursionError as error:
        raise BadDocument("nested too deeply") from error
    return content


def _check_version(content, expected):
    """The schema, if it is one of those: it could be ours, of another version, or foreign."""
    schema = content.get("schema") if isinstance(content, dict) else None
    kind, _, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if not kind.startswith("grkan-"):
        command = expected[0].partition("/")[0].replace("-", " ")
        raise BadDocument(f'not a file of `{command} --json`: it has no "schema" of grkan\'s')
    same_kind = [one for one in expected if kind == one.partition("/")[0]]
    if not same_kind:
        raise BadDocument(f"its schema is {_short(schema)}; expected {' or '.join(expected)}")
    if schema not in same_kind:
        raise BadDocument(f"its schema is {_short(schema)}; this report reads {same_kind[0]}: version "
                          f"{_short(version)} needs another grkan")
    return schema


def _read_bytes(path):
    """At most what a file may have: a pipe or a device may not end. "-" is the standard input."""
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadDocument(error.strerror or str(error)) from error
    if len(data) > LARGEST_FILE:
        raise BadDocument(f"larger than {LARGEST_FILE >> 20} MiB")
    return data


def read_content(path, *schemas):
    """The content of a file of one of these schemas; BadDocument says what is wrong with it."""
    content = _parse(_read_bytes(path))
    schema = _check_version(content, schemas)
    error = jsonschema.exceptions.best_match(_validators[schema].iter_errors(content))
    if error is not None:
        raise BadDocument(f"{error.json_path}: {error.message[:200]}")
    return content


def _variant(case):
    """What sets a case apart from a plain one of its storage type: the other type, a prologue, what backward gives."""
    operation = case["operation"]
    parts = [case["dtype"]]
    if case.get("output_dtype") not in (None, case["dtype"]):
        parts[0] += f",{case['output_dtype']}"
    if operation.get("prologue", "none") != "none":
        parts.append(operation["prologue"])
        parts += [f"no {table}" for table in ("scale", "shift") if operation.get(f"has_{table}") is False]
    if case.get("frozen"):
        parts.append("frozen " + " ".join(case["frozen"]))
    if case.get("writes_y"):
        parts.append("y again")
    return ", ".join(parts)


def _name_variants(content):
    """Variants in their cases' "dtype": tables and plots keep such cases apart then."""
    for case in (case for device in content.get("devices", ()) for case in device.get("cases", ())):
        case["dtype"] = _variant(case)
    return content


def _name(path):
    """Of the file, without its folders. Bytes that are not UTF-8 become marks."""
    return os.fsencode(os.path.basename(path)).decode("utf-8", "replace")


def _labels(contents):
    """A short label for each device of each file: with the file's letter where two would be the same."""
    short = [[f"{device['name']}, {device['backend']}" for device in content.get("devices", [])]
             for content in contents]
    flat = [label for labels in short for label in labels]
    return [[label if flat.count(label) == 1 else f"{label} ({letter(number)}{place or ''})"
             for place, label in enumerate(labels)] for number, labels in enumerate(short)]


def letter(number):
    """A, B, ..., Z, A1, B1, ..."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


def read(paths, complain):
    """The files that are right, in order; complain(path, reason) hears of the others."""
    names, contents = [], []
    for path in paths:
        try:
            contents.append(_name_variants(read_content(path, SCHEMA, *MODEL_SCHEMAS)))
            names.append(_name(path))
        except BadDocument as error:
            complain(path, str(error))
    return [Document(name, content, [Device(label, device)
                                     for label, device in zip(labels, content.get("devices", []))])
            for name, content, labels in zip(names, contents, _labels(contents))]
