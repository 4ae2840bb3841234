# SPDX-License-Identifier: Apache-2.0
"""bench/compare_peers.py on a small tensor: it runs, says what is missing, and writes what the report reads."""

import pytest
from conftest import ROOT, run_python

pytest.importorskip("torch")
documents = pytest.importorskip("grkan.report.documents", reason="jsonschema is missing")


def run(tmp_path, *arguments):
    path = tmp_path / "peers.json"
    done = run_python(ROOT / "bench" / "compare_peers.py", "--device", "cpu", "--rows", "24", "--channels", "64",
                      "--repeats", "2", *arguments, "--json", path)
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


def test_one_implementation_of_another_type_in_every_shape(tmp_path):
    cases, _ = run(tmp_path, "--implementation", "grkan", "--dtype", "bf16", "--rows", "5", "--channels", "8")
    assert {(case["implementation"], case["dtype"]) for case in cases} == {("grkan", "bf16")}
    found = [(case["operation"]["outer"], case["operation"]["channels"], case["pass"]) for case in cases]
    assert found == [(rows, channels, one_pass) for rows in (24, 5) for channels in (64, 8)
                     for one_pass in ("forward", "backward", "forward_and_backward")]
