"""A Response as server-sent events: numbered from 0, deltas padded, no `[DONE]` at the end (recorded 2026-08)."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bifrost_cli.sandbox.ids import derived

Item = Mapping[str, Any]
Event = dict[str, Any]
_PIECE = 12
_BLOCK = 16


def events(whole: Mapping[str, Any], obfuscate: bool) -> Iterator[bytes]:
    """The stream of a Response. `obfuscate` pads each delta, so that its size tells nothing."""
    for number, event in enumerate(_events(whole)):
        if obfuscate and "delta" in event:
            padding = derived(f"{event['item_id']}{number}", _BLOCK - len(event["delta"]) % _BLOCK)
            event["obfuscation"] = padding
        event["sequence_number"] = number
        yield b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"


def _events(whole: Mapping[str, Any]) -> Iterator[Event]:
    blank: Event = {
        "completed_at": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        "service_tier": "auto",
    }
    begun = {**whole, **blank, "status": "in_progress"}
    del begun["billing"]
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        yield {"type": "response.output_item.added", "item": _begun(item), "output_index": index}
        yield from ({**event, "item_id": item["id"], "output_index": index} for event in _inside(item))
        yield {"type": "response.output_item.done", "item": item, "output_index": index}
    ended = {key: value for key, value in whole.items() if key != "billing"}
    yield {"type": f"response.{whole['status']}", "response": ended}


def _begun(item: Item) -> Item:
    match item["type"]:
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case "function_call":
            return {**item, "status": "in_progress", "arguments": ""}
    return {**item, "summary": []}


def _inside(item: Item) -> Iterator[Event]:
    match item["type"]:
        case "message":
            yield from _part(item["content"][0])
        case "function_call":
            yield from _deltas("response.function_call_arguments", item["arguments"], {})
            yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"]}
        case "reasoning":
            for index, summary in enumerate(item["summary"]):
                yield from _summary(summary, {"summary_index": index})


def _part(part: Item) -> Iterator[Event]:
    at: dict[str, Any] = {"content_index": 0}
    kind = "refusal" if part["type"] == "refusal" else "text"
    text = part[kind]
    extra: Event = {} if kind == "refusal" else {"logprobs": []}
    name = "response.refusal" if kind == "refusal" else "response.output_text"
    yield {"type": "response.content_part.added", **at, "part": {**part, kind: ""}}
    yield from _deltas(name, text, {**at, **extra})
    yield {"type": f"{name}.done", **at, **extra, kind: text}
    yield {"type": "response.content_part.done", **at, "part": part}


def _summary(summary: Item, at: dict[str, Any]) -> Iterator[Event]:
    yield {"type": "response.reasoning_summary_part.added", **at, "part": {**summary, "text": ""}}
    yield from _deltas("response.reasoning_summary_text", summary["text"], at)
    yield {"type": "response.reasoning_summary_text.done", **at, "text": summary["text"]}
    yield {"type": "response.reasoning_summary_part.done", **at, "part": summary}


def _deltas(name: str, text: str, at: dict[str, Any]) -> Iterator[Event]:
    for start in range(0, len(text), _PIECE):
        yield {"type": f"{name}.delta", **at, "delta": text[start : start + _PIECE]}
