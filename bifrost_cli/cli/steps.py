"""What several batch commands do: plan, submit, wait, and read results."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import typer

from bifrost_cli.cli import live
from bifrost_cli.cli.input import opened
from bifrost_cli.cli.output import Output
from bifrost_cli.cli.render import Failures, Screen, sentence
from bifrost_cli.cli.session import Session, duration
from bifrost_cli.cli.skipped import Skipped
from bifrost_cli.config import Config, state_folder
from bifrost_cli.core import jsonl, refs
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.database import Database
from bifrost_cli.core.journal import Journal
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.results import Audit
from bifrost_cli.core.retry import Lines, failed_requests, merged_results, only
from bifrost_cli.core.submit import Submission
from bifrost_cli.errors import BifrostError, OutcomeUnknownError, PartialError, RateLimitError, UsageError
from bifrost_cli.models import Batch, BatchResult

Order = Literal["any", "input"]
SHOWN_ERRORS = 3


@dataclass
class Pace:
    """How long to wait and how often to ask; None leaves it to the core."""

    timeout: float | None
    poll: float | None

    @classmethod
    def of(cls, timeout: str | None, poll: str | None) -> "Pace":
        """From what was typed."""
        return cls(None if timeout is None else duration(timeout), None if poll is None else duration(poll))


@dataclass(frozen=True)
class Reading:
    """Which results, in which order."""

    order: Order = "any"
    errors_only: bool = False
    merged: bool = False
    input: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What becomes of a batch that is created: whether it is waited for, how, and where its results go."""

    wait: bool
    output: str | None
    force: bool
    pace: Pace
    reading: Reading

    @property
    def waits(self) -> bool:
        """Results imply waiting."""
        return self.wait or self.output is not None

    def place(self) -> AbstractContextManager[Output | None]:
        """Where the results go. Raises UsageError where that cannot be written."""
        return nullcontext() if self.output is None else Output(self.output, force=self.force)


@dataclass(frozen=True)
class Requests:
    """The source of a batch: a path or an uploaded file, what its lines lack, and who takes the bad ones."""

    path: str | None
    file_id: str | None
    defaults: dict[str, Any]
    skipped: Skipped | None = None


@dataclass(frozen=True)
class Retry:
    """The input of a batch that is to be retried, and what its requests were encoded with."""

    path: str
    defaults: dict[str, Any]
    flags: dict[str, str]
    drop: list[str]


@dataclass
class Job:
    """One command's work on batches: whom it asks, where it shows, and how to come back to it."""

    bifrost: Bifrost
    screen: Screen
    session: Session

    # -- create -------------------------------------------------------------------------------------------------

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
            source = "stdin" if path == "-" else path
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
        with live.Waiting(self.screen).shown() as waiting:
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

        with live.Waiting(self.screen).shown() as waiting:
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
        self.bifrost.note_delivered(id)
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


def check_source(input: str | None, file_id: str | None, *, changes: object) -> None:
    """Raise UsageError where not one source of requests is given, or options that would change a file's requests."""
    if (input is None) == (file_id is None):
        raise UsageError("Give either an input or --file-id.", hint="Try: bifrost batch create requests.jsonl")
    if file_id is not None and changes:
        raise UsageError(
            "An uploaded file goes as it is: no --model, --max-tokens, --endpoint, --drop or --skip-invalid.",
            hint="Give the requests themselves instead of --file-id.",
        )


def delivery_of(
    session: Session,
    *,
    wait: bool,
    output: str | None,
    force: bool,
    order: Order,
    timeout: str | None,
    poll: str | None,
) -> Delivery:
    """From what was typed; the session repeats it in the command that goes on with this one's work."""
    session.tail = tail_of(output, order, force=force)
    return Delivery(wait, output, force, Pace.of(timeout, poll), Reading(order))


def tail_of(output: str | None, order: Order, *, force: bool) -> list[str]:
    """What a command that goes on with this one's work repeats of it, for the results to come where they should."""
    if output is None:
        return []
    return ["-o", output, *(["--force"] if force else []), *(["--order", order] if order != "any" else [])]


def places(ids: Sequence[str], output: str | None) -> dict[str, str]:
    """Where each batch's results go: the path itself, or files in the folder that it names for several."""
    if output is None:
        return {}
    if len(set(ids)) == 1 and (not output or not Path(output).is_dir()):
        return {ids[0]: output}
    if output == "-":
        raise UsageError("The results of several batches do not go to stdout.", hint="Give -o the name of a folder.")
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be a folder: {error.strerror}.") from error
    return {id: str(Path(output) / f"{id.replace(':', '-').replace('~', '+')}.jsonl") for id in ids}


def origin_of(session: Session, id: str, given: str | None) -> Retry:
    """Where a batch's requests came from: `given`, or what this machine's journal says.

    Its provider and options are taken over into the session. Raises UsageError where the input is not known.
    """
    config = Config.load(session.config)
    parts = refs.parse(id, given=session.provider)
    origin = Journal(Database(state_folder(config.environ))).origin(parts)
    path = given or (origin.source if origin and Path(origin.source).is_file() else None)
    if path is None:
        raise UsageError(f"The input of {id} is not known here.", hint=f"Give it: bifrost batch retry {id} INPUT")
    options = dict(origin.options) if origin else {}
    session.provider = options.pop("provider", None) or session.provider or parts[0].provider
    return Retry(path, options.pop("defaults", {}), drop=options.pop("drop", []), flags=options)


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
