#!/bin/bash
# Converts, filters and shards one corpus with vitrail and with the Python baseline, in turns; prints seconds, processor time and peak memory.
#   Scripts/size/make_corpus.py CORPUS --records 1000000 --pictures 200000
#   Scripts/size/run.sh CORPUS OUT [baseline's python]
set -e
corpus=$(realpath "$1") out=$2 python=${3:-python3}
vitrail=${VITRAIL:-.build/release/vitrail}
here=$(dirname "$0")
mkdir -p "$out"
timed() { # name, command…
    local name=$1
    shift
    /usr/bin/time -f "$name %e s, processor %U + %S s, %M KiB" "$@" > /dev/null
}
echo "vitrail"
timed convert "$vitrail" convert llava "$corpus/records.jsonl" --templates "$here/../../Datasets/templates" --task vqa-short --only vqa-short --output "$out/converted.jsonl"
timed filter "$vitrail" data filter "$out/converted.jsonl" --output "$out/clean.jsonl" --refusals --max-repeats 3 --answer-words 1...400 --pictures --min-side 64
timed shard "$vitrail" data shard "$out/clean.jsonl" --per-shard 10000 --output "$out/shard"
wc -l < "$out/clean.jsonl"
rm -f "$out"/shard-*.tar
echo "python"
/usr/bin/time -f "all %e s, processor %U + %S s, %M KiB in its largest process" "$python" "$here/baseline.py" "$corpus/records.jsonl" "$out/python"
rm -rf "$out/python"
