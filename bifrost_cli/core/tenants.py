"""Virtual keys: what each may do, what is theirs and what they used. No other module knows how that is stored.

A key is random and shown once; its SHA-256 is kept. (A slow hash guards words that people choose; 256 random bits need
none.) What a key's batches are is in the journal's runs, from before their creates leave; so are their numbers.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from bifrost_cli.core.database import Database
from bifrost_cli.core.refs import Ref
from bifrost_cli.errors import ConflictError, NotFoundError

PREFIX = "sk-bf-"
FORM = re.compile(PREFIX + r"([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
DAY = 86_400
WINDOW = 60.0
"""What a limit of calls counts over, in seconds."""
BELIEVED = 1.0
"""For how many seconds a key that was looked up may be taken for what it was, where no change is seen."""
COLUMNS = "id, name, providers, models, rpm, sees_all, created_at, expires_at, revoked_at"


@dataclass(frozen=True)
class Key:
    """A virtual key, without its secret. Times are seconds since the epoch.

    `providers` and `models` are patterns with `*`, `?` and `[…]`, of which one must fit; none allow all. A model's
    pattern may begin with its provider's (`openai/gpt-*`). `rpm` is how many calls a minute it may make.
    """

    id: str
    name: str
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rpm: int | None = None
    sees_all: bool = False
    created_at: float = 0.0
    expires_at: float | None = None
    revoked_at: float | None = None

    def allows_provider(self, provider: str) -> bool:
        """Whether anything at all may be asked of a provider."""
        return not self.providers or any(fnmatchcase(provider, pattern) for pattern in self.providers)

    def allows_model(self, provider: str, model: str) -> bool:
        """Whether a model, by its name at its provider, may be asked."""
        if not self.models:
            return True
        names = (model, f"{provider}/{model}")
        return any(fnmatchcase(name, pattern) for pattern in self.models for name in names)

    def state(self, now: float) -> Literal["active", "expired", "revoked"]:
        """Whether it lets anyone in."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class Usage(NamedTuple):
    """What one key used on one day (UTC). `requests` are messages and the requests of batches."""

    day: str
    key: str
    requests: int
    batches: int
    input_tokens: int
    output_tokens: int


class Tenants:
    """Safe for many threads and processes at once; a change is seen by all with their next question."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._counted: dict[tuple[str, int], list[int]] = {}
        self._counting = threading.Lock()
        self._found: dict[bytes, Key] = {}
        self._any: bool | None = None
        self._mark: tuple[int, int, int] | None = None
        self._until = 0.0

    # -- keys ---------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *,
        providers: Sequence[str] = (),
        models: Sequence[str] = (),
        rpm: int | None = None,
        sees_all: bool = False,
        expires_at: float | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which nobody can ask for again. Raises ConflictError where the name is in use."""
        id, now = secrets.token_hex(6), time.time()
        secret = f"{PREFIX}{id}-{secrets.token_urlsafe(32)}"
        key = Key(id, name, tuple(providers), tuple(models), rpm, sees_all, now, expires_at)
        digest = hashlib.sha256(secret.encode()).digest()
        row = (id, name, " ".join(providers), " ".join(models), rpm, sees_all, now, expires_at, None, digest)
        with self.database.write() as db:
            if db.execute("SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL", (name,)).fetchone():
                raise ConflictError(f"There is a key '{name}' already.", hint=f"bifrost keys revoke {name} ends it.")
            db.execute(f"INSERT INTO keys ({COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return key, secret

    def all(self) -> list[Key]:
        """Every key there ever was, in the order of their making."""
        if not self.database.exists():
            return []
        with self.database.read() as db:
            return [_key(row) for row in db.execute(f"SELECT {COLUMNS} FROM keys ORDER BY created_at, id")]

    def any(self) -> bool:
        """Whether there ever was one."""
        self._known()
        if self._any is None:
            self._any = self._look_for_any()
        return self._any

    def _look_for_any(self) -> bool:
        if not self.database.exists():
            return False
        with self.database.read() as db:
            return db.execute("SELECT 1 FROM keys LIMIT 1").fetchone() is not None

    def revoke(self, name: str) -> Key:
        """End a key, by its name or id. Raises NotFoundError where no living key has it."""
        with self.database.write() as db:
            query = f"SELECT {COLUMNS} FROM keys WHERE (name = ? OR id = ?) AND revoked_at IS NULL"
            row = db.execute(query, (name, name)).fetchone()
            if row is None:
                raise NotFoundError(f"There is no key '{name}'.", hint="bifrost keys list shows them.")
            now = time.time()
            db.execute("UPDATE keys SET revoked_at = ? WHERE id = ?", (now, row[0]))
        return replace(_key(row), revoked_at=now)

    def find(self, secret: str) -> Key | None:
        """The key that this is the secret of, in whatever state it is."""
        digest, known = hashlib.sha256(secret.encode()).digest(), self._known()
        if digest not in known and (form := FORM.fullmatch(secret)) and (key := self._look_up(form[1], digest)):
            known[digest] = key
        return known.get(digest)

    def _known(self) -> dict[bytes, Key]:
        """The keys that were looked up since the last change, and within the last second; `_any` is as old."""
        mark, now = self.database.mark(), time.monotonic()
        if mark is None or mark != self._mark or now > self._until:
            self._found, self._any, self._mark, self._until = {}, None, mark, now + BELIEVED
        return self._found

    def _look_up(self, id: str, digest: bytes) -> Key | None:
        if not self.database.exists():
            return None
        with self.database.read() as db:
            row = db.execute(f"SELECT {COLUMNS}, digest FROM keys WHERE id = ?", (id,)).fetchone()
        same = hmac.compare_digest(digest, row[-1] if row else bytes(32))
        return _key(row[:-1]) if row and same else None

    def take(self, key: Key) -> float:
        """Take one of a key's calls; 0, or the seconds until there is one to be had (and then none was taken).

        They come back evenly, one every 60/rpm seconds, and no more than `rpm` are kept.
        """
        assert key.rpm
        step, now = WINDOW / key.rpm, time.time()
        latest = now + WINDOW - step
        with self.database.note() as db:
            query = "UPDATE keys SET free_at = MAX(free_at, ?) + ? WHERE id = ? AND free_at <= ?"
            if db.execute(query, (now, step, key.id, latest)).rowcount:
                return 0.0
            (free_at,) = db.execute("SELECT free_at FROM keys WHERE id = ?", (key.id,)).fetchone()
        return float(free_at) - latest

    # -- what is whose ------------------------------------------------------------------------------------------

    def note_file(self, key: Key, ref: Ref, address: str) -> None:
        """A file is a key's."""
        with self.database.write() as db:
            row = (key.id, ref.provider, address, ref.native, time.time())
            db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", row)

    def forget_file(self, ref: Ref) -> None:
        """A file is gone."""
        with self.database.write() as db:
            db.execute("DELETE FROM files WHERE provider = ? AND native = ?", ref)

    def owns_file(self, key: Key, ref: Ref) -> bool:
        """Whether a file is a key's."""
        query = "SELECT 1 FROM files WHERE provider = ? AND native = ? AND owner = ?"
        with self.database.read() as db:
            return db.execute(query, (*ref, key.id)).fetchone() is not None

    def owns_batch(self, key: Key, ref: Ref) -> bool:
        """Whether a provider batch is a key's."""
        query = "SELECT 1 FROM parts JOIN runs ON runs.id = parts.run WHERE provider = ? AND native = ? AND owner = ?"
        with self.database.read() as db:
            return db.execute(query, (*ref, key.id)).fetchone() is not None

    def files(self, key: Key, provider: str, address: str, after: str | None, limit: int) -> list[str]:
        """The native ids of a key's files, newest first, those behind `after`."""
        return self._listed("files", ("created_at", "native"), (key.id, provider, address), after, limit)

    def batches(self, key: Key, provider: str, address: str, after: str | None, limit: int) -> list[str]:
        """The native ids of a key's provider batches, newest first, those behind `after`."""
        made = "parts JOIN runs ON runs.id = parts.run AND state = 'created'"
        return self._listed(made, ("created_at", "run", "position"), (key.id, provider, address), after, limit)

    def _listed(
        self, table: str, order: Sequence[str], whose: tuple[str, ...], after: str | None, limit: int
    ) -> list[str]:
        where, place = "owner = ? AND provider = ? AND address = ?", ", ".join(order)
        newest_first = ", ".join(f"{column} DESC" for column in order)
        behind = f"AND ({place}) < (SELECT {place} FROM {table} WHERE {where} AND native = ?)" if after else ""
        query = f"SELECT native FROM {table} WHERE {where} {behind} ORDER BY {newest_first} LIMIT ?"
        with self.database.read() as db:
            rows = db.execute(query, (*whose, *((*whose, after) if after else ()), limit))
            return [native for (native,) in rows]

    # -- usage --------------------------------------------------------------------------------------------------

    def count_message(self, key: Key, input_tokens: int, output_tokens: int) -> None:
        """A message was answered. It is kept in memory until `flush`."""
        self._add(key.id, int(time.time()) // DAY, 1, input_tokens, output_tokens)

    def flush(self) -> None:
        """Write down what was counted. Where that fails, it is kept for the next time."""
        with self._counting:
            counted, self._counted = self._counted, {}
        try:
            if counted:
                self._write_down([(key, _date(day), *numbers) for (key, day), numbers in counted.items()])
        except BaseException:
            for (key, day), numbers in counted.items():
                self._add(key, day, *numbers)
            raise

    def _add(self, key: str, day: int, requests: int, input_tokens: int, output_tokens: int) -> None:
        with self._counting:
            sums = self._counted.setdefault((key, day), [0, 0, 0])
            sums[0] += requests
            sums[1] += input_tokens
            sums[2] += output_tokens

    def _write_down(self, rows: Sequence[tuple[Any, ...]]) -> None:
        query = (
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, day) DO UPDATE SET"
            " requests = requests + excluded.requests, input_tokens = input_tokens + excluded.input_tokens,"
            " output_tokens = output_tokens + excluded.output_tokens"
        )
        with self.database.note() as db:
            db.executemany(query, rows)

    def note_tokens(self, ref: Ref, input_tokens: int, output_tokens: int) -> None:
        """What the requests of an ended batch took. Said again, it is the same."""
        query = "UPDATE parts SET input_tokens = ?, output_tokens = ? WHERE provider = ? AND native = ?"
        with self.database.note() as db:
            db.execute(query, (input_tokens, output_tokens, *ref))

    def usage(self, since: str, key: Key | None = None) -> list[Usage]:
        """By day and key, from a day (`2026-11-22`) on; a key is told by its name."""
        if not self.database.exists():
            return []
        where = "used.day >= ?" + (" AND used.owner = ?" if key else "")
        query = f"""
            SELECT day, name, SUM(used.requests), SUM(used.batches), SUM(used.input), SUM(used.output) FROM (
                SELECT owner, day, requests, 0 AS batches, input_tokens AS input, output_tokens AS output FROM messages
                UNION ALL
                SELECT owner, date(runs.created_at, 'unixepoch'), SUM(parts.requests), 1,
                       SUM(COALESCE(input_tokens, 0)), SUM(COALESCE(output_tokens, 0))
                FROM runs JOIN parts ON parts.run = runs.id AND state = 'created'
                WHERE owner IS NOT NULL GROUP BY runs.id
            ) AS used JOIN keys ON keys.id = used.owner WHERE {where} GROUP BY day, keys.id ORDER BY day, name"""
        with self.database.read() as db:
            return [Usage(*row) for row in db.execute(query, (since, key.id) if key else (since,))]


def _date(day: int) -> str:
    """A day, counted from the epoch, as `2026-11-22`."""
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))


def _key(row: Sequence[Any]) -> Key:
    """Patterns are stored with spaces between them, which names have none of."""
    id, name, providers, models, rpm, sees_all, *times = row
    return Key(id, name, tuple(providers.split()), tuple(models.split()), rpm, bool(sees_all), *times)
