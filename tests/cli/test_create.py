"""`batch create`: what it makes of its input and options."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.program import Sandbox, ask, bifrost, kinds, results_in, written


@pytest.mark.parametrize(("provider", "prefix"), [("anthropic", "msgbatch_"), ("openai", "openai:batch_")])
def test_it_prints_the_batch_in_anthropics_shape(sandbox: Sandbox, two: Path, provider: str, prefix: str) -> None:
    batch = bifrost("batch", "create", two, "-p", provider).object
    assert batch["id"].startswith(prefix)
    assert batch["type"] == "message_batch"
    assert sum(batch["request_counts"].values()) == 2
    assert batch["request_counts"].keys() == {"processing", "succeeded", "errored", "canceled", "expired"}
    assert sandbox.created() == 1


def test_quiet_prints_the_id_alone(sandbox: Sandbox, two: Path) -> None:
    ran = bifrost("batch", "create", two, "-p", "openai", "-q")
    (id,) = ran.words
    assert id.startswith("openai:batch_")
    assert ran.err == ""
    assert bifrost("batch", "create", two, "--wait", "-q", "--new").out.count("\n") == 1


# -- the samples -------------------------------------------------------------------------------------------------------

SAMPLES = Path(__file__).parents[2] / "samples"
RUNS = {
    "requests.jsonl": [("anthropic", "--model", "claude-haiku-4-5"), ("openai", "--model", "gpt-5.4-mini")],
    "features.jsonl": [("anthropic", "--model", "claude-haiku-4-5"), ("openai", "--model", "gpt-5.4-mini")],
    "openai-form.jsonl": [("openai",)],
}


@pytest.mark.parametrize("name", RUNS)
def test_a_sample_succeeds_where_it_is_meant_to(sandbox: Sandbox, name: str) -> None:
    wanted = {json.loads(line)["custom_id"] for line in (SAMPLES / name).read_text().splitlines()}
    for provider, *options in RUNS[name]:
        bifrost("batch", "create", SAMPLES / name, "-p", provider, *options, "-o", f"{provider}.jsonl")
        assert kinds(results_in(f"{provider}.jsonl")) == dict.fromkeys(wanted, "succeeded")


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_the_sample_that_fails_fails_in_one_request(sandbox: Sandbox, provider: str) -> None:
    ran = bifrost("batch", "create", SAMPLES / "failing.jsonl", "-p", provider, "--model", "m", "-o", "-", code=9)
    assert {line["custom_id"]: line["result"]["type"] for line in ran.objects} == {
        "fine": "succeeded",
        "broken": "errored",
    }


def test_the_demo_ends_with_answers_on_the_screen() -> None:
    script = Path(sys.executable).with_name("bifrost")
    ran = subprocess.run(["sh", "samples/demo.sh", script], cwd=SAMPLES.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "[sandbox]" in ran.stdout
    assert json.loads(ran.stdout.splitlines()[-1])["result"]["type"] == "succeeded"


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_needs_no_key_and_shows_one_object_per_provider_batch() -> None:
    written("in.jsonl", ask("a", model="gpt-5.4-mini"), ask("b", model="gpt-5.4-nano"), ask("c", model="gpt-5.4-mini"))
    ran = bifrost("batch", "create", "in.jsonl", "-p", "openai", "--dry-run", "--json")
    first, second = ran.objects
    assert first.keys() == {"provider", "model", "endpoint", "requests", "bytes"}
    assert (first["provider"], first["model"], first["endpoint"]) == ("openai", "gpt-5.4-mini", "/v1/responses")
    assert (first["requests"], second["requests"], second["model"]) == (2, 1, "gpt-5.4-nano")
    assert first["bytes"] > second["bytes"] > 100
    (whole,) = bifrost("batch", "create", "in.jsonl", "-p", "anthropic", "--dry-run").objects
    assert (whole["provider"], whole["model"], whole["requests"]) == ("anthropic", None, 3)


def test_a_dry_run_sends_nothing_and_leaves_nothing(sandbox: Sandbox, two: Path, folder: Path) -> None:
    ran = bifrost("batch", "create", two, "-p", "openai", "--dry-run", "-o", "out.jsonl", "--wait", "-q")
    assert ran.out == ""
    assert sandbox.log() == []
    assert [path.name for path in folder.iterdir()] == [two.name]
    assert bifrost("batch", "reconcile").objects == []


def test_the_bytes_of_the_plan_are_those_that_go_out(sandbox: Sandbox, two: Path) -> None:
    plan = bifrost("batch", "create", two, "-p", "openai", "--dry-run").object
    bifrost("batch", "create", two, "-p", "openai")
    (uploaded,) = [each for each in bifrost("files", "list", "-p", "openai").objects if each["purpose"] == "batch"]
    assert uploaded["size_bytes"] == plan["bytes"]


# -- what options do to requests ---------------------------------------------------------------------------------------


def test_defaults_fill_in_what_a_request_lacks_and_nothing_else(sandbox: Sandbox) -> None:
    bare = ask("bare", model=None)
    del bare["params"]["max_tokens"]
    written("in.jsonl", bare, ask("own", model="gpt-5.4-nano", max_tokens=70))
    options = ("-p", "openai", "--model", "gpt-5.4-mini", "--max-tokens", 50)
    bifrost("batch", "create", "in.jsonl", *options)
    inputs = [each["id"] for each in bifrost("files", "list", "-p", "openai").objects if each["purpose"] == "batch"]
    sent = [bifrost("files", "download", id, "-o", "-").object for id in inputs]
    given = {line["custom_id"]: (line["body"]["model"], line["body"]["max_output_tokens"]) for line in sent}
    assert given == {"bare": ("gpt-5.4-mini", 50), "own": ("gpt-5.4-nano", 70)}


@pytest.mark.parametrize(
    ("endpoint", "path"), [("responses", "/v1/responses"), ("chat", "/v1/chat/completions"), ("auto", "/v1/responses")]
)
def test_the_endpoint_can_be_chosen(two: Path, endpoint: str, path: str) -> None:
    ran = bifrost("batch", "create", two, "-p", "openai", "--endpoint", endpoint, "--dry-run")
    assert ran.object["endpoint"] == path


def test_an_endpoint_that_is_none_is_refused_by_its_flag(two: Path) -> None:
    ran = bifrost("batch", "create", two, "-p", "openai", "--endpoint", "telepathy", "--dry-run", code=2)
    assert "--endpoint: 'telepathy'" in ran.err
    assert "chat" in ran.err


def test_a_models_prefix_sends_each_request_to_its_provider(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("one", model="openai/gpt-5.4-mini"), ask("two", model="anthropic/claude-haiku-4-5"))
    ran = bifrost("batch", "create", "in.jsonl", "-o", "out.jsonl")
    first, second = ran.object["id"].split("~")
    assert first.startswith("openai:batch_")
    assert second.startswith("msgbatch_")
    results = results_in("out.jsonl")
    assert results["one"]["message"]["model"].startswith("gpt-5.4-mini")
    assert results["two"]["message"]["model"].startswith("claude-haiku-4-5")
    assert sandbox.created() == 2


class Recorder(HTTPServer):
    """Refuses every request, and keeps the headers of the last."""

    headers: dict[str, str]


class Refusing(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(403)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *said: object) -> None:
        """Nothing is to be seen of it."""


@contextmanager
def recording() -> Iterator[Recorder]:
    with Recorder(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_version_and_betas_go_to_anthropic_as_headers(monkeypatch: pytest.MonkeyPatch, two: Path) -> None:
    with recording() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-a-test")
        bifrost("batch", "create", two, code=3)
        assert server.headers["anthropic-version"] == "2023-06-01"
        assert "anthropic-beta" not in server.headers
        flags = ("--anthropic-version", "2030-01-01", "--beta", "one-2030", "--beta", "two-2030")
        bifrost("batch", "create", two, *flags, code=3)
        assert server.headers["anthropic-version"] == "2030-01-01"
        assert server.headers["anthropic-beta"] == "one-2030,two-2030"


# -- a file that was uploaded before -----------------------------------------------------------------------------------


@pytest.fixture
def uploaded(sandbox: Sandbox) -> str:
    """The id of an input in OpenAI's own form."""
    body = {"model": "gpt-5.4-mini", "input": "Hello!"}
    written("own.jsonl", {"custom_id": "own", "method": "POST", "url": "/v1/responses", "body": body})
    (id,) = bifrost("files", "upload", "own.jsonl", "-p", "openai", "-q").words
    return id


def test_a_batch_is_made_of_a_file_uploaded_before(sandbox: Sandbox, uploaded: str) -> None:
    bifrost("batch", "create", "--file-id", uploaded, "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == {"own": "succeeded"}
    assert sandbox.created("files") == 1


@pytest.mark.parametrize(
    "options",
    [["--model", "m"], ["--max-tokens", "9"], ["--endpoint", "chat"], ["--drop", "top_k"], ["--skip-invalid"]],
    ids=" ".join,
)
def test_what_would_change_the_requests_of_an_uploaded_file_is_refused(
    sandbox: Sandbox, uploaded: str, options: list[str]
) -> None:
    ran = bifrost("batch", "create", "--file-id", uploaded, *options, code=2)
    assert options[0] in ran.err
    assert sandbox.created() == 0


def test_a_provider_without_it_refuses_an_uploaded_file(sandbox: Sandbox) -> None:
    ran = bifrost("batch", "create", "--file-id", "file_sbx1", code=5)
    assert ran.err == "error: Anthropic makes no batch from an uploaded file. Give the JSONL itself instead.\n"


def test_an_input_and_a_file_id_exclude_each_other_and_one_is_needed(sandbox: Sandbox, two: Path) -> None:
    for arguments in ([], [two, "--file-id", "openai:file-x"]):
        ran = bifrost("batch", "create", *arguments, code=2)
        assert ran.err.startswith("error: Give either an input or --file-id.")
    assert bifrost("batch", "create", "--file-id", "", code=2).err.startswith("error: '' is not an id.")
    assert sandbox.log() == []


# -- providers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all", "nobody"])
def test_a_provider_that_is_none_is_refused_with_those_that_are(sandbox: Sandbox, two: Path, name: str) -> None:
    for command in (["batch", "create", two], ["batch", "get", "x"], ["files", "upload", two], ["files", "get", "x"]):
        ran = bifrost(*command, "-p", name, code=2)
        assert ran.err.startswith(f"error: There is no provider '{name}'. Use one of: anthropic, openai")
    assert sandbox.log() == []


def test_the_provider_may_come_from_the_environment(
    sandbox: Sandbox, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIFROST_PROVIDER", "openai")
    assert bifrost("batch", "create", two).object["id"].startswith("openai:")
    assert bifrost("batch", "create", two, "-p", "anthropic").object["id"].startswith("msgbatch_")
