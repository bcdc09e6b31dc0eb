"""Create a batch with inline requests; MODEL is one of the provider's."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

MODEL = os.environ.get("MODEL", "claude-sonnet-4-5")

batch_requests = [
    {
        "custom_id": "request-1",
        "params": {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is 2+2?"}],
        },
    },
    {
        "custom_id": "request-2",
        "params": {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is the capital of France?"}],
        },
    },
]
batch = client.beta.messages.batches.create(requests=batch_requests)

print(f"Batch ID: {batch.id}")
print(f"Status: {batch.processing_status}")
