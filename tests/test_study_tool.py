#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grkan bench --study as its users meet it: parts of the study of the cpu, their tables and their JSON.

Usage: test_study_tool.py PROGRAM [unittest's options]
"""

import json
import sys
import unittest

import test_tool
from test_tool import BAD_USAGE, GOOD, MEASURED_KEYS, WHAT_KEYS, ToolCase, run

ERROR_KEYS = {"mean_absolute", "relative", "largest_relative", "of_bound"}


class TestStudy(ToolCase):
    def study(self, *parts):
        """A part of a study of the cpu, one sample a case: the device in its JSON, and the tables."""
        status, out, err = run("bench", "--study", *parts, "--device", "cpu", "--repeats", "1", "--json", "-")
        self.assertEqual(status, GOOD, err)
        (device,) = json.loads(out)["devices"]
        return device, err

    def test_study_of_the_ladder(self):
        device, table = self.study("ladder")
        self.assertRegex(table, r"(?m)^part +outer ")
        for case in device["cases"]:
            self.assertEqual(set(case), WHAT_KEYS | MEASURED_KEYS | {"part", "predicted_milliseconds"})
            self.assertEqual((case["part"], case["pass"]), ("ladder", "backward"))
        atomics = {case["strategy"]: case["atomics"] for case in device["cases"]}
        self.assertEqual(atomics["element"], 197 * 768 * 10)
        self.assertEqual(atomics["tree"], 0)
        self.assertTrue(0 < atomics["block"] < atomics["element"])

    def test_study_of_the_errors(self):
        device, table = self.study("errors")
        self.assertEqual(device["cases"], [])
        self.assertIn("errors of the coefficient gradients over 10 seeds", table)
        found = {(case["dtype"], case["strategy"], case["determinism"]): case for case in device["errors"]}
        self.assertEqual(len(found), 4 * 4)
        for (dtype, strategy, level), case in found.items():
            for gradient in ("numerator", "denominator"):
                error = case[gradient]
                self.assertEqual(set(error), ERROR_KEYS)
                self.assertLessEqual(error["relative"], error["largest_relative"])
                self.assertTrue(0 < error["of_bound"] <= 1, (dtype, strategy, level, gradient))
                if strategy == "tree":
                    self.assertLess(error["largest_relative"], 1e-13 if dtype == "f64" else 4e-6)
                    self.assertLess(error["relative"], found[dtype, "element", "none"][gradient]["relative"])

    def test_study_has_its_own_cases(self):
        for arguments, expected in [(["--study", "--dtype", "f32"], "--study has its own cases"),
                                    (["--study", "everything"], "'everything' is none of times, ladder"),
                                    (["--study", "--host-time"], "leave out --host-time")]:
            status, out, err = run("bench", "--device", "cpu", *arguments)
            self.assertEqual((status, out), (BAD_USAGE, ""), arguments)
            self.assertIn(expected, err)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_tool.PROGRAM = sys.argv.pop(1)
    unittest.main()
