#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The files of every command: what their paths may name, and what is left when that goes wrong.

Usage: test_output_tool.py PROGRAM [unittest's options]
"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import test_tool
from test_tool import FAILED, GOOD, SMALL, ToolCase, run

FIT = ["fit", "--preset", "gelu"]
# Every option that names a file, with what comes before it.
FILES = [[*SMALL, "--dtype", "f32", "--host-time", "--json"], [*FIT, "--json"]]
COMPILE = ["compile", "--backend", "cuda", "--arch", "sm_80"]


class OutputCase(ToolCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text="old"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def check_refused(self, arguments, path, reason):
        """Before anything is measured, fitted or printed."""
        status, out, err = run(*arguments, path)
        self.assertEqual((status, out), (FAILED, ""), arguments)
        self.assertTrue(err.endswith(f": {arguments[-1]}: cannot write '{path}': {reason}\n"), err)


class TestFiles(OutputCase):
    def test_a_link_stays_and_its_file_keeps_its_mode(self):
        for arguments in FILES:
            target = self.write("target")
            os.chmod(target, 0o640)
            if not os.path.islink(self.path("link")):
                os.symlink("target", self.path("link"))
            status, _, err = run(*arguments, self.path("link"))
            self.assertEqual(status, GOOD, err)
            self.assertEqual(self.read("target")[0], "{")
            self.assertTrue(os.path.islink(self.path("link")))
            self.assertEqual(os.stat(target).st_mode & 0o7777, 0o640)
            self.assertEqual(sorted(os.listdir(self.folder)), ["link", "target"])

    def test_a_device_stays_one(self):
        try:
            os.mknod(self.path("full"), stat.S_IFCHR | 0o666, os.makedev(1, 7))
            os.mknod(self.path("null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except OSError:
            self.skipTest("only root makes devices")
        for arguments in FILES:
            status, _, err = run(*arguments, self.path("null"))
            self.assertEqual(status, GOOD, err)
            status, _, err = run(*arguments, self.path("full"))
            self.assertEqual(status, FAILED)
            self.assertIn("No space left on device", err)
            for name in ("full", "null"):
                self.assertTrue(stat.S_ISCHR(os.stat(self.path(name)).st_mode))
            self.assertEqual(sorted(os.listdir(self.folder)), ["full", "null"])

    def test_a_pipe_is_written_to(self):
        os.mkfifo(self.path("pipe"))
        with subprocess.Popen(["cat", self.path("pipe")], stdout=subprocess.PIPE) as reader:
            try:
                status, _, err = run(*FIT, "--json", self.path("pipe"))
                self.assertEqual(status, GOOD, err)
                self.assertEqual(json.loads(reader.communicate(timeout=60)[0])["preset"], "gelu")
            finally:
                reader.kill()

    def test_the_standard_output_by_its_names(self):
        os.symlink("/proc/self/fd/1", self.path("stdout"))  # as /dev/stdout is, which a fault must not take away
        for name in (self.path("stdout"), "/dev/fd/1", "/proc/self/fd/1"):
            with open(self.path("out"), "w", encoding="utf-8") as file:
                subprocess.run([test_tool.PROGRAM, *FIT, "--json", name], stdout=file, check=True)
            text = self.read("out")
            self.assertTrue(text.startswith("preset gelu: "))
            self.assertEqual(json.loads(text[text.index("{"):])["preset"], "gelu")

    def test_a_folder(self):
        for arguments in FILES:
            self.check_refused(arguments, self.folder, "Is a directory")
        self.check_refused([*COMPILE, "--json"], self.folder, "Is a directory")

    def test_a_missing_folder(self):
        for arguments in [*FILES, [*COMPILE, "--json"], [*COMPILE, "--keep"]]:
            self.check_refused(arguments, self.path("missing/file"), "No such file or directory")

    def test_programs_go_to_a_folder(self):
        self.check_refused([*COMPILE, "--keep"], self.write("file"), "Not a directory")
        self.assertEqual(self.read("file"), "old")


class TestInterrupts(OutputCase):
    def test_a_run_that_ends_early_leaves_the_old_file(self):
        arguments = ["bench", "--device", "cpu", "--outer", "100000", "--repeats", "100000",
                     "--json", self.write("old")]
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen([test_tool.PROGRAM, *arguments], stdout=subprocess.DEVNULL) as process:
                time.sleep(0.3)
                process.send_signal(number)
                self.assertEqual(process.wait(60), -number)
            self.assertEqual(os.listdir(self.folder), ["old"])
            self.assertEqual(self.read("old"), "old")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_tool.PROGRAM = sys.argv.pop(1)
    unittest.main()
