"""Changes that many tasks want at once: those that come while the disk is waited for go there together, after that."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from bifrost_cli.core.database import Database


class Change(NamedTuple):
    """A statement with its values; `lasting` where it must be on disk when it is `done`."""

    statement: str
    values: tuple[Any, ...]
    lasting: bool
    done: asyncio.Future[None]


class Commits:
    """One transaction at a time, each of all the changes that wait, in a thread so that tasks go on meanwhile.

    What was asked for is carried out also where the task that asked is cancelled.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._waiting: list[Change] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def make(self, statement: str, values: tuple[Any, ...], *, lasting: bool) -> None:
        """Make a change. Raises ConfigError where the file cannot be used."""
        loop = asyncio.get_running_loop()
        change = Change(statement, values, lasting, loop.create_future())
        self._waiting.append(change)
        if self._loop is not loop:  # Nothing is under way, or it was in a loop that is no more.
            self._loop = loop
            self._begin(loop)
        await change.done

    def close(self) -> None:
        """End the thread, once it has made what it was given."""
        if self._thread:
            self._thread.shutdown()
        self._thread = self._loop = None

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        changes, self._waiting = self._waiting, []
        self._thread = self._thread or ThreadPoolExecutor(1, "bifrost-commits")
        made = loop.run_in_executor(self._thread, self._commit, changes)
        made.add_done_callback(lambda made: self._end(loop, changes, made))

    def _commit(self, changes: list[Change]) -> None:
        lasting = any(change.lasting for change in changes)
        with self.database.write() if lasting else self.database.note() as db:
            for change in changes:
                db.execute(change.statement, change.values)

    def _end(self, loop: asyncio.AbstractEventLoop, changes: list[Change], made: asyncio.Future[None]) -> None:
        if self._waiting:
            self._begin(loop)
        else:
            self._loop = None
        for change in changes:
            if not change.done.done():
                _pass_on(made, change.done)


def _pass_on(made: asyncio.Future[None], done: asyncio.Future[None]) -> None:
    if made.cancelled():
        done.cancel()
    elif error := made.exception():
        done.set_exception(error)
    else:
        done.set_result(None)
