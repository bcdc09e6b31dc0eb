"""What one emulated account holds: files and batches.

An account is one key of one provider. It sees its own rows only, and its key is kept only as a hash.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from bifrost_cli.sandbox.store import Store

Row = TypeVar("Row")


@dataclass(frozen=True)
class StoredFile:
    """A file's row. Times are unix seconds; `path` is where its bytes are."""

    id: str
    created: float
    name: str
    media_type: str
    size: int
    purpose: str = ""
    expires: float | None = None
    path: Path = Path()


@dataclass(frozen=True)
class StoredBatch:
    """A batch's row. `doc` is what its provider keeps of it; `folder` holds its lines; `settled` is true once
    everything that follows from its end has been stored."""

    id: str
    created: float
    pace: float
    total: int
    doc: Mapping[str, Any] = field(default_factory=dict)
    cancelled: float | None = None
    settled: bool = False
    folder: Path = Path()


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, and whether more rows follow in the direction that was asked for."""

    rows: list[Row]
    more: bool


class Account:
    """One key's files and batches. Nothing here sees another account's rows."""

    def __init__(self, store: Store, provider: str, key: str) -> None:
        self.store = store
        self.provider = provider
        self.name = hashlib.sha256(key.encode()).hexdigest()[:16]

    def count(self, kind: str) -> None:
        """Counts one creation that leaves no row of its own."""
        with self.store.transaction() as db:
            self._count(db, kind)

    def _count(self, db: sqlite3.Connection, kind: str) -> None:
        db.execute(
            "INSERT INTO counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET created = created + 1", (self.provider, kind)
        )

    def _insert(self, db: sqlite3.Connection, table: str, values: Mapping[str, object]) -> None:
        row = {"provider": self.provider, "account": self.name, **values}
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))

    def _one(self, table: str, id: str) -> sqlite3.Row | None:
        where = "id = ? AND provider = ? AND account = ?"
        rows = self.store.rows(f"SELECT * FROM {table} WHERE {where}", id, self.provider, self.name)
        return rows[0] if rows else None

    def _page(
        self, table: str, limit: int, after: str | None, ascending: bool, where: str, *values: object
    ) -> tuple[list[sqlite3.Row], bool]:
        """Rows by time of creation. Raises LookupError when `after` names no row of this account."""
        query = f"SELECT * FROM {table} WHERE provider = ? AND account = ? AND {where}"
        if after is not None:
            cursor = self._one(table, after)
            if cursor is None:
                raise LookupError(after)
            query += f" AND (created, seq) {'>' if ascending else '<'} (?, ?)"
            values = (*values, cursor["created"], cursor["seq"])
        order = "ASC" if ascending else "DESC"
        query += f" ORDER BY created {order}, seq {order} LIMIT ?"
        rows = self.store.rows(query, self.provider, self.name, *values, limit + 1)
        return rows[:limit], len(rows) > limit

    # files

    def add_file(self, file: StoredFile, content: Path) -> StoredFile:
        """Stores and counts a file whose bytes are at `content`, which is moved."""
        path = self.store.folder / "files" / file.id
        os.replace(content, path)
        with self.store.transaction() as db:
            self._insert_file(db, file)
            self._count(db, "files")
        return replace(file, path=path)

    def _insert_file(self, db: sqlite3.Connection, file: StoredFile) -> None:
        columns = ("id", "created", "expires", "name", "media_type", "purpose", "size")
        self._insert(db, "files", {column: getattr(file, column) for column in columns})

    def _file(self, row: sqlite3.Row) -> StoredFile:
        columns = ("id", "created", "name", "media_type", "size", "purpose", "expires")
        return StoredFile(**{column: row[column] for column in columns}, path=self.store.folder / "files" / row["id"])

    def file(self, id: str) -> StoredFile | None:
        row = self._one("files", id)
        return self._file(row) if row else None

    def files(
        self,
        limit: int,
        after: str | None = None,
        *,
        ascending: bool = False,
        purpose: str | None = None,
        alive: float | None = None,
    ) -> Page[StoredFile]:
        """Files by time of creation, newest first unless `ascending`; those beyond the id `after` when given; with
        `alive` only those not expired at that time. Raises LookupError for an unknown `after`."""
        where = "(? IS NULL OR purpose = ?) AND (? IS NULL OR expires IS NULL OR expires > ?)"
        rows, more = self._page("files", limit, after, ascending, where, purpose, purpose, alive, alive)
        return Page([self._file(row) for row in rows], more)

    def delete_file(self, id: str) -> None:
        with self.store.transaction() as db:
            where = "id = ? AND provider = ? AND account = ?"
            deleted = db.execute(f"DELETE FROM files WHERE {where}", (id, self.provider, self.name)).rowcount
        if deleted:
            (self.store.folder / "files" / id).unlink(missing_ok=True)

    # batches

    def add_batch(self, batch: StoredBatch, content: Path) -> StoredBatch:
        """Stores a batch whose lines are in the folder `content`, which is moved. Counted in the same transaction."""
        folder = self.store.folder / "batches" / batch.id
        os.replace(content, folder)
        columns = ("id", "created", "cancelled", "pace", "total", "settled")
        with self.store.transaction() as db:
            values = {column: getattr(batch, column) for column in columns}
            self._insert(db, "batches", {**values, "doc": json.dumps(dict(batch.doc))})
            self._count(db, "batches")
        return replace(batch, folder=folder)

    def _batch(self, row: sqlite3.Row) -> StoredBatch:
        columns = ("id", "created", "pace", "total", "cancelled")
        return StoredBatch(
            **{column: row[column] for column in columns},
            doc=json.loads(row["doc"]),
            settled=bool(row["settled"]),
            folder=self.store.folder / "batches" / row["id"],
        )

    def batch(self, id: str) -> StoredBatch | None:
        row = self._one("batches", id)
        return self._batch(row) if row else None

    def batches(self, limit: int, after: str | None = None, *, ascending: bool = False) -> Page[StoredBatch]:
        """Batches by time of creation, newest first unless `ascending`. Raises LookupError for an unknown `after`."""
        rows, more = self._page("batches", limit, after, ascending, "TRUE")
        return Page([self._batch(row) for row in rows], more)

    def unsettled(self) -> list[StoredBatch]:
        """The batches whose end has not been looked at yet, oldest first."""
        query = "SELECT * FROM batches WHERE provider = ? AND account = ? AND NOT settled ORDER BY seq"
        return [self._batch(row) for row in self.store.rows(query, self.provider, self.name)]

    def cancel_batch(self, id: str, now: float) -> None:
        """Notes the time of the first cancel."""
        with self.store.transaction() as db:
            where = "id = ? AND provider = ? AND account = ? AND cancelled IS NULL"
            db.execute(f"UPDATE batches SET cancelled = ? WHERE {where}", (now, id, self.provider, self.name))

    def settle_batch(self, batch: StoredBatch, doc: Mapping[str, Any], files: Mapping[StoredFile, Path]) -> None:
        """Stores, once, what follows from a batch's end: its last `doc` and the files that it wrote (moved from
        their paths). Does nothing if another process was first."""
        with self.store.transaction() as db:
            query = "UPDATE batches SET settled = 1, doc = ? WHERE id = ? AND NOT settled"
            if db.execute(query, (json.dumps(dict(doc)), batch.id)).rowcount == 0:
                return
            for file, content in files.items():
                os.replace(content, self.store.folder / "files" / file.id)
                self._insert_file(db, file)

    def delete_batch(self, id: str) -> None:
        with self.store.transaction() as db:
            where = "id = ? AND provider = ? AND account = ?"
            deleted = db.execute(f"DELETE FROM batches WHERE {where}", (id, self.provider, self.name)).rowcount
        if deleted:
            shutil.rmtree(self.store.folder / "batches" / id, ignore_errors=True)
