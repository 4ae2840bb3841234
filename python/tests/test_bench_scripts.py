# SPDX-License-Identifier: Apache-2.0
"""bench/compare_torch.py and bench/host_overhead.py: they run, write their JSON, and refuse what makes no sense."""

import json
import os
import runpy
import sys

import pytest
from conftest import ROOT, run_python

import grkan

pytest.importorskip("torch")


def test_compare_torch(tmp_path):
    path = tmp_path / "torch.json"
    done = run_python(ROOT / "bench" / "compare_torch.py", "--library", os.environ["GRKAN_LIBRARY"], "--repeats", "1",
                      "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-compare-torch/1" and document["grkan"]["version"] == grkan.version()[0]
    for row in document["passes"]:
        assert row["ratio"] == row["grkan_milliseconds"] / row["torch_gelu_milliseconds"] > 0
        assert row["pass"] in done.stdout


def test_host_overhead(tmp_path):
    path = tmp_path / "host.json"
    done = run_python(ROOT / "bench" / "host_overhead.py", "--device", "cpu", "--repeats", "1", "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-host-overhead/1"
    for times in document["microseconds"].values():
        assert times["forward_and_backward"] > times["forward"] > 0


@pytest.mark.parametrize("name", ["compare_torch.py", "compare_peers.py", "host_overhead.py", "train_throughput.py"])
def test_numbers_start_at_one(monkeypatch, capsys, name):
    """In this process, which has loaded PyTorch already: a new one takes seconds for that."""
    flag = "--batch" if name == "train_throughput.py" else "--repeats"
    monkeypatch.setattr(sys, "argv", [name, flag, "0"])
    monkeypatch.syspath_prepend(ROOT / "bench")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "bench" / name), run_name="__main__")
    assert ended.value.code == 2
    assert f"argument {flag}: expected a whole number from 1 on" in capsys.readouterr().err
