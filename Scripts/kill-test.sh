#!/usr/bin/env bash
# Kills a two-stage run with SIGKILL at random moments, resumes it each time, and compares its weights with those of an
# uninterrupted run, byte for byte. Usage: Scripts/kill-test.sh [KILLS] [SEED]
set -euo pipefail
source "$(dirname "$0")/setup.sh"
kills=${1:-50}
RANDOM=${2:-1}
swift build -c release --product vitrail
vitrail="$(swift build -c release --show-bin-path)/vitrail"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$vitrail" synthesize "$work/shapes" --count 400 --seed 5
options=(
  train Models/pebble/recipe.yaml --threads 2
  --set "stages.align.data=[$work/shapes/train/captions.jsonl]" --set stages.align.steps=60
  --set stages.align.checkpoint_every=7
  --set "stages.instruct.data=[$work/shapes/train/records.jsonl]" --set stages.instruct.steps=60
  --set stages.instruct.checkpoint_every=7 --set stages.instruct.batch_size=8
  --set "stages.instruct.evaluate.data=$work/shapes/val/questions.jsonl"
  --set stages.instruct.evaluate.limit=8 --set stages.instruct.evaluate.every=20
)
start=$(date +%s%N)
"$vitrail" "${options[@]}" --output "$work/whole" 2>"$work/whole.log"
whole=$(( ($(date +%s%N) - start) / 1000000 ))
echo "uninterrupted: $whole ms"
done_kills=0
attempts=0
while :; do
  attempts=$((attempts + 1))
  "$vitrail" "${options[@]}" --output "$work/killed" --resume 2>>"$work/killed.log" &
  pid=$!
  if [ "$done_kills" -lt "$kills" ]; then
    # Somewhere between start-up and a fifth of the whole run, so that kills spread over both stages.
    sleep "$(awk "BEGIN { print ($RANDOM / 32768) * $whole / 5000 + 0.02 }")"
    if kill -9 "$pid" 2>/dev/null; then done_kills=$((done_kills + 1)); fi
    wait "$pid" 2>/dev/null || true
    if [ -e "$work/killed/final/config.json" ]; then
      # Finished before its time: begin again, so that every kill hits a run.
      cmp "$work/whole/final/model.safetensors" "$work/killed/final/model.safetensors"
      [ "$done_kills" -ge "$kills" ] && break
      rm -rf "$work/killed"
    fi
  else
    wait "$pid"
    break
  fi
done
cmp "$work/whole/final/model.safetensors" "$work/killed/final/model.safetensors"
diff <(grep -o '"step":[0-9]*,"epoch":[0-9.e-]*,"loss":[0-9.e-]*' "$work/whole/metrics.jsonl") \
     <(grep -o '"step":[0-9]*,"epoch":[0-9.e-]*,"loss":[0-9.e-]*' "$work/killed/metrics.jsonl")
echo "killed $done_kills times in $attempts starts; weights and losses equal to the uninterrupted run"
