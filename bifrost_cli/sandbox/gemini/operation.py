"""A batch as Google shows it: an Operation, whose metadata is the batch.

There is no state for a batch that is being cancelled, the numbers of a running one do not move, `done` is absent until
the end, int64 are strings, and numbers of zero are left out (recorded 2025-09 to 2026-08).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bifrost_cli.sandbox.account import StoredBatch
from bifrost_cli.sandbox.gemini.errors import CANCELLED, INTERNAL
from bifrost_cli.sandbox.gemini.times import stamp
from bifrost_cli.sandbox.lines import SUCCEEDED, finished, tally
from bifrost_cli.sandbox.timeline import Durations, Moment, Stage, Timeline

LIFE = 48 * 3600.0
"""Seconds after which a batch that is not finished expires, with no results (documented)."""

DURATIONS = Durations(validating=0.5, running=2.0, finalizing=0.25, cancelling=0.5)
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main"


class State(StrEnum):
    """The states of a batch, without their prefix."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True)
class Standing:
    """Where a batch stands. `ended` is when it ended, in unix seconds; `served` is how many requests were finished;
    `readable` says whether its results can be had."""

    state: State
    ended: float | None = None
    served: int = 0
    readable: bool = False


def moment_of(batch: StoredBatch, now: float) -> Moment:
    return Timeline(batch.created, DURATIONS, batch.pace, LIFE).at(now, batch.cancelled)


def standing(batch: StoredBatch, now: float) -> Standing:
    """Where a batch stands at a time. One with a request that is not reached ends as expired; a cancelled one that had
    started ends as succeeded (recorded 2026-06)."""
    if "failed_at" in batch.doc and now >= batch.doc["failed_at"]:
        return Standing(State.FAILED, batch.doc["failed_at"])
    moment = moment_of(batch, now)
    started = moment.running_at is not None
    if moment.stage is Stage.VALIDATING or (moment.stage is Stage.CANCELLING and not started):
        return Standing(State.PENDING)
    if moment.stage in (Stage.RUNNING, Stage.CANCELLING):
        return Standing(State.RUNNING)
    if moment.stage is Stage.CANCELLED and not started:
        return Standing(State.CANCELLED, moment.ended_at)
    return _ended(batch, moment)


def _ended(batch: StoredBatch, moment: Moment) -> Standing:
    ended = moment.finalizing_at or moment.ended_at
    cancelled = moment.stage is Stage.CANCELLED
    if not cancelled and (moment.progress < 1 or batch.doc["expires"]):
        return Standing(State.EXPIRED, ended)
    # A file of results is there a moment after its batch has succeeded (reported 2026-08).
    readable = moment.final or batch.doc["file"] is None
    return Standing(State.SUCCEEDED, ended, finished(batch.total, moment.progress), readable)


def describe(batch: StoredBatch, stands: Standing, output: Mapping[str, Any] | None) -> dict[str, Any]:
    """The Operation, its members in the recorded order; `output` is what the batch has given, if it is to be shown."""
    shown = output if stands.readable else None
    body: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": _metadata(batch, stands, shown)}
    if stands.ended is None:
        return body
    if stands.state is State.SUCCEEDED:
        answer = {"@type": f"{_TYPE}.GenerateContentBatchOutput", **(shown or {})}
        return {**body, "done": True, "response": answer}
    return {**body, "done": True, "error": batch.doc.get("error") or _failure(batch.id)}


def _failure(id: str) -> dict[str, Any]:
    """The error of a batch that ended without results and has none of its own (recorded 2026-06 for a cancelled
    one)."""
    return {"code": INTERNAL.grpc, "message": f"Batch {id} failed without error."}


def _metadata(batch: StoredBatch, stands: Standing, output: Mapping[str, Any] | None) -> dict[str, Any]:
    file = batch.doc["file"]
    return {
        "@type": f"{_TYPE}.GenerateContentBatch",
        "model": f"models/{batch.doc['model']}",
        "displayName": batch.doc["display_name"],
        **({} if file is None else {"inputConfig": {"fileName": f"files/{file}"}}),
        **({} if output is None else {"output": dict(output)}),
        "createTime": stamp(batch.created),
        **({} if stands.ended is None else {"endTime": stamp(stands.ended)}),
        "updateTime": stamp(batch.created if stands.ended is None else stands.ended),
        "batchStats": _stats(batch, stands),
        "state": f"BATCH_STATE_{stands.state}",
        "name": f"batches/{batch.id}",
        **({"priority": str(batch.doc["priority"])} if batch.doc.get("priority") else {}),
    }


def _stats(batch: StoredBatch, stands: Standing) -> dict[str, str]:
    """Nothing moves before the end; what a cancel left unserved has failed (recorded 2026-06)."""
    counts = Counter({"requestCount": batch.total, "pendingRequestCount": batch.total})
    if stands.state is State.SUCCEEDED:
        good = tally(batch.folder, stands.served)[SUCCEEDED]
        counts = Counter(requestCount=batch.total, successfulRequestCount=good, failedRequestCount=batch.total - good)
    return {name: str(count) for name, count in counts.items() if count}


def unserved() -> dict[str, Any]:
    """The error of a request that a cancel left unserved: no message (recorded 2026-06)."""
    return {"code": CANCELLED.grpc}
