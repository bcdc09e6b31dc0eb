"""Answers recorded from the live service are all understood.

They are other people's data and no part of this project: the folder is `../shared/recordings` beside it, or where
BIFROST_RECORDINGS says.
"""

import asyncio
import os
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import pytest
from anthropic.types import Message

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
)
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import converse, failures, frames, invoke, messages, model, translate
from tests.providers.bedrock import streams

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("BIFROST_RECORDINGS") or ROOT.parent / "shared" / "recordings") / "bedrock"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings: {FOLDER} is missing")
CODES: dict[str, type[BifrostError]] = {
    "AccessDeniedException": ForbiddenError,
    "ResourceNotFoundException": NotFoundError,
    "ValidationException": InvalidRequestError,
}


def read(name: str) -> Any:
    return orjson.loads((FOLDER / name).read_bytes())


def names(pattern: str) -> list[str]:
    return sorted(path.name for path in FOLDER.glob(pattern)) if FOLDER.is_dir() else []


def test_jobs_of_a_list() -> None:
    jobs = read("batch-01-list-model-invocation-jobs.json")["response"]["body"]["invocationJobSummaries"]
    assert len(jobs) == 14
    for job in jobs:
        batch = translate.to_batch(job)
        assert batch.id == f"us-east-1.{job['jobArn'].rpartition('/')[2]}"
        assert batch.ended
        assert batch.ended_at is not None
        assert batch.created_at < batch.ended_at
        if job["status"] == "Expired":
            assert timedelta(hours=24) < batch.ended_at - batch.created_at < timedelta(hours=24, minutes=2)


def test_the_create_body_has_the_members_of_a_real_one() -> None:
    job = read("batch-01-list-model-invocation-jobs.json")["response"]["body"]["invocationJobSummaries"][0]
    place = str(translate.output_place(job))
    assert [f"{place}{name}" for name in ("manifest.json.out", "batch_requests_nova.jsonl.out")] == read(
        "batch-02-manifest.json.out.json"
    )["s3_listing"]


@pytest.mark.parametrize("name", names("batch-*-lines*.jsonl"))
def test_output_lines(name: str) -> None:
    origin = translate.Origin("us-east-1.abc", "amazon.nova-lite-v1:0", "batch")
    # Split on LF alone: the strings may hold other line ends raw.
    rows = [line for line in (FOLDER / name).read_bytes().split(b"\n") if line]
    results = [translate.decode_result(line, origin) for line in rows]
    assert [result["custom_id"] for result in results] == [orjson.loads(line)["recordId"] for line in rows]
    good, bad = results
    Message.model_validate(good["result"]["message"], strict=False)
    assert good["result"]["message"]["content"][-1]["type"] == "text"
    assert bad["result"]["error"]["error"]["type"] in ("invalid_request_error", "permission_error")


def test_a_job_with_too_few_records() -> None:
    body = read("batch-05-failed-too-few-records.json")["response"]["body"]
    arn = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"
    batch = translate.to_batch({**body, "jobArn": arn, "submitTime": "2026-07-20T00:00:00.000Z"})
    result = translate.missing_result(batch, "a")["result"]
    assert (result["type"], result["error"]["error"]["type"]) == ("errored", "invalid_request_error")
    assert result["error"]["error"]["message"] == body["message"]


def test_errors_of_the_control_plane() -> None:
    for example in read("batch-06-control-plane-errors.json")["errors"]:
        if "code" in example:
            error = failures.describe(example["code"], example["message"], 400)
            finished = "State was" in example["message"]
            assert type(error) is (ConflictError if finished else CODES[example["code"]])
            assert example["message"] in error.message


@pytest.mark.parametrize("name", names("error-*.json") + names("count-tokens-unsupported.json"))
def test_error_answers(name: str) -> None:
    recorded = read(name)["response"]
    headers = {key: value for key, value in recorded["headers"].items() if key.startswith("x-amzn")}
    error = failures.read_error(httpx.Response(recorded["status"], headers=headers, json=recorded["body"]))
    assert type(error) is (AuthError if recorded["status"] == 403 else InvalidRequestError)
    assert recorded["body"]["message"] in error.message
    assert error.request_id == headers.get("x-amzn-requestid")


@pytest.mark.parametrize("name", names("converse-*.json"))
def test_converse_answers(name: str) -> None:
    recorded = read(name)
    answer, request = recorded["response"]["body"], recorded["request"]["body"]
    message = converse.decode(answer, request, "amazon.nova-lite-v1:0", name, "standard")
    Message.model_validate(message, strict=False)
    assert "body" not in message
    assert len(message["content"]) == len(answer["output"]["message"]["content"])
    usage = message["usage"]
    counted = sum(usage[key] for key in usage if key != "service_tier")
    assert counted == answer["usage"]["totalTokens"]
    expected = "refusal" if "guardrail" in name else answer["stopReason"]
    assert message["stop_reason"] == expected


@pytest.mark.parametrize("name", names("invoke-*.json"))
def test_invoke_answers(name: str) -> None:
    recorded = read(name)
    message = invoke.decode(recorded["response"]["body"], "batch")
    assert Message.model_validate(message, strict=False).id.startswith("msg_bdrk_")
    assert message["usage"]["service_tier"] == "batch"


def stream_of(recorded: dict[str, Any]) -> bytes:
    """The bytes of a recorded stream; where only its frames were kept, some of them, as AWS encodes them."""
    if recorded["response"]["body_base64"]:
        return b64decode(recorded["response"]["body_base64"])
    kept = [frame for frame in recorded["response"]["frames"] if "headers" in frame]
    return b"".join(streams.event(frame["headers"][":event-type"], frame["payload"]) for frame in kept)


async def events_of(recorded: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """Anthropic's events of a recorded stream that comes in blocks of this size."""
    name = unquote(recorded["request"]["path"].split("/")[2])
    endpoint = model.INVOKE if "/invoke-" in recorded["request"]["path"] else model.CONVERSE
    call, decode = messages.Call("", recorded["request"]["body"], name, endpoint, "id"), frames.decoder()
    said = stream_of(recorded)

    async def stream() -> AsyncIterator[frames.Frame]:
        for start in range(0, len(said), size):
            for frame in decode(said[start : start + size]):
                yield frame

    return [event async for event in messages.events(stream(), call)]


@pytest.mark.parametrize("name", names("stream-*.json"))
def test_streams(name: str) -> None:
    recorded = read(name)
    events = asyncio.run(events_of(recorded, 1 << 16))
    assert asyncio.run(events_of(recorded, 13)) == events
    streams.check_order(events)
    message = streams.folded(events)
    Message.model_validate(message, strict=False)
    assert message["usage"]["service_tier"] == "standard"
    assert "amazon-bedrock-invocationMetrics" not in events[-1]
    assert all("p" not in event for event in events)
    assert message["stop_reason"] == ("tool_use" if "tool" in name else "end_turn")


@pytest.mark.parametrize("name", names("stream-converse-*.json"))
def test_streams_come_to_what_a_whole_answer_of_the_same_would(name: str) -> None:
    recorded = read(name)
    request, path = recorded["request"]["body"], recorded["request"]["path"]
    whole = streams.gathered(
        [(frame.kind, orjson.loads(frame.payload)) for frame in frames.decoder()(stream_of(recorded))]
    )
    message = converse.decode(whole, request, unquote(path.split("/")[2]), "id", "standard")
    assert streams.folded(asyncio.run(events_of(recorded, 1 << 16))) == message


def test_what_the_recorded_streams_say() -> None:
    said = {name: streams.folded(asyncio.run(events_of(read(name), 99))) for name in names("stream-*.json")}
    kinds = {name: [block["type"] for block in message["content"]] for name, message in said.items()}
    assert kinds["stream-converse-redacted.json"] == ["redacted_thinking", "redacted_thinking", "text"]
    assert kinds["stream-converse-thinking.json"] == ["thinking", "text"]
    assert kinds["stream-invoke-anthropic-tool.json"] == ["text", "tool_use", "tool_use"]
    assert orjson.loads(said["stream-converse-text.json"]["content"][0]["text"])["city"] == "Paris"
    assert said["stream-converse-tool-use.json"]["content"][1]["input"] == {"location": "Barcelona"}
    assert said["stream-converse-tool-use-nova2.json"]["content"][0]["name"] == "weather"
    usage = said["stream-converse-cache.json"]["usage"]
    assert (usage["input_tokens"], usage["cache_creation_input_tokens"], usage["output_tokens"]) == (11, 1028, 236)


def test_a_recorded_count() -> None:
    recorded = read("count-tokens-invoke.json")
    sent = orjson.loads(b64decode(recorded["request"]["body"]["input"]["invokeModel"]["body"]))
    betas = tuple(sent.pop("anthropic_beta"))
    del sent["anthropic_version"]
    name = "us.anthropic.claude-sonnet-4-20250514-v1:0"
    path, body = messages.encode_count({"model": name, **sent}, "auto", Context(betas=betas))
    assert unquote(path) == recorded["request"]["path"], "of a profile, which is refused, the model is counted"
    made = orjson.loads(b64decode(body["input"]["invokeModel"]["body"]))
    assert made == {"anthropic_version": invoke.VERSION, "anthropic_beta": list(betas), **sent}


@pytest.mark.parametrize("name", names("invoke-*.json"))
def test_an_invoke_request_is_sent_as_it_was_recorded(name: str) -> None:
    sent = read(name)["request"]["body"]
    params = {key: value for key, value in sent.items() if key != "anthropic_version"}
    assert messages.encode({"model": "anthropic.claude-x", **params}, "auto", Context()).body == sent


@pytest.mark.parametrize("name", names("invoke-*.json"))
def test_invoke_requests_come_out_as_they_were_sent(name: str) -> None:
    sent = read(name)["request"]["body"]
    params = {key: value for key, value in sent.items() if key != "anthropic_version"}
    encoder = invoke.Invoke({"model": "anthropic.claude-x", **params}, (), frozenset(), batch=True)
    made = encoder.body(params["messages"])
    expected = orjson.loads(orjson.dumps(sent).replace(b',"cache_control":{"type":"ephemeral"}', b""))
    assert made == expected
