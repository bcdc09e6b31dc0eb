"""One conversation at all four providers: what each is sent, and that their answers come back as the same message.

`tests/golden/conversation/PROVIDER.json` holds `upstream`, the request as the provider gets it, and `answer`, a result
line written by hand as the provider documents it. `UPDATE_GOLDENS=1` writes `upstream` anew; read its diff.
"""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from bifrost_cli import Config
from bifrost_cli.models import Batch, RequestCounts
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.base import Provider

GOLDEN = Path(__file__).parent / "golden" / "conversation"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "openai": "gpt-5.4-mini",
    "gemini": "gemini-2.5-flash",
    "bedrock": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
}


def conversation(model: str) -> dict[str, Any]:
    """A system text, a picture, a tool call with its result, and an answer wanted as JSON."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    question = {"type": "text", "text": "What is the weather where this was taken?"}
    call = {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Lisbon"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "21 degrees, sunny"}
    params = {
        "model": model,
        "max_tokens": 256,
        "system": "You are a weather desk.",
        "messages": [
            {"role": "user", "content": [picture, question]},
            {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, call]},
            {"role": "user", "content": [result]},
        ],
        "tools": [TOOL],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    return {"custom_id": "weather", "params": params}


def adapter(name: str, client: httpx.AsyncClient) -> Provider:
    kind = load(name)
    return kind(Config(environ={"AWS_REGION": "us-east-1"}).settings(name, kind.settings), client)


async def decoded(provider: Provider, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The message that a provider's result line comes to."""

    async def lines(batch: Batch) -> Any:
        yield orjson.dumps(answer)

    for source in ("raw_results", "_result_lines"):
        if hasattr(provider, source):
            monkeypatch.setattr(provider, source, lines)
    now = "2026-11-01T00:00:00Z"
    counts = RequestCounts(succeeded=1)
    batch = Batch(id="us-east-1.a", processing_status="ended", request_counts=counts, created_at=now, expires_at=now)
    [result] = [each async for each in provider.batch_results(batch)]
    assert result["custom_id"] == "weather"
    return result["result"]["message"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", list(PROVIDERS))
async def test_a_provider_is_sent_the_conversation_and_answers_with_the_same_message(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = GOLDEN / f"{name}.json"
    golden = json.loads(path.read_text())
    async with httpx.AsyncClient() as client:
        provider = adapter(name, client)
        upstream = orjson.loads(provider.encode(conversation(MODELS[name])).body)
        if os.environ.get("UPDATE_GOLDENS"):
            golden["upstream"] = upstream
            path.write_text(json.dumps(golden, indent=2) + "\n")
        message = await decoded(provider, golden["answer"], monkeypatch)

    assert upstream == golden["upstream"]
    assert [(block["type"], block["text"]) for block in message["content"]] == [
        ("text", '{"city": "Lisbon", "degrees": 21}')
    ]
    assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
    usage = {name: message["usage"][name] for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")}
    assert usage == {"input_tokens": 80, "output_tokens": 12, "cache_read_input_tokens": 20}
    assert message["usage"]["service_tier"] == "batch"
