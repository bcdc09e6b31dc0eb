"""The ids of runs: by part, in input order, and without reading more of the file than that takes."""

import gzip
import io
import os
import random
import time
from pathlib import Path

import pytest

from bifrost_cli.core import kept_ids
from bifrost_cli.core.kept_ids import KEPT_DAYS, KeptIds
from bifrost_cli.core.roll import Roll


def spool(ids: list[tuple[int, str]]) -> io.BytesIO:
    stream = io.BytesIO()
    rows = Roll(stream)
    for part, id in ids:
        rows.add(part, id)
    rows.end()
    stream.seek(0)
    return stream


@pytest.mark.parametrize("block", [1, 30, 70, 100_000])
def test_each_part_gives_its_own_in_input_order(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ids, "BLOCK", block)
    chance = random.Random(5)
    ids = [(min(12, chance.randrange(number // 8 + 1)), f"r{number} \n\r ü\u2028") for number in range(100)]
    kept = KeptIds(tmp_path / "ids")
    kept.keep("run", spool(ids))
    for parts in ({0}, {1, 11}, {12}, set(range(13)), {99}):
        assert list(kept.read("run", parts)) == [id for part, id in ids if part in parts]


def test_blocks_of_other_parts_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ids, "BLOCK", 1)
    kept = KeptIds(tmp_path / "ids")
    kept.keep("run", spool([(number // 3000, f"r{number}") for number in range(30_000)]))
    inflated, decompress = [], gzip.decompress
    monkeypatch.setattr(gzip, "decompress", lambda data: inflated.append(len(data)) or decompress(data))
    assert list(kept.read("run", {4})) == [f"r{number}" for number in range(12_000, 15_000)]
    assert len(inflated) == 3


def test_a_file_of_one_piece_is_read_as_well(tmp_path: Path) -> None:
    """As they were kept before there were blocks, and a row for each."""
    with gzip.open(tmp_path / "run.gz", "wb") as file:
        file.write(b'0 "first"\n1 "second"\n0 "third"\n')
    assert list(KeptIds(tmp_path).read("run", {0})) == ["first", "third"]


def test_old_ones_are_removed_once_in_a_while(tmp_path: Path) -> None:
    kept = KeptIds(tmp_path / "ids")
    kept.keep("old", spool([(0, "a")]))
    (tmp_path / "ids" / "old.index").write_text("0 1 0\n")
    long_ago = time.time() - (KEPT_DAYS + 1) * 86400
    for path in (tmp_path / "ids").iterdir():
        os.utime(path, (long_ago, long_ago))
    kept.keep("within the hour", spool([(0, "a")]))
    assert kept.known("old")
    KeptIds(tmp_path / "ids").keep("of another process", spool([(0, "a")]))
    assert sorted(path.name for path in (tmp_path / "ids").iterdir()) == ["of another process.gz", "within the hour.gz"]
