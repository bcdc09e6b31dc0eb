"""The chunks of InvokeModelWithResponseStream: Anthropic's own events in base64 (shapes recorded 2024–2026)."""

from base64 import b64decode
from typing import Any

import orjson

from bifrost_cli.errors import BY_TYPE, BifrostError, UpstreamError
from bifrost_cli.providers.bedrock import invoke
from bifrost_cli.providers.bedrock.answers import member, text
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.events import Made

METRICS = "amazon-bedrock-invocationMetrics"


def tell(kind: str, said: dict[str, Any]) -> Made:
    """The event that a chunk is, without what Bedrock adds to it. Raises the error that it is."""
    if kind == "chunk":
        event = _event(said.get("bytes"))
        if event["type"] == "error":
            raise failure(event)
        if event["type"] == "message_start" and isinstance(event.get("message"), dict):
            event["message"] = invoke.decode(event["message"], "standard")
        event.pop(METRICS, None)
        yield event


def failure(said: dict[str, Any]) -> BifrostError:
    """`{"type":"error","error":{"type","message"}}` as an error."""
    kind, message = text(member(said, "error", "type")), text(member(said, "error", "message"))
    error = BY_TYPE.get(kind, UpstreamError)
    return error(message or "The model answered with an error.", provider=PROVIDER)


def _event(given: Any) -> dict[str, Any]:
    try:
        event = orjson.loads(b64decode(text(given), validate=True))
    except ValueError:
        event = None
    if not isinstance(event, dict) or not text(event.get("type")):
        raise BifrostError("Bedrock's stream holds a chunk that is no event of Anthropic's.", provider=PROVIDER)
    return event
