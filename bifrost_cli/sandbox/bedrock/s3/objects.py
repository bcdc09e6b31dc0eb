"""The objects of one account, on disk: a row and a file for each.

Uploads in parts are kept the same way, below names that no bucket can have.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bifrost_cli.sandbox.account import Account
from bifrost_cli.sandbox.ids import MARK, fresh

_PAGE = 1000


@dataclass(frozen=True)
class StoredObject:
    """An object's row. `modified` is in unix seconds; `doc` is what S3 keeps of it; `path` is where its bytes are."""

    bucket: str
    key: str
    modified: float
    size: int
    doc: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    path: Path = Path()

    @property
    def etag(self) -> str:
        return f'"{self.doc["etag"]}"'


class Objects:
    """One account's objects."""

    def __init__(self, account: Account) -> None:
        self._store = account.store
        self._owner = (account.provider, account.name)

    def put(self, item: StoredObject, content: Path, *, fresh_only: bool = False) -> StoredObject | None:
        """Stores an object whose bytes are at `content`, which is moved, in the place of one of that name. None, and
        nothing is changed, when there is one and `fresh_only` is set."""
        id = fresh(f"{MARK}-", 24)
        stored = replace(item, id=id, path=self._path(id))
        with self._store.transaction() as db:
            query = f"SELECT id FROM objects WHERE {_NAMED}"
            before = db.execute(query, (*self._owner, item.bucket, item.key)).fetchone()
            if before is not None and fresh_only:
                return None
            os.replace(content, stored.path)
            self._replace(db, stored)
        if before is not None:
            self._path(before["id"]).unlink(missing_ok=True)
        return stored

    def _replace(self, db: sqlite3.Connection, item: StoredObject) -> None:
        values = (*self._owner, item.bucket, item.key, item.id, item.modified, item.size, json.dumps(dict(item.doc)))
        db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def get(self, bucket: str, key: str) -> StoredObject | None:
        rows = self._store.rows(f"SELECT * FROM objects WHERE {_NAMED}", *self._owner, bucket, key)
        return self._object(rows[0]) if rows else None

    def delete(self, bucket: str, key: str) -> None:
        """Forgets an object, if there is one."""
        with self._store.transaction() as db:
            query = f"DELETE FROM objects WHERE {_NAMED} RETURNING id"
            rows = db.execute(query, (*self._owner, bucket, key)).fetchall()
        for row in rows:
            self._path(row["id"]).unlink(missing_ok=True)

    def after(self, bucket: str, prefix: str, start: str, *, inclusive: bool = False) -> Iterator[StoredObject]:
        """The objects below a prefix whose keys come after `start`, in the order of their keys' bytes."""
        start, inclusive = (prefix, True) if start < prefix else (start, inclusive)
        while rows := self._rows(bucket, start, inclusive):
            for row in rows:
                if not row["key"].startswith(prefix):
                    return
                yield self._object(row)
            start, inclusive = rows[-1]["key"], False

    def _rows(self, bucket: str, start: str, inclusive: bool) -> list[sqlite3.Row]:
        compare = ">=" if inclusive else ">"
        where = f"provider = ? AND account = ? AND bucket = ? AND key {compare} ?"
        query = f"SELECT * FROM objects WHERE {where} ORDER BY key LIMIT {_PAGE}"
        return self._store.rows(query, *self._owner, bucket, start)

    def _object(self, row: sqlite3.Row) -> StoredObject:
        doc = json.loads(row["doc"])
        return StoredObject(
            row["bucket"], row["key"], row["created"], row["size"], doc, row["id"], self._path(row["id"])
        )

    def _path(self, id: str) -> Path:
        return self._store.folder / "objects" / id


_NAMED = "provider = ? AND account = ? AND bucket = ? AND key = ?"
