"""A client of the gateway: any key will do, and the provider is the default one."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
)

print(f"Base URL: {client.base_url}")
