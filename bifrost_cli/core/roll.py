"""Which requests are in a plan: rows of `PART ["custom_id",…]`, of requests that follow each other and share a part."""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from bifrost_cli.core.spool import Spool

MOST = 1000
"""Ids in a row."""


class Roll:
    """Writes rows to a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._part = 0
        self._ids: list[str] = []

    def add(self, part: int, custom_id: str) -> None:
        """The next request."""
        if part != self._part or len(self._ids) == MOST:
            self._write()
            self._part = part
        self._ids.append(custom_id)

    def end(self) -> None:
        """No request follows."""
        self._write()
        self._spool.end()

    def _write(self) -> None:
        if self._ids:
            self._spool.add(b"%d %b\n" % (self._part, orjson.dumps(self._ids)))
            self._ids = []


def part_of(row: bytes) -> bytes:
    """The part of a row, as its digits."""
    return row.partition(b" ")[0]


def ids_of(row: bytes) -> list[str]:
    """The ids of a row; rows once held one id, which was not in a list."""
    ids: list[str] | str = orjson.loads(row.partition(b" ")[2])
    return [ids] if isinstance(ids, str) else ids


def rows(stream: BinaryIO) -> Iterator[list[str]]:
    """The ids of each row."""
    with stream:
        yield from map(ids_of, stream)


def read(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Each request's part and id, in input order."""
    with stream:
        for row in stream:
            part = int(part_of(row))
            for id in ids_of(row):
                yield part, id
