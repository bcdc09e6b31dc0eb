"""A client whose calls go to one provider (PROVIDER: anthropic, openai, gemini or bedrock)."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

print(f"Base URL: {client.base_url}")
