#!/usr/bin/env bash
# What stage one is worth: a recipe with all its stages, and with its last one alone, on the same data in the same order;
# their curves side by side in comparison.html and their figures as JSON.
#   Scripts/compare-stages.sh RECIPE OUTPUT [vitrail train's options, such as --set stages.instruct.epochs=4]
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=${1:?usage: Scripts/compare-stages.sh RECIPE OUTPUT [options]}
output=${2:?usage: Scripts/compare-stages.sh RECIPE OUTPUT [options]}
shift 2
swift build -c release --product vitrail
vitrail="$(swift build -c release --show-bin-path)/vitrail"
last=$(sed -n 's/^ *- name: *\([^ #]*\).*/\1/p' "$recipe" | tail -n 1)

"$vitrail" train "$recipe" --output "$output/all-stages" --resume "$@"
"$vitrail" train "$recipe" --stages "$last" --output "$output/$last-alone" --resume "$@"
"$vitrail" report "$output/all-stages" "$output/$last-alone" --output "$output/comparison.html"
"$vitrail" report "$output/all-stages" "$output/$last-alone" --json
