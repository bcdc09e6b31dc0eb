"""Hub -> wire and wire -> hub: the choice of endpoint, files, batches and result lines."""

import mimetypes
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from bifrost_cli.errors import BifrostError, InvalidRequestError, UnsupportedError
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
from bifrost_cli.providers.encoder import Encoder, Kind, Line
from bifrost_cli.providers.openai import answers, chat, reasoning, responses
from bifrost_cli.providers.openai.checks import PROVIDER, Drop, dumps, invalid, refuse
from bifrost_cli.providers.openai.failures import describe, unfinished, with_code
from bifrost_cli.providers.openai.fields import LEAVE_OUT_OR_CHAT

T = TypeVar("T", Batch, File)
ENDPOINTS = (
    responses.ENDPOINT,
    chat.ENDPOINT,
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
"""Those that a batch may be of (documented)."""


# -- requests ---------------------------------------------------------------------------------------------------


def encoder(params: dict[str, Any], mode: str, drop: Drop) -> Encoder[Drop]:
    """Of requests with these settings. `mode` is the `endpoint` setting: auto, responses or chat."""
    return ENCODERS[mode](params, drop)


def _auto(params: dict[str, Any], drop: Drop) -> Encoder[Drop]:
    """Responses; Chat only for stop sequences, which Responses lacks, and only where there are no tools, since newer
    models refuse tools on Chat."""
    if not params.get("stop_sequences") or reasoning.traits(params["model"]).reasons:
        return responses.Responses(params, drop)
    if params.get("tools"):
        reason = "a request with tools goes to the Responses endpoint, which has no stop sequences"
        refuse("stop_sequences", reason, drop, LEAVE_OUT_OR_CHAT)
        return responses.Responses(params, drop)
    try:
        return _ChatFirst(params, drop)
    except UnsupportedError as error:
        instead = _without_stops(params, drop)
        _refuse_stops(error, drop)
        return instead


class _ChatFirst(chat.Chat):
    """Chat, and Responses for messages that Chat cannot carry."""

    def translate(self, messages: list[Any]) -> tuple[Encoder[Drop], list[Any]]:
        try:
            return super().translate(messages)
        except UnsupportedError as error:
            instead = _without_stops(self.params, self.terms).translate(messages)
            _refuse_stops(error, self.terms)
            return instead


def _without_stops(params: dict[str, Any], drop: Drop) -> Encoder[Drop]:
    """Responses; what it cannot carry either is refused there again."""
    return responses.Responses(params, drop | {"stop_sequences"})


def _refuse_stops(error: UnsupportedError, drop: Drop) -> None:
    refuse("stop_sequences", f"only Chat Completions has stop sequences, and it does not take {error.field}", drop)


ENCODERS: dict[str, Callable[[dict[str, Any], Drop], Encoder[Drop]]] = {
    "auto": _auto,
    "responses": responses.Responses,
    "chat": chat.Chat,
}


def owns(line: dict[str, Any]) -> bool:
    """Whether a line of input is OpenAI's own `{"custom_id","method","url","body"}`, or meant to be."""
    return "params" not in line and ("body" in line or "url" in line)


def encode_own(line: dict[str, Any]) -> Line:
    """OpenAI's own line, as it is. Raises InvalidRequestError where the batch would fail for it."""
    custom_id, body, url = line.get("custom_id"), line.get("body"), line.get("url")
    if not isinstance(custom_id, str) or not custom_id:
        invalid("custom_id", "a string that is not empty", custom_id)
    if line.get("method") != "POST":
        invalid("method", '"POST"', line.get("method"))
    if url not in ENDPOINTS:
        invalid("url", f"one of {', '.join(ENDPOINTS)}", url)
    if not isinstance(body, dict):
        invalid("body", "an object", body)
    if not isinstance(body.get("model"), str) or not body["model"]:
        invalid("body.model", "a string that is not empty", body.get("model"))
    if body.get("stream"):
        raise InvalidRequestError("body.stream: a batch cannot stream; leave it out.", provider=PROVIDER)
    return Line(custom_id, Kind(body["model"], str(url)), dumps(line, "body"))


def endpoint_of(line: bytes) -> str:
    """The endpoint that a line of an uploaded file is for. Raises InvalidRequestError where it is no batch line."""
    row = _object(line)
    if row is None or row.get("url") not in ENDPOINTS:
        reason = "The file does not begin with a line of OpenAI's batch form"
        raise InvalidRequestError(f'{reason} ({{"custom_id","method","url","body"}}).', provider=PROVIDER)
    return str(row["url"])


# -- results ----------------------------------------------------------------------------------------------------

UNFINISHED = ("failed", "cancelled", "in_progress", "queued")


def decode_result(line: bytes) -> BatchResult:
    """A line of an output or error file; the two share one shape."""
    row = _row(line)
    custom_id, response, error = row["custom_id"], row.get("response"), row.get("error")
    if isinstance(response, dict):
        return _decode_response(custom_id, row, response)
    if isinstance(error, dict) and error:
        return _decode_failure(custom_id, error)
    return errored(custom_id, "api_error", "OpenAI's result for this request is empty.")


def custom_id_of(line: bytes) -> str | None:
    """The custom_id of a line of input; None where it has none that can be read."""
    row = _object(line)
    return answers.text(row.get("custom_id")) or None if row else None


def _row(line: bytes) -> dict[str, Any]:
    row = _object(line)
    if row is None or not isinstance(row.get("custom_id"), str):
        raise BifrostError("A line of OpenAI's results is not an object with a custom_id.", provider=PROVIDER)
    return row


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _decode_response(custom_id: str, row: dict[str, Any], response: dict[str, Any]) -> BatchResult:
    body = response.get("body")
    body = body if isinstance(body, dict) else {}
    if failure := _failure(row, response.get("status_code"), body):
        return errored(custom_id, *failure, answers.text(response.get("request_id")) or None)
    message = decode_body(body)
    if not body.get("id"):
        message["id"] = answers.message_id(row.get("id") or custom_id)
    return succeeded(custom_id, message)


def _failure(row: dict[str, Any], status: Any, body: dict[str, Any]) -> tuple[str, str] | None:
    """The error type and message of an answer that is none; some servers leave the status out."""
    refused = type(status) is int and status >= 400
    if refused or (body.get("error") and "output" not in body and "choices" not in body):
        kind, message = describe(body.get("error") or row.get("error"), status if refused else 500)
        return kind.type, message
    if body.get("status") in UNFINISHED and body.get("object") == "response":
        failure = unfinished(body)
        return failure.type, failure.message
    return None if body else ("api_error", "OpenAI's result for this request has no body.")


def decode_body(body: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's message from an answer of either endpoint, or of another."""
    if isinstance(body.get("output"), list):
        return responses.decode(body)
    if isinstance(body.get("choices"), list):
        return chat.decode(body)
    return foreign(body)


def foreign(body: dict[str, Any]) -> dict[str, Any]:
    """What an endpoint answers that is no conversation (embeddings, moderations, images): a message without content,
    and the answer whole as its member `body`."""
    return {**answers.message(body, [], "end_turn", chat.USAGE), "body": body}


def _decode_failure(custom_id: str, error: dict[str, Any]) -> BatchResult:
    code = error.get("code")
    if code == "batch_expired":
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    if code == "batch_cancelled":
        return {"custom_id": custom_id, "result": {"type": "canceled"}}
    kind, message = describe(error, code if type(code) is int and code >= 400 else 500)
    return errored(custom_id, kind.type, message)


# -- objects ----------------------------------------------------------------------------------------------------

NOT_DOWNLOADABLE = ("user_data", "assistants")
"""Purposes whose files are refused (`Not allowed to download files of purpose: user_data`)."""
MIME_TYPES = mimetypes.MimeTypes()
MIME_TYPES.add_type("application/jsonl", ".jsonl")
STATUS: dict[str, ProcessingStatus] = {
    "validating": "in_progress",
    "in_progress": "in_progress",
    "finalizing": "in_progress",
    "cancelling": "canceling",
    "completed": "ended",
    "failed": "ended",
    "expired": "ended",
    "cancelled": "ended",
}
"""A state that is not here is a new one, and taken for running."""
REST = {"completed": "errored", "failed": "errored", "expired": "expired", "cancelled": "canceled"}
"""What became of requests that an ended batch's counters leave out."""
QUOTA_REFUSED = "token_limit_exceeded"
ENDED_AT = ("completed_at", "failed_at", "expired_at", "cancelled_at")
WINDOW = timedelta(hours=24)
EPOCH = datetime.fromtimestamp(0, UTC)


def to_file(answer: dict[str, Any], media_type: str | None = None) -> File:
    """FileObject. OpenAI keeps no MIME type: it is guessed by name, unless the caller knows it."""
    id, name, purpose = id_of(answer), answers.text(answer.get("filename")), answer.get("purpose")
    return File(
        id=id,
        filename=name,
        mime_type=media_type or MIME_TYPES.guess_type(name)[0] or "application/octet-stream",
        size_bytes=answers.count(answer.get("bytes")),
        created_at=_time(answer.get("created_at")) or EPOCH,
        expires_at=_time(answer.get("expires_at")),
        downloadable=purpose not in NOT_DOWNLOADABLE,
        provider=PROVIDER,
        purpose=answers.text(purpose) or None,
    )


def to_page(answer: Any, to: Callable[[dict[str, Any]], T]) -> Page[T]:
    """A list: `{"data","has_more","last_id"}`; some servers write null for an empty one."""
    if not isinstance(answer, dict) or not isinstance(answer.get("data", 0), list | None):
        raise BifrostError("OpenAI's answer is not a list.", hint="Is the address right?", provider=PROVIDER)
    data = [to(item) for item in answer["data"] or ()]
    return Page(data, (answer.get("last_id") or data[-1].id) if data and answer.get("has_more") else None)


def to_batch(answer: dict[str, Any]) -> Batch:
    """Batch. Its `results_url` stays empty: results are in two files, found by `raw`."""
    id, state = id_of(answer), answers.text(answer.get("status"))
    processing_status = STATUS.get(state, "in_progress")
    created_at = _time(answer.get("created_at")) or EPOCH
    ended = [_time(answer.get(name)) for name in (f"{state}_at", *ENDED_AT)]
    return Batch(
        id=id,
        processing_status=processing_status,
        request_counts=to_counts(answer.get("request_counts"), state),
        created_at=created_at,
        expires_at=_time(answer.get("expires_at")) or created_at + WINDOW,
        ended_at=next(filter(None, ended), None) if processing_status == "ended" else None,
        cancel_initiated_at=_time(answer.get("cancelling_at")),
        provider=PROVIDER,
        provider_status=state or None,
        errors=_errors(answer.get("errors")),
        raw=answer,
    )


def to_counts(given: Any, state: str) -> RequestCounts:
    """Counts that sum to the total. While running: OpenAI's live counters. At the end its counters too, and the rest by
    state, since OpenAI's `failed` leaves expired and cancelled requests out. A refused batch says 0 of all."""
    given = given if isinstance(given, dict) else {}
    completed, failed = answers.count(given.get("completed")), answers.count(given.get("failed"))
    rest = max(0, answers.count(given.get("total")) - completed - failed)
    counts = RequestCounts(succeeded=completed, errored=failed)
    name = REST.get(state, "processing")
    setattr(counts, name, getattr(counts, name) + rest)
    return counts


def missing_result(batch: Batch, custom_id: str, line: int) -> BatchResult:
    """The outcome of a request that an ended batch's files do not mention, by the batch's state."""
    if batch.provider_status == "expired":
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    if batch.provider_status == "cancelled":
        return {"custom_id": custom_id, "result": {"type": "canceled"}}
    if batch.provider_status == "failed":
        return errored(custom_id, "invalid_request_error", _refusal(batch, line))
    return errored(custom_id, "api_error", "OpenAI's result files do not mention this request.")


def quota_refused(batch: Batch) -> bool:
    """Whether a batch was refused whole because too many tokens are enqueued for its model (reported 2025-02)."""
    codes = [error.code for error in batch.errors or ()]
    return batch.provider_status == "failed" and QUOTA_REFUSED in codes


def _refusal(batch: Batch, line: int) -> str:
    """Why a batch was refused: the entry of this line, else the first, which then blames another."""
    errors = batch.errors or [BatchError(message="OpenAI refused the batch and gave no reason.")]
    mine = next((error for error in errors if error.line == line), None)
    error = mine or errors[0]
    message = with_code(error.message, error.code)
    return message if mine or error.line is None else f"The batch was refused for its line {error.line}: {message}"


def _errors(given: Any) -> list[BatchError] | None:
    entries = answers.objects(given.get("data") if isinstance(given, dict) else given)
    return [
        BatchError(
            code=answers.text(entry.get("code")) or None,
            message=answers.text(entry.get("message")) or answers.text(entry.get("code")) or "OpenAI gave no reason.",
            line=answers.count(entry.get("line")) or None,
        )
        for entry in entries
    ] or None


def id_of(answer: Any) -> str:
    """Of a file or batch. Raises BifrostError where there is none."""
    if isinstance(answer, dict) and isinstance(answer.get("id"), str) and answer["id"]:
        return str(answer["id"])
    raise BifrostError("OpenAI's answer has no id.", hint="Is the address right?", provider=PROVIDER)


def to_time(seconds: Any) -> str:
    """A Unix time as Anthropic writes it."""
    return (_time(seconds) or EPOCH).isoformat()


def _time(seconds: Any) -> datetime | None:
    """A Unix time; absent where it is null or 0."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds <= 0:
        return None
    return datetime.fromtimestamp(seconds, UTC)
