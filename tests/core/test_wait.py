"""Waiting: when to ask again, when to give up."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice, repeat

import pytest

from bifrost_cli.core import wait
from bifrost_cli.core.wait import PATIENCE, follow, pauses
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    NetworkError,
    NotFoundError,
    OverloadedError,
    PendingError,
    RateLimitError,
    UpstreamError,
)
from bifrost_cli.models import Batch, RequestCounts
from tests.conftest import Clock

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def batch(status: str) -> Batch:
    counts = RequestCounts(processing=1)
    return Batch(id="b", processing_status=status, request_counts=counts, created_at=NOW, expires_at=NOW)


RUNNING, CANCELING, ENDED = batch("in_progress"), batch("canceling"), batch("ended")


class Answers:
    """What each poll meets: a batch, or an error. `times` are the clock's at each."""

    def __init__(self, clock: Clock, *answers: Batch | BifrostError, then: Batch | BifrostError | None = None) -> None:
        self.clock = clock
        self.times: list[float] = []
        self.answers: Iterator[Batch | BifrostError] = chain(answers, repeat(then) if then else ())

    async def __call__(self) -> Batch:
        self.times.append(self.clock.now)
        answer = next(self.answers)
        if isinstance(answer, BifrostError):
            raise answer
        return answer

    async def followed(self, **options: float | None) -> list[Batch]:
        return [each async for each in follow(self, clock=self.clock, sleep=self.clock.sleep, **options)]


def test_pauses_grow_by_half_from_one_second_to_a_minute() -> None:
    grown = list(islice(pauses(), 14))
    assert grown[:4] == [1.0, 1.5, 2.25, 3.375]
    assert grown[-2:] == [60.0, 60.0]
    assert sorted(grown) == grown


def test_pauses_are_as_asked() -> None:
    assert list(islice(pauses(7.0), 3)) == [7.0, 7.0, 7.0]


async def test_a_batch_is_given_at_each_poll_and_last_when_it_has_ended(clock: Clock) -> None:
    answers = Answers(clock, RUNNING, CANCELING, ENDED)
    assert await answers.followed() == [RUNNING, CANCELING, ENDED]
    assert clock.naps == [1.0, 1.5]


async def test_a_batch_that_has_ended_is_not_waited_for(clock: Clock) -> None:
    assert await Answers(clock, ENDED).followed(timeout=0) == [ENDED]
    assert clock.naps == []


async def test_the_deadline_is_kept_with_a_last_look_at_it(clock: Clock) -> None:
    answers = Answers(clock, then=RUNNING)
    with pytest.raises(PendingError) as caught:
        await answers.followed(timeout=5.0)
    assert caught.value.message == "The batch has not ended after 5 s."
    assert clock.now == 5.0
    assert answers.times[-1] == 5.0


async def test_an_end_seen_at_the_deadline_counts(clock: Clock) -> None:
    assert (await Answers(clock, RUNNING, RUNNING, ENDED).followed(timeout=2.0, poll=1.5))[-1] is ENDED
    assert clock.naps == [1.5, 0.5]


async def test_an_interval_that_was_asked_for_is_kept(clock: Clock) -> None:
    await Answers(clock, RUNNING, RUNNING, RUNNING, ENDED).followed(poll=20.0)
    assert clock.naps == [20.0, 20.0, 20.0]


@pytest.mark.parametrize("kind", [UpstreamError, NetworkError, OverloadedError, RateLimitError])
async def test_a_passing_failure_is_sat_out(clock: Clock, kind: Callable[[str], BifrostError]) -> None:
    answers = Answers(clock, RUNNING, kind("passing"), kind("passing"), ENDED)
    assert await answers.followed() == [RUNNING, ENDED]


@pytest.mark.parametrize("kind", [NotFoundError, AuthError, BifrostError])
async def test_a_lasting_failure_is_raised_at_once(clock: Clock, kind: Callable[[str], BifrostError]) -> None:
    with pytest.raises(BifrostError, match="lasting"):
        await Answers(clock, RUNNING, kind("lasting")).followed()
    assert clock.naps == [1.0]


async def test_a_pause_that_the_provider_asks_for_is_kept(clock: Clock) -> None:
    await Answers(clock, RateLimitError("slow down", retry_after=33.0), ENDED).followed()
    assert clock.naps == [33.0]


async def test_an_outage_is_given_up_on_after_a_quarter_of_an_hour(clock: Clock) -> None:
    with pytest.raises(UpstreamError, match="down"):
        await Answers(clock, RUNNING, then=UpstreamError("down")).followed()
    assert PATIENCE < clock.now < PATIENCE + 120


async def test_patience_begins_anew_with_each_answer(clock: Clock) -> None:
    outage = [UpstreamError("down")] * 14
    assert (await Answers(clock, *outage, RUNNING, *outage, RUNNING, *outage, ENDED).followed(poll=60.0))[-1] is ENDED
    assert clock.now > 2 * PATIENCE


async def test_the_deadline_holds_during_an_outage(clock: Clock) -> None:
    with pytest.raises(PendingError):
        await Answers(clock, then=UpstreamError("down")).followed(timeout=30.0)
    assert clock.now == 30.0


async def test_a_read_that_hangs_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "LAST_LOOK", 0.0)

    async def never() -> Batch:
        await asyncio.Event().wait()
        return RUNNING

    with pytest.raises(PendingError, match=r"known whether the batch has ended after 0\.01 s: the provider does"):
        async with asyncio.timeout(30):
            [_ async for _ in follow(never, timeout=0.01)]


async def test_a_last_look_at_the_deadline_has_time_to_be_answered() -> None:
    async def soon() -> Batch:
        await asyncio.sleep(0.01)
        return ENDED

    assert [each async for each in follow(soon, timeout=0)] == [ENDED]


async def test_a_create_is_not_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "LAST_LOOK", 0.0)
    made = []

    async def create() -> None:
        await asyncio.sleep(0.05)
        made.append(ENDED)

    async def read() -> Batch:
        return made[-1]

    assert [each async for each in follow(read, create=create, timeout=0.001)] == [ENDED]


async def test_the_failure_of_the_last_look_is_told(clock: Clock) -> None:
    answers = Answers(clock, RUNNING, then=NetworkError("The connection broke."))
    with pytest.raises(PendingError, match="has ended after 4 s: The connection broke"):
        await answers.followed(timeout=4)
