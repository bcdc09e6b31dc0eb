"""When to poll next, and when to give up."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from bifrost_cli.errors import OverloadedError, PendingError, RateLimitError, UpstreamError
from bifrost_cli.models import Batch

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
GROWTH = 1.5
PATIENCE = 900.0
PASSING = (UpstreamError, OverloadedError, RateLimitError)


def pauses(poll: float | None = None) -> Iterator[float]:
    """Seconds between polls: `poll` each time, or from one second, growing by half, to a minute.

    Many batches end within minutes, most within an hour.
    """
    pause = poll or FIRST_PAUSE
    while True:
        yield pause
        pause = poll or min(pause * GROWTH, LONGEST_PAUSE)


async def follow(
    get: Callable[[], Awaitable[Batch]],
    *,
    timeout: float | None = None,
    poll: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Batch]:
    """The batch at each poll, the last one ended.

    An outage of up to fifteen minutes is sat out, and rate limits for as long as they last. Raises PendingError when
    `timeout` seconds have passed.
    """
    start = last_answer = clock()
    for pause in pauses(poll):
        try:
            batch = await get()
        except PASSING as error:
            if clock() - last_answer > PATIENCE and not isinstance(error, RateLimitError):
                raise
            pause = max(pause, error.retry_after or 0)
        else:
            last_answer = clock()
            yield batch
            if batch.ended:
                return
        left = pause if timeout is None else start + timeout - clock()
        if left <= 0:
            raise PendingError(f"The batch has not ended after {timeout:g} s.")
        await sleep(min(pause, left))
