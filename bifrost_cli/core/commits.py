"""Changes that many tasks want at once: those that come while the disk is waited for go there together, after that."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from bifrost_cli.core.database import Database
from bifrost_cli.errors import BifrostError

T = TypeVar("T")


class Statement(NamedTuple):
    """SQL, and the values in it."""

    sql: str
    values: tuple[Any, ...]


class Wanted(NamedTuple):
    """A change; `lasting` where it must be on disk when it is `done`."""

    change: Callable[[sqlite3.Connection], Any]
    lasting: bool
    done: asyncio.Future[Any]


class Commits:
    """One transaction at a time, each of all the changes that wait, in a thread so that tasks go on meanwhile.

    What was asked for is carried out also where the task that asked is cancelled.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._waiting: list[Wanted] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def make(self, change: Callable[[sqlite3.Connection], T], *, lasting: bool) -> T:
        """What a change gives, once it is made. Raises ConfigError where the file cannot be used.

        A change may refuse with a BifrostError, raised here, as long as it has written nothing: others go on.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Wanted(change, lasting, done))
        if self._loop is not loop:  # Nothing is under way, or it was in a loop that is no more.
            self._loop = loop
            self._begin(loop)
        return await done

    async def execute(self, *statements: Statement, lasting: bool) -> None:
        """Make a change of these."""

        def change(db: sqlite3.Connection) -> None:
            for statement in statements:
                db.execute(*statement)

        await self.make(change, lasting=lasting)

    def close(self) -> None:
        """End the thread, once it has made what it was given."""
        if self._thread:
            self._thread.shutdown()
        self._thread = self._loop = None

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        wanted, self._waiting = self._waiting, []
        self._thread = self._thread or ThreadPoolExecutor(1, "bifrost-commits")
        made = loop.run_in_executor(self._thread, self._commit, wanted)
        made.add_done_callback(lambda made: self._end(loop, wanted, made))

    def _commit(self, wanted: list[Wanted]) -> list[Any]:
        """What each gives, or the error that it refuses with."""
        lasting = any(each.lasting for each in wanted)
        with self.database.write() if lasting else self.database.note() as db:
            return [_outcome(each, db) for each in wanted]

    def _end(self, loop: asyncio.AbstractEventLoop, wanted: list[Wanted], made: asyncio.Future[list[Any]]) -> None:
        if self._waiting:
            self._begin(loop)
        else:
            self._loop = None
        failure = asyncio.CancelledError() if made.cancelled() else made.exception()
        outcomes = [failure] * len(wanted) if failure else made.result()
        for each, outcome in zip(wanted, outcomes, strict=True):
            _pass_on(outcome, each.done)


def _outcome(wanted: Wanted, db: sqlite3.Connection) -> Any:
    try:
        return wanted.change(db)
    except BifrostError as error:
        return error


def _pass_on(outcome: Any, done: asyncio.Future[Any]) -> None:
    if done.done():
        return  # Who asked was cancelled.
    if isinstance(outcome, asyncio.CancelledError):
        done.cancel()
    elif isinstance(outcome, BaseException):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
