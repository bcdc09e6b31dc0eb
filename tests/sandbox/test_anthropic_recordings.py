"""Anthropic's emulator held against the recordings; see `recordings`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.recordings import ROOT, differences, frames, hold, lines, load, needed, unheld

pytestmark = needed


OLD_BETA = {"anthropic-beta": "files-api-2025-04-14"}
NEWER_MESSAGE = {"container", "diagnostics"}


class Anthropic:
    """Brings the emulator to where a recording was made, and asks as it asked."""

    def __init__(self, sandboxed: Any, clock: Any) -> None:
        self.http: httpx.Client = sandboxed.http("anthropic")
        self.clock = clock

    def create(self, name: str = "batches-create") -> httpx.Response:
        body = load(f"anthropic/{name}.json")["request"]["body"]
        return self.http.post("/messages/batches", json=body)

    def batch(self, after: float = 0) -> str:
        id: str = self.create().json()["id"]
        self.clock.pass_(after)
        return id

    def get(self, after: float) -> httpx.Response:
        return self.http.get(f"/messages/batches/{self.batch(after)}")

    def cancel(self, **body: Any) -> httpx.Response:
        return self.http.post(f"/messages/batches/{self.batch()}/cancel", **body)

    def three(self, query: str = "") -> httpx.Response:
        """A list of an ended, a canceled and a running batch, as the recorded one has them."""
        self.batch(10)
        self.cancel()
        self.clock.pass_(10)
        self.batch()
        return self.http.get(f"/messages/batches{query}")

    def results(self, after: float = 10) -> httpx.Response:
        return self.http.get(f"/messages/batches/{self.batch(after)}/results")

    def upload(self, **headers: str) -> httpx.Response:
        return self.http.post("/files", files={"file": ("a.pdf", b"%PDF", "application/pdf")}, headers=headers)

    def upload_as_recorded(self) -> httpx.Response:
        request = load("anthropic/files-upload-sdk-multipart.json")["request"]
        headers = {"content-type": request["headers"]["content-type"], **OLD_BETA}
        return self.http.post("/files?beta=true", content=request["body"], headers=headers)

    def file(self, method: str, path: str = "") -> httpx.Response:
        id = self.upload().json()["id"]
        return self.http.request(method, f"/files/{id}{path}", headers=OLD_BETA)

    def listed(self) -> httpx.Response:
        self.upload()
        return self.http.get("/files", headers=OLD_BETA)

    def message(self, name: str, suffix: str = "", path: str = "/messages", **changes: Any) -> httpx.Response:
        """Sends a recorded request, its file ids replaced with one that is there, and `suffix` after its text."""
        body = {**load(f"anthropic/{name}.json")["request"]["body"], **changes}
        for block in body["messages"][0]["content"] if isinstance(body["messages"][0], dict) else ():
            if block["type"] == "text":
                block["text"] += suffix
            source = block.get("source", block)
            if "file_id" in source:
                source["file_id"] = self.upload().json()["id"]
        return self.http.post(path, json=body)


ANTHROPIC: dict[str, tuple[Callable[[Anthropic], httpx.Response], set[str]]] = {
    "batches-create": (lambda at: at.create(), set()),
    "batches-create-sdk": (lambda at: at.create("batches-create-sdk"), set()),
    "batches-get-in-progress": (lambda at: at.get(1), set()),
    "batches-get-ended": (lambda at: at.get(3), set()),
    "batches-cancel": (lambda at: at.cancel(json={}), set()),
    "batches-cancel-sdk-empty-body": (lambda at: at.cancel(), set()),
    "batches-list": (lambda at: at.three(), set()),
    "batches-list-limit1": (lambda at: at.three("?limit=1"), set()),
    "batches-results": (lambda at: at.results(), set()),
    "batches-results-2025-02": (lambda at: at.results(), set()),
    "error-batches-results-before-end-404": (lambda at: at.results(0), {"request_id"}),
    "error-batches-create-401": (
        lambda at: at.http.post("/messages/batches", headers={"x-api-key": "x"}, json={}),
        {"request_id"},
    ),
    "error-messages-401": (lambda at: at.http.post("/messages", headers={"x-api-key": "x"}, json={}), set()),
    "error-messages-400-2024-no-request-id": (
        lambda at: at.message("error-messages-400-2024-no-request-id"),
        {"request_id"},
    ),
    "error-messages-400-effort": (lambda at: at.message("error-messages-400-effort"), set()),
    "error-messages-404-model": (lambda at: at.message("error-messages-404-model", model="no-such-model"), set()),
    "error-messages-400-prompt-too-long": (
        lambda at: at.http.post(
            "/messages",
            json={
                "model": "claude-haiku-4-5",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "word " * 200_000}],
            },
        ),
        set(),
    ),
    "error-count-tokens-404-model": (
        lambda at: at.message("error-count-tokens-404-model", path="/messages/count_tokens", model="no-such-model"),
        set(),
    ),
    "count-tokens": (lambda at: at.message("count-tokens", path="/messages/count_tokens"), set()),
    "files-upload": (lambda at: at.upload(**OLD_BETA), set()),
    "files-upload-beta-header": (lambda at: at.upload(**OLD_BETA), set()),
    "files-upload-sdk-multipart": (lambda at: at.upload_as_recorded(), set()),
    "files-list-old-shape": (lambda at: at.listed(), set()),
    "files-delete": (lambda at: at.file("DELETE"), set()),
    "error-files-content-not-downloadable-400": (lambda at: at.file("GET", "/content"), set()),
    "files-message-with-file-id": (lambda at: at.message("files-message-with-file-id"), NEWER_MESSAGE),
    "messages-tool-use": (lambda at: at.message("messages-tool-use", suffix=" sandbox:tool"), NEWER_MESSAGE),
    "messages-thinking-summarized": (lambda at: at.message("messages-thinking-summarized"), NEWER_MESSAGE),
    "messages-container-upload": (
        lambda at: at.message("messages-container-upload", suffix=" sandbox:file"),
        {*NEWER_MESSAGE, "file_id"},
    ),
}

TEXTS = {
    "error-batches-create-401",
    "error-messages-401",
    "error-messages-400-2024-no-request-id",
    "error-messages-400-effort",
}
"""Refusals whose recorded text holds no id or name, so that ours must be the same."""


@pytest.fixture
def anthropic_at(timed: Any, clock: Any) -> Any:
    at = Anthropic(timed, clock)
    with at.http:
        yield at


@pytest.mark.parametrize("name", ANTHROPIC)
def test_anthropic(anthropic_at: Anthropic, name: str) -> None:
    recording, (ask, since) = load(f"anthropic/{name}.json"), ANTHROPIC[name]
    answer = ask(anthropic_at)
    hold(recording, answer, since)
    if name in TEXTS:
        assert answer.json()["error"] == recording["response"]["body"]["error"]
    if "retry-after" not in recording["response"]["headers"]:
        assert "retry-after" not in answer.headers


def steps(events: list[dict[str, Any]]) -> list[str]:
    """The kinds of events in their order, what repeats told once."""
    kinds = ["/".join((event["type"], event.get("delta", {}).get("type") or "")) for event in events]
    return [name for number, name in enumerate(kinds) if number == 0 or kinds[number - 1] != name]


@pytest.mark.parametrize(
    ("name", "suffix"), [("messages-stream-thinking", ""), ("messages-stream-tool-use", " sandbox:tool")]
)
def test_anthropic_streams(anthropic_at: Anthropic, name: str, suffix: str) -> None:
    answer = anthropic_at.message(name, suffix)
    hold(load(f"anthropic/{name}.json"), answer)
    recorded, ours = frames((ROOT / f"anthropic/{name}.sse.txt").read_text()), frames(answer.text)
    assert steps(ours) == steps(recorded)
    assert differences(recorded, ours, NEWER_MESSAGE) == []
    assert 'data: {"type": "ping"}' in answer.text
    tool_pieces = [event["delta"]["partial_json"] for event in ours if "partial_json" in event.get("delta", {})]
    assert tool_pieces[:1] in ([], [""])


@pytest.mark.parametrize(
    ("name", "texts", "changes", "since"),
    [
        ("results-succeeded.jsonl", "x", {}, NEWER_MESSAGE),
        ("results-succeeded-late-2026-09.reported.jsonl", "x", {}, set()),
        (
            "results-thinking.trimmed.jsonl",
            "x",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {
                *NEWER_MESSAGE,
                "stop_details",
                "inference_geo",
                "service_tier",
                "cache_creation",
                "output_tokens_details",
            },
        ),
        ("results-errored.reported.jsonl", ["x", "sandbox:overloaded"], {"max_tokens": 100_000}, set()),
    ],
)
def test_anthropic_results(
    anthropic_at: Anthropic, prompt: Any, name: str, texts: Any, changes: Any, since: Any
) -> None:
    requests = [
        {
            "custom_id": str(number),
            "params": prompt(text, **{"model": "claude-haiku-4-5", "max_tokens": 2000, **changes}),
        }
        for number, text in enumerate(texts)
    ]
    id = anthropic_at.http.post("/messages/batches", json={"requests": requests}).json()["id"]
    anthropic_at.clock.pass_(10)
    answer = anthropic_at.http.get(f"/messages/batches/{id}/results")
    ours = [json.loads(line) for line in answer.text.splitlines()]
    assert len(ours) == len(requests)
    assert differences(lines(f"anthropic/{name}"), ours, since) == []


def test_anthropic_canceled_results(anthropic_at: Anthropic) -> None:
    id = anthropic_at.cancel().json()["id"]
    anthropic_at.clock.pass_(10)
    answer = anthropic_at.http.get(f"/messages/batches/{id}/results")
    ours = [json.loads(line) for line in answer.text.splitlines()]
    assert differences(lines("anthropic/results-canceled.reported.jsonl"), ours) == []
    assert {line["result"]["type"] for line in ours} == {"canceled"}


NOT_HELD = {
    "messages-stream-redacted-thinking.json": "nothing here redacts its thinking",
    "messages-stream-redacted-thinking.sse.txt": "nothing here redacts its thinking",
    "reported-batches-errors-live-2026-09-02.json": "its texts are in test_anthropic_batches",
    "results-sonnet-5.reserialised.json": "its nulls were lost",
}


def test_every_recording_is_held_or_has_its_reason() -> None:
    assert unheld("anthropic", ANTHROPIC, Path(__file__).read_text(), NOT_HELD) == set()
