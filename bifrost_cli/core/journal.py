"""What was intended and what was created, in SQLite: durable before a create leaves, and after its outcome.

A *run* is one `batch create`: its parts become provider batches. It is open until its command has done all that it was
asked; the same requests given again take up an open run that no living process holds. The journal is never needed to
follow an id; deleting it loses safety, not batches. Beside the database lie the `custom_id`s of large runs
(`kept_ids`), and what tells which runs are held (`locks`).
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from secrets import token_hex
from typing import Any, Literal, NamedTuple

import orjson

from bifrost_cli.core.commits import Commits, Statement
from bifrost_cli.core.database import Database
from bifrost_cli.core.kept_ids import KeptIds
from bifrost_cli.core.locks import Lock, Locks
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.refs import Ref
from bifrost_cli.errors import ConfigError, ConflictError

RESUMABLE_HOURS = 48
TRIED_EVERY = 0.05
"""Seconds between looks whether another has let a run go."""
AT_ONCE = 1024 * 1024
"""Bytes of a plan that are read without a thread."""
RUNS_OF_REQUESTS = "runs INDEXED BY runs_fingerprint"
"""Left to itself, SQLite looks at all runs that have no key, which are nearly all."""
State = Literal["planned", "intended", "unknown", "refused", "created", "absent"]


@dataclass
class PartRecord:
    """What the journal knows of one part. In states `intended` and `unknown` it may exist at the provider."""

    run: str
    position: int
    attempt: int
    provider: str
    address: str
    model: str
    endpoint: str
    requests: int
    state: State
    native: str | None
    error: str | None
    changed_at: float

    @property
    def tag(self) -> str:
        """Unique to each attempt at creating the part; letters, digits and hyphens."""
        return f"{self.run}-{self.position}" + (f"-{self.attempt}" if self.attempt else "")

    @property
    def open(self) -> bool:
        """Whether a create of it left, and nobody knows yet what became of it."""
        return self.state in ("intended", "unknown")


PART = ", ".join(column.name for column in fields(PartRecord))
INSERT_PART = f"INSERT INTO parts ({PART}) VALUES ({', '.join('?' for _ in fields(PartRecord))})"


@dataclass
class Run:
    """One `batch create`, held by this process until `release`.

    A new one's first part is `intended` from the beginning, which saves a wait for the disk; `ahead` is that part as
    long as nothing of it has left.
    """

    id: str
    created_at: float
    resumed: bool
    parts: list[PartRecord]
    _lock: Lock = field(repr=False)
    ahead: PartRecord | None = None
    closed: bool = False

    def release(self) -> None:
        """Let another process take it up."""
        self._lock.release()


class Found(NamedTuple):
    """A run that is there already; without a lock it is still to be waited for."""

    run: str
    lock: Lock | None


class OpenIntent(NamedTuple):
    """A part whose create may have arrived, and the source of its run."""

    part: PartRecord
    source: str


class Origin(NamedTuple):
    """Where the requests of a run came from: the input's absolute path (or a word for what is no file), the id of the
    batch they are a retry of, and the options they were encoded with."""

    source: str
    parent: str | None
    options: dict[str, Any]


class Journal:
    """Safe for many processes at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.folder = database.path.parent
        self.ids = KeptIds(database)
        self.locks = Locks(self.folder / "locks")
        self.commits = Commits(database)

    # -- runs ---------------------------------------------------------------------------------------------------

    async def begin(
        self,
        plan: Plan,
        addresses: dict[str, str],
        *,
        key: str | None = None,
        anew: bool = False,
        parent: str | None = None,
        since: float | None = None,
        owner: str | None = None,
    ) -> Run:
        """The run of these requests: an open one that nobody holds is taken up, else a new one is recorded, durably.

        With `key`, the run of that key, once no other process holds it, however it ended. With `since`, a time in
        seconds since the epoch, also one that another holds, once it does no more, or that was closed after that.
        `parent` is the id of the batch that these are a retry of. Runs of another `owner`, a virtual key's id, are
        never the same. Raises ConflictError where the key was used for other requests, ConfigError where the journal
        cannot be written.
        """
        fingerprint = _of(owner, await _fingerprint(plan, addresses))

        def begun(db: sqlite3.Connection) -> Run | Found:
            if key:
                found = self._of_key(db, key, owner, fingerprint)
            elif since is not None:
                found = self._of_late(db, fingerprint, since)
            else:
                found = None if anew else self._of_requests(db, fingerprint)
            return found or self._insert(db, plan, addresses, fingerprint, key and _of(owner, key), parent, owner)

        run = await self.commits.make(begun, lasting=True)
        return run if isinstance(run, Run) else await self._taken_up(run)

    async def _taken_up(self, found: Found) -> Run:
        """A run that is there already, once nobody else has it."""
        lock = found.lock
        while lock is None and (lock := self.locks.take(found.run)) is None:  # noqa: ASYNC110 (of other processes)
            await asyncio.sleep(TRIED_EVERY)  # A thread that waits for a lock could not be told to stop.
        with self.database.read() as db:
            (created_at,) = db.execute("SELECT created_at FROM runs WHERE id = ?", (found.run,)).fetchone()
            return Run(found.run, created_at, True, self._parts(db, "run = ?", (found.run,)), lock)

    def _of_key(self, db: sqlite3.Connection, key: str, owner: str | None, fingerprint: str) -> "Found | None":
        row = db.execute("SELECT id, fingerprint FROM runs WHERE key = ?", (_of(owner, key),)).fetchone()
        if row is None:
            return None
        if row[1] != fingerprint:
            raise ConflictError(f"The idempotency key '{key}' was used for other requests.", hint="Choose another key.")
        return Found(row[0], None)

    def _of_requests(self, db: sqlite3.Connection, fingerprint: str) -> "Found | None":
        query = (
            f"SELECT id FROM {RUNS_OF_REQUESTS} WHERE fingerprint = ? AND closed_at IS NULL AND key IS NULL"
            " AND created_at > ? ORDER BY created_at DESC"
        )
        for (run,) in db.execute(query, (fingerprint, time.time() - RESUMABLE_HOURS * 3600)).fetchall():
            if (lock := self.locks.take(run)) is not None:
                return Found(run, lock)
        return None

    def _of_late(self, db: sqlite3.Connection, fingerprint: str, since: float) -> "Found | None":
        """The newest run of these requests that is open, whoever holds it, or was closed after a time."""
        query = (
            f"SELECT id FROM {RUNS_OF_REQUESTS} WHERE fingerprint = ? AND key IS NULL AND created_at > ?"
            " AND (closed_at IS NULL OR closed_at > ?) ORDER BY created_at DESC LIMIT 1"
        )
        row = db.execute(query, (fingerprint, time.time() - RESUMABLE_HOURS * 3600, since)).fetchone()
        return Found(row[0], None) if row else None

    def _insert(
        self,
        db: sqlite3.Connection,
        plan: Plan,
        addresses: dict[str, str],
        fingerprint: str,
        key: str | None,
        parent: str | None,
        owner: str | None,
    ) -> Run:
        run, now = _new_id(), time.time()
        lock = self.locks.new(run)
        options = orjson.dumps(plan.options).decode()
        row = (run, now, None, plan.source, plan.requests, fingerprint, key, parent, options, owner)
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        parts = [
            PartRecord(run, part.index, 0, part.key.provider, addresses[part.key.provider], part.key.model,
                       part.key.endpoint, part.requests, "planned" if part.index else "intended", None, None, now)
            for part in plan.parts
        ]  # fmt: skip
        db.executemany(INSERT_PART, [tuple(vars(part).values()) for part in parts])
        if plan.ids.size:
            self.ids.keep(db, run, plan.ids)
        return Run(run, now, False, parts, lock, ahead=parts[0])

    async def mark(
        self, part: PartRecord, state: State, *, native: str | None = None, error: str | None = None
    ) -> None:
        """Record, durably, where a part stands. A part planned again is a new attempt, with a tag of its own."""
        statement = _standing(part, state, native, error)
        await self.commits.execute(statement, lasting=True)

    async def finish(self, run: Run, part: PartRecord, native: str) -> None:
        """Record that the last part is created, and that this is all that was asked, both at once."""
        run.closed = True
        await self.commits.execute(_standing(part, "created", native), _closing(run.id), lasting=True)

    async def close(self, run: str) -> None:
        """All that the run's command was asked is done: the same requests given again are a new run."""
        await self.commits.execute(_closing(run), lasting=False)

    async def close_of(self, parts: Sequence[Ref]) -> None:
        """Close the run that these batches are of, if it is this journal's."""
        for run in {run for run, _ in self._positions(parts)}:
            await self.close(run)

    def leave(self) -> None:
        """Close what this thread has open, once all that was asked for is made."""
        self.commits.close()
        self.locks.close()
        self.database.close()

    # -- questions ----------------------------------------------------------------------------------------------

    def open_intents(self) -> list[OpenIntent]:
        """Parts whose create may have arrived, of runs that no living process holds."""
        if not self.database.exists():
            return []
        with self.database.read() as db:
            parts = self._parts(db, "state IN ('intended', 'unknown')", ())
            sources = dict(db.execute("SELECT id, source FROM runs").fetchall())
        return [OpenIntent(part, sources[part.run]) for part in parts if not self._is_held(part.run)]

    def created(self, since: float) -> list[Ref]:
        """The batches that were created after a time (in seconds since the epoch)."""
        if not self.database.exists():
            return []
        query = "SELECT provider, native FROM parts WHERE state = 'created' AND changed_at > ?"
        with self.database.read() as db:
            return [Ref(*row) for row in db.execute(query, (since,))]

    def origin(self, parts: Sequence[Ref]) -> Origin | None:
        """Where the requests of these batches came from; None where they are not of one run of this journal."""
        runs = {run for run, _ in self._positions(parts)}
        if len(runs) != 1:
            return None
        with self.database.read() as db:
            row = db.execute("SELECT source, parent, options FROM runs WHERE id = ?", (runs.pop(),)).fetchone()
        return Origin(row[0], row[1], orjson.loads(row[2]))

    def siblings(self, ref: Ref) -> tuple[Ref, ...]:
        """The parts of the run that a batch is of, in order; the batch alone where this journal does not know it."""
        runs = [run for run, _ in self._positions([ref])]
        if len(runs) != 1:
            return (ref,)
        with self.database.read() as db:
            parts = self._parts(db, "run = ? AND native IS NOT NULL", (runs[0],))
        return tuple(Ref(part.provider, part.native or "") for part in parts)

    def requests(self, ref: Ref) -> int | None:
        """How many requests went into a batch, where this journal knows."""
        return next((requests for _, _, requests in self._known([ref])), None)

    def natives(self, provider: str, address: str) -> set[str]:
        """The native ids of all batches that this journal knows at one provider's address."""
        with self.database.read() as db:
            query = "SELECT native FROM parts WHERE provider = ? AND address = ? AND native IS NOT NULL"
            return {native for (native,) in db.execute(query, (provider, address))}

    def inputs(self, parts: Sequence[Ref]) -> Callable[[], Iterator[str]] | None:
        """A reader of the custom_ids that went into these parts of one run, in input order.

        None where this journal does not know them.
        """
        # At a server that combines, the parts may have been created as one.
        one = self._positions([Ref(parts[0].provider, "~".join(ref.native for ref in parts))])
        found = one or self._positions(parts)
        runs = {run for run, _ in found}
        if len(runs) != 1 or not (one or len(found) == len(parts)) or not self.ids.known(run := runs.pop()):
            return None
        return lambda: self.ids.read(run, {position for _, position in found})

    def _positions(self, parts: Sequence[Ref]) -> set[tuple[str, int]]:
        return {(run, position) for run, position, _ in self._known(parts)}

    def _known(self, parts: Sequence[Ref]) -> list[tuple[str, int, int]]:
        """Run, position and number of requests of these batches; nothing where the journal cannot be used, since nobody
        needs it to follow an id."""
        query = "SELECT run, position, requests FROM parts WHERE provider = ? AND native = ?"
        try:
            with self.database.read() if self.database.exists() else nullcontext() as db:
                return [row for ref in parts for row in db.execute(query, tuple(ref))] if db else []
        except ConfigError:
            return []

    def _parts(self, db: sqlite3.Connection, where: str, values: tuple[str, ...]) -> list[PartRecord]:
        rows = db.execute(f"SELECT {PART} FROM parts WHERE {where} ORDER BY run, position", values)
        return [PartRecord(*row) for row in rows]

    # -- disk ---------------------------------------------------------------------------------------------------

    def _is_held(self, run: str) -> bool:
        lock = self.locks.take(run)
        if lock:
            lock.release()
        return lock is None


def _standing(part: PartRecord, state: State, native: str | None = None, error: str | None = None) -> Statement:
    """What records where a part stands, and that it does."""
    if state == "planned" and part.state != "planned":
        part.attempt += 1
    part.state, part.native, part.error = state, native, error
    if state != "unknown":  # Its time stays that of the create, from which on the batch is looked for.
        part.changed_at = time.time()
    return Statement(
        "UPDATE parts SET attempt = ?, state = ?, native = ?, error = ?, changed_at = ? WHERE run = ? AND position = ?",
        (part.attempt, state, native, error, part.changed_at, part.run, part.position),
    )


def _closing(run: str) -> Statement:
    return Statement("UPDATE runs SET closed_at = ? WHERE id = ?", (time.time(), run))


async def _fingerprint(plan: Plan, addresses: dict[str, str]) -> str:
    """A plan's, in a thread where there is much to read."""
    if sum(part.size for part in plan.parts) > AT_ONCE:
        return await asyncio.to_thread(plan.fingerprint, addresses)
    return plan.fingerprint(addresses)


def _new_id() -> str:
    """A run's. Those made one after another are near each other in the database, and so written together."""
    return f"{time.time_ns() // 1_000_000:011x}{token_hex(5)}"


def _of(owner: str | None, text: str) -> str:
    """A fingerprint or key, apart from those of others."""
    return f"{owner}/{text}" if owner else text
