"""A batch's status: BATCH_ID, or one made for it."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

MODEL = os.environ.get("MODEL", "claude-sonnet-4-5")


def one_batch() -> str:
    """The id of a batch to look at."""
    message = {"role": "user", "content": "What is 2+2?"}
    params = {"model": MODEL, "max_tokens": 100, "messages": [message]}
    return client.beta.messages.batches.create(requests=[{"custom_id": "request-1", "params": params}]).id


batch_id = os.environ.get("BATCH_ID") or one_batch()
batch = client.beta.messages.batches.retrieve(batch_id)

print(f"Batch ID: {batch.id}")
print(f"Status: {batch.processing_status}")
if batch.request_counts:
    print(f"Processing: {batch.request_counts.processing}")
    print(f"Succeeded: {batch.request_counts.succeeded}")
    print(f"Errored: {batch.request_counts.errored}")
