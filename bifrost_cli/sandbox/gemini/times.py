"""Timestamps as Google writes them: RFC 3339 in UTC."""

from datetime import UTC, datetime


def stamp(seconds: float, digits: int = 9) -> str:
    """A time in unix seconds with so many digits after the point: batches and expiries have 9, files 6 (recorded
    2026-08)."""
    whole = int(seconds)
    fraction = int((seconds - whole) * 10**digits)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:0{digits}}Z"
