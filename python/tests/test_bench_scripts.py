# SPDX-License-Identifier: Apache-2.0
"""The scripts in bench/: they run, write their JSON, and refuse what makes no sense by one line before the work."""

import json
import os
import runpy
import sys

import pytest
from conftest import ROOT, run_python

import grkan

torch = pytest.importorskip("torch")

sys.path.append(str(ROOT / "bench"))

import compare_curves
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


WITH_A_DEVICE = "host_overhead", "compare_peers", "inference", "train_throughput", "train_ddp"
WITH_JSON = "compare_torch", *WITH_A_DEVICE
A_WHOLE_NUMBER = "expected a whole number from 1 on, got "

# Of scripts, words that they refuse, and what the line says of the argument that comes before.
REFUSED = [
    *(((name, "--device", "tpu"), "expected cpu, cuda or cuda:N, got 'tpu'") for name in WITH_A_DEVICE),
    *(((name, "--device", "cuda:99"), "GPUs that PyTorch ") for name in WITH_A_DEVICE),
    *(((name, "--json", "missing/file"), "cannot write 'missing/file': No such file or directory")
      for name in WITH_JSON),
    *(((name, flag, word), f"{A_WHOLE_NUMBER}'{word}'") for word in ("0", "-1", "two") for name, flag in
      (("compare_torch", "--repeats"), ("host_overhead", "--pairs"), ("compare_peers", "--rows"),
       ("inference", "--batches"), ("train_throughput", "--batch"), ("train_ddp", "--steps"))),
    *(((name, "--window", word), f"expected seconds from 0 on, got '{word}'") for word in ("-1", "nan", "inf", "long")
      for name in ("inference", "train_throughput")),
    *(((name, "--image", "15"), "expected a whole number from 16 on, got '15'")
      for name in ("inference", "train_throughput", "train_ddp")),
    (("inference", "--batches", "1,,2"), f"{A_WHOLE_NUMBER}''"),
    (("inference", "--limit", "-1"), "expected seconds from 0 on, got '-1'"),
    (("inference", "--models", "vit,swin"), "expected some of vit,kat,"),
    (("inference", "--sizes", "huge"), "expected some of digits,tiny,small,base, got 'huge'"),
    (("inference", "--device", "cpu", "--vit", "own", "--modes", "graph"), "expected a CUDA device for graph"),
    (("inference", "--table", "missing"), "'missing': No such file or directory"),
    (("inference", "--table", "."), "'.': Is a directory"),
    (("inference", "--table", __file__), "': not JSON, or cut off: line 1, column 1"),
    (("train_throughput", "--sizes", "digits", "--vit", "timm"), ""),
    (("train_throughput", "--device", "cpu", "--cuda-graphs"), "expected a CUDA device, got 'cpu'"),
    (("train_ddp", "--model", "swin"), "invalid choice: 'swin'"),
    (("compare_peers", "--implementation", "grkan", "--implementation", "mine"), "expected some of grkan, torch GELU,"),
    (("compare_peers", "--output-dtype", "bf16"), "expected with a --prologue alone"),
    (("compare_torch", "--dtype", "f64"), "invalid choice: 'f64'"),
    (("compare_curves", "missing"), "'missing': No such file or directory"),
    (("compare_curves", str(ROOT / "bench" / "results" / "nvidia-h200-kat-b.json")), "; expected grkan-training/1"),
]


def ended(monkeypatch, capsys, name, *words):
    """The exit status of a script, and its last line of errors. In this process, which has loaded PyTorch already."""
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    monkeypatch.syspath_prepend(ROOT / "bench")
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "bench" / f"{name}.py"), run_name="__main__")
    return caught.value.code, capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("words, reason", REFUSED, ids=[" ".join(words)[:60] for words, _ in REFUSED])
def test_what_is_refused_before_the_work(monkeypatch, capsys, words, reason):
    pytest.importorskip("jsonschema")
    status, line = ended(monkeypatch, capsys, *words)
    flag = next((word for word in reversed(words) if word.startswith("--")), "FILE")
    assert status == 2 and line.startswith(f"{words[0]}.py: error: argument {flag}: ") and reason in line


@pytest.mark.parametrize("processes, reason", [("1", "expected at least 2 processes"),
                                               ("3", "argument --batch: expected a multiple of the 3 processes")])
def test_processes_that_do_not_fit(monkeypatch, capsys, processes, reason):
    monkeypatch.setenv("WORLD_SIZE", processes)
    status, line = ended(monkeypatch, capsys, "train_ddp")
    assert status == 2 and reason in line


def test_a_library_that_does_not_load(monkeypatch, capsys):
    def version():
        raise grkan.LibraryNotFoundError(f"{os.environ['GRKAN_LIBRARY']} does not load")

    monkeypatch.setenv("GRKAN_LIBRARY", os.environ["GRKAN_LIBRARY"])  # which is what it was again, after the test
    monkeypatch.setattr(grkan, "version", version)
    status, line = ended(monkeypatch, capsys, "compare_torch", "--library", "missing.so")
    assert status == 2 and "error: argument --library: missing.so does not load" in line


@pytest.mark.parametrize("change, reason", [
    ({"schema": "grkan-inference/2"}, "version 2 needs another grkan"),
    ({"results": None}, "$.results: None"),
    ({"results": [{"size": "base", "model": "kat", "batch": 1, "absent": ""}]}, "'mode' is a required property"),
    ({"results": [{"size": "base", "model": "kat", "batch": 1, "mode": "eager",
                   "images_per_second": {"min": 1, "median": 1, "max": 1}}]}, "'latency_milliseconds'")])
def test_a_table_of_what_inference_did_not_write(tmp_path, capsys, change, reason):
    pytest.importorskip("jsonschema")
    path = tmp_path / "results.json"
    document = {"schema": "grkan-inference/1", "command": "", "date": "",
                "machine": {"architecture": "", "cores": 1, "torch": ""}, "results": []}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert inference.main(["--table", str(path)]) == 0
    path.write_text(json.dumps({**document, **change}), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        inference.main(["--table", str(path)])
    assert caught.value.code == 2 and reason in capsys.readouterr().err.splitlines()[-1]


# ------------------------------------------------------------------------------------------------------- compare_curves


CURVES = ROOT / "bench" / "results" / "digits"


def curves(capsys, *paths):
    """The exit status of compare_curves, and its last lines."""
    pytest.importorskip("jsonschema")
    try:
        status = compare_curves.main([str(path) for path in paths])
    except SystemExit as ended:
        status = ended.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_curves_of_the_formula_are_alike(capsys):
    status, out, _ = curves(capsys, *sorted(CURVES.iterdir()))
    assert status == 0
    assert "grkan                          3      0.0163 ± 0.0036" in out
    fused, gelu = ([CURVES / f"{name}-{seed}.json" for seed in (1, 2, 3)] for name in ("fused", "gelu"))
    assert curves(capsys, *fused, *(CURVES / f"grkan-{seed}.json" for seed in (1, 2, 3)))[0] == 0
    assert curves(capsys, *fused, *gelu)[0] == 2  # without grkan's


def changed_curves(tmp_path, change):
    """Two seeds of two activations, of which change() has one's document."""
    paths = []
    for name in ("grkan", "eager"):
        for seed in (1, 2):
            document = json.loads((CURVES / f"{name}-{seed}.json").read_text(encoding="utf-8"))
            if (name, seed) == ("eager", 2):
                change(document)
            paths.append(tmp_path / f"{name}-{seed}.json")
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
    return paths


def test_curves_that_differ(tmp_path, capsys):
    def raise_losses(document):
        for epoch in document["epochs"]:
            epoch["train_loss"] += 10

    assert curves(capsys, *changed_curves(tmp_path, raise_losses))[0] == 1


@pytest.mark.parametrize("change, reason", [
    (lambda document: document.update(epochs=[]), "$.epochs: [] "),
    (lambda document: document["settings"].pop("seed"), "$.settings: 'seed' is a required property"),
    (lambda document: document["settings"].update(seed=1), "expected at least 2 seeds of eager, got 1"),
    (lambda document: document["settings"].update(activation="gelu"), "expected at least 2 seeds of eager, got 1"),
    (lambda document: document["epochs"].pop(), "expected as many epochs in each, got 15 to 16"),
    (lambda document: document["epochs"][0].update(train_loss=None), "$.epochs[0].train_loss: None"),
    (lambda document: document["epochs"][0].pop("test_loss"), "expected train_loss, test_loss, test_accuracy of each")])
def test_curves_that_cannot_be_compared(tmp_path, capsys, change, reason):
    status, _, err = curves(capsys, *changed_curves(tmp_path, change))
    assert status == 2 and "error: argument FILE: " in err.splitlines()[-1] and reason in err.splitlines()[-1]
