"""The query parameters that Google's lists share.

A page token is opaque (documented); here it is a signed position, so that a made-up one is refused.
"""

import base64
from collections.abc import Sequence

from bifrost_cli.sandbox.gemini.errors import Refusal
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK

_PREFIX = f"{MARK}:"


def read_size(call: Call, default: int, highest: int, *, refused: bool = False) -> int:
    """`pageSize`, 0 being the default. What is more than `highest` is cut to it, or `refused`."""
    text = call.query.get("pageSize", call.query.get("page_size", "0"))
    try:
        size = int(text)
    except ValueError:
        raise Refusal(f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\"") from None
    if size < 0 or (refused and size > highest):
        raise Refusal(f"[sandbox] page_size must be between 0 and {highest}, got {size}")
    return min(size or default, highest)


def read_token(call: Call) -> str | None:
    """What `pageToken` stands for. Raises the Refusal for one that was never given out."""
    text = call.query.get("pageToken", call.query.get("page_token", ""))
    if not text:
        return None
    try:
        value = base64.urlsafe_b64decode(text.encode()).decode()
    except ValueError:
        value = ""
    if not value.startswith(_PREFIX):
        raise bad_token()
    return value.removeprefix(_PREFIX)


def bad_token() -> Refusal:
    return Refusal("[sandbox] page_token is not one that this list gave out")


def next_token(value: str | None) -> dict[str, str]:
    """The member of a list's answer that leads to the next page; the last page has none (documented)."""
    return {} if value is None else {"nextPageToken": base64.urlsafe_b64encode(f"{_PREFIX}{value}".encode()).decode()}


def read_position(call: Call) -> tuple[float, str | None]:
    """Where a list goes on: after the row of this time of creation and id; from its start when there is no token."""
    created, _, id = (read_token(call) or "").partition("/")
    try:
        return (float(created), id) if created else (0.0, None)
    except ValueError:
        raise bad_token() from None


def cut(call: Call, rows: Sequence[str], size: int) -> tuple[Sequence[str], dict[str, str]]:
    """A page of rows that are all at hand, and what leads to the next."""
    token = read_token(call)
    if token is not None and token not in rows:
        raise bad_token()
    start = 0 if token is None else rows.index(token) + 1
    page = rows[start : start + size]
    return page, next_token(page[-1] if len(rows) > start + size else None)
