#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the wheel, installs it into a folder of its own, and computes with it there, nothing of this tree in sight.
# What builds wheels comes from the package index; where that cannot be reached the test says so (exit status 77).

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
python=/usr/bin/python3
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

"$root/scripts/build-wheel" "$(uname -m)" "$scratch"
"$python" -m pip install --quiet --no-deps --no-index --target "$scratch/site" "$scratch"/grkan-*.whl
# A folder that is moved shows whether anything points to where it was built or installed.
mv "$scratch/site" "$scratch/moved"
site=$scratch/moved
cd /
unset GRKAN_LIBRARY GRKAN_BACKEND_PATH LD_LIBRARY_PATH
PYTHONPATH=$site "$python" - "$site" <<'PYTHON'
import sys

import numpy

import grkan

assert grkan.__file__.startswith(sys.argv[1]), grkan.__file__
identity = grkan.forward(numpy.arange(8.0), [[0, 1]], numpy.zeros((1, 0)))
assert identity.tolist() == list(range(8)), identity
mapped = {line.split()[-1] for line in open("/proc/self/maps") if "libgrkan" in line}
assert mapped and all(path.startswith(sys.argv[1]) for path in mapped), mapped
try:
    print("ok: opencl is", grkan.device("opencl").name)
except grkan.NoDeviceError as error:  # the module was found and loaded
    print("ok:", error)
print("ok: grkan", grkan.version())
PYTHON

for module in "$site"/grkan/lib/grkan/libgrkan_*.so; do
    backend=${module##*/libgrkan_}
    if ! said=$(PYTHONPATH=$site "$site/bin/grkan" devices) || grep -E "${backend%.so} .*(is not built|does not load)" <<<"$said"; then
        printf 'FAIL: the program does not find %s\n%s\n' "$module" "$said"
        exit 1
    fi
done
echo 'ok: the program finds the library and every module'
