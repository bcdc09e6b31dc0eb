"""From lines to parts: what goes together, what the spools hold to the byte, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bifrost_cli.config import Config
from bifrost_cli.core import planner, roll, spool
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.plan import Plan
from bifrost_cli.errors import InputError, Problem, UnsupportedError, UsageError
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.base import Context

Line = dict[str, Any]


@pytest.fixture(autouse=True)
def small_providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("Small", "Mixed", "Choosy"):
        monkeypatch.setitem(PROVIDERS, name.lower(), f"tests.core.small:{name}")
    yield
    load.cache_clear()


@pytest.fixture(params=[spool.IN_MEMORY, 300, 0])
def in_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much of a plan stays in memory: all, some, nothing."""
    monkeypatch.setattr(spool, "IN_MEMORY", request.param)
    return int(request.param)


def planned(lines: list[Line | Problem], provider: str = "small", drop: str = "", **defaults: Any) -> Plan:
    bifrost = Bifrost(Config(environ={}), provider, Context(drop=frozenset([drop] if drop else [])))
    return bifrost.plan_batch(enumerate(lines, 1), source="in.jsonl", defaults=defaults)


def line(id: str, model: str = "m", **params: Any) -> Line:
    messages = [{"role": "user", "content": "hi"}]
    return {"custom_id": id, "params": {"model": model, "max_tokens": 1, "messages": messages, **params}}


def lines(count: int, **options: Any) -> list[Line]:
    return [line(f"r{number}", **options) for number in range(count)]


def parts(plan: Plan) -> list[tuple[str, str, str, int]]:
    return [(*part.key, part.requests) for part in plan.parts]


def problems(given: list[Any], **options: Any) -> list[tuple[int, str | None, str]]:
    """Line, id and message of each."""
    with pytest.raises(InputError) as caught:
        planned(given, **options)
    return [(problem.line, problem.custom_id, problem.message) for problem in caught.value.problems]


# -- parts -------------------------------------------------------------------------------------------------------


def test_a_part_holds_as_many_requests_as_the_provider_takes() -> None:
    with planned(lines(7)) as plan:
        assert [part.requests for part in plan.parts] == [3, 3, 1]
        assert plan.requests == 7


def test_a_part_holds_as_many_bytes_as_the_provider_takes_framing_included() -> None:
    alone = len(orjson.dumps(line("r0"))) + 2
    for room in (700, 2 * alone, 2 * alone - 1):
        long = "x" * (room - 2 * (len(orjson.dumps(line("r0"))) + 1) - 1)
        fitting = [line("r0"), line("r1", system=long)]
        extra = len(b'"system":"",')
        fitting[1]["params"]["system"] = long[: len(long) - extra]
        with planned(fitting) as plan:
            assert all(part.size <= 700 for part in plan.parts)
    with planned([line("a"), line("b", system="x" * 600)]) as plan:
        assert [part.requests for part in plan.parts] == [1, 1]


def test_a_body_of_exactly_the_limit_is_one_part_and_a_byte_more_is_two() -> None:
    def of_size(size: int) -> list[Line]:
        two = [line("a"), line("b", metadata={"user_id": ""})]
        framed = sum(len(orjson.dumps(each)) for each in two) + len(b"[,]")
        two[1]["params"]["metadata"]["user_id"] = "x" * (size - framed)
        return two

    with planned(of_size(700)) as plan:
        assert [(part.requests, part.size) for part in plan.parts] == [(2, 700)]
    with planned(of_size(701)) as plan:
        assert [part.requests for part in plan.parts] == [1, 1]


def test_requests_go_apart_by_model_where_a_batch_has_one() -> None:
    given = [line("a", "m1"), line("b", "m2"), line("c", "m1")]
    with planned(given) as plan:
        assert parts(plan) == [("small", "m1", "/quiet", 2), ("small", "m2", "/quiet", 1)]
    with planned(given, provider="mixed") as plan:
        assert parts(plan) == [("mixed", "", "/quiet", 3)]


def test_requests_go_apart_by_endpoint() -> None:
    with planned([line("a"), line("b", system="loud"), line("c")]) as plan:
        assert parts(plan) == [("small", "m", "/quiet", 2), ("small", "m", "/loud", 1)]


def test_requests_go_apart_by_the_provider_that_their_model_names() -> None:
    bifrost = Bifrost(Config(environ={}))
    given = [line("a", "small/m"), line("b", "mixed/org/m"), line("c", "small/m")]
    with bifrost.plan_batch(enumerate(given, 1), source="x", defaults={}) as plan:
        assert parts(plan) == [("small", "m", "/quiet", 2), ("mixed", "", "/quiet", 1)]
        assert orjson.loads(plan.parts[1].spool.read())[0]["params"]["model"] == "org/m"


# -- spools ------------------------------------------------------------------------------------------------------


def test_a_spool_is_the_whole_body_to_the_byte(in_memory: int) -> None:
    given = lines(5)
    with planned([dict(each) for each in given]) as plan:
        bodies = [part.spool.read() for part in plan.parts]
        assert bodies == [
            b"[" + b",".join(orjson.dumps(each) for each in given[:3]) + b"]",
            b"[" + b",".join(orjson.dumps(each) for each in given[3:]) + b"]",
        ]
        assert [part.size for part in plan.parts] == [len(body) for body in bodies]
        assert [part.source().size for part in plan.parts] == [len(body) for body in bodies]


def test_the_ids_are_kept_in_input_order_with_their_parts(in_memory: int) -> None:
    with planned([line("a", "m1"), line("b", "m2"), line("c", "m1"), line("-_9")]) as plan:
        assert list(roll.read(plan.ids.open())) == [(0, "a"), (1, "b"), (0, "c"), (2, "-_9")]


def test_a_plan_leaves_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with planned(lines(4)):
        assert bool(list(tmp_path.iterdir())) == (in_memory < 1000)
    assert list(tmp_path.iterdir()) == []
    problems([line("a"), {}])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(spool.Spools, "path", lambda *_: Path("/dev/full"))
    with pytest.raises(UsageError, match="No space left on device") as caught:
        planned(lines(1))
    assert "TMPDIR" in str(caught.value.hint)


def test_the_fingerprint_tells_requests_and_addresses_apart() -> None:
    def print_of(given: list[Line], address: str = "https://a.example") -> str:
        with planned(given) as plan:
            return plan.fingerprint({"small": address})

    prints = [
        print_of(lines(4)),
        print_of(lines(3)),
        print_of(lines(4)[::-1]),
        print_of(lines(4, model="n")),
        print_of(lines(4), "https://b.example"),
    ]
    assert print_of(lines(4)) == prints[0]
    assert len(set(prints)) == len(prints)


def test_lines_are_put_into_parts_as_they_fit_however_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [line(f"r{number}", "m" + "mn"[number % 5 == 0], system="x" * (number * 37 % 500)) for number in range(60)]
    found = []
    for block in (0, 300, 1_000_000):
        monkeypatch.setattr(planner, "BLOCK", block)
        with planned([{**each} for each in given]) as plan:
            found.append(([part.spool.read() for part in plan.parts], list(roll.read(plan.ids.open()))))
            for part in plan.parts:
                assert part.requests <= part.provider.limits.max_requests
                assert part.requests == 1 or part.size <= part.provider.limits.max_bytes
    assert found[0] == found[1] == found[2]
    assert [id for _, id in found[0][1]] == [f"r{number}" for number in range(60)]


# -- too few -----------------------------------------------------------------------------------------------------


def test_a_last_part_too_small_takes_from_the_one_before_it(in_memory: int) -> None:
    given = lines(6)
    with planned([dict(each) for each in given], provider="choosy") as plan:
        assert [part.requests for part in plan.parts] == [3, 3]
        bodies = [part.spool.read() for part in plan.parts]
        written = [b"".join(orjson.dumps(each) + b"\n" for each in half) for half in (given[:3], given[3:])]
        assert bodies == written
        assert [part.size for part in plan.parts] == [len(body) for body in bodies]
        ids = [(number // 3, f"r{number}") for number in range(6)]
        assert list(roll.read(plan.ids.open())) == ids


def test_too_few_requests_are_refused_with_the_numbers() -> None:
    with pytest.raises(UnsupportedError) as caught:
        planned(lines(2), provider="choosy")
    assert caught.value.message == "2 requests of m: a batch at Reference holds 3 to 5."


# -- what is wrong -----------------------------------------------------------------------------------------------


def test_all_problems_are_named_with_their_lines_and_nothing_is_kept() -> None:
    given = [
        line("a"),
        {"custom_id": "b", "params": {"model": "m"}},
        Problem(3, None, "not valid JSON"),
        line("a b"),
        line("d", colour="red"),
        {"id": 7},
    ]
    assert problems(given) == [
        (2, "b", "max_tokens is missing (--max-tokens gives one to lines that lack it)"),
        (3, None, "not valid JSON"),
        (4, "a b", "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        (5, "d", "colour: it has no colours. Leave it out."),
        (6, None, "a request needs custom_id and params, and this line has neither"),
    ]


def test_a_problem_is_shown_with_its_place() -> None:
    assert Problem(3, "a", "is wrong").render("in.jsonl") == "in.jsonl:3: a: is wrong"
    assert Problem(3, None, "is wrong").render("in.jsonl") == "in.jsonl:3: is wrong"
    assert Problem(0, None, "is wrong").render("in.jsonl") == "in.jsonl: is wrong"


def test_only_the_first_problems_are_kept_and_all_are_counted() -> None:
    with pytest.raises(InputError) as caught:
        planned([{} for _ in range(1234)])
    assert [problem.line for problem in caught.value.problems] == list(range(1, 21))
    assert caught.value.message == "in.jsonl: 1,234 problems; nothing was submitted."


def test_a_repeated_id_is_named_with_both_lines() -> None:
    given = [line("a"), line("b"), line("a"), line("c"), line("b"), line("a")]
    assert problems(given) == [
        (3, "a", "this custom_id is already that of line 1; each must be unique"),
        (5, "b", "this custom_id is already that of line 2; each must be unique"),
        (6, "a", "this custom_id is already that of line 1; each must be unique"),
    ]


def test_an_input_without_requests_is_refused() -> None:
    assert problems([]) == [(0, None, "there are no requests in it")]


def test_a_line_in_neither_form_is_refused() -> None:
    [problem] = problems([{"custom_id": "a", "prompt": "hi"}])
    assert problem == (1, "a", "params is missing")


def test_a_model_of_another_provider_is_refused_with_its_line() -> None:
    [problem] = problems([line("a", "mixed/m")])
    assert problem == (1, "a", "model 'mixed/m' is for mixed, but the provider given is small.")


# -- other providers' forms --------------------------------------------------------------------------------------

OWNERS = [name for name in PROVIDERS if load(name).owns({"custom_id": "a", "body": {}})]


def own(id: str, model: str = "m", **body: Any) -> Line:
    messages = [{"role": "user", "content": "hi"}]
    given = {"model": model, "messages": messages, **body}
    return {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": given}


def test_a_line_in_a_providers_own_form_is_read_for_another() -> None:
    with planned([own("a"), own("b", max_tokens=5)], max_tokens=1, model="given") as plan:
        assert parts(plan) == [("small", "m", "/quiet", 2)]
        assert orjson.loads(plan.parts[0].spool.read()) == [line("a"), line("b", max_tokens=5)]


@pytest.mark.parametrize("owner", OWNERS)
def test_lines_in_both_forms_go_where_their_models_say(owner: str) -> None:
    given = [
        line("a", "small/m"),
        own("b", "small/m", max_tokens=1),
        own("any id!", f"{owner}/n"),
        own("d", "mixed/org/m", max_tokens=1),
        line("e", f"{owner}/n"),
    ]
    bifrost = Bifrost(Config(environ={}))
    with bifrost.plan_batch(enumerate(given, 1), source="x", defaults={}) as plan:
        assert [(part.key.provider, part.key.model, part.requests) for part in plan.parts] == [
            ("small", "m", 2),
            (owner, "n", 1),
            ("mixed", "", 1),
            (owner, "n", 1),
        ]
        small, as_it_is, mixed, _ = [part.spool.read() for part in plan.parts]
        assert orjson.loads(small) == [line("a"), line("b")]
        assert orjson.loads(as_it_is) == own("any id!", "n")
        assert orjson.loads(mixed)[0]["params"]["model"] == "org/m"


@pytest.mark.parametrize("owner", OWNERS)
def test_a_line_in_its_providers_form_goes_there_as_it_is(owner: str) -> None:
    given = [own("any id!", "org/n", made_up=1), own("b", f"{owner}/n")]
    with planned([own("any id!", "org/n", made_up=1), own("b", f"{owner}/n")], provider=owner, max_tokens=7) as plan:
        assert [orjson.loads(part.spool.read()) for part in plan.parts] == [given[0], own("b", "n")]


def test_what_is_wrong_with_a_line_in_anothers_form_is_named() -> None:
    given = [
        own("a"),
        own("any id!", max_tokens=1),
        own("c", "mixed/m"),
        own("d", made_up=1, max_tokens=1),
        own("e", temperature="hot"),
        {**own("f"), "url": "/v1/embeddings"},
        {**own("g"), "body": None},
        own("h", model="", max_tokens=1),
    ]
    said = problems(given)
    assert [(number, id) for number, id, _ in said] == [(n, each["custom_id"]) for n, each in enumerate(given, 1)]
    for (_, _, message), expected in zip(
        said,
        [
            "max_tokens is missing (--max-tokens gives one to lines that lack it)",
            "custom_id must be 1 to 64 characters",
            "model 'mixed/m' is for mixed, but the provider given is small.",
            "body.made_up: other providers have no counterpart for it.",
            "body.temperature: must be a number",
            "url: only lines of ",
            "body: must be an object",
            "model must be a non-empty string",
        ],
        strict=True,
    ):
        assert message.startswith(expected)


def test_a_bad_line_in_anothers_form_is_kept_as_it_came() -> None:
    kept: list[Any] = []
    bifrost = Bifrost(Config(environ={}), "small")
    given = [own("a", max_tokens=1), own("b", "small/m", made_up=1), own("a", max_tokens=1)]
    with bifrost.plan_batch(
        enumerate(given, 1), source="x", defaults={}, skip=lambda problem, line: kept.append(line)
    ) as plan:
        assert plan.requests == 1
    assert kept == [own("b", "small/m", made_up=1), own("a", max_tokens=1)]


# -- what is filled in -------------------------------------------------------------------------------------------


def test_defaults_are_for_lines_that_lack_them() -> None:
    lacking = {"custom_id": "a", "params": {"messages": [{"role": "user", "content": "hi"}]}}
    with planned([lacking, line("b", max_tokens=5)], model="given", max_tokens=99) as plan:
        assert parts(plan) == [("small", "given", "/quiet", 1), ("small", "m", "/quiet", 1)]
        bodies = [orjson.loads(part.spool.read())[0]["params"] for part in plan.parts]
        assert [body["max_tokens"] for body in bodies] == [99, 5]


def test_a_field_may_be_let_go_by_consent() -> None:
    with planned([line("a", colour="red")], drop="colour") as plan:
        assert plan.requests == 1
