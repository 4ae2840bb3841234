#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the wheel of what is committed, installs it into a folder of its own, and computes with it there, nothing of this
# tree in sight.
# What builds wheels comes from the package index; where that cannot be reached the test says so (exit status 77).

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
python=/usr/bin/python3
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1

"$root/scripts/build-wheel" "$(uname -m)" "$scratch"
wheel=$(echo "$scratch"/grkan-*.whl)
if "$python" -c 'import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep="\n")' "$wheel" |
    grep -vE '^(grkan|grkan\.libs|grkan-[0-9.]*\.dist-info)/'; then
    echo 'FAIL: that is not inside of the package, and may be installed elsewhere'
    exit 1
fi
"$python" -m pip install --quiet --no-deps --no-index --target "$scratch/site" "$wheel"
# A folder that is moved shows whether anything points to where it was built or installed.
mv "$scratch/site" "$scratch/moved"
site=$scratch/moved
cp "$root/python/tests/use_installed.py" "$scratch/"
cd /
unset GRKAN_LIBRARY GRKAN_BACKEND_PATH LD_LIBRARY_PATH
export PYTHONPATH=$site
"$python" "$scratch/use_installed.py" "$site"
said=$("$site/bin/grkan" devices)
if grep -E '(is not built|does not load)' <<<"$said"; then
    echo 'FAIL: the program lacks a module'
    exit 1
fi
echo 'ok: the program finds the library and every module'
