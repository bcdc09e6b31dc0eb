"""The state of the sandbox on disk: SQLite for the rows, files beside it for the contents.

Several processes may use one folder at a time: SQLite is in WAL mode, and contents are written aside and renamed
when whole.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

KEEP = 7 * 24 * 3600.0
"""Seconds that state is kept."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL, expires REAL, name TEXT NOT NULL, media_type TEXT NOT NULL, purpose TEXT NOT NULL,
    size INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_of_account ON files (provider, account, created, seq);
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL, cancelled REAL, pace REAL NOT NULL, total INTEGER NOT NULL, settled INTEGER NOT NULL,
    doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS batches_of_account ON batches (provider, account, created, seq);
CREATE TABLE IF NOT EXISTS objects (
    provider TEXT NOT NULL, account TEXT NOT NULL, bucket TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL, size INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (provider, account, bucket, key));
CREATE TABLE IF NOT EXISTS counts (
    provider TEXT NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (provider, kind));
"""


class Store:
    """The state of all accounts in one folder. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = RLock()
        for name in ("files", "batches", "objects", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "sandbox.db", timeout=30, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database, for a change that is made whole or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def spool(self) -> Iterator[Path]:
        """A new folder to write to, removed afterwards unless it was moved to its place."""
        folder = Path(tempfile.mkdtemp(dir=self.folder / "tmp"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each kind of thing were ever created, by provider: `{"openai": {"batches": 2}}`."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.rows("SELECT provider, kind, created FROM counts ORDER BY provider, kind"):
            counts.setdefault(row["provider"], {})[row["kind"]] = row["created"]
        return counts

    def prune(self, before: float) -> None:
        """Forgets files, batches and objects created before a time (unix seconds), and what a crash left unfinished."""
        with self.transaction() as db:
            files = db.execute("DELETE FROM files WHERE created < ? RETURNING id", (before,)).fetchall()
            batches = db.execute("DELETE FROM batches WHERE created < ? RETURNING id", (before,)).fetchall()
            objects = db.execute("DELETE FROM objects WHERE created < ? RETURNING id", (before,)).fetchall()
        for row in files:
            (self.folder / "files" / row["id"]).unlink(missing_ok=True)
        for row in batches:
            shutil.rmtree(self.folder / "batches" / row["id"], ignore_errors=True)
        for row in objects:
            (self.folder / "objects" / row["id"]).unlink(missing_ok=True)
        self._prune_spool(before)

    def _prune_spool(self, before: float) -> None:
        for entry in (self.folder / "tmp").iterdir():
            if entry.stat().st_mtime < before:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forgets everything, counts included."""
        self.prune(float("inf"))
        with self.transaction() as db:
            db.execute("DELETE FROM counts")
