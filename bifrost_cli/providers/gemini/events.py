"""Anthropic's events, made one after another."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson

from bifrost_cli.errors import BifrostError, NetworkError
from bifrost_cli.providers.gemini import answers
from bifrost_cli.providers.gemini.checks import PROVIDER
from bifrost_cli.providers.gemini.failures import in_answer
from bifrost_cli.sse import Event

Made = Iterator[dict[str, Any]]
BLANK: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
"""The members of a block that are empty when it starts, and come as deltas."""
ENDING = ("stop_reason", "stop_sequence", "stop_details", "body")
"""What the end says; `body` is there where an answer held what a message has no form for."""


class Message:
    """A message that is being told: its start, its blocks one after another, its end.

    It starts with the first block, or at its end: until then a failure can be told as one.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.salt = ""
        self.started = False
        self.count = 0
        self.calls = 0
        self.open: str | None = None

    def start(self, body: dict[str, Any]) -> Made:
        """message_start, unless it was. `body` is what the answer says of itself so far."""
        if not self.started:
            self.started = True
            self.salt = answers.salted(body, answers.chance(body))
            message = answers.message(body, [], "", model=self.model, salt=self.salt)
            usage = {**message["usage"], "service_tier": "standard"}
            yield {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}

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

    def sign(self, signature: str) -> Made:
        """The signature of the thinking that is open, and its end."""
        yield from self.delta("signature_delta", signature=signature)
        yield from self.close()

    def call(self, body: dict[str, Any], given: Any) -> Made:
        """A tool call, which is given whole; the first piece of its input is empty as the real API's is."""
        yield from self.start(body)
        made = answers.tool_use(given, f"{self.salt} {self.calls}")
        self.calls += 1
        yield from self.block(body, "tool_use", id=made["id"], name=made["name"])
        for piece in (b"", orjson.dumps(made["input"])):
            yield from self.delta("input_json_delta", partial_json=piece.decode())
        yield from self.close()

    def close(self) -> Made:
        """The end of the block that is open, if one is."""
        if self.open is not None:
            yield {"type": "content_block_stop", "index": self.count}
            self.open, self.count = None, self.count + 1

    def end(self, body: dict[str, Any], whole: dict[str, Any]) -> Made:
        """The end, with what `whole`, the message that the answer came to, says of it."""
        yield from self.start(body)
        yield from self.close()
        reasons = {name: whole[name] for name in ENDING if name in whole}
        usage = {name: value for name, value in whole["usage"].items() if name != "service_tier"}
        yield {"type": "message_delta", "delta": reasons, "usage": usage}
        yield {"type": "message_stop"}


async def told(
    events: AsyncIterator[Event], tell: Callable[[dict[str, Any]], Made], end: Callable[[], Made]
) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each event's JSON, then what `end` adds.

    Raises the error that an event is, and NetworkError where `end` has nothing to add: the last event is missing.
    """
    async for event in events:
        said = _object(event)
        if failure := in_answer(said):
            raise failure
        for made in tell(said):
            yield made
    is_over = False
    for made in end():
        is_over = True
        yield made
    if not is_over:
        raise NetworkError("Gemini's stream ended before its last event.", provider=PROVIDER)


def _object(event: Event) -> dict[str, Any]:
    try:
        said = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise BifrostError("Gemini's stream holds what is no JSON object.", provider=PROVIDER)
    return said
