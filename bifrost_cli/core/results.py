"""Results made whole: every `custom_id` that went in comes out once, and what disagrees is counted and named."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from bifrost_cli.core.ids import Marks
from bifrost_cli.errors import NetworkError, NotFoundError, UpstreamTimeoutError
from bifrost_cli.models import Batch, BatchResult
from bifrost_cli.providers.base import Provider

RESUMES = 5
NAMED = 5
Kept = Callable[[], Iterator[str]]
LAST = 0b111
"""The bits of an id's mark that say in which download it came last, from 1; 0 where it has not."""
SENT = 0b1000
"""The bit that says that it went in."""
TWICE = 0b10000
"""The bit that says that it came twice in one download, which has been noted."""


@dataclass
class Audit:
    """What went in and what came out of one results run.

    `missing` requests were not mentioned by a provider that should have, and came out as errored; `duplicate` and
    `unknown` results were not delivered; `unaccounted` is a difference in number that nothing explains.
    """

    expected: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    duplicate: int = 0
    unknown: int = 0
    unaccounted: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def out(self) -> int:
        """Results delivered."""
        return self.outcomes.total()

    @property
    def unsuccessful(self) -> int:
        """Results delivered that are not `succeeded`."""
        return self.out - self.outcomes["succeeded"]

    @property
    def agrees(self) -> bool:
        """Whether each request has exactly one result, and no other came."""
        return not (self.missing or self.duplicate or self.unknown or self.unaccounted)

    def describe(self) -> str:
        """What does not agree, in words."""
        kinds = ("missing", "duplicate", "unknown", "unaccounted")
        numbers = ", ".join(f"{getattr(self, kind):,} {kind}" for kind in kinds if getattr(self, kind))
        return f"{numbers} ({'; '.join(self.named)})" if self.named else numbers

    def count(self, result: BatchResult) -> BatchResult:
        """A result that is delivered."""
        self.outcomes[result["result"]["type"]] += 1
        return result

    def note(self, kind: str, custom_id: str) -> None:
        """Something that should not be; the first few are named."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.named) < NAMED:
            self.named.append(f"{custom_id} is {kind}")


async def complete(provider: Provider, batch: Batch, kept: Kept | None, audit: Audit) -> AsyncIterator[BatchResult]:
    """The results of one ended provider batch, each id once, those that the provider leaves out filled in.

    `kept` reads the ids that went in from this machine's journal. Without it they are read from the provider, if it
    gives them back: that the numbers agree does not say that the ids do.
    """
    ids, came = Marks(batch.request_counts.total), 0
    for id in kept() if kept else ():
        ids.values[ids.slot(id)] = SENT
    async for result in _once(provider, batch, kept, ids, audit):
        came += 1
        yield audit.count(result)
    async for custom_id, line in _left_out(provider, batch, kept, ids, came, audit):
        result = provider.missing_result(batch, custom_id, line)
        if result["result"]["type"] == "errored" and not batch.errors:
            audit.note("missing", custom_id)
        yield audit.count(result)


async def _left_out(
    provider: Provider, batch: Batch, kept: Kept | None, ids: Marks, came: int, audit: Audit
) -> AsyncIterator[tuple[str, int]]:
    """Ids that went in and are not among the `came` results, each with its line in the provider's input."""
    total, line, matched = batch.request_counts.total, 0, 0
    if kept is None and not provider.capabilities.returns_input:
        audit.expected += total
        audit.unaccounted += abs(total - came)
        return
    async for custom_id in _aiter(kept()) if kept else _given_back(provider, batch, enough=came == total > 0):
        line += 1
        if ids.values[ids.slot(custom_id)] & LAST:
            matched += 1
        else:
            yield custom_id, line
    audit.expected += line or total
    if kept is None and line:
        audit.unknown += came - matched


async def _given_back(provider: Provider, batch: Batch, *, enough: bool) -> AsyncIterator[str]:
    """The ids that the provider kept; none where its input is gone, and the results are `enough` without."""
    try:
        async for custom_id in provider.batch_inputs(batch):
            yield custom_id
    except NotFoundError:
        if not enough:
            raise


async def _once(
    provider: Provider, batch: Batch, kept: Kept | None, ids: Marks, audit: Audit
) -> AsyncIterator[BatchResult]:
    """The provider's results without repetition, also when the download breaks and is begun again, and without those
    of ids that did not go in, where that is known."""
    for download in range(1, RESUMES + 1):
        try:
            async for result in provider.batch_results(batch):
                slot = ids.slot(result["custom_id"])
                mark = ids.values[slot]
                ids.values[slot] = mark & ~LAST | download
                if mark & LAST == download:
                    if not mark & TWICE:
                        audit.note("duplicate", result["custom_id"])
                    ids.values[slot] = mark | TWICE
                elif not mark & LAST:  # One that came before a break comes again after it.
                    if kept and not mark & SENT:
                        audit.note("unknown", result["custom_id"])
                    else:
                        yield result
            return
        except (NetworkError, UpstreamTimeoutError):
            if download == RESUMES:
                raise


async def _aiter(items: Iterator[str]) -> AsyncIterator[str]:
    for item in items:
        yield item
