"""Anthropic's events, made one after another: what the streams of both operations share."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson

from bifrost_cli.errors import BifrostError, NetworkError
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.bedrock.failures import read_frame
from bifrost_cli.providers.bedrock.frames import Frame

Made = Iterator[dict[str, Any]]
Tell = Callable[[str, dict[str, Any]], Made]
"""`tell(kind, payload)` is what one event comes to, which may be nothing."""
BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "redacted_thinking": {},
    "tool_use": {"input": {}},
}
"""The members of a block that are empty when it starts, and come as deltas."""


class Message:
    """A message that is being told: its start, its blocks one after another, its end.

    It starts with the first block, or at its end: until then a failure can be told as one.
    """

    def __init__(self, id: str, model: str) -> None:
        self.id = id
        self.model = model
        self.started = False
        self.count = 0
        self.open: str | None = None

    def start(self) -> Made:
        """message_start, unless it was."""
        if not self.started:
            self.started = True
            usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
            message: dict[str, Any] = {
                "id": self.id,
                "type": "message",
                "role": "assistant",
                "model": self.model,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "stop_details": None,
                "usage": {**usage, "output_tokens": 0, "service_tier": "standard"},
            }
            yield {"type": "message_start", "message": message}

    def block(self, kind: str, **members: Any) -> Made:
        """The start of a block of this type, after the end of the one before."""
        yield from self.start()
        yield from self.close()
        self.open = kind
        block = {"type": kind, **members, **BLANK[kind]}
        yield {"type": "content_block_start", "index": self.count, "content_block": block}

    def delta(self, kind: str, **members: Any) -> Made:
        """A piece of the block that is open."""
        yield {"type": "content_block_delta", "index": self.count, "delta": {"type": kind, **members}}

    def say(self, text: str) -> Made:
        """A piece of text, in a block that is opened for it where none is."""
        if text:
            if self.open != "text":
                yield from self.block("text")
            yield from self.delta("text_delta", text=text)

    def think(self, text: str) -> Made:
        """A piece of thinking, likewise."""
        if text:
            if self.open != "thinking":
                yield from self.block("thinking")
            yield from self.delta("thinking_delta", thinking=text)

    def call(self, id: str, name: str) -> Made:
        """The start of a tool call; its input comes in pieces, the first of them empty as the real API's is."""
        yield from self.block("tool_use", id=id, name=name)
        yield from self.delta("input_json_delta", partial_json="")

    def close(self) -> Made:
        """The end of the block that is open, if one is."""
        if self.open is not None:
            yield {"type": "content_block_stop", "index": self.count}
            self.open, self.count = None, self.count + 1

    def end(self, whole: dict[str, Any]) -> Made:
        """The end, with what `whole`, the message that the answer came to, says of it."""
        yield from self.start()
        yield from self.close()
        reasons = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
        usage = {name: value for name, value in whole["usage"].items() if name != "service_tier"}
        yield {"type": "message_delta", "delta": reasons, "usage": usage}
        yield {"type": "message_stop"}


async def told(frames: AsyncIterator[Frame], tell: Tell) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each frame, until the message has stopped.

    Raises the error that a frame is, and NetworkError where the last is missing.
    """
    async for frame in frames:
        said = _object(frame)
        if failure := read_frame(frame.headers, said):
            raise failure
        for made in tell(frame.kind, said):
            yield made
            if made["type"] == "message_stop":
                return
    raise NetworkError("Bedrock's stream ended before its last event.", provider=PROVIDER)


def _object(frame: Frame) -> dict[str, Any]:
    try:
        said = orjson.loads(frame.payload or b"{}")
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise BifrostError("Bedrock's stream holds what is no JSON object.", provider=PROVIDER)
    return said
