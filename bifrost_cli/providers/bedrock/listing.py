"""Jobs and small batches as one list, newest first: what a page of it shows, and where the next one begins."""

import heapq
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Self

import orjson

from bifrost_cli.errors import InvalidRequestError
from bifrost_cli.models import Batch
from bifrost_cli.providers.bedrock import sync
from bifrost_cli.providers.bedrock.checks import PROVIDER


class Cursor(NamedTuple):
    """A place in the list: the token of a page of jobs, how many of it were shown, and the last small batch shown."""

    token: str = ""
    shown: int = 0
    small: str = ""

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Raises InvalidRequestError where the text is none."""
        if not text:
            return cls()
        try:
            token, shown, small = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(str(token), int(shown), str(small))
        except (ValueError, TypeError):
            raise InvalidRequestError(f"'{text}' is not a place in the list of batches.", provider=PROVIDER) from None

    def __str__(self) -> str:
        return urlsafe_b64encode(orjson.dumps([*self])).decode().rstrip("=")


def merged(
    at: Cursor, jobs: Sequence[Batch], following: str, small: Sequence[str], limit: int
) -> tuple[list[Batch | str], Cursor | None]:
    """Up to `limit` batches, or ids of small ones, by the time they were created; and where there are more, the place
    behind them.

    `jobs` is the page at the place, `following` the token of the next page, `small` the ids of small batches behind
    the place, one more than `limit` where there are so many.
    """
    rest: list[Batch | str] = [*jobs[at.shown :]]
    page = list(islice(heapq.merge(rest, small, key=_created_at, reverse=True), limit))
    took = [item for item in page if isinstance(item, str)]
    shown = at.shown + len(page) - len(took)
    last = took[-1] if took else at.small
    if shown == len(jobs) and following:
        return page, Cursor(following, 0, last)
    ended = shown == len(jobs) and len(took) == len(small)
    return page, None if ended else Cursor(at.token, shown, last)


def _created_at(item: Batch | str) -> datetime:
    return item.created_at if isinstance(item, Batch) else sync.created_at(item)
