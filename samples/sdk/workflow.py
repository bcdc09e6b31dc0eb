"""From creating a batch to its results."""

import os
import time

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

MODEL = os.environ.get("MODEL", "claude-sonnet-4-5")

print("Step 1: Creating batch...")
batch_requests = [
    {
        "custom_id": "math-question",
        "params": {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is 15 * 7?"}],
        },
    },
    {
        "custom_id": "geography-question",
        "params": {
            "model": MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is the largest ocean?"}],
        },
    },
]
batch = client.beta.messages.batches.create(requests=batch_requests)
print(f"  Created batch: {batch.id}, status: {batch.processing_status}")

print("Step 2: Polling batch status...")
for i in range(20):
    batch = client.beta.messages.batches.retrieve(batch.id)
    print(f"  Poll {i + 1}: status = {batch.processing_status}")
    if batch.processing_status == "ended":
        print("  Batch completed!")
        break
    if batch.request_counts:
        print(f"    Processing: {batch.request_counts.processing}")
        print(f"    Succeeded: {batch.request_counts.succeeded}")
    time.sleep(5)

print("Step 3: Verifying batch in list...")
batch_list = client.beta.messages.batches.list(limit=20)
batch_ids = [b.id for b in batch_list.data]
assert batch.id in batch_ids, f"Batch {batch.id} should be in list"
print(f"  Verified batch {batch.id} is in list")

if batch.processing_status == "ended":
    print("Step 4: Getting results...")
    results = client.beta.messages.batches.results(batch.id)
    for result in results:
        print(f"  {result.custom_id}: ", end="")
        if result.result.type == "succeeded":
            print(result.result.message.content[0].text[:50] + "...")
        else:
            print(f"Error: {result.result.error}")

print(f"\nSuccess! Batch {batch.id} workflow completed.")
