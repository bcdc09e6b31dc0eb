"""The `custom_id`s that went into each run, in input order: few in the database, many in a compressed file of the run's
own; kept for two months.

The file is written in blocks, and what parts are in each is noted beside it, so that the ids of one part of many are
read without the others'.
"""

import gzip
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bifrost_cli.core.database import Database
from bifrost_cli.core.roll import ids_of, part_of
from bifrost_cli.core.spool import Spool

KEPT_DAYS = 60
PRUNED_EVERY = 3600.0
FEW = 16 * 1024
"""Bytes of ids that the database takes. To compress and to make a file costs more, of so little, than it saves."""
BLOCK = 128 * 1024
"""Bytes in a block, before it is compressed, or a little more."""


class Block(NamedTuple):
    """Where a block is in the file, and the parts that its ids are of, where that is known."""

    start: int
    size: int
    parts: frozenset[bytes] | None = None

    def has(self, wanted: set[bytes]) -> bool:
        """Whether ids of these parts may be in it."""
        return self.parts is None or not self.parts.isdisjoint(wanted)


class KeptIds:
    """Those of the runs in a database, by the run's id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.folder = database.path.parent / "ids"
        self.pruned_at = 0.0

    def keep(self, db: sqlite3.Connection, run: str, ids: Spool) -> None:
        """Keep the ids of a plan, which come as its roll, as a part of a change."""
        self._prune(db)
        if ids.size <= FEW:
            db.execute("INSERT INTO ids VALUES (?, ?, ?)", (run, time.time(), ids.read()))
        else:
            self._write(run, ids.open())

    def _write(self, run: str, spooled: BinaryIO) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(run).touch(mode=0o600)
        blocks: list[Block] = []
        with spooled as lines, self._path(run).open("wb") as file:
            while block := lines.readlines(BLOCK):
                size = file.write(gzip.compress(b"".join(block), compresslevel=1, mtime=0))
                blocks.append(Block(file.tell() - size, size, frozenset(map(part_of, block))))
        if len(blocks) > 1:
            rows = [b"%d %d %s\n" % (start, size, b" ".join(sorted(parts or ()))) for start, size, parts in blocks]
            self._index(run).write_bytes(b"".join(rows))

    def known(self, run: str) -> bool:
        """Whether a run's are still here."""
        path = self._path(run)
        return self._few(run) is not None or (path.exists() and path.stat().st_size > 0)

    def read(self, run: str, parts: set[int]) -> Iterator[str]:
        """The ids of these parts, in input order."""
        wanted = {b"%d" % part for part in parts}
        few = self._few(run)
        yield from self._read_file(run, wanted) if few is None else _ids(few, wanted)

    def _few(self, run: str) -> bytes | None:
        """The roll that the database has."""
        with self.database.read() as db:
            row = db.execute("SELECT roll FROM ids WHERE run = ?", (run,)).fetchone()
        return row[0] if row else None

    def _read_file(self, run: str, wanted: set[bytes]) -> Iterator[str]:
        with self._path(run).open("rb") as file:
            for block in self._blocks(run):
                if block.has(wanted):
                    file.seek(block.start)
                    yield from _ids(gzip.decompress(file.read(block.size)), wanted)

    def _blocks(self, run: str) -> list[Block]:
        """Without an index the file is one block, of whatever parts."""
        index = self._index(run)
        if not index.exists():
            return [Block(0, -1)]
        rows = [line.split() for line in index.read_bytes().splitlines()]
        return [Block(int(start), int(size), frozenset(parts)) for start, size, *parts in rows]

    def _prune(self, db: sqlite3.Connection) -> None:
        now = time.time()
        if now - self.pruned_at < PRUNED_EVERY:
            return
        self.pruned_at = now
        db.execute("DELETE FROM ids WHERE kept_at < ?", (now - KEPT_DAYS * 86400,))
        for path in (*self.folder.glob("*.gz"), *self.folder.glob("*.index")):
            if path.stat().st_mtime < now - KEPT_DAYS * 86400:
                path.unlink(missing_ok=True)

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}.gz"

    def _index(self, run: str) -> Path:
        return self.folder / f"{run}.index"


def _ids(rows: bytes, wanted: set[bytes]) -> Iterator[str]:
    for row in rows.splitlines():
        if part_of(row) in wanted:
            yield from ids_of(row)
