"""A job's progress as a pure function of time: Submitted, Validating, Scheduled, InProgress, and how it ends."""

from dataclasses import dataclass
from enum import StrEnum

from bifrost_cli.sandbox.account import StoredBatch

SUBMITTED, VALIDATING, SCHEDULED, RUNNING, STOPPING = 0.25, 0.5, 0.25, 2.0, 1.0
"""Seconds that each step takes at pace 1."""

EXPIRY_DELAY = 30.0
"""Seconds after its timeout at which a job that never began was marked as expired (recorded: 16 to 42)."""


class Status(StrEnum):
    """Where a job stands."""

    SUBMITTED = "Submitted"
    VALIDATING = "Validating"
    SCHEDULED = "Scheduled"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    PARTIALLY_COMPLETED = "PartiallyCompleted"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    EXPIRED = "Expired"


STOPPABLE = frozenset({Status.SUBMITTED, Status.VALIDATING, Status.SCHEDULED, Status.IN_PROGRESS})
FINAL = frozenset(Status) - STOPPABLE - {Status.STOPPING}
WITH_OUTPUT = frozenset({Status.COMPLETED, Status.PARTIALLY_COMPLETED, Status.STOPPED})


@dataclass(frozen=True)
class Progress:
    """A job at one point in time. `share` is the part of its records that is done, 0 to 1; `began` says that they have
    been counted; times are in unix seconds."""

    status: Status
    share: float
    modified: float
    began: bool
    ended: float | None = None

    @property
    def final(self) -> bool:
        return self.status in FINAL


def progress_of(job: StoredBatch, now: float) -> Progress:
    """Where a job stands at `now`."""
    plan = _Plan(job)
    if job.cancelled is not None:
        return plan.stopped(now, job.cancelled)
    if job.doc["failure"] and now >= plan.validated_at:
        return Progress(Status.FAILED, 0.0, plan.validated_at, False, plan.validated_at)
    if plan.done_at > plan.expires_at and now >= plan.expires_at:
        return plan.expired()
    return plan.undisturbed(now)


class _Plan:
    """When one job takes which step."""

    def __init__(self, job: StoredBatch) -> None:
        self.pace = job.pace
        self.created = job.created
        self.validating_at = job.created + SUBMITTED * job.pace
        self.validated_at = self.validating_at + VALIDATING * job.pace
        self.running_at = self.validated_at + SCHEDULED * job.pace
        self.done_at = self.running_at + RUNNING * job.pace
        self.expires_at = job.created + job.doc["timeout"] * 3600.0
        self.unreached = job.doc["unreached"]

    def share(self, at: float) -> float:
        if at >= self.done_at:
            return 1.0
        return max(0.0, (at - self.running_at) / (self.done_at - self.running_at))

    def undisturbed(self, now: float) -> Progress:
        if now < self.validating_at:
            return Progress(Status.SUBMITTED, 0.0, self.created, False)
        if now < self.validated_at:
            return Progress(Status.VALIDATING, 0.0, self.validating_at, False)
        if now < self.running_at:
            return Progress(Status.SCHEDULED, 0.0, self.validated_at, True)
        if now < self.done_at:
            return Progress(Status.IN_PROGRESS, self.share(now), self.running_at, True)
        status = Status.PARTIALLY_COMPLETED if self.unreached else Status.COMPLETED
        return Progress(status, 1.0, self.done_at, True, self.done_at)

    def stopped(self, now: float, at: float) -> Progress:
        began, ended = at >= self.validated_at, at + STOPPING * self.pace
        if now < ended:
            return Progress(Status.STOPPING, self.share(at), at, began)
        return Progress(Status.STOPPED, self.share(at), ended, began, ended)

    def expired(self) -> Progress:
        """A job that had begun has partial output; one that had not ended, oddly, with its validation (recorded)."""
        if self.running_at < self.expires_at:
            share = self.share(self.expires_at)
            return Progress(Status.PARTIALLY_COMPLETED, share, self.expires_at, True, self.expires_at)
        ended = min(self.validated_at, self.expires_at)
        return Progress(Status.EXPIRED, 0.0, self.expires_at + EXPIRY_DELAY, True, ended)
