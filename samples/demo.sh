#!/bin/sh
# The main job on the embedded sandbox: a JSONL file in, answers out, on four providers. No key, no network.
set -eu
bifrost=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export BIFROST_BEDROCK_SMALL_BATCH=sync # Bedrock's jobs take a hundred records or more; the sample has two for it.
export BIFROST_SANDBOX_PACE=0.5 # Emulated batches take about a second and a half.

run() {
    printf '\n\033[1m$ bifrost %s\033[0m\n' "$*"
    "$bifrost" "$@"
}

run batch create samples/requests.jsonl -p openai --model gpt-5.4-mini --sandbox -o "$folder/openai.jsonl"
run batch create samples/mixed.jsonl --sandbox -o "$folder/mixed.jsonl"
run batch list -p all --limit 1 --sandbox
id=$("$bifrost" batch list -p all --limit 1 --sandbox -q | head -n 1)
run batch results "$id" --sandbox
