"""What Converse answers with, whole or as events.

Members are sorted (recorded). Usage names cache tokens twice, for models that have a cache; the batch service gives
each member of a union and of the usage, null where there is nothing (recorded).
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.caching import converse_written
from bifrost_cli.sandbox.bedrock.native_answer import LATENCY, pieces
from bifrost_cli.sandbox.bedrock.prompts import converse_prompt
from bifrost_cli.sandbox.ids import MARK, derived

STOP_REASONS = {
    Finish.END: "end_turn",
    Finish.TOOL: "tool_use",
    Finish.LENGTH: "max_tokens",
    Finish.STOP: "stop_sequence",
    Finish.REFUSAL: "content_filtered",
}
_UNION = (
    *("audio", "cachePoint", "citationsContent", "document", "guardContent", "image", "reasoningContent"),
    *("searchResult", "text", "toolResult", "toolUse", "video"),
)
_CACHE = ("cacheReadInputTokenCount", "cacheReadInputTokens", "cacheWriteInputTokenCount", "cacheWriteInputTokens")


def reply(body: Mapping[str, Any], model: str, seed: str) -> dict[str, Any]:
    """The answer to a request that has been checked: the same each time for the same `seed`."""
    said = answer(converse_prompt(body))
    message = {"content": list(_content(said, model, seed)), "role": "assistant"}
    fields = _extra_fields(body, said)
    return {
        **({"additionalModelResponseFields": fields} if fields is not None else {}),
        "metrics": {"latencyMs": LATENCY},
        "output": {"message": message},
        "stopReason": STOP_REASONS[said.finish],
        "usage": _usage(said, model, converse_written(body, said.input_tokens)),
    }


def _content(said: Answer, model: str, seed: str) -> Iterator[dict[str, Any]]:
    if said.thinking:
        signature = base64.b64encode(f"sandbox {derived(seed, 64)}".encode()).decode()
        yield {"reasoningContent": {"reasoningText": {"signature": signature, "text": said.thinking}}}
    if said.call is not None:
        use = {
            "input": dict(said.call.arguments),
            "name": said.call.name,
            "toolUseId": f"tooluse_{MARK}{derived(seed + 'tool', 19)}",
        }
        yield {"toolUse": {**use, "type": "tool_use"} if models.generation(model) >= (4, 5) else use}
    elif said.text:
        yield {"text": said.text}


def _extra_fields(body: Mapping[str, Any], said: Answer) -> dict[str, Any] | None:
    """The model's own members that were asked for by their paths."""
    if "/stop_sequence" not in (body.get("additionalModelResponseFieldPaths") or ()):
        return None
    return {"stop_sequence": said.stop}


def _usage(said: Answer, model: str, written: int) -> dict[str, Any]:
    """What went through the cache is no part of `inputTokens`, but of the total (recorded)."""
    cached: dict[str, Any] = dict.fromkeys(_CACHE, 0) if written or models.generation(model) >= (3, 5) else {}
    if written:
        cached |= {"cacheWriteInputTokenCount": written, "cacheWriteInputTokens": written}
        cached = {"cacheDetails": [{"inputTokens": written, "ttl": "5m"}], **cached}
    return {
        **cached,
        "inputTokens": said.input_tokens - written,
        "outputTokens": said.output_tokens,
        "serverToolUsage": {},
        "totalTokens": said.input_tokens + said.output_tokens,
    }


def with_nulls(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The same answer as the batch service writes it."""
    message, usage = whole["output"]["message"], whole["usage"]
    content = [{name: block.get(name) for name in _UNION} for block in message["content"]]
    nulls: dict[str, Any] = {"serverToolUsage": {"webSearchRequests": None}, **dict.fromkeys(_CACHE)}
    counts = {name: usage[name] for name in ("inputTokens", "outputTokens", "totalTokens")}
    return {
        **whole,
        "output": {"message": {**message, "content": content}},
        "usage": {**nulls, "cacheDetails": None, **counts},
    }


def events(whole: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same answer as events: name and payload. Only tool blocks announce their start, and only a cache that was
    used is spoken of (recorded)."""
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(whole["output"]["message"]["content"]):
        if "toolUse" in block:
            start = {name: value for name, value in block["toolUse"].items() if name != "input"}
            yield "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": start}}
        for delta in _deltas(block):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": index}
    extra = {name: whole[name] for name in ("additionalModelResponseFields",) if name in whole}
    yield "messageStop", {**extra, "stopReason": whole["stopReason"]}
    usage = whole["usage"]
    if "cacheDetails" not in usage:
        usage = {name: value for name, value in usage.items() if name not in _CACHE}
    yield "metadata", {"metrics": whole["metrics"], "usage": usage}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "text" in block:
        yield from ({"text": piece} for piece in pieces(block["text"]))
    elif "reasoningContent" in block:
        thought = block["reasoningContent"]["reasoningText"]
        yield from ({"reasoningContent": {"text": piece}} for piece in pieces(thought["text"]))
        yield {"reasoningContent": {"signature": thought["signature"]}}
    elif "toolUse" in block:
        text = orjson.dumps(block["toolUse"]["input"]).decode()
        yield from ({"toolUse": {"input": piece}} for piece in pieces(text))
