#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grkan fit as its users meet it: coefficients, presets, messages and the JSON document.

Usage: test_fit_tool.py PROGRAM [unittest's options]
"""

import json
import math
import os
import re
import sys
import tempfile
import unittest

import test_tool
from test_tool import BAD_USAGE, GOOD, HEAD_KEYS, ToolCase, run

FIT_KEYS = HEAD_KEYS | {"range", "form", "degrees", "numerator", "denominator", "f32"}


def abs_terms(document, x):
    """F(x) of a document's coefficients."""
    p = sum(a * x**i for i, a in enumerate(document["numerator"]))
    return p / (1 + sum(abs(b) * abs(x) ** (j + 1) for j, b in enumerate(document["denominator"])))


class FitCase(ToolCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return self.path(name)

    def fit(self, *arguments):
        """Run with --json FILE; the document and the table."""
        path = self.path("result.json")
        status, out, err = run("fit", *arguments, "--json", path)
        self.assertEqual((status, err), (GOOD, ""))
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.check_head(document, "grkan-fit/1", self.command("fit", *arguments, "--json", path))
        return document, out

    def refuse(self, expected, *arguments, status=BAD_USAGE):
        found, out, err = run("fit", *arguments)
        self.assertEqual((found, out), (status, ""), arguments)
        self.assertIn(expected, err)


class TestFit(FitCase):
    def test_function(self):
        document, out = self.fit("--function", "tanh")
        self.assertEqual(set(document), FIT_KEYS | {"function", "dtype", "growth", "f64"})
        self.assertEqual((document["function"], document["form"], document["degrees"], document["range"]),
                         ("tanh", "abs_terms", [5, 4], [-3, 3]))
        self.assertEqual((len(document["numerator"]), len(document["denominator"])), (6, 4))
        worst = max(abs(abs_terms(document, x / 100) - math.tanh(x / 100)) for x in range(-300, 301))
        self.assertAlmostEqual(worst / document["f64"]["error"], 1, places=2)
        self.assertLess(document["f32"]["error"], 5e-5)
        self.check_table(out, document)

    def check_table(self, out, document):
        lines = out.splitlines()
        self.assertEqual(lines[0], "tanh on [-3, 3] by abs_terms, degrees (5, 4)")
        names = [line.split()[0] for line in lines[2:12]]
        self.assertEqual(names, ["a0", "a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3", "b4"])
        for line, value in zip(lines[2:12], document["numerator"] + document["denominator"]):
            self.assertEqual(float(line.split()[1]).hex(), float(value).hex())
        self.assertRegex(lines[12], r"^largest error in f64: \S+ at x = \S+$")
        self.assertRegex(lines[13], r"^largest error with coefficients in f32: \S+ at x = \S+$")

    def test_form_degrees_and_range(self):
        document, out = self.fit("--function", "sin", "--form", "abs_sum_offset", "--degree", "3,2", "--range", "0,1e1")
        self.assertEqual((document["form"], document["degrees"], document["range"]),
                         ("abs_sum_offset", [3, 2], [0, 10]))
        self.assertEqual((len(document["numerator"]), len(document["denominator"])), (4, 3))
        self.assertRegex(out, r"(?m)^b0 ")
        other, _ = self.fit("--function", "sin", "--denominator", "abs_sum_offset", "--degrees", "3,2", "--range=0,10")
        self.assertEqual(other["numerator"], document["numerator"])

    def test_types(self):
        """Far from 0 a line is the best in f32, and a parabola in f64; without --dtype it is f32 that counts."""
        narrow = ["--function", "sin", "--range", "100,100.001"]
        single, _ = self.fit(*narrow)
        double, _ = self.fit(*narrow, "--dtype", "f64")
        self.assertEqual((single["dtype"], double["dtype"]), ("f32", "f64"))
        self.assertLess(10 * single["f32"]["error"], double["f32"]["error"])
        self.assertLess(10 * double["f64"]["error"], single["f64"]["error"])
        half, _ = self.fit(*narrow, "--dtype", "bf16")
        self.assertEqual(half["numerator"], single["numerator"])

    def test_growth(self):
        """Unless it may, gelu does not grow faster than x; what that costs is little."""
        linear, _ = self.fit("--function", "gelu")
        free, _ = self.fit("--function", "gelu", "--growth", "any")
        self.assertEqual((linear["growth"], free["growth"]), ("auto", "any"))
        self.assertLess(max(abs(abs_terms(linear, x)) for x in (-1e6, 1e6)), 2e6)
        self.assertGreater(min(abs(abs_terms(free, x)) for x in (-1e6, 1e6)), 1e9)
        self.assertLess(linear["f32"]["error"], 1.05 * free["f32"]["error"])

    def test_json_on_the_standard_output(self):
        status, out, err = run("fit", "--function", "gelu", "--json", "-")
        self.assertEqual(status, GOOD)
        self.assertEqual(json.loads(out)["function"], "gelu")
        self.assertTrue(err.startswith("gelu on [-3, 3]"))

    def test_points(self):
        lines = ["# x y", ""] + [f"{x / 10}, {(x / 10) ** 2 / 2}  # a half" for x in range(-20, 20)] + ["\t3  4.5\r"]
        path = self.write("points & more.txt", "\n".join(lines))
        document, out = self.fit("--points", path, "--degrees", "2,0")
        self.assertEqual(set(document), FIT_KEYS | {"points", "x", "y", "dtype", "growth", "f64"})
        self.assertEqual((document["points"], document["range"], document["denominator"]),
                         ("points & more.txt", [-2, 3], []))
        for found, expected in zip(document["numerator"], (0, 0, 0.5)):
            self.assertAlmostEqual(found, expected, places=12)
        self.assertEqual((document["x"][:2], document["y"][-1], len(document["x"])), ([-2, -1.9], 4.5, 41))
        self.assertTrue(out.startswith("points & more.txt on [-2, 3]"))

    def test_presets(self):
        document, out = self.fit("--preset", "gelu", "--form", "plain")
        self.assertEqual(set(document), FIT_KEYS | {"function", "preset"})
        self.assertEqual((document["preset"], document["form"]), ("gelu", "plain"))
        self.assertNotIn("f64", out.splitlines()[-1])
        document, _ = self.fit("--preset", "kat_gelu")
        self.assertEqual((document["function"], document["form"]), ("gelu", "abs_sum"))
        self.assertEqual(document["numerator"][1], 0.51692871)

    def test_list(self):
        status, out, err = run("fit", "--list")
        self.assertEqual((status, err), (GOOD, ""))
        lines = out.splitlines()
        self.assertEqual(len(lines), 1 + 11 * 5 + 9)  # a heading, functions in each form, those of KAT
        self.assertRegex(lines[0], r"^preset +function +form +degrees +range +largest error$")
        self.assertTrue(any(re.match(r"kat_gelu +gelu +abs_sum +5, 4 +\[-3, 3\] +0\.00295$", line) for line in lines))


class TestMisuse(FitCase):
    def test_one_source(self):
        for arguments in ([], ["--function", "gelu", "--preset", "gelu"], ["--list", "--points", "x"]):
            self.refuse("expected one of --function, --points, --preset and --list", *arguments)

    def test_what_does_not_go_together(self):
        self.refuse("--range is where a function is approximated", "--points", "x", "--range", "0,1")
        self.refuse("a preset has its degrees and range", "--preset", "gelu", "--degrees", "5,4")
        self.refuse("a preset has its degrees and range", "--preset", "gelu", "--dtype", "f64")
        self.refuse("a preset has its degrees and range", "--preset", "gelu", "--growth", "any")
        self.refuse("--list prints a table", "--list", "--json", "-")

    def test_plot_says_what_draws_now(self):
        self.refuse("python3 -m grkan.report.fit fit.json -o 'gelu.svg'", "--function", "gelu", "--plot", "gelu.svg")
        self.assertNotIn("--plot", run("fit", "--help")[1] + run("fit", "--usage")[1])

    def test_values(self):
        gelu = ["--function", "gelu"]
        self.refuse("problem.function is \"gelo\"; expected one of identity, relu", "--function", "gelo")
        self.refuse("--form: 'abs' is none of abs_terms, abs_sum, abs_sum_offset, plain, square", *gelu, "--form",
                    "abs")
        self.refuse("--growth: 'fast' is none of auto, linear, any", *gelu, "--growth", "fast")
        self.refuse("problem.growth is linear and problem.numerator_degree 7; expected at most 5", *gelu, "--growth",
                    "linear", "--degrees", "7,4")
        self.refuse("--degrees: '5' is not two whole numbers from 0 to 15", *gelu, "--degrees", "5")
        for text in ("3", "a,b", "1,", ",1", "0,1x"):
            self.refuse(f"--range: '{text}' is not two numbers with a comma between them", *gelu, f"--range={text}")
        self.refuse("problem.low is 3 and problem.high -3; expected low < high", *gelu, "--range", "3,-3")
        self.refuse("'extra' is not an option", "extra")

    def test_presets(self):
        self.refuse("name is \"gelo\"; expected one of identity", "--preset", "gelo")
        self.refuse("form is plain; expected abs_sum, which the preset", "--preset", "kat_gelu", "--form", "plain")

    def test_points(self):
        self.refuse("--points: cannot read", "--points", self.path("missing"))
        for line in ("1", "1 2 3", "a b", "1;2", "1,,2"):
            path = self.write("points", f"0 0\n{line}\n")
            self.refuse(f"{path}:2: '{line}' is not two numbers", "--points", path)
        for text, shown in (("0 0\r1 1\r", "0 0?1 1"), ("0 0\0 1 1\n", "0 0"), ("# x\r0 0\n", "# x?0 0"),
                            ("\x1b[31m" + 99 * "y" + "\n", "?[31m" + 55 * "y" + "...")):
            self.refuse(f":1: '{shown}' is not two numbers", "--points", self.write("points", text))
        self.refuse("Is a directory", "--points", self.folder.name)
        path = self.write("points", "0 0\n1 1\n")
        self.refuse("problem.points is 2; expected at least 10", "--points", path)
        self.refuse("there is no point in", "--points", self.write("empty", "# x y\n"))

    def test_a_file_that_cannot_be_written(self):
        path = self.path("missing/result")
        self.refuse(f"--json: cannot write '{path}'", "--function", "tanh", "--json", path, status=1)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_tool.PROGRAM = sys.argv.pop(1)
    unittest.main()
