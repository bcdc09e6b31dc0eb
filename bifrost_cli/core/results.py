"""Results made whole: every `custom_id` that went in comes out once, and what disagrees is counted and named."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from bifrost_cli.core.jsonl import hash64
from bifrost_cli.errors import NetworkError, NotFoundError, UpstreamTimeoutError
from bifrost_cli.models import Batch, BatchResult
from bifrost_cli.providers.base import Provider

RESUMES = 5
NAMED = 5
Kept = Callable[[], Iterator[str]]


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
    known = {hash64(id) for id in kept()} if kept else None
    seen: set[int] = set()
    async for result in _once(provider, batch, seen, audit):
        if known is not None and hash64(result["custom_id"]) not in known:
            audit.note("unknown", result["custom_id"])
        else:
            yield audit.count(result)
    async for custom_id, line in _left_out(provider, batch, kept, seen, audit):
        result = provider.missing_result(batch, custom_id, line)
        if result["result"]["type"] == "errored" and not batch.errors:
            audit.note("missing", custom_id)
        yield audit.count(result)


async def _left_out(
    provider: Provider, batch: Batch, kept: Kept | None, seen: set[int], audit: Audit
) -> AsyncIterator[tuple[str, int]]:
    """Ids that went in and did not come out, each with its line in the provider's input."""
    total, line, matched = batch.request_counts.total, 0, 0
    if kept is None and not provider.capabilities.returns_input:
        audit.expected += total
        audit.unaccounted += abs(total - len(seen))
        return
    async for custom_id in _aiter(kept()) if kept else _given_back(provider, batch, enough=len(seen) == total > 0):
        line += 1
        if hash64(custom_id) in seen:
            matched += 1
        else:
            yield custom_id, line
    audit.expected += line or total
    if kept is None and line:
        audit.unknown += len(seen) - matched


async def _given_back(provider: Provider, batch: Batch, *, enough: bool) -> AsyncIterator[str]:
    """The ids that the provider kept; none where its input is gone, and the results are `enough` without."""
    try:
        async for custom_id in provider.batch_inputs(batch):
            yield custom_id
    except NotFoundError:
        if not enough:
            raise


async def _once(provider: Provider, batch: Batch, seen: set[int], audit: Audit) -> AsyncIterator[BatchResult]:
    """The provider's results without repetition, also when the download breaks and is begun again."""
    repeated: set[int] = set()
    for attempt in range(RESUMES):
        this_time: set[int] = set()
        try:
            async for result in provider.batch_results(batch):
                key = hash64(result["custom_id"])
                if key in this_time:
                    if key not in repeated:  # One that came before a break comes again after it.
                        audit.note("duplicate", result["custom_id"])
                    repeated.add(key)
                elif key not in seen:
                    seen.add(key)
                    yield result
                this_time.add(key)
            return
        except (NetworkError, UpstreamTimeoutError):
            if attempt == RESUMES - 1:
                raise


async def _aiter(items: Iterator[str]) -> AsyncIterator[str]:
    for item in items:
        yield item
