"""An ended batch's results: BATCH_ID, or one made for it."""

import os
import time

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
while client.beta.messages.batches.retrieve(batch_id).processing_status != "ended":
    time.sleep(1)
results = client.beta.messages.batches.results(batch_id)

for result in results:
    print(f"Custom ID: {result.custom_id}")
    if result.result.type == "succeeded":
        message = result.result.message
        print(f"Response: {message.content[0].text}")
    elif result.result.type == "errored":
        print(f"Error: {result.result.error}")
    print("---")
