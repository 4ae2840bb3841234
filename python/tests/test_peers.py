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
    (device,) = documents.read_content(path, documents.SCHEMA)["devices"]
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


@pytest.mark.parametrize("prologue", ["bias", "layer_norm"])
def test_work_in_front(tmp_path, prologue):
    words = "bias" if prologue == "bias" else "norm, cast"
    names = ["grkan", f"{words}, grkan", f"{words}, GELU"]
    cases, _ = run(tmp_path, "--prologue", prologue, "--output-dtype", "bf16",
                   *(word for name in names for word in ("--implementation", name)))
    assert {case["implementation"] for case in cases} == set(names)
    assert {(case["operation"]["prologue"], case["bytes"]) for case in cases} == {
        (prologue, 24 * 64 * bytes_moved) for bytes_moved in (4 + 2, 2 * 4 + 2, 3 * 4 + 2 * 2)}


def run_with_package(tmp_path, code):
    """Measure a kat_rational that is this code."""
    (tmp_path / "kat_rational.py").write_text(code)
    return run_python(ROOT / "bench" / "compare_peers.py", "--device", "cpu", "--rows", "24", "--channels", "64",
                      "--repeats", "1", "--implementation", "kat_rational KAT_Group",
                      PYTHONPATH=f"{ROOT / 'python'}:{tmp_path}")


def test_a_package_that_is_there_and_fails_is_an_error(tmp_path):
    done = run_with_package(tmp_path, "def KAT_Group(**_): raise OSError('no GPU')")
    assert done.returncode == 1
    assert "no GPU" in done.stderr and "kat_rational KAT_Group fails on (1, 24, 64) of torch.float32" in done.stderr


def test_published_modules_get_three_dimensions(tmp_path):
    """rational_kat's module asserts them."""
    done = run_with_package(tmp_path, """
from torch import nn

class KAT_Group(nn.Module):
    def __init__(self, num_groups, mode, device):
        super().__init__()

    def forward(self, x):
        assert x.dim() == 3
        return nn.functional.gelu(x)
""")
    assert done.returncode == 0, done.stderr
