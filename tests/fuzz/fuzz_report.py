#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fuzzes python3 -m grkan.report: whatever a file holds, there is one sentence about it or a page with it.

    fuzz_report.py FILE...                    each file once, as python/tests/test_report.py does with the kept corpus
    fuzz_report.py --seconds 60 FOLDER...     new inputs from those in the folders, by atheris where it is installed,
                                              else by this script's own mutations, blind to what the code does with them

An input that breaks the contract below is written to the current folder, and ends the run with exit status 1 or more.
"""

import contextlib
import copy
import io
import json
import os
import random
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zlib

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["grkan.report"]) if atheris else contextlib.nullcontext():
    from grkan.report.__main__ import main

DRAWN = 64  # of so many new inputs that are read, plots are drawn of one: they take a second


def make_good():
    operation = {"outer": 10, "channels": 8, "inner": 1, "groups": 2, "numerator_degree": 5, "denominator_degree": 4,
                 "denominator": "abs_terms"}
    case = {"operation": operation, "dtype": "f32", "pass": "forward", "strategy": "tree", "determinism": "run_to_run",
            "milliseconds": {"min": 1, "median": 2, "max": 3}, "bytes": 640, "gb_per_s": 1, "fraction_of_copy": 0.5,
            "predicted_milliseconds": 2, "atomics": 0, "launches": 1}
    device = {"device": "cpu", "backend": "cpu", "name": "Good", "driver": "d", "architecture": "a", "cases": [case]}
    return {"schema": "grkan-bench/1", "grkan": {"version": "1", "commit": "c"}, "command": "grkan bench",
            "date": "now", "machine": {"cpu": "c", "cores": 2, "memory_bytes": 1e9, "os": "o", "kernel": "k"},
            "devices": [device]}


class Reporter:
    """A folder with a good file, beside which each input is put."""

    def __init__(self, drawn=1):
        self.drawn = drawn
        self.folder = tempfile.TemporaryDirectory()
        self.good, self.bad, self.out = (os.path.join(self.folder.name, name) for name in ("good", "input", "out"))
        with open(self.good, "w", encoding="utf-8") as file:
            json.dump(make_good(), file)

    def run(self, form):
        """Exit status, standard error as an ASCII terminal has it, and the page."""
        said = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
        with contextlib.redirect_stderr(said):
            status = main([self.bad, self.good, "--format", form, "-o", self.out])
        said.flush()
        with open(self.out, encoding="utf-8") as file:
            return status, said.buffer.getvalue().decode("ascii"), file.read()

    def __call__(self, data):
        """The contract."""
        with open(self.bad, "wb") as file:
            file.write(data)
        status, said, page = self.run("markdown")
        if status == 0:
            assert said == "", said
            assert page.count("A: input") > 0 and "B: good" in page
            if zlib.crc32(data) % self.drawn == 0:
                self.draw()
        else:
            assert status == 1
            assert said.startswith(f"grkan.report: {self.bad}: ") and said.count("\n") == 1 and len(said) < 800, said
            assert said.rstrip("\n").isprintable(), said
            assert "A: good" in page and "Good" in page
        assert sorted(os.listdir(self.folder.name)) == ["good", "input", "out"]

    def draw(self):
        status, said, page = self.run("html")
        assert (status, said) == (0, ""), said
        for part in page.split("<svg")[1:]:
            ElementTree.fromstring(("<svg" + part[:part.index("</svg>")] + "</svg>").encode("utf-8"))


# ------------------------------------------------------------------------------------------------------- mutations

VALUES = [None, True, False, 0, -1, 1, 0.5, -0.0, 1e-320, 1e308, 1.7e308, 10**18, 10**30, 10**400,
          "", "a", "\ud800", "\0", "$x$", "_a", "|", "\n", "é", "\u202e", "a" * 2000, [], {}, [[]], {"a": 1}, [1, 2]]
TEXTS = [b"NaN", b"-Infinity", b"1e400", b"9" * 5000, b"[" * 5000, b'{"a":' * 2000, b'"\\ud800"', b"\xef\xbb\xbf",
         b"\xff", b'{"a": 1, "a": 2}',
         b"1.5e-400", b"00", b"\x00", b'"' + b"x" * 5000 + b'"', b"-0", b"1E5", b'"\\u0000"']


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def mutate_tree(document, choose):
    """Change one place: another value, none, twice in a list, or the value of another place."""
    *path, last = choose.choice([place for place in places(document) if place])
    holder = document
    for key in path:
        holder = holder[key]
    what = choose.randrange(5)
    if what == 0:
        del holder[last]
    elif what == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    elif what == 2:
        source = document
        for key in choose.choice(list(places(document))):
            source = source[key]
        holder[last] = copy.deepcopy(source)
    elif what == 3 and isinstance(holder[last], (int, float)) and not isinstance(holder[last], bool):
        holder[last] *= choose.choice([-1, 0, 2, 0.1, 10**6, 1e-30, 1e30])
    else:
        holder[last] = choose.choice(VALUES)
    return json.dumps(document).encode("utf-8")


def mutate_text(data, choose):
    at = choose.randrange(len(data) + 1)
    until = min(len(data), at + choose.choice([0, 1, 1, 4, 50]))
    return data[:at] + choose.choice([b"", bytes([choose.randrange(256)]), choose.choice(TEXTS)]) + data[until:]


def mutate(data, max_size, seed):
    choose = random.Random(seed)
    for _ in range(choose.choice([1, 1, 1, 2, 5])):
        try:
            document = json.loads(data)
            data = mutate_tree(document, choose) if choose.random() < 0.8 else mutate_text(data, choose)
        except (ValueError, RecursionError, IndexError, OverflowError, TypeError):
            data = mutate_text(data, choose)
    if atheris and choose.random() < 0.1:
        data = atheris.Mutate(data, max_size)
    return data[:max_size]


def fuzz_by_own_mutations(report, seconds, folders):
    seeds = []
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as file:
                seeds.append(file.read())
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutate(random.Random(count).choice(seeds), 1 << 20, count)
        count += 1
        try:
            report(data)
        except BaseException:
            with open("crash-report", "wb") as file:
                file.write(data)
            raise
    print(f"{count} inputs in {seconds} seconds, without atheris")


def run(arguments):
    if arguments[:1] != ["--seconds"]:
        report = Reporter()
        for name in arguments:
            with open(name, "rb") as file:
                report(file.read())
    elif atheris is None:
        fuzz_by_own_mutations(Reporter(DRAWN), float(arguments[1]), arguments[2:])
    else:
        # Where libFuzzer puts what it finds new. It ends the process itself.
        found = tempfile.mkdtemp(prefix="grkan-fuzz-")
        atheris.Setup([sys.argv[0], f"-max_total_time={arguments[1]}", "-max_len=65536", "-timeout=60", found,
                       *arguments[2:]], Reporter(DRAWN), custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    run(sys.argv[1:])
