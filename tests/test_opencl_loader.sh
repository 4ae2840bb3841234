#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Without a loader of OpenCL, or with one that is too old, the module loads and `grkan devices` says what is wrong.
#
#   tests/test_opencl_loader.sh GRKAN COMPILER

set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
mkdir "$scratch/damaged" "$scratch/old"
printf 'no library' | tee "$scratch/damaged/libOpenCL.so.1" >"$scratch/damaged/libOpenCL.so"
echo 'int clBuildProgram(void) { return 0; }' |
    "$2" -shared -fPIC -Wl,-soname,libOpenCL.so.1 -x c - -o "$scratch/old/libOpenCL.so.1"

# expect FOLDER TEXT
expect() {
    local said
    said=$(LD_LIBRARY_PATH=$scratch/$1:${LD_LIBRARY_PATH-} "$tool" devices)
    if ! grep -E "^opencl +no OpenCL: .*$2" <<<"$said"; then
        printf 'FAIL: expected "opencl no OpenCL: ...%s" in\n%s\n' "$2" "$said"
        exit 1
    fi
    grep -A1 '^libraries of opencl$' <<<"$said" | grep '^ICD loader: none$'
}

tool=$1
expect damaged 'libOpenCL.so.*; expected an ICD loader'
expect old 'has no function clCreateBuffer; expected a loader of OpenCL 1.2'
# What a program has already wins, as where oclgrind is put before it.
echo 'int clGetPlatformIDs(void) { return 0; }' |
    "$2" -shared -fPIC -x c - -o "$scratch/before.so"
LD_PRELOAD=$scratch/before.so expect old 'what the program is linked with has no function clBuildProgram'
if readelf -d "${tool%/*}/../libgrkan_opencl.so" | grep -i 'NEEDED.*opencl'; then
    echo 'FAIL: the module needs a library of OpenCL to load'
    exit 1
fi
