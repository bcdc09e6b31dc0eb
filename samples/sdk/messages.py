"""A message, whole and as a stream."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

MODEL = os.environ.get("MODEL", "claude-sonnet-4-5")

messages = [{"role": "user", "content": "What is 2+2?"}]

count = client.messages.count_tokens(model=MODEL, messages=messages)
print(f"Input tokens: {count.input_tokens}")

message = client.messages.create(model=MODEL, max_tokens=100, messages=messages)
print(f"Response: {message.content[0].text}")

with client.messages.stream(model=MODEL, max_tokens=100, messages=messages) as stream:
    print("Streamed: ", end="")
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
