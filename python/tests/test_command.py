# SPDX-License-Identifier: Apache-2.0
"""The commands python3 -m grkan and grkan, and where packages keep vendors' libraries."""

import os
import shutil
import sys
from pathlib import Path

import numpy
import pytest
from conftest import run_python

import grkan
from grkan import _library, _program, _vendors


def test_it_tells_versions_backends_and_devices():
    done = run_python("-m", "grkan")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    version, commit = grkan.version()
    assert lines[0] == f"grkan {version} (commit {commit}): {_library.load()._name}"
    assert f"NumPy {numpy.__version__}, PyTorch " in lines[1]
    assert [line for line in lines if not line.startswith(" ")][2:] == ["cuda:", "hip:", "opencl:", "cpu:"]
    for device in grkan.devices():
        assert f"    {device.selector}: {device.name}, {device.architecture}, {device.driver}" in lines


def test_it_tells_why_a_backend_has_no_device(tmp_path):
    (tmp_path / "libgrkan_hip.so").write_text("no library")
    done = run_python("-m", "grkan", GRKAN_BACKEND_PATH=str(tmp_path))
    hip = done.stdout.split("hip:\n")[1].split("\nopencl:")[0]
    assert done.returncode == 0 and "does not load" in hip and "file too short" in hip and "\n" not in hip, done.stdout


def test_without_the_library():
    done = run_python("-m", "grkan", GRKAN_LIBRARY="/nowhere/libgrkan.so")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("grkan: the shared library of grkan does not load: /nowhere/libgrkan.so")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Folders of packages that have libraries, two of them in one place and one in another."""
    first, second = tmp_path / "first", tmp_path / "second"
    folders = [first / "nvidia/cu13/lib", first / "torch/lib", second / "nvidia/cuda_nvrtc/lib"]
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(first), "relative", "", str(second), str(first), str(tmp_path / "absent")])
    return [str(folder) for folder in folders]


def test_folders_of_packages(packages, monkeypatch):
    assert _vendors.library_folders() == packages
    monkeypatch.setenv("CONDA_PREFIX", sys.prefix)
    assert _vendors.library_folders() == [*packages, os.path.join(sys.prefix, "lib")]


def test_the_program_gets_arguments_and_folders(packages, monkeypatch):
    monkeypatch.setattr(_program, "inside", lambda *parts: "/".join(parts))
    monkeypatch.setattr(sys, "argv", ["/somewhere/grkan", "check", "--quick"])
    monkeypatch.setenv("GRKAN_LIBRARY_FOLDERS", "/mine")
    called = []
    monkeypatch.setattr(os, "execve", lambda *arguments: called.append(arguments))
    _program.main()
    (program, arguments, environment), = called
    assert (program, arguments) == ("bin/grkan", ["grkan", "check", "--quick"])
    assert environment["GRKAN_LIBRARY_FOLDERS"] == os.pathsep.join(["/mine", *packages])


def test_a_package_without_the_program(monkeypatch):
    monkeypatch.setattr(_program, "inside", lambda *parts: None)
    with pytest.raises(SystemExit, match="built without the program"):
        _program.main()


PLAN_ON_CUDA = """
from grkan import Options, _operation, _plan
_plan.plan_for("cuda", _operation.operation_of((4, 16), ((1, 6), (8, 4)), "abs_terms", -1, "f32"), Options())
"""


def test_a_gpu_without_nvrtc_gets_a_hint(tmp_path):
    driver = Path(_library.load()._name).parent / "tests/cuda_standin/libcuda.so.1"
    if not driver.exists():
        pytest.skip("no stand-in for CUDA's driver")
    shutil.copy(driver, tmp_path)
    # Of CUDA 12, so that it takes no code by the NVRTC that this machine may have.
    environment = {"LD_LIBRARY_PATH": str(tmp_path), "CUDA_STANDIN_VERSION": "12000", "GRKAN_CACHE": "off",
                   "GRKAN_NVRTC": str(tmp_path / "none.so")}
    hint = ": pip install 'grkan[cuda13]', or 'grkan[cuda12]' for a driver before 580"
    done = run_python("-c", PLAN_ON_CUDA, **environment)
    assert "CompileError: no NVRTC: " in done.stderr and done.stderr.rstrip().endswith(hint), done.stderr
    told = run_python("-m", "grkan", **environment).stdout
    nvrtc, = [line for line in told.splitlines() if line.startswith("    NVRTC: none")]
    assert nvrtc.endswith(hint) and "    cuda:0: stand-in" in told, told
