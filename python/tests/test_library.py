# SPDX-License-Identifier: Apache-2.0
"""The library as ctypes sees it: layouts, names, errors, and that importing the package loads nothing."""

import ctypes
import inspect
import os
import re
import shutil
import subprocess
import weakref
from pathlib import Path
from typing import get_args

import pytest
from conftest import ROOT, require, run_python

import grkan
from grkan import _fit, _library, _names, _operation, _plan, _structs, _version

STRUCTS = {
    "grkan_fit_problem": _fit.ProblemStruct,
    "grkan_fit_result": _fit.ResultStruct,
    "grkan_preset": _fit.PresetStruct,
    "grkan_rational": _structs.RationalStruct,
    "grkan_norm": _structs.NormStruct,
    "grkan_operation": _structs.OperationStruct,
    "grkan_options": _structs.OptionsStruct,
    "grkan_buffer": _structs.BufferStruct,
    "grkan_device_properties": _structs.PropertiesStruct,
}


# Of calls' arguments, the members in C and what Python gives for them.
FORWARD = {"x.base": 1, "tables[GRKAN_NUMERATOR].base": 2, "tables[GRKAN_DENOMINATOR].base": 3, "y.base": 4}
BACKWARD = {"x.base": 1, "dy.base": 2, "tables[GRKAN_NUMERATOR].base": 3, "tables[GRKAN_DENOMINATOR].base": 4,
            "dx.base": 5, "gradients[GRKAN_NUMERATOR].base": 6, "gradients[GRKAN_DENOMINATOR].base": 7,
            "accumulation": 1, "workspace.base": 8, "workspace_bytes": 9}
# Of a norm, and with y again.
NORM_FORWARD = {**FORWARD, "tables[GRKAN_SCALE].base": 10, "tables[GRKAN_SHIFT].base": 11, "mean.base": 12,
                "rstd.base": 13}
NORM_BACKWARD = {**BACKWARD, "tables[GRKAN_SCALE].base": 10, "tables[GRKAN_SHIFT].base": 11,
                 "gradients[GRKAN_SCALE].base": 12, "gradients[GRKAN_SHIFT].base": 13, "mean.base": 14,
                 "rstd.base": 15, "y.base": 16}


def print_arguments(name, members):
    """Lines of C that print a struct as it lies in memory, in hexadecimal."""
    return [f"{{ static {name} s;", *(f"s.{member} = (__typeof__(s.{member})){value};" for member, value in
                                      members.items()),
            f'printf("{name} ");',
            'for (size_t i = 0; i < sizeof s; i++) printf("%02x", ((unsigned char *)&s)[i]);',
            'printf("\\n"); }']


def test_structs_lie_as_the_compiler_lays_them(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    lines = ["#include <stdio.h>", "#include <grkan/fit.h>", "int main(void) {"]
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));' for field, _ in struct._fields_]
    for members in (FORWARD, NORM_FORWARD):
        lines += print_arguments("grkan_forward_arguments", members)
    for members in (BACKWARD, NORM_BACKWARD):
        lines += print_arguments("grkan_backward_arguments", members)
    source = tmp_path / "layout.c"
    source.write_text("\n".join([*lines, "return 0; }"]))
    subprocess.run([compiler, "-I", ROOT / "include", source, "-o", tmp_path / "layout"], check=True)
    found = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout.splitlines()
    expected = []
    for name, struct in STRUCTS.items():
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        expected += [f"{name}.{field} {getattr(struct, field).offset}" for field, _ in struct._fields_]
    forward, norm_forward = _structs.forward_packer(2, False), _structs.forward_packer(4, True)
    backward, norm_backward = _structs.backward_packer(2, False, False), _structs.backward_packer(4, True, True)
    expected += [f"grkan_forward_arguments {packed.hex()}" for packed in (
        forward(1, 2, 3, 4), norm_forward(1, 2, 3, 10, 11, 4, 12, 13))]
    expected += [f"grkan_backward_arguments {packed.hex()}" for packed in (
        backward(1, 2, 3, 4, 5, 6, 7, 1, 8, 9),
        norm_backward(1, 2, 3, 4, 10, 11, 5, 6, 7, 12, 13, 1, 8, 9, 14, 15, 16))]
    assert found == expected


@pytest.mark.parametrize("function, names", [("grkan_dtype_name", _names.DTYPES),
                                             ("grkan_form_name", _names.FORMS),
                                             ("grkan_family_name", _names.FAMILIES),
                                             ("grkan_prologue_name", _names.PROLOGUES),
                                             ("grkan_growth_name", _names.GROWTHS),
                                             ("grkan_strategy_name", _names.STRATEGIES),
                                             ("grkan_determinism_name", _names.DETERMINISM_LEVELS)])
def test_names_are_those_of_the_library(function, names):
    name_of = getattr(_library.load(), function)
    assert tuple(name_of(i).decode() for i in range(len(names))) == names
    assert name_of(len(names)) is None


def test_functions_are_those_of_the_library():
    name_of = _library.load().grkan_function_name
    name_of.restype = ctypes.c_char_p
    names = get_args(_names.Function)
    assert tuple(name_of(i).decode() for i in range(len(names))) == names and name_of(len(names)) is None


def test_presets_are_those_of_the_library():
    with pytest.raises(grkan.InvalidArgumentError) as caught:
        grkan.preset("")
    assert tuple(str(caught.value).split("expected one of ")[1].split(", ")) == get_args(_names.PresetName)


# Parameters that take a name, and the type of it. Modules of PyTorch have its own dtype.
NAMED = {"form": "Form", "growth": "Growth", "strategy": "Strategy", "determinism": "Determinism",
         "accumulation": "Accumulation", "level": "Determinism", "target": "Function", "init": "Function",
         "mode": "Mode", "norm": "Norm"}


@pytest.mark.parametrize("module", ["grkan", "grkan.torch"])
def test_signatures_say_which_names_they_take(module):
    exported = pytest.importorskip(module)
    calls = [call for name in exported.__all__ if callable(call := getattr(exported, name))]
    found = [(call.__name__, parameter.name, parameter.annotation.split(" | ")[0])
             for call in calls if not (isinstance(call, type) and issubclass(call, Exception))
             for parameter in inspect.signature(call).parameters.values()
             if parameter.name in NAMED and parameter.annotation != "nn.Module"]
    assert found and found == [(call, parameter, NAMED[parameter]) for call, parameter, _ in found]
    assert inspect.signature(grkan.preset).parameters["name"].annotation == "PresetName"
    assert inspect.signature(grkan.fit).parameters["dtype"].annotation == "Dtype"


def test_import_loads_no_library():
    done = run_python("-c", "import grkan; print(grkan.Error.__name__)", GRKAN_LIBRARY="/nowhere/libgrkan.so")
    assert (done.returncode, done.stdout) == (0, "Error\n"), done.stderr


def test_a_library_that_is_not_there():
    done = run_python("-c", "import grkan; grkan.devices()", GRKAN_LIBRARY="/nowhere/libgrkan.so")
    assert done.returncode == 1
    assert "LibraryNotFoundError: the shared library of grkan does not load: /nowhere/libgrkan.so" in done.stderr
    assert "GRKAN_LIBRARY" in done.stderr


def test_devices_and_their_names():
    found = grkan.devices()
    assert found[-1].selector == "cpu" and found[-1].name == grkan.device("cpu").name
    cpu = grkan.device("cpu")
    assert cpu.backend == "cpu" and not cpu.is_gpu and cpu.dtypes == ("f32", "f16", "bf16", "f64")


@pytest.mark.parametrize("selector, error, text", [
    ("cuda:x", grkan.Error, "cuda"),
    ("gpu", grkan.NoBackendError, 'there is no backend "gpu"'),
    ("cpu:7", grkan.NoDeviceError, 'backend "cpu" has 1 device: index 7 is not in 0..0'),
])
def test_errors_carry_the_sentence_of_the_library(selector, error, text):
    with pytest.raises(error) as caught:
        grkan.device(selector)
    assert text in str(caught.value)


def test_version():
    version, commit = grkan.version()
    written = re.search(r"version: '(.*)'", (ROOT / "meson.build").read_text())[1]
    assert version == written == grkan.__version__ and commit


def test_soname_is_that_of_the_library():
    found = subprocess.run(["readelf", "-d", _library.load()._name], check=True, capture_output=True, text=True)
    assert f"soname: [{_version.soname()}]" in found.stdout


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("selector", ["cpu", "opencl"])
def test_sequences_of_any_length_take_no_more_memory(selector):
    require(selector)

    def plan(rows):
        return _plan.plan_for(selector, _operation.operation_of((rows, 16), ((1, 6), (8, 4)), "abs_terms", -1, "f32"))

    first = weakref.ref(plan(1))
    for rows in range(1, _plan.MOST_PLANS + 1):
        plan(rows)
    before = resident_bytes()
    assert first() is plan(1)
    for rows in range(2, 20 * _plan.MOST_PLANS):
        plan(rows)
    assert first() is None
    assert resident_bytes() - before < 4 << 20  # kept, the library's part alone would be 14 MB
