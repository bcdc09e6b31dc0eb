"""When to poll next, and when to give up."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from bifrost_cli.errors import BifrostError, OverloadedError, PendingError, RateLimitError, UpstreamError
from bifrost_cli.models import Batch

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
GROWTH = 1.5
PATIENCE = 900.0
LAST_LOOK = 2.0
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
    read: Callable[[], Awaitable[Batch]],
    *,
    create: Callable[[], Awaitable[object]] | None = None,
    timeout: float | None = None,
    poll: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Batch]:
    """The batch at each poll, the last one ended. `create` is what comes before each `read`, and is never cut short.

    An outage of up to fifteen minutes is sat out, and rate limits for as long as they last. Raises PendingError when
    `timeout` seconds have passed; a read may then take two seconds more.
    """
    start = last_answer = clock()
    for pause in pauses(poll):
        failure: Exception | None = None
        try:
            if create:
                await create()
            batch = await _cut(read, None if timeout is None else start + timeout - clock())
        except TimeoutError as error:
            failure = error
        except PASSING as error:
            if clock() - last_answer > PATIENCE and not isinstance(error, RateLimitError):
                raise
            failure, pause = error, max(pause, error.retry_after or 0)
        else:
            last_answer = clock()
            yield batch
            if batch.ended:
                return
        left = pause if timeout is None else start + timeout - clock()
        if left <= 0:
            raise _pending(f"{timeout:g} s", failure)
        await sleep(min(pause, left))


async def _cut(read: Callable[[], Awaitable[Batch]], left: float | None) -> Batch:
    """A read that takes no longer than is left and a last look: its own retries know no deadline."""
    async with asyncio.timeout(None if left is None else max(left, 0) + LAST_LOOK):
        return await read()


def _pending(length: str, failure: Exception | None) -> PendingError:
    if failure is None:
        return PendingError(f"The batch has not ended after {length}.")
    why = failure.message if isinstance(failure, BifrostError) else "the provider does not answer."
    return PendingError(f"It is not known whether the batch has ended after {length}: {why}")
