"""The ids of runs: by part, in input order, and without reading more of the file than that takes."""

import gzip
import os
import random
import time
from itertools import groupby
from pathlib import Path

import pytest

from bifrost_cli.core import kept_ids
from bifrost_cli.core.database import Database
from bifrost_cli.core.kept_ids import KEPT_DAYS, KeptIds
from bifrost_cli.core.roll import row
from bifrost_cli.core.spool import Spools

RUN = "INSERT INTO runs (id, created_at, source, requests, fingerprint, options) VALUES (?, 1, 's', 2, 'f', '{}')"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


def keep(kept: KeptIds, run: str, ids: list[tuple[int, str]]) -> None:
    spooled = Spools().new("ids")
    for (part, _), group in groupby(enumerate(ids), lambda each: (each[1][0], each[0] // 1000)):
        spooled.add(row(part, [id for _, (_, id) in group]))
    spooled.end()
    with kept.database.note() as db:
        db.execute(RUN, (run,))
        kept.keep(db, run, spooled)


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ids, "FEW", 0)


CHANCE = random.Random(5)
IDS = [(min(12, CHANCE.randrange(number // 8 + 1)), f"r{number} \n\r ü\u2028") for number in range(100)]
PARTS: list[set[int]] = [{0}, {1, 11}, {12}, set(range(13)), {99}]


@pytest.mark.parametrize("parts", PARTS)
def test_each_part_gives_its_own_in_input_order(parts: set[int], database: Database) -> None:
    kept = KeptIds(database)
    keep(kept, "run", IDS)
    assert list(kept.read("run", parts)) == [id for part, id in IDS if part in parts]
    assert not kept.folder.exists()


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("block", [1, 30, 70, 100_000])
@pytest.mark.parametrize("parts", PARTS)
def test_so_does_a_file(parts: set[int], block: int, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ids, "BLOCK", block)
    kept = KeptIds(database)
    keep(kept, "run", IDS)
    assert list(kept.read("run", parts)) == [id for part, id in IDS if part in parts]
    assert (kept.folder / "run.gz").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("in_files")
def test_blocks_of_other_parts_are_not_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ids, "BLOCK", 1)
    kept = KeptIds(database)
    keep(kept, "run", [(number // 3000, f"r{number}") for number in range(30_000)])
    inflated, decompress = [], gzip.decompress
    monkeypatch.setattr(gzip, "decompress", lambda data: inflated.append(len(data)) or decompress(data))
    assert list(kept.read("run", {4})) == [f"r{number}" for number in range(12_000, 15_000)]
    assert len(inflated) == 3


def test_a_file_of_one_piece_is_read_as_well(database: Database) -> None:
    """As they were kept before there were blocks, and a row for each."""
    kept = KeptIds(database)
    kept.folder.mkdir()
    with gzip.open(kept.folder / "run.gz", "wb") as file:
        file.write(b'0 "first"\n1 "second"\n0 "third"\n')
    assert list(kept.read("run", {0})) == ["first", "third"]


@pytest.mark.usefixtures("in_files")
def test_old_files_are_removed_once_in_a_while(database: Database) -> None:
    kept = KeptIds(database)
    keep(kept, "old", [(0, "a")])
    (kept.folder / "old.index").write_text("0 1 0\n")
    long_ago = time.time() - (KEPT_DAYS + 1) * 86400
    for path in kept.folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    keep(kept, "within the hour", [(0, "a")])
    assert kept.known("old")
    keep(KeptIds(database), "of another process", [(0, "a")])
    assert sorted(path.name for path in kept.folder.iterdir()) == ["of another process.gz", "within the hour.gz"]


def test_so_are_old_ones_in_the_database(database: Database) -> None:
    kept = KeptIds(database)
    keep(kept, "old", [(0, "a")])
    with database.note() as db:
        db.execute("UPDATE ids SET kept_at = kept_at - ?", ((KEPT_DAYS + 1) * 86400,))
    keep(kept, "within the hour", [(0, "a")])
    assert kept.known("old")
    keep(KeptIds(database), "of another process", [(0, "a")])
    assert [kept.known(run) for run in ("old", "within the hour", "of another process")] == [False, True, True]
