# SPDX-License-Identifier: Apache-2.0
"""Vendors' libraries: where they are found, under which names, and what is said of those that do not serve.

    tests/test_vendor_libraries.py PROGRAM LIBRARY CUDA HIP      grkan, libgrkan.so, folders of the stand-ins (none: "")

The stand-ins are copied, and copies are damaged: a function is renamed, the machine that the file is for is another.
Each question is asked in a process of its own, of grkan's program, or of its library in Python.
"""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, LIBRARY, CUDA, HIP = sys.argv[1:5]
BACKENDS = pathlib.Path(__file__).resolve().parent.parent / "backends"
DRIVER, NVRTC, RUNTIME = "libcuda.so.1", "libnvrtc.so.12", "libamdhip64.so.7"

# What a process of Python does with the library: commands are "set NAME=VALUE", "load PATH", "add FOLDER",
# "tell BACKEND", "count BACKEND".
ASKING = r"""
import ctypes
import os
import sys

grkan = ctypes.CDLL(sys.argv[1])
grkan.grkan_last_error.restype = ctypes.c_char_p
text, count = ctypes.create_string_buffer(8192), ctypes.c_int()
for command in sys.argv[2:]:
    what, argument = command.split(" ", 1)
    if what == "set":
        os.environ.update([argument.split("=")])
    elif what == "load":
        ctypes.CDLL(argument)
    elif what == "add":
        assert grkan.grkan_add_library_folder(argument.encode()) == 0
    elif what == "tell":
        assert grkan.grkan_backend_libraries(argument.encode(), text, len(text)) == 0
        print(text.value.decode(), end="")
    else:
        good = grkan.grkan_device_count(argument.encode(), ctypes.byref(count)) == 0
        print(f"{count.value} devices" if good else grkan.grkan_last_error().decode())
print("in the process:", *sorted({line.split()[-1] for line in open("/proc/self/maps") if "/libamdhip64" in line}))
"""


def functions_of(path):
    """Names in a list of functions, and those of them that are optional."""
    text = (BACKENDS / path).read_text()
    found = re.findall(r"^(FUNCTION|OPTIONAL)\((?:const )?\w+ ?\*?, (\w+),", text, re.MULTILINE)
    return [name for _, name in found], {name for kind, name in found if kind == "OPTIONAL"}


class Case(unittest.TestCase):
    """Tests with a folder of their own, and the environment without what a user may have set."""

    standins = ""

    def setUp(self):
        if not self.standins:
            self.skipTest("no stand-in was built")
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name).resolve()
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("GRKAN_NVRTC", "GRKAN_HIPRTC", "CUDA_", "ROCM_", "HIP_"))}
        self.environment |= {"GRKAN_CACHE": "off", "LD_LIBRARY_PATH": self.standins}

    def copy(self, name, under=None, lacks=(), change=None):
        """A copy of a stand-in's file under another name, without some functions, its bytes changed."""
        content = pathlib.Path(self.standins, name).read_bytes()
        for function in lacks:
            symbol = b"\0" + function.encode() + b"\0"
            self.assertIn(symbol, content)
            content = content.replace(symbol, b"\0_" + symbol[2:])
        to = self.folder / (under or name)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(change(content) if change else content)
        return to

    def run_program(self, *arguments, **environment):
        done = subprocess.run([PROGRAM, *arguments], env=self.environment | environment, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertGreaterEqual(done.returncode, 0, done.stdout)  # no signal
        return done.stdout

    def ask(self, *commands, **environment):
        """In a process of Python that has loaded grkan."""
        done = subprocess.run([sys.executable, "-c", ASKING, LIBRARY, *commands], env=self.environment | environment,
                              text=True, check=False, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


def for_another_machine(content):
    """An ELF file for a processor that this is not."""
    enough = bytearray(content)
    enough[18:20] = (8).to_bytes(2, "little")  # MIPS
    return bytes(enough)


def no_library(content):
    return b"/* no library */\n" * 20


class TestNvrtc(Case):
    standins = CUDA

    def compile(self, nvrtc, **environment):
        environment["GRKAN_NVRTC"] = str(nvrtc)
        return self.run_program("compile", "--backend", "cuda", "--arch", "sm_90", **environment)

    def test_one_by_name_serves(self):
        self.assertIn("sm_90", self.compile(self.copy(NVRTC)))

    def test_each_function_is_missed(self):
        for name in functions_of("cuda/nvrtc_functions.h")[0]:
            with self.subTest(name):
                nvrtc = self.copy(NVRTC, lacks=[name])
                expected = f'the environment\'s GRKAN_NVRTC is "{nvrtc}": {nvrtc}: it has no function {name}'
                self.assertIn(f"no NVRTC: {expected}", self.compile(nvrtc))

    def test_versions_that_do_not_serve(self):
        nvrtc = self.copy(NVRTC)
        self.assertIn("nvrtcVersion gives 11.2 (0)", self.compile(nvrtc, NVRTC_STANDIN_VERSION="112"))
        said = self.ask("tell cuda", GRKAN_NVRTC=str(nvrtc), NVRTC_STANDIN_VERSION="130", CUDA_STANDIN_VERSION="12040")
        self.assertIn("NVRTC 13.0 makes code that a driver of CUDA 12 does not take", said)

    def test_a_gpu_older_than_the_compiler(self):
        nvrtc = self.copy(NVRTC)
        said = self.run_program("check", "--case", "0", "--device", "cuda", GRKAN_NVRTC=str(nvrtc),
                                CUDA_STANDIN_CAPABILITY="70")
        self.assertIn(f"{nvrtc} makes no code for sm_70: NVRTC 12.4 begins with sm_75; name an older one", said)

    def test_files_that_are_none(self):
        for change in (for_another_machine, no_library):
            with self.subTest(change.__name__):
                nvrtc = self.copy(NVRTC, change=change)
                self.assertRegex(self.compile(nvrtc),
                                 f'no NVRTC: the environment\'s GRKAN_NVRTC is "{nvrtc}": .*{nvrtc}: .+')
        for path in (self.folder / "nothing.so", self.folder, pathlib.Path("libnvrtc.so.12")):
            with self.subTest(str(path)):
                self.assertIn(f'is "{path}": ', self.compile(path))

    def test_places_in_their_order(self):
        """A driver of CUDA 12 passes over an NVRTC 13 that the machine may have."""
        self.environment["LD_LIBRARY_PATH"] = str(self.copy(DRIVER, "driver/" + DRIVER).parent)
        tell = functools.partial(self.ask, CUDA_STANDIN_VERSION="12040")
        handed_over = self.copy(NVRTC, "handed over/" + NVRTC)
        self.assertIn(f"NVRTC 12.4: {handed_over}", tell(f"add {handed_over.parent}", "tell cuda"))
        home = self.copy(NVRTC, "home/lib64/" + NVRTC)
        variables = {"CUDA_PATH": str(self.folder / "home")}
        self.assertIn(f"NVRTC 12.4: {home}", tell(f"add {handed_over.parent}", "tell cuda", **variables))
        loaders = self.copy(NVRTC, "driver/" + NVRTC)
        self.assertIn(f"NVRTC 12.4: {loaders}", tell(f"add {handed_over.parent}", "tell cuda", **variables))
        named = self.copy(NVRTC, "named.so")
        variables["GRKAN_NVRTC"] = str(named)
        self.assertIn(f"NVRTC 12.4: {named}", tell("tell cuda", **variables))
        loaded = self.copy(NVRTC, "loaded/libnvrtc-0a1b2c3d.so.12.4.99")
        self.assertIn(f"NVRTC 12.4: {loaded}", tell(f"load {loaded}", "tell cuda", **variables))

    def test_what_was_not_found_is_looked_for_again(self):
        nvrtc = self.copy(NVRTC)
        self.environment["LD_LIBRARY_PATH"] = str(self.copy(DRIVER, "driver/" + DRIVER).parent)
        said = self.ask("tell cuda", f"add {self.folder}", "tell cuda", CUDA_STANDIN_VERSION="12040")
        self.assertRegex(said, rf"NVRTC: none: .+\n(.*\n)*NVRTC 12\.4: {nvrtc}\n")
        self.assertIn("install nvidia-cuda-nvrtc", said)


class TestCudaDriver(Case):
    standins = CUDA

    def test_each_function_is_missed(self):
        """One process asks again and again: what a driver lacks may come."""
        names, optional = functions_of("cuda/driver_functions.h")
        needed = [name for name in names if name not in optional]
        commands = [command for name in needed for command in (f"set CUDA_STANDIN_LACKS={name}", "count cuda")]
        *said, devices, _ = self.ask(*commands, f"set CUDA_STANDIN_LACKS={min(optional)}", "count cuda").splitlines()
        self.assertEqual(len(said), len(needed))
        for name, line in zip(needed, said):
            self.assertIn(f"it has no function {name}; install NVIDIA's driver", line)
        self.assertEqual(devices, "2 devices")

    def test_drivers_before_cuda_12(self):
        driver = self.copy(DRIVER, lacks=["cuGetProcAddress_v2"])
        self.environment["LD_LIBRARY_PATH"] = str(self.folder)
        self.assertIn(f"no CUDA driver: {driver}: it has no function cuGetProcAddress_v2; install NVIDIA's driver, 525 "
                      "(CUDA 12.0) or later", self.ask("count cuda"))

    def test_no_device(self):
        for variables, expected in (({"CUDA_STANDIN_INIT": "100"},
                                     "cuInit says no CUDA-capable device is detected (100)"),
                                    ({"CUDA_STANDIN_INIT": "34"}, "cuInit says unknown error (34)"),
                                    ({"CUDA_STANDIN_INIT": "100", "CUDA_VISIBLE_DEVICES": ""},
                                     "(100); the environment's CUDA_VISIBLE_DEVICES is \"\"")):
            with self.subTest(expected):
                self.assertIn(expected, self.ask("count cuda", **variables))

    def test_files_that_are_none(self):
        """The loader goes on after a file that is for another machine; then there may be one of the machine's own."""
        for change in (for_another_machine, no_library):
            with self.subTest(change.__name__):
                self.copy(DRIVER, change=change)
                said = self.ask("count cuda", LD_LIBRARY_PATH=str(self.folder))
                self.assertRegex(said, "no CUDA driver: .+; install NVIDIA's driver|devices|no device: cuInit says")

    def test_a_driver_may_come_later(self):
        self.environment["LD_LIBRARY_PATH"] = ""
        if "no CUDA driver" not in self.ask("count cuda"):
            self.skipTest("this machine has a driver")
        self.copy(DRIVER)
        said = self.ask("count cuda", f"add {self.folder}", "count cuda")
        self.assertRegex(said, "no CUDA driver: .+\n2 devices\n")

    def test_the_program_tells(self):
        said = self.run_program("devices", GRKAN_NVRTC=str(self.copy(NVRTC)))
        self.assertIn("stand-in 1 for an NVIDIA GPU", said)
        self.assertIn(f"CUDA driver 13.0: {pathlib.Path(CUDA, DRIVER).resolve()}", said)
        self.assertIn(f"NVRTC 12.4: {self.folder / NVRTC}", said)


class TestHip(Case):
    standins = HIP

    def test_names_of_releases(self):
        for version in ("5", "6", "7"):
            name = f"libamdhip64.so.{version}"
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                runtime = pathlib.Path(shutil.copy(pathlib.Path(HIP, RUNTIME), pathlib.Path(folder).resolve() / name))
                said = self.ask("count hip", "tell hip", LD_LIBRARY_PATH=folder)
                self.assertIn("2 devices\nHIP runtime", said)
                self.assertIn(f": {runtime}\n", said)

    def test_names_of_pytorch(self):
        """In its own folder without a version, or renamed and loaded: before the machine's own, and never beside it."""
        plain = self.copy(RUNTIME, "torch/lib/libamdhip64.so")
        said = self.ask(f"add {plain.parent}", "count hip", "tell hip")
        self.assertIn(f": {plain}\nhipRTC", said)
        self.assertIn(f"in the process: {plain}\n", said)
        renamed = self.copy(RUNTIME, "libs/libamdhip64-8f3b21aa.so.6.2.41133")
        said = self.ask(f"load {renamed}", f"add {plain.parent}", "count hip", "tell hip")
        self.assertIn(f": {renamed}\nhipRTC", said)
        self.assertIn(f"in the process: {renamed}\n", said)

    def test_never_a_second_runtime(self):
        bad = self.copy(RUNTIME, "torch/lib/libamdhip64.so", lacks=["hipMalloc"])
        said = self.ask(f"load {bad}", "count hip")
        self.assertIn(f"no HIP runtime: the one in this process cannot be used: {bad}: it has no function hipMalloc; "
                      "install ROCm", said)
        self.assertIn(f"in the process: {bad}\n", said)

    def test_each_function_is_missed(self):
        names, optional = functions_of("hip/hip_functions.h")
        for name in names:
            if name in optional:
                continue  # the stand-in has none of them
            with self.subTest(name):
                bad = self.copy(RUNTIME, lacks=[name])
                said = self.run_program("check", "--case", "0", "--device", "hip", LD_LIBRARY_PATH=str(self.folder))
                self.assertIn("no HIP runtime: ", said)
                self.assertIn(f"{bad.name}: it has no function {name}; install ROCm", said)

    def test_each_function_of_the_compiler_is_missed(self):
        for name in functions_of("hip/hiprtc_functions.h")[0]:
            with self.subTest(name):
                bad = self.copy(RUNTIME, "bad.so", lacks=[name])
                expected = f'the environment\'s GRKAN_HIPRTC is "{bad}": {bad}: it has no function {name}'
                self.assertIn(f"hipRTC: none: {expected}", self.ask("tell hip", GRKAN_HIPRTC=str(bad)))

    def test_old_versions(self):
        said = self.ask("count hip", HIP_STANDIN_VERSION="40300000")
        self.assertIn("it is of HIP 4.3; install ROCm 5 or later", said)
        self.assertEqual(said.count("libamdhip64"), 2)  # no other was loaded in its place

    def test_a_compiler_beside_the_runtime(self):
        """As ROCm 7 has it: nothing of hipRTC in the runtime."""
        compiler = functions_of("hip/hiprtc_functions.h")[0]
        runtime = self.copy(RUNTIME, lacks=compiler)
        beside = self.copy(RUNTIME, "libhiprtc.so.7")
        said = self.ask("count hip", "tell hip", LD_LIBRARY_PATH=str(self.folder))
        self.assertIn(f": {runtime}\nhipRTC", said)
        self.assertIn(f": {beside}\n", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
