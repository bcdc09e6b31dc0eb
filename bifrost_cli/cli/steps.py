"""What several batch commands do: plan, submit, wait, and read results."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import typer

from bifrost_cli.cli import live
from bifrost_cli.cli.asked import Delivery, Pace, Reading, Requests, Retry
from bifrost_cli.cli.input import opened
from bifrost_cli.cli.output import Output
from bifrost_cli.cli.render import Failures, Screen, sentence
from bifrost_cli.cli.session import Session
from bifrost_cli.cli.skipped import Skipped
from bifrost_cli.core import jsonl
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.jsonl import Lines
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.results import Audit
from bifrost_cli.core.retry import failed_requests, merged_results, only
from bifrost_cli.core.submit import Submission
from bifrost_cli.errors import BifrostError, OutcomeUnknownError, PartialError, RateLimitError
from bifrost_cli.models import Batch, BatchResult

SHOWN_ERRORS = 3


@dataclass
class Job:
    """One command's work on batches: whom it asks, where it shows, and how to come back to it."""

    bifrost: Bifrost
    screen: Screen
    session: Session

    # -- create -------------------------------------------------------------------------------------------------

    def show_plan(self, requests: Requests) -> None:
        """What would be created, and what would be skipped."""
        with self.planned(requests) as plan:
            self.screen.plan(plan.parts)
            if requests.skipped:
                requests.skipped.tell(self.screen)

    async def submit(self, requests: Requests, delivery: Delivery, *, key: str | None, anew: bool) -> None:
        """Create a batch of requests, and do what else is asked for. What is missing is known before any is read."""
        if self.bifrost.given:
            self.bifrost.ready(self.bifrost.given)
        with delivery.place() as place, self.planned(requests) as plan:
            if requests.skipped:
                requests.skipped.keep(self.screen)
            async with self.bifrost.submission(plan, key=key, anew=anew) as submission:
                await self.carry_out(submission, place, delivery)

    @contextmanager
    def planned(self, requests: Requests) -> Iterator[Plan]:
        """The plan of a source of requests."""
        if requests.file_id is not None:
            with self.bifrost.plan_file(requests.file_id) as plan:
                yield plan
            return
        with (
            requests.skipped or nullcontext() as skipped,
            self.plan(requests.path or "", requests.defaults, skipped=skipped) as plan,
        ):
            yield plan

    def plan(
        self,
        path: str,
        defaults: dict[str, Any],
        *,
        chosen: Callable[[Lines], Lines] | None = None,
        skipped: Skipped | None = None,
    ) -> Plan:
        """Check and encode the requests at `path`; `chosen` picks some of its lines, `skipped` takes the bad ones."""
        given = {name: value for name, value in defaults.items() if value is not None}
        with opened(path) as stream, live.counting(self.screen, "Checking requests") as counted:
            lines: Lines = live.each(jsonl.read(stream), counted)
            source = "stdin" if path == "-" else Path(path)
            lines = chosen(lines) if chosen else lines
            return self.bifrost.plan_batch(lines, source=source, defaults=given, skip=skipped)

    async def carry_out(self, submission: Submission, place: Output | None, delivery: Delivery) -> None:
        """All that a create was asked for: the batch, and its end and results where they are wanted."""
        if not delivery.waits:
            return await self.create(submission, delivery.pace)
        batch = await self.create_and_wait(submission, place, delivery.pace)
        if place is None:
            return self.check_ended([batch])
        self.session.resume = self.session.command("batch", "results", batch.id)
        await self.read(batch.id, place, delivery.reading)

    async def create(self, submission: Submission, pace: Pace) -> None:
        """Create, print the batch at once, and say how to go on."""
        self._prepare(submission)
        with self._sending(submission):
            batch = await submission.create()
        self.screen.created(batch)
        if submission.runs_here:
            self.screen.say("Its requests are sent one by one from here, at full price, until all are done.")
            await self.follow(submission, pace)
        elif self.screen.tables:
            self.screen.say(f"Wait for its end with: {self.session.command('batch', 'wait', batch.id)}")
        if self.screen.tables:
            self.screen.say(f"Read its results with: {self.session.command('batch', 'results', batch.id)}")

    async def create_and_wait(self, submission: Submission, place: Output | None, pace: Pace) -> Batch:
        """Create and follow to the end. The id is told as soon as it is whole; an object is of the batch as it is left,
        so that a program finds one."""
        self._prepare(submission)
        with self._sending(submission):
            announced = await submission.begin()
        if announced:
            self._announce(submission.seen(), place)
        try:
            batch = await self.follow(submission, pace)
        except BaseException:
            if announced and self.screen.objects:
                self._show(submission.seen(), place)
            raise
        if not announced:
            self._announce(batch, place)
        self._show(batch, place)
        return batch

    async def follow(self, submission: Submission, pace: Pace) -> Batch:
        """Draw a run until its end."""
        with live.waiting(self.screen) as waiting:
            async for batch in submission.follow(timeout=pace.timeout, poll=pace.poll):
                waiting.update(batch.id if len(submission.run.parts) == 1 else "the batch", batch)
        return batch

    async def plan_retry(self, id: str, origin: Retry, *, all_failed: bool) -> Plan | None:
        """The requests of a batch to send again; None where there are none."""
        wanted = await failed_requests(self.bifrost, id, all_failed=all_failed)
        if not wanted:
            return None
        return self.plan(origin.path, origin.defaults, chosen=lambda lines: only(lines, wanted))

    def _prepare(self, submission: Submission) -> None:
        parts = len(submission.run.parts)
        again = self.session.resume = shlex.join(["bifrost", *sys.argv[1:]])
        if submission.run.resumed:
            self.screen.resumed(submission.run.created_at)

        def on_created(batch: Batch) -> None:
            made = len(submission.batches)
            # Until all parts exist, only this same command makes the rest.
            self.session.resume = again if made < parts else self.session.command("batch", "wait", submission.seen().id)
            if parts > 1:
                self.screen.say(f"Created {batch.id} ({made} of {parts})")

        def on_queued(error: RateLimitError) -> None:
            self.session.resume = again
            self.screen.say_once(f"Waiting for room: {error.message}")

        submission.on_created, submission.on_queued = on_created, on_queued
        submission.choose = choose if self.screen.asks else None

    @contextmanager
    def _sending(self, submission: Submission) -> Iterator[None]:
        size = sum(part.size for part in submission.plan.parts)
        with live.sending(self.screen, submission.plan.name, size) as submission.on_sent:
            yield
        submission.on_sent = None

    def _announce(self, batch: Batch, place: Output | None) -> None:
        if self.screen.objects or (place and place.is_stdout):
            self.screen.say(f"Created {batch.id}")
        else:
            self.screen.created(batch)

    def _show(self, batch: Batch, place: Output | None) -> None:
        """A batch as it is left; a person who has its results written sees a summary of these instead."""
        if place is None or (self.screen.objects and not place.is_stdout):
            self._batches([batch])

    def _batches(self, batches: Sequence[Batch]) -> None:
        if not self.screen.quiet:
            self.screen.batches(batches)

    # -- wait ---------------------------------------------------------------------------------------------------

    async def wait(self, ids: Sequence[str], pace: Pace) -> tuple[dict[str, Batch], BifrostError | None]:
        """Follow batches to their ends, side by side: those that ended, and the first error of the others."""
        ended: dict[str, Batch] = {}
        errors: list[BifrostError] = []

        async def follow(id: str) -> None:
            try:
                async for batch in self.bifrost.wait_batch(id, timeout=pace.timeout, poll=pace.poll):
                    waiting.update(id, batch)
                ended[id] = batch
            except BifrostError as error:
                errors.append(error)
                if len(ids) > 1:
                    self.screen.say(f"{id}: {sentence(error)}", style="red")

        with live.waiting(self.screen) as waiting:
            await asyncio.gather(*(follow(id) for id in dict.fromkeys(ids)))
        return ended, errors[0] if errors else None

    async def deliver(self, ended: Mapping[str, Batch], places: Mapping[str, Output], reading: Reading) -> None:
        """Show how batches ended, or write the results of each to its place, and then raise the first error."""
        if not places:
            self._batches(list(ended.values()))
            return self.check_ended(list(ended.values()))
        errors = []
        for id in ended:
            try:
                await self.read(id, places[id], reading)
            except BifrostError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def check_ended(self, ended: Sequence[Batch]) -> None:
        """Raise PartialError where requests did not succeed."""
        failed = [
            batch for batch in ended if batch.errors or batch.request_counts.succeeded < batch.request_counts.total
        ]
        if failed:
            reasons = "; ".join(error.message for batch in failed for error in (batch.errors or [])[:SHOWN_ERRORS])
            hint = f"See why: {self.session.command('batch', 'results', failed[0].id, '--errors-only')}"
            raise PartialError(f"Some requests did not succeed. {reasons}".strip(), hint=hint)

    # -- results ------------------------------------------------------------------------------------------------

    async def read(self, id: str, place: Output | None, reading: Reading = Reading()) -> None:
        """Deliver a batch's results and say how it came out. Raises PartialError where some did not succeed."""
        audit, failures = Audit(), Failures()
        results = self._wanted(id, reading, audit, failures)
        if place is None:
            await self.screen.results(results)
        elif place.is_stdout:
            await self.screen.result_lines(results)
        else:
            with live.counting(self.screen, "Reading results") as counted:
                await write(results, place, counted)
        self.screen.summary(id, audit, failures)
        await self.bifrost.note_delivered(id)
        if not audit.agrees:
            raise BifrostError(f"The results of {id} do not match its requests: {audit.describe()}.")
        if audit.unsuccessful:
            raise PartialError(f"{audit.unsuccessful:,} of {audit.out:,} requests of {id} did not succeed.")

    async def read_raw(self, id: str, place: Output | None) -> None:
        """Deliver the provider's own lines."""
        with place or Output("-") as place:
            async for line in self.bifrost.raw_results(id):
                place.write(line + b"\n")
            place.finish()

    async def _wanted(self, id: str, reading: Reading, audit: Audit, failures: Failures) -> AsyncIterator[BatchResult]:
        inputs = ids_of(reading.input) if reading.input else None
        if reading.merged:
            results = merged_results(self.bifrost, id, audit, order=reading.order, inputs=inputs)
        else:
            results = self.bifrost.batch_results(id, order=reading.order, inputs=inputs, audit=audit)
        async for result in results:
            failures.note(result)
            if not reading.errors_only or result["result"]["type"] != "succeeded":
                yield result


def ids_of(path: str) -> Iterator[str]:
    """The custom_ids of an input. Raises UsageError where it cannot be read."""
    with opened(path) as stream:
        yield from jsonl.custom_ids(stream)


async def write(results: AsyncIterator[BatchResult], place: Output, counted: Callable[[int], object]) -> None:
    """Results as JSON lines."""
    async for result in results:
        place.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
        counted(1)
    place.finish()


def choose(error: OutcomeUnknownError, candidates: Sequence[Batch]) -> Batch | None:
    """Ask a person which of the provider's batches a lost create made."""
    typer.echo(f"An earlier create of these requests may have arrived. {error.message}", err=True)
    for number, batch in enumerate(candidates, 1):
        typer.echo(f"  {number}  {batch.id}  {batch.created_at:%Y-%m-%d %H:%M:%S} UTC", err=True)
    typer.echo("  0  none of them: create it", err=True)
    choice = -1
    while not 0 <= choice <= len(candidates):
        choice = typer.prompt("Which one is it?", type=int, err=True)
    return candidates[choice - 1] if choice else None
