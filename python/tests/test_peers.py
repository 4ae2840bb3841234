# SPDX-License-Identifier: Apache-2.0
"""bench/compare_peers.py on a small tensor: it runs, says what is missing, and writes what the report reads."""

import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")
documents = pytest.importorskip("grkan.report.documents", reason="jsonschema is missing")

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "compare_peers.py"


def run(tmp_path, *arguments):
    path = tmp_path / "peers.json"
    variables = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1] / "python")}
    done = subprocess.run([sys.executable, SCRIPT, "--device", "cpu", "--rows", "24", "--channels", "64",
                           "--repeats", "2", *arguments, "--json", path], env=variables,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (device,) = documents.read_content(path)["devices"]
    return device["cases"], done.stdout


def test_every_implementation_is_measured_or_says_why_not(tmp_path):
    cases, table = run(tmp_path)
    measured = {(case["implementation"], case["pass"]) for case in cases if "milliseconds" in case}
    for name in ("grkan", "torch GELU", "formula"):
        assert {(name, "forward"), (name, "backward"), (name, "forward_and_backward")} <= measured
    for name in ("rational_kat FlashKAT_Group", "kat_rational KAT_Group", "rational_activations"):
        assert name in table
        assert (name, "forward") in measured or any(case["implementation"] == name and case["unsupported"]
                                                    for case in cases if "unsupported" in case)


def test_one_implementation_of_another_type(tmp_path):
    cases, _ = run(tmp_path, "--implementation", "grkan", "--dtype", "bf16")
    assert {case["dtype"] for case in cases} == {"bf16"}
    assert [case["pass"] for case in cases] == ["forward", "backward", "forward_and_backward"]


def test_every_shape_is_measured(tmp_path):
    cases, _ = run(tmp_path, "--implementation", "grkan", "--rows", "5", "--channels", "8")
    shapes = [(case["operation"]["outer"], case["operation"]["channels"]) for case in cases]
    assert shapes == [(rows, channels) for rows in (24, 5) for channels in (64, 8) for _ in range(3)]
