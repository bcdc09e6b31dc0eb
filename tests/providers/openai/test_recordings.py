"""Answers recorded from the live service are all understood.

They are other people's data and no part of this project: the folder is `../shared/recordings` beside it, or where
BIFROST_RECORDINGS says.
"""

import os
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from anthropic.types import Message

from bifrost_cli.errors import AuthError, BifrostError, InvalidRequestError, NotFoundError
from bifrost_cli.providers.openai import failures, translate

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("BIFROST_RECORDINGS") or ROOT.parent / "shared" / "recordings") / "openai"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings: {FOLDER} is missing")
OUTPUTS = ["output-chat.jsonl", "output-responses.trimmed.jsonl", "output-embeddings.trimmed.jsonl"]
OBJECTS = {"batch": translate.to_batch, "file": translate.to_file}


def read(name: str) -> Any:
    return orjson.loads((FOLDER / name).read_bytes())


def bodies(pattern: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and JSON body of each recorded answer, of lists each member."""
    found = []
    for path in sorted(FOLDER.glob(pattern)) if FOLDER.is_dir() else ():
        body = (read(path.name).get("response") or {}).get("body")
        rows = body.get("data", [body]) if isinstance(body, dict) else []
        found += [(path.stem, row) for row in rows if row.get("object") in OBJECTS and "deleted" not in row]
    return found


@pytest.mark.parametrize(("name", "body"), bodies("*.json"))
def test_files_and_batches(name: str, body: dict[str, Any]) -> None:
    made = OBJECTS[body["object"]](body)
    assert made.id == body["id"]
    assert int(made.created_at.timestamp()) == body["created_at"]
    if body["object"] == "batch":
        assert made.request_counts.total == body["request_counts"]["total"]
        assert made.ended == (body["status"] in ("completed", "failed", "expired", "cancelled"))
    else:
        assert made.size_bytes == body["bytes"]


def test_end_states() -> None:
    for example in read("batches-terminal-states.json")["examples"]:
        body = example["batch"]
        batch = translate.to_batch(body)
        assert batch.request_counts.total == body["request_counts"]["total"]
        assert batch.ended == (body["status"] not in ("validating", "cancelling"))
        assert (batch.ended_at is not None) == batch.ended
        assert batch.errors is None


def test_a_batch_of_which_all_failed() -> None:
    batch = translate.to_batch(read("reported-batch-completed-all-failed.json")["batch"])
    assert (batch.request_counts.errored, batch.request_counts.total) == (9, 9)


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_files(name: str) -> None:
    lines = [line for line in (FOLDER / name).read_bytes().split(b"\n") if line]
    for line in lines:
        body = orjson.loads(line)["response"]["body"]
        result = translate.decode_result(line)["result"]
        message = Message.model_validate(result["message"], strict=True)
        assert message.model == body["model"]
        assert message.usage.service_tier == "batch"
        if "choices" in body:
            assert message.content[0].text == body["choices"][0]["message"]["content"]  # type: ignore[union-attr]
        if "output" in body:
            assert message.content[0].text == body["output"][-1]["content"][0]["text"]  # type: ignore[union-attr]
        if "data" in body:
            assert result["message"]["body"] == body


def test_an_output_whose_nulls_are_empty_objects() -> None:
    recorded = read("output-responses-gpt-5.4-nano.reserialised.json")
    assert translate.to_batch(recorded["batch"]).request_counts.succeeded == 4
    for row in recorded["results"]:
        result = translate.decode_result(orjson.dumps({"custom_id": "a", "response": row, "error": {}}))["result"]
        assert result["type"] == "succeeded"
        assert result["message"]["stop_reason"] == "end_turn"
        assert [block["type"] for block in result["message"]["content"]] == ["text"]


def test_error_files() -> None:
    lines = [line for line in (FOLDER / "error-file-lines.reported.jsonl").read_bytes().split(b"\n") if line]
    refused, canceled = (translate.decode_result(line)["result"] for line in lines)
    assert refused["error"]["error"]["type"] == "invalid_request_error"
    assert "context_length_exceeded" in refused["error"]["error"]["message"]
    assert canceled == {"type": "canceled"}


KINDS = {401: AuthError, 404: NotFoundError, 400: InvalidRequestError}


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("error-*.json")) if FOLDER.is_dir() else (), ids=lambda path: path.stem
)
def test_errors(path: Path) -> None:
    response = read(path.name)["response"]
    error = failures.read_error(httpx.Response(response["status"], json=response["body"]))
    expected = NotFoundError if "model-not-found" in path.stem else KINDS[response["status"]]
    assert type(error) is expected
    assert error.message.startswith(response["body"]["error"]["message"])


def test_reported_errors() -> None:
    for case in read("reported-batches-and-files-errors.json")["cases"]:
        if isinstance(case["body"], dict):
            error = failures.read_error(httpx.Response(case["status"], json=case["body"]))
            assert isinstance(error, BifrostError)
            assert error.message.startswith(case["body"]["error"]["message"])


def test_reasons_for_refusing_a_batch() -> None:
    for case in read("reported-failed-validation.json")["cases"]:
        if errors := case.get("errors"):
            batch = translate.to_batch({"id": "batch_1", "status": "failed", "created_at": 1, "errors": errors})
            first = errors["data"][0]
            result = translate.missing_result(batch, "a", first.get("line") or 1)
            assert result["result"]["error"]["error"]["type"] == "invalid_request_error"
            assert (first["message"] or first["code"]) in result["result"]["error"]["error"]["message"]
