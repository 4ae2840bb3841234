#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the library and its modules export, compared with tests/exported_symbols.txt; a module exports its table alone.
#
#   tests/test_symbols.sh LIBRARY [MODULE...]

set -euo pipefail

listed=$(dirname -- "${BASH_SOURCE[0]}")/exported_symbols.txt

exported() {
    nm --dynamic --defined-only -- "$1" | awk '{ print $3 }' | LC_ALL=C sort
}

status=0
if ! diff -u --label listed --label "exported by $1" "$listed" <(exported "$1"); then
    echo "FAIL: $1 exports something else than $listed lists"
    status=1
fi
for module in "${@:2}"; do
    if [ "$(exported "$module")" != grkan_backend_table ]; then
        echo "FAIL: $module exports $(exported "$module" | tr '\n' ' '); expected grkan_backend_table alone"
        status=1
    fi
done
[ "$status" -ne 0 ] || echo "ok: $(wc -l <"$listed") symbols of $1, and $(($# - 1)) modules"
exit "$status"
