"""Many ids in little memory: what came twice, a number for each, and line numbers."""

import tracemalloc
from collections import Counter
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.core.ids import Marks, Numbers, repeated

LONG = "a-rather-long-custom-id-with-a-number-"
texts = st.lists(st.text(max_size=3), max_size=60)


@given(st.lists(texts), st.sampled_from([0, 100, 1_000_000]))
def test_what_comes_more_than_once_is_found(rows: list[list[str]], expected: int) -> None:
    times = Counter(chain.from_iterable(rows))
    assert repeated(rows, expected) == {hash(id) for id in times if times[id] > 1}


@given(texts, st.integers(0, 100))
def test_each_id_has_a_number_of_its_own(ids: list[str], expected: int) -> None:
    marks, plain = Marks(expected, "q"), dict.fromkeys(ids, 0)
    for number, id in enumerate(ids, 1):
        assert marks.values[marks.slot(id)] == plain[id]
        marks.values[marks.slot(id)] = plain[id] = number
    assert {id: marks.values[marks.slot(id)] for id in plain} == plain
    assert sorted(filter(None, marks.values)) == sorted(plain.values())


def test_a_table_grows_as_far_as_it_must() -> None:
    marks = Marks()
    for number in range(5000):
        marks.values[marks.slot(str(number))] = number % 100 + 1
    assert [marks.values[marks.slot(str(number))] for number in range(5000)] == [n % 100 + 1 for n in range(5000)]
    assert marks.values[marks.slot("another")] == 0


def test_an_expectation_that_is_nonsense_costs_no_more_than_a_large_one() -> None:
    assert len(Marks(10**15).values) == len(Marks(10**9).values)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=50))
def test_line_numbers_are_known_by_position(steps: list[int]) -> None:
    numbers, given = Numbers(), [sum(steps[: length + 1]) for length in range(len(steps))]
    for before, number in zip([-2, *given], given, strict=False):
        if number != before + 1:
            numbers.jump(before + 1, number)
    assert [numbers.at(position) for position in range(len(given))] == given


def test_a_hundred_thousand_ids_take_little_memory() -> None:
    tracemalloc.start()
    marks = Marks(100_000)
    for number in range(100_000):
        marks.values[marks.slot(f"{LONG}{number}")] = 1
    found = repeated(([f"{LONG}{number}"] for number in chain(range(100_000), [7])), 100_001)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {hash(f"{LONG}7")}
    assert peak < 3 * 1024 * 1024
