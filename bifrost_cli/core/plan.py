"""What is to be created: parts, each of which becomes one provider batch, spooled before anything is sent.

Requests go together that share provider, model (where a provider batch has one) and endpoint, as many as the provider
takes.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from types import TracebackType
from typing import Any, NamedTuple, Self

from bifrost_cli.bodies import Source
from bifrost_cli.core import roll
from bifrost_cli.core.spool import Spool, Spools
from bifrost_cli.errors import UnsupportedError
from bifrost_cli.providers.base import Provider


class Key(NamedTuple):
    """What the requests of a part share; `model` is empty where a provider batch may mix them."""

    provider: str
    model: str
    endpoint: str


@dataclass
class PlannedPart:
    """A provider batch to be: its spool holds the body that creates it, or `file_id` names an input uploaded before."""

    key: Key
    index: int
    spool: Spool
    provider: Provider = field(repr=False)
    file_id: str | None = None
    requests: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        framing = self.provider.framing
        self._before = framing.prefix
        self._end = len(framing.prefix) - len(framing.separator)  # None stands before the first line.

    def take(self, lines: list[bytes]) -> int:
        """Add lines; gives how many of them, the first, there was room for. One alone always has room."""
        limits, framing = self.provider.limits, self.provider.framing
        between = len(framing.separator)
        ends = list(accumulate([between + len(line) for line in lines], initial=self._end))
        fitting = bisect_right(ends, limits.max_bytes - len(framing.suffix), lo=1) - 1
        taken = max(min(fitting, limits.max_requests - self.requests), 0 if self.requests else 1)
        if taken:
            self.spool.add(self._before + framing.separator.join(lines[:taken]))
            self._before, self._end = framing.separator, ends[taken]
            self.requests += taken
        return taken

    def close(self) -> None:
        """No line follows."""
        self.spool.add(self.provider.framing.suffix)
        self.spool.end()
        self.recount(self.requests)

    def recount(self, requests: int) -> None:
        """Its spool has changed and holds so many."""
        self.requests, self.size = requests, self.spool.size

    def digest(self) -> str:
        """Of the whole spool; of nothing where there is none."""
        return "" if self.file_id else self.spool.digest()

    def source(self, on_read: Callable[[int], object] | None = None) -> Source:
        """The body, for the adapter to send."""
        return Source(self.spool.content, on_read) if on_read else Source(self.spool.content)

    def summary(self) -> dict[str, Any]:
        """One row of the plan, as `--dry-run --json` prints it."""
        model = self.key.model or None
        endpoint = self.key.endpoint
        return {
            "provider": self.key.provider,
            "model": model,
            "endpoint": endpoint,
            "requests": self.requests,
            "bytes": self.size,
        }


@dataclass
class Row:
    """Requests that follow each other and are of one kind: their ids, lines and bytes."""

    key: Key
    provider: Provider
    ids: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Plan:
    """The parts, and the ids in input order; spooled until `close`.

    `name` is the input's for messages, `source` its absolute path, `options` what its requests were encoded with. The
    spool `ids` is its roll.
    """

    def __init__(self, name: str, source: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.parts: list[PlannedPart] = []
        self.spools = Spools()
        self.ids = self.spools.new("ids")
        self._open: dict[Key, PlannedPart] = {}

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(part.requests for part in self.parts)

    @classmethod
    def of_file(cls, provider: Provider, file_id: str, endpoint: str) -> "Plan":
        """One part, whose input was uploaded before in the provider's own form; what is in it is not known here."""
        if not provider.capabilities.batch_from_file:
            raise UnsupportedError(
                f"{provider.title} makes no batch from an uploaded file.", hint="Give the JSONL itself instead."
            )
        plan = cls(file_id, file_id, {})
        plan.new_part(Key(provider.name, "", endpoint), provider).file_id = file_id
        return plan

    def fingerprint(self, addresses: Mapping[str, str]) -> str:
        """The same for the same requests going to the same places; `addresses` is by provider."""
        digest = blake2b(digest_size=16)
        for part in self.parts:
            parts = (*part.key, part.file_id, addresses[part.key.provider], part.digest())
            digest.update(repr(parts).encode())
        return digest.hexdigest()

    def new_part(self, key: Key, provider: Provider) -> PlannedPart:
        """An empty part."""
        index = len(self.parts)
        self.parts.append(PlannedPart(key, index, self.spools.new(f"part-{index}"), provider))
        return self.parts[index]

    def add(self, row: Row) -> None:
        """Put requests into the part of their kind that is open, and what does not fit there into new ones."""
        while row.ids:
            part = self._open.get(row.key) or self.new_part(row.key, row.provider)
            taken = part.take(row.lines)
            self.ids.add(roll.row(part.index, row.ids[:taken]))
            self._open[row.key] = part
            del row.ids[:taken], row.lines[:taken]
            if row.ids:
                part.close()
                del self._open[row.key]

    def end(self) -> None:
        """Nothing more is added."""
        for part in self._open.values():
            part.close()
        self.ids.end()

    def close(self) -> None:
        """Remove the spools."""
        self.spools.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
