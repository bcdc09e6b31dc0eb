"""The journal: what survives a crash, who may take up what, many processes at once, and folders that do not serve."""

import asyncio
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.database import Database
from bifrost_cli.core.journal import Journal, Run
from bifrost_cli.core.plan import Plan
from bifrost_cli.core.refs import Ref
from bifrost_cli.errors import ConfigError, ConflictError
from bifrost_cli.providers import PROVIDERS, load

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = {"small": "http://a.example"}

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def small_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(PROVIDERS, "small", "tests.core.small:Small")
    yield
    load.cache_clear()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(Database(tmp_path / "state"))


def plan(count: int = 5, model: str = "m") -> Plan:
    """Requests r0, r1, … in parts of three."""
    messages = [{"role": "user", "content": "hi"}]
    params = {"model": model, "max_tokens": 1, "messages": messages}
    lines = [{"custom_id": f"r{number}", "params": dict(params)} for number in range(count)]
    return Bifrost(Config(environ={}), "small").plan_batch(enumerate(lines, 1), source="in.jsonl", defaults={})


async def begun(journal: Journal, given: Plan, **options: Any) -> Run:
    return await journal.begin(given, ADDRESS, **options)


async def created(journal: Journal, given: Plan, *natives: str) -> Run:
    """A run whose parts exist under these ids."""
    run = await begun(journal, given)
    for part, native in zip(run.parts, natives, strict=True):
        await journal.mark(part, "created", native=native)
    return run


def rows(journal: Journal, query: str) -> list[Any]:
    with closing(sqlite3.connect(journal.database.path)) as db, db:
        return db.execute(query).fetchall()


# -- what is recorded --------------------------------------------------------------------------------------------


async def test_a_run_is_recorded_before_anything_leaves_as_if_its_first_part_had(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given)
    assert [(part.position, part.state, part.requests, part.model) for part in run.parts] == [
        (0, "intended", 3, "m"),
        (1, "planned", 2, "m"),
    ]
    assert not run.resumed
    assert run.ahead is run.parts[0]
    recorded = [("intended", "http://a.example"), ("planned", "http://a.example")]
    assert rows(journal, "SELECT state, address FROM parts") == recorded


async def test_tags_are_unique_to_run_part_and_attempt_and_plain(journal: Journal) -> None:
    with plan() as given:
        first, second = await begun(journal, given), await begun(journal, given, anew=True)
    tags = [part.tag for part in (*first.parts, *second.parts)]
    await journal.mark(first.parts[0], "refused")
    await journal.mark(first.parts[0], "planned")
    tags.append(first.parts[0].tag)
    assert len(set(tags)) == 5
    assert all(re.fullmatch(r"[a-z0-9-]{1,64}", tag) for tag in tags)


async def test_each_state_is_kept_and_only_two_are_open(journal: Journal) -> None:
    with plan() as given:
        part = (await begun(journal, given)).parts[0]
    for state in ("planned", "intended", "unknown", "refused", "created", "absent"):
        await journal.mark(part, state, native="n" if state == "created" else None, error="why")
        [row] = rows(journal, "SELECT state, native, error FROM parts WHERE position = 0")
        assert row == (state, "n" if state == "created" else None, "why")
        assert part.open == (state in ("intended", "unknown"))


async def test_the_time_of_an_unknown_outcome_stays_that_of_its_create(journal: Journal) -> None:
    with plan() as given:
        part = (await begun(journal, given)).parts[0]
    await journal.mark(part, "intended")
    left = part.changed_at
    await asyncio.sleep(0.01)
    await journal.mark(part, "unknown")
    assert part.changed_at == left
    await journal.mark(part, "created", native="n")
    assert part.changed_at > left


async def test_the_folder_is_the_users_alone(journal: Journal) -> None:
    with plan() as given:
        await begun(journal, given)
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700


async def test_a_last_part_is_created_and_its_run_closed_at_once(journal: Journal) -> None:
    with plan(1) as given:
        run = await begun(journal, given)
        await journal.finish(run, run.parts[0], "n")
        recorded = rows(journal, "SELECT state, native FROM parts")
        run.release()
        again = await begun(journal, given)
    assert recorded == [("created", "n")]
    assert (run.closed, run.parts[0].state, run.parts[0].native) == (True, "created", "n")
    assert not again.resumed


# -- who takes up what -------------------------------------------------------------------------------------------


async def test_the_same_requests_take_up_a_run_that_was_left_open(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given)
        await journal.mark(run.parts[0], "created", native="n")
        run.release()
        again = await begun(journal, given)
    assert (again.id, again.resumed) == (run.id, True)
    assert [part.state for part in again.parts] == ["created", "planned"]


@pytest.mark.parametrize("reason", ["held", "closed", "anew", "other requests", "another address"])
async def test_a_run_is_not_taken_up_when_it_should_not_be(journal: Journal, reason: str) -> None:
    with plan() as given, plan(4) as other:
        run = await begun(journal, given)
        if reason == "closed":
            await journal.close(run.id)
        if reason != "held":
            run.release()
        addresses = {"small": "http://b.example"} if reason == "another address" else ADDRESS
        chosen = other if reason == "other requests" else given
        again = await journal.begin(chosen, addresses, anew=reason == "anew")
    assert (again.id != run.id, again.resumed) == (True, False)


async def test_a_run_of_long_ago_is_not_taken_up(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given)
        run.release()
        rows(journal, "UPDATE runs SET created_at = created_at - 49 * 3600")
        assert (await begun(journal, given)).id != run.id


async def test_a_process_that_was_killed_leaves_its_run_to_the_next(journal: Journal) -> None:
    script = (
        "async def create():\n"
        "    run = await journal.begin(given, ADDRESS)\n"
        "    await journal.mark(run.parts[0], 'intended')\n"
        "    print(run.id, flush=True); os._exit(9)\n"
        "asyncio.run(create())\n"
    )
    process = in_process(journal, script)
    killed = process.communicate()[0].strip()
    assert process.returncode == 9
    [intent] = journal.open_intents()
    assert (intent.part.run, intent.part.position, intent.source) == (killed, 0, "in.jsonl")
    with plan() as given:
        run = await begun(journal, given)
    assert (run.id, run.resumed) == (killed, True)
    assert [part.state for part in run.parts] == ["intended", "planned"]


async def test_the_intents_of_a_living_process_are_not_open(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given)
    await journal.mark(run.parts[0], "intended")
    assert journal.open_intents() == []
    run.release()
    assert [intent.part.tag for intent in journal.open_intents()] == [run.parts[0].tag]
    await journal.mark(run.parts[0], "absent")
    assert journal.open_intents() == []


async def test_a_key_gives_its_run_again_however_it_ended(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given, key="k")
        await journal.close(run.id)
        run.release()
        again = await begun(journal, given, key="k")
    assert (again.id, again.resumed) == (run.id, True)


async def test_a_key_is_refused_for_other_requests(journal: Journal) -> None:
    with plan() as given, plan(4) as other:
        (await begun(journal, given, key="k")).release()
        with pytest.raises(ConflictError, match="The idempotency key 'k' was used for other requests"):
            await begun(journal, other, key="k")


async def test_a_key_waits_until_its_holder_is_done(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given, key="k")
        waiting = asyncio.create_task(begun(journal, given, key="k"))
        await asyncio.sleep(0.2)
        await journal.mark(run.parts[0], "created", native="n")
        run.release()
        again = await waiting
    assert again.parts[0].native == "n"


async def test_a_run_is_let_go_where_its_task_was_cancelled_meanwhile(journal: Journal) -> None:
    with plan() as given:
        cancelled = asyncio.create_task(begun(journal, given, key="k"))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        run = await asyncio.wait_for(begun(journal, given, key="k"), 5)
    assert run.resumed


async def test_waiting_for_a_key_can_be_given_up(journal: Journal) -> None:
    with plan() as given:
        run = await begun(journal, given, key="k")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun(journal, given, key="k"), 0.1)
        run.release()
        assert (await asyncio.wait_for(begun(journal, given, key="k"), 5)).id == run.id


# -- many at once ------------------------------------------------------------------------------------------------


def test_many_processes_write_at_once_and_nothing_is_lost(journal: Journal) -> None:
    script = (
        "print('ready', flush=True); sys.stdin.readline()\n"
        "async def create():\n"
        "    run = await journal.begin(given, ADDRESS, anew=True)\n"
        "    for part in run.parts:\n"
        "        await journal.mark(part, 'intended')\n"
        "        await journal.mark(part, 'created', native=part.tag)\n"
        "    await journal.close(run.id)\n"
        "    run.release()\n"
        "for turn in range(4):\n"
        "    asyncio.run(create())\n"
    )
    processes = [in_process(journal, script) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
    assert [process.returncode for process in processes] == [0] * 3
    assert rows(journal, "SELECT count(*) FROM runs WHERE closed_at IS NOT NULL") == [(12,)]
    assert rows(journal, "SELECT count(DISTINCT native) FROM parts WHERE state = 'created'") == [(24,)]
    assert rows(journal, "SELECT count(*) FROM ids") == [(12,)]
    assert len(list(journal.folder.glob("locks/*"))) == 3, "a process makes do with one file"


def in_process(journal: Journal, script: str) -> "subprocess.Popen[str]":
    """Another process with this journal and plan of five."""
    before = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom bifrost_cli.providers import PROVIDERS\n"
        "PROVIDERS['small'] = 'tests.core.small:Small'\n"
        "from tests.core.test_journal import ADDRESS, Database, Journal, plan\n"
        f"journal, given = Journal(Database(Path({str(journal.folder)!r}))), plan()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", before + script], cwd=ROOT, text=True, **pipes)


# -- what it is asked --------------------------------------------------------------------------------------------


async def test_it_knows_what_went_into_each_part_in_input_order(journal: Journal) -> None:
    with plan(5) as given:
        await created(journal, given, "n0", "n1")
    first, second = Ref("small", "n0"), Ref("small", "n1")

    def inputs(*parts: Ref) -> list[str] | None:
        read = journal.inputs(parts)
        return list(read()) if read else None

    assert inputs(first) == ["r0", "r1", "r2"]
    assert inputs(second) == ["r3", "r4"]
    assert inputs(first, second) == ["r0", "r1", "r2", "r3", "r4"]
    assert inputs(Ref("small", "n9")) is None
    assert inputs(Ref("other", "n0")) is None
    assert inputs(first, Ref("small", "n9")) is None
    assert journal.requests(first) == 3
    assert journal.requests(Ref("small", "n9")) is None
    assert journal.siblings(second) == (first, second)
    assert journal.siblings(Ref("small", "n9")) == (Ref("small", "n9"),)
    assert journal.natives("small", "http://a.example") == {"n0", "n1"}
    assert journal.natives("small", "http://b.example") == set()


async def test_what_two_runs_hold_is_not_one_input(journal: Journal) -> None:
    with plan(1) as one, plan(2) as two:
        await created(journal, one, "n0")
        await created(journal, two, "n1")
    assert journal.inputs([Ref("small", "n0"), Ref("small", "n1")]) is None


def test_an_empty_machine_knows_nothing_and_makes_nothing(journal: Journal) -> None:
    ref = Ref("small", "n0")
    assert (journal.inputs([ref]), journal.requests(ref), journal.origin([ref])) == (None, None, None)
    assert (journal.open_intents(), journal.siblings(ref)) == ([], (ref,))
    assert not journal.folder.exists()


async def test_ids_are_forgotten_after_two_months(journal: Journal) -> None:
    with plan(1) as given, plan(2) as other:
        await created(journal, given, "n0")
        rows(journal, "UPDATE ids SET kept_at = kept_at - 61 * 86400")
        await begun(Journal(journal.database), other)
    assert journal.inputs([Ref("small", "n0")]) is None


async def test_an_equal_run_that_ends_after_a_time_is_the_same_however_long_the_disk_is_waited_for(
    journal: Journal,
) -> None:
    with plan() as given, plan() as equal:
        run = await begun(journal, given)
        since = time.time()
        await journal.close(run.id)
        run.release()
        others = asyncio.create_task(journal.commits.make(lambda db: time.sleep(0.2), lasting=False))
        await asyncio.sleep(0)
        again = await begun(journal, equal, since=since)
        again.release()
        await others
        assert (again.id, again.resumed) == (run.id, True)
        assert (await begun(journal, equal, since=time.time())).id != run.id


@pytest.mark.parametrize("options", [{}, {"key": "k"}, {"since": 0.0}, {"since": 9e9}], ids=str)
async def test_a_long_history_makes_no_run_harder_to_begin(journal: Journal, options: dict[str, Any]) -> None:
    await steps_of_a_run(journal, **options)
    few = await steps_of_a_run(journal, **options)
    with journal.database.write() as db:
        counted = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        db.execute(f"{counted} INSERT INTO runs SELECT i, {time.time()}, 0, '', 1, i, NULL, NULL, '', NULL FROM n")
        db.execute(
            f"{counted} INSERT INTO parts SELECT i, 0, 0, 'small', '', '', '', 1, 'created', i, '', 0, 0, 0 FROM n"
        )
    assert 0 < await steps_of_a_run(journal, **options) < few * 1.5


async def steps_of_a_run(journal: Journal, **options: Any) -> int:
    """How many steps SQLite takes for it, from its beginning to its end."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    await journal.commits.make(lambda db: db.set_progress_handler(step, 1), lasting=False)
    with plan(1) as given:
        run = await begun(journal, given, **options)
    await journal.mark(run.parts[0], "created", native=run.id)
    await journal.close(run.id)
    return steps


# -- folders that do not serve -----------------------------------------------------------------------------------


async def test_a_folder_that_cannot_be_made_is_named_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with plan() as given, pytest.raises(ConfigError) as caught:
        await begun(Journal(Database(tmp_path / "file" / "state")), given)
    assert str(tmp_path / "file" / "state") in caught.value.message
    assert "BIFROST_HOME" in str(caught.value.hint)


async def test_a_damaged_journal_stops_a_create(journal: Journal) -> None:
    journal.folder.mkdir()
    journal.database.path.write_bytes(b"this is no database" * 100)
    with plan() as given, pytest.raises(ConfigError, match="cannot be used"):
        await begun(journal, given)


def test_a_damaged_journal_stops_nobody_from_following_an_id(journal: Journal) -> None:
    journal.folder.mkdir()
    journal.database.path.write_bytes(b"this is no database" * 100)
    ref = Ref("small", "n0")
    assert (journal.inputs([ref]), journal.requests(ref), journal.origin([ref])) == (None, None, None)
    assert journal.siblings(ref) == (ref,)
