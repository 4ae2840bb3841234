# SPDX-License-Identifier: Apache-2.0
"""grkan bench --tune, on a stand-in for a GPU that tells how long launches take: test_tune_tool.py PROGRAM"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
BEST_BLOCK = "96"  # threads; fewer or more take longer
PLAIN = ("forward", "backward", "forward_16_bit", "backward_16_bit")


class TestTune(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.cache = pathlib.Path(self.folder.name) / "cache"
        self.cache.mkdir(mode=0o700)

    def run_program(self, *arguments, **environment):
        environment = {"GRKAN_CACHE_DIR": str(self.cache), "CUDA_STANDIN_BLOCK": BEST_BLOCK, **environment}
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=90,
                              env={**os.environ, **environment}, check=False)

    def tune(self, **environment):
        done = self.run_program("bench", "--tune", "--device", "cuda", "--json", "-", **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["devices"][0], done.stderr

    def devices(self, **environment):
        backends = json.loads(self.run_program("devices", "--json", **environment).stdout)["backends"]
        return {device["device"]: device for backend in backends for device in backend["devices"] if "device" in device}

    def test_the_fastest_is_found_and_kept(self):
        found, table = self.tune()
        self.assertTrue(found["is_kept"])
        self.assertLess(found["seconds"], 90)
        for kind in PLAIN:
            times = found["tunings"][kind]
            self.assertAlmostEqual(times["found_milliseconds"], 1.0, places=3, msg=kind)
            self.assertGreater(times["table_milliseconds"], 1.1, kind)
            self.assertGreater(times["default_milliseconds"], 1.1, kind)
        self.assertIn("kept for this device and driver", table)

        devices = self.devices()
        self.assertEqual(devices["cuda:0"]["tuning"], "file")
        self.assertEqual(devices["cuda:1"]["tuning"], "table")  # it has another name
        self.assertEqual(devices["cpu"]["tuning"], "none")
        names = ("block", "occupancy", "grid_waves", "stages", "step", "least_row_bytes")
        for kind, tuning in devices["cuda:0"]["tunings"].items():
            self.assertEqual(tuning, {name: found["tunings"][kind][name] for name in names}, kind)
        table = self.devices(GRKAN_TUNING="table")["cuda:0"]
        self.assertEqual((table["tuning"], table["tunings"]), ("table", devices["cuda:1"]["tunings"]))
        self.assertEqual(self.devices(GRKAN_TUNING="default")["cuda:0"]["tuning"], "default")

        file, = self.cache.iterdir()  # and no kernels of what was tried
        file.write_bytes(file.read_bytes()[:-1])
        damaged = self.devices()["cuda:0"]
        self.assertEqual(damaged["tuning"], "table")
        self.assertIn("the file is not used: it is damaged", damaged["tuning_note"])

    def test_what_does_not_go_together(self):
        for more in (["--dtype", "f32"], ["--study"], ["--host-time"], ["--repeats", "3"]):
            done = self.run_program("bench", "--tune", "--device", "cuda", *more)
            self.assertEqual(done.returncode, 2, more)
            self.assertIn("--tune has its own cases", done.stderr)
        done = self.run_program("bench", "--tune", "--device", "cpu")
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no tunings", done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
