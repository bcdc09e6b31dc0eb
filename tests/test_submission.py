"""Runs: the quota queue, taking up what was left, retry of the failed, and the audit."""

import dataclasses
import io
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from bifrost_cli import Bifrost, Config
from bifrost_cli.core import jsonl
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.reconcile import reconcile
from bifrost_cli.core.results import Audit
from bifrost_cli.core.retry import failed_requests, merged_results, only
from bifrost_cli.errors import ConflictError, OutcomeUnknownError
from bifrost_cli.providers import load
from bifrost_cli.sandbox import background, environment
from tests.clock import Clock

pytestmark = pytest.mark.anyio
PROVIDERS = ("anthropic", "openai")
PART_TOKENS = 4 * 16  # What the emulator counts for four of the requests of the quota test.


class Interrupted(Exception):
    """Stands for a kill: nothing of the program runs after it."""


def lines(prompts: Sequence[str]) -> bytes:
    """A request per prompt, r0, r1, …"""
    return b"".join(orjson.dumps(request(f"r{n}", prompt)) + b"\n" for n, prompt in enumerate(prompts))


def request(custom_id: str, prompt: str) -> dict[str, Any]:
    """A short request."""
    messages = [{"role": "user", "content": prompt}]
    return {"custom_id": custom_id, "params": {"model": "gpt-4o-mini", "max_tokens": 32, "messages": messages}}


def read(content: bytes) -> Iterator[Any]:
    return jsonl.read(io.BytesIO(content))


def planned(bifrost: Bifrost, content: bytes) -> Plan:
    return bifrost.plan_batch(read(content), source="test.jsonl", defaults={})


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    with background(tmp_path / "sandbox", pace=0.05) as url:
        yield url


@pytest.fixture
async def bifrost(sandbox: str, provider: str) -> AsyncIterator[Bifrost]:
    async with opened(sandbox, provider) as opened_:
        yield opened_


def opened(url: str, provider: str) -> Bifrost:
    return Bifrost(Config(environ={**os.environ, **environment(url)}), provider, trust_env=False)


def small_parts(monkeypatch: pytest.MonkeyPatch, provider: str, requests: int) -> None:
    """The provider takes no more than this many requests in a batch."""
    kind = load(provider)
    monkeypatch.setattr(kind, "limits", dataclasses.replace(kind.limits, max_requests=requests))


async def count(bifrost: Bifrost) -> int:
    """How many batches the provider has."""
    return len([batch async for batch in bifrost.list_batches()])


async def everything(results: AsyncIterator[Any]) -> dict[str, str]:
    """custom_id -> outcome; a repeated id fails."""
    found: dict[str, str] = {}
    async for result in results:
        assert result["custom_id"] not in found
        found[result["custom_id"]] = result["result"]["type"]
    return found


async def test_a_quota_of_two_parts_lets_a_batch_of_five_through_killed_twice_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch, "openai", 4)
    content = lines(["Count to ten, please."] * 20)
    clock = Clock(tick=0.03)  # Batches go on as they are looked at, however long a look takes.
    with background(tmp_path / "sandbox", clock=clock, pace=0.5, enqueued_tokens=2 * PART_TOKENS) as url:
        for kill_at in (2, 3, None):
            async with opened(url, "openai") as bifrost:
                with planned(bifrost, content) as plan:
                    try:
                        batch = await followed(bifrost, plan, kill_at)
                    except Interrupted:
                        continue
        async with opened(url, "openai") as bifrost:
            found = await everything(bifrost.batch_results(batch.id))
            listed = [each async for each in bifrost.list_batches()]
    ran = [each for each in listed if each.provider_status == "completed"]

    assert len(batch.id.split("~")) == 5
    assert len(ran) == 5, "each part ran once"
    assert any(each.errors for each in listed), "the quota refused some on the way"
    assert found == {f"r{n}": "succeeded" for n in range(20)}


async def followed(bifrost: Bifrost, plan: Plan, kill_at: int | None) -> Any:
    """Follow a run to its end, or be killed when so many batches were made in this life."""
    made = 0

    def on_created(batch: Any) -> None:
        nonlocal made
        made += 1
        if made == kill_at:
            raise Interrupted

    async with bifrost.submission(plan) as submission:
        submission.on_created = on_created
        batches = [batch async for batch in submission.follow(poll=0.05)]
    return batches[-1]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_requests_take_up_a_run_that_was_left(bifrost: Bifrost, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch, bifrost.default, 2)
    content = lines(["a", "b", "c", "d"])
    with planned(bifrost, content) as plan, pytest.raises(Interrupted):
        await followed(bifrost, plan, kill_at=1)
    with planned(bifrost, content) as plan:
        async with bifrost.submission(plan) as taken_up:
            await taken_up.create()

    assert taken_up.run.resumed
    assert await count(bifrost) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_same_requests_on_purpose_are_a_new_batch(bifrost: Bifrost) -> None:
    for _ in range(2):
        with planned(bifrost, lines(["a"])) as plan:
            await bifrost.create_batch(plan)

    assert await count(bifrost) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_run_of_which_nothing_left_leaves_no_doubt(bifrost: Bifrost) -> None:
    with planned(bifrost, lines(["a"])) as plan, pytest.raises(Interrupted):
        async with bifrost.submission(plan):
            raise Interrupted

    assert bifrost.journal.open_intents() == []
    with planned(bifrost, lines(["a"])) as plan:
        async with bifrost.submission(plan) as next_:
            await next_.create()
    assert not next_.run.resumed
    assert await count(bifrost) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_run_that_was_killed_before_anything_left_is_created_once(bifrost: Bifrost) -> None:
    with planned(bifrost, lines(["a"])) as plan:
        killed = await bifrost.journal.begin(plan, {bifrost.default: bifrost.address(bifrost.default)})
        killed.release()  # As the end of its process does.
    with planned(bifrost, lines(["a"])) as plan:
        async with bifrost.submission(plan) as next_:
            await next_.create()

    assert next_.run.id == killed.id
    assert await count(bifrost) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_anew_takes_nothing_up(bifrost: Bifrost) -> None:
    with planned(bifrost, lines(["a"])) as plan, pytest.raises(Interrupted):
        await followed(bifrost, plan, kill_at=1)
    with planned(bifrost, lines(["a"])) as plan:
        async with bifrost.submission(plan, anew=True) as new:
            await new.create()

    assert not new.run.resumed
    assert await count(bifrost) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_key_gives_the_same_batch_again_and_refuses_other_requests(bifrost: Bifrost) -> None:
    ids = set()
    for _ in range(2):
        with planned(bifrost, lines(["a"])) as plan:
            ids.add((await bifrost.create_batch(plan, key="build-7")).id)

    assert len(ids) == 1
    assert await count(bifrost) == 1
    with planned(bifrost, lines(["other"])) as plan, pytest.raises(ConflictError, match="build-7"):
        await bifrost.create_batch(plan, key="build-7")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_lost_answer_is_looked_up_and_not_sent_again(
    bifrost: Bifrost, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bifrost_cli.core.submit.LOOK_UPS", (0.0,))
    await fault(sandbox, "reset-after*1@POST .*/batches")
    with planned(bifrost, lines(["a", "b"])) as plan:
        batch = await bifrost.create_batch(plan)

    assert batch.request_counts.total == 2
    assert await count(bifrost) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reconcile_settles_what_a_crash_left_open(
    bifrost: Bifrost, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bifrost_cli.core.submit.LOOK_UPS", ())
    for kind in ("reset-after", "reset-before"):
        await fault(sandbox, f"{kind}*1@POST .*/batches")
        with planned(bifrost, lines([kind])) as plan, pytest.raises(OutcomeUnknownError):
            await bifrost.create_batch(plan)
    settled = {each.outcome: each for each in await reconcile(bifrost)}

    assert set(settled) == {"created", "absent"}
    assert [batch.id async for batch in bifrost.list_batches()] == [settled["created"].id]
    assert await reconcile(bifrost) == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_retry_sends_what_failed_for_a_passing_reason_and_merges_to_the_whole(bifrost: Bifrost) -> None:
    triggers = {3: "sandbox:overloaded", 5: "sandbox:overloaded", 7: "sandbox:error"}
    content = lines([triggers.get(n, "hello") for n in range(1000)])
    again = lines(["hello"] * 1000)
    with planned(bifrost, content) as plan:
        first = await bifrost.create_batch(plan)
    await ended(bifrost, first.id)

    wanted = await failed_requests(bifrost, first.id)
    plan = bifrost.plan_batch(only(read(again), wanted), source="test.jsonl", defaults={})
    with plan:
        async with bifrost.submission(plan, parent=first.id) as submission:
            second = await submission.create()
    await ended(bifrost, second.id)
    audit = Audit()
    merged = await everything(merged_results(bifrost, second.id, audit))

    assert wanted == {hash("r3"), hash("r5")}
    assert len(await failed_requests(bifrost, first.id, all_failed=True)) == 3
    assert merged == {f"r{n}": "errored" if n == 7 else "succeeded" for n in range(1000)}
    assert (audit.expected, audit.out, audit.unsuccessful, audit.agrees) == (1000, 1000, 1, True)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("word", "said"), [("swap", "unknown"), ("lose", "missing"), ("repeat", "duplicate")])
async def test_the_audit_names_results_that_do_not_match(bifrost: Bifrost, word: str, said: str) -> None:
    with planned(bifrost, lines(["a", f"sandbox:{word}", "c"])) as plan:
        batch = await bifrost.create_batch(plan)
    await ended(bifrost, batch.id)
    audit = Audit()
    found = await everything(bifrost.batch_results(batch.id, audit=audit))

    assert set(found) == {"r0", "r1", "r2"}
    assert not audit.agrees
    assert said in audit.describe()


async def ended(bifrost: Bifrost, id: str) -> None:
    """Wait for a batch."""
    async for _ in bifrost.wait_batch(id, poll=0.05):
        pass


async def fault(url: str, text: str) -> None:
    """Inject a fault into the sandbox."""
    import httpx

    async with httpx.AsyncClient() as client:
        (await client.post(f"{url}/_sandbox/faults", content=orjson.dumps(text))).raise_for_status()


@pytest.mark.parametrize("provider", ["openai"])
async def test_a_swapped_result_is_seen_on_a_machine_that_did_not_create_the_batch(
    bifrost: Bifrost, sandbox: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with planned(bifrost, lines(["a", "sandbox:swap", "c"])) as plan:
        batch = await bifrost.create_batch(plan)
    await ended(bifrost, batch.id)
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "another home"))
    audit = Audit()
    async with opened(sandbox, bifrost.default) as elsewhere:
        found = await everything(elsewhere.batch_results(batch.id, audit=audit))

    assert {"r0", "r1", "r2"} < set(found)
    assert (audit.missing, audit.unknown) == (1, 1)


@pytest.mark.parametrize("provider", ["openai"])
async def test_results_that_agree_need_no_input_that_is_gone(
    bifrost: Bifrost, sandbox: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with planned(bifrost, lines(["a", "b"])) as plan:
        batch = await bifrost.create_batch(plan)
    await ended(bifrost, batch.id)
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "another home"))
    audit = Audit()
    async with opened(sandbox, bifrost.default) as elsewhere:
        for file in [file async for file in elsewhere.list_files() if file.purpose == "batch"]:
            await elsewhere.delete_file(file.id)
        found = await everything(elsewhere.batch_results(batch.id, audit=audit))

    assert set(found) == {"r0", "r1"}
    assert (audit.expected, audit.agrees) == (2, True)
