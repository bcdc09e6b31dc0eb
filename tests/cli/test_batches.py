"""Following batches: list, get, wait, cancel, delete and results, from any process and any machine."""

import json
import re
from pathlib import Path

import pytest

from bifrost_cli.cli import bars
from bifrost_cli.cli.render import Screen
from bifrost_cli.errors import BifrostError, NotFoundError, UpstreamError
from bifrost_cli.models import Batch
from tests.cli.conftest import NEVER, Serve
from tests.cli.program import Sandbox, ask, bifrost, finished, kinds, line_of, results_in, started, written
from tests.loopback import closed_port

BOTH = pytest.mark.parametrize("provider", ["anthropic", "openai"])


def created(path: Path, *options: str) -> str:
    return bifrost("batch", "create", path, "--new", "-q", *options).words[0]


# -- list and get ------------------------------------------------------------------------------------------------------


@BOTH
def test_a_list_is_newest_first_and_as_long_as_asked(sandbox: Sandbox, two: Path, provider: str) -> None:
    ids = [created(two, "-p", provider) for _ in range(3)]
    for options, expected in (((), ids[::-1]), (("--limit", 2), ids[:0:-1]), (("--all",), ids[::-1])):
        listed = bifrost("batch", "list", "-p", provider, "-q", *options).words
        assert len(listed) == len(expected)
        if provider == "anthropic":  # OpenAI's times are whole seconds.
            assert listed == expected


def test_p_all_lists_the_batches_of_every_provider_that_is_configured(sandbox: Sandbox, two: Path) -> None:
    ids = {created(two, "-p", "anthropic"), created(two, "-p", "openai")}
    assert ids <= set(bifrost("batch", "list", "-p", "all", "-q").words)


def test_p_all_leaves_out_providers_without_a_key(sandbox: Sandbox, two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id = created(two, "-p", "openai")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert bifrost("batch", "list", "-p", "all", "-q").words[0] == id


def test_a_provider_that_fails_hides_none_of_the_others(
    sandbox: Sandbox, two: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    id = created(two)
    (file,) = bifrost("files", "upload", two, "-q").words
    monkeypatch.setenv("OPENAI_BASE_URL", closed_port())
    for kind, there in (("batch", id), ("files", file)):
        ran = bifrost(kind, "list", "-p", "all", "-q", code=7)
        assert there in ran.words
        assert "openai could not be reached" in ran.err


def test_watching_needs_a_terminal(sandbox: Sandbox) -> None:
    ran = bifrost("batch", "list", "--watch", code=2)
    assert ran.err == "error: --watch needs a terminal. For scripts there is `bifrost batch wait`.\n"


@BOTH
def test_a_batch_is_got_as_it_is_now(sandbox: Sandbox, two: Path, provider: str) -> None:
    id = created(two, "-p", provider)
    batch = bifrost("batch", "get", id).object
    assert (batch["id"], batch["processing_status"], batch["provider"]) == (id, "ended", provider)
    assert batch["request_counts"]["succeeded"] == 2


@pytest.mark.anyio
async def test_watching_sits_an_outage_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bars, "WATCH_SECONDS", 0.0)
    answers: list[list[Batch] | BifrostError] = [[], UpstreamError("down"), [], NotFoundError("the end of it")]

    async def listed() -> list[Batch]:
        answer = answers.pop(0)
        if isinstance(answer, BifrostError):
            raise answer
        return answer

    with pytest.raises(NotFoundError):
        await bars.watch(Screen(), listed)
    assert answers == []
    assert "No batches." in capsys.readouterr().out


# -- cancel and delete -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
@BOTH
def test_cancel_asks_for_a_stop_and_says_how_it_stands(sandbox: Sandbox, two: Path, provider: str) -> None:
    first, second = created(two, "-p", provider), created(two, "-p", provider)
    batches = bifrost("batch", "cancel", first, second).objects
    assert [batch["id"] for batch in batches] == [first, second]
    assert {batch["processing_status"] for batch in batches} <= {"canceling", "ended"}


@pytest.mark.parametrize("pace", [0.4])
def test_a_canceled_batch_gives_each_request_once(sandbox: Sandbox, two: Path) -> None:
    id = created(two, "-p", "openai")
    bifrost("batch", "cancel", id)
    bifrost("batch", "wait", id, "--poll", "0.1", "-o", "out.jsonl", code=None)
    assert set(kinds(results_in("out.jsonl")).values()) <= {"succeeded", "canceled"}
    assert len(results_in("out.jsonl")) == 2


@BOTH
def test_canceling_what_has_ended_changes_nothing(sandbox: Sandbox, two: Path, provider: str) -> None:
    id = created(two, "-p", provider)
    assert bifrost("batch", "cancel", id).object["processing_status"] == "ended"
    assert len(bifrost("batch", "results", id).objects) == 2


def test_a_batch_that_is_not_there_keeps_none_of_the_others_from_being_deleted_or_canceled(
    sandbox: Sandbox, two: Path
) -> None:
    (id,) = bifrost("batch", "create", two, "-q").words
    ran = bifrost("batch", "cancel", "msgbatch_none", id, "-q", code=4)
    assert ran.words == [id]
    assert "error: 1 of 2 not canceled: " in ran.err
    assert bifrost("batch", "delete", "msgbatch_none", id, "-q", code=4).words == [id]


def test_a_deleted_batch_is_gone(sandbox: Sandbox, two: Path) -> None:
    first, second = created(two), created(two)
    assert bifrost("batch", "delete", first, second, "--yes", "-q").words == [first, second]
    bifrost("batch", "get", first, code=4)


# -- wait --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
@BOTH
def test_a_batch_of_one_process_is_waited_for_in_another(sandbox: Sandbox, two: Path, provider: str) -> None:
    id = created(two, "-p", provider)
    process = started("batch", "wait", id, "--poll", "0.2", "-o", "out.jsonl")
    assert line_of(process, "stderr").split()[1:3] == [id, "in_progress"]
    sandbox.end_batches()
    ran = finished(process)
    assert ran.code == 0
    assert kinds(results_in("out.jsonl")) == {"one": "succeeded", "two": "succeeded"}
    assert f"{id} ended 2/2 done" in ran.err


@BOTH
def test_an_id_a_key_and_an_address_are_enough_on_a_fresh_machine(
    sandbox: Sandbox, two: Path, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = created(two, "-p", provider)
    for name in ("HOME", "BIFROST_HOME"):
        monkeypatch.setenv(name, str(tmp_path / f"fresh-{name}"))
    bifrost("batch", "wait", id)
    bifrost("batch", "results", id, "-o", "out.jsonl", "--order", "any")
    assert kinds(results_in("out.jsonl")) == {"one": "succeeded", "two": "succeeded"}
    bifrost("batch", "cancel", id)


def test_order_input_works_on_a_fresh_machine_where_the_input_can_be_had(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"r{number}" for number in range(12)]
    path = written("in.jsonl", *(ask(name) for name in names))
    at_openai, at_anthropic = created(path, "-p", "openai"), created(path)
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "fresh"))
    assert bifrost("batch", "results", at_openai, "-q", "--order", "input").words == names
    ran = bifrost("batch", "results", at_anthropic, "-q", "--order", "input", "--input", path)
    assert ran.words == names
    bifrost("batch", "results", at_anthropic, "--input", path, code=2)


@pytest.mark.parametrize("pace", [0.3])
def test_several_batches_are_waited_for_side_by_side(sandbox: Sandbox, two: Path, mixed: Path) -> None:
    ids = [created(two, "-p", "openai"), created(mixed)]
    ran = bifrost("batch", "wait", *ids, "--poll", "0.1", code=9)
    assert [batch["id"] for batch in ran.objects] == ids or {batch["id"] for batch in ran.objects} == set(ids)
    assert f"bifrost batch results {ids[1]} --errors-only" in ran.err


def test_what_is_wrong_with_one_batch_is_said_and_keeps_nobody_from_the_others_results(
    sandbox: Sandbox, two: Path, mixed: Path
) -> None:
    good, bad = created(two), created(mixed)
    ran = bifrost("batch", "wait", "msgbatch_none", bad, good, "-o", "made", code=4)
    assert [line for line in ran.err.splitlines() if line.startswith("msgbatch_none: ")]
    assert {path.name for path in Path("made").iterdir()} == {f"{good}.jsonl", f"{bad}.jsonl"}
    ran = bifrost("batch", "wait", "msgbatch_none", good, code=4)
    assert ran.object["id"] == good


def test_after_a_deadline_what_ended_is_there_and_the_rest_is_named(
    sandbox: Sandbox, two: Path, served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = created(two)
    for name, value in served(NEVER).environment("a-slow-one").items():
        if name.startswith("OPENAI"):
            monkeypatch.setenv(name, value)
    running = created(two, "-p", "openai")
    ran = bifrost("batch", "wait", done, running, "-o", "made", "--timeout", "0.2", code=8)
    assert [path.name for path in Path("made").iterdir()] == [f"{done}.jsonl"]
    assert ran.err.endswith(f"Go on with: bifrost batch wait {running} -o made\n")
    bifrost("batch", "wait", running, "-o", "made", "--timeout", "0", code=8)


@pytest.mark.parametrize("pace", [0.3])
def test_an_outage_is_sat_out(sandbox: Sandbox, two: Path, no_pauses: None) -> None:
    id = created(two, "-p", "openai")
    sandbox.fault("503*7@GET .*")
    bifrost("batch", "wait", id, "--poll", "0.1")
    assert len([each for each in sandbox.log() if each["status"] == 503]) == 7


def test_a_poll_and_a_timeout_are_lengths_of_time(sandbox: Sandbox, two: Path) -> None:
    id = created(two)
    for text in ("90", "90s", "15m", "24h", "7d", "0.5"):
        bifrost("batch", "wait", id, "--timeout", text, "--poll", text)
    for text in ("", "h", "-1", "1w", "nan", "inf", "1e999"):
        ran = bifrost("batch", "wait", id, "--timeout", text, code=None)
        assert ran.code == 2, text
        assert f"'{text}' is not a length of time. Write 90, 90s, 15m, 24h or 7d." in ran.err


# -- the sandbox in the program ----------------------------------------------------------------------------------------


def test_with_sandbox_no_key_and_no_server_are_needed_and_commands_see_each_others_batches(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "0")
    for provider in ("anthropic", "openai"):
        ran = bifrost("batch", "create", two, "-p", provider, "--sandbox", "-o", f"{provider}.jsonl")
        assert "sbx" in ran.object["id"]
        assert kinds(results_in(f"{provider}.jsonl")) == {"one": "succeeded", "two": "succeeded"}
        assert bifrost("batch", "get", ran.object["id"], "--sandbox").object["id"] == ran.object["id"]


def test_the_sandbox_may_be_chosen_by_the_environment(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX", "1")
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "0")
    assert "sbx" in bifrost("batch", "create", two).object["id"]


def test_with_sandbox_real_keys_and_addresses_are_not_used(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.com/never")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert "sbx" in bifrost("batch", "create", two, "-p", "openai", "--sandbox").object["id"]


def test_a_sandbox_id_without_sandbox_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for id in ("openai:batch_sbx1", "msgbatch_sbx1"):
        for verb in ("get", "results", "wait", "cancel"):
            ran = bifrost("batch", verb, id, code=3)
            assert ran.err.endswith("This is an id of the sandbox: add --sandbox.\n")
    assert "add --sandbox" in bifrost("files", "get", "file_sbx1", code=3).err
    assert "add --sandbox" not in bifrost("batch", "get", "msgbatch_1", code=3).err
    assert "add --sandbox" in bifrost("batch", "get", "msgbatch_sbx1", "--json", code=3).error["error"]["hint"]


def test_commands_to_go_on_with_are_the_sandboxs_too(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", str(NEVER))
    (id,) = bifrost("batch", "create", two, "--sandbox", "-q").words
    ran = bifrost("batch", "results", id, "--sandbox", code=8)
    assert ran.err.endswith(f"Go on with: bifrost batch wait {id} --sandbox\n")


def test_what_is_wrong_with_the_sandboxs_settings_is_said(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "fast")
    ran = bifrost("batch", "list", "--sandbox", code=2)
    assert "BIFROST_SANDBOX_PACE is 'fast'" in ran.err
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "0")
    monkeypatch.setenv("BIFROST_SANDBOX_FAULTS", "tired")
    assert "'tired'" in bifrost("batch", "list", "--sandbox", code=2).err


def test_the_sandboxs_faults_may_come_from_the_environment(
    two: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_FAULTS", "429*@POST .*/batches")
    bifrost("batch", "create", two, "--sandbox", code=6)


@pytest.mark.parametrize(("fault", "quiet", "said"), [
    ("429=30*1", [], "openai asks for a pause of 30 s: Rate limit reached"),
    ("429=30*1", ["-q"], ""),
    ("429=1*1", [], ""),
    ("503*1", [], ""),
])  # fmt: skip
def test_a_pause_that_a_provider_asks_for_is_said(
    two: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None, fault: str, quiet: list[str], said: str
) -> None:
    monkeypatch.setenv("BIFROST_SANDBOX_FAULTS", f"{fault}@GET .*/batches/.*")
    ran = bifrost("batch", "create", two, "-p", "openai", "--sandbox", "--wait", *quiet)
    assert said in ran.err
    assert ("asks for a pause" in ran.err) == bool(said)


# -- results -----------------------------------------------------------------------------------------------------------


@BOTH
def test_each_kind_of_outcome_is_told_in_anthropics_words(sandbox: Sandbox, mixed: Path, provider: str) -> None:
    ran = bifrost("batch", "results", created(mixed, "-p", provider), code=9)
    results = {line["custom_id"]: line["result"] for line in ran.objects}
    assert kinds(results) == {"fine": "succeeded", "bad": "errored", "busy": "errored", "late": "expired"}
    error = results["bad"]["error"]
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert re.search("refused, as its prompt asks", error["error"]["message"])


def test_results_may_be_read_again_and_are_the_same(sandbox: Sandbox, two: Path) -> None:
    id = created(two, "-p", "openai")
    first, second = bifrost("batch", "results", id), bifrost("batch", "results", id)
    assert first.out == second.out


def test_results_are_json_that_any_reader_takes(sandbox: Sandbox) -> None:
    text = 'quotes " backslashes \\ line\nbreaks \u2028 and \x7f'
    written("in.jsonl", ask("x", text))
    line = bifrost("batch", "results", created(Path("in.jsonl"))).out.rstrip("\n")
    assert "\n" not in line
    assert json.loads(line)["custom_id"] == "x"
