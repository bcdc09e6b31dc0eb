"""Delete a file: FILE_ID, or one made for it."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

file_id = os.environ.get("FILE_ID") or client.beta.files.upload(file=("gone.txt", b"soon gone", "text/plain")).id
response = client.beta.files.delete(file_id)

print(f"Deleted file: {file_id}")
