"""A million custom_ids in little memory: strings are told apart by their 64-bit hashes.

Two different ids share a hash once in about 37 million batches of a million. The hashes are this process's own.
"""

from array import array
from bisect import bisect
from collections import Counter
from collections.abc import Iterable
from operator import itemgetter

MOST_EXPECTED = 2_000_000
BUCKET = 8192


def repeated(rows: Iterable[list[str]], expected: int) -> set[int]:
    """The hashes of ids that come more than once: candidates, for an exact second look. Takes eight bytes or so an id,
    of which there are about as many as `expected`.

    Found bucket by bucket, so that no set of all of them is made.
    """
    number = expected // BUCKET + 1
    buckets = [array("q") for _ in range(number)]
    for ids in rows:
        for key in map(hash, ids):
            buckets[key % number].append(key)
    found: set[int] = set()
    for bucket in buckets:
        if len(set(bucket)) < len(bucket):
            found.update(key for key, times in Counter(bucket).items() if times > 1)
    return found


class Marks:
    """A number for each of many strings, 0 at first: a dozen bytes a string, twenty where `typecode` is of 64 bits.

    `expected` is how many strings there will be, where that is known. A table with open addressing: hashes lie in one
    array, numbers in another, and an id whose place is taken goes to the next free one below.
    """

    def __init__(self, expected: int = 0, typecode: str = "B") -> None:
        self.values = array(typecode)
        self._clear(16 + min(expected, MOST_EXPECTED) * 3 // 2)

    def slot(self, id: str) -> int:
        """Where the id's number is in `values`, until another id is asked for."""
        return self._slot(hash(id) or 1)

    def _slot(self, key: int) -> int:
        hashes = self._hashes
        slot = key % len(hashes)
        while (found := hashes[slot]) != key:
            if not found:
                return self._take(slot, key)
            slot -= 1  # Below the first is the last, as indices go.
        return slot

    def _take(self, slot: int, key: int) -> int:
        if not self._free:
            self._grow()
            return self._slot(key)
        self._free -= 1
        self._hashes[slot] = key
        return slot

    def _grow(self) -> None:
        hashes, values = self._hashes, self.values[:]
        self._clear(len(hashes) * 2)
        for key, value in zip(hashes, values, strict=True):
            if key:
                self.values[self._slot(key)] = value

    def _clear(self, size: int) -> None:
        self._hashes = array("q", (0,)) * size
        self.values[:] = array(self.values.typecode, (0,)) * size  # In place, for whoever holds it already.
        self._free = size * 2 // 3


class Numbers:
    """The line numbers of the requests. They mostly follow each other, so only where they do not is kept."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []

    def jump(self, expected: int, number: int) -> None:
        """The next request's, which is not the one that was expected after the one before, is this. So is the first."""
        start, first = self._runs[-1] if self._runs else (0, expected)
        self._runs.append((start + expected - first, number))

    def at(self, position: int) -> int:
        """That of the request at a position (0-based)."""
        start, number = self._runs[bisect(self._runs, position, key=itemgetter(0)) - 1]
        return number + position - start
