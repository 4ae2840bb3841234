# SPDX-License-Identifier: Apache-2.0
"""bench/compare_torch.py and bench/host_overhead.py: they run, write their JSON, and refuse what makes no sense."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import grkan

pytest.importorskip("torch")

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(name, *arguments):
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.run([sys.executable, ROOT / "bench" / name, *arguments], env=variables, capture_output=True,
                          text=True, check=False)


def test_compare_torch(tmp_path):
    path = tmp_path / "torch.json"
    done = run("compare_torch.py", "--library", os.environ["GRKAN_LIBRARY"], "--repeats", "1", "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-compare-torch/1" and document["grkan"]["version"] == grkan.version()[0]
    for row in document["passes"]:
        assert row["ratio"] == row["grkan_milliseconds"] / row["torch_gelu_milliseconds"] > 0
        assert row["pass"] in done.stdout


def test_host_overhead(tmp_path):
    path = tmp_path / "host.json"
    done = run("host_overhead.py", "--device", "cpu", "--repeats", "1", "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-host-overhead/1"
    for times in document["microseconds"].values():
        assert times["forward_and_backward"] > times["forward"] > 0


@pytest.mark.parametrize("name", ["compare_torch.py", "compare_peers.py", "host_overhead.py", "train_throughput.py"])
def test_numbers_start_at_one(name):
    flag = "--batch" if name == "train_throughput.py" else "--repeats"
    done = run(name, flag, "0")
    assert done.returncode == 2
    assert f"argument {flag}: expected a whole number from 1 on" in done.stderr
