#!/usr/bin/env bash
# What templates are worth: a data set with ten phrasings a task, and with one (the question as the source has it), asked in phrasings
# seen and never seen in training.
#   Scripts/compare-templates.sh easy-vqa easy-vqa.tar OUTPUT [vitrail train's options, such as --set stages.instruct.epochs=4]
#   Scripts/compare-templates.sh cifar10 cifar10-jpeg.tar OUTPUT
# easy-VQA takes three times its recipe's epochs, in both trainings: with ten phrasings, yes and no are not learned in eight.
# The phrasings that are kept out take part in nothing before the last lines: neither in training nor in choosing a checkpoint.
set -euo pipefail
usage="usage: Scripts/compare-templates.sh easy-vqa|cifar10 ARCHIVE OUTPUT [options]"
name=${1:?$usage} archive=$(realpath "${2:?$usage}") output=$(realpath -m "${3:?$usage}")
shift 3
cd "$(dirname "$0")/.."
vitrail=${VITRAIL:-$(swift build -c release --show-bin-path)/vitrail}
case $name in
    easy-vqa) kind=easy-vqa unseen=vqa-short/form,yes-no/witness tokens=4 longer=(--set stages.instruct.epochs=24) ;;
    cifar10) kind=image-folder unseen=classification/sort tokens=8 longer=() ;;
    *) echo "$usage" >&2 && exit 2 ;;
esac
templates=(--templates Datasets/templates --template-seed 17)
mkdir -p "$output"
"$vitrail" convert $kind "$archive" --split train "${templates[@]}" --except "$unseen" --output "$output/many.jsonl"
"$vitrail" convert $kind "$archive" --split train --output "$output/one.jsonl"
"$vitrail" convert $kind "$archive" --split test "${templates[@]}" --except "$unseen" --evaluation "$output/many.questions.jsonl"
"$vitrail" convert $kind "$archive" --split test "${templates[@]}" --only "$unseen" --evaluation "$output/unseen.questions.jsonl"
"$vitrail" convert $kind "$archive" --split test --evaluation "$output/one.questions.jsonl"
for data in many one; do
    sed -e "s|data/$name/train.jsonl|$output/$data.jsonl|" -e "s|data/$name/test.questions.jsonl|$output/$data.questions.jsonl|" \
        -e "s|^model: |model: $PWD/|" -e "s|max_tokens: 768|max_tokens: 1024|" "Datasets/$name/recipe.yaml" > "$output/$data.yaml"
    "$vitrail" train "$output/$data.yaml" --output "$output/$data" --resume "${longer[@]}" "$@"
    for asked in many unseen one; do
        echo "$name, trained on $data, asked in $asked:"
        "$vitrail" evaluate "$output/$data/final" --data "$output/$asked.questions.jsonl" --metrics exact --max-new-tokens $tokens --json
    done
done
