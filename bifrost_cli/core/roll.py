"""Which requests are in a plan: rows of `PART ["custom_id",…]`, of requests that follow each other and share a part."""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

MOST = 1000
"""Ids in a row."""


class Roll:
    """Writes rows to a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._part = 0
        self._ids: list[str] = []

    def add(self, part: int, custom_id: str) -> None:
        """The next request."""
        if part != self._part or len(self._ids) == MOST:
            self.end()
            self._part = part
        self._ids.append(custom_id)

    def end(self) -> None:
        """Write what is not written yet."""
        if self._ids:
            self._stream.write(b"%d %b\n" % (self._part, orjson.dumps(self._ids)))
            self._ids = []


def part_of(row: bytes) -> bytes:
    """The part of a row, as its digits."""
    return row.partition(b" ")[0]


def ids_of(row: bytes) -> list[str]:
    """The ids of a row; rows once held one id, which was not in a list."""
    ids: list[str] | str = orjson.loads(row.partition(b" ")[2])
    return [ids] if isinstance(ids, str) else ids


def read(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Each request's part and id, in input order."""
    with stream:
        for row in stream:
            part = int(part_of(row))
            for id in ids_of(row):
                yield part, id
