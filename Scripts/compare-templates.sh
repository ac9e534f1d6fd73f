#!/usr/bin/env bash
# What templates are worth: easy-VQA with ten phrasings a task, and with one, asked in phrasings seen and never seen in training.
#   Scripts/compare-templates.sh easy-vqa.tar OUTPUT [vitrail train's options, such as --set stages.instruct.epochs=4]
set -euo pipefail
archive=$(realpath "${1:?usage: Scripts/compare-templates.sh easy-vqa.tar OUTPUT [options]}")
output=$(realpath -m "${2:?usage: Scripts/compare-templates.sh easy-vqa.tar OUTPUT [options]}")
shift 2
cd "$(dirname "$0")/.."
vitrail=${VITRAIL:-$(swift build -c release --show-bin-path)/vitrail}
templates=(--templates Datasets/templates --template-seed 17)
unseen=vqa-short/form,yes-no/witness
one=vqa-short/llava,yes-no/llava
mkdir -p "$output"
"$vitrail" convert easy-vqa "$archive" "${templates[@]}" --except "$unseen" --output "$output/many.jsonl"
"$vitrail" convert easy-vqa "$archive" "${templates[@]}" --only "$one" --output "$output/one.jsonl"
"$vitrail" convert easy-vqa "$archive" --split test "${templates[@]}" --except "$unseen" --evaluation "$output/seen.questions.jsonl"
"$vitrail" convert easy-vqa "$archive" --split test "${templates[@]}" --only "$unseen" --evaluation "$output/unseen.questions.jsonl"
"$vitrail" convert easy-vqa "$archive" --split test "${templates[@]}" --only "$one" --evaluation "$output/one.questions.jsonl"
for data in many one; do
    sed -e "s|data/easy-vqa/train.jsonl|$output/$data.jsonl|" -e "s|data/easy-vqa/test.questions.jsonl|$output/unseen.questions.jsonl|" \
        -e "s|^model: |model: $PWD/|" -e "s|max_tokens: 768|max_tokens: 1024|" Datasets/easy-vqa/recipe.yaml > "$output/$data.yaml"
    "$vitrail" train "$output/$data.yaml" --output "$output/$data" --resume "$@"
    for asked in seen unseen one; do
        echo "trained on $data phrasings, asked in $asked ones"
        "$vitrail" evaluate "$output/$data/final" --data "$output/$asked.questions.jsonl" --metrics exact --max-new-tokens 4 --json
    done
done
