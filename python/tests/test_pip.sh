#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The ways in which pip builds the package of what is committed, each in an environment of its own, and computing with it:
# from a folder, from a source archive, editable, with and without pip's own environment for building. The wheel of another
# clone has the same bytes. Exit status 77 where the package index cannot be reached.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
unset GRKAN_LIBRARY GRKAN_BACKEND_PATH LD_LIBRARY_PATH PYTHONPATH

fail() {
    echo "FAIL: $1"
    exit 1
}

git clone --quiet "$root" "$scratch/clone"
cd "$scratch/clone"
cp python/tests/use_installed.py "$scratch/"

# The same to the byte, wherever it is built.
"$root/scripts/build-wheel" "$(uname -m)" "$scratch/first" || exit
scripts/build-wheel "$(uname -m)" "$scratch/second"
cmp "$scratch"/first/*.whl "$scratch"/second/*.whl || fail 'two builds of one commit differ'
echo 'ok: the wheel of another clone is the same'

# environment NAME: a new one, with the NumPy of this machine.
environment() {
    /usr/bin/python3 -m venv --system-site-packages "$scratch/$1"
}

# use NAME FOLDER: what is installed computes by files of the folder.
use() {
    (cd / && "$scratch/$1/bin/python" "$scratch/use_installed.py" "$2") || fail "$1"
    (cd / && "$scratch/$1/bin/grkan" devices >/dev/null) || fail "$1: the program"
    echo "ok: $1"
}

# Where a Python keeps what is compiled apart from what is not, all of the package lies with what is compiled.
environment split
packages=lib/python$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')/site-packages
mkdir -p "$scratch/split/compiled/$packages"
cat >"$scratch/split/$packages/split.pth" <<TEXT
import sysconfig; [s.update(platlib="$scratch/split/compiled/$packages") for s in sysconfig._INSTALL_SCHEMES.values()]
$scratch/split/compiled/$packages
TEXT
"$scratch/split/bin/pip" install --quiet "$scratch"/first/*.whl
[ ! -e "$scratch/split/$packages/grkan" ] || fail 'split: a part of the package lies elsewhere'
use split "$scratch/split/compiled"

environment from-folder
"$scratch/from-folder/bin/pip" install --quiet .
use from-folder "$scratch/from-folder"

environment from-archive
"$scratch/from-archive/bin/pip" install --quiet build/wheel-"$(uname -m)"/grkan-*.tar.gz
use from-archive "$scratch/from-archive"

# Without pip's environment for building, its parts are here.
environment without-isolation
"$scratch/without-isolation/bin/pip" install --quiet --requirement scripts/wheel-requirements.txt
beside=$scratch/without-isolation/bin:$PATH
env PATH="$beside" pip install --quiet --no-build-isolation .
use without-isolation "$scratch/without-isolation"

environment editable
"$scratch/editable/bin/pip" install --quiet --editable .
use editable "$scratch/clone/python"
echo 'changed = "here"' >>python/grkan/__init__.py
[ "$(cd / && "$scratch/editable/bin/python" -c 'import grkan; print(grkan.changed)')" = here ] ||
    fail 'a change does not count'
"$scratch/editable/bin/pip" uninstall --quiet --yes grkan
! (cd / && "$scratch/editable/bin/python" -c 'import grkan' 2>/dev/null) || fail 'uninstalled, and still there'

git checkout --quiet .
env PATH="$beside" pip install --quiet --no-build-isolation --editable .
use without-isolation "$scratch/clone/python"
