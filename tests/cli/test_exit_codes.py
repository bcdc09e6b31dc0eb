"""Each exit code of the table, reached by what it stands for."""

import re
import socket
from pathlib import Path

import pytest

from bifrost_cli.core import wait
from bifrost_cli.transport import ATTEMPTS
from tests.cli.conftest import NEVER
from tests.cli.program import Sandbox, ask, bifrost, finished, interrupt, line_of, started, written
from tests.loopback import closed_port


@pytest.fixture
def batch(sandbox: Sandbox, two: Path) -> str:
    """The id of a batch at OpenAI."""
    return bifrost("batch", "create", two, "-p", "openai", "-q").words[0]


def test_0_done(batch: str) -> None:
    bifrost("batch", "get", batch, code=0)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
@pytest.mark.parametrize(
    ("word", "said"), [("lose", "1 missing (odd is missing)"), ("repeat", "1 duplicate (odd is duplicate)"),
                       ("swap", "1 missing, 1 unknown")]
)  # fmt: skip
def test_1_results_that_make_no_sense(sandbox: Sandbox, provider: str, word: str, said: str) -> None:
    written("in.jsonl", ask("fine"), ask("odd", f"sandbox:{word}"))
    ran = bifrost("batch", "create", "in.jsonl", "-p", provider, "-o", "out.jsonl", code=1)
    assert said in ran.err.splitlines()[-1]
    assert len(Path("out.jsonl").read_text().splitlines()) == 2


def test_2_the_command_line_is_wrong(two: Path) -> None:
    bifrost("batch", "create", two, "--nonsense", code=2)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_3_no_key_names_its_variable_and_the_way_without(two: Path, provider: str) -> None:
    ran = bifrost("batch", "create", two, "-p", provider, code=3)
    assert f"set {provider.upper()}_API_KEY" in ran.err
    assert "--sandbox needs no key" in ran.err


def test_3_no_key_names_the_providers_that_have_one(
    two: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    ran = bifrost("batch", "create", two, code=3)
    assert re.search(r"Configured: .*openai.* \(choose with -p\)", ran.err)
    assert sandbox.log() == []


def test_3_the_provider_refuses_the_key(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-and-long-enough")
    ran = bifrost("files", "list", "-p", "openai", "--json", code=3)
    assert ran.error["error"]["type"] == "authentication_error"
    assert "sk-wrong-and-long" not in ran.err


def test_3_a_journal_that_cannot_be_kept_says_what_it_is_for(
    sandbox: Sandbox, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIFROST_HOME", str(two.absolute()))
    ran = bifrost("batch", "create", two, code=3)
    assert "cannot be used" in ran.err
    assert "It guards against paying twice" in ran.err
    assert sandbox.created() == 0


@pytest.mark.parametrize("id", ["openai:batch_none", "msgbatch_none"])
@pytest.mark.parametrize("verb", ["get", "cancel", "results", "wait"])
def test_4_no_such_batch(sandbox: Sandbox, verb: str, id: str) -> None:
    ran = bifrost("batch", verb, id, "--json", code=4)
    assert ran.error["error"]["type"] == "not_found_error"
    assert id.partition(":")[2] or id in ran.error["error"]["message"]


@pytest.mark.parametrize("id", ["openai:file-none", "file_none"])
@pytest.mark.parametrize("verb", ["get", "delete", "download"])
def test_4_no_such_file(sandbox: Sandbox, verb: str, id: str) -> None:
    bifrost("files", verb, id, code=4)


def test_5_what_a_provider_does_not_offer(batch: str) -> None:
    assert "OpenAI has no way to delete a batch." in bifrost("batch", "delete", batch, code=5).err


def test_5_an_idempotency_key_used_for_other_requests(sandbox: Sandbox, two: Path, mixed: Path) -> None:
    bifrost("batch", "create", two, "--idempotency-key", "night-1")
    ran = bifrost("batch", "create", mixed, "--idempotency-key", "night-1", code=5)
    assert "'night-1' was used for other requests" in ran.err


@pytest.mark.parametrize("pace", [NEVER])
def test_5_a_batch_that_runs_cannot_be_deleted(sandbox: Sandbox, two: Path) -> None:
    (id,) = bifrost("batch", "create", two, "-q").words
    bifrost("batch", "delete", id, code=5)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_6_a_rate_limit_that_lasts(sandbox: Sandbox, two: Path, provider: str, no_pauses: None) -> None:
    sandbox.fault("429*@POST .*/batches")
    ran = bifrost("batch", "create", two, "-p", provider, "--json", code=6)
    assert ran.error["error"]["type"] == "rate_limit_error"
    assert sandbox.created() == 0


def test_6_a_provider_that_is_overloaded(sandbox: Sandbox, no_pauses: None) -> None:
    sandbox.fault("529*@anthropic GET .*")
    assert bifrost("batch", "list", "--json", code=6).error["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_7_a_provider_that_fails(sandbox: Sandbox, provider: str, no_pauses: None) -> None:
    sandbox.fault("500*@GET .*")
    bifrost("batch", "list", "-p", provider, code=7)
    assert len(sandbox.log()) > 1  # A read is tried more than once.


def test_7_nobody_listens_names_the_address_and_where_it_came_from(
    sandbox: Sandbox, two: Path, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    url = closed_port()
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    for command in (["batch", "list"], ["batch", "create", two], ["files", "upload", two]):
        ran = bifrost(*command, "-p", "openai", code=7)
        assert f"The address is {url} (from: OPENAI_BASE_URL)." in ran.err
        assert "Traceback" not in ran.err


def test_7_no_such_host(monkeypatch: pytest.MonkeyPatch, no_pauses: None) -> None:
    def resolved(*arguments: object, **options: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://nowhere.invalid")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
    assert "could not be reached" in bifrost("batch", "list", "-p", "openai", code=7).err


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_8_results_asked_too_early(sandbox: Sandbox, two: Path, provider: str) -> None:
    (id,) = bifrost("batch", "create", two, "-p", provider, "-q").words
    ran = bifrost("batch", "results", id, "-o", "out.jsonl", code=8)
    assert f"{id} has not ended" in ran.err
    assert f"Go on with: bifrost batch wait {id} -o out.jsonl" in ran.err
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_8_the_wait_has_a_deadline(sandbox: Sandbox, two: Path, provider: str) -> None:
    ran = bifrost("batch", "create", two, "-p", provider, "--wait", "--timeout", "0.1s", code=8)
    id = ran.object["id"]
    assert ran.object["processing_status"] == "in_progress"
    assert ran.err.splitlines()[-1] == (
        f"error: The batch has not ended after 0.1 s. Go on with: bifrost batch wait {id}"
    )
    bifrost("batch", "wait", id, "--timeout", "0", code=8)


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_8_an_outage_does_not_outlast_the_deadline(
    sandbox: Sandbox, two: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "LAST_LOOK", 0.2)
    sandbox.fault("503*@GET .*")
    ran = bifrost("batch", "create", two, "-p", provider, "--wait", "--timeout", "0", "-q", code=8)
    assert "It is not known whether the batch has ended after 0 s" in ran.err
    bifrost("batch", "wait", *ran.words, "--timeout", "0", code=8)
    assert len([each for each in sandbox.log() if each["method"] == "GET"]) < 2 * ATTEMPTS


def test_9_some_requests_did_not_succeed(sandbox: Sandbox, mixed: Path) -> None:
    ran = bifrost("batch", "create", mixed, "-p", "openai", "--wait", code=9)
    id = ran.object["id"]
    assert f"See why: bifrost batch results {id} --errors-only" in ran.err
    bifrost("batch", "wait", id, code=9)
    bifrost("batch", "results", id, code=9)
    bifrost("batch", "get", id, code=0)
    bifrost("batch", "list", "-p", "openai", code=0)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_9_a_model_that_does_not_exist(sandbox: Sandbox, provider: str) -> None:
    written("in.jsonl", ask(model="no-such-model"))
    ran = bifrost("batch", "create", "in.jsonl", "-p", provider, "-o", "-", code=9)
    assert "no-such-model" in ran.object["result"]["error"]["error"]["message"]


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_10_a_create_that_may_have_arrived_is_not_repeated(
    sandbox: Sandbox, two: Path, provider: str, no_pauses: None
) -> None:
    sandbox.fault("reset-before*@POST .*/batches")
    ran = bifrost("batch", "create", two, "-p", provider, code=10)
    assert "may or may not have arrived" in ran.err
    assert len([each for each in sandbox.log() if each["path"].endswith("/batches") and each["method"] == "POST"]) == 1


@pytest.mark.parametrize("pace", [NEVER])
def test_130_interrupted(sandbox: Sandbox, batch: str) -> None:
    process = started("batch", "wait", batch)
    line_of(process, "stderr")
    interrupt(process)
    assert finished(process).code == 130


def test_the_object_of_an_error_has_the_code_of_the_process(sandbox: Sandbox, mixed: Path, no_pauses: None) -> None:
    sandbox.fault("500*@GET /v1/batches")
    for arguments in (["batch", "get", "x y"], ["batch", "get", "msgbatch_none"], ["batch", "list", "-p", "openai"],
                      ["batch", "create", mixed, "-o", "out.jsonl"]):  # fmt: skip
        ran = bifrost(*arguments, "--json", code=None)
        assert ran.code == ran.error["exit_code"] > 1
