"""Which failed calls are made again, and when.

Reads are repeated on any passing failure, paid calls only when they surely did not arrive.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time
from typing import TYPE_CHECKING, TypeVar

import httpx

from bifrost_cli.errors import BifrostError, NetworkError, OverloadedError, RateLimitError, UpstreamError

if TYPE_CHECKING:
    from tenacity import RetryCallState

LOG = logging.getLogger("bifrost.calls")
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

LONGEST_PAUSE = 60.0
SILENT = 2.0
"""Seconds of a pause that nobody needs to be told of."""
NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


async def repeated(
    attempt: Callable[[], Awaitable[T]], may_repeat: Callable[[BifrostError], bool], *, attempts: int, sleep: Sleep
) -> T:
    """What `attempt` gives, called up to `attempts` times, as long as it fails in a way that `may_repeat` allows."""
    if attempts == 1:
        return await attempt()
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

    repeat = AsyncRetrying(
        stop=stop_after_attempt(attempts),
        wait=lambda state: pause(_outcome(state), state.attempt_number),
        retry=retry_if_exception(lambda error: isinstance(error, BifrostError) and may_repeat(error)),
        before_sleep=lambda state: tell(_outcome(state)),
        sleep=sleep,
        reraise=True,
    )
    return await repeat(attempt)


def _outcome(state: "RetryCallState") -> BifrostError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, BifrostError)
    return error


def tell(error: BifrostError) -> None:
    """Log the pause that a provider asks for, before it is made: whoever looks on wonders why nothing happens."""
    if (error.retry_after or 0) > SILENT:
        LOG.info("%s asks for a pause of %.0f s: %s", error.provider, error.retry_after, error.message)


def passing(error: BifrostError) -> bool:
    """Whether a read that failed this way may work in a moment."""
    return isinstance(error, UpstreamError | RateLimitError | OverloadedError) and _soon(error)


def surely_absent(error: BifrostError) -> bool:
    """Whether a paid call that failed this way surely did not arrive, and may be sent again."""
    never_arrived = isinstance(error, NetworkError) and isinstance(error.__cause__, NEVER_ARRIVED)
    return (never_arrived or isinstance(error, RateLimitError)) and _soon(error)


def _soon(error: BifrostError) -> bool:
    return (error.retry_after or 0) <= LONGEST_PAUSE


def pause(error: BifrostError, attempt: int) -> float:
    """Seconds after the 1-based `attempt`: what the provider asked for, else 0.5, 1, 2, 4 with a little chance."""
    if error.retry_after is not None:
        return error.retry_after
    return float(0.5 * 2 ** (attempt - 1) * random.uniform(0.8, 1.2))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (a number or an HTTP date); None where there is none."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
            return max(0.0, seconds) if isfinite(seconds) else None
        value = headers.get("retry-after")
        if value is None:
            return None
        return max(0.0, float(value) if _is_number(value) else parsedate_to_datetime(value).timestamp() - time())
    except (TypeError, ValueError):
        return None


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).strip().isdigit()
