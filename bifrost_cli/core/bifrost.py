"""The verbs, over every provider. The command line, `serve` and Python callers all come through here.

Ids go in and come out as ids that route themselves (`openai:batch_abc`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from bifrost_cli.bodies import Source
from bifrost_cli.config import state_folder
from bifrost_cli.core import jsonl, refs, wait
from bifrost_cli.core.combine import combine, with_total
from bifrost_cli.core.database import Database
from bifrost_cli.core.journal import Journal
from bifrost_cli.core.jsonl import Lines
from bifrost_cli.core.order import in_order
from bifrost_cli.core.paging import ListPage, named, page, walk
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.planner import Admit, Planner, Skip
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.results import Audit, complete
from bifrost_cli.core.session import Session
from bifrost_cli.core.submit import Sent, Submission
from bifrost_cli.core.work import Work
from bifrost_cli.errors import (
    ConflictError,
    InvalidRequestError,
    PendingError,
    UsageError,
)
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers import HOME
from bifrost_cli.providers.base import Context, Provider


@dataclass
class Bifrost(Session):
    """One session, and what can be done in it."""

    journal: Journal = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.journal = self.journal or Journal(Database(state_folder(self.config.environ)))

    def view(self, provider: str | None, context: Context) -> "Bifrost":
        """Another session over the same connections, for a caller who names another provider or asks otherwise."""
        return replace(self, provider=provider, context=context, adapters={})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()
        self.journal.leave()

    @property
    def owner(self) -> str | None:
        """The virtual key that what is created here belongs to, by its id."""
        return None

    # -- files --------------------------------------------------------------------------------------------------

    async def upload_file(
        self,
        path: Path,
        *,
        filename: str,
        media_type: str,
        purpose: str | None = None,
        expires_in: int | None = None,
        on_sent: Sent | None = None,
    ) -> File:
        """Upload one file; `expires_in` is in seconds, `on_sent` is told of each block's length."""
        source = Source(path, on_sent) if on_sent else Source(path)
        file = await self.ready(self.default).upload_file(
            source, filename=filename, media_type=media_type, purpose=purpose, expires_in=expires_in
        )
        return named(self.default, file)

    def list_files(self, *, provider: str | None = None, limit: int | None = None) -> AsyncIterator[File]:
        """Newest first; all of them where `limit` is None."""
        name = provider or self.default
        return walk(name, self._files(name), limit)

    async def page_files(self, *, provider: str | None = None, limit: int, after: str | None = None) -> Page[File]:
        """One page of `limit` files, newest first; `after` is the `next` of the page before."""
        name = provider or self.default
        return await page(name, self._files(name), limit, after)

    def _files(self, provider: str) -> ListPage:
        """What lists the files of a provider."""
        return self.ready(provider).list_files

    async def get_file(self, id: str) -> File:
        """A file's metadata."""
        ref = self._file(id)
        return named(ref.provider, await self.ready(ref.provider).get_file(ref.native))

    async def delete_file(self, id: str) -> None:
        """Delete a file."""
        ref = self._file(id)
        await self.ready(ref.provider).delete_file(ref.native)

    def download_file(self, id: str) -> AsyncIterator[bytes]:
        """A file's content, block by block."""
        ref = self._file(id)
        return self.ready(ref.provider).download_file(ref.native)

    def _file(self, id: str) -> Ref:
        return refs.parse_one(id, given=self.given, default=self.default)

    # -- batches ------------------------------------------------------------------------------------------------

    def plan_batch(
        self,
        lines: Lines,
        *,
        source: str | Path,
        defaults: dict[str, Any],
        unit: str = "line",
        skip: Skip | None = None,
    ) -> Plan:
        """Check and encode requests; nothing is sent, and no key is needed. Raises InputError that lists problems.

        `source` is the file they are in, or a word where there is none; `unit` is what messages call a line. Where
        `skip` is given it is told of bad lines; the others make the plan.
        """

        def route(model: str, otherwise: str) -> tuple[str, str]:
            return refs.route(model, given=self.given, default=self.chosen or otherwise)

        options = {"provider": self.given, "defaults": defaults, "drop": sorted(self.context.drop), **self.config.flags}
        place = source.absolute() if isinstance(source, Path) and source.is_file() else source
        planner = Planner(self.adapter, route, defaults, unit, skip, self._admit, self.context.drop)
        return planner.plan(lines, Plan(str(source), str(place), options))

    @property
    def _admit(self) -> Admit | None:
        """What refuses requests that this session may not make; it may make all."""
        return None

    def plan_file(self, file_id: str, *, endpoint: str = "") -> Plan:
        """The plan of a batch from a file that was uploaded in the provider's own form."""
        ref = self._file(file_id)
        return Plan.of_file(self.adapter(ref.provider), ref.native, endpoint)

    @asynccontextmanager
    async def submission(
        self,
        plan: Plan,
        *,
        key: str | None = None,
        anew: bool = False,
        parent: str | None = None,
        since: float | None = None,
    ) -> AsyncIterator[Submission]:
        """The run of a plan, new or taken up where it was left, for as long as it is in hand (see Submission).

        Under an idempotency `key` requests are created once, whoever asks; `anew` takes up nothing; `parent` is the id
        of the batch whose failed requests these are. With `since`, a run of the same requests that another process
        holds is waited for, and one that was closed after that time (in seconds since the epoch) is given again.
        """
        addresses = {name: self.address(name) for name in {part.key.provider for part in plan.parts}}
        run = await self.journal.begin(
            plan, addresses, key=key, anew=anew, parent=parent, since=since, owner=self.owner
        )
        async with Submission(plan, run, self.journal, self.ready) as submission:
            yield submission

    async def create_batch(self, plan: Plan, *, key: str | None = None, since: float | None = None) -> Batch:
        """Create what is planned, and be done: one provider batch per part, seen as one. For `key` and `since` see
        `submission`.

        Raises OutcomeUnknownError where an answer was lost and the provider's list does not settle it.
        """
        async with self.submission(plan, key=key, since=since) as submission:
            submission.closes = True
            return await submission.create()

    def list_batches(self, *, provider: str | None = None, limit: int | None = None) -> AsyncIterator[Batch]:
        """Provider batches, ours or not, newest first; all of them where `limit` is None."""
        name = provider or self.default
        return walk(name, self._batches(name), limit)

    async def page_batches(self, *, provider: str | None = None, limit: int, after: str | None = None) -> Page[Batch]:
        """One page of `limit` provider batches, newest first; `after` is the `next` of the page before."""
        name = provider or self.default
        return await page(name, self._batches(name), limit, after)

    def _batches(self, provider: str) -> ListPage:
        """What lists the batches of a provider."""
        return self.ready(provider).list_batches

    async def get_batch(self, id: str) -> Batch:
        """A batch as it is now."""
        parts = self.batch_refs(id)
        return combine(parts, await self._each(parts, self._get))

    async def _get(self, ref: Ref) -> Batch:
        return with_total(await self.ready(ref.provider).get_batch(ref.native), self.journal.requests(ref))

    async def cancel_batch(self, id: str) -> Batch:
        """Ask for a stop; requests already running may still succeed."""
        parts = self.batch_refs(id)
        return combine(parts, await self._each(parts, self._cancel))

    async def _cancel(self, ref: Ref) -> Batch:
        adapter = self.ready(ref.provider)
        batch = await adapter.get_batch(ref.native)
        if not batch.ended:
            batch = await self._cancel_running(adapter, ref.native)
        return with_total(batch, self.journal.requests(ref))

    async def _cancel_running(self, adapter: Provider, id: str) -> Batch:
        """What providers refuse because the batch has just ended is no failure."""
        try:
            return await adapter.cancel_batch(id)
        except (InvalidRequestError, ConflictError):
            batch = await adapter.get_batch(id)
            if not batch.ended:
                raise
            return batch

    async def delete_batch(self, id: str) -> None:
        """Delete an ended batch and its results, where the provider can."""
        parts = self.batch_refs(id)
        await self._each(parts, lambda ref: self.ready(ref.provider).delete_batch(ref.native))

    async def wait_batch(
        self, id: str, *, timeout: float | None = None, poll: float | None = None
    ) -> AsyncIterator[Batch]:
        """The batch at each poll, the last one ended. Raises PendingError when `timeout` seconds have passed."""

        async def get() -> Batch:
            for ref in self.batch_refs(id):
                work.attend(self.ready(ref.provider), ref.native)
            return await self.get_batch(id)

        async with Work() as work:
            async for batch in wait.follow(get, timeout=timeout, poll=poll):
                yield batch

    async def batch_results(
        self,
        id: str,
        *,
        order: Literal["any", "input"] = "any",
        inputs: Iterable[str] | None = None,
        audit: Audit | None = None,
    ) -> AsyncIterator[BatchResult]:
        """Every request's result, once, in the providers' order or the input's; `audit` is filled in on the way.

        The input's order is that of `inputs`, its custom_ids, where they are given; else it is known from the journal
        or from what the provider kept. Raises PendingError where the batch has not ended.
        """
        parts = self.batch_refs(id)
        batches = await self._ended(id, parts)
        results = self._results(parts, batches, audit or Audit())
        if order == "input":
            ids = self._inputs(parts, batches) if inputs is None else jsonl.as_stream(inputs)
            results = in_order(results, ids, sum(batch.request_counts.total for batch in batches))
        async for result in results:
            yield result

    async def batch_inputs(self, id: str) -> AsyncIterator[str]:
        """The custom_ids that went into an ended batch, in the input's order.

        Raises UnsupportedError where neither the journal nor the provider knows them.
        """
        parts = self.batch_refs(id)
        async for custom_id in self._inputs(parts, await self._ended(id, parts)):
            yield custom_id

    async def raw_results(self, id: str) -> AsyncIterator[bytes]:
        """The lines that the providers themselves have, untranslated and unaudited."""
        parts = self.batch_refs(id)
        for ref, batch in zip(parts, await self._ended(id, parts), strict=True):
            async for line in self.ready(ref.provider).raw_results(batch):
                yield line

    async def _ended(self, id: str, parts: Sequence[Ref]) -> list[Batch]:
        batches = await self._each(parts, self._get)
        if not combine(parts, batches).ended:
            raise PendingError(f"{id} has not ended; its results come when it has.", hint=f"bifrost batch wait {id}")
        return batches

    async def _results(
        self, parts: Sequence[Ref], batches: Sequence[Batch], audit: Audit
    ) -> AsyncIterator[BatchResult]:
        for ref, batch in zip(parts, batches, strict=True):
            async for result in self._part_results(ref, batch, audit):
                yield result

    def _part_results(self, ref: Ref, batch: Batch, audit: Audit) -> AsyncIterator[BatchResult]:
        return complete(self.ready(ref.provider), batch, self.journal.inputs([ref]), audit)

    async def _inputs(self, parts: Sequence[Ref], batches: Sequence[Batch]) -> AsyncIterator[str]:
        """The ids that went in, in input order: from the journal, else from what the providers kept."""
        if kept := self.journal.inputs(parts):
            for id in kept():
                yield id
            return
        for ref, batch in zip(parts, batches, strict=True):
            async for id in self.ready(ref.provider).batch_inputs(batch):
                yield id

    async def run_batch(self, id: str) -> None:
        """Do the work of those parts whose provider leaves it to this process, until they have ended."""
        for ref in self.batch_refs(id):
            await self.ready(ref.provider).run_batch(ref.native)

    def runs_here(self, id: str) -> bool:
        """Whether there is work for `run_batch`."""
        return any(self.adapter(ref.provider).runs_here(ref.native) for ref in self.batch_refs(id))

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        """Anthropic's message, the answer to one request; `params` is the body of its `POST /v1/messages`."""
        provider, params = self._routed(params, checked=True)
        return await self.able(provider, "messages").create_message(params)

    def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The same answer as Anthropic's events, in their order. Closing the iterator ends the call."""
        provider, params = self._routed(params, checked=True)
        return self.able(provider, "messages").stream_message(params)

    async def count_tokens(self, params: dict[str, Any]) -> int:
        """The input tokens of a request."""
        provider, params = self._routed(params)
        return await self.able(provider, "count_tokens").count_tokens(params)

    async def list_models(self, *, provider: str | None = None) -> list[dict[str, Any]]:
        """A provider's models, as Anthropic lists them."""
        return await self.able(provider or self.default, "list_models").list_models()

    def _routed(self, params: dict[str, Any], *, checked: bool = False) -> tuple[str, dict[str, Any]]:
        """The provider of a request, and its params as that provider's. The home provider judges them itself."""
        model = params.get("model")
        if not isinstance(model, str) or not model:
            raise UsageError("model: must be the name of a model.")
        provider, model = refs.route(model, given=self.given, default=self.default)
        params = {name: value for name, value in params.items() if name != "stream"} | {"model": model}
        if provider != HOME and (wrong := (jsonl.check_settings(params) if checked else None)):
            raise UsageError(wrong)
        if provider != HOME and (wrong := jsonl.check_messages(params.get("messages"))):
            raise UsageError(wrong)
        if self._admit:
            self._admit(provider, params)
        return provider, params

    # -- ids ----------------------------------------------------------------------------------------------------

    async def _each(self, parts: Sequence[Ref], call: Callable[[Ref], Any]) -> list[Any]:
        return await asyncio.gather(*(call(ref) for ref in parts))

    async def note_delivered(self, id: str) -> None:
        """A batch's results are where they should be: its run is closed, if it is of this machine."""
        await self.journal.close_of(self.batch_refs(id))

    def batch_id(self, id: str) -> str:
        """A batch's id as it routes itself, whichever of its forms is given."""
        return refs.join(self.batch_refs(id))

    def batch_refs(self, id: str) -> tuple[Ref, ...]:
        """The parts that a batch's id names. Raises UsageError where it is ill-formed."""
        return refs.parse(id, given=self.given, default=self.default)
