"""Spools: what is in them, in memory or on disk, and what is told when it cannot be written."""

import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.core import spool
from bifrost_cli.core.spool import Spool, Spools

BLOCKS = [bytes([number]) * 7 for number in range(100)]


@pytest.fixture(params=[1_000_000, 300, 0], ids=["in memory", "partly", "on disk"])
def spools(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spools]:
    monkeypatch.setattr(spool, "IN_MEMORY", request.param)
    monkeypatch.setattr(spool, "HELD", 20)
    made = Spools()
    yield made
    made.close()


@pytest.fixture
def filled(spools: Spools) -> Spool:
    made = spools.new("filled")
    for block in BLOCKS:
        made.add(block)
    made.end()
    return made


def check(spool: Spool, content: bytes) -> None:
    assert (spool.read(), spool.size) == (content, len(content))
    assert spool.digest() == sha256(content).hexdigest()


def test_it_holds_what_was_added_in_its_order(filled: Spool) -> None:
    check(filled, b"".join(BLOCKS))


def test_several_are_filled_in_turn(spools: Spools) -> None:
    several = [spools.new(f"{number}") for number in range(3)]
    for number, block in enumerate(BLOCKS):
        several[number % 3].add(block)
    for number, made in enumerate(several):
        made.end()
        check(made, b"".join(BLOCKS[number::3]))


def test_an_empty_one_is_empty(spools: Spools) -> None:
    made = spools.new("empty")
    made.end()
    check(made, b"")


def test_it_can_be_cut_and_be_another(filled: Spool) -> None:
    filled.truncate(31)
    check(filled, b"".join(BLOCKS)[:31])
    filled.replace(b"another")
    check(filled, b"another")
    filled.replace(b"".join(reversed(BLOCKS)))  # As long as at first.
    check(filled, b"".join(reversed(BLOCKS)))


@given(st.lists(st.integers(0, 3000)))
def test_only_so_much_is_in_memory(sizes: list[int]) -> None:
    spools = Spools()
    left = spool.IN_MEMORY
    assert [spools.takes(size) for size in sizes] == [total <= left for total in accumulate(sizes)]


def test_many_hold_no_more_than_one() -> None:
    spools = Spools()
    several = [spools.new(f"{number}") for number in range(100)]
    tracemalloc.start()
    for _ in range(64):
        for made in several:
            made.add(bytes(1024))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    spools.close()
    assert held < spool.IN_MEMORY + spool.HELD + 2 * 1024 * 1024


def test_blocks_do_not_wait_in_any_number() -> None:
    spools, waiting = Spools(), 0
    for _ in range(100):
        spools.later(lambda block: None, b"")
        waiting = max(waiting, len(spools._waiting))
    spools.settle()
    assert waiting == spool.MOST_WAITING
    spools.close()


def test_a_disk_that_is_full_is_told_at_the_end_at_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(Spools, "path", lambda *_: Path("/dev/full"))
    spools = Spools()
    made = spools.new("lost")
    made.add(b"\n" * spool.HELD * 2)
    with pytest.raises(OSError, match="No space left"):
        made.end()
    spools.close()


def test_what_is_left_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.tempfile, "tempdir", str(tmp_path))
    spools = Spools()
    spools.new("half").add(b"\n" * spool.IN_MEMORY * 2)
    spools.close()
    assert list(tmp_path.iterdir()) == []
