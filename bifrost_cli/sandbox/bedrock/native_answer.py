"""The Message that an Anthropic model answers through InvokeModel with, whole or as events.

Models before 4.5 say less about usage (recorded).
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.caching import native_asks, native_written
from bifrost_cli.sandbox.bedrock.prompts import native_prompt
from bifrost_cli.sandbox.ids import MARK, derived

STOP_REASONS = {
    Finish.END: "end_turn",
    Finish.TOOL: "tool_use",
    Finish.LENGTH: "max_tokens",
    Finish.STOP: "stop_sequence",
    Finish.REFUSAL: "refusal",
}
LATENCY = 735
FIRST_BYTE = 317
_FIRST_TOKENS = 4
_PIECE = 12


def reply(body: Mapping[str, Any], model: str, seed: str) -> dict[str, Any]:
    """The Message for a body that has been checked: the same each time for the same `seed`."""
    said = answer(native_prompt(body))
    newer = models.generation(model) >= (4, 5) or models.generation(model) == (0, 0)
    return {
        "model": models.short(model),
        "id": f"msg_bdrk_01{MARK}{derived(seed, 19)}",
        "type": "message",
        "role": "assistant",
        "content": list(_content(said, body, seed)),
        "stop_reason": STOP_REASONS[said.finish],
        "stop_sequence": said.stop,
        **({"stop_details": _details(said)} if newer else {}),
        "usage": _usage(said, newer, body),
    }


def _content(said: Answer, body: Mapping[str, Any], seed: str) -> Iterator[dict[str, Any]]:
    if said.thinking:
        omitted = body["thinking"].get("display") == "omitted"
        signature = base64.b64encode(f"sandbox {derived(seed, 64)}".encode()).decode()
        yield {"type": "thinking", "thinking": "" if omitted else said.thinking, "signature": signature}
    if said.finish is Finish.REFUSAL:
        return
    if said.call is not None:
        tool_id = f"toolu_bdrk_01{MARK}{derived(seed + 'tool', 19)}"
        yield {"type": "tool_use", "id": tool_id, "name": said.call.name, "input": dict(said.call.arguments)}
    elif said.text:
        yield {"type": "text", "text": said.text}


def _details(said: Answer) -> dict[str, Any] | None:
    if said.finish is not Finish.REFUSAL:
        return None
    return {"type": "refusal", "category": None, "explanation": said.text}


def _usage(said: Answer, newer: bool, body: Mapping[str, Any]) -> dict[str, Any]:
    written = native_written(body, said.input_tokens)
    counts = {"input_tokens": said.input_tokens - written, "output_tokens": said.output_tokens}
    cached = {"cache_creation_input_tokens": written, "cache_read_input_tokens": 0}
    if not newer:
        return {**counts, **(cached if native_asks(body) else {})}
    return {
        **counts,
        **cached,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": said.thinking_tokens},
        "service_tier": "standard",
    }


def events(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The same Message as events; the last carries the service's metrics (recorded)."""
    usage = {**whole["usage"], "output_tokens": min(_FIRST_TOKENS, whole["usage"]["output_tokens"])}
    blank: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    if "stop_details" in whole:
        blank["stop_details"] = None
    yield {"type": "message_start", "message": {**whole, **blank}}
    for index, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **_BLANK[block["type"]]}}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    names = ("stop_reason", "stop_sequence", "stop_details")
    reasons = {name: whole[name] for name in names if name in whole}
    yield {"type": "message_delta", "delta": reasons, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics(whole)}


def metrics(whole: Mapping[str, Any]) -> dict[str, int]:
    """What the service itself says of a call."""
    return {
        "inputTokenCount": whole["usage"]["input_tokens"],
        "outputTokenCount": whole["usage"]["output_tokens"],
        "invocationLatency": LATENCY,
        "firstByteLatency": FIRST_BYTE,
    }


_BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "tool_use":
        text = orjson.dumps(block["input"]).decode()
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(text)])


def pieces(text: str) -> list[str]:
    """A text cut up as a stream delivers it."""
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
