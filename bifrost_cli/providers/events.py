"""Anthropic's events, made one after another, alike for every provider whose streams are translated."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from bifrost_cli.errors import BifrostError

Made = Iterator[dict[str, Any]]
BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "redacted_thinking": {},
    "tool_use": {"input": {}},
}
"""The members of a block that are empty when it starts, and come as deltas."""
ENDING = ("stop_reason", "stop_sequence", "stop_details", "body")
"""What the end says; `body` is there where an answer held what a message has no form for."""


class Message:
    """A message that is being told: its start, its blocks one after another, its end.

    It starts with the first block, or at its end: until then a failure can be told as one. `first` gives the message
    as its start tells it, by what the answer has said of itself so far.
    """

    def __init__(self, first: Callable[[], dict[str, Any]]) -> None:
        self.first = first
        self.started = False
        self.count = 0
        self.open: str | None = None

    def start(self) -> Made:
        """message_start, unless it was."""
        if not self.started:
            self.started = True
            yield {"type": "message_start", "message": self.first()}

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

    def sign(self, signature: str) -> Made:
        """The signature of the thinking that is open, and its end."""
        yield from self.delta("signature_delta", signature=signature)
        yield from self.close()

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
        reasons = {name: whole[name] for name in ENDING if name in whole}
        usage = {name: value for name, value in whole["usage"].items() if name != "service_tier"}
        yield {"type": "message_delta", "delta": reasons, "usage": usage}
        yield {"type": "message_stop"}


def blank(id: str, model: str) -> dict[str, Any]:
    """A message of which nothing but its id and model is known yet."""
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**usage, "service_tier": "standard"},
    }


def parsed(data: bytes, title: str, provider: str) -> dict[str, Any]:
    """The object that an event of a provider's stream holds. Raises BifrostError where it holds none."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise BifrostError(f"{title}'s stream holds what is no JSON object.", provider=provider)
    return said
