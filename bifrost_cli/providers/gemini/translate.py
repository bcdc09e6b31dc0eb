"""Hub -> wire and wire -> hub: lines of batch input, result lines, files and batches."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson

from bifrost_cli.errors import BifrostError, InvalidRequestError
from bifrost_cli.models import (
    Batch,
    BatchError,
    BatchResult,
    File,
    Page,
    ProcessingStatus,
    RequestCounts,
    errored,
    succeeded,
)
from bifrost_cli.providers.base import block_members
from bifrost_cli.providers.gemini import answers, generate
from bifrost_cli.providers.gemini.checks import PROVIDER, Drop, Terms
from bifrost_cli.providers.gemini.failures import CANCELLED, GRPC, RESOURCE_EXHAUSTED, describe
from bifrost_cli.providers.gemini.models import traits

T = TypeVar("T")
HOST = "generativelanguage.googleapis.com"
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


# -- requests ---------------------------------------------------------------------------------------------------


def encoder(params: dict[str, Any], schema_form: str, files: str, drop: Drop) -> generate.Generate:
    """Of requests with these settings. `files` is the address that file ids are below."""
    model, terms = _terms(params["model"], schema_form, files, drop)
    return generate.Generate({**params, "model": model}, terms)


@lru_cache(maxsize=1024)
def _terms(model: str, schema_form: str, files: str, drop: Drop) -> tuple[str, Terms]:
    name = model_name(model)
    return name, Terms(drop, traits(name), schema_form, files)


def files_addressed(params: dict[str, Any], base_url: str) -> Iterator[str]:
    """The ids of the files that a canonical request names by their addresses."""
    hosts = (HOST, urlsplit(base_url).hostname)
    for url in map(str, block_members(params, "url")):
        if _host(url) in hosts:
            yield url.rpartition("/files/")[2]


def _host(url: str) -> str | None:
    try:
        return urlsplit(url.strip()).hostname
    except ValueError:
        return None


def model_name(given: str) -> str:
    """A model's name without `models/`. Raises InvalidRequestError where it is none."""
    name = given[7:] if given[:7].lower() == "models/" else given
    if not MODEL.fullmatch(name):
        raise InvalidRequestError(f"model: '{given}' is not the name of a Gemini model.", provider=PROVIDER)
    return name


# -- results ----------------------------------------------------------------------------------------------------

RESULT = frozenset({"key", "response", "error"})
GENERATED = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})
"""Members of which any answer of `generateContent` has some."""


def decode_result(line: bytes, number: int, model: str) -> BatchResult:
    """A line of a result file, `{"key","response"}` or `{"key","error"}` in any order (recorded 2025-07); `number` is
    1-based and names results of inputs without keys, `model` is the batch's."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict) or RESULT.isdisjoint(row):
        raise BifrostError(
            "A line of Gemini's results is not an object with a response or an error.", provider=PROVIDER
        )
    return _decode_row(answers.text(row.get("key")) or f"line-{number}", row, model)


def decode_inlined(item: dict[str, Any], number: int, model: str) -> BatchResult:
    """A result of a batch whose requests were inline: the key is in its metadata, under any name."""
    metadata = answers.object_of(item.get("metadata"))
    key = answers.text(metadata.get("key")) or next(filter(None, map(answers.text, metadata.values())), "")
    return _decode_row(key or f"line-{number}", item, model)


def _decode_row(custom_id: str, row: dict[str, Any], model: str) -> BatchResult:
    response, error = row.get("response"), row.get("error")
    if error and isinstance(error, dict):
        return _decode_failure(custom_id, error)
    if not response or not isinstance(response, dict):
        return errored(custom_id, "api_error", "Gemini's result for this request is empty.")
    if GENERATED.isdisjoint(response):
        return succeeded(custom_id, foreign(response, custom_id, model))
    try:
        return succeeded(custom_id, generate.decode(response, custom_id, model))
    except BifrostError as error:
        return errored(custom_id, error.type, error.message)


def foreign(response: dict[str, Any], custom_id: str, model: str) -> dict[str, Any]:
    """What is no conversation (embeddings): a message without content, and the answer whole as its member `body`."""
    id = answers.message_id(answers.text(response.get("responseId")), custom_id)
    message = answers.message(response, id, [], "end_turn", model=model)
    return {**message, "body": response}


def _decode_failure(custom_id: str, error: dict[str, Any]) -> BatchResult:
    """A status: `code` is gRPC's number (recorded 2026-06: 1 for those that a cancel left out)."""
    code = answers.count(error.get("code"))
    if code in (CANCELLED, 499):
        return {"custom_id": custom_id, "result": {"type": "canceled"}}
    kind, message = describe(error, code)
    return errored(custom_id, kind.type, message)


# -- files ------------------------------------------------------------------------------------------------------

EPOCH = datetime.fromtimestamp(0, UTC)


def to_file(answer: dict[str, Any]) -> File:
    """File. Its `state` is a member of ours: PROCESSING (video takes a while), ACTIVE or FAILED."""
    id = native(answer.get("name"), "files")
    return File.model_validate(
        {
            "id": id,
            "filename": answers.text(answer.get("displayName")) or id,
            "mime_type": answers.text(answer.get("mimeType")) or "application/octet-stream",
            "size_bytes": answers.count(answer.get("sizeBytes")),
            "created_at": _time(answer.get("createTime")) or EPOCH,
            "expires_at": _time(answer.get("expirationTime")),
            "downloadable": answer.get("source") == "GENERATED",
            "provider": PROVIDER,
            "state": answers.text(answer.get("state")) or None,
        }
    )


def to_files(answer: dict[str, Any]) -> Page[File]:
    """A page of files."""
    return to_page(answer, "files", to_file)


def to_page(answer: dict[str, Any], name: str, to: Callable[[dict[str, Any]], T]) -> Page[T]:
    """A page of a list; an empty one may be `{}`."""
    if answer and answer.keys().isdisjoint({name, "nextPageToken"}):
        raise BifrostError(f"Gemini's answer is no list of {name}.", hint="Is the address right?", provider=PROVIDER)
    return Page([to(item) for item in answer.get(name) or ()], answer.get("nextPageToken") or None)


def native(name: Any, collection: str) -> str:
    """`abc` of `files/abc`. Raises BifrostError where there is no name."""
    if not answers.text(name):
        raise BifrostError(f"Gemini's answer names no {collection.removesuffix('s')}.", provider=PROVIDER)
    return answers.text(name).removeprefix(f"{collection}/")


# -- batches ----------------------------------------------------------------------------------------------------

PREFIXES = ("BATCH_STATE_", "JOB_STATE_")
"""The wire has the first; Google's guides and SDKs have the second."""
STATUS: dict[str, ProcessingStatus] = {
    "PENDING": "in_progress",
    "RUNNING": "in_progress",
    "CANCELLING": "canceling",
    "SUCCEEDED": "ended",
    "PARTIALLY_SUCCEEDED": "ended",
    "FAILED": "ended",
    "CANCELLED": "ended",
    "EXPIRED": "ended",
}
"""A state that is not here is a new one, and taken for running."""
REST = {
    "SUCCEEDED": "errored",
    "PARTIALLY_SUCCEEDED": "errored",
    "FAILED": "errored",
    "CANCELLED": "canceled",
    "EXPIRED": "expired",
}
"""What became of requests that an ended batch's counters leave out."""
LIFE = timedelta(hours=48)
"""After which a batch that has not ended expires (documented)."""
PATIENCE = timedelta(minutes=2)
"""How long after its end a batch may lack its result file, which is sometimes named later than the state (reported)."""


def to_batch(answer: dict[str, Any], now: datetime | None = None) -> Batch:
    """An Operation over a GenerateContentBatch. `results_url` stays empty: the results are a file, found by `raw`."""
    metadata = answers.object_of(answer.get("metadata"))
    state = _state(answer, metadata)
    status = _status(state, answer, now or datetime.now(UTC))
    created_at = _time(metadata.get("createTime")) or EPOCH
    ended_at = _time(metadata.get("endTime")) or _time(metadata.get("updateTime"))
    return Batch(
        id=native(answer.get("name") or metadata.get("name"), "batches"),
        processing_status=status,
        request_counts=to_counts(metadata.get("batchStats"), state if status == "ended" else ""),
        created_at=created_at,
        expires_at=created_at + LIFE,
        ended_at=ended_at if status == "ended" else None,
        provider=PROVIDER,
        provider_status=state or None,
        errors=_errors(answer.get("error")) if state == "FAILED" else None,
        raw=answer,
    )


def to_batches(answer: dict[str, Any]) -> Page[Batch]:
    """A page of batches. Those whose requests were inline lack their results here."""
    return to_page(answer, "operations", to_batch)


def to_counts(given: Any, state: str) -> RequestCounts:
    """Counts that sum to the total: Gemini's own (64-bit numbers as text, zeros left out), and the rest by state."""
    stats = answers.object_of(given)
    names = ("successfulRequestCount", "failedRequestCount", "pendingRequestCount", "requestCount")
    done, failed, pending, total = (answers.count(stats.get(name)) for name in names)
    if state == "EXPIRED":  # A batch that expired has no results, whatever it had done (documented).
        return RequestCounts(expired=max(total, done + failed + pending))
    counts = RequestCounts(succeeded=done, errored=failed)
    name = REST.get(state, "processing")
    setattr(counts, name, getattr(counts, name) + max(total - done - failed, pending))
    return counts


def missing_result(batch: Batch, custom_id: str, line: int) -> BatchResult:
    """The outcome of a request that an ended batch's results do not mention, by the batch's state."""
    if batch.provider_status == "CANCELLED":
        return {"custom_id": custom_id, "result": {"type": "canceled"}}
    if batch.provider_status == "EXPIRED":
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    if batch.provider_status == "FAILED":
        error = answers.object_of(batch.raw.get("error"))
        kind, message = describe(error, answers.count(error.get("code")))
        return errored(custom_id, kind.type, message if error else NO_REASON)
    return errored(custom_id, "api_error", "Gemini's results do not mention this request.")


def quota_refused(batch: Batch) -> bool:
    """Whether a batch failed whole because too many tokens were enqueued (gRPC 8)."""
    error = answers.object_of(batch.raw.get("error"))
    refused = batch.provider_status == "FAILED" and error.get("code") == RESOURCE_EXHAUSTED
    return refused and not batch.request_counts.succeeded


def member(answer: dict[str, Any], name: str) -> str:
    """A text that an operation says of its batch; empty where it says none."""
    return answers.text(answers.object_of(answer.get("metadata")).get(name))


def results_file(answer: dict[str, Any]) -> str | None:
    """The native id of the result file; None where there is none (yet)."""
    name = answers.text(_output(answer).get("responsesFile"))
    return native(name, "files") if name else None


def inlined(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a batch whose requests were inline, in their order."""
    return answers.objects(answers.object_of(_output(answer).get("inlinedResponses")).get("inlinedResponses"))


def _output(answer: dict[str, Any]) -> dict[str, Any]:
    """Both places hold the same (recorded 2025-12 to 2026-08)."""
    metadata = answers.object_of(answer.get("metadata"))
    return answers.object_of(metadata.get("output")) or answers.object_of(answer.get("response"))


def _state(answer: dict[str, Any], metadata: dict[str, Any]) -> str:
    """The state without its prefix; where there is none, what `done` says."""
    state = answers.text(metadata.get("state"))
    for prefix in PREFIXES:
        state = state.removeprefix(prefix)
    if state in ("", "UNSPECIFIED") and answer.get("done"):
        return "FAILED" if answer.get("error") else "SUCCEEDED"
    return state


def _status(state: str, answer: dict[str, Any], now: datetime) -> ProcessingStatus:
    status = STATUS.get(state, "in_progress")
    if status == "ended" and state.endswith("SUCCEEDED") and _awaits_file(answer, now):
        return "in_progress"
    return status


def _awaits_file(answer: dict[str, Any], now: datetime) -> bool:
    """Whether a batch from a file has just ended, and its results are not named yet."""
    metadata = answers.object_of(answer.get("metadata"))
    from_file = answers.object_of(metadata.get("inputConfig")).get("fileName")
    ended_at = _time(metadata.get("endTime")) or _time(metadata.get("updateTime"))
    return bool(from_file and not results_file(answer) and ended_at and now - ended_at < PATIENCE)


NO_REASON = "Gemini failed the batch and gave no reason."


def _errors(given: Any) -> list[BatchError]:
    error = answers.object_of(given)
    code = answers.count(error.get("code"))
    _, message = describe(error, code)
    return [BatchError(code=GRPC[code].name if code in GRPC else None, message=message if error else NO_REASON)]


def _time(value: Any) -> datetime | None:
    """An RFC 3339 time, of which anything below a microsecond is cut."""
    try:
        time = datetime.fromisoformat(answers.text(value))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
