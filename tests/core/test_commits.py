"""Changes of many tasks: all are made, together where they come together, and a failure is told to each who asked."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bifrost_cli.core.commits import Commits, Statement
from bifrost_cli.core.database import Database
from bifrost_cli.errors import ConfigError, ConflictError

pytestmark = pytest.mark.anyio

INSERT = "INSERT INTO files VALUES ('k', 'p', 'a', ?, 0)"


def kept(database: Database) -> set[str]:
    with closing(sqlite3.connect(database.path)) as db:
        return {native for (native,) in db.execute("SELECT native FROM files")}


async def test_changes_of_many_tasks_are_each_made(tmp_path: Path) -> None:
    commits = Commits(Database(tmp_path))
    await asyncio.gather(*(commits.execute(Statement(INSERT, (f"n{n}",)), lasting=n % 2 == 0) for n in range(50)))
    assert kept(commits.database) == {f"n{n}" for n in range(50)}
    commits.close()


async def test_what_comes_while_others_are_made_is_made_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits, begun = Commits(Database(tmp_path)), []
    write = Database.write
    monkeypatch.setattr(Database, "write", lambda database: begun.append(1) or write(database))
    await asyncio.gather(*(commits.execute(Statement(INSERT, (f"n{n}",)), lasting=True) for n in range(50)))
    assert len(begun) == 2
    commits.close()


async def test_a_change_is_there_when_it_is_waited_for_no_more(tmp_path: Path) -> None:
    commits = Commits(Database(tmp_path))
    for number in range(5):
        await commits.execute(Statement(INSERT, (str(number),)), lasting=False)
        assert str(number) in kept(commits.database)
    commits.close()


async def test_a_change_is_made_also_where_its_task_was_cancelled(tmp_path: Path) -> None:
    commits = Commits(Database(tmp_path))
    tasks = [asyncio.create_task(commits.execute(Statement(INSERT, (f"n{n}",)), lasting=True)) for n in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await commits.execute(Statement(INSERT, ("last",)), lasting=True)
    assert kept(commits.database) == {"n0", "n1", "n2", "last"}
    assert all(task.cancelled() for task in tasks)
    commits.close()


async def test_a_failure_is_told_to_each_and_the_next_is_made(tmp_path: Path) -> None:
    commits = Commits(Database(tmp_path / "state"))
    (tmp_path / "state").write_text("in the way")
    failed = await asyncio.gather(
        *(commits.execute(Statement(INSERT, (f"n{n}",)), lasting=True) for n in range(3)), return_exceptions=True
    )
    assert [type(each) for each in failed] == [ConfigError] * 3
    (tmp_path / "state").unlink()
    await commits.execute(Statement(INSERT, ("after",)), lasting=True)
    assert kept(commits.database) == {"after"}
    commits.close()


async def test_a_change_that_refuses_tells_who_asked_and_the_others_are_made(tmp_path: Path) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        raise ConflictError("no")

    commits = Commits(Database(tmp_path))
    refused, none, number = await asyncio.gather(
        commits.make(refuse, lasting=False),
        commits.execute(Statement(INSERT, ("n",)), lasting=True),
        commits.make(lambda db: db.total_changes, lasting=False),
        return_exceptions=True,
    )
    assert (type(refused), none, number) == (ConflictError, None, 1)
    assert kept(commits.database) == {"n"}
    commits.close()


def test_it_serves_one_loop_after_another(tmp_path: Path) -> None:
    commits = Commits(Database(tmp_path))
    for number in range(2):
        asyncio.run(commits.execute(Statement(INSERT, (str(number),)), lasting=True))
        commits.close()
    assert kept(commits.database) == {"0", "1"}
