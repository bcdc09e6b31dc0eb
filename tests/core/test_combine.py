"""Several provider batches seen as one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bifrost_cli.core.combine import combine, sum_counts
from bifrost_cli.core.refs import Ref
from bifrost_cli.models import Batch, BatchError, RequestCounts
from bifrost_cli.providers import HOME, PROVIDERS

OTHER = next(name for name in PROVIDERS if name != HOME)
T0 = datetime(2026, 11, 1, tzinfo=UTC)
REFS = [Ref(HOME, "msgbatch_1"), Ref(OTHER, "b2")]


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def batch(status: str = "in_progress", **members: Any) -> Batch:
    given = {"id": "native", "request_counts": RequestCounts(processing=1), "created_at": T0, "expires_at": at(24)}
    return Batch(processing_status=status, **{**given, **members})


def both(first: Batch, second: Batch) -> Batch:
    return combine(REFS, [first, second])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("in_progress", "in_progress", "in_progress"),
        ("in_progress", "canceling", "canceling"),
        ("ended", "canceling", "canceling"),
        ("ended", "in_progress", "in_progress"),
        ("in_progress", "ended", "in_progress"),
        ("ended", "ended", "ended"),
    ],
)
def test_it_has_ended_when_all_have(first: str, second: str, expected: str) -> None:
    assert both(batch(first), batch(second)).processing_status == expected


def test_counts_are_sums() -> None:
    first = RequestCounts(processing=1, succeeded=2, errored=3, canceled=4, expired=5)
    second = RequestCounts(processing=10, succeeded=20, errored=30, canceled=40, expired=50)
    total = sum_counts([first, second])
    assert total == RequestCounts(processing=11, succeeded=22, errored=33, canceled=44, expired=55)
    assert (total.total, total.done) == (165, 154)


def test_its_id_names_all_parts() -> None:
    assert both(batch(), batch()).id == f"msgbatch_1~{OTHER}:b2"
    assert both(batch(), batch()).provider == f"{HOME}, {OTHER}"


def test_times_span_the_parts() -> None:
    early = batch("ended", created_at=at(0), expires_at=at(24), ended_at=at(3), cancel_initiated_at=at(2))
    late = batch("ended", created_at=at(1), expires_at=at(48), ended_at=at(5), archived_at=at(9))
    seen = both(late, early)
    assert (seen.created_at, seen.expires_at, seen.ended_at) == (at(0), at(48), at(5))
    assert (seen.cancel_initiated_at, seen.archived_at) == (at(2), at(9))


def test_it_has_no_end_while_one_part_runs() -> None:
    assert both(batch("ended", ended_at=at(3)), batch()).ended_at is None


def test_errors_and_states_of_all_parts_are_kept() -> None:
    refused = batch("ended", errors=[BatchError(message="no")], provider_status="failed")
    seen = both(refused, batch(provider_status="validating"))
    assert seen.errors == [BatchError(message="no")]
    assert seen.provider_status == "failed, validating"
    assert both(batch(), batch()).errors is None
    assert both(batch(provider_status="x"), batch(provider_status="x")).provider_status == "x"


def test_a_batch_of_one_part_is_that_part_under_its_own_name() -> None:
    part = batch("ended", ended_at=at(3), raw={"id": "native"}, something_new=7)
    seen = combine([Ref(OTHER, "b2")], [part])
    assert (seen.id, seen.provider) == (f"{OTHER}:b2", OTHER)
    assert seen.model_dump(exclude={"id", "provider"}) == part.model_dump(exclude={"id", "provider"})
    assert seen.raw == {"id": "native"}
