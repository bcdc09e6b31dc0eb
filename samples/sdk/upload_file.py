"""Upload a text file."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

text_content = b"This is a test file for Files API integration."
response = client.beta.files.upload(
    file=("test_upload.txt", text_content, "text/plain"),
)

print(f"File ID: {response.id}")
print(f"Filename: {response.filename}")
