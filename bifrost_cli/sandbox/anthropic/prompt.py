"""From a Messages request to the prompt that a model answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Prompt, Tool, tokens

_IMAGE_TOKENS, _DOCUMENT_TOKENS, _TOOL_TOKENS = 1500, 1600, 40


def read(request: Mapping[str, Any]) -> Prompt:
    """The prompt in a request that has been checked."""
    choice = request.get("tool_choice") or {"type": "auto"}
    tools = [] if choice["type"] == "none" else request.get("tools") or []
    config = request.get("output_config") or {}
    return Prompt(
        text=last_text(request["messages"]),
        tokens=count(request),
        tools=tuple(Tool(tool["name"], tool["input_schema"]) for tool in tools if "input_schema" in tool),
        forced={"any": "", "tool": choice.get("name")}.get(choice["type"]),
        schema=(config.get("format") or {}).get("schema"),
        limit=request.get("max_tokens"),
        stops=tuple(request.get("stop_sequences") or ()),
        thinking=(request.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
    )


def last_text(messages: Iterable[Mapping[str, Any]]) -> str:
    """What the user said last; for the results of tools, what those say."""
    for message in reversed(list(messages)):
        if message["role"] == "user":
            return "\n".join(_texts(message["content"]))
    return ""


def count(request: Mapping[str, Any]) -> int:
    """About how many tokens go in."""
    total = 3 + sum(tokens(text) for text in _texts(request.get("system") or ""))
    for message in request["messages"]:
        total += 4 + sum(tokens(text) for text in _texts(message["content"])) + _media(message["content"])
    for tool in request.get("tools") or ():
        total += _TOOL_TOKENS + tokens(str(tool))
    return total


def _media(content: Any) -> int:
    kinds = [block["type"] for block in content] if isinstance(content, list) else []
    return kinds.count("image") * _IMAGE_TOKENS + kinds.count("document") * _DOCUMENT_TOKENS


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for block in content or ():
        if block["type"] == "text":
            yield block["text"]
        elif block["type"] == "tool_result":
            yield from _texts(block.get("content"))
        elif block["type"] == "document" and block["source"]["type"] == "text":
            yield block["source"]["data"]
