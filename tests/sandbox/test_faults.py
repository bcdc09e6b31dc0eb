"""Faults: their syntax, and that each does to a client what it says."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from bifrost_cli.sandbox import EMULATORS, Fault, FaultSyntaxError, background, parse_faults
from bifrost_cli.sandbox.faults import Faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429", Fault("429", seconds=1.0)),
        ("429*2@POST /v1/batches", Fault("429", 2, None, "POST", "/v1/batches", 1.0)),
        ("429=0.5*3@openai POST /v1/.*", Fault("429", 3, "openai", "POST", "/v1/.*", 0.5)),
        ("cut*1@GET .*/content", Fault("cut", 1, None, "GET", ".*/content")),
        ("slow*", Fault("slow", None, seconds=0.05)),
        ("reset-after@anthropic .*", Fault("reset-after", 1, "anthropic")),
        ("503*@/v1/files", Fault("503", None, path="/v1/files")),
    ],
)
def test_the_syntax(text: str, fault: Fault) -> None:
    assert parse_faults(text) == [fault]


def test_several_faults() -> None:
    assert [fault.kind for fault in parse_faults(" 429*2@POST /v1/batches ; cut ;")] == ["429", "cut"]
    assert parse_faults("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nonsense", "expected one of 429, 500"),
        ("418", "unknown kind '418'"),
        ("429 *2", "expected KIND"),
        ("429*x", "expected KIND"),
        ("429@nobody POST /x", "PATH"),
        ("429@POST /a b", "PATH"),
        ("cut=1", "take '=SECONDS'"),
        ("slow=1.2.3", "not a number of seconds"),
        ("cut@(", "not a regular expression"),
    ],
)
def test_bad_syntax_says_what_is_expected(text: str, expected: str) -> None:
    with pytest.raises(FaultSyntaxError) as caught:
        parse_faults(text)
    assert expected in str(caught.value)


def test_a_fault_is_used_up() -> None:
    faults = Faults(parse_faults("429*2@POST /v1/files;500"))
    taken = [faults.take("openai", "POST", "/v1/files") for _ in range(4)]
    assert [fault.kind if fault else None for fault in taken] == ["429", "429", "500", None]
    assert Faults(parse_faults("429@POST /v1/files")).take("openai", "POST", "/v1/files/x") is None
    assert Faults(parse_faults("429@openai .*")).take("anthropic", "GET", "/") is None


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with background(tmp_path, pace=0) as url:
        yield url


@pytest.fixture
def claude(url: str, clients: Any) -> anthropic.Anthropic:
    client: anthropic.Anthropic = clients.anthropic.with_options(base_url=f"{url}/anthropic")
    return client


@pytest.fixture
def gpt(url: str, clients: Any) -> openai.OpenAI:
    client: openai.OpenAI = clients.openai.with_options(base_url=f"{url}/openai/v1")
    return client


def inject(url: str, *faults: Any) -> None:
    answer = httpx.post(f"{url}/_sandbox/faults", json=list(faults))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_statuses_in_the_vendors_shape(url: str, claude: anthropic.Anthropic, gpt: openai.OpenAI, status: int) -> None:
    inject(url, f"{status}*2")
    with pytest.raises(anthropic.APIStatusError) as first:
        claude.files.upload(file=("a", b"x" * 2_000_000))
    with pytest.raises(openai.APIStatusError) as second:
        gpt.files.create(file=("a", b"x" * 2_000_000), purpose="vision")
    assert (first.value.status_code, second.value.status_code) == (status, status)
    assert first.value.body["type"] == "error"  # type: ignore[index]
    assert first.value.request_id == first.value.body["request_id"]  # type: ignore[index]
    assert second.value.request_id
    assert [error.response.headers.get("retry-after") for error in (first.value, second.value)] == [
        "1" if status == 429 else None
    ] * 2
    assert list(claude.files.list()) == []
    assert httpx.get(f"{url}/_sandbox/counts").json()["anthropic"] == {}


def test_the_sdk_retries_after_the_time_that_is_told(url: str, claude: anthropic.Anthropic) -> None:
    inject(url, "429=0.2*2@anthropic POST /v1/files")
    begun = time.monotonic()
    assert claude.with_options(max_retries=2).files.upload(file=("a", b"x")).id
    assert time.monotonic() - begun > 0.3  # Of 0.4.


@pytest.mark.parametrize(("kind", "created"), [("reset-before", 0), ("reset-after", 1)])
def test_resets(url: str, claude: anthropic.Anthropic, prompt: Any, kind: str, created: int) -> None:
    inject(url, f"{kind}@POST /v1/messages/batches")
    with pytest.raises(anthropic.APIConnectionError):
        claude.messages.batches.create(requests=[{"custom_id": "a", "params": prompt()}])
    assert len(list(claude.messages.batches.list())) == created
    assert httpx.get(f"{url}/_sandbox/counts").json()["anthropic"].get("batches", 0) == created
    log = httpx.get(f"{url}/_sandbox/log").json()
    assert log[0]["status"] is None


def test_the_log_forgets_what_is_under_way_too(url: str, gpt: openai.OpenAI) -> None:
    id = gpt.files.create(file=("a", b"x" * 100_000), purpose="vision").id
    inject(url, "slow=0.02@GET .*/content")
    path, bearer = f"{url}/openai/v1/files/{id}/content", {"authorization": "Bearer sandbox"}
    with httpx.stream("GET", path, headers=bearer) as response:
        assert httpx.get(f"{url}/_sandbox/log").json()[-1]["path"].endswith("/content")
        httpx.delete(f"{url}/_sandbox/log")
        assert len(response.read()) == 100_000
    assert httpx.get(f"{url}/_sandbox/log").json() == []


def test_a_download_is_cut(url: str, gpt: openai.OpenAI) -> None:
    id = gpt.files.create(file=("a", b"x" * 1_000_000), purpose="vision").id
    inject(url, "cut@GET .*/content")
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        httpx.get(f"{url}/openai/v1/files/{id}/content", headers={"authorization": "Bearer sandbox"})
    assert len(gpt.files.content(id).read()) == 1_000_000


def test_chunked_results_are_cut(url: str, claude: anthropic.Anthropic, prompt: Any) -> None:
    made = claude.messages.batches.create(
        requests=[{"custom_id": f"r{number}", "params": prompt()} for number in range(10)]
    )
    inject(url, "cut@GET .*/results")
    headers = {"x-api-key": "sandbox", "anthropic-version": "2023-06-01"}
    with httpx.stream("GET", f"{url}/anthropic/v1/messages/batches/{made.id}/results", headers=headers) as answer:
        chunks = answer.iter_bytes()
        assert 0 < next(chunks).count(b"\n") < 10
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            list(chunks)
    assert len(list(claude.messages.batches.results(made.id))) == 10


def test_a_slow_answer_is_whole(url: str, gpt: openai.OpenAI) -> None:
    id = gpt.files.create(file=("a", bytes(range(256)) * 50), purpose="vision").id
    inject(url, "slow=0.01@GET .*/content")
    begun = time.monotonic()
    assert gpt.files.content(id).read() == bytes(range(256)) * 50
    assert time.monotonic() - begun > 0.1  # Of 0.2, which clocks tell apart from less only roughly.


def test_faults_by_json(url: str) -> None:
    fault = {"kind": 503, "times": None, "provider": "openai", "method": "GET", "path": "/v1/files"}
    inject(url, fault, "cut*2@.*")
    active = httpx.get(f"{url}/_sandbox/faults").json()
    assert [(item["kind"], item["times"], item["provider"]) for item in active] == [
        ("503", None, "openai"),
        ("cut", 2, None),
    ]
    assert httpx.get(f"{url}/openai/v1/files").status_code == 503
    assert httpx.delete(f"{url}/_sandbox/faults").json() == []
    assert httpx.get(f"{url}/openai/v1/files").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"5",
        b'{"kind":"x"}',
        b'{"kind":"429","where":"y"}',
        b'{"kind":"429","provider":"y"}',
        b'"429@"',
        b'{"kind":"429","times":"2"}',
        b'{"kind":"429","path":5}',
    ],
)
def test_bad_faults_by_json(url: str, body: bytes) -> None:
    answer = httpx.post(f"{url}/_sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert httpx.get(f"{url}/_sandbox/faults").json() == []


def test_faults_at_the_start(tmp_path: Path) -> None:
    with background(tmp_path, faults=parse_faults("500")) as url:
        statuses = [httpx.get(f"{url}/{name}/v1/files").status_code for name in [*EMULATORS][:2]]
    assert statuses == [500, 401]
