#!/usr/bin/env bash
# Feeds mutated PNG and JPEG files to the picture reader under the address sanitizer.
# Usage: Scripts/fuzz-images.sh [COUNT=100000] [SEED=1] [PROCESSES=2]
# The C and Swift code of this package is instrumented; libpng and libjpeg-turbo are the system's.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-100000} seed=${2:-1} processes=${3:-2}

swift build -c release --sanitize=address --scratch-path .build-asan --product ImageFuzzer
fuzzer=$PWD/.build-asan/release/ImageFuzzer

folders=(Tests/ImagingTests/Fixtures/pictures)
for data in "${VITRAIL_DATA:-../shared/data}" ../../shared/data; do
    if [ -d "$data/image-conformance" ]; then
        folders+=("$data/image-conformance")
        break
    fi
done

# Leaks are looked for too; a freed block is kept for a while, so that late uses are seen.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:quarantine_size_mb=64
pids=()
for ((i = 0; i < processes; i++)); do
    share=$(((count + i) / processes))
    nice -n 19 "$fuzzer" "$share" $((seed + i)) "${folders[@]}" &
    pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
[ "$status" -eq 0 ] && echo "fuzz-images: $count inputs, no crash, no hang, memory bounded"
exit "$status"
