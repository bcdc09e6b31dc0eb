"""Event streams as AWS writes them, and Anthropic's events as their reader takes them in."""

from base64 import b64encode
from binascii import crc32
from struct import pack
from typing import Any

import orjson

Event = dict[str, Any]


def frame(payload: Any = None, **headers: str) -> bytes:
    """One frame; `_` in a header's name stands for `-`."""
    named = {f":{name.replace('_', '-')}": value for name, value in headers.items()}
    head = b"".join(_header(name, value) for name, value in named.items())
    body = b"" if payload is None else orjson.dumps(payload)
    prelude = pack("!II", 16 + len(head) + len(body), len(head))
    start = prelude + pack("!I", crc32(prelude)) + head + body
    return start + pack("!I", crc32(start))


def event(kind: str, payload: Any) -> bytes:
    """An event, padded as the service's are."""
    padded = {**payload, "p": "abcdefg"}
    return frame(padded, event_type=kind, content_type="application/json", message_type="event")


def chunk(said: Event) -> bytes:
    """One of Anthropic's events, as InvokeModelWithResponseStream wraps it."""
    return event("chunk", {"bytes": b64encode(orjson.dumps(said)).decode()})


def raised(code: str, message: str) -> bytes:
    """An exception in the place of an event."""
    return frame({"message": message}, exception_type=code, content_type="application/json", message_type="exception")


def folded(events: list[Event]) -> Event:
    """The message that events tell, taken in as Anthropic's SDK does: a signature is not appended to."""
    first, *rest = events
    assert first["type"] == "message_start"
    message: Event = orjson.loads(orjson.dumps(first["message"]))
    inputs: dict[int, str] = {}
    for event in rest:
        _take(message, inputs, event)
    for index, given in inputs.items():
        message["content"][index]["input"] = orjson.loads(given or "{}")
    return message


def gathered(events: list[tuple[str, Event]]) -> Event:
    """The Converse answer that the events of a ConverseStream come to, put together as AWS would have said it whole."""
    blocks: dict[int, Event] = {}
    answer: Event = {}
    for kind, said in events:
        if kind == "contentBlockStart":
            blocks[said["contentBlockIndex"]] = {"toolUse": {**said["start"]["toolUse"], "input": ""}}
        elif kind == "contentBlockDelta":
            _add(blocks.setdefault(said["contentBlockIndex"], {}), said["delta"])
        elif kind in ("messageStop", "metadata"):
            answer |= said
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = orjson.loads(block["toolUse"]["input"] or "{}")
    content = [blocks[index] for index in sorted(blocks)]
    return {**answer, "output": {"message": {"role": "assistant", "content": content}}}


def check_order(events: list[Event]) -> None:
    """One message_start, blocks one after another, each started and stopped, one message_delta, one message_stop."""
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    count, is_open = 0, False
    for event in events[1:-2]:
        kind = event["type"].removeprefix("content_block_")
        assert event["index"] == count
        assert is_open is (kind != "start")
        assert kind in ("start", "delta", "stop")
        is_open = kind != "stop"
        count += kind == "stop"
    assert not is_open


def _header(name: str, value: str) -> bytes:
    return pack("!B", len(name)) + name.encode() + b"\x07" + pack("!H", len(value)) + value.encode()


def _take(message: Event, inputs: dict[int, str], event: Event) -> None:
    if event["type"] == "content_block_start":
        message["content"].append(dict(event["content_block"]))
    elif event["type"] == "content_block_delta":
        _piece(message["content"][event["index"]], inputs, event)
    elif event["type"] == "message_delta":
        message |= event["delta"]
        message["usage"] |= event["usage"]


def _piece(block: Event, inputs: dict[int, str], event: Event) -> None:
    delta = event["delta"]
    if delta["type"] == "input_json_delta":
        inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
    elif delta["type"] == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        name = {"text_delta": "text", "thinking_delta": "thinking"}[delta["type"]]
        block[name] += delta[name]


def _add(block: Event, delta: Event) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    if "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    thought = delta.get("reasoningContent", {})
    if "redactedContent" in thought:
        block["reasoningContent"] = thought
    elif thought:
        said = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})["reasoningText"]
        said |= {name: said.get(name, "") + piece for name, piece in thought.items()}
