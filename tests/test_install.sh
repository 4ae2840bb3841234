#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What `meson install` leaves works wherever the whole prefix is moved to: the program, and programs in C and C++ that
# pkg-config builds, with the shared library and with the static one. Each must find every module that was installed.
#
#   tests/test_install.sh BUILD COMPILER

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$1 compiler=$2
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
unset LD_LIBRARY_PATH GRKAN_LIBRARY GRKAN_BACKEND_PATH

fail() {
    echo "FAIL: $1"
    exit 1
}

meson install -C "$build" --no-rebuild --quiet --destdir "$scratch/staging"
prefix=$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
mv "$scratch/staging$prefix" "$scratch/moved"

described=$(find "$scratch/moved" -name grkan.pc)
libraries=${described%/pkgconfig/*}
config() { PKG_CONFIG_PATH=${described%/*} pkg-config --define-variable=prefix="$scratch/moved" "$@" grkan; }
mapfile -t modules < <(find "$libraries/grkan" -name 'libgrkan_*.so' -printf '%f\n' | sed 's/libgrkan_\(.*\)\.so/\1/')

# Says of each backend whether it has devices, or why not.
cat >"$scratch/backends.c" <<'CODE'
#include <grkan/fit.h>
#include <grkan/grkan.h>
#include <stdio.h>

int main(void)
{
    for (int i = 0; i < grkan_backend_count(); i++) {
        int devices = 0;
        grkan_status status = grkan_device_count(grkan_backend_name(i), &devices);
        printf("%s: %s\n", grkan_backend_name(i), status == GRKAN_SUCCESS ? "devices" : grkan_last_error());
    }
    grkan_device *device = NULL;
    grkan_status status = grkan_device_open("cpu", &device);
    grkan_device_close(device);
    return status == GRKAN_SUCCESS ? 0 : 1;
}
CODE

# use WHAT COMMAND...: run a program, which must find every module.
use() {
    local what=$1 module
    env -i "${@:2}" >"$scratch/said" 2>&1 || {
        cat "$scratch/said"
        fail "$what does not run"
    }
    for module in "${modules[@]}"; do
        if grep -E "$module.*(is not built|does not load)" "$scratch/said"; then
            fail "$what does not find the module of $module"
        fi
    done
    echo "ok: $what, with modules: ${modules[*]}"
}

# A program that the library is part of looks in its own folder.
beside=()
[ -e "$libraries/libgrkan.so" ] || beside=(GRKAN_BACKEND_PATH="$libraries/grkan")
[ ! -x "$scratch/moved/bin/grkan" ] || use 'the program grkan' "${beside[@]}" "$scratch/moved/bin/grkan" devices

# compile COMPILER SOURCE PROGRAM OPTION...
compile() {
    local flags
    read -ra flags < <(config --cflags)
    "$1" "${flags[@]}" "$2" -o "$3" "${@:4}"
}

if [ -e "$libraries/libgrkan.so" ]; then
    read -ra shared < <(config --libs)
    shared+=("-Wl,-rpath,$libraries")
    compile "$compiler" "$scratch/backends.c" "$scratch/in-c" "${shared[@]}"
    use 'a program in C' "$scratch/in-c"
    if command -v g++ >/dev/null; then
        compile 'g++' "$scratch/backends.c" "$scratch/in-c++" "${shared[@]}"
        use 'a program in C++' "$scratch/in-c++"
    fi
    compile "$compiler" "$root/examples/layer.c" "$scratch/layer" "${shared[@]}" -lm
    "$scratch/layer" cpu
fi
if [ -e "$libraries/libgrkan.a" ]; then
    read -ra static < <(config --libs --static | sed 's/-lgrkan/-l:libgrkan.a/')
    compile "$compiler" "$scratch/backends.c" "$scratch/static" "${static[@]}"
    use 'a program with the static library' GRKAN_BACKEND_PATH="$libraries/grkan" "$scratch/static"
    compile "$compiler" "$root/examples/layer.c" "$scratch/static-layer" "${static[@]}"
    "$scratch/static-layer" cpu
    if readelf -d "$scratch/static" | grep 'NEEDED.*libgrkan'; then
        fail 'the program with the static library needs the shared one'
    fi
fi
