"""The requests of a batch on disk, each found by number without reading the others.

A batch's folder holds `input` (the text that the requests are in, as it was sent), `spans` (where each request
begins and ends in it, 16 bytes each) and `outcomes` (one letter per request, in the order in which the requests
finish). 100,000 requests are never in memory at once.
"""

import mmap
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from math import gcd
from pathlib import Path

from bifrost_cli.sandbox.jsonspans import Data

SUCCEEDED, ERRORED, EXPIRED = b"S", b"E", b"X"
"""The letters of `outcomes`."""


class Index:
    """Collects where each request is and how it ends, while a batch's input is read for the first time."""

    def __init__(self) -> None:
        self._spans = array("Q")
        self._outcomes = bytearray()

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, start: int, end: int, outcome: bytes) -> None:
        self._spans.extend((start, end))
        self._outcomes += outcome

    def save(self, folder: Path) -> None:
        (folder / "spans").write_bytes(self._spans.tobytes())
        ranked = bytes(self._outcomes[number] for number in finishing_order(len(self)))
        (folder / "outcomes").write_bytes(ranked)


class Mapped(ExitStack):
    """A file's bytes, memory-mapped: a context manager.

    It is not made of a generator, which the garbage collector closes apart from the generator that uses it, where a
    download is broken off and both are left behind.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __enter__(self) -> Data:  # type: ignore[override]
        file = self.enter_context(self._path.open("rb"))
        if self._path.stat().st_size == 0:
            return b""
        return self.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def finishing(folder: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """The requests of a batch in the order in which they finish: number in the input, outcome, text."""
    spans = array("Q", (folder / "spans").read_bytes())
    outcomes = (folder / "outcomes").read_bytes()
    with Mapped(folder / "input") as data:
        for rank, number in enumerate(finishing_order(len(outcomes))):
            yield number, outcomes[rank : rank + 1], data[spans[2 * number] : spans[2 * number + 1]]


def finishing_order(count: int) -> Iterator[int]:
    """The numbers 0 to count-1 in the order in which a batch's requests finish: always the same, never sorted
    (for more than one), each number once."""
    step = _coprime(count)
    return ((count // 2 + turn * step) % count for turn in range(count))


def _coprime(count: int) -> int:
    step = max(1, int(count * 0.618))
    while gcd(step, max(1, count)) != 1:
        step += 1
    return step


def finished(count: int, progress: float) -> int:
    """How many of `count` requests are done at a progress of 0 to 1."""
    return min(count, int(count * progress + 1e-9))


def tally(folder: Path, done: int | None = None) -> Counter[bytes]:
    """How often each outcome is among the first `done` requests to finish (None: all)."""
    outcomes = (folder / "outcomes").read_bytes()[:done]
    return Counter({letter: outcomes.count(letter) for letter in (SUCCEEDED, ERRORED, EXPIRED)})
