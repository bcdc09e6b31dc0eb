"""Results in the order of the input."""

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.core.order import in_order
from bifrost_cli.models import BatchResult, succeeded

pytestmark = pytest.mark.anyio
T = TypeVar("T")


async def stream(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


async def ordered(results: Iterable[BatchResult], ids: Iterable[str]) -> list[BatchResult]:
    return [result async for result in in_order(stream(results), stream(ids))]


def result(id: str) -> BatchResult:
    return succeeded(id, {"content": [{"type": "text", "text": f"for {id} \u2028 é 🙂"}]})


async def test_results_come_in_the_order_of_the_ids() -> None:
    results = [result(id) for id in ("c", "a", "b")]
    assert await ordered(results, "abc") == [result(id) for id in "abc"]


async def test_ids_without_a_result_are_passed_over() -> None:
    assert await ordered([result("b")], "abc") == [result("b")]


async def test_results_of_unknown_ids_come_last_and_are_not_lost() -> None:
    assert await ordered([result(id) for id in "xbya"], "ab") == [result(id) for id in "abxy"]


async def test_an_id_that_is_named_twice_brings_its_result_once() -> None:
    assert await ordered([result("a")], ["a", "a"]) == [result("a")]


async def test_nothing_in_nothing_out() -> None:
    assert await ordered([], []) == []


@given(st.permutations(range(30)), st.permutations(range(30)))
def test_any_shuffle_is_put_in_order(came: list[int], wanted: list[int]) -> None:
    import anyio

    async def go() -> list[BatchResult]:
        return await ordered([result(str(n)) for n in came], map(str, wanted))

    assert [each["custom_id"] for each in anyio.run(go)] == [str(n) for n in wanted]
