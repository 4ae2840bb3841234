#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What hosts hand to kernels by value (grkan_geometry, grkan_launch) has the same layout for every compiler: the headers
# assert it, and here compilers for hosts of 32 bits, and of another alignment or byte order, read them. First the
# assertions themselves are tried on copies in which padding was planted.

set -euo pipefail

source_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cp "$source_root"/backends/kernels/{geometry,launch}.h "$scratch"
printf '#define DEVICE\ntypedef long long grkan_int64;\n#include "geometry.h"\n#include "launch.h"\n' >"$scratch/both.c"

# Compilers that read a program for another machine without its C library; what is not installed is left out.
compilers=()
add() {
    if "$@" -fsyntax-only -x c - <<<'int nothing;' 2>/dev/null; then
        compilers+=("$*")
    fi
}
add gcc
add gcc -m32
clang=$(command -v clang-19 clang | head -n 1 || true)
for target in i386-linux-gnu i386-pc-windows-msvc armv7-linux-gnueabihf powerpc-linux-gnu aarch64-linux-gnu s390x-linux-gnu; do
    add "${clang:-false}" "--target=$target"
done

# Print the compilers that refuse the headers of a folder.
refused_by() {
    local compiler
    for compiler in "${compilers[@]}"; do
        # shellcheck disable=SC2086 # words of a command
        $compiler -std=c11 -fsyntax-only -I "$1" "$1/both.c" >"$scratch/words.txt" 2>&1 || echo "$compiler"
    done
}

# plant WHAT COMPILER-PATTERN SED-SCRIPT: a compiler of the pattern must refuse the headers that the script has changed.
plant() {
    rm -rf "$scratch/planted"
    mkdir "$scratch/planted"
    cp "$scratch"/*.[ch] "$scratch/planted"
    sed -i -E "$3" "$scratch/planted/geometry.h" "$scratch/planted/launch.h"
    if ! grep -qE -- "$2" <<<"$(refused_by "$scratch/planted")"; then
        echo "FAIL: $1 is not refused"
        exit 1
    fi
    echo "refused: $1"
}

plant 'a geometry with padding on hosts of 64 bits' '^gcc$' '/unsigned int shared_tables;/d; s/\(8 \+ 6/(7 + 5/'
narrow='^gcc -m32$|i386'
if grep -qE -- "$narrow" <<<"$(printf '%s\n' "${compilers[@]}")"; then
    plant 'a geometry that relies on such padding' "$narrow" '/unsigned int shared_tables;/d'
else
    echo 'not tried: there is no compiler for a machine of 32 bits'
fi
plant 'a launch with another member of 4 bytes' '^gcc$' 's/^( *)int add;/\1int add, another;/'

found=$(refused_by "$scratch")
if [ -n "$found" ]; then
    printf 'FAIL: the layout is another one for\n%s\n' "$found"
    exit 1
fi
printf 'ok: the same layout for %d compilers and targets:\n' "${#compilers[@]}"
printf '  %s\n' "${compilers[@]}"
