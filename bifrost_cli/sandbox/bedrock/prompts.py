"""From either kind of request to the prompt that a model answers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Prompt, Tool, tokens

_IMAGE_TOKENS, _DOCUMENT_TOKENS, _TOOL_TOKENS = 1500, 1600, 40
_MEDIA = {"image": _IMAGE_TOKENS, "document": _DOCUMENT_TOKENS, "video": _IMAGE_TOKENS, "audio": _IMAGE_TOKENS}

Body = Mapping[str, Any]


def native_prompt(body: Body) -> Prompt:
    """The prompt in a body for InvokeModel that has been checked."""
    choice = body.get("tool_choice") or {"type": "auto"}
    tools = [] if choice["type"] == "none" else body.get("tools") or []
    return Prompt(
        text=native_text(body["messages"]),
        tokens=native_count(body),
        tools=tuple(Tool(tool["name"], tool["input_schema"]) for tool in tools if "input_schema" in tool),
        forced={"any": "", "tool": choice.get("name")}.get(choice["type"]),
        schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
        limit=body["max_tokens"],
        stops=tuple(body.get("stop_sequences") or ()),
        thinking=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
    )


def native_text(messages: list[Body]) -> str:
    """What the user said last; for the results of tools, what those say."""
    for message in reversed(messages):
        if message["role"] == "user":
            return "\n".join(_native_texts(message["content"]))
    return ""


def native_count(body: Body) -> int:
    """About how many tokens go in."""
    total = 3 + sum(map(tokens, _native_texts(body.get("system") or "")))
    for message in body["messages"]:
        content = message["content"]
        total += 4 + sum(map(tokens, _native_texts(content)))
        total += sum(_MEDIA.get(block["type"], 0) for block in (content if isinstance(content, list) else ()))
    return total + _tools(body.get("tools"))


def _native_texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content or ():
        if block["type"] == "text":
            yield block["text"]
        elif block["type"] == "tool_result":
            yield from _native_texts(block.get("content"))
        elif block["type"] == "document" and block["source"]["type"] == "text":
            yield block["source"]["data"]


def converse_prompt(body: Body) -> Prompt:
    """The prompt in a Converse request that has been checked."""
    config = body.get("inferenceConfig") or {}
    tools = [tool["toolSpec"] for tool in (body.get("toolConfig") or {}).get("tools", ()) if tool.get("toolSpec")]
    extra = body.get("additionalModelRequestFields") or {}
    thinking = extra.get("thinking") if isinstance(extra, dict) else None
    return Prompt(
        text=converse_text(body.get("messages") or []),
        tokens=converse_count(body),
        tools=tuple(Tool(tool["name"], tool["inputSchema"]["json"]) for tool in tools),
        forced=_forced((body.get("toolConfig") or {}).get("toolChoice") or {}),
        schema=_schema(body),
        limit=config.get("maxTokens"),
        stops=tuple(config.get("stopSequences") or ()),
        thinking=isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"),
    )


def _forced(choice: Body) -> str | None:
    if choice.get("any") is not None:
        return ""
    return (choice.get("tool") or {}).get("name")


def _schema(body: Body) -> Any:
    text_format = (body.get("outputConfig") or {}).get("textFormat")
    return orjson.loads(text_format["structure"]["jsonSchema"]["schema"]) if text_format else None


def converse_text(messages: list[Body]) -> str:
    """What the user said last; for the results of tools, what those say."""
    for message in reversed(messages):
        if message["role"] == "user":
            return "\n".join(_converse_texts(message["content"]))
    return ""


def converse_count(body: Body) -> int:
    """About how many tokens go in."""
    total = 3 + sum(map(tokens, _converse_texts(body.get("system") or ())))
    for message in body.get("messages") or ():
        total += 4 + sum(map(tokens, _converse_texts(message["content"])))
        total += sum(size for block in message["content"] for name, size in _MEDIA.items() if block.get(name))
    return total + _tools((body.get("toolConfig") or {}).get("tools"))


def _converse_texts(content: Any) -> Iterator[str]:
    for block in content:
        if block.get("text") is not None:
            yield block["text"]
        elif block.get("json") is not None:
            yield json.dumps(block["json"])
        elif block.get("toolResult"):
            yield from _converse_texts(block["toolResult"]["content"])
        elif block.get("document") and block["document"]["source"].get("text"):
            yield block["document"]["source"]["text"]


def _tools(tools: Any) -> int:
    return sum(_TOOL_TOKENS + tokens(str(tool)) for tool in tools or ())
