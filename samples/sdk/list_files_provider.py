"""List a provider's files by name."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

response = client.beta.files.list()

for file in response.data:
    print(f"File ID: {file.id}, Name: {file.filename}")
