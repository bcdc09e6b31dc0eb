"""Creating what is planned, each part once: an open intent is settled before anything is submitted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from bifrost_cli.core.combine import combine
from bifrost_cli.core.journal import Journal, PartRecord, Run
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.refs import Ref, join
from bifrost_cli.errors import BifrostError, OutcomeUnknownError, PartialError
from bifrost_cli.models import Batch
from bifrost_cli.providers.base import Part, Provider

Created = Callable[[Batch], object]
Sent = Callable[[int], object]
LOOK_UPS = (1.0, 3.0, 6.0)
CLOCK_SKEW = timedelta(seconds=60)


@dataclass
class Submission:
    """A run in the hands of this process, as a context manager.

    Left with everything done (or with PartialError: the results are delivered), the run is closed. Left in any other
    way it stays open, for the same requests to be taken up where they were.
    """

    plan: Plan
    run: Run
    journal: Journal
    adapters: Callable[[str], Provider]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def create(self, *, on_created: Created | None = None, on_sent: Sent | None = None) -> Batch:
        """One provider batch per part, seen as one. `on_created` is told of each as soon as it exists.

        Raises OutcomeUnknownError where it cannot be known whether a create arrived.
        """
        made: list[tuple[Ref, Batch]] = []
        for record in self.run.parts:
            try:
                batch = await self._made(record, on_sent)
            except BifrostError as error:
                raise _with_made(error, made, len(self.run.parts)) from error.__cause__
            made.append((Ref(record.provider, batch.id), batch))
            if on_created:
                on_created(combine([made[-1][0]], [batch]))
        return combine([ref for ref, _ in made], [batch for _, batch in made])

    async def _made(self, record: PartRecord, on_sent: Sent | None) -> Batch:
        adapter = self.adapters(record.provider)
        if record.state == "created" and record.native:
            return await adapter.get_batch(record.native)
        part = self._part(record, on_sent)
        if record.open:
            batch = await settle(self.journal, adapter, part, record)
            if batch is not None:
                return batch
        return await self._send(adapter, part, record)

    async def _send(self, adapter: Provider, part: Part, record: PartRecord) -> Batch:
        self.journal.mark(record, "intended")
        try:
            batch = await adapter.create_batch(part)
        except OutcomeUnknownError as error:
            self.journal.mark(record, "unknown", error=error.message)
            return await self._look_up(adapter, part, record, error)
        except BifrostError as error:
            self.journal.mark(record, "refused", error=error.message)
            raise
        self.journal.mark(record, "created", native=batch.id)
        return batch

    async def _look_up(self, adapter: Provider, part: Part, record: PartRecord, unknown: OutcomeUnknownError) -> Batch:
        """The batch of a create whose answer was lost. Lists lag, so it is looked for more than once."""
        for pause in LOOK_UPS:
            await self.sleep(pause)
            if batch := await settle(self.journal, adapter, part, record, absent="unknown"):
                return batch
        unknown.hint = f"{adapter.title} does not list it now. The same command, run again, looks once more first."
        raise unknown

    def _part(self, record: PartRecord, on_sent: Sent | None) -> Part:
        planned = self.plan.parts[record.position]
        source = None if planned.file_id else planned.source(on_sent)
        return Part(record.model, record.endpoint, record.tag, record.requests, source, planned.file_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        nothing_made = all(part.state in ("planned", "refused") for part in self.run.parts)
        if error is None or isinstance(error, PartialError) or nothing_made:
            self.journal.close(self.run.id)
        self.run.release()


async def settle(
    journal: Journal, adapter: Provider, part: Part, record: PartRecord, *, absent: str = "absent"
) -> Batch | None:
    """What became of an open intent: its batch, or None where the provider has none. Records what it finds.

    Raises OutcomeUnknownError where the provider's list does not settle it.
    """
    since = datetime.fromtimestamp(record.changed_at, UTC) - CLOCK_SKEW
    taken = journal.natives(record.provider, record.address)
    batch = await adapter.find_batch(part, since, taken)
    if batch is not None:
        journal.mark(record, "created", native=batch.id)
    elif absent == "absent":
        journal.mark(record, "absent")
    return batch


def _with_made(error: BifrostError, made: list[tuple[Ref, Batch]], parts: int) -> BifrostError:
    """The error, saying which parts exist all the same: they run, and bill."""
    if made:
        id = join(ref for ref, _ in made)
        error.message += f" {len(made)} of {parts} provider batches had been created before: {id}."
    return error
