"""OpenAI's Batch API.

Creating a batch looks at its envelope only; the input file is validated later, and a batch that does not pass ends
as `failed`, with nothing run and no files (reported).
"""

import os
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.account import StoredBatch, StoredFile
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, fresh_hex
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, SUCCEEDED, finished, tally
from bifrost_cli.sandbox.openai import intake, models
from bifrost_cli.sandbox.openai.endpoint import has_file
from bifrost_cli.sandbox.openai.endpoints import ENDPOINTS, SUPPORTED
from bifrost_cli.sandbox.openai.errors import Refusal, fit, missing
from bifrost_cli.sandbox.openai.files import find
from bifrost_cli.sandbox.openai.json import parse, pretty
from bifrost_cli.sandbox.openai.paging import read_limit
from bifrost_cli.sandbox.openai.params import metadata, text
from bifrost_cli.sandbox.openai.settling import moment_of, settle, settle_one
from bifrost_cli.sandbox.shape import anything, choice, integer, record
from bifrost_cli.sandbox.timeline import LIFE, Moment, Stage

MAX_LIMIT = 100
_EXPIRES = record({"anchor": choice("created_at"), "seconds": integer(3600, 2_592_000)})
_CREATE = record(
    {},
    {
        "input_file_id": text,
        "endpoint": anything,
        "completion_window": choice("24h"),
        "metadata": metadata,
        "output_expires_after": _EXPIRES,
    },
)


def create(call: Call) -> Response:
    """`POST /v1/batches`"""
    body = parse(call.body)
    _check(body)
    with call.sandbox.store.spool() as folder:
        doc, total = _validated(call, body, folder)
        batch = StoredBatch(
            fresh_hex(f"batch_{MARK}", 29), call.now, call.sandbox.pace, total, doc, settled=bool(doc["errors"])
        )
        stored = call.account.add_batch(batch, folder)
    return pretty(_describe(stored, Moment(Stage.VALIDATING, 0.0)))


def _check(body: Any) -> None:
    fit(_CREATE, body)
    for name in ("input_file_id", "endpoint", "completion_window"):
        if name not in body:
            raise missing(name)
    fit(record({"endpoint": choice(*SUPPORTED)}, extra=True), body)
    if body["endpoint"] not in ENDPOINTS:
        runs = " and ".join(ENDPOINTS)
        raise Refusal(f"[sandbox] the sandbox runs batches for {runs} only", param="endpoint", code="invalid_value")


def _validated(call: Call, body: dict[str, Any], folder: Path) -> tuple[dict[str, Any], int]:
    """What is kept of a new batch, and how many requests it has; `errors` is what it will fail with."""
    doc = {
        "input_file_id": body["input_file_id"],
        "endpoint": body["endpoint"],
        "metadata": body.get("metadata"),
        "output_life": (body.get("output_expires_after") or {}).get("seconds"),
    }
    file = find(call, body["input_file_id"])
    error = _file_error(file, body["input_file_id"])
    if file is None or error is not None:
        return {**doc, "errors": [error]}, 0
    os.link(file.path, folder / "input")
    limited = call.sandbox.enqueued_tokens is not None
    read = intake.read(folder, body["endpoint"], has_file(call), count=limited)
    errors = read.errors or _token_errors(call, read)
    unreached = tally(folder)[EXPIRED] > 0
    kept = {**doc, "model": read.model, "tokens": read.tokens, "expires": unreached, "errors": errors}
    return kept, 0 if errors else len(read.index)


def _file_error(file: StoredFile | None, id: str) -> dict[str, Any] | None:
    if file is None:
        message = f"Cannot find file {id}, or organization bifrost-sandbox does not have access to it."
        return intake.batch_error("invalid_request", message, "file_id")
    if file.purpose != "batch":
        message = f"The file {id} has the purpose '{file.purpose}'; a batch needs a file with the purpose 'batch'."
        return intake.batch_error("invalid_request", message, "file_id")
    return None


def _token_errors(call: Call, read: intake.Intake) -> list[dict[str, Any]]:
    """The limit on what one model's unfinished batches hold, if the sandbox is set to have one."""
    limit = call.sandbox.enqueued_tokens
    if limit is None:
        return []
    open_batches = [batch for batch in call.account.unsettled() if not moment_of(batch, call.now).final]
    enqueued = sum(batch.doc["tokens"] for batch in open_batches if batch.doc["model"] == read.model)
    if enqueued + read.tokens <= limit:
        return []
    message = (
        f"Enqueued token limit reached for {read.model} in organization bifrost-sandbox. Limit: {limit:,} enqueued "
        "tokens. Please try again once some in_progress batches have been completed."
    )
    return [intake.batch_error("token_limit_exceeded", message)]


def get(call: Call) -> Response:
    """`GET /v1/batches/{id}`"""
    batch = settle_one(call, _find(call))
    return pretty(_describe(batch, moment_of(batch, call.now)))


def listing(call: Call) -> Response:
    """`GET /v1/batches`, newest first"""
    settle(call)
    after = call.query.get("after")
    try:
        page = call.account.batches(read_limit(call, 20, MAX_LIMIT), after)
    except LookupError:
        raise _missing(str(after)) from None
    ids = [batch.id for batch in page.rows]
    body = {
        "object": "list",
        "data": [_describe(batch, moment_of(batch, call.now)) for batch in page.rows],
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": page.more,
    }
    return pretty(body)


def cancel(call: Call) -> Response:
    """`POST /v1/batches/{id}/cancel`; a batch that is or was cancelled stays so (reported). Compact (recorded)."""
    batch = _find(call)
    shown = _describe(batch, moment_of(batch, call.now))
    if shown["status"] in ("completed", "failed", "expired"):
        raise Refusal(f"Cannot cancel a batch with status '{shown['status']}'.", 409)
    call.account.cancel_batch(batch.id, call.now)
    cancelled = _find(call)
    moment = moment_of(cancelled, call.now)
    if batch.cancelled is None:  # even at pace 0 the answer to the first cancel shows it under way
        moment = Moment(Stage.CANCELLING, moment.progress, moment.running_at, None, cancelled.cancelled)
    return JSONResponse(_describe(settle_one(call, cancelled) if moment.final else cancelled, moment))


def _find(call: Call) -> StoredBatch:
    batch = call.account.batch(call.path["id"])
    if batch is None:
        raise _missing(call.path["id"])
    return batch


def _missing(id: str) -> Refusal:
    return Refusal(f"No batch found with id '{id}'", 404)


def _status(batch: StoredBatch, moment: Moment) -> str:
    if batch.doc["errors"] and batch.cancelled is None and moment.stage is not Stage.VALIDATING:
        return "failed"
    names = {Stage.RUNNING: "in_progress", Stage.ENDED: "expired" if batch.doc.get("expires") else "completed"}
    return names.get(moment.stage, moment.stage.value)


def _describe(batch: StoredBatch, moment: Moment) -> dict[str, Any]:
    """A Batch, its members in the recorded order. `errors`, counts, model and files appear as the batch gets
    there; `usage` is an object of zeros until it has completed (recorded)."""
    doc, status = batch.doc, _status(batch, moment)
    failed = status == "failed"
    started = moment.running_at is not None and not failed
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": doc["endpoint"],
        "model": models.snapshot(doc["model"]) if started else None,
        "errors": {"object": "list", "data": doc["errors"]} if failed else None,
        "input_file_id": doc["input_file_id"],
        "completion_window": "24h",
        "status": status,
        "output_file_id": doc.get("output_file_id"),
        "error_file_id": doc.get("error_file_id"),
        "created_at": int(batch.created),
        "in_progress_at": _time(moment.running_at, started),
        "expires_at": int(batch.created) + int(LIFE),
        "finalizing_at": _time(moment.finalizing_at, started),
        "completed_at": _time(moment.ended_at, status == "completed"),
        "failed_at": _time(moment.running_at, failed),
        "expired_at": _time(moment.ended_at, status == "expired"),
        "cancelling_at": _time(moment.cancelling_at),
        "cancelled_at": _time(moment.ended_at, status == "cancelled"),
        "request_counts": _counts(batch, moment, started),
        "usage": _usage(doc.get("usage") or {}, status == "completed"),
        "metadata": doc["metadata"],
    }


def _time(seconds: float | None, shown: bool = True) -> int | None:
    return int(seconds) if seconds is not None and shown else None


def _counts(batch: StoredBatch, moment: Moment, started: bool) -> dict[str, int]:
    """Live while the batch runs; what expired or was cancelled is counted nowhere (recorded)."""
    if not started:
        return {"total": 0, "completed": 0, "failed": 0}
    letters = tally(batch.folder, finished(batch.total, moment.progress))
    return {"total": batch.total, "completed": letters[SUCCEEDED], "failed": letters[ERRORED]}


def _usage(usage: dict[str, int], completed: bool) -> dict[str, Any]:
    shown = usage if completed else {}
    return {
        "input_tokens": shown.get("input", 0),
        "output_tokens": shown.get("output", 0),
        "total_tokens": shown.get("input", 0) + shown.get("output", 0),
        "input_tokens_details": {"cached_tokens": shown.get("cached", 0)},
        "output_tokens_details": {"reasoning_tokens": shown.get("reasoning", 0)},
    }
