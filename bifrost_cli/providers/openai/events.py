"""The events of a stream, told as Anthropic's until the message has stopped: what both endpoints share."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from bifrost_cli.errors import BifrostError, NetworkError
from bifrost_cli.providers.events import Made, parsed
from bifrost_cli.providers.openai.checks import PROVIDER
from bifrost_cli.providers.openai.failures import describe
from bifrost_cli.sse import Event


async def told(
    events: AsyncIterator[Event], tell: Callable[[dict[str, Any]], Made], end: Callable[[], Made] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each event's JSON, then what `end` adds, until the message has stopped.

    Raises the error that an event is, and NetworkError where the last is missing.
    """
    async for event in events:
        if event.data == b"[DONE]":
            break
        said = parsed(event.data, "OpenAI", PROVIDER)
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


def _failure(said: dict[str, Any]) -> BifrostError | None:
    """`{"type":"error","code","message"}` of Responses, or `{"error":{…}}` of Chat."""
    given = said if said.get("type") == "error" else said.get("error")
    if not given:
        return None
    kind, message = describe(given.get("error") or given if isinstance(given, dict) else given, 500)
    return kind(message, provider=PROVIDER)
