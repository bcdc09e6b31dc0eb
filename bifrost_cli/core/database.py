"""The one SQLite file that everything durable is in: its tables, how they came to be, and who may write when.

In WAL mode it is safe for many processes at once. Each thread keeps a connection, since opening one costs more than
most questions do.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bifrost_cli.errors import ConfigError

PATIENCE = 60.0
"""For how many seconds a writer waits for the others."""
MIGRATIONS = (
    """
    CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY, created_at REAL NOT NULL, closed_at REAL, source TEXT NOT NULL, requests INTEGER NOT NULL,
        fingerprint TEXT NOT NULL, key TEXT UNIQUE, parent TEXT, options TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS runs_fingerprint ON runs (fingerprint);
    CREATE TABLE IF NOT EXISTS parts (
        run TEXT NOT NULL REFERENCES runs, position INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
        provider TEXT NOT NULL, address TEXT NOT NULL, model TEXT NOT NULL, endpoint TEXT NOT NULL,
        requests INTEGER NOT NULL, state TEXT NOT NULL, native TEXT, error TEXT, changed_at REAL NOT NULL,
        PRIMARY KEY (run, position));
    CREATE INDEX IF NOT EXISTS parts_native ON parts (provider, native);
    """,
    """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL, providers TEXT NOT NULL, models TEXT NOT NULL,
        rpm INTEGER, sees_all INTEGER NOT NULL, created_at REAL NOT NULL, expires_at REAL, revoked_at REAL,
        free_at REAL NOT NULL DEFAULT 0);
    CREATE UNIQUE INDEX keys_name ON keys (name) WHERE revoked_at IS NULL;
    CREATE TABLE files (
        owner TEXT NOT NULL REFERENCES keys, provider TEXT NOT NULL, address TEXT NOT NULL, native TEXT NOT NULL,
        created_at REAL NOT NULL, PRIMARY KEY (provider, native));
    CREATE INDEX files_owner ON files (owner, provider, created_at);
    CREATE TABLE messages (
        owner TEXT NOT NULL REFERENCES keys, day TEXT NOT NULL, requests INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, PRIMARY KEY (owner, day));
    ALTER TABLE runs ADD COLUMN owner TEXT REFERENCES keys;
    CREATE INDEX runs_owner ON runs (owner, created_at) WHERE owner IS NOT NULL;
    ALTER TABLE parts ADD COLUMN input_tokens INTEGER;
    ALTER TABLE parts ADD COLUMN output_tokens INTEGER;
    """,
    """
    CREATE TABLE ids (run TEXT PRIMARY KEY REFERENCES runs, kept_at REAL NOT NULL, roll BLOB NOT NULL);
    CREATE INDEX ids_kept_at ON ids (kept_at);
    """,
)
"""Each brings a database one version further; `user_version` counts those that it has had. One that has been released
is never changed."""


class Database:
    """Opened on first use, brought up to date then, and opened anew where the file was removed meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.db"
        self._log = f"{self.path}-wal"
        self._kept = threading.local()
        self._writing = threading.RLock()
        """Threads take turns here: SQLite lets a writer who comes second sleep for milliseconds and more."""

    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.exists()

    def mark(self) -> tuple[int, int, int] | None:
        """Another after each change, by whatever process, but for two in the same few milliseconds; None where it
        cannot be told. Far cheaper than a question."""
        try:
            log = os.stat(self._log)
        except OSError:
            return None
        return log.st_ino, log.st_size, log.st_mtime_ns

    def close(self) -> None:
        """Close this thread's connection."""
        self._kept.__dict__.clear()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """For questions. Raises ConfigError where the file cannot be used."""
        try:
            yield self._connection()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A change, alone, and on disk when it is left without an error. Raises ConfigError as `read` does."""
        with self._change("FULL") as db:
            yield db

    @contextmanager
    def note(self) -> Iterator[sqlite3.Connection]:
        """As `write`, without waiting for the disk: what a power cut in the same second may lose."""
        with self._change("NORMAL") as db:
            yield db

    @contextmanager
    def _change(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._writing:
                db = self._connection()
                db.execute(f"PRAGMA synchronous = {synchronous}")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    yield db
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _connection(self) -> sqlite3.Connection:
        kept: _Kept | None = getattr(self._kept, "connection", None)
        if kept is None or not kept.is_of(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            kept = self._kept.connection = _Kept(self.path)
        return kept.db

    def _unusable(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"The journal in {self.path.parent} cannot be used: {error}.",
            hint="It guards against paying twice. Make room there, or set BIFROST_HOME to a folder of your own.",
        )


class _Kept:
    """A thread's connection, closed with it."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)  # What is in it is the user's; the files that SQLite puts beside it are as this one.
        # No transaction is begun unasked; and a thread's end may be noticed in another.
        self.db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            _log_ahead(self.db)
            _migrate(self.db)
            self.file = os.stat(path)
        except BaseException:
            self.db.close()
            raise

    def is_of(self, path: Path) -> bool:
        """Whether the file that it has open is the one that is there."""
        try:
            return os.path.samestat(self.file, os.stat(path))
        except FileNotFoundError:
            return False

    def __del__(self) -> None:
        if hasattr(self, "db"):
            self.db.close()


def _log_ahead(db: sqlite3.Connection) -> None:
    """Into WAL mode, once for all. While another does the same, SQLite does not wait for it, as it does elsewhere."""
    deadline = time.monotonic() + PATIENCE
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(db: sqlite3.Connection) -> None:
    if _version(db) == len(MIGRATIONS):
        return
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")
    with db:
        done = _version(db)  # Another process may have been faster.
        if done > len(MIGRATIONS):
            raise sqlite3.DatabaseError("it was written by a newer bifrost")
        for migration in MIGRATIONS[done:]:
            for statement in filter(str.strip, migration.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
