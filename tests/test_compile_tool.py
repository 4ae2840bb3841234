#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grkan compile as its users meet it: what kernels take, spills, what it leaves, and what plans find of that.

Usage: test_compile_tool.py PROGRAM [unittest's options]
"""

import json
import os
import sys
import tempfile
import unittest

import test_tool
from test_tool import BAD_USAGE, FAILED, GOOD, NO_DEVICE, ToolCase, run


# Leaves what Intel's compiler does, of what is read.
OCLOC = """#!/bin/sh
echo "$@" >"$SAID"
while [ "$1" != -output ]; do shift; done
cat >"$2" <<'END'
---
version: '1.20'
kernels:
  - name:            grkan_forward
    execution_env:
      grf_count:       128
      simd_size:       8
    payload_arguments:
      - arg_type:        arg_byvalue
        size:            312
    per_thread_memory_buffers:
      - type:            global
        usage:           private_space
        size:            128
  - name:            grkan_backward
    execution_env:
      grf_count:       256
      simd_size:       16
      slm_size:        1536
    per_thread_memory_buffers:
      - type:            scratch
        usage:           single_space
        size:            1024
kernels_misc_info:
  - name:            grkan_forward
END
echo 'warning: kernel grkan_backward  compiled SIMD16 allocated 256 regs and spilled around 8'
"""


class TestCompileUsage(ToolCase):
    def test_what_is_missing(self):
        for arguments, missing in (([], "--backend"), (["--backend", "cuda"], "--arch")):
            status, out, err = run("compile", *arguments)
            self.assertEqual((status, out), (BAD_USAGE, ""))
            self.assertIn(f"{missing} is missing, as in --backend cuda --arch sm_90", err)

    def test_backends_that_cannot(self):
        there_only = 'backend "cpu" compiles for a device that is there only; expected cuda, hip or opencl'
        cases = [("cpu", FAILED, there_only),
                 ("cdua", NO_DEVICE, 'there is no backend "cdua"; did you mean "cuda"?')]
        for backend, expected, text in cases:
            status, out, err = run("compile", "--backend", backend, "--arch", "sm_90")
            self.assertEqual((status, out), (expected, ""))
            self.assertIn(text, err)

    def test_a_device_of_opencl_that_is_not_there_needs_a_compiler(self):
        status, out, err = run("compile", "--backend", "opencl", "--arch", "dg2")
        self.assertEqual((status, out), (FAILED, ""))
        self.assertIn("no OpenCL runtime compiles for a device that is not there; expected a compiler: Intel's ocloc",
                      err)

    def test_what_ocloc_says(self):
        """A program in its place: what it is asked, and what is read of what it leaves and says."""
        with tempfile.TemporaryDirectory() as folder:
            ocloc = os.path.join(folder, "ocloc")
            with open(ocloc, "w", encoding="utf-8") as file:
                file.write(OCLOC)
            os.chmod(ocloc, 0o755)
            status, out, err = run("compile", "--backend", "opencl", "--compiler", ocloc, "--arch", "pvc",
                                   "--json", "-", "--fail-on-spill", environment={"SAID": os.path.join(folder, "said")})
            self.assertEqual(status, FAILED)
            self.assertIn("1 of 2 kernels spill", err)
            keys = ("kernel", "vector_registers", "spill_bytes", "stack_bytes", "shared_bytes", "wave_width")
            kernels = [[kernel[key] for key in keys] for kernel in json.loads(out)["programs"][0]["kernels"]]
            self.assertEqual(kernels, [["grkan_forward", 128, 0, 128, 0, 8], ["grkan_backward", 256, 16, 64, 1536, 16]])
            with open(os.path.join(folder, "said"), encoding="utf-8") as file:
                said = file.read()
            self.assertRegex(said, "^compile -file .*/source -device pvc -output .*/binary -output_no_suffix -options "
                                   "-cl-std=CL1.2 .*-DOPENCL_WAVE=16 -internal_options -ze-allow-zebin$")

    def test_a_cache_that_others_can_enter(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            status, out, err = run("compile", "--backend", "cuda", "--arch", "sm_90", "--out", folder)
            self.assertEqual((status, out), (BAD_USAGE, ""))
            self.assertIn(f"--out: '{folder}' cannot be a cache: expected a directory of your own with mode 0700", err)


def reason_without_cuda():
    """Why the cuda backend cannot compile; None if it can. It needs no device for it."""
    backends = json.loads(run("devices", "--json")[1])["backends"]
    cuda = next(backend for backend in backends if backend["backend"] == "cuda")
    if not cuda["libraries"]:
        return cuda["error"]
    return next((line for line in cuda["libraries"] if line.startswith("NVRTC: none")), None)


class TestCompile(ToolCase):
    """Architectures that every CUDA toolkit from 12.0 on knows."""
    KERNEL_KEYS = {"kernel", "vector_registers", "scalar_registers", "spill_bytes", "stack_bytes", "shared_bytes",
                   "wave_width"}
    SMALL = ["--backend", "cuda", "--arch", "sm_80", "--outer", "100", "--channels", "24"]
    BACKWARD = ["x", "dy", "numerator", "denominator", "dx", "dnumerator", "ddenominator", "workspace", "launch",
                "geometry"]

    def setUp(self):
        reason = reason_without_cuda()
        if reason is not None:
            self.skipTest(reason)
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def compile(self, *arguments, expected=GOOD):
        """Run the small case; the programs of the document, and the lines of the table."""
        status, out, err = run("compile", *self.SMALL, *arguments, "--json", "-")
        self.assertEqual(status, expected, err)
        document = json.loads(out)
        self.check_head(document, "grkan-compile/1", self.command("compile", *self.SMALL, *arguments, "--json", "-"))
        return document["programs"], err.splitlines()

    def test_table_and_json_say_the_same(self):
        programs, lines = self.compile("--arch", "sm_90", "--dtype", "bf16")
        self.assertEqual([program["architecture"] for program in programs], ["sm_80", "sm_90"])
        rows = [line.split() for line in lines[1:]]
        for program in programs:
            self.assertEqual({kernel["kernel"] for kernel in program["kernels"]}, {"grkan_forward", "grkan_backward"})
            for kernel in program["kernels"]:
                self.assertEqual(set(kernel), self.KERNEL_KEYS)
                self.assertGreater(kernel["vector_registers"], 0)
                self.assertIsNone(kernel["scalar_registers"])
                row = rows.pop(0)
                self.assertEqual(row[:4], [program["architecture"], "24", "5,4", "abs_terms"])
                self.assertEqual(row[4:8], ["bf16", "tree", "run_to_run", kernel["kernel"]])
                self.assertEqual(row[8:], [str(kernel["vector_registers"]), "-", str(kernel["spill_bytes"]),
                                           str(kernel["stack_bytes"]), str(kernel["shared_bytes"]), "32"])
            backward = max(kernel["shared_bytes"] for kernel in program["kernels"])
            self.assertGreaterEqual(backward, 32 * 12 * 4)  # sums of each of a block's threads
        self.assertEqual(rows, [])

    def test_spills_fail_where_that_is_asked_for(self):
        large = "--dtype", "f64", "--degrees", "15,15"
        (program,), _ = self.compile(*large)
        spills = sum(kernel["spill_bytes"] > 0 for kernel in program["kernels"])
        self.assertGreater(spills, 0)
        _, lines = self.compile(*large, "--fail-on-spill", expected=FAILED)
        self.assertIn(f"--fail-on-spill: {spills} of 2 kernels spill", lines[-1])
        (program,), _ = self.compile("--degrees", "2,1", "--fail-on-spill")
        self.assertEqual([kernel["spill_bytes"] for kernel in program["kernels"]], [0, 0])

    def test_an_architecture_that_the_compiler_does_not_know(self):
        status, out, err = run("compile", "--backend", "cuda", "--arch", "sm_1")
        self.assertEqual((status, out), (FAILED, ""))
        self.assertIn("sm_1: nvrtcCompileProgram failed", err)

    def test_keep_leaves_programs_and_their_launches(self):
        self.compile("--strategy", "block", "--keep", self.scratch)
        name = "sm_80-5_4-abs_terms-f32-100x24x1-8-block-none"
        self.assertEqual(sorted(os.listdir(self.scratch)), [f"{name}.cubin", f"{name}.json"])
        with open(os.path.join(self.scratch, f"{name}.json"), encoding="utf-8") as file:
            document = json.load(file)
        with open(os.path.join(self.scratch, document["binary"]), "rb") as file:
            binary = file.read()
        self.assertEqual(binary[:4], b"\x7fELF")
        self.assertEqual(len(binary), document["bytes"])
        self.assertEqual(document["tensors"]["x"], {"dtype": "f32", "shape": [100, 24, 1], "bytes": 100 * 24 * 4})
        self.assertEqual(document["tensors"]["ddenominator"]["shape"], [8, 4])
        self.check_launches(document["launches"]["forward"], [("grkan_forward", ["x", "numerator", "denominator", "y",
                                                                                 "launch", "geometry"])], binary)
        self.check_launches(document["launches"]["backward"],
                            [("grkan_clear", ["dnumerator", "ddenominator", "launch", "geometry"]),
                             ("grkan_backward", self.BACKWARD)], binary)

    def test_keep_of_a_prologue(self):
        """Every pointer of a launch is a tensor whose shape is told."""
        self.compile("--prologue", "layer_norm", "--no-shift", "--frozen", "x,scale", "--writes-y", "--keep",
                     self.scratch)
        name = ("sm_80-5_4-abs_terms-f32-100x24x1-8-tree-run_to_run-layer_norm_scale-writes_y-frozen_80000004")
        with open(os.path.join(self.scratch, f"{name}.json"), encoding="utf-8") as file:
            document = json.load(file)
        self.assertEqual((document["operation"]["prologue"], document["frozen"], document["writes_y"]),
                         ("layer_norm", ["x", "scale"], True))
        tensors = document["tensors"]
        self.assertEqual([tensors[name]["shape"] for name in ("mean", "rstd", "scale", "shift", "dscale")],
                         [[100], [100], [24, 1], [24, 0], [24, 1]])
        for one_pass, used in (("forward", {"x", "scale", "mean", "rstd"}), ("backward", {"dy", "mean", "rstd", "y"})):
            names = {argument["name"] for launch in document["launches"][one_pass] for argument in launch["arguments"]
                     if argument["kind"] == "pointer"}
            self.assertLessEqual(used, names)
            self.assertLessEqual(names, set(tensors))

    def check_launches(self, launches, expected, binary):
        found = [(launch["kernel"], [argument["name"] for argument in launch["arguments"]]) for launch in launches]
        self.assertEqual(found, expected)
        for launch in launches:
            self.assertIn(launch["kernel"].encode(), binary)
            self.assertGreater(launch["grid"][0], 0)
            self.assertEqual((launch["grid"][1:], launch["block"][1:], launch["block"][0] % 32), ([1, 1], [1, 1], 0))
            end = 0
            for argument in launch["arguments"]:
                self.assertEqual(argument["offset"], end)
                end += argument["bytes"]
                is_value = argument["name"] in ("launch", "geometry")
                self.assertEqual(argument["kind"], "value" if is_value else "pointer")
                self.assertEqual(len(bytes.fromhex(argument["hex"])) if is_value else 8, argument["bytes"])
            geometry = bytes.fromhex(launch["arguments"][-1]["hex"])
            self.assertEqual(int.from_bytes(geometry[68:72], sys.byteorder), 24)  # grkan_columns.tile_vectors

    def test_out_fills_a_cache_once(self):
        folder = os.path.join(self.scratch, "cache")
        for _ in range(2):
            self.compile("--out", folder)
            (name,) = os.listdir(folder)
            self.assertRegex(name, "^[0-9a-f]{32}$")
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)


class TestPlans(ToolCase):
    SHAPE = ["--outer", "16", "--channels", "24", "--groups", "3"]

    def test_plans_find_what_compile_left(self):
        backends = json.loads(run("devices", "--json")[1])["backends"]
        devices = [backend["devices"][0] for backend in backends
                   if backend["backend"] in ("cuda", "hip") and "error" not in backend]
        if not devices:
            self.skipTest("no device whose kernels are compiled without it")
        for device in devices:
            with tempfile.TemporaryDirectory() as folder:
                status, _, err = run("compile", "--backend", device["backend"], "--arch", device["architecture"],
                                     *self.SHAPE, "--out", folder)
                self.assertEqual(status, GOOD, err)
                status, out, err = run("bench", "--host-time", "--device", device["device"], *self.SHAPE, "--repeats",
                                       "3", "--json", "-", environment={"GRKAN_CACHE_DIR": folder})
                self.assertEqual(status, GOOD, err)
            (found,) = json.loads(out)["devices"]
            self.assertEqual([case["is_compiled"] for case in found["cases"]], [False, False], device["device"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    test_tool.PROGRAM = sys.argv.pop(1)
    unittest.main()
