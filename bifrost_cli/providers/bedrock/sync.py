"""Small batches: their requests one by one through the runtime, at full price, with the layout of a job in S3.

Below the configured prefix::

    sync/ID.json                                         what GetModelInvocationJob would say when it was created
    batches/TAG/bifrost-N-requests.jsonl                 the input
    batches/TAG/ID/answers/000012.ok, .error             each answer as soon as there is one, while it runs
    batches/TAG/ID/lease                                 who runs it, renewed while they do
    batches/TAG/ID/cancel                                a cancel was asked for
    batches/TAG/ID/bifrost-N-requests.jsonl.out          the output, at the end
    batches/TAG/ID/manifest.json.out                     its counts; with it the batch has ended

One listing of the folder is the whole state, so any machine can follow a batch, cancel it or go on with it. What was
answered is never asked again; what was on its way when a process was killed is.
"""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.bodies import Source
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    ConflictError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RateLimitError,
    UpstreamTimeoutError,
)
from bifrost_cli.providers.base import Part
from bifrost_cli.providers.bedrock import translate
from bifrost_cli.providers.bedrock.answers import count, digest, member
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.bedrock.lease import Lease
from bifrost_cli.providers.bedrock.s3 import Place, Store
from bifrost_cli.repeats import Sleep

Ask = Callable[[str, str, str, Any], Awaitable[Any]]
"""`ask(region, model, endpoint, body)` is the model's answer. Raises as a paid call does."""

MARK = "sync-"
AT_ONCE = 4
ATTEMPTS = 3
FIRST_PAUSE = 2.0
LOOK_SECONDS = 3.0
STOPS_ALL = (AuthError, ConfigError, NetworkError, OverloadedError, RateLimitError)
"""Failures that the next request would share: they end the run, which can be taken up again, and no request."""
LOST = "The connection was lost after the request had left; it may have been billed, and is not sent again."


@dataclass
class Progress:
    """What a listing of a batch's folder says."""

    answered: dict[int, bool] = field(default_factory=dict)
    """Index of a request in the input (from 0): whether it succeeded."""
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    modified_at: datetime | None = None


@dataclass
class SyncBatches:
    """The small batches of one bucket and prefix (`base`)."""

    store: Store
    base: Place
    ask: Ask
    sleep: Sleep = asyncio.sleep

    # -- verbs --------------------------------------------------------------------------------------------------

    async def create(self, part: Part, source: Source, region: str) -> dict[str, Any]:
        """The input and the description, as a job; nothing runs yet."""
        now = datetime.now(UTC)
        id = f"{MARK}{translate.newest_first(now)}-{digest(part.tag)[:8]}"
        folder = self.base / "batches" / translate.job_name(part.tag)
        request = translate.job_request(part, folder, None, translate.WINDOW_HOURS, None)
        job = {**translate.just_created(request, _arn(region, id)), "totalRecordCount": part.requests}
        await self.store.upload(translate.input_place(job), source, media_type="application/jsonl")
        await self.store.put(self._description(id), orjson.dumps(job))
        return await self.job(id)

    async def job(self, id: str) -> dict[str, Any]:
        """The batch as it is now, in the form of a job. Raises NotFoundError."""
        job = await self._described(id)
        progress = await self._progress(job)
        counts = await self._manifest(job) if progress.ended_at else _counts(job, progress)
        return {
            **job,
            **counts,
            "status": _status(counts, progress),
            "lastModifiedTime": _iso(progress.modified_at) or job["submitTime"],
            "endTime": _iso(progress.ended_at),
            "cancelTime": _iso(progress.canceled_at),
        }

    async def ids(self, after: str = "") -> AsyncGenerator[str]:
        """Ids, newest first, behind the id `after`."""
        key = self._description(after).key if after else ""
        async for entry in self.store.walk(self.base / "sync" / "", after=key):
            if id := _id_of(entry.key):
                yield id

    async def find(self, tag: str, since: datetime) -> str | None:
        """The id of the batch that was made for an intent after `since`."""
        async for id in self.ids():
            if created_at(id) < since:
                return None
            if id.endswith(f"-{digest(tag)[:8]}"):
                return id
        return None

    async def cancel(self, id: str) -> None:
        """Ask whoever runs it to stop after the requests on their way; with nobody running it, it ends now."""
        job = await self._described(id)
        if await self._has_ended(job):
            raise ConflictError(f"The batch {id} has ended.", provider=PROVIDER)
        await self.store.put(_folder(job) / "cancel", b"")
        async with self._lease(job).taken() as mine:
            if mine and not await self._has_ended(job):
                await self._finish(job)

    async def run(self, id: str) -> None:
        """Ask what is not answered yet, and end the batch; where another process is at it, wait for that."""
        job = await self._described(id)
        while not await self._has_ended(job):
            lease = self._lease(job)
            async with lease.taken() as mine:
                # Looked at again: once a batch has ended its answers are gone from their place.
                if mine and not await self._has_ended(job):
                    await lease.hold(self._work(job))
                    return
            await self.sleep(LOOK_SECONDS)

    # -- state --------------------------------------------------------------------------------------------------

    def _description(self, id: str) -> Place:
        return self.base / "sync" / f"{id}.json"

    async def _described(self, id: str) -> dict[str, Any]:
        try:
            job: dict[str, Any] = orjson.loads(await self.store.get(self._description(id)))
        except NotFoundError:
            missing = f"There is no batch '{id}' in s3://{self.base.bucket}/{self.base.key}."
            hint = "It lives in the bucket and prefix that it was created in: BIFROST_BEDROCK_BUCKET and _PREFIX."
            raise NotFoundError(missing, hint=hint, provider=PROVIDER) from None
        return job

    async def _progress(self, job: dict[str, Any]) -> Progress:
        progress = Progress()
        async for entry in self.store.walk(_folder(job) / ""):
            name = entry.key.removeprefix(_folder(job).key + "/")
            if name.startswith("answers/"):
                index, _, outcome = name.removeprefix("answers/").partition(".")
                progress.answered[int(index)] = outcome == "ok"
            elif name == "cancel":
                progress.canceled_at = entry.modified
            elif name == "manifest.json.out":
                progress.ended_at = entry.modified
            if name != "lease":
                progress.modified_at = max(progress.modified_at or entry.modified, entry.modified)
        return progress

    async def _has_ended(self, job: dict[str, Any]) -> bool:
        return await self._exists(_folder(job) / "manifest.json.out")

    async def _manifest(self, job: dict[str, Any]) -> dict[str, Any]:
        manifest = orjson.loads(await self.store.get(_folder(job) / "manifest.json.out"))
        return {name: manifest[name] for name in COUNTERS}

    def _lease(self, job: dict[str, Any]) -> Lease:
        return Lease(self.store, _folder(job) / "lease")

    async def _exists(self, place: Place) -> bool:
        try:
            await self.store.head(place)
        except NotFoundError:
            return False
        return True

    # -- work ---------------------------------------------------------------------------------------------------

    async def _work(self, job: dict[str, Any]) -> None:
        requests, lock = self._unanswered(job), asyncio.Lock()
        failures: list[Exception] = []

        async def worker() -> None:
            while not failures:
                try:
                    async with lock:
                        request = await anext(requests, None)
                    if request is None:
                        return
                    await self._answer(job, *request)
                except Exception as error:
                    failures.append(error)

        async with contextlib.aclosing(requests):
            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        if failures:
            raise failures[0]
        await self._finish(job)

    async def _unanswered(self, job: dict[str, Any]) -> AsyncGenerator[tuple[int, dict[str, Any]]]:
        answered = (await self._progress(job)).answered
        index = 0
        async for line in self.store.lines(translate.input_place(job)):
            if index not in answered:
                if await self._exists(_folder(job) / "cancel"):
                    return
                yield index, orjson.loads(line)
            index += 1

    async def _answer(self, job: dict[str, Any], index: int, request: dict[str, Any]) -> None:
        """Ask, and keep what came before anything else is done."""
        outcome = await self._outcome(job, request["modelInput"])
        name = f"{index:06}.{'error' if 'error' in outcome else 'ok'}"
        await self.store.put(_folder(job) / "answers" / name, orjson.dumps(outcome))

    async def _outcome(self, job: dict[str, Any], body: Any) -> dict[str, Any]:
        """`modelOutput` or `error`, as a line of a job's output has it.

        An answer of 5xx says that nothing was generated, so it is asked again; a lost answer may have been billed.
        """
        region = translate.JobId.of_arn(job["jobArn"]).region
        for attempt in range(ATTEMPTS):
            try:
                return {"modelOutput": await self.ask(region, job["modelId"], job["modelInvocationType"], body)}
            except OutcomeUnknownError as error:
                if not isinstance(error.__cause__, BifrostError):
                    return _error(_lost(error))
                failure = error.__cause__
            except STOPS_ALL:
                raise
            except BifrostError as error:
                return _error(error)
            if attempt < ATTEMPTS - 1:
                await self.sleep(FIRST_PAUSE * 2**attempt)
        return _error(failure)

    async def _finish(self, job: dict[str, Any]) -> None:
        """Write the output, then the manifest; the answers are in it now."""
        progress = await self._progress(job)
        source = translate.input_place(job)
        with tempfile.TemporaryDirectory(prefix="bifrost-") as folder:
            spool = Path(folder) / "out"
            tokens = await self._write_output(job, progress, spool)
            name = f"{source.key.rpartition('/')[2]}.out"
            await self.store.upload(_folder(job) / name, Source(spool), media_type="application/jsonl")
        manifest = {**_counts(job, progress), **tokens}
        await self.store.put(_folder(job) / "manifest.json.out", orjson.dumps(manifest))
        for index, good in progress.answered.items():
            await self.store.delete(_folder(job) / "answers" / f"{index:06}.{'ok' if good else 'error'}")

    async def _write_output(self, job: dict[str, Any], progress: Progress, spool: Path) -> dict[str, int]:
        """The lines that were answered, in input order; returns the tokens that they took."""
        tokens, index = {"inputTokenCount": 0, "outputTokenCount": 0}, 0
        with spool.open("wb") as out:
            async for line in self.store.lines(translate.input_place(job)):
                if (good := progress.answered.get(index)) is not None:
                    name = f"{index:06}.{'ok' if good else 'error'}"
                    outcome = orjson.loads(await self.store.get(_folder(job) / "answers" / name))
                    out.write(orjson.dumps({**orjson.loads(line), **outcome}, option=orjson.OPT_APPEND_NEWLINE))
                    usage = member(outcome, "modelOutput", "usage")
                    tokens["inputTokenCount"] += count(member(usage, "inputTokens") or member(usage, "input_tokens"))
                    tokens["outputTokenCount"] += count(member(usage, "outputTokens") or member(usage, "output_tokens"))
                index += 1
        return tokens


ID = re.compile(MARK + r"[0-9a-f]{11}-[0-9a-f]{8}")
COUNTERS = ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount")


def is_sync(job: str) -> bool:
    """Whether a job's id is one of ours."""
    return job.startswith(MARK)


def created_at(id: str) -> datetime:
    """When a batch was created, which its id says."""
    return translate.moment(id.removeprefix(MARK).partition("-")[0])


def _id_of(key: str) -> str | None:
    """The id in a description's key; None for an object that is no description."""
    found = key.rpartition("/")[2].removesuffix(".json")
    return found if ID.fullmatch(found) else None


def _arn(region: str, id: str) -> str:
    """Of the form of a job's, so that it is read like one."""
    return f"arn:aws:bedrock:{region}::model-invocation-job/{id}"


def _folder(job: dict[str, Any]) -> Place:
    place = translate.output_place(job)
    return Place(place.bucket, place.key.rstrip("/"))


def _counts(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    good = sum(progress.answered.values())
    done = len(progress.answered)
    return dict(zip(COUNTERS, (job["totalRecordCount"], done, good, done - good), strict=True))


def _status(counts: dict[str, Any], progress: Progress) -> str:
    if progress.ended_at:
        return "Completed" if counts["processedRecordCount"] == counts["totalRecordCount"] else "Stopped"
    return "Stopping" if progress.canceled_at else "InProgress"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _error(error: BifrostError) -> dict[str, Any]:
    return {
        "error": {"errorCode": error.status, "errorMessage": error.message, "expired": False, "retryable": False},
    }


def _lost(error: OutcomeUnknownError) -> BifrostError:
    late = type(error.__cause__).__name__.endswith("Timeout")
    return (UpstreamTimeoutError if late else BifrostError)(LOST, provider=PROVIDER)
