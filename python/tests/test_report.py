# SPDX-License-Identifier: Apache-2.0
"""The report: what it reads, what it refuses, and what is in its pages."""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import ROOT, run_python

pytest.importorskip("matplotlib")
pytest.importorskip("jsonschema")

from grkan.report import documents, plots, summary, tables
from grkan.report.__main__ import main

sys.path.append(str(ROOT / "tests" / "fuzz"))
import fuzz_report

OPERATION = {"outer": 1576, "channels": 768, "inner": 1, "groups": 8, "numerator_groups": 1, "denominator_groups": 8,
             "numerator_degree": 5, "denominator_degree": 4, "denominator": "abs_terms"}


def make_case(median, **changes):
    case = {"operation": dict(OPERATION), "dtype": "f32", "pass": "backward", "strategy": "tree",
            "determinism": "run_to_run", "milliseconds": {"min": 0.9 * median, "median": median, "max": 2 * median},
            "bytes": 14524416, "gb_per_s": 14.5, "fraction_of_copy": 0.75, "predicted_milliseconds": 1.1 * median,
            "atomics": 0, "launches": 1}
    case["operation"].update(changes.pop("operation", {}))
    return {**case, **changes}


def study_cases(scale):
    cases = [make_case(scale * channels / 768, part="times", arithmetic=1, operation={"channels": channels},
                       **{"pass": one_pass}) for channels in (192, 768) for one_pass in ("forward", "backward")]
    cases += [make_case(scale * times, part="arithmetic", arithmetic=times) for times in (1, 2, 4, 8)]
    cases += [make_case(scale * factor, part="ladder", arithmetic=1, strategy=strategy, determinism="none")
              for strategy, factor in (("element", 100), ("block", 1.2), ("tree", 1))]
    cases += [make_case(scale * rows, part="sizes", arithmetic=1, operation={"outer": rows}) for rows in (1, 10, 100)]
    cases += [make_case(scale, part="groups", arithmetic=1, operation={"groups": groups}) for groups in (1, 8, 64)]
    cases += [make_case(scale, part="degrees", arithmetic=1, operation={"numerator_degree": m}) for m in (3, 5, 7)]
    cases += [make_case(scale, part="determinism", arithmetic=1, determinism=level)
              for level in ("none", "run_to_run", "device_to_device")]
    return cases


def make_document(name="A cpu", scale=1.0, cases=None):
    error = {"mean_absolute": 1e-3, "relative": 2e-7, "largest_relative": 3e-7, "of_bound": 0.01}
    errors = [{"operation": OPERATION, "dtype": "f32", "strategy": strategy, "determinism": level, "seeds": 10,
               "numerator": error, "denominator": error}
              for strategy, level in (("element", "none"), ("block", "none"), ("tree", "run_to_run"),
                                      ("tree", "device_to_device"))]
    device = {"device": "cpu", "backend": "cpu", "name": name, "driver": "2 threads", "architecture": "avx2",
              "copy_gb_per_s": 19.5, "cases": study_cases(scale) if cases is None else cases, "errors": errors}
    return {"schema": "grkan-bench/1", "grkan": {"version": "0.1.0", "commit": "abc"}, "command": "grkan bench --study",
            "date": "2026-11-23T00:00:00Z", "devices": [device],
            "machine": {"cpu": name, "cores": 2, "memory_bytes": 2**34, "os": "Debian", "kernel": "6.1"}}


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def run(arguments, capsys):
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The page of two machines."""
    folder = tmp_path_factory.mktemp("page")
    files = [write(folder, "a.json", make_document("A <cpu>", 1.0)), write(folder, "b.json", make_document("B", 2.0))]
    target = folder / "report.html"
    assert main([*files, "-o", str(target)]) == 0
    assert sorted(os.listdir(folder)) == ["a.json", "b.json", "report.html"]
    return target.read_text(encoding="utf-8")


def test_two_machines_in_one_page(html):
    assert "A &lt;cpu&gt;" in html and "A <cpu>" not in html
    for title in ("Machines", "Layers", "Fraction of the copy", "The ladder", "Growth", "Rounding errors by strategy",
                  "Predicted against measured", "More arithmetic"):
        assert title in html
    assert not re.search(r"""(src|href)=["'](?!#)""", html), "the page stands alone"


def test_plots_are_well_formed_and_their_ids_do_not_meet(html):
    drawn = re.findall(r"<svg.*?</svg>", html, flags=re.S)
    assert len(drawn) == 7
    for svg in drawn:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="#|url\(#)([^")]*)', html)
    assert used and set(used) <= set(ids)


def test_ratios_are_to_the_fastest(tmp_path, capsys):
    files = [write(tmp_path, "a.json", make_document("A", 1.0)), write(tmp_path, "b.json", make_document("B", 2.0))]
    status, out, _ = run([*files, "--format", "markdown"], capsys)
    assert status == 0
    (row,) = [line for line in out.splitlines() if line.startswith("| 1576 × 192 | f32 | backward |")]
    assert row.split(" | ")[3:] == ["0.25 ms, 0.75 of copy, 1.00 ×", "0.5 ms, 0.75 of copy, 2.00 × |"]


def test_markdown_tables_are_whole(tmp_path, capsys):
    _, out, _ = run([write(tmp_path, "a.json", make_document("a | b")), "--format", "markdown"], capsys)
    blocks = re.findall(r"(?:^\|.*\n)+", out, flags=re.M)
    assert len(blocks) == 6
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, block


def changed(change):
    document = copy.deepcopy(make_document())
    change(document)
    return document


@pytest.mark.parametrize("content, reason", [
    (json.dumps(make_document())[:1000], "not JSON, or cut off: line 1, column"),
    ("", "not JSON, or cut off: line 1, column 1"),
    ("[1, 2]", "it has no \"schema\" of grkan's"),
    ({"schema": "other/1"}, "it has no \"schema\" of grkan's"),
    ({"schema": "grkan-devices/1"}, "its schema is grkan-devices/1; expected grkan-bench/1"),
    (changed(lambda d: d.update(schema="grkan-bench/2")), "version 2 needs another grkan"),
    (changed(lambda d: d.pop("machine")), "$: 'machine' is a required property"),
    (changed(lambda d: d["devices"][0]["cases"][2]["milliseconds"].pop("median")),
     "$.devices[0].cases[2].milliseconds: 'median' is a required property"),
    (changed(lambda d: d["devices"][0]["cases"][0].update(dtype="f31")), "$.devices[0].cases[0].dtype: 'f31'"),
    (changed(lambda d: d["devices"][0].update(copy_gb_per_s=0)), "$.devices[0].copy_gb_per_s: 0"),
    ('{"schema": NaN}', "holds NaN"),
    ("[" * 100000, "nested too deeply"),
    (json.dumps(make_document("\ud800")), "holds half of a surrogate pair, which is no text"),
    ('{"schema": ' + "7" * 5000 + "}", "holds " + "7" * 40 + "... (5000 characters), which no double"),
    ('{"schema": -1e400}', "holds -1e400, which no double can be"),
    ('{"schema": "a", "schema": "b"}', "holds the key 'schema' twice in one object"),
    (changed(lambda d: d.update(devices=[])), "$.devices: [] "),
    (changed(lambda d: d["machine"].update(memory_bytes=10**300)), "$.machine.memory_bytes: 1000"),
    (changed(lambda d: d["devices"][0].update(name="n" * 2000)), "$.devices[0].name: 'nnn"),
    ({"schema": "grkan-\n\x1b[31m" + "x" * 1000}, "its schema is grkan-\\n\\x1b[31mxxx"),
], ids=["truncated", "empty", "list", "foreign", "another", "future", "machine", "median", "type", "zero", "nan",
        "deep", "surrogate", "long", "infinite", "twice", "no_devices", "large", "long_name", "control"])
def test_a_bad_file_is_named_and_the_others_are_reported(tmp_path, capsys, content, reason):
    bad, good = write(tmp_path, "bad.json", content), write(tmp_path, "good.json", make_document("Good"))
    status, out, err = run([bad, good, "--format", "markdown"], capsys)
    assert status == 1
    assert err.startswith(f"grkan.report: {bad}: ") and reason in err and len(err.splitlines()) == 1
    assert "Good" in out and "bad.json" not in out


def test_no_such_file(tmp_path, capsys):
    missing = str(tmp_path / "missing.json")
    status, out, err = run([missing], capsys)
    assert (status, out) == (1, "")
    assert err.splitlines() == [f"grkan.report: {missing}: No such file or directory",
                                "grkan.report: no file is left to report"]


def test_not_text(tmp_path, capsys):
    path = tmp_path / "bytes.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in run([str(path)], capsys)[2]
    path.write_text(json.dumps(make_document()), encoding="utf-16")
    assert "not text in UTF-8" in run([str(path)], capsys)[2]
    assert "Is a directory" in run([str(tmp_path)], capsys)[2]
    assert "larger than 64 MiB" in run(["/dev/zero"], capsys)[2]


def test_a_byte_order_mark_is_no_fault(tmp_path, capsys):
    path = tmp_path / "marked.json"
    path.write_text(json.dumps(make_document()), encoding="utf-8-sig")
    assert run([str(path), "--format", "markdown"], capsys)[0] == 0


def test_output_that_cannot_be_written(tmp_path, capsys):
    good = write(tmp_path, "good.json", make_document())
    status, _, err = run([good, "-o", str(tmp_path / "missing" / "report.html")], capsys)
    assert (status, err) == (1, f"grkan.report: {tmp_path / 'missing' / 'report.html'}: No such file or directory\n")


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_an_ascii_terminal(tmp_path, form):
    """The page is UTF-8, as its head says; messages are what the terminal can show."""
    good = write(tmp_path, "gr\u00fcn.json", make_document("\u00c4, \u4e2d", cases=[make_case(1.0)]))
    done = run_python("-m", "grkan.report", good, str(tmp_path / "n\u00f6"), "--format", form, text=False,
                      PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 1
    assert done.stderr.decode("ascii").endswith(": No such file or directory\n")
    assert "gr\u00fcn.json" in done.stdout.decode("utf-8") and "\u00c4, \u4e2d" in done.stdout.decode("utf-8")


def test_file_names_of_any_bytes(tmp_path):
    good = os.path.join(os.fsencode(tmp_path), b"\xff.json")
    with open(good, "w", encoding="utf-8") as file:
        json.dump(make_document(), file)
    done = run_python("-m", "grkan.report", good, good + b"\n", "--format", "markdown", text=False)
    assert (done.returncode, "\ufffd.json" in done.stdout.decode("utf-8")) == (1, True)
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away(tmp_path):
    good = write(tmp_path, "good.json", make_document())
    done = subprocess.run(["bash", "-c", '"$@" > >(exec <&-)', "bash", sys.executable, "-c",
                           "import sys, time; time.sleep(0.5); sys.argv = sys.argv[1:]; "
                           "from grkan.report.__main__ import main; sys.exit(main())", "report", good,
                           "--format", "markdown"],
                          env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"grkan.report: -: Broken pipe\n")


def test_names_that_matplotlib_reads_otherwise(tmp_path, capsys):
    target = tmp_path / "page.html"
    good = write(tmp_path, "a.json", make_document("_$\\frac{1$ \x01", cases=[make_case(1.0)]))
    assert main([good, "-o", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert text.count("_$\\frac{1$ \ufffd, cpu") > 5


def test_the_same_device_twice_gets_two_labels(tmp_path, capsys):
    files = [write(tmp_path, name, make_document("Same")) for name in ("a.json", "b.json")]
    _, out, _ = run([*files, "--format", "markdown"], capsys)
    assert "Same, cpu (A)" in out and "Same, cpu (B)" in out


def test_refused_and_peer_cases_have_their_tables(tmp_path, capsys):
    refused = make_case(1.0, unsupported="no | promise")
    del refused["milliseconds"]
    cases = [refused, make_case(4.0, implementation="torch GELU"), make_case(2.0, implementation="grkan")]
    status, out, _ = run([write(tmp_path, "a.json", make_document(cases=cases)), "--format", "markdown"], capsys)
    assert status == 0
    assert "no \\| promise" in out
    assert "| torch GELU | 4 | 2.00 |" in out


def test_prologues_and_what_backward_gives_keep_cases_apart(tmp_path, capsys):
    norm = {"prologue": "layer_norm", "epsilon": 1e-5, "has_scale": True, "has_shift": False}
    cases = [make_case(1.0), make_case(2.0, output_dtype="bf16"), make_case(3.0, operation={"prologue": "bias"}),
             make_case(4.0, operation=norm), make_case(5.0, operation=norm, frozen=["x", "scale"], writes_y=True)]
    path = write(tmp_path, "a.json", make_document(cases=cases))
    status, out, _ = run([path, "--format", "markdown"], capsys)
    assert status == 0
    for median, variant in ((1, "f32"), (2, "f32,bf16"), (3, "f32, bias"), (4, "f32, layer_norm, no shift"),
                            (5, "f32, layer_norm, no shift, frozen x scale, y again")):
        assert re.search(rf"\| {variant} +\| backward +\| {median}", out), variant


@pytest.mark.parametrize("path", sorted((ROOT / "bench" / "results").glob("*.json")), ids=lambda path: path.name)
def test_files_of_this_repository_stay_readable(path):
    if json.loads(path.read_text(encoding="utf-8"))["schema"].startswith("grkan-bench/"):
        assert documents.read_content(path, documents.SCHEMA)["devices"]


def test_it_needs_no_library(tmp_path):
    """As a user runs it, with a library path that leads nowhere."""
    path = write(tmp_path, "a.json", make_document())
    done = run_python("-m", "grkan.report", path, "--format", "markdown", GRKAN_LIBRARY=str(tmp_path / "none.so"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("## What was found")


def test_tables_without_rows_are_left_out():
    document = make_document(cases=[])
    device = documents.Device("A", {**document["devices"][0], "errors": []})
    found = tables.all_tables([documents.Document("a.json", document, [device])])
    assert [table.title for table in found] == ["Machines"]


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "fuzz" / "corpus" / "report").iterdir()),
                         ids=lambda path: path.name)
def test_a_page_or_one_sentence(path):
    """The fuzzer's contract, on files that broke it and their neighbours, plots included."""
    fuzz_report.Reporter()(path.read_bytes())


def make_model_rows(rate, peak=2**30, **changes):
    row = {"size": "base", "model": "kat", "batch": 128, "cuda_graphs": False, "compile": False, "peak_bytes": peak,
           "images_per_second": {"min": rate, "median": rate, "max": rate}, "ratio_to_vit": 0.975,
           "latency_milliseconds": {"min": 1, "median": 2, "max": 3}, **changes}
    return [{**row, "model": "vit", "ratio_to_vit": 1.0}, row, {**row, "model": "flashkat", "ratio_to_vit": 0.693},
            {"size": "base", "model": "kat-published", "batch": 128, "absent": "no kat_rational", **changes}]


def make_models(schema="grkan-train-throughput/1", rows=None):
    return {"schema": schema, "date": "2026-11-23T00:00:00Z", "command": "bench/train_throughput.py",
            "machine": {"architecture": "x86_64", "cores": 32, "torch": "2.11.0", "device": "GPU X"},
            "results": make_model_rows(2589.4) if rows is None else rows}


def test_whole_models_beside_the_layers(tmp_path, capsys):
    inference = make_models("grkan-inference/1", make_model_rows(9000.0, None, mode="compiled", size="tiny"))
    files = [write(tmp_path, f"{name}.json", content) for name, content in
             (("a", make_document()), ("b", make_models()), ("c", inference))]
    status, out, _ = run([*files, "--format", "markdown"], capsys)
    assert status == 0
    assert ("- Training on GPU X: KAT with grkan 0.975, FlashKAT 0.693 of the ViT's images/s; at most 2589 images/s of "
            "a KAT with grkan (base, batch 128, eager).\n") in out
    assert "at most 9000 images/s of a KAT with grkan (tiny, batch 128, compiled)" in out
    assert "| Training | GPU X | base, batch 128, eager | KAT with grkan | 2589.4 | 0.975 | 1.00 |" in out
    assert "| Training | GPU X | base, batch 128, eager | KAT as published |  |  | no kat_rational |" in out
    assert "| B: b.json | x86_64, 32 cores |  | GPU X | torch 2.11.0 |" in out
    assert run([write(tmp_path, "d.json", make_models(rows=[])), "--format", "markdown"], capsys)[0] == 0


@pytest.mark.parametrize("change, reason", [
    ({"schema": "grkan-inference/2"}, "this report reads grkan-inference/1: version 2 needs another grkan"),
    ({"results": [{"size": "base", "model": "kat", "batch": 0, "absent": ""}]}, "$.results[0].batch: 0"),
    ({"results": [{"size": "base", "model": "kat", "batch": 1}]}, "$.results[0]: "),
    ({"machine": {}}, "$.machine: 'architecture' is a required property")])
def test_bad_files_of_models(tmp_path, capsys, change, reason):
    status, _, err = run([write(tmp_path, "a.json", {**make_models(), **change})], capsys)
    assert status == 1 and reason in err


def read_of(*contents):
    return [documents.Document("a.json", content, [documents.Device(f"{device['name']}, {device['backend']}", device)
                                                   for device in content["devices"]]) for content in contents]


def test_what_was_found():
    cases = [make_case(2.0, implementation="grkan"), make_case(3.0, implementation="torch GELU"),
             make_case(9.0, implementation="FlashKAT"), make_case(8.0, implementation="FlashKAT", dtype="bf16"),
             make_case(4.0, implementation="grkan", dtype="bf16")]
    said = summary.sentences(read_of(make_document("X"), make_document("Y", cases=cases)))
    assert said[0] == ("Others take, of grkan's time in the same run: Y, cpu, backward, torch GELU 1.50, FlashKAT 2.00 "
                       "to 4.50.")
    assert said[1:] == [
        "Layers reach, of the speed of a copy: X, cpu, 0.75 forward, 0.75 backward.",
        "Where additions are atomic, backward takes, of the tree's time: X, cpu, 100 by every element, 1.2 by every "
        "block.",
        "Bits that repeat from device to device take, of the time for bits that repeat from run to run: X, cpu, 1.00.",
        "The coefficients' gradients have relative errors, in f32 and 16 bits, of at most: X, cpu, 2.0e-07 by element, "
        "2.0e-07 by block, 2.0e-07 by tree; Y, cpu, 2.0e-07 by element, 2.0e-07 by block, 2.0e-07 by tree.",
        "The cost model is within 15 % of the median in: X, cpu, 4 of 4 cases."]


def test_the_summary_is_on_top_and_numbers_are_at_the_right(html):
    assert html.index("What was found") < html.index("Machines") < html.index("<svg")
    table = html[html.index("<h2>The ladder</h2><p class=\"note\">Backward with each"):]
    assert '<th class="number">ms</th>' in table
    assert "<td>element</td><td class=\"number\">100</td>" in table
    columns = tables.Table("", "", ["a", "b", "c"], [["1e-07", "x", "1 × 2"], ["", "3", "25216 × 768"]])
    assert columns.numeric_columns() == [True, False, True]


def drawn(monkeypatch, draw, devices):
    """Titles of the panels, each with the labels in it and their colours."""
    seen = {}

    def keep(figure, axes):
        for ax in axes:
            seen[ax.get_title()] = {box.get_label(): box.patches[0].get_facecolor() for box in ax.containers
                                    if hasattr(box, "patches")}
        return "<svg/>"

    monkeypatch.setattr(plots, "make_svg", keep)
    draw(devices)
    return seen


@pytest.mark.parametrize("draw, part", [(plots.fraction_of_copy, "times"), (plots.ladder, "ladder"),
                                        (plots.determinism, "determinism")])
def test_only_like_sizes_share_an_axis(monkeypatch, draw, part):
    def with_rows(name, rows):
        cases = [make_case(1.0, part=part, operation={"outer": rows}), make_case(1.0, part=part,
                                                                                operation={"outer": 5})]
        return documents.Device(name, {**make_document(name, cases=cases)["devices"][0]})

    panels = drawn(monkeypatch, draw, [with_rows("A", 7), with_rows("B", 9)])
    assert [sorted(labels) for labels in panels.values()] == [["A", "B"], ["A"], ["B"]]
    assert [title.split(", ")[2].split(" ")[0] for title in panels] == ["5", "7", "9"]


def test_devices_of_one_gpu_have_one_colour(monkeypatch):
    def device(name, backend):
        return documents.Device(f"{name}, {backend}", {**make_document(name)["devices"][0], "backend": backend})

    devices = [device("H", "cuda"), device("H", "opencl"), device("K", "cuda")]
    for labels in drawn(monkeypatch, plots.fraction_of_copy, devices).values():
        assert labels["H, cuda"] == labels["H, opencl"] != labels["K, cuda"]


@pytest.mark.parametrize("more", [[], ["--predict"]])
def test_what_the_program_measures(tmp_path, capsys, more):
    program = pathlib.Path(os.environ.get("GRKAN_LIBRARY", "")).parent / "tools" / "grkan"
    if not program.exists():
        pytest.skip("there is no program beside the library")
    path = str(tmp_path / "bench.json")
    subprocess.run([program.resolve(), "bench", "--outer", "64", "--channels", "64", "--device", "cpu", "--repeats",
                    "1", *more, "--json", path], check=True, capture_output=True)
    status, out, err = run([path, "--format", "markdown"], capsys)
    assert status == 0, err
    assert "| 64 × 64 | f32 | backward | " in out
    status, out, _ = run([path], capsys)
    assert status == 0 and ("predicted ms" in out) == bool(more)


def test_studies_without_predictions(tmp_path, capsys):
    document = make_document(cases=study_cases(1.0))
    for case in document["devices"][0]["cases"]:
        del case["predicted_milliseconds"]
    assert run([write(tmp_path, "a.json", document)], capsys)[0] == 0
