"""Answers recorded from the live service are all understood.

They are other people's data, and not part of this project: the folder is `../shared/recordings` beside it, or where
BIFROST_RECORDINGS says.
"""

import os
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from anthropic.types import Message

from bifrost_cli.errors import AuthError, BifrostError, InvalidRequestError, NotFoundError, RateLimitError
from bifrost_cli.models import Batch
from bifrost_cli.providers.gemini import failures, generate, messages, translate, upload
from bifrost_cli.providers.gemini.generate_stream import GenerateStream
from tests.providers.gemini.folding import folded

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("BIFROST_RECORDINGS") or ROOT.parent / "shared" / "recordings") / "gemini"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings: {FOLDER} is missing")
SUCCEEDED = ("batch-file-01", "batch-file-02", "batch-inline-03", "batch-inline-05")


def read(name: str) -> Any:
    [path] = FOLDER.glob(f"{name}*")
    return orjson.loads(path.read_bytes())


def found(pattern: str) -> list[Path]:
    return sorted(FOLDER.glob(pattern)) if FOLDER.is_dir() else []


def operations(value: Any) -> list[dict[str, Any]]:
    """Every operation inside a recording."""
    if isinstance(value, list):
        return [operation for item in value for operation in operations(item)]
    if not isinstance(value, dict):
        return []
    if str(value.get("name")).startswith("batches/") and isinstance(value.get("metadata"), dict):
        return [value]
    return [operation for item in value.values() for operation in operations(item)]


@pytest.mark.parametrize("path", found("batch-*.json"), ids=lambda path: path.stem)
def test_batches(path: Path) -> None:
    given = operations(orjson.loads(path.read_bytes()))
    assert given or "quirks" in path.stem
    for operation in given:
        batch, metadata = translate.to_batch(operation), operation["metadata"]
        state = metadata.get("state", "").removeprefix("BATCH_STATE_")
        assert f"batches/{batch.id}" == operation["name"]
        assert batch.request_counts.total == int(metadata.get("batchStats", {}).get("requestCount", 0))
        assert batch.ended == (state in ("SUCCEEDED", "CANCELLED"))
        assert batch.ended == bool(operation.get("done"))
        assert batch.errors is None
        if "createTime" in metadata:
            assert batch.created_at.isoformat()[:19] == metadata["createTime"][:19]


@pytest.mark.parametrize("name", SUCCEEDED)
def test_batches_that_succeeded_have_results(name: str) -> None:
    batch = _last(name)
    assert batch.request_counts.succeeded == batch.request_counts.total
    inlined = translate.inlined(batch.raw)
    assert bool(translate.results_file(batch.raw)) != bool(inlined)
    for number, item in enumerate(inlined, 1):
        result = translate.decode_inlined(item, number, "m")
        assert result["custom_id"] in item["metadata"].values()
        assert_message(result, item["response"])


def _last(name: str) -> Batch:
    return translate.to_batch(operations(read(name))[-1])


def test_polls_of_one_batch() -> None:
    seen = [orjson.loads(line) for line in (FOLDER / "batch-inline-04-poll-timeline.jsonl").read_bytes().splitlines()]
    states = []
    for row in seen:
        stats = row.get("batchStats") or row.get("metadata", {}).get("batchStats") or {}
        state = row.get("state") or row.get("metadata", {}).get("state")
        if state:
            batch = translate.to_batch({"name": "batches/a", "metadata": {"state": state, "batchStats": stats}})
            states.append(batch.processing_status)
            assert batch.request_counts.total == 2
    assert states[0] == "in_progress"
    assert states[-1] == "ended"


def test_cancelled_batches() -> None:
    recorded = read("batch-cancelled")
    for name in ("cancel_before_start", "cancel_before_start_other_author"):
        batch = translate.to_batch(recorded[name])
        assert (batch.request_counts.canceled, batch.errors) == (1, None)
        assert translate.missing_result(batch, "a", 1)["result"] == {"type": "canceled"}
    after = translate.to_batch(recorded["cancel_after_start"])
    [item] = translate.inlined(after.raw)
    assert translate.decode_inlined(item, 1, "m") == {"custom_id": "smoke", "result": {"type": "canceled"}}
    for shape in recorded["item_error_shapes"]:
        outcome = translate.decode_inlined(shape, 1, "m")["result"]["type"]
        assert outcome == ("canceled" if shape["error"]["code"] == 1 else "errored")


def assert_message(result: Any, response: dict[str, Any]) -> Message:
    message = Message.model_validate(result["result"]["message"], strict=True)
    used, usage = response["usageMetadata"], message.usage
    assert message.model == response["modelVersion"]
    assert message.id == f"msg_{response['responseId']}"
    assert usage.input_tokens + (usage.cache_read_input_tokens or 0) + usage.output_tokens == used["totalTokenCount"]
    assert usage.service_tier == "batch"
    return message


@pytest.mark.parametrize("path", found("batch-file-0[34]*.jsonl"), ids=lambda path: path.stem)
def test_result_files(path: Path) -> None:
    for number, line in enumerate(filter(None, path.read_bytes().split(b"\n")), 1):
        row, result = orjson.loads(line), translate.decode_result(line, number, "m")
        assert result["custom_id"] == row["key"]
        if "candidates" in row["response"]:
            message = assert_message(result, row["response"])
            assert message.content[0].text == row["response"]["candidates"][0]["content"]["parts"][0]["text"]  # type: ignore[union-attr]
        else:
            assert result["result"]["message"]["body"] == row["response"]


def test_results_of_a_signed_text() -> None:
    for row in read("batch-file-02")["results"]:
        result = translate.decode_result(orjson.dumps({"key": "a", "response": row["body"]}), 1, "m")
        message = assert_message(result, row["body"])
        assert [block.type for block in message.content] == ["text"]


STOPPED = {"max-tokens": "max_tokens", "safety": "refusal", "tool": "tool_use"}


@pytest.mark.parametrize("path", [*found("generate-*.json"), *found("files-use*.json")], ids=lambda path: path.stem)
def test_answers(path: Path) -> None:
    body = orjson.loads(path.read_bytes())["response"]["body"]
    result = {"result": {"message": generate.decode(body, "a", "m")}}
    message = assert_message(result, body)
    expected = next((reason for name, reason in STOPPED.items() if name in path.stem), "end_turn")
    assert message.stop_reason == expected
    parts = (body["candidates"][0].get("content") or {}).get("parts", [])
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    assert [block.name for block in message.content if block.type == "tool_use"] == [call["name"] for call in calls]
    signed = [block.signature for block in message.content if block.type == "thinking"]
    assert len(signed) == sum("thoughtSignature" in part for part in parts if "functionCall" in part)


@pytest.mark.parametrize("path", found("stream-*.json"), ids=lambda path: path.stem)
def test_frames_of_streams(path: Path) -> None:
    """Each frame is an answer of its own shape, the last one with a reason."""
    response = orjson.loads(path.read_bytes())["response"]
    frames = response.get("sse_frames_first_and_last") or response["raw_sse"].split("\r\n\r\n")
    for frame in filter(None, frames):
        body = orjson.loads(frame.removeprefix("data: "))
        assert Message.model_validate(generate.decode(body, "a", "m")).model == body["modelVersion"]


@pytest.mark.parametrize("path", found("stream-*.json"), ids=lambda path: path.stem)
def test_streams(path: Path) -> None:
    """The events come to the message that the frames, put together, are."""
    response = orjson.loads(path.read_bytes())["response"]
    given = response.get("sse_frames_first_and_last") or response["raw_sse"].split("\r\n\r\n")
    frames = [orjson.loads(frame.removeprefix("data: ")) for frame in filter(None, given)]
    stream = GenerateStream("m")
    events = [event for frame in frames for event in stream.tell(frame)] + list(stream.end())
    parts = [part for frame in frames for part in generate.parts_of(generate.candidate_of(frame))]
    whole = {**frames[-1], "candidates": [{**frames[-1]["candidates"][0], "content": {"parts": parts}}]}
    message = Message.model_validate(folded(events), strict=True)
    assert message.model_dump(exclude_unset=True) == messages.decode(whole, "m")
    used = frames[-1]["usageMetadata"]
    assert message.usage.input_tokens + message.usage.output_tokens == used["totalTokenCount"]
    assert message.stop_reason == ("tool_use" if "call" in path.stem else "end_turn")
    assert events[0]["message"]["usage"]["input_tokens"] == frames[0]["usageMetadata"]["promptTokenCount"]


def test_a_count_is_asked_for_as_the_recorded_one() -> None:
    recorded = read("count-tokens")
    tool = {"name": "counting_weather", "input_schema": {"type": "object"}}
    params = {
        "model": "gemini-3.5-flash",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "system": "Be terse.",
        "tools": [tool],
    }
    model, body = messages.encode(params, "json_schema", "", frozenset())
    made = messages.to_counted(model, body)["generateContentRequest"]
    example = recorded["request"]["body"]["generateContentRequest"]
    assert (made["model"], made["contents"]) == (example["model"], example["contents"])
    assert made["system_instruction"] == example["systemInstruction"]
    assert made.keys() - {"generation_config"} == {"model", "contents", "system_instruction", "tools"}
    assert messages.to_count(recorded["response"]["body"]) == 61


KINDS = {"bad-key": AuthError, "403": NotFoundError, "404": NotFoundError, "429": RateLimitError}


@pytest.mark.parametrize("path", found("error-*.json"), ids=lambda path: path.stem)
def test_errors(path: Path) -> None:
    response = orjson.loads(path.read_bytes())["response"]
    error = failures.read_error(httpx.Response(response["status"], json=response["body"]))
    expected = next((kind for name, kind in KINDS.items() if name in path.stem), InvalidRequestError)
    assert type(error) is expected
    assert error.message == response["body"]["error"]["message"].strip()
    assert error.retry_after == (48.0 if path.stem == "error-429-quota" else None)


def test_files() -> None:
    file = translate.to_file(read("files-upload-2")["response"]["body"]["file"])
    assert (file.id, file.filename, file.size_bytes, file.downloadable) == ("k4t1ywl66fz2", "sample.pdf", 18810, False)


def test_an_upload_that_was_refused_with_a_200() -> None:
    body = read("files-upload-error-200")["response"]["body"]
    with pytest.raises(InvalidRequestError, match="Unsupported MIME type: jsonl") as caught:
        upload._file(httpx.Response(200, json=body))
    assert failures.UNSUPPORTED_TYPE.search(caught.value.message)


def test_the_list_of_an_account() -> None:
    page = translate.to_batches(read("batch-list-operations")["response"]["body"])
    assert len(page.data) == 2
    assert page.data[0].created_at >= page.data[1].created_at


def test_a_line_is_like_the_recorded_ones() -> None:
    """The same members, in the same case, as lines that the live service took."""
    params = {
        "model": "gemini-2.5-flash",
        "max_tokens": 5,
        "temperature": 0.7,
        "messages": [{"role": "user", "content": "What's the capital of Iowa?"}],
        "system": "Answer with just the city name",
    }
    made = orjson.loads(
        translate.encoder(params, "json_schema", "", frozenset()).encode("chat-1", params["messages"]).body
    )
    example = read("batch-file-05")["example_line"]
    assert made.keys() == example.keys()
    assert made["request"].keys() == example["request"].keys()
    assert made["request"]["contents"] == example["request"]["contents"]
    for line in read("batch-file-01")["input_jsonl"]:
        assert orjson.loads(line)["request"].keys() <= made["request"].keys()


def test_every_recording_is_read_here() -> None:
    readers = (
        "batch-",
        "generate-",
        "files-use",
        "files-upload-2",
        "files-upload-error",
        "error-",
        "stream-",
        "count-tokens",
    )
    # Left: what only the wire calls meet (starts, redirects, bytes), another endpoint, and a Python object in print.
    left = {path.name for path in found("*") if not path.name.startswith(readers)}
    assert left == {
        "files-download-1-302.json",
        "files-download-2-200.json",
        "files-upload-1-start.json",
        "files-upload-mime-jsonl-sdk-object.txt",
    }


def test_errors_are_of_the_tree() -> None:
    assert all(issubclass(kind, BifrostError) for kind in KINDS.values())
