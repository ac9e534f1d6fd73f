#!/usr/bin/env bash
# Kills convert, filter, dedupe and shard with SIGKILL again and again, lets each go on, and compares what they write with
# what uninterrupted runs wrote, byte for byte.
#   Scripts/size/make_corpus.py CORPUS --records 300000 --pictures 60000
#   Scripts/kill-test-data.sh CORPUS OUTPUT [kills of each command]
set -euo pipefail
corpus=$(realpath "${1:?usage: Scripts/kill-test-data.sh CORPUS OUTPUT [kills]}")
output=$(realpath -m "${2:?usage: Scripts/kill-test-data.sh CORPUS OUTPUT [kills]}")
kills=${3:-5}
cd "$(dirname "$0")/.."
vitrail=${VITRAIL:-$(swift build -c release --show-bin-path)/vitrail}
mkdir -p "$output/whole" "$output/killed"
RANDOM=1
killed() { # folder, command…: killed at random moments, then let finish
    local struck=0 tries=0
    while [ "$struck" -lt "$kills" ] && [ "$tries" -lt $((20 * kills)) ]; do
        tries=$((tries + 1))
        (cd "$output/killed" && exec "$vitrail" "$@") > /dev/null 2>&1 &
        local pid=$!
        sleep "$(awk "BEGIN { print 0.2 + 2.5 * $RANDOM / 32768 }")"
        if kill -9 "$pid" 2> /dev/null; then struck=$((struck + 1)); fi
        wait "$pid" 2> /dev/null || true
    done
    (cd "$output/killed" && "$vitrail" "$@") > "$output/killed/$2.txt" 2> /dev/null
    echo "$1 $2: $struck kills"
}
run() {
    (cd "$output/whole" && "$vitrail" "$@") > "$output/whole/$2.txt" 2> /dev/null
    killed "$@"
}
templates="$PWD/Datasets/templates"
run convert llava "$corpus/records.jsonl" --templates "$templates" --task vqa-short --only vqa-short --output converted.jsonl --json
run data filter converted.jsonl --output clean.jsonl --json --refusals --max-repeats 3 --pictures --min-side 64
run data dedupe clean.jsonl --near 0.8 --signatures signatures --output unique.jsonl --json
run data shard clean.jsonl --per-shard 5000 --output shard
cd "$output"
for file in converted.jsonl clean.jsonl clean.removed.jsonl unique.jsonl unique.removed.jsonl $(cd whole && ls shard-*.tar) llava.txt filter.txt dedupe.txt; do
    cmp "whole/$file" "killed/$file"
done
left=$(ls -A killed | grep '^\.' || true)
[ -z "$left" ] || { echo "left behind: $left" && exit 1; }
echo "all files are equal, and nothing is left behind"
