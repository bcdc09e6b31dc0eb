"""The file that everything durable is in: how it comes to its tables, and who writes when."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bifrost_cli.core.database import MIGRATIONS, Database
from bifrost_cli.errors import ConfigError

OLD_RUN = "INSERT INTO runs (id, created_at, source, requests, fingerprint, options) VALUES ('r', 1, 's', 2, 'f', '{}')"


def version(path: Path) -> int:
    with sqlite3.connect(path) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_nothing_is_there_until_something_is_written(tmp_path: Path) -> None:
    database = Database(tmp_path / "state")
    assert not database.exists()
    with database.write() as db:
        db.execute("INSERT INTO files VALUES ('k', 'p', 'a', 'n', 0)")
    assert database.exists()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}
    assert version(database.path) == len(MIGRATIONS)


@pytest.mark.parametrize("steps", range(len(MIGRATIONS)))
def test_a_database_of_any_earlier_version_is_brought_up_to_date_with_all_that_is_in_it(
    steps: int, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        for migration in MIGRATIONS[:steps]:
            db.executescript(migration)
        db.execute(f"PRAGMA user_version = {steps}")
        if steps:
            db.execute(OLD_RUN)
    with Database(tmp_path).read() as db:
        assert db.execute("SELECT COUNT(*), MAX(owner) FROM runs").fetchone() == (min(steps, 1), None)
    assert version(path) == len(MIGRATIONS)
    assert {"runs", "parts", "keys", "files", "messages"} <= tables(path)


def test_the_tables_of_before_versions_were_counted_are_taken_as_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        db.executescript(MIGRATIONS[0])
        db.execute(OLD_RUN)
    with Database(tmp_path).read() as db:
        assert db.execute("SELECT id, owner FROM runs").fetchall() == [("r", None)]


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(ConfigError, match="written by a newer bifrost"), Database(tmp_path).read():
        pass
    assert tables(path) == set()


def test_many_that_come_at_once_bring_it_up_to_date_once(tmp_path: Path) -> None:
    failures: list[Exception] = []
    start = threading.Barrier(8)

    def come(number: int) -> None:
        start.wait()
        try:
            with Database(tmp_path).write() as db:
                db.execute("INSERT INTO files VALUES ('k', 'p', 'a', ?, 0)", (str(number),))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Database(tmp_path).read() as db:
        assert db.execute("SELECT COUNT(*) FROM files").fetchone() == (8,)


FIRST = """
import sys, time
from pathlib import Path
from bifrost_cli.core.database import Database
for number in range(20):
    database, at = Database(Path(sys.argv[1]) / str(number)), float(sys.argv[2]) + number / 8
    time.sleep(max(0, at - time.time()))
    with database.write() if sys.argv[3] == "write" else database.read() as db:
        db.execute("SELECT COUNT(*) FROM runs").fetchone()
"""


def test_the_first_of_many_processes_is_waited_for(tmp_path: Path) -> None:
    at = str(time.time() + 2)
    commands = [[sys.executable, "-c", FIRST, str(tmp_path), at, how] for how in ("write", "read", "write", "read")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    assert [process.communicate()[1] for process in processes] == [""] * 4


def test_what_fails_midway_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with suppress(RuntimeError), database.write() as db:
        db.execute("INSERT INTO files VALUES ('k', 'p', 'a', 'n', 0)")
        raise RuntimeError
    with database.read() as db:
        assert db.execute("SELECT COUNT(*) FROM files").fetchone() == (0,)


def test_a_file_that_is_removed_is_made_anew(tmp_path: Path) -> None:
    database = Database(tmp_path)
    for _ in range(2):
        with database.write() as db:
            db.execute("INSERT INTO files VALUES ('k', 'p', 'a', 'n', 0)")
        for path in tmp_path.glob("journal.db*"):
            path.unlink()
    with database.read() as db:
        assert db.execute("SELECT COUNT(*) FROM files").fetchone() == (0,)
