"""Anthropic's Message Batches API.

Creating a batch checks its envelope; what is wrong inside one request's `params` becomes that request's result.
Everything counts as `processing` until the whole batch has ended (recorded).
"""

from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.account import Page, StoredBatch
from bifrost_cli.sandbox.anthropic import intake
from bifrost_cli.sandbox.anthropic import results as result_lines
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.anthropic.messages import context
from bifrost_cli.sandbox.anthropic.paging import batch_time, only, read_limit
from bifrost_cli.sandbox.http import MB, Call, spool_body, stream
from bifrost_cli.sandbox.ids import MARK, fresh
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, SUCCEEDED, finished, tally
from bifrost_cli.sandbox.timeline import LIFE, Durations, Moment, Stage, Timeline

MAX_BODY = 256 * MB
DURATIONS = Durations(running=2.5, cancelling=1.0)
POLL_SECONDS = "10"


async def create(call: Call) -> Response:
    """`POST /v1/messages/batches`"""
    with call.sandbox.store.spool() as folder:
        with (folder / "input").open("wb") as sink:
            await spool_body(call.request, sink, MAX_BODY)
        return await run_in_threadpool(_create, call, folder)


def _create(call: Call, folder: Path) -> Response:
    total = intake.read(folder, context(call, batch=True))
    doc = {"version": call.request.headers["anthropic-version"]}
    batch = StoredBatch(fresh(f"msgbatch_{MARK}01", 19), call.now, call.sandbox.pace, total, doc)
    stored = call.account.add_batch(batch, folder)
    return JSONResponse(_describe(call, stored, Moment(Stage.RUNNING, 0.0)))


def get(call: Call) -> Response:
    """`GET /v1/messages/batches/{id}`"""
    batch = _find(call)
    moment = _moment(call, batch)
    headers = {"retry-after": POLL_SECONDS} if moment.stage is Stage.RUNNING else {}
    return JSONResponse(_describe(call, batch, moment), headers=headers)


def listing(call: Call) -> Response:
    """`GET /v1/messages/batches`, newest first; `before_id` gives the page of newer ones next to it"""
    only(call, {"limit", "after_id", "before_id"})
    page = _page(call)
    ids = [batch.id for batch in page.rows]
    body = {
        "data": [_describe(call, batch, _moment(call, batch)) for batch in page.rows],
        "has_more": page.more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
    return JSONResponse(body)


def _page(call: Call) -> Page[StoredBatch]:
    after, before = call.query.get("after_id"), call.query.get("before_id")
    if after is not None and before is not None:
        raise Refusal("after_id: cannot be combined with before_id")
    try:
        page = call.account.batches(read_limit(call), before or after, ascending=before is not None)
    except LookupError:
        raise _missing(str(before or after)) from None
    return page if before is None else Page(page.rows[::-1], page.more)


def cancel(call: Call) -> Response:
    """`POST /v1/messages/batches/{id}/cancel`; a batch that is being cancelled stays so. What the service says to a
    batch that has ended is not known; here it is refused."""
    batch = _find(call)
    if _moment(call, batch).final:
        raise Refusal(f"Message Batch {batch.id} has already ended and cannot be canceled.")
    call.account.cancel_batch(batch.id, call.now)
    cancelled = _find(call)
    moment = Moment(Stage.CANCELLING, 0.0, cancelling_at=cancelled.cancelled)
    return JSONResponse(_describe(call, cancelled, moment))


def delete(call: Call) -> Response:
    """`DELETE /v1/messages/batches/{id}`"""
    batch = _find(call)
    if not _moment(call, batch).final:
        raise Refusal("In progress batches cannot be deleted. Consider canceling the batch instead.")
    call.account.delete_batch(batch.id)
    return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})


def results(call: Call) -> Response:
    """`GET /v1/messages/batches/{id}/results`"""
    batch = _find(call)
    moment = _moment(call, batch)
    if not moment.final:
        raise Refusal(f"Message Batch {batch.id} has no available results.", 404)
    headers = {
        "content-type": "application/x-jsonl",
        "content-disposition": f"attachment; filename*=utf-8''{batch.id}_results.jsonl",
    }
    return stream(result_lines.lines(batch, _done(batch, moment), moment, call.account), headers)


def _find(call: Call) -> StoredBatch:
    batch = call.account.batch(call.path["id"])
    if batch is None:
        raise _missing(call.path["id"])
    return batch


def _missing(id: str) -> Refusal:
    return Refusal(f"Message Batch {id} not found.", 404)


def _moment(call: Call, batch: StoredBatch) -> Moment:
    return Timeline(batch.created, DURATIONS, batch.pace).at(call.now, batch.cancelled)


def _done(batch: StoredBatch, moment: Moment) -> int:
    return finished(batch.total, moment.progress)


def _describe(call: Call, batch: StoredBatch, moment: Moment) -> dict[str, Any]:
    """A MessageBatch, its members in the recorded order."""
    cancelling = moment.stage is Stage.CANCELLING
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if moment.final else "canceling" if cancelling else "in_progress",
        "request_counts": _counts(batch, moment),
        "ended_at": batch_time(moment.ended_at),
        "created_at": batch_time(batch.created),
        "expires_at": batch_time(batch.created + LIFE),
        "archived_at": None,
        "cancel_initiated_at": batch_time(batch.cancelled),
        "results_url": f"{call.origin}/v1/messages/batches/{batch.id}/results" if moment.final else None,
    }


def _counts(batch: StoredBatch, moment: Moment) -> dict[str, int]:
    counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    if not moment.final:
        return {**counts, "processing": batch.total}
    done = _done(batch, moment)
    letters = tally(batch.folder, done)
    rest = "canceled" if moment.stage is Stage.CANCELLED else "expired"
    counts |= {"succeeded": letters[SUCCEEDED], "errored": letters[ERRORED], "expired": letters[EXPIRED]}
    counts[rest] += batch.total - done
    return counts
