#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program grkan under Wine, where Windows differs: names of files, and vendors' libraries that do not serve.

    test_program.py WINE FOLDER FAKES       FOLDER has grkan.exe and its libraries, FAKES meson's fake_vendors
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

WINE, FOLDER, FAKES = sys.argv[1:4]

ODD = "für uns, 😀"


def run(program, *arguments, **variables):
    """Exit status, standard output and standard error."""
    done = subprocess.run([WINE, str(program), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                          check=False, env={**os.environ, **variables})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / ODD
        self.folder.mkdir()
        self.program = pathlib.Path(FOLDER) / "grkan.exe"

    def copy(self, **libraries):
        """A copy of the program in an odd folder, with fakes beside it under the names of the real ones."""
        place = self.folder / "bin"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(FOLDER, place)
        for name, fake in libraries.items():
            shutil.copy(pathlib.Path(FAKES) / f"{fake}.dll", place / f"{name}.dll")
        return place / "grkan.exe"

    def test_files_with_odd_names(self):
        points = self.folder / "Punkte ä.txt"
        points.write_bytes(b"".join(b"%g %g\r\n" % (x / 8, x * x / 64) for x in range(-24, 25)))
        report = self.folder / "Bericht 😀.json"
        for path in (report, f"Z:{report}", "Z:" + str(report).replace("/", "\\")):
            status, out, error = run(self.program, "fit", "--points", str(points), "--json", str(path))
            self.assertEqual((status, error), (0, ""))
            self.assertNotIn("\r", out)
            document = json.loads(report.read_text(encoding="utf-8"))
            self.assertEqual(document["command"], f"grkan fit --points {points.name} --json {report.name}")
            self.assertRegex(document["machine"]["os"], "^Wine ")
            report.unlink()
        self.assertEqual([file.name for file in self.folder.iterdir()], [points.name])

    def test_files_that_cannot_be_written(self):
        for path, why in ((str(self.folder / "nowhere" / "file"), "No such file or directory"), ("Z:/proc/file", ""),
                          (str(self.folder), "Is a directory")):
            status, out, error = run(self.program, "fit", "--function", "gelu", "--json", path)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"cannot write '{path}'", error)
            self.assertIn(why, error)

    def test_modules_in_an_odd_folder(self):
        program = self.copy()
        for name in ("cuda", "hip", "opencl"):
            (self.folder / "modules").mkdir(exist_ok=True)
            shutil.move(program.parent / "grkan" / f"libgrkan_{name}.dll", self.folder / "modules")
        self.assertIn("is not built: there is no libgrkan_cuda.dll in Z:/", run(program, "devices")[1])
        out = run(program, "devices", GRKAN_BACKEND_PATH=f"C:\\nowhere;Z:{self.folder / 'modules'}")[1]
        self.assertIn("no CUDA driver: there is no nvcuda.dll; install NVIDIA's driver", out)

    def test_drivers_that_do_not_serve(self):
        for fake, words in (("nvcuda_no_device", "no CUDA-capable device is detected"),
                            ("nvcuda_old", "it has no function cuGetProcAddress_v2; install NVIDIA's driver"),
                            ("nvcuda_poor", "it has no function cuLibraryLoadData; install NVIDIA's driver")):
            with self.subTest(fake):
                status, out, _ = run(self.copy(nvcuda=fake), "devices")
                self.assertEqual(status, 0)
                self.assertIn(words, next(line for line in out.splitlines() if line.startswith("cuda")))
                self.assertEqual(run(self.copy(nvcuda=fake), "check", "--case", "0", "--device", "cuda")[0], 3)

    def test_compilers_that_do_not_serve(self):
        compiling = ("compile", "--backend", "cuda", "--arch", "sm_90", "--dtype", "f32")
        for libraries, words in (({}, "there is no nvrtc64_130_0.dll; expected NVRTC of CUDA 12 or 13"),
                                 ({"nvrtc64_120_0": "nvrtc_old"}, "nvrtcVersion gives 11.8 (0); expected NVRTC"),
                                 ({"nvrtc64_120_0": "nvrtc_poor"}, "nvrtc64_120_0.dll: it has no function nvrtc")):
            with self.subTest(words):
                status, _, error = run(self.copy(**libraries), *compiling)
                self.assertEqual(status, 1)
                self.assertIn(words, error)

    def test_a_compiler_that_is_named(self):
        compiling = ("compile", "--backend", "cuda", "--arch", "sm_90", "--dtype", "f32")
        for name, words in ((f"Z:{self.folder}/none.dll", "expected the absolute path of a file"),
                            ("nvrtc64_120_0.dll", "expected the absolute path of a file"),
                            (f"Z:{FAKES}/nvrtc_old.dll", "nvrtcVersion gives 11.8")):
            error = run(self.program, *compiling, GRKAN_NVRTC=name)[2]
            self.assertIn(f"the environment's GRKAN_NVRTC is \"{name}\"", error)
            self.assertIn(words, error)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
