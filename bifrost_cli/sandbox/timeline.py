"""A batch's progress as a pure function of time.

Nothing runs in the background: where a batch stands follows from when it was created, when it was cancelled
(if it was), how long each step takes, and what time it is now. So several processes that look at one state
see the same progress, and a test can move the clock.
"""

from dataclasses import dataclass
from enum import StrEnum

LIFE = 24 * 3600.0
"""Seconds after which an unfinished batch expires, at every provider emulated so far (documented)."""


class Stage(StrEnum):
    """Where a batch stands. Each provider words these in its own way."""

    VALIDATING = "validating"
    RUNNING = "running"
    FINALIZING = "finalizing"
    ENDED = "ended"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL = frozenset({Stage.ENDED, Stage.CANCELLED, Stage.EXPIRED})
"""The stages that a batch never leaves."""


@dataclass(frozen=True)
class Durations:
    """Seconds that each step takes at pace 1."""

    validating: float = 0.0
    running: float = 2.5
    finalizing: float = 0.0
    cancelling: float = 1.0


@dataclass(frozen=True)
class Moment:
    """A batch at one point in time. Times are unix seconds; None: not reached (yet).

    `progress` is the finished share of the requests, 0 to 1; it stops moving at a cancel or at expiry.
    """

    stage: Stage
    progress: float
    running_at: float | None = None
    finalizing_at: float | None = None
    cancelling_at: float | None = None
    ended_at: float | None = None

    @property
    def final(self) -> bool:
        return self.stage in FINAL


@dataclass(frozen=True)
class Timeline:
    """The plan of one batch: created at `created` (unix seconds), each step `pace` times as long as `durations`;
    unfinished `life` seconds later it expires."""

    created: float
    durations: Durations
    pace: float = 1.0
    life: float = LIFE

    @property
    def running_at(self) -> float:
        return self.created + self.durations.validating * self.pace

    @property
    def finalizing_at(self) -> float:
        return self.running_at + self.durations.running * self.pace

    @property
    def ended_at(self) -> float:
        return self.finalizing_at + self.durations.finalizing * self.pace

    @property
    def expires_at(self) -> float:
        return self.created + self.life

    def progress(self, at: float) -> float:
        """The finished share of the requests at a time, 0 to 1."""
        if at >= self.finalizing_at:
            return 1.0
        return max(0.0, (at - self.running_at) / (self.finalizing_at - self.running_at))

    def at(self, now: float, cancelled: float | None = None) -> Moment:
        """The batch at `now`, when a cancel was asked for at `cancelled`, or never."""
        if cancelled is not None:
            return self._cancelled(now, cancelled)
        if self.expires_at < self.finalizing_at and now >= self.expires_at:
            return self._expired(now)
        return self._undisturbed(now)

    def _undisturbed(self, now: float) -> Moment:
        if now < self.running_at:
            return Moment(Stage.VALIDATING, 0.0)
        if now < self.finalizing_at:
            return Moment(Stage.RUNNING, self.progress(now), self.running_at)
        if now < self.ended_at:
            return Moment(Stage.FINALIZING, 1.0, self.running_at, self.finalizing_at)
        return Moment(Stage.ENDED, 1.0, self.running_at, self.finalizing_at, ended_at=self.ended_at)

    def _cancelled(self, now: float, cancelled: float) -> Moment:
        running_at = self.running_at if cancelled >= self.running_at else None
        ended_at = cancelled + self.durations.cancelling * self.pace
        if now < ended_at:
            return Moment(Stage.CANCELLING, self.progress(cancelled), running_at, None, cancelled)
        return Moment(Stage.CANCELLED, self.progress(cancelled), running_at, None, cancelled, ended_at)

    def _expired(self, now: float) -> Moment:
        progress = self.progress(self.expires_at)
        ended_at = self.expires_at + self.durations.finalizing * self.pace
        if now < ended_at:
            return Moment(Stage.FINALIZING, progress, self.running_at, self.expires_at)
        return Moment(Stage.EXPIRED, progress, self.running_at, self.expires_at, ended_at=ended_at)
