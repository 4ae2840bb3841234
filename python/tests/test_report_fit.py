# SPDX-License-Identifier: Apache-2.0
"""The drawing of a fit: its curves, and what it refuses."""

import json
import os
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jsonschema")

import grkan
from grkan.report.fit import SAMPLES, curves, main

SVG = "{http://www.w3.org/2000/svg}"


def make_document(target="gelu", degrees=(5, 4), form="abs_terms", interval=(-3.0, 3.0), **changes):
    """As `grkan fit --json` writes it, as far as a drawing needs it."""
    found = grkan.fit(target, degrees, form=form, interval=interval)
    error = {"error": found.error, "x": found.error_at}
    document = {"schema": "grkan-fit/1", "range": list(interval), "form": form, "degrees": list(degrees),
                "numerator": found.numerator[0].tolist(), "denominator": found.denominator[0].tolist(),
                "f32": error, "f64": error}
    if isinstance(target, str):
        document["function"] = target
    else:
        document.update(points="a<b_$x$.txt", x=list(target[0]), y=list(target[1]))
    return {**document, **changes}


def draw(tmp_path, document, name="fit.json"):
    """The drawing that the command makes."""
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    status = main([str(path), "-o", str(tmp_path / "fit.svg")])
    return status, str(path)


def texts(tmp_path):
    return {text.text for text in ElementTree.parse(tmp_path / "fit.svg").getroot().iter(f"{SVG}text")}


def test_the_error_swings():
    """Between equal heights, above and below the middle: what a least largest error looks like."""
    document = make_document()
    x, fit, (target_x, target), (error_x, error) = curves(document)
    assert x.size == SAMPLES and (x[0], x[-1]) == (-3, 3)
    assert numpy.array_equal(target_x, x) and numpy.array_equal(error_x, x) and numpy.array_equal(error, fit - target)
    numpy.testing.assert_allclose(abs(error).max(), document["f64"]["error"], rtol=1e-3)
    high = abs(error) > 0.95 * abs(error).max()
    sides = error[high] > 0
    assert (sides[1:] != sides[:-1]).sum() >= 7


def test_a_function(tmp_path):
    assert draw(tmp_path, make_document())[0] == 0
    assert {"gelu by abs_terms, degrees (5, 4)", "gelu", "fit"} <= texts(tmp_path)
    assert any(text.startswith("error: at most 0.00128, at x = ") for text in texts(tmp_path))


def test_points(tmp_path):
    x = numpy.arange(9.0)
    document = make_document((x, x * x), (1, 0), "plain", (0.0, 8.0))
    _, _, target, (own_x, error) = curves(document)
    assert numpy.array_equal(target, (x, x * x)) and numpy.array_equal(own_x, x)
    numpy.testing.assert_allclose(abs(error).max(), document["f64"]["error"], rtol=1e-6)
    assert draw(tmp_path, document)[0] == 0
    assert {"a<b_$x$.txt", "a<b_$x$.txt by plain, degrees (1, 0)"} <= texts(tmp_path)


def test_presets_and_constants(tmp_path):
    found = grkan.preset("identity")
    document = make_document("identity", numerator=found.numerator[0].tolist(),
                             denominator=found.denominator[0].tolist(), preset="identity")
    del document["f64"]
    assert draw(tmp_path, document)[0] == 0
    assert "preset" in texts(tmp_path)
    assert draw(tmp_path, make_document("relu", (0, 0), interval=(-2.0, -1.0)))[0] == 0


@pytest.mark.parametrize(("change", "reason"), [
    ({"schema": "grkan-bench/1"}, "its schema is grkan-bench/1; expected grkan-fit/1"),
    ({"schema": "grkan-fit/2"}, "version 2 needs another grkan"),
    ({"schema": None}, 'not a file of `grkan fit --json`: it has no "schema" of grkan\'s'),
    ({"function": "nosuch"}, '"nosuch"'),
    ({"form": "nosuch"}, "'nosuch'"),
    ({"numerator": []}, "$.numerator: [] "),
    ({"numerator": [1.7e308] * 6}, "holds or gives numbers above 1e+300, which are not drawn"),
    ({"numerator": ["a"]}, "$.numerator[0]: 'a' is not of type 'number'"),
    ({"points": "p.txt", "x": [1], "y": [1]}, "$: ")])
def test_a_bad_file(tmp_path, capsys, change, reason):
    status, path = draw(tmp_path, make_document() | change)
    _, err = capsys.readouterr()
    assert status == 1 and err.startswith(f"grkan.report.fit: {path}: ") and reason in err and err.count("\n") == 1, err
    assert not (tmp_path / "fit.svg").exists()


def test_files_that_are_not_there(tmp_path, capsys):
    missing = str(tmp_path / "missing" / "x")
    assert main([missing, "-o", str(tmp_path / "fit.svg")]) == 1
    assert main([draw(tmp_path, make_document())[1], "-o", missing]) == 1
    assert capsys.readouterr().err == f"grkan.report.fit: {missing}: No such file or directory\n" * 2


@pytest.mark.parametrize("arguments", [["--preset", "kat_gelu"], ["--points", "points.txt", "--degrees", "2,0"]])
def test_what_the_program_writes(tmp_path, arguments):
    program = pathlib.Path(os.environ.get("GRKAN_LIBRARY", "")).parent / "tools" / "grkan"
    if not program.exists():
        pytest.skip("there is no program beside the library")
    (tmp_path / "points.txt").write_text("".join(f"{x} {x * x}\n" for x in range(9)), encoding="utf-8")
    subprocess.run([program.resolve(), "fit", *arguments, "--json", "fit.json"], check=True, cwd=tmp_path)
    assert main([str(tmp_path / "fit.json"), "-o", str(tmp_path / "fit.svg")]) == 0
    assert "preset" in texts(tmp_path) if "--preset" in arguments else "points.txt" in texts(tmp_path)
