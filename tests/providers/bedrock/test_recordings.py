"""Answers recorded from the live service are all understood.

They are other people's data and no part of this project: the folder is `../shared/recordings` beside it, or where
BIFROST_RECORDINGS says.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from bifrost_cli.providers.bedrock import converse, failures, invoke, translate

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


@pytest.mark.parametrize("name", names("invoke-*.json"))
def test_invoke_requests_come_out_as_they_were_sent(name: str) -> None:
    sent = read(name)["request"]["body"]
    params = {key: value for key, value in sent.items() if key != "anthropic_version"}
    made = invoke.encode({"model": "anthropic.claude-x", **params}, (), frozenset())
    expected = orjson.loads(orjson.dumps(sent).replace(b',"cache_control":{"type":"ephemeral"}', b""))
    assert made == expected
