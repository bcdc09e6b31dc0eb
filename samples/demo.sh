#!/bin/sh
# The main job on the embedded sandbox: a JSONL file in, answers out, on two providers. No key, no network.
set -eu
bifrost=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run() {
    printf '\n\033[1m$ bifrost %s\033[0m\n' "$*"
    "$bifrost" "$@"
}

run batch create samples/requests.jsonl -p anthropic --model claude-haiku-4-5 --sandbox -o "$folder/anthropic.jsonl"
run batch create samples/requests.jsonl -p openai --model gpt-5.4-mini --sandbox -o "$folder/openai.jsonl"
run batch list -p all --limit 1 --sandbox
id=$("$bifrost" batch list -p openai --limit 1 --sandbox -q)
run batch results "$id" --sandbox
