"""How much of a prompt is written to the cache: what comes before the last point that asks for it.

Nothing is ever read back, so that an answer does not depend on those before it. Less than `LEAST` tokens are not
cached (documented).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import tokens

LEAST = 1024

Body = Mapping[str, Any]
Marked = Iterator[tuple[int, bool]]
"""The parts of a prompt in order: about how many tokens each has, and whether the cache is asked for after it."""


def native_written(body: Body, total: int) -> int:
    """The tokens that a body for InvokeModel writes; `total` is all that it has."""
    if body.get("cache_control"):
        return total if total >= LEAST else 0
    return _written(_native_parts(body), total)


def converse_written(body: Body, total: int) -> int:
    """The tokens that a Converse request writes; `total` is all that it has."""
    return _written(_converse_parts(body), total)


def native_asks(body: Body) -> bool:
    """Whether a body asks for the cache anywhere."""
    return bool(body.get("cache_control")) or any(marked for _, marked in _native_parts(body))


def _written(parts: Marked, total: int) -> int:
    passed = written = 0
    for size, marked in parts:
        passed += size
        written = passed if marked else written
    return min(written, total) if written >= LEAST else 0


def _native_parts(body: Body) -> Marked:
    contents = [body.get("tools"), body.get("system"), *(message["content"] for message in body["messages"])]
    for content in contents:
        for item in content if isinstance(content, list) else [{"text": content or ""}]:
            yield _size(item), bool(item.get("cache_control"))


def _converse_parts(body: Body) -> Marked:
    tools = (body.get("toolConfig") or {}).get("tools")
    contents = [tools, body.get("system"), *(message["content"] for message in body.get("messages") or ())]
    for content in contents:
        for item in content or ():
            point = item.get("cachePoint") is not None
            yield 0 if point else _size(item), point


def _size(item: Body) -> int:
    return tokens(str(item.get("text", item)))
