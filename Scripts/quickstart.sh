#!/usr/bin/env bash
# From nothing to a tuned vision-language model: installs what is missing, builds, draws data, runs both stages of
# Models/pebble/recipe.yaml, evaluates on held-out pictures, captions a folder, and says where the report lies.
set -euo pipefail
start=$SECONDS
source "$(dirname "$0")/setup.sh"

echo "── Build"
swift build -c release --product vitrail
vitrail="$(swift build -c release --show-bin-path)/vitrail"
"$vitrail" doctor

echo "── Data: pictures of shapes with captions, questions and conversations"
[ -e data/shapes/manifest.json ] ||
  "$vitrail" synthesize data/shapes --split train=12000,val=400,test=400,novel=400 --seed 17

echo "── Training: the projector first, then everything"
run=runs/pebble
if [ -e $run/final/config.json ]; then echo "$run is there already"; else
  "$vitrail" train Models/pebble/recipe.yaml --output $run --resume
fi

echo "── Held-out pictures: questions, and the same with the pictures exchanged"
rm -f $run/test.predictions.jsonl
"$vitrail" evaluate $run/final --data data/shapes/test/questions.jsonl --metrics exact --output $run/test.predictions.jsonl
"$vitrail" evaluate $run/final --data data/shapes/test/questions.jsonl --metrics exact --shuffle-images 1

echo "── Captions of a folder"
rm -f $run/captions.jsonl
"$vitrail" caption --model $run/final data/shapes/test/images --output $run/captions.jsonl
head -n 5 $run/captions.jsonl

echo
echo "Report:   $run/report.html"
echo "Captions: $run/captions.jsonl"
echo "Model:    $run/final"
echo "Done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s."
