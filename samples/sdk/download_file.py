"""Download a file's content: FILE_ID, or one made for it. Some providers give no upload back, and say so."""

import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ.get("BIFROST_URL", "http://localhost:8080/anthropic"),
    api_key=os.environ.get("BIFROST_KEY", "dummy-key"),
    default_headers={"x-model-provider": os.environ.get("PROVIDER", "anthropic")},
)

line = b'{"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-4o-mini", "input": "hi"}}'
file_id = os.environ.get("FILE_ID") or client.beta.files.upload(file=("in.jsonl", line, "application/jsonl")).id
try:
    response = client.beta.files.download(file_id)
    content = response.text()
    print(f"File content:\n{content}")
except anthropic.APIStatusError as error:
    print(f"Not downloadable: {error.status_code} {error.message}")
