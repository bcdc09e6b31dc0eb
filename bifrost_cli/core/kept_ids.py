"""The `custom_id`s that went into each run, in input order: one compressed file per run, kept for two months.

It is written in blocks, and what parts are in each is noted beside it, so that the ids of one part of many are read
without the others'.
"""

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bifrost_cli.core.roll import ids_of, part_of

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
KEPT_DAYS = 60
PRUNED_EVERY = 3600.0
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
    """The files in a folder, by the run's id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pruned_at = 0.0

    def keep(self, run: str, spooled: BinaryIO) -> None:
        """Keep the ids of a plan, which come as its roll."""
        self._prune()
        blocks: list[Block] = []
        with spooled as lines, os.fdopen(self.handle(run), "wb") as file:
            while block := lines.readlines(BLOCK):
                size = file.write(gzip.compress(b"".join(block), compresslevel=1, mtime=0))
                blocks.append(Block(file.tell() - size, size, frozenset(map(part_of, block))))
        if len(blocks) > 1:
            rows = [b"%d %d %s\n" % (start, size, b" ".join(sorted(parts or ()))) for start, size, parts in blocks]
            self._index(run).write_bytes(b"".join(rows))

    def handle(self, run: str) -> int:
        """A run's file, open to be locked; made where there is none."""
        try:
            return os.open(self._path(run), FLAGS, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            return os.open(self._path(run), FLAGS, 0o600)

    def known(self, run: str) -> bool:
        """Whether a run's are still here."""
        path = self._path(run)
        return path.exists() and path.stat().st_size > 0

    def read(self, run: str, parts: set[int]) -> Iterator[str]:
        """The ids of these parts, in input order."""
        wanted = {b"%d" % part for part in parts}
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

    def _prune(self) -> None:
        now = time.time()
        if now - self.pruned_at < PRUNED_EVERY:
            return
        self.pruned_at = now
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
