"""Progress as a function of time."""

import pytest

from bifrost_cli.sandbox.timeline import LIFE, Durations, Stage, Timeline

STEPS = Durations(validating=1, running=4, finalizing=1, cancelling=2)
LINE = Timeline(100.0, STEPS)


@pytest.mark.parametrize(
    ("after", "stage", "progress"),
    [
        (0, Stage.VALIDATING, 0),
        (0.9, Stage.VALIDATING, 0),
        (1, Stage.RUNNING, 0),
        (2, Stage.RUNNING, 0.25),
        (4.9, Stage.RUNNING, 0.975),
        (5, Stage.FINALIZING, 1),
        (6, Stage.ENDED, 1),
        (10**6, Stage.ENDED, 1),
    ],
)
def test_stages(after: float, stage: Stage, progress: float) -> None:
    moment = LINE.at(100 + after)
    assert (moment.stage, moment.progress) == (stage, pytest.approx(progress))


def test_a_cancel_stops_progress_and_takes_its_time() -> None:
    during = LINE.at(103, cancelled=102)
    after = LINE.at(104, cancelled=102)
    assert (during.stage, during.progress, during.ended_at) == (Stage.CANCELLING, 0.25, None)
    assert (after.stage, after.progress, after.ended_at) == (Stage.CANCELLED, 0.25, 104)
    assert after.running_at == 101


def test_a_cancel_while_validating_never_ran() -> None:
    assert LINE.at(110, cancelled=100.5).running_at is None


def test_pace_scales_every_step() -> None:
    slow = Timeline(100.0, STEPS, pace=10)
    assert (slow.running_at, slow.finalizing_at, slow.ended_at) == (110, 150, 160)
    assert slow.at(121, cancelled=120).stage is Stage.CANCELLING
    assert slow.at(140, cancelled=120).stage is Stage.CANCELLED


def test_pace_zero_ends_at_once() -> None:
    assert Timeline(100.0, STEPS, pace=0).at(100).stage is Stage.ENDED


def test_what_takes_longer_than_a_day_expires() -> None:
    endless = Timeline(0.0, STEPS, pace=LIFE)
    assert endless.at(LIFE - 1).stage is Stage.VALIDATING
    half = Timeline(0.0, Durations(running=2 * LIFE, finalizing=10))
    assert (half.at(LIFE).stage, half.at(LIFE).progress) == (Stage.FINALIZING, 0.5)
    assert (half.at(LIFE + 10).stage, half.at(LIFE + 10).progress) == (Stage.EXPIRED, 0.5)
