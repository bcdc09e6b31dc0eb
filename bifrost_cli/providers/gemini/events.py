"""The pieces of a stream, told as Anthropic's events."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from bifrost_cli.errors import NetworkError
from bifrost_cli.providers import events
from bifrost_cli.providers.events import Made, parsed
from bifrost_cli.providers.gemini import answers
from bifrost_cli.providers.gemini.checks import PROVIDER
from bifrost_cli.providers.gemini.failures import in_answer
from bifrost_cli.sse import Event


class Message(events.Message):
    """A message that is being told; `body` is what the answer says of itself so far."""

    def __init__(self, body: dict[str, Any], model: str) -> None:
        super().__init__(self._first)
        self.body = body
        self.model = model
        self.salt = ""
        self.calls = 0

    def _first(self) -> dict[str, Any]:
        native = answers.text(self.body.get("responseId"))
        self.salt = f"{answers.chance(self.body)} {native}"
        message = answers.message(self.body, answers.message_id(native, self.salt), [], "", model=self.model)
        return {**message, "stop_reason": None, "usage": {**message["usage"], "service_tier": "standard"}}

    def whole_call(self, given: Any) -> Made:
        """A tool call, which is given whole."""
        yield from self.start()
        made = answers.tool_use(given, f"{self.salt} {self.calls}")
        self.calls += 1
        yield from self.call(made["id"], made["name"])
        yield from self.delta("input_json_delta", partial_json=orjson.dumps(made["input"]).decode())
        yield from self.close()


async def told(
    events: AsyncIterator[Event], tell: Callable[[dict[str, Any]], Made], end: Callable[[], Made]
) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each event's JSON, then what `end` adds.

    Raises the error that an event is, and NetworkError where `end` has nothing to add: the last event is missing.
    """
    async for event in events:
        said = parsed(event.data, "Gemini", PROVIDER)
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
