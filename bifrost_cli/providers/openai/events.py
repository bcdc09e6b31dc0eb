"""Anthropic's events, made one after another: what the streams of both endpoints share."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson

from bifrost_cli.errors import BifrostError, NetworkError
from bifrost_cli.providers.openai import answers
from bifrost_cli.providers.openai.checks import PROVIDER
from bifrost_cli.providers.openai.failures import describe
from bifrost_cli.sse import Event

Made = Iterator[dict[str, Any]]
BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
"""The members of a block that are empty when it starts, and come as deltas."""


class Message:
    """A message that is being told: its start, its blocks one after another, its end.

    It starts with the first block, or at its end: until then a failure can be told as one.
    """

    def __init__(self) -> None:
        self.started = False
        self.count = 0
        self.open: str | None = None

    def start(self, body: dict[str, Any]) -> Made:
        """message_start, unless it was. `body` is what the answer says of itself so far."""
        if not self.started:
            self.started = True
            usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
            message: dict[str, Any] = {
                "id": answers.message_id(body.get("id")),
                "type": "message",
                "role": "assistant",
                "model": answers.text(body.get("model")),
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "stop_details": None,
                "usage": {**usage, "output_tokens": 0, "service_tier": "standard"},
            }
            yield {"type": "message_start", "message": message}

    def block(self, body: dict[str, Any], kind: str, **members: Any) -> Made:
        """The start of a block of this type, after the end of the one before."""
        yield from self.start(body)
        yield from self.close()
        self.open = kind
        block = {"type": kind, **members, **BLANK[kind]}
        yield {"type": "content_block_start", "index": self.count, "content_block": block}

    def delta(self, kind: str, **members: Any) -> Made:
        """A piece of the block that is open."""
        yield {"type": "content_block_delta", "index": self.count, "delta": {"type": kind, **members}}

    def say(self, body: dict[str, Any], text: str) -> Made:
        """A piece of text, in a block that is opened for it where none is."""
        if text:
            if self.open != "text":
                yield from self.block(body, "text")
            yield from self.delta("text_delta", text=text)

    def think(self, body: dict[str, Any], text: str) -> Made:
        """A piece of thinking, likewise."""
        if text:
            if self.open != "thinking":
                yield from self.block(body, "thinking")
            yield from self.delta("thinking_delta", thinking=text)

    def call(self, body: dict[str, Any], id: Any, name: Any) -> Made:
        """The start of a tool call; its input comes in pieces, the first of them empty as the real API's is."""
        made = answers.tool_use(id, name, None)
        yield from self.block(body, "tool_use", id=made["id"], name=made["name"])
        yield from self.delta("input_json_delta", partial_json="")

    def close(self) -> Made:
        """The end of the block that is open, if one is."""
        if self.open is not None:
            yield {"type": "content_block_stop", "index": self.count}
            self.open, self.count = None, self.count + 1

    def end(self, body: dict[str, Any], whole: dict[str, Any]) -> Made:
        """The end, with what `whole`, the message that the answer came to, says of it."""
        yield from self.start(body)
        yield from self.close()
        reasons = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
        usage = {name: value for name, value in whole["usage"].items() if name != "service_tier"}
        yield {"type": "message_delta", "delta": reasons, "usage": usage}
        yield {"type": "message_stop"}


async def told(
    events: AsyncIterator[Event], tell: Callable[[dict[str, Any]], Made], end: Callable[[], Made] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each event's JSON, then what `end` adds, until the message has stopped.

    Raises the error that an event is, and NetworkError where the last is missing.
    """
    async for event in events:
        if event.data == b"[DONE]":
            break
        said = _object(event)
        if failure := _failure(said):
            raise failure
        for made in tell(said):
            yield made
            if made["type"] == "message_stop":
                return
    for made in end() if end else ():
        yield made
        if made["type"] == "message_stop":
            return
    raise NetworkError("OpenAI's stream ended before its last event.", provider=PROVIDER)


def _object(event: Event) -> dict[str, Any]:
    try:
        said = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise BifrostError("OpenAI's stream holds what is no JSON object.", provider=PROVIDER)
    return said


def _failure(said: dict[str, Any]) -> BifrostError | None:
    """`{"type":"error","code","message"}` of Responses, or `{"error":{…}}` of Chat."""
    given = said if said.get("type") == "error" else said.get("error")
    if not given:
        return None
    kind, message = describe(given.get("error") or given if isinstance(given, dict) else given, 500)
    return kind(message, provider=PROVIDER)
