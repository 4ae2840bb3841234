#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The study of some devices of this machine, as docs/study.md quotes it: one JSON file a device in bench/results/, the
# peers where PyTorch has a GPU, and the page of all files there.
#
#   bench/study.sh NAME DEVICE...      bench/study.sh nvidia-h200 cuda opencl:1:0
#
# GRKAN (build/tools/grkan) is the program; STUDY_OPTIONS go to grkan bench, as '--cpu-threads=1 --rounds=4' on a machine
# that others use too.

set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
[ $# -ge 2 ] || { sed -n '4,10{s/^# \{0,1\}//;p}' "$0"; exit 2; }

name=$1
shift
grkan=${GRKAN:-build/tools/grkan}
results=bench/results

for device in "$@"; do
    file=$results/$name-study-${device%%:*}.json
    echo "==> $device: $file"
    # shellcheck disable=SC2086 # options are words
    time "$grkan" bench --study --device "$device" ${STUDY_OPTIONS-} --json "$file"
done

if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo '==> peers'
    PYTHONPATH=python GRKAN_LIBRARY=${GRKAN_LIBRARY:-build/libgrkan.so} python3 bench/compare_peers.py --device cuda \
        --channels 192 --channels 768 --channels 3072 --dtype f32 --dtype bf16 --json "$results/$name-peers.json"
fi

if python3 -c 'import matplotlib, jsonschema' 2>/dev/null; then
    PYTHONPATH=python python3 -m grkan.report $results/*-study-*.json $results/*-peers.json -o build/study.html ||
        echo 'the page lacks the files named above' >&2
    echo '==> build/study.html'
fi
