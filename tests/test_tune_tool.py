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
        self.assertEqual(devices["cuda:0"]["tuning_note"], str(file))
        self.assertIn(f"tuning of cuda:0: {file}\n", self.run_program("devices").stdout)
        file.write_bytes(file.read_bytes()[:-1])
        damaged = self.devices()["cuda:0"]
        self.assertEqual(damaged["tuning"], "table")
        self.assertIn("the file is not used: it is damaged", damaged["tuning_note"])
        self.assertIn(str(file), damaged["tuning_note"])
        file.unlink()
        self.assertEqual(self.devices()["cuda:0"]["tuning_note"], table["tuning_note"])

    def test_blocks_that_the_device_refuses_are_none_of_its_tunings(self):
        self.cache.chmod(0o755)
        done = self.run_program("bench", "--tune", "--device", "cuda", "--json", "-", CUDA_STANDIN_MOST_THREADS="128")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"cannot be kept: {self.cache} is no folder that is the user's alone", done.stderr)
        found = json.loads(done.stdout)["devices"][0]
        self.assertFalse(found["is_kept"])
        for kind in PLAIN:
            times = found["tunings"][kind]
            self.assertAlmostEqual(times["found_milliseconds"], 1.0, places=3, msg=kind)
            self.assertNotIn("default_milliseconds", times)
            self.assertNotIn("table_milliseconds", times)
        self.assertNotIn("found_milliseconds", found["tunings"]["backward_norm"])  # its rows take more

    def test_a_device_that_runs_none_has_no_tunings(self):
        done = self.run_program("bench", "--tune", "--device", "cuda", CUDA_STANDIN_MOST_THREADS="0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("too many resources requested for launch", done.stderr)
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_what_does_not_go_together(self):
        for more in (["--dtype", "f32"], ["--study"], ["--host-time"], ["--repeats", "3"],
                     ["--degrees", "3,2"], ["--form", "square"], ["--cpu-threads", "1"]):
            done = self.run_program("bench", "--tune", "--device", "cuda", *more)
            self.assertEqual(done.returncode, 2, more)
            self.assertIn("--tune has its own cases", done.stderr)
        for devices in (["cpu"], ["cuda", "cpu"]):  # before a minute is spent on the first
            done = self.run_program("bench", "--tune", *(word for device in devices for word in ("--device", device)))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("has no tunings", done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
