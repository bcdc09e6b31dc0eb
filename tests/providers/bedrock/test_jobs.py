"""Jobs as batches: states, counts, times, what became of requests without an output; ids of all kinds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bifrost_cli.errors import BifrostError, NotFoundError
from bifrost_cli.providers.base import Part
from bifrost_cli.providers.bedrock import translate
from bifrost_cli.providers.bedrock.s3 import Place
from bifrost_cli.providers.bedrock.translate import JobId, to_batch

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def job(status: str = "InProgress", **more: Any) -> dict[str, Any]:
    return {
        "jobArn": "arn:aws:bedrock:eu-west-1:123456789012:model-invocation-job/abcdefghijkl",
        "modelId": "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
        "status": status,
        "submitTime": "2026-11-01T12:00:00.123Z",
        "lastModifiedTime": "2026-11-02T12:00:20.500Z",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://buck/p/batches/t/bifrost-120-requests.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://buck/p/batches/t/"}},
        "timeoutDurationInHours": 24,
        **more,
    }


def counters(total: int, success: int, error: int) -> dict[str, int]:
    processed = success + error
    return {
        "totalRecordCount": total,
        "processedRecordCount": processed,
        "successRecordCount": success,
        "errorRecordCount": error,
    }


@pytest.mark.parametrize(
    ("status", "given", "expected"),
    [
        ("Submitted", {}, (120, 0, 0, 0, 0)),
        ("Validating", counters(0, 0, 0), (120, 0, 0, 0, 0)),
        ("Scheduled", counters(120, 0, 0), (120, 0, 0, 0, 0)),
        ("InProgress", counters(120, 50, 10), (60, 50, 10, 0, 0)),
        ("Stopping", counters(120, 50, 10), (60, 50, 10, 0, 0)),
        ("Completed", counters(120, 110, 10), (0, 110, 10, 0, 0)),
        ("Completed", counters(120, 100, 10), (0, 100, 20, 0, 0)),
        ("Completed", {}, (0, 0, 0, 0, 0)),
        ("PartiallyCompleted", counters(120, 100, 10), (0, 100, 10, 0, 10)),
        ("Stopped", counters(120, 50, 10), (0, 50, 10, 60, 0)),
        ("Expired", counters(0, 0, 0), (0, 0, 0, 0, 120)),
        ("Failed", counters(0, 0, 0), (0, 0, 120, 0, 0)),
        ("SomethingNew", counters(120, 1, 0), (119, 1, 0, 0, 0)),
    ],
)
def test_counts_sum_to_the_total(status: str, given: dict[str, int], expected: tuple[int, ...]) -> None:
    counts = to_batch(job(status, **given)).request_counts
    assert (counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired) == expected


@pytest.mark.parametrize(
    ("status", "processing_status"),
    [
        *((status, "in_progress") for status in ("Submitted", "Validating", "Scheduled", "InProgress", "SomethingNew")),
        ("Stopping", "canceling"),
        *((status, "ended") for status in ("Completed", "PartiallyCompleted", "Stopped", "Failed", "Expired")),
    ],
)
def test_states(status: str, processing_status: str) -> None:
    batch = to_batch(job(status))
    assert (batch.processing_status, batch.provider_status) == (processing_status, status)
    assert (batch.ended_at is not None) == batch.ended
    assert (batch.cancel_initiated_at is not None) == (status in ("Stopping", "Stopped"))
    assert batch.id == "eu-west-1.abcdefghijkl"
    assert batch.results_url is None


def test_times() -> None:
    batch = to_batch(job("Completed", endTime="2026-11-01T18:00:00.000Z"))
    assert batch.created_at == AT + timedelta(milliseconds=123)
    assert batch.ended_at == AT + timedelta(hours=6)
    assert batch.expires_at == batch.created_at + timedelta(hours=24)
    assert to_batch(job(jobExpirationTime="2026-11-03T12:00:00Z")).expires_at == AT + timedelta(days=2)


def test_the_end_of_an_expired_job_is_not_its_end_time() -> None:
    batch = to_batch(job("Expired", endTime="2026-11-01T12:04:00.000Z"))
    assert batch.ended_at == AT + timedelta(days=1, seconds=20, milliseconds=500)


def test_a_job_of_few_members_is_read() -> None:
    batch = to_batch({"jobArn": job()["jobArn"], "submitTime": "today", "status": None})
    assert (batch.processing_status, batch.request_counts.total) == ("in_progress", 0)
    with pytest.raises(BifrostError, match="jobArn"):
        to_batch({})


FEW = "Batch job contains less records (50) than the required minimum of: 100"
DENIED = "Access denied to s3://buck/p. The service role is not authorized to perform: s3:GetObject"


@pytest.mark.parametrize(
    ("status", "message", "outcome", "kind"),
    [
        ("Failed", FEW, "errored", "invalid_request_error"),
        ("Failed", DENIED, "errored", "permission_error"),
        ("Failed", None, "errored", "invalid_request_error"),
        ("Completed", None, "errored", "api_error"),
        ("PartiallyCompleted", None, "expired", None),
        ("Expired", None, "expired", None),
        ("Stopped", None, "canceled", None),
    ],
)
def test_requests_that_the_output_does_not_mention(
    status: str, message: str | None, outcome: str, kind: str | None
) -> None:
    batch = to_batch(job(status, message=message))
    result = translate.missing_result(batch, "r-1")
    assert (result["custom_id"], result["result"]["type"]) == ("r-1", outcome)
    if kind:
        assert result["result"]["error"]["error"]["type"] == kind
    if message:
        assert result["result"]["error"]["error"]["message"] == message
        assert [(error.code, error.message) for error in batch.errors or []] == [("Failed", message)]


def test_the_create_body() -> None:
    part = Part("us.amazon.nova-2-lite-v1:0", "Converse", "0123456789abcdef-0", 120)
    folder = Place("buck", "p") / "batches" / translate.job_name(part.tag)
    assert translate.job_request(part, folder, "arn:aws:iam::123456789012:role/r", 48, "alias/k") == {
        "jobName": "bifrost-0123456789abcdef-0",
        "clientRequestToken": "bifrost-0123456789abcdef-0",
        "roleArn": "arn:aws:iam::123456789012:role/r",
        "modelId": "us.amazon.nova-2-lite-v1:0",
        "modelInvocationType": "Converse",
        "inputDataConfig": {
            "s3InputDataConfig": {
                "s3Uri": "s3://buck/p/batches/bifrost-0123456789abcdef-0/bifrost-120-requests.jsonl",
                "s3InputFormat": "JSONL",
            }
        },
        "outputDataConfig": {
            "s3OutputDataConfig": {
                "s3Uri": "s3://buck/p/batches/bifrost-0123456789abcdef-0/",
                "s3EncryptionKeyId": "alias/k",
            }
        },
        "timeoutDurationInHours": 48,
    }


@pytest.mark.parametrize(
    ("tag", "name"),
    [("a_b", "bifrost-a-b"), ("__", "bifrost"), ("é~1", "bifrost-1"), ("x" * 99, "bifrost-" + "x" * 55)],
)
def test_job_names_are_of_few_characters(tag: str, name: str) -> None:
    assert translate.job_name(tag) == name


def test_places() -> None:
    assert str(translate.output_place(job())) == "s3://buck/p/batches/t/abcdefghijkl/"
    root = {"s3OutputDataConfig": {"s3Uri": "s3://bucket/"}}
    assert str(translate.output_place(job(outputDataConfig=root))) == "s3://bucket/abcdefghijkl/"
    with pytest.raises(BifrostError, match="no address in S3"):
        translate.output_place(job(outputDataConfig={}))


@pytest.mark.parametrize(
    "id", ["", "abc", "us-east-1", "us-east-1.", ".abc", "us-east-1.a/b", "evil.example.a", "x.us-east-1.abc"]
)
def test_ids_that_no_job_has(id: str) -> None:
    with pytest.raises(NotFoundError):
        JobId.of(id)


@pytest.mark.parametrize("key", ["files/a.txt", "x", "batches/é/ü.jsonl", "a b"])
def test_file_ids(key: str) -> None:
    assert translate.key_of(translate.file_id(key)) == key
    assert all(character.isalnum() or character in "-_" for character in translate.file_id(key))


@pytest.mark.parametrize("key", ["../secret", "a/../b", "/a", "a//b", "a/", ".", "a\nb"])
def test_keys_that_would_lead_elsewhere(key: str) -> None:
    with pytest.raises(NotFoundError):
        translate.key_of(translate.file_id(key))


@pytest.mark.parametrize("id", ["", "!", "a", "_w==", "ZmlsZXM=", "file_011"])
def test_ids_that_no_file_has(id: str) -> None:
    with pytest.raises(NotFoundError):
        translate.key_of(id)


def test_newer_uploads_sort_first() -> None:
    keys = [translate.file_key("a.txt", AT + timedelta(seconds=n), str(n)) for n in range(5)]
    assert sorted(keys) == keys[::-1]
    assert translate.moment(translate.newest_first(AT)) == AT


@pytest.mark.parametrize(
    ("filename", "end"),
    [
        ("report.pdf", "report.pdf"),
        ("a b/é%.txt", "a-b-.txt"),
        ("..", "file"),
        ("", "file"),
        ("x" * 300 + ".pdf", "x.pdf"),
    ],
)
def test_keys_are_of_few_characters(filename: str, end: str) -> None:
    key = translate.file_key(filename, AT, "salt")
    assert key.endswith(end)
    assert len(key) < 140
    assert translate.NOT_IN_KEYS.sub("", key.replace("/", "")) == key.replace("/", "")
