"""Which requests are in a plan: rows of `PART ["custom_id",…]`, of requests that follow each other and share a part."""

from collections.abc import Iterator
from typing import BinaryIO

import orjson


def row(part: int, ids: list[str]) -> bytes:
    """That of these requests; nothing where there are none."""
    return b"%d %b\n" % (part, orjson.dumps(ids)) if ids else b""


def part_of(row: bytes) -> bytes:
    """The part of a row, as its digits."""
    return row.partition(b" ")[0]


def ids_of(row: bytes) -> list[str]:
    """The ids of a row; rows once held one id, which was not in a list."""
    ids: list[str] | str = orjson.loads(row.partition(b" ")[2])
    return [ids] if isinstance(ids, str) else ids


def rows(stream: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """The part and the ids of each row."""
    with stream:
        for row in stream:
            yield int(part_of(row)), ids_of(row)


def read(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Each request's part and id, in input order."""
    for part, ids in rows(stream):
        for id in ids:
            yield part, id
