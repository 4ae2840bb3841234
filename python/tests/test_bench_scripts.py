# SPDX-License-Identifier: Apache-2.0
"""bench/compare_torch.py, host_overhead.py and inference.py: they run, write their JSON, and refuse what makes no
sense."""

import json
import os
import runpy
import sys

import pytest
from conftest import ROOT, run_python

import grkan

torch = pytest.importorskip("torch")

sys.path.append(str(ROOT / "bench"))

import inference
import models


def test_compare_torch(tmp_path):
    path = tmp_path / "torch.json"
    done = run_python(ROOT / "bench" / "compare_torch.py", "--library", os.environ["GRKAN_LIBRARY"], "--repeats", "1",
                      "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-compare-torch/2" and document["grkan"]["version"] == grkan.version()[0]
    assert document["machine"]["torch"] == torch.__version__ and torch.__version__ in done.stdout
    assert [(row["dtype"], row["pass"], row["beside"]) for row in document["passes"]] == [
        (dtype, *case) for dtype in ("f32", "bf16")
        for case in (("forward", "torch GELU"), ("backward", "torch GELU"), ("device_to_device", "grkan"))]
    for row in document["passes"]:
        for times in (row["median"], row["least"]):
            assert times["ratio"] == times["grkan_milliseconds"] / times["beside_milliseconds"] > 0
        assert row["pass"] in done.stdout


def test_compare_torch_holds_torch_to_the_same_instructions(tmp_path):
    path = tmp_path / "torch.json"
    done = run_python(ROOT / "bench" / "compare_torch.py", "--library", os.environ["GRKAN_LIBRARY"], "--repeats", "1",
                      "--dtype", "f32", "--json", path, GRKAN_CPU_SIMD="scalar")
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["instructions"] == "scalar"
    assert document["torch_instructions"] in ("default", "no avx")


def test_host_overhead(tmp_path):
    path = tmp_path / "host.json"
    done = run_python(ROOT / "bench" / "host_overhead.py", "--device", "cpu", "--repeats", "1", "--pairs", "1",
                      "--json", path)
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-host-overhead/2"
    times = document["microseconds"]
    assert set(times) == {"inference", "training"} | (
        {"compiled inference", "compiled training"} if hasattr(torch, "compile") else set())
    for case, contestants in times.items():
        assert {"gelu", "grkan" if "compiled" in case else "rational"} <= set(contestants)
        assert all(0 < found["least"] <= found["median"] for found in contestants.values())
    for row in document["ratios"]:
        of, to = (times[row["case"]][row[name]]["least"] for name in ("of", "to"))
        assert row["ratio"] == of / to
        assert row["is_met"] == (None if row["most"] is None else of / to <= row["most"])
    if document["operators_in_c"] and os.path.exists(os.path.join(os.path.dirname(os.environ["GRKAN_LIBRARY"]),
                                                                  "libempty_operators.so")):
        assert [row["of"] for row in document["ratios"] if row["most"]] == ["operator", "rational", "grkan", "grkan"]


def study(path, *words):
    """The exit status of bench/inference.py with small models, and the rows that it wrote."""
    status = inference.main(["--device", "cpu", "--vit", "own", "--image", "32", "--sizes", "digits", "--windows", "3",
                             "--window", "0.005", "--json", str(path), *words])
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "grkan-inference/1" and document["grkan"]["commit"] == grkan.version().commit
    return status, document["results"]


def test_inference(tmp_path, capsys):
    status, rows = study(tmp_path / "inference.json", "--batches", "1,3")
    assert [(row["batch"], row["model"]) for row in rows] == [
        (batch, name) for batch in (1, 3) for name in ("vit", "kat", "kat-gelu", "flashkat")]
    for row in rows:
        if row["model"] == "flashkat":  # it needs a GPU, where it is there at all
            assert status == ("failed" in row) != ("absent" in row)
            continue
        rate, time = row["images_per_second"], row["latency_milliseconds"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"] and 0 < time["min"] <= time["median"] <= time["max"]
        assert (row["ratio_to_vit"] == 1) == (row["model"] == "vit")
        assert (row["ratio_to_kat_gelu"] == 1) == (row["model"] == "kat-gelu")
    capsys.readouterr()
    assert inference.main(["--table", str(tmp_path / "inference.json")]) == 0
    heading, rule, *lines = capsys.readouterr().out.splitlines()
    assert heading.count("|") == rule.count("|") == lines[0].count("|")
    for line, row in zip(lines, (row for row in rows if row["model"] == "kat")):
        assert line.startswith(f"| digits | eager | {row['batch']} | ") and f"{row['ratio_to_vit']:.3f}" in line


def test_ratios_are_of_windows_side_by_side():
    """A machine that is slow for some windows changes nothing."""
    own, other = [2, 20, 2], [1, 10, 10]
    assert models.ratio(own, other) == 0.5 and models.ratio(own, None) is None


@pytest.mark.parametrize("model, count", [("kat", 8), ("kat-fused", 14)])  # of parameters that keep 32 bits
def test_inference_of_16_bit_weights(tmp_path, model, count):
    status, (row,) = study(tmp_path / "inference.json", "--batches", "2", "--models", model, "--weights", "bf16")
    assert status == 0 and row["images_per_second"]["min"] > 0 and row["ratio_to_vit"] is None
    arguments = inference.parse(["--device", "cpu", "--vit", "own", "--weights", "bf16"])
    served = inference.Served(model, "digits", arguments)
    wide = [name for name, parameter in served.named_parameters() if parameter.dtype is torch.float32]
    tables = ".act1.", ".act2.", *((".norm2.", ".fc1.bias") if model == "kat-fused" else ())
    assert len(wide) == count and all(any(part in name for part in tables) for name in wide)


def test_inference_that_is_wrong_slow_or_late_has_a_status(tmp_path, monkeypatch, capsys):
    words = [tmp_path / "inference.json", "--batches", "2", "--models", "vit,kat,kat-gelu"]
    status, rows = study(*words, "--limit", "0")
    assert status == 1 and {row["failed"] for row in rows} == {"left out: --limit"}
    monkeypatch.setattr(inference, "LEAST_RATIO", 1000)
    assert study(*words)[0] == 0
    assert study(*words, "--check")[0] == 1
    assert "of the KAT with GELU; expected at least 1000" in capsys.readouterr().err
    call_of = inference.call_of

    def wrong(mode, served, images, package):
        call, answer = call_of(mode, served, images, package)
        return call, lambda: answer() * float("nan")

    monkeypatch.setattr(inference, "call_of", wrong)
    status, rows = study(*words)
    assert status == 1 and all("RuntimeError: mode eager is nan from mode eager" in row["failed"] for row in rows)


def test_inference_compiled(tmp_path):
    if not hasattr(torch, "export"):
        pytest.skip(f"PyTorch {torch.__version__} has neither torch.compile nor AOTInductor")
    status, rows = study(tmp_path / "inference.json", "--batches", "1", "--models", "kat", "--modes", "compiled,aot")
    assert status == 0 and [row["mode"] for row in rows] == ["compiled", "aot"]


@pytest.mark.parametrize("name", ["compare_torch.py", "compare_peers.py", "host_overhead.py", "inference.py",
                                  "train_throughput.py"])
def test_numbers_start_at_one(monkeypatch, capsys, name):
    """In this process, which has loaded PyTorch already: a new one takes seconds for that."""
    flag = {"train_throughput.py": "--batch", "inference.py": "--batches"}.get(name, "--repeats")
    monkeypatch.setattr(sys, "argv", [name, flag, "0"])
    monkeypatch.syspath_prepend(ROOT / "bench")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "bench" / name), run_name="__main__")
    assert ended.value.code == 2
    assert f"argument {flag}: expected a whole number from 1 on" in capsys.readouterr().err
