"""Results made whole: each id once, and what does not add up is counted and named."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bifrost_cli.config import Config
from bifrost_cli.core.results import RESUMES, Audit, complete
from bifrost_cli.errors import NetworkError
from bifrost_cli.models import Batch, BatchError, BatchResult, RequestCounts, errored, succeeded
from bifrost_cli.transport import new_client
from tests.exam.reference import Plain, Reference

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BREAK = NetworkError("the connection broke")


def told(
    *downloads: list[str | NetworkError], kind: type[Reference] = Plain, inputs: str = "", rest: str = "errored"
) -> Reference:
    """A provider whose results, at each download, are these ids; `inputs` are what went in, and `rest` is what became
    of those that it does not mention."""

    class Told(kind):  # type: ignore[valid-type,misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.left = list(downloads)
            self.blamed: list[tuple[str, int]] = []

        async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
            for each in self.left.pop(0) if len(self.left) > 1 else self.left[0]:
                if isinstance(each, NetworkError):
                    raise each
                yield succeeded(each, {"for": each})

        async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
            for id in inputs:
                yield id

        def missing_result(self, batch: Batch, custom_id: str, line: int) -> BatchResult:
            self.blamed.append((custom_id, line))
            if rest == "errored":
                return errored(custom_id, "api_error", f"line {line}")
            return {"custom_id": custom_id, "result": {"type": rest}}

    return Told(Config(environ={}).settings("x", Told.settings), new_client())


def batch(total: int, **members: Any) -> Batch:
    counts = RequestCounts(succeeded=total)
    given = {"processing_status": "ended", "request_counts": counts, "created_at": NOW, "expires_at": NOW}
    return Batch(id="b", **given, **members)


def kept(ids: str) -> Callable[[], Iterator[str]]:
    """What the journal of this machine says went in."""
    return lambda: iter(ids)


async def run(
    provider: Reference, total: int, known: str | None = None, **members: Any
) -> tuple[dict[str, str], Audit]:
    audit = Audit()
    journal = kept(known) if known is not None else None
    results = [each async for each in complete(provider, batch(total, **members), journal, audit)]
    assert len(results) == len({each["custom_id"] for each in results}) == audit.out
    return {each["custom_id"]: each["result"]["type"] for each in results}, audit


@pytest.mark.parametrize("known", ["abc", None])
async def test_results_that_add_up_pass_as_they_are(known: str | None) -> None:
    found, audit = await run(told(["c", "a", "b"]), 3, known)
    assert list(found) == ["c", "a", "b"]
    assert audit.agrees
    assert (audit.expected, audit.out, audit.unsuccessful) == (3, 3, 0)
    assert audit.describe() == ""


async def test_a_request_without_a_result_comes_out_as_errored_and_is_named() -> None:
    provider = told(["a", "c"])
    found, audit = await run(provider, 4, "abcd")
    assert found == {"a": "succeeded", "c": "succeeded", "b": "errored", "d": "errored"}
    assert provider.blamed == [("b", 2), ("d", 4)]
    assert (audit.expected, audit.missing, audit.unsuccessful) == (4, 2, 2)
    assert not audit.agrees
    assert audit.describe() == "2 missing (b is missing; d is missing)"


@pytest.mark.parametrize("rest", ["canceled", "expired"])
async def test_what_a_provider_leaves_out_by_rule_is_not_missing(rest: str) -> None:
    found, audit = await run(told(["a"], rest=rest), 3, "abc")
    assert found == {"a": "succeeded", "b": rest, "c": rest}
    assert audit.agrees


async def test_the_requests_of_a_refused_batch_are_errored_and_not_missing() -> None:
    found, audit = await run(told([]), 2, "ab", errors=[BatchError(message="refused")])
    assert found == {"a": "errored", "b": "errored"}
    assert audit.agrees


async def test_a_repeated_result_is_delivered_once_and_named() -> None:
    found, audit = await run(told(["a", "b", "a"]), 2, "ab")
    assert set(found) == {"a", "b"}
    assert (audit.duplicate, audit.agrees) == (1, False)
    assert audit.describe() == "1 duplicate (a is duplicate)"


async def test_a_result_that_nobody_asked_for_is_not_delivered_and_named() -> None:
    found, audit = await run(told(["a", "x"]), 2, "ab")
    assert found == {"a": "succeeded", "b": "errored"}
    assert (audit.unknown, audit.missing, audit.agrees) == (1, 1, False)


async def test_only_the_first_few_are_named() -> None:
    _, audit = await run(told([]), 9, "abcdefghi")
    assert audit.missing == 9
    assert len(audit.named) == 5


# -- without a journal -------------------------------------------------------------------------------------------


async def test_ids_are_held_against_the_input_that_the_provider_kept() -> None:
    assert (await run(told(["a", "b"], kind=Reference, inputs="ab"), 2))[1].agrees
    _, audit = await run(told(["a", "x"], kind=Reference, inputs="ab"), 2)
    assert (audit.missing, audit.unknown) == (1, 1)


async def test_what_the_results_leave_out_is_known_from_the_input() -> None:
    found, audit = await run(told(["a", "c"], kind=Reference, inputs="abc"), 3)
    assert found == {"a": "succeeded", "c": "succeeded", "b": "errored"}
    assert (audit.expected, audit.missing) == (3, 1)


async def test_the_input_is_read_where_the_provider_counted_nothing() -> None:
    found, _ = await run(told([], kind=Reference, inputs="ab", rest="canceled"), 0)
    assert found == {"a": "canceled", "b": "canceled"}


@pytest.mark.parametrize(("results", "difference"), [(["a", "b"], 2), (["a", "b", "c", "d", "e"], 1)])
async def test_a_difference_that_nothing_explains_is_reported(results: list[str], difference: int) -> None:
    _, audit = await run(told(list(results)), 4)
    assert (audit.expected, audit.unaccounted, audit.agrees) == (4, difference, False)
    assert audit.describe() == f"{difference} unaccounted"


# -- downloads that break ----------------------------------------------------------------------------------------


async def test_a_download_that_breaks_goes_on_without_repetition() -> None:
    provider = told(["a", "b", BREAK], ["a", BREAK], ["b", "c", "a"])
    found, audit = await run(provider, 3, "abc")
    assert list(found) == ["a", "b", "c"]
    assert audit.agrees


async def test_a_download_that_always_breaks_is_an_error_and_no_end() -> None:
    provider = told(["a", BREAK])
    results = complete(provider, batch(2), kept("ab"), Audit())
    assert (await anext(results))["custom_id"] == "a"
    with pytest.raises(NetworkError):
        await anext(results)
    assert RESUMES > 1


async def test_outcomes_are_counted_by_kind() -> None:
    audit = Audit()
    for each in (succeeded("a", {}), errored("b", "api_error", "no"), errored("c", "api_error", "no")):
        audit.count(each)
    assert audit.outcomes == {"succeeded": 1, "errored": 2}
    assert (audit.out, audit.unsuccessful) == (3, 2)
