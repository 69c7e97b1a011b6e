#!/bin/bash
# run.sh TARGET SEEDS NAME: fuzzes for FOLDLOG_FUZZ_SECONDS (20) from the seeds of NAME. What broke it is
# printed, so that it can become a test.
set -euo pipefail
target=$1 seeds=$2 name=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/seeds" "$work/found"
"$seeds" "$name" "$work/seeds"
if ! "$target" -max_total_time="${FOLDLOG_FUZZ_SECONDS:-20}" -max_len=4096 -timeout=10 -print_final_stats=1 \
    -dict="$(dirname "$0")/json.dict" -artifact_prefix="$work/broke-" "$work/found" "$work/seeds" >"$work/log" 2>&1; then
    tail -n 60 "$work/log"
    for input in "$work"/broke-*; do
        echo "input, in base64:"
        base64 "$input"
    done
    exit 1
fi
grep -E '^stat::(number_of_executed_units|new_units_added)' "$work/log"
units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
[ "$units" -ge 1000 ] || { echo "only $units inputs were tried"; exit 1; }
