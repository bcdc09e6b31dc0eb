"""The message that events tell, read in two ways that know nothing of who told them."""

from typing import Any

import orjson
from anthropic.lib.streaming._messages import accumulate_event


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that events tell, by our own reading, after a check of their order."""
    assert [events[0]["type"], *(event["type"] for event in events[-2:])] == [
        *("message_start", "message_delta", "message_stop")
    ]
    message = orjson.loads(orjson.dumps(events[0]["message"]))
    content = message["content"]
    for event in events[1:-2]:
        assert event["index"] == len(content) - (event["type"] != "content_block_start")
        FOLDS[event["type"]](content, event)
    assert all(block.pop("closed") for block in content)
    for block in content:
        if block["type"] == "tool_use":
            block["input"] = orjson.loads(block.pop("partial"))
    usage = message["usage"] | events[-2]["usage"]
    return {**message, **events[-2]["delta"], "usage": usage}


def _start(content: list[dict[str, Any]], event: dict[str, Any]) -> None:
    assert all(block["closed"] for block in content)
    content.append({**event["content_block"], "closed": False})


def _delta(content: list[dict[str, Any]], event: dict[str, Any]) -> None:
    names = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    delta, block = event["delta"], content[-1]
    assert not block["closed"]
    if delta["type"] == "input_json_delta":
        block["partial"] = block.get("partial", "") + delta["partial_json"]
    else:
        name = names[delta["type"]]
        assert block["type"] == ("text" if name == "text" else "thinking")
        block[name] += delta[name]


def _stop(content: list[dict[str, Any]], event: dict[str, Any]) -> None:
    assert not content[-1]["closed"]
    content[-1]["closed"] = True


FOLDS = {"content_block_start": _start, "content_block_delta": _delta, "content_block_stop": _stop}


def by_the_sdk(events: list[dict[str, Any]]) -> Any:
    """The message that events tell, by the vendor's own reading."""
    snapshot, pieces = None, dict[int, bytes]()
    for event in events:
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=pieces)  # type: ignore[arg-type]
    return snapshot
