"""Never paid twice, never lost: interrupts, kills, runs taken up, idempotency keys, retries and reconciling."""

import os
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import NEVER
from tests.cli.program import (
    Ran,
    Sandbox,
    ask,
    bifrost,
    finished,
    interrupt,
    kinds,
    line_of,
    on_terminal,
    results_in,
    started,
    written,
)

BOTH = pytest.mark.parametrize("provider", ["anthropic", "openai"])
SUCCEEDED = {"one": "succeeded", "two": "succeeded"}


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def resume_of(ran: Ran) -> list[str]:
    """The command that an interrupted one names, without the program's name."""
    (command,) = re.findall("Go on with: (bifrost .*)", ran.err)
    return shlex.split(command)[1:]


@pytest.fixture
def parts(folder: Path) -> Path:
    """Requests that OpenAI takes as three batches, since each names another model."""
    return written("parts.jsonl", *(ask(f"r{number}", model=f"gpt-5.4-mini-{number}") for number in range(3)))


# -- interrupted -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
def test_the_command_that_an_interrupted_one_names_brings_the_results(sandbox: Sandbox, two: Path) -> None:
    process = started("batch", "create", two, "-p", "openai", "-o", "out.jsonl")
    line_of(process, "stderr")
    interrupt(process)
    ran = finished(process)
    assert ran.code == 130
    assert "Nothing was canceled." in ran.err
    sandbox.end_batches()
    bifrost(*resume_of(ran), "--poll", "0.2")
    assert kinds(results_in("out.jsonl")) == SUCCEEDED
    assert sandbox.created() == 1


def test_interrupted_between_the_parts_it_names_itself_and_then_makes_the_rest(sandbox: Sandbox, parts: Path) -> None:
    sandbox.fault("slow=0.01*1@POST /v1/batches; 429=59*@POST /v1/batches")
    process = started("batch", "create", parts, "-p", "openai", "-o", "out.jsonl")
    until(lambda: sandbox.created() == 1 and sandbox.log()[-1]["status"] == 429)
    interrupt(process)
    ran = finished(process)
    assert ran.code == 130
    assert "(1 of 3)" in ran.err
    assert resume_of(ran) == ["batch", "create", "parts.jsonl", "-p", "openai", "-o", "out.jsonl"]
    sandbox.client.delete("/_sandbox/faults")
    again = bifrost(*resume_of(ran))
    assert "Going on with the run of" in again.err
    assert sandbox.created() == 3
    assert len(results_in("out.jsonl")) == 3


def test_interrupted_while_it_reads_requests_it_stops_at_once_and_has_nothing_to_name(sandbox: Sandbox) -> None:
    os.mkfifo("pipe")
    process = started("batch", "create", "pipe", "-p", "openai")
    with open("pipe", "w"):  # Goes on when the other end is open.
        time.sleep(0.2)
        interrupt(process)
        process.wait(30)
    ran = finished(process)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.strip() == "Interrupted."
    assert sandbox.log() == []


# -- killed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
@BOTH
def test_killed_while_it_waits_the_same_command_goes_on_with_the_same_batch(
    sandbox: Sandbox, two: Path, provider: str
) -> None:
    process = started("batch", "create", two, "-p", provider, "--wait", "-q")
    id = line_of(process).strip()
    process.kill()
    finished(process)
    ran = bifrost("batch", "create", two, "-p", provider, "--wait", "--timeout", "0", "-q", code=8)
    assert ran.words == [id]
    assert sandbox.created() == 1


@BOTH
def test_killed_on_the_embedded_sandbox_the_same_command_goes_on_too(
    two: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", str(NEVER))
    process = started("batch", "create", two, "-p", provider, "--sandbox", "--wait", "-q")
    id = line_of(process).strip()
    process.kill()
    finished(process)
    ran = bifrost("batch", "create", two, "-p", provider, "--sandbox", "--wait", "--timeout", "0", "-q", code=8)
    assert ran.words == [id]
    assert bifrost("batch", "list", "-p", provider, "--sandbox", "-q").words == [id]


@BOTH
def test_killed_while_the_create_is_on_its_way_the_batch_is_found_and_not_made_again(
    sandbox: Sandbox, two: Path, provider: str
) -> None:
    sandbox.fault("slow=1*1@POST .*/batches")
    process = started("batch", "create", two, "-p", provider, "-o", "out.jsonl")
    until(lambda: sandbox.created() == 1)
    process.kill()
    finished(process)
    bifrost("batch", "create", two, "-p", provider, "-o", "out.jsonl")
    assert sandbox.created() == 1
    assert kinds(results_in("out.jsonl")) == SUCCEEDED


def test_killed_between_the_parts_the_rest_is_made_and_no_part_twice(sandbox: Sandbox, parts: Path) -> None:
    for made in (1, 2):
        sandbox.fault("slow=0.01*1@POST /v1/batches; slow=1*1@POST /v1/batches")
        process = started("batch", "create", parts, "-p", "openai", "-o", "out.jsonl")
        until(lambda made=made: sandbox.created() > made)
        process.kill()
        finished(process)
        sandbox.client.delete("/_sandbox/faults")
    bifrost("batch", "create", parts, "-p", "openai", "-o", "out.jsonl")
    assert sandbox.created() == 3
    assert len(results_in("out.jsonl")) == 3


# -- run again ---------------------------------------------------------------------------------------------------------


def test_the_same_file_run_again_on_purpose_is_a_new_batch(sandbox: Sandbox, two: Path) -> None:
    first, second = (bifrost("batch", "create", two, "-q").words[0] for _ in range(2))
    assert first != second
    assert sandbox.created() == 2


@pytest.mark.parametrize("pace", [NEVER])
def test_what_was_left_unfinished_is_taken_up_unless_new_is_asked_for(sandbox: Sandbox, two: Path) -> None:
    options = ("--wait", "--timeout", "0", "-q")
    first = bifrost("batch", "create", two, *options, code=8).words
    assert bifrost("batch", "create", two, *options, code=8).words == first
    assert bifrost("batch", "create", two, *options, "--new", code=8).words != first
    assert sandbox.created() == 2


@BOTH
def test_an_idempotency_key_gives_the_first_runs_batch_however_often(
    sandbox: Sandbox, two: Path, provider: str
) -> None:
    options = ("-p", provider, "--idempotency-key", "nightly", "-q")
    ids = {bifrost("batch", "create", two, *options).words[0] for _ in range(3)}
    assert len(ids) == 1
    assert sandbox.created() == 1
    bifrost("batch", "create", two, *options, "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == SUCCEEDED


def test_two_processes_with_the_same_idempotency_key_at_once_make_one_batch(sandbox: Sandbox, two: Path) -> None:
    sandbox.fault("slow=0.02*1@POST .*/batches")
    command = ("batch", "create", two, "-p", "openai", "--idempotency-key", "both", "-q")
    rivals = [started(*command) for _ in range(2)]
    first, second = (finished(process) for process in rivals)
    assert (first.code, second.code) == (0, 0)
    assert first.words == second.words
    assert sandbox.created() == 1


def test_an_empty_idempotency_key_is_refused_since_it_guards_nothing(sandbox: Sandbox, two: Path) -> None:
    ran = bifrost("batch", "create", two, "--idempotency-key", "", code=2)
    assert ran.err == "error: --idempotency-key is empty. Is the variable that should hold it set?\n"
    assert sandbox.log() == []


# -- unknown outcomes --------------------------------------------------------------------------------------------------


@BOTH
def test_a_create_whose_answer_is_lost_is_looked_up(
    sandbox: Sandbox, two: Path, provider: str, no_pauses: None
) -> None:
    sandbox.fault("reset-after@POST .*/batches")
    bifrost("batch", "create", two, "-p", provider, "-o", "out.jsonl")
    assert sandbox.created() == 1
    assert kinds(results_in("out.jsonl")) == SUCCEEDED


@BOTH
def test_reconcile_shows_open_intents_and_settles_them(
    sandbox: Sandbox, two: Path, provider: str, no_pauses: None
) -> None:
    sandbox.fault("reset-after*1@POST .*/batches; 500*@GET .*/batches")
    bifrost("batch", "create", two, "-p", provider, code=10)
    ran = bifrost("batch", "reconcile", code=10)
    assert (ran.object["outcome"], ran.object["provider"], ran.object["requests"]) == ("open", provider, 2)
    assert ran.object["source"].endswith(two.name)
    sandbox.client.delete("/_sandbox/faults")
    (settled,) = bifrost("batch", "reconcile").objects
    assert settled["outcome"] == "created"
    assert bifrost("batch", "get", settled["id"]).object["id"] == settled["id"]
    assert bifrost("batch", "reconcile").out == ""
    assert sandbox.created() == 1


def test_reconcile_says_what_never_arrived(sandbox: Sandbox, two: Path, no_pauses: None) -> None:
    sandbox.fault("reset-before*1@POST .*/batches; 500*@GET .*/batches")
    bifrost("batch", "create", two, "-p", "openai", code=10)
    sandbox.client.delete("/_sandbox/faults")
    ran = bifrost("batch", "reconcile")
    assert (ran.object["outcome"], ran.object["id"]) == ("absent", None)
    bifrost("batch", "create", two, "-p", "openai", "-o", "out.jsonl")
    assert sandbox.created() == 1


def test_where_the_list_does_not_settle_it_a_person_is_asked(sandbox: Sandbox, two: Path, no_pauses: None) -> None:
    sandbox.fault("reset-after*2@POST .*/batches; 500*@GET .*/batches")
    for options in ((), ("--new",)):
        bifrost("batch", "create", two, *options, code=10)
    sandbox.client.delete("/_sandbox/faults")
    assert sandbox.created() == 2
    bifrost("batch", "create", two, code=10)  # Off a terminal nobody can be asked.
    with on_terminal("batch", "create", two) as terminal:
        text = terminal.expect("Which one is it?")
        (id, other) = re.findall(r"  \d  (msgbatch_\w+)", text)
        terminal.type("1\n")
        terminal.expect(f"Created {id}")
        terminal.end()
    assert other != id
    assert sandbox.created() == 2


# -- retry -------------------------------------------------------------------------------------------------------------


@BOTH
def test_retry_sends_again_what_failed_for_a_passing_reason(sandbox: Sandbox, mixed: Path, provider: str) -> None:
    (id,) = bifrost("batch", "create", mixed, "-p", provider, "-q").words
    again = bifrost("batch", "retry", id, "-o", "rest.jsonl", code=9).object
    assert again["id"] != id
    assert again["provider"] == provider
    assert set(results_in("rest.jsonl")) == {"busy", "late"}
    (id,) = bifrost("batch", "retry", id, "--all-failed", "-q").words
    assert set(bifrost("batch", "results", id, "-q", code=9).words) == {"bad", "busy", "late"}


def test_a_retry_and_what_it_repeats_can_be_read_as_one(sandbox: Sandbox, mixed: Path) -> None:
    (id,) = bifrost("batch", "create", mixed, "-q").words
    (again,) = bifrost("batch", "retry", id, "-q").words
    ran = bifrost("batch", "results", again, "--merged", code=9)
    assert {line["custom_id"] for line in ran.objects} == {"fine", "bad", "busy", "late"}
    assert "4 in, 4 out: 2 errored, 1 expired, 1 succeeded." in ran.err
    assert "not known here as a retry" in bifrost("batch", "results", id, "--merged", code=2).err


@BOTH
def test_merged_results_come_in_the_order_of_the_first_input(sandbox: Sandbox, provider: str) -> None:
    words = {"late": "sandbox:expire", "fine": "Say hello.", "busy": "sandbox:overloaded", "good": "Say hello."}
    written("in.jsonl", *(ask(custom_id, text) for custom_id, text in words.items()))
    (id,) = bifrost("batch", "create", "in.jsonl", "-p", provider, "-q").words
    (again,) = bifrost("batch", "retry", id, "-q").words
    (and_again,) = bifrost("batch", "retry", again, "-q").words
    for retry in (again, and_again):
        assert bifrost("batch", "results", retry, "--merged", "--order", "input", "-q", code=9).words == list(words)


def test_merged_results_of_a_batch_made_elsewhere_come_in_order_where_that_is_known(
    sandbox: Sandbox, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id,) = bifrost("batch", "create", mixed, "-q").words
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "elsewhere"))
    (again,) = bifrost("batch", "retry", id, mixed, "-q").words
    merged = ("batch", "results", again, "--merged", "--order", "input", "-q")
    assert "does not give a batch's input back" in bifrost(*merged, code=5).err
    assert bifrost(*merged, "--input", mixed, code=9).words == ["fine", "bad", "busy", "late"]


def test_retry_takes_over_the_options_of_the_batch(sandbox: Sandbox) -> None:
    line = ask("late", "sandbox:expire", model=None, top_k=5)
    written("in.jsonl", line)
    options = ("-p", "openai", "--model", "gpt-5.4-mini", "--drop", "top_k", "--endpoint", "chat")
    (id,) = bifrost("batch", "create", "in.jsonl", *options, "-q").words
    bifrost("batch", "retry", id)
    uploaded = [each["id"] for each in bifrost("files", "list", "-p", "openai").objects if each["purpose"] == "batch"]
    first, second = (bifrost("files", "download", id, "-o", "-").object for id in uploaded)
    assert first == second
    assert (first["url"], first["body"]["model"]) == ("/v1/chat/completions", "gpt-5.4-mini")


def test_where_nothing_failed_nothing_is_retried(sandbox: Sandbox, two: Path) -> None:
    (id,) = bifrost("batch", "create", two, "-q").words
    ran = bifrost("batch", "retry", id)
    assert ran.out == ""
    assert ran.err.startswith("Nothing to retry")
    assert sandbox.created() == 1


def test_retry_on_another_machine_needs_the_input_and_takes_it(
    sandbox: Sandbox, mixed: Path, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id,) = bifrost("batch", "create", mixed, "-p", "openai", "-q").words
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "other machine"))
    ran = bifrost("batch", "retry", id, code=2)
    assert ran.err == f"error: The input of {id} is not known here. Give it: bifrost batch retry {id} INPUT\n"
    assert "2 of the 2 requests to retry are not in the input" in bifrost("batch", "retry", id, two, code=2).err
    bifrost("batch", "retry", id, mixed, "-o", "rest.jsonl", code=9)
    assert set(results_in("rest.jsonl")) == {"busy", "late"}
