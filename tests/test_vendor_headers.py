# SPDX-License-Identifier: Apache-2.0
"""What grkan says of vendors' functions, types and numbers is what the vendors' own headers say.

    tests/test_vendor_headers.py COMPILER [FOLDER...]      a compiler of C; folders of headers, before those of packages

For each vendor whose headers are there: functions have the listed types, enumerators the numbers, structs the sizes and
offsets. Each check is first seen to fail on a list in which something is wrong. Exit status 77: no headers at all.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

BACKENDS = pathlib.Path(__file__).resolve().parent.parent / "backends"
COMPILER, *FOLDERS = sys.argv[1:]

# Of each vendor: folders and headers, the macro that tells their version, lists of functions, header of types, members
# of structs, and assertions of its own.
CUDA = {"name": "CUDA", "folders": ["/usr/local/cuda/include"], "headers": ["cuda.h", "nvrtc.h"], "define": [],
        "version": "CUDA_VERSION", "optional_since": 12040, "types": "cuda/cuda_types.h",
        "functions": ["cuda/driver_functions.h", "cuda/nvrtc_functions.h"],
        "structs": {"CUlaunchAttribute": ["id", "value"], "CUlaunchAttributeValue":
                    ["programmaticStreamSerializationAllowed"],
                    "CUlaunchConfig": ["gridDimX", "gridDimY", "gridDimZ", "blockDimX", "blockDimY", "blockDimZ",
                                       "sharedMemBytes", "hStream", "attrs", "numAttrs"]},
        "assertions": []}
HIP = {"name": "HIP", "folders": ["/opt/rocm/include"], "headers": ["hip/hip_runtime_api.h", "hip/hiprtc.h"],
       # What a function only reads became const in ROCm 7, which changes no call.
       "define": ["-D__HIP_PLATFORM_AMD__", "-Dconst="], "version": "HIP_VERSION", "optional_since": 60000000,
       "types": "hip/hip_types.h", "functions": ["hip/hip_functions.h", "hip/hiprtc_functions.h"], "structs": {},
       "assertions": ["sizeof(hipDeviceProp_t) <= hip_properties_bytes",
                      "offsetof(hipDeviceProp_t, gcnArchName) == (HIP_VERSION < 60000000 ? hip_architecture_offset : "
                      "hip_architecture_offset_6)", "sizeof(((hipDeviceProp_t *)0)->gcnArchName) == 256"]}
COMGR = {"name": "comgr", "folders": ["/opt/rocm/include", "/opt/rocm/include/amd_comgr", "/usr/include/amd_comgr"],
         "headers": ["amd_comgr.h"], "define": [], "version": "AMD_COMGR_INTERFACE_VERSION_MAJOR", "optional_since": 0,
         "types": "hip/hip_types.h", "functions": ["hip/comgr_functions.h"], "structs": {}, "assertions": []}

FUNCTION = ('#define FUNCTION(result, name, arguments) _Static_assert(__builtin_types_compatible_p(__typeof__(name), '
            'result arguments), "FUNCTION: " #name);\n')


def compiles(vendor, program, folder):
    """Compile with a vendor's headers. Return what the compiler complains about, "" for nothing."""
    path = pathlib.Path(folder, "program.c")
    headers = "".join(f"#include <{header}>\n" for header in ["stddef.h", *vendor["headers"]])
    path.write_text(headers + program)
    includes = [word for place in FOLDERS + vendor["folders"] for word in ("-isystem", place)]
    done = subprocess.run([COMPILER, "-std=gnu11", "-w", "-fsyntax-only", *vendor["define"], *includes, str(path)],
                          capture_output=True, text=True, check=False)
    return done.stderr


def enumerators(vendor):
    """The named numbers of the vendor, by the prefixes that its names have."""
    text = re.sub(r"/\*.*?\*/", "", (BACKENDS / vendor["types"]).read_text(), flags=re.DOTALL)
    own = {"CUDA": r"(?:CU|NVRTC)\w*", "HIP": r"(?:hip[A-Z]|HIP)\w*", "comgr": r"AMD_COMGR\w*"}[vendor["name"]]
    return re.findall(rf"\b({own}) = (\d+)", text)


def layout(vendor, folder, is_theirs):
    """Sizes and offsets of structs, by our header or the vendor's: printed by a program."""
    includes = [word for place in FOLDERS + vendor["folders"] for word in ("-isystem", place)]
    headers = [f"<{header}>" for header in vendor["headers"]] if is_theirs else [f'"{BACKENDS / vendor["types"]}"']
    lines = [f'printf("{name} %zu {member} %zu\\n", sizeof({name}), offsetof({name}, {member}));'
             for name, members in vendor["structs"].items() for member in members]
    source, program = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
    source.write_text("#include <stddef.h>\n#include <stdio.h>\n" + "".join(f"#include {h}\n" for h in headers) +
                      "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
    subprocess.run([COMPILER, "-std=gnu11", "-w", *vendor["define"], *includes, str(source), "-o", str(program)],
                   check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def listed(vendor, change=lambda text: text):
    """A program that asserts all functions of the vendor's lists."""
    program = ""
    for path in vendor["functions"]:
        text = change((BACKENDS / path).read_text())
        optional = (f"#if {vendor['version']} >= {vendor['optional_since']}\n#define OPTIONAL FUNCTION\n#else\n"
                    "#define OPTIONAL(result, name, arguments)\n#endif\n")
        program += FUNCTION + "#undef OPTIONAL\n" + optional + text
    return program


def numbered(vendor, add=0):
    """A program that asserts all numbers of the vendor."""
    ours = re.findall(r"\b(hip_\w+) = (\d+)", (BACKENDS / vendor["types"]).read_text())
    return ("".join(f'_Static_assert((int){name} == {int(value) + add}, "NUMBER: {name}");\n'
                    for name, value in enumerators(vendor)) +
            "".join(f"enum {{ {name} = {value} }};\n" for name, value in ours) +
            "".join(f'_Static_assert({text}, "ASSERTION");\n' for text in vendor["assertions"]))


def check(vendor, folder):
    """Whether a vendor's headers agree; None if there are none."""
    missing = compiles(vendor, "", folder)
    if missing:
        print(f"skipped: {vendor['name']}: {missing.splitlines()[0]}")
        return None
    wrong = [compiles(vendor, listed(vendor), folder), compiles(vendor, numbered(vendor), folder)]
    if vendor["structs"] and layout(vendor, folder, True) != layout(vendor, folder, False):
        wrong.append(f"ours:\n{layout(vendor, folder, False)}theirs:\n{layout(vendor, folder, True)}")
    assert "FUNCTION: " in compiles(vendor, listed(vendor, lambda text: text.replace("char *", "int *")), folder)
    assert "NUMBER: " in compiles(vendor, numbered(vendor, 1), folder)
    functions = sum(len(re.findall(r"^(?:FUNCTION|OPTIONAL)\(", (BACKENDS / path).read_text(), re.MULTILINE))
                    for path in vendor["functions"])
    numbers, structs = len(enumerators(vendor)), len(vendor["structs"])
    verdict = "FAIL" if any(wrong) else "ok"
    print(f"{verdict}: {vendor['name']}: {functions} functions, {numbers} numbers, {structs} structs")
    print("".join(filter(None, wrong)), end="")
    return not any(wrong)


def main():
    with tempfile.TemporaryDirectory() as folder:
        results = [check(vendor, folder) for vendor in (CUDA, HIP, COMGR)]
    if all(result is None for result in results):
        sys.exit(77)
    sys.exit(False in results)


main()
