#!/usr/bin/env bash
# Kills a run of every tuning method and every optimizer with SIGKILL at random moments, resumes it each time, and compares the
# finished model and its adapter with those of an uninterrupted run, byte for byte.
#   Scripts/kill-test-methods.sh [KILLS A METHOD] [SEED] [NAMES]     e.g. Scripts/kill-test-methods.sh 3 1 qlora-nf4,lomo
set -euo pipefail
kills=${1:-3}
RANDOM=${2:-1}
only=${3:-}
if [ -n "${VITRAIL:-}" ]; then
  cd "$(dirname "$0")/.." && vitrail=$VITRAIL
else
  source "$(dirname "$0")/setup.sh"
  swift build -c release --product vitrail
  vitrail="$(swift build -c release --show-bin-path)/vitrail"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$vitrail" synthesize "$work/shapes" --count 64 --seed 5 2>/dev/null
# Prompts of two tasks, for the subspace that intrinsic prompt tuning moves in.
for task in 1 2; do
  "$vitrail" train Models/pebble/recipe.yaml --stages instruct --threads 1 --set "seed=$task" --output "$work/task-$task" \
    --set "stages.instruct.data=[$work/shapes/train/records.jsonl]" --set stages.instruct.steps=2 \
    --set stages.instruct.batch_size=2 --set "stages.instruct.train=[]" --set stages.instruct.evaluate=null \
    --set "stages.instruct.tune={language: {method: prompt, tokens: 4}}" 2>/dev/null
done
cases=(
  "lora|{method: lora, rank: 4, dropout: 0.1}|adamw" "rslora|{method: lora, rank: 4, rslora: true}|adamw"
  "dora|{method: lora, rank: 4, dora: true}|adamw" "lora+|{method: lora, rank: 4, rate_ratio: 8}|adamw"
  "pissa|{method: lora, rank: 4, init: pissa}|adamw" "qlora-nf4|{method: qlora, rank: 4}|adamw"
  "qlora-fp4|{method: qlora, rank: 4, base: fp4, double: false}|adamw"
  "qlora-int8|{method: qlora, rank: 4, base: int8}|adamw" "vera|{method: vera, rank: 32}|adamw"
  "intrinsic|{method: intrinsic, dimensions: 100}|adamw" "ia3|ia3|adamw" "bitfit|{method: bitfit, norms: true}|adamw"
  "norms|norms|adamw" "bottleneck|{method: bottleneck, size: 8}|adamw"
  "pfeiffer|{method: bottleneck, size: 8, placement: pfeiffer}|adamw" "prompt|{method: prompt, tokens: 4}|adamw"
  "ptuning|{method: ptuning, tokens: 4}|adamw"
  "intrinsic-prompt|{method: intrinsic-prompt, subspace: [$work/task-1/adapters/instruct, $work/task-2/adapters/instruct]}|adamw"
  "prefix|{method: prefix, tokens: 4}|adamw" "layers-top|{method: layers, top: 2}|adamw"
  "layers-every|{method: layers, every: 2}|adamw" "lisa|{method: layers, sample: 1, interval: 4}|adamw" "full|full|adamw"
  "adamw8bit|full|adamw8bit" "adafactor|full|adafactor" "lion|full|lion" "muon|full|muon"
  "galore|full|{name: galore, rank: 8, interval: 5}" "lomo|full|lomo" "adalomo|full|adalomo"
)
tested=0
for case in "${cases[@]}"; do
  IFS='|' read -r name tune optimizer <<<"$case"
  if [ -n "$only" ] && [[ ",$only," != *",$name,"* ]]; then continue; fi
  options=(
    train Models/pebble/recipe.yaml --stages instruct --threads 1
    --set "stages.instruct.data=[$work/shapes/train/records.jsonl]" --set stages.instruct.steps=16
    --set stages.instruct.batch_size=2 --set stages.instruct.checkpoint_every=3 --set "stages.instruct.train=[]"
    --set stages.instruct.evaluate=null --set "stages.instruct.tune={language: $tune}"
    --set "stages.instruct.optimizer=$optimizer"
  )
  start=$(date +%s%N)
  "$vitrail" "${options[@]}" --output "$work/whole" 2>"$work/log" || { cat "$work/log"; exit 1; }
  whole=$(( ($(date +%s%N) - start) / 1000000 ))
  count=0 attempts=0
  while :; do
    attempts=$((attempts + 1))
    "$vitrail" "${options[@]}" --output "$work/killed" --resume 2>"$work/log" &
    pid=$!
    if [ "$count" -lt "$kills" ]; then
      sleep "$(awk "BEGIN { print (0.2 + 0.8 * $RANDOM / 32768) * $whole / 1000 }")"
      if kill -9 "$pid" 2>/dev/null; then count=$((count + 1)); fi
      wait "$pid" 2>/dev/null || true
      if [ -e "$work/killed/final/config.json" ] && [ "$count" -lt "$kills" ]; then rm -rf "$work/killed"; fi
    else
      wait "$pid" || { cat "$work/log"; exit 1; }
      break
    fi
  done
  cmp "$work/whole/final/model.safetensors" "$work/killed/final/model.safetensors"
  cmp "$work/whole/adapters/instruct/adapter_model.safetensors" "$work/killed/adapters/instruct/adapter_model.safetensors"
  echo "$name: killed $count times in $attempts starts, equal to the uninterrupted run"
  rm -rf "$work/whole" "$work/killed"
  tested=$((tested + 1))
done
[ "$tested" -gt 0 ] || { echo "error: no case is named $only" >&2; exit 1; }
echo "$tested methods and optimizers resume to the same bits"
