#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Run the OpenCL kernels of `grkan check --quick` on oclgrind's simulated device, which reports data races, accesses
# outside a buffer, barriers that not every thread reaches, and wrong calls of the OpenCL API. Fails on any report.
#
#   tests/oclgrind.sh [PROGRAM]      PROGRAM: build/tools/grkan
#
# Exit status: 0 good, 1 a report or a failed check, 77 oclgrind is not installed.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
program=${1:-$root/build/tools/grkan}
options=(--data-races --check-api --max-errors 100)
# Without inlining: oclgrind 21.10 does not know an intrinsic (noalias.scope.decl) that LLVM's inliner leaves behind.
options+=(--build-options -cl-opt-disable)
kernels=(grkan_forward grkan_backward grkan_reduce grkan_clear)

if ! command -v oclgrind >/dev/null; then
    echo 'SKIP: oclgrind is not installed'
    exit 77
fi

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
export GRKAN_CACHE_DIR=$scratch/cache # nothing compiled for another device, nothing left for one
mkdir -m 700 "$GRKAN_CACHE_DIR"

fail() {
    printf 'FAIL: %s\n' "$1"
    exit 1
}

# First a kernel with a race: if oclgrind says nothing here, its silence about grkan would mean nothing.
cat >"$scratch/race.cl" <<'CL'
kernel void race(global int *sum) { sum[0] += (int)get_global_id(0); }
CL
printf 'race.cl\nrace\n4 1 1\n2 1 1\n<size=4 fill=0>\n' >"$scratch/race.sim"
(cd "$scratch" && oclgrind-kernel --data-races --log planted.log race.sim)
grep -q 'data race' "$scratch/planted.log" || fail 'oclgrind does not see a planted data race'
echo 'oclgrind sees a planted data race'

oclgrind "$program" devices >"$scratch/devices.txt" || true
grep -qi oclgrind "$scratch/devices.txt" || {
    cat "$scratch/devices.txt"
    fail "oclgrind's device is not among the devices"
}

# Reports about kernels go to the log, those about calls of the API to the standard error.
# --inst-counts makes oclgrind print a paragraph for every kernel that ran on its device.
status=0
oclgrind "${options[@]}" --inst-counts --log "$scratch/reports.log" \
    "$program" check --device opencl --quick >"$scratch/check.txt" 2>"$scratch/errors.txt" || status=$?

grep -vE "^Instructions executed for kernel|^ +[0-9]+ - |^$" "$scratch/check.txt" || true
cat "$scratch/errors.txt"
echo "kernels that ran on oclgrind's device, by name:"
(grep -oE "^Instructions executed for kernel '[^']+'" "$scratch/check.txt" || true) | sed "s/.*'\(.*\)'/\1/" |
    sort | uniq -c | tee "$scratch/kernels.txt"

if [ -s "$scratch/reports.log" ]; then
    head -n 200 "$scratch/reports.log"
    fail "oclgrind has something to report (above)"
fi
if grep -q 'Oclgrind - ' "$scratch/errors.txt"; then
    fail 'oclgrind reports wrong calls of the API (above)'
fi
for kernel in "${kernels[@]}"; do
    grep -qw "$kernel" "$scratch/kernels.txt" || fail "$kernel did not run on it"
done
[ "$status" -eq 0 ] || fail "grkan check ended with exit status $status"
echo "oclgrind has nothing to report about $(awk '{ n += $1 } END { print n }' "$scratch/kernels.txt") kernel runs"
