#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every header of the kernels is C by itself, so that an editor understands it, whichever one is open.
#
#   tests/test_kernel_headers.sh COMPILER...

set -euo pipefail

folder=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../backends/kernels" && pwd)

complaint=
# parses COMPILER FILE: with the last complaint in $complaint
parses() {
    complaint=$("$1" -std=c11 -Wall -Werror -fsyntax-only -x c "$2" 2>&1)
}

parses "$1" - <<<'typedef int good;' || { echo "FAIL: $1 refuses what is good: $complaint"; exit 1; }
! parses "$1" - <<<'unknown bad;' || { echo "FAIL: $1 takes what is bad"; exit 1; }

status=0 count=0
for header in $(cd -- "$folder" && find . -name '*.h' -printf '%P\n' | LC_ALL=C sort); do
    count=$((count + 1))
    for compiler; do
        parses "$compiler" "$folder/$header" || {
            printf 'FAIL: %s does not parse alone:\n%s\n' "$header" "$complaint"
            status=1
        }
    done
done
[ "$count" -gt 0 ] || { echo 'FAIL: no headers'; status=1; }
[ "$status" -ne 0 ] || echo "ok: $count headers"
exit "$status"
