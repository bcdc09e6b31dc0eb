"""The Message that a request is answered with, whole or as a stream of events.

Members and their order are as recorded in 2026; `container` and `diagnostics` were first reported in late 2026-09.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.anthropic import models, prompt
from bifrost_cli.sandbox.ids import MARK, derived

STOP_REASONS = {
    Finish.END: "end_turn",
    Finish.TOOL: "tool_use",
    Finish.LENGTH: "max_tokens",
    Finish.STOP: "stop_sequence",
    Finish.REFUSAL: "refusal",
}
_FIRST_TOKENS = 4
_PIECE = 12


def message(request: Mapping[str, Any], seed: str, tier: str) -> dict[str, Any]:
    """The Message for a request that has been checked: the same each time for the same `seed`. `tier` is
    `standard` or `batch`."""
    said = answer(prompt.read(request))
    model = models.snapshot(request["model"])
    return {
        "model": model,
        "id": f"msg_01{MARK}{derived(seed, 19)}",
        "type": "message",
        "role": "assistant",
        "content": [] if request["max_tokens"] == 0 else list(_content(said, request, seed)),
        "container": None,
        "stop_reason": STOP_REASONS[said.finish],
        "stop_sequence": said.stop,
        "stop_details": _details(said),
        "usage": _usage(said, model, tier),
        "diagnostics": None,
    }


def _content(said: Answer, request: Mapping[str, Any], seed: str) -> Iterator[dict[str, Any]]:
    if said.thinking:
        omitted = request["thinking"].get("display") == "omitted"
        signature = base64.b64encode(f"sandbox {derived(seed, 64)}".encode()).decode()
        yield {"type": "thinking", "thinking": "" if omitted else said.thinking, "signature": signature}
    if said.finish is Finish.REFUSAL:
        return
    if said.call is not None:
        tool_id = f"toolu_01{MARK}{derived(seed + 'tool', 19)}"
        call = {"name": said.call.name, "input": dict(said.call.arguments)}
        yield {"type": "tool_use", "id": tool_id, **call, "caller": {"type": "direct"}}
    elif said.text:
        yield {"type": "text", "text": said.text}


def _details(said: Answer) -> dict[str, Any] | None:
    if said.finish is not Finish.REFUSAL:
        return None
    return {"type": "refusal", "category": None, "explanation": said.text}


def _usage(said: Answer, model: str, tier: str) -> dict[str, Any]:
    """Models since 5 name a place and tell how much was thought; older ones do so when they did (recorded)."""
    newer = models.at_least(model, 5, 0)
    details = {"output_tokens_details": {"thinking_tokens": said.thinking_tokens}}
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": said.output_tokens,
        **(details if newer or said.thinking else {}),
        "service_tier": tier,
        "inference_geo": "global" if newer else "not_available",
    }


def events(whole: Mapping[str, Any]) -> Iterator[bytes]:
    """The same Message as server-sent events, quirks included (recorded): one ping after the first block has
    begun, the first piece of a tool's input empty, and spaces before the last brace."""
    usage = {**whole["usage"], "output_tokens": min(_FIRST_TOKENS, whole["usage"]["output_tokens"])}
    usage.pop("output_tokens_details", None)
    blank: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }
    yield _event({"type": "message_start", "message": {**whole, **blank}})
    for index, block in enumerate(whole["content"]):
        begun = {**block, **_BLANK.get(block["type"], {})}
        yield _event({"type": "content_block_start", "index": index, "content_block": begun})
        if index == 0:
            yield b'event: ping\ndata: {"type": "ping"}\n\n'
        for delta in _deltas(block):
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    yield _event(_end(whole))
    yield _event({"type": "message_stop"})


_BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"]))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "tool_use":
        text = orjson.dumps(block["input"]).decode()
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in ["", *_pieces(text)])


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _end(whole: Mapping[str, Any]) -> dict[str, Any]:
    reasons = {key: whole[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    kept = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    usage = {key: whole["usage"][key] for key in kept}
    if "output_tokens_details" in whole["usage"]:
        usage["output_tokens_details"] = whole["usage"]["output_tokens_details"]
    return {"type": "message_delta", "delta": reasons, "usage": usage}


def _event(data: Mapping[str, Any]) -> bytes:
    body = orjson.dumps(data)
    padding = b" " * (sum(body) % 16)
    return f"event: {data['type']}\ndata: ".encode() + body[:-1] + padding + b"}\n\n"
