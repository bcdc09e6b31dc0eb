"""Creating what is planned, each part once: an open intent is settled before anything is submitted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from bifrost_cli.core import wait
from bifrost_cli.core.combine import combine, with_total
from bifrost_cli.core.journal import Journal, PartRecord, Run
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.refs import Ref, join
from bifrost_cli.core.work import Work
from bifrost_cli.errors import BifrostError, OutcomeUnknownError, PartialError, RateLimitError
from bifrost_cli.models import Batch
from bifrost_cli.providers.base import Part, Provider

Created = Callable[[Batch], object]
Sent = Callable[[int], object]
Queued = Callable[[RateLimitError], object]
Choose = Callable[[OutcomeUnknownError, Sequence[Batch]], Batch | None]
LOOK_UPS = (1.0, 3.0, 6.0)
AGAIN = "The same command, run again, looks once more first."
CLOCK_SKEW = timedelta(seconds=60)


@dataclass
class Submission:
    """A run in the hands of this process, as an asynchronous context manager.

    Left with everything done (or with PartialError: the results are delivered), the run is closed. Left in any other
    way it stays open, for the same requests to be taken up where they were.

    `on_created` is told of each provider batch as soon as it exists, `on_sent` of each block's length. `choose` is
    asked where a provider's list does not settle an intent; it gives the batch, or None for none of them, or raises.
    `on_queued` is told why parts wait.
    """

    plan: Plan
    run: Run
    journal: Journal
    adapters: Callable[[str], Provider]
    on_created: Created | None = None
    on_sent: Sent | None = None
    on_queued: Queued | None = None
    choose: Choose | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    closes: bool = False
    """Whether the run is closed as soon as all is created."""
    batches: dict[int, Batch] = field(default_factory=dict)

    # -- verbs --------------------------------------------------------------------------------------------------

    async def create(self) -> Batch:
        """One provider batch per part, seen as one.

        Raises OutcomeUnknownError where it cannot be known whether a create arrived.
        """
        for record in self._queued():
            await self._make(record)
        return self.seen()

    async def begin(self) -> bool:
        """Create the parts that the account's limits have room for now; whether that is all of them."""
        try:
            await self.create()
        except RateLimitError as error:
            if self.on_queued:
                self.on_queued(error)
        return not self._queued()

    async def follow(self, *, timeout: float | None = None, poll: float | None = None) -> AsyncIterator[Batch]:
        """Create what is not yet, and wait: the batch at each poll, the last one ended.

        Parts that the account's limits refuse for now are queued, and created as earlier ones end.
        """
        async with Work() as work:
            steps = wait.follow(
                lambda: self._look(work), create=self.begin, timeout=timeout, poll=poll, sleep=self.sleep
            )
            async for batch in steps:
                yield batch

    @property
    def runs_here(self) -> bool:
        """Whether requests of a part that exists are sent by this process, and need it to go on."""
        made = [record for record in self.run.parts if record.position in self.batches]
        return any(self.adapters(record.provider).runs_here(self.batches[record.position].id) for record in made)

    async def _look(self, work: Work) -> Batch:
        for record in self.run.parts:
            if self._running(record):
                work.attend(self.adapters(record.provider), self.batches[record.position].id)
        await asyncio.gather(*(self._refresh(record) for record in self.run.parts if self._running(record)))
        return self.seen()

    def _queued(self) -> list[PartRecord]:
        return [record for record in self.run.parts if record.position not in self.batches]

    def _running(self, record: PartRecord) -> bool:
        batch = self.batches.get(record.position)
        return batch is not None and not batch.ended

    async def _refresh(self, record: PartRecord) -> None:
        adapter = self.adapters(record.provider)
        batch = await adapter.get_batch(self.batches[record.position].id)
        if adapter.quota_refused(batch):
            await self.journal.mark(record, "planned", error="the account's limit refused it")
            del self.batches[record.position]
        else:
            self.batches[record.position] = batch

    def seen(self) -> Batch:
        """All parts as one batch; those still queued count as processing."""
        made = [record for record in self.run.parts if record.position in self.batches]
        queued = self._queued()
        if not made:
            raise RateLimitError(queued[0].error or "The account's limits leave no room for a batch now.")
        refs = [Ref(record.provider, self.batches[record.position].id) for record in made]
        batch = combine(refs, [with_total(self.batches[record.position], record.requests) for record in made])
        if queued:
            counts = batch.request_counts
            counts.processing += sum(record.requests for record in queued)
            status = f"{len(made)} of {len(self.run.parts)} submitted, {len(queued)} queued"
            batch.processing_status, batch.provider_status, batch.ended_at = "in_progress", status, None
        return batch

    # -- one part -----------------------------------------------------------------------------------------------

    async def _make(self, record: PartRecord) -> None:
        try:
            batch = await self._made(record)
        except BifrostError as error:
            raise self._with_made(error) from error.__cause__
        self.batches[record.position] = batch
        if self.on_created:
            self.on_created(combine([Ref(record.provider, batch.id)], [with_total(batch, record.requests)]))

    async def _made(self, record: PartRecord) -> Batch:
        adapter = self.adapters(record.provider)
        if record.state == "created" and record.native:
            return await adapter.get_batch(record.native)
        part = self._part(record)
        if record.open and record is not self.run.ahead and (batch := await self._settle(adapter, part, record)):
            return batch
        return await self._send(adapter, part, record)

    async def _send(self, adapter: Provider, part: Part, record: PartRecord) -> Batch:
        if record is not self.run.ahead:
            await self.journal.mark(record, "intended")
        self.run.ahead = None
        try:
            batch = await adapter.create_batch(part)
        except OutcomeUnknownError as error:
            await self.journal.mark(record, "unknown", error=error.message)
            return await self._look_up(adapter, part, record, error)
        except BifrostError as error:
            await self.journal.mark(record, "refused", error=error.message)
            raise
        if self.closes and self._queued() == [record]:
            await self.journal.finish(self.run, record, batch.id)
        else:
            await self.journal.mark(record, "created", native=batch.id)
        return batch

    async def _look_up(self, adapter: Provider, part: Part, record: PartRecord, unknown: OutcomeUnknownError) -> Batch:
        """The batch of a create whose answer was lost. Lists lag, so it is looked for more than once."""
        for pause in LOOK_UPS:
            await self.sleep(pause)
            try:
                batch = await self._settle(adapter, part, record)
            except OutcomeUnknownError:
                raise
            except BifrostError as error:
                # Whatever hinders the look, that the create may have arrived is what must be said.
                unknown.hint = f"It could not be looked for ({error.message}). {AGAIN}"
                continue
            if batch:
                return batch
            unknown.hint = f"{adapter.title} does not list it now. {AGAIN}"
        raise unknown

    async def _settle(self, adapter: Provider, part: Part, record: PartRecord) -> Batch | None:
        try:
            return await settle(self.journal, adapter, part, record)
        except OutcomeUnknownError as error:
            if self.choose is None or not error.candidates:
                raise
            batch = self.choose(error, error.candidates)
            if batch is not None:
                await self.journal.mark(record, "created", native=batch.id)
            return batch

    def _part(self, record: PartRecord) -> Part:
        planned = self.plan.parts[record.position]
        source = None if planned.file_id else planned.source(self.on_sent)
        return Part(record.model, record.endpoint, record.tag, record.requests, source, planned.file_id)

    def _with_made(self, error: BifrostError) -> BifrostError:
        """The error, saying which parts exist all the same: they run, and bill."""
        made = [Ref(r.provider, self.batches[r.position].id) for r in self.run.parts if r.position in self.batches]
        if made and not isinstance(error, RateLimitError):
            error.message += f" {len(made)} of {len(self.run.parts)} provider batches exist already: {join(made)}."
        return error

    # -- the run ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.run.ahead:
                await self.journal.mark(self.run.ahead, "absent")
            nothing_made = all(part.state in ("planned", "refused", "absent") for part in self.run.parts)
            if not self.run.closed and (error is None or isinstance(error, PartialError) or nothing_made):
                await self.journal.close(self.run.id)
        finally:
            self.run.release()


async def settle(journal: Journal, adapter: Provider, part: Part, record: PartRecord) -> Batch | None:
    """The batch that an open intent became, which is recorded, or None where the provider lists none.

    Raises OutcomeUnknownError where the provider's list does not settle it.
    """
    since = datetime.fromtimestamp(record.changed_at, UTC) - CLOCK_SKEW
    taken = journal.natives(record.provider, record.address)
    batch = await adapter.find_batch(part, since, taken)
    if batch is not None:
        await journal.mark(record, "created", native=batch.id)
    return batch
