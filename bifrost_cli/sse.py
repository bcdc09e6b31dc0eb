"""Server-sent events, read from one stream and written to another."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, NamedTuple

import orjson


class Event(NamedTuple):
    """One event; `name` is empty where it has none, `data` is the text of its `data:` lines."""

    name: str
    data: bytes


async def read(blocks: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
    """The events of a stream. Lines end in LF or CRLF; comments and other fields are passed over."""
    name, data, rest = "", [], b""
    async for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif line.startswith(b"event:"):
                name = line[6:].strip().decode("utf-8", "replace")
            elif not line:
                if data:
                    yield Event(name, b"\n".join(data))
                name, data = "", []


def frame(event: Mapping[str, Any]) -> bytes:
    """An event named by its own `type`, as Anthropic's are."""
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), orjson.dumps(event))
