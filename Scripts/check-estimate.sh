#!/usr/bin/env bash
# Holds `vitrail estimate` against runs: estimates methods for a recipe's last stage, trains that stage with each of them, and prints
# both: memory, and seconds of processor time a step, which other programs disturb little. Ends with an error where memory is off by
# more than 10 %, or with --strict where time is.
#   Scripts/check-estimate.sh RECIPE METHODS STEPS [--strict]     e.g. Datasets/easy-vqa/recipe.yaml full,lora,prompt 40
set -euo pipefail
cd "$(dirname "$0")/.."
usage="usage: Scripts/check-estimate.sh RECIPE METHODS STEPS [--strict]"
recipe=${1:?$usage} methods=${2:?$usage} steps=${3:?$usage} strict=${4:-}
vitrail=${VITRAIL:-$(swift build -c release --show-bin-path)/vitrail}
threads=${THREADS:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$(sed -n 's/^ *- name: *\([^ #]*\).*/\1/p' "$recipe" | tail -n 1)
common=(--set "stages.$stage.steps=$steps" --threads "$threads")
worst=0
printf '%-12s %14s %14s %7s %12s %12s %7s\n' method "estimate, MB" "run, MB" ratio "estimate, ms" "run, ms" ratio
TIMEFORMAT='%U %S'
for method in ${methods//,/ }; do
  # Half before and half after the run, so that a machine that changes its pace meanwhile does not favour one side.
  "$vitrail" estimate "$recipe" --methods "$method" --steps 8 --json "${common[@]}" >"$work/before"
  name=${method#full+}
  tune=$method optimizer=adamw
  if [ "$name" != "$method" ]; then tune=full optimizer=$name; fi
  case $method in
    lora | qlora) tune="{method: $method, rank: 8}" ;;
    dora) tune="{method: lora, rank: 8, dora: true}" ;;
    bitfit) tune="{method: bitfit, norms: true}" ;;
  esac
  # What the stage trains besides is taken from it: the estimate is of the method alone.
  # A run of a few steps besides, so that what start and end take can be subtracted.
  for count in 2 "$steps"; do
    rm -rf "${work:?}/$method"
    { time "$vitrail" train "$recipe" --stages "$stage" --output "$work/$method" --threads "$threads" \
      --set "stages.$stage.steps=$count" --set "stages.$stage.train=[]" --set "stages.$stage.tune={language: $tune}" \
      --set "stages.$stage.optimizer=$optimizer" --set "stages.$stage.evaluate=null" 2>"$work/log"; } 2>"$work/time-$count" ||
      { cat "$work/log"; exit 1; }
  done
  "$vitrail" estimate "$recipe" --methods "$method" --steps 8 --json "${common[@]}" >"$work/after"
  python3 - "$work" "$method" "$steps" "$strict" <<'PYTHON' || worst=1
import json, statistics, sys
from pathlib import Path
work, method, steps, strict = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
guesses = [json.loads((work / name).read_text().splitlines()[0]) for name in ("before", "after")]
summary = json.loads((work / method / "summary.json").read_text())["stages"][-1]
used = [sum(map(float, (work / f"time-{count}").read_text().split())) for count in (2, steps)]
memory = statistics.mean(guess["bytes"] for guess in guesses)
time = 1e3 * statistics.mean(guess["processor_s"] for guess in guesses)
measured, pace = summary["peak_memory_bytes"], 1e3 * (used[1] - used[0]) / (steps - 2)
ratios = memory / measured, time / pace
print(f"{method:12} {memory / 1e6:14.1f} {measured / 1e6:14.1f} {ratios[0]:7.3f} {time:12.1f} {pace:12.1f} {ratios[1]:7.3f}")
sys.exit(abs(ratios[0] - 1) > 0.1 or bool(strict) and abs(ratios[1] - 1) > 0.1)
PYTHON
done
[ "$worst" = 0 ] || { echo "error: an estimate is off by more than 10 %" >&2; exit 1; }
