"""The frames of a stream, told as Anthropic's events until the message has stopped: what both operations share."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from bifrost_cli.errors import NetworkError
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.bedrock.failures import read_frame
from bifrost_cli.providers.bedrock.frames import Frame
from bifrost_cli.providers.events import Made, parsed

Tell = Callable[[str, dict[str, Any]], Made]
"""`tell(kind, payload)` is what one event comes to, which may be nothing."""


async def told(frames: AsyncIterator[Frame], tell: Tell) -> AsyncIterator[dict[str, Any]]:
    """What `tell` makes of each frame, until the message has stopped.

    Raises the error that a frame is, and NetworkError where the last is missing.
    """
    async for frame in frames:
        said = parsed(frame.payload or b"{}", "Bedrock", PROVIDER)
        if failure := read_frame(frame.headers, said):
            raise failure
        for made in tell(frame.kind, said):
            yield made
            if made["type"] == "message_stop":
                return
    raise NetworkError("Bedrock's stream ended before its last event.", provider=PROVIDER)
