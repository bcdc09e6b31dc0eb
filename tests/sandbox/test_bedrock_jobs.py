"""Bedrock's model invocation jobs, driven by boto3."""

import datetime
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from bifrost_cli.sandbox import background, parse_faults, reset
from tests.sandbox.aws_kit import CLAUDE, HTTP, NOVA, Aws, converse, records, refused

Change = dict[str, Any]
LINES = records(100)


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


@pytest.fixture
def slow(timed: Any) -> Aws:
    """A job takes 3 seconds of the test's own clock."""
    return Aws(timed.url, timed.key)


def follow(aws: Aws, clock: Any, arn: str, *steps: float) -> list[tuple[str, int, int]]:
    """The status and counters after each pause."""
    seen = []
    for step in steps:
        clock.pass_(step)
        job = aws.job(arn)
        seen.append((job["status"], job["totalRecordCount"], job["processedRecordCount"]))
    return seen


def test_from_creation_to_the_end(slow: Aws, clock: Any) -> None:
    uri = slow.put_lines("in.jsonl", records(200, {"recordId": "bad", "modelInput": {}}))
    arn = slow.create(uri, jobName="my-job.1+x", timeoutDurationInHours=48)
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/sbx[a-z0-9]{9}", arn)
    assert follow(slow, clock, arn, 0, 0.3, 0.5, 0.255, 0.5, 0.5) == [
        ("Submitted", 0, 0),
        ("Validating", 0, 0),
        ("Scheduled", 200, 0),
        ("InProgress", 200, 5),
        ("InProgress", 200, 55),
        ("InProgress", 200, 105),
    ]
    running = slow.job(arn)
    assert "endTime" not in running
    assert slow.keys("out/") == []
    clock.pass_(5)
    job = slow.job(arn)
    assert (job["status"], job["successRecordCount"], job["errorRecordCount"]) == ("Completed", 199, 1)
    assert job["processedRecordCount"] == job["totalRecordCount"] == 200
    submitted = job["submitTime"]
    assert job["endTime"] - submitted == datetime.timedelta(seconds=3)
    assert job["jobExpirationTime"] - submitted == datetime.timedelta(hours=48)
    place = {"s3Uri": uri, "s3BucketOwner": "000000000000"}
    assert job["inputDataConfig"] == {"s3InputDataConfig": place}
    assert job["modelId"] == f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{CLAUDE}"
    assert (job["jobName"], job["roleArn"], job["modelInvocationType"]) == ("my-job.1+x", slow.role, "InvokeModel")
    assert "message" not in job
    assert slow.job(arn.rpartition("/")[2]) == job


def test_a_short_model_id_comes_back_whole(aws: Aws) -> None:
    uri = aws.put_lines("in.jsonl", LINES)
    for model, shown in (
        ("amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"),
        (f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{CLAUDE}",) * 2,
    ):
        assert aws.job(aws.create(uri, modelId=model))["modelId"] == shown


REFUSED: dict[str, tuple[Change, int, str, str]] = {
    "name": (
        {"jobName": "msgbatch_1"},
        400,
        "ValidationException",
        "1 validation error detected: Value 'msgbatch_1' at 'jobName' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: [a-zA-Z0-9]{1,63}",
    ),
    "long name": (
        {"jobName": "a" * 64},
        400,
        "ValidationException",
        "Member must have length less than or equal to 63",
    ),
    "no name": ({"jobName": None}, 400, "ValidationException", "Value null at 'jobName' failed to satisfy constraint"),
    "many dashes": ({"jobName": "a" + "-" * 60 + "_"}, 400, "ValidationException", "'jobName'"),
    "role": ({"roleArn": "role"}, 400, "ValidationException", "at 'roleArn' failed to satisfy constraint"),
    "foreign role": (
        {"roleArn": "arn:aws:iam::111111111111:role/x"},
        403,
        "AccessDeniedException",
        "Cross-account pass role is not allowed",
    ),
    "role not to be passed": (
        {"roleArn": "arn:aws:iam::000000000000:role/no-pass"},
        403,
        "AccessDeniedException",
        "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::000000000000:role/no-pass",
    ),
    "model": ({"modelId": "a b"}, 400, "ValidationException", "at 'modelId' failed to satisfy constraint"),
    "unknown model": (
        {"modelId": "anthropic.no-such-model"},
        400,
        "ValidationException",
        "Batch inference is not supported for the requested model.",
    ),
    "unsupported model": (
        {"modelId": "anthropic.claude-v2"},
        400,
        "ValidationException",
        "Batch inference is not supported for the requested model.",
    ),
    "input": (
        {"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://b/a b.jsonl"}}},
        400,
        "ValidationException",
        "at 'inputDataConfig.s3InputDataConfig.s3Uri' failed to satisfy constraint",
    ),
    "format": (
        {"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/a.jsonl", "s3InputFormat": "CSV"}}},
        400,
        "ValidationException",
        "Member must satisfy enum value set: [JSONL]",
    ),
    "output": (
        {"outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/a%20b"}}},
        400,
        "ValidationException",
        "at 'outputDataConfig.s3OutputDataConfig.s3Uri'",
    ),
    "no output": ({"outputDataConfig": {}}, 400, "ValidationException", "exactly one of these members"),
    "short timeout": (
        {"timeoutDurationInHours": 23},
        400,
        "ValidationException",
        "Member must have value greater than or equal to 24",
    ),
    "long timeout": (
        {"timeoutDurationInHours": 169},
        400,
        "ValidationException",
        "Member must have value less than or equal to 168",
    ),
    "timeout text": ({"timeoutDurationInHours": "24"}, 400, "SerializationException", "timeoutDurationInHours"),
    "type": ({"modelInvocationType": "Chat"}, 400, "ValidationException", "[InvokeModel, Converse]"),
    "tags": ({"tags": [{"key": "a"}]}, 400, "ValidationException", "at 'tags.1.member.value'"),
    "token": ({"clientRequestToken": "a_b"}, 400, "ValidationException", "at 'clientRequestToken'"),
    "unknown": ({"priority": 1}, 400, "ValidationException", "priority"),
}


def good(aws: Aws, **changes: Any) -> dict[str, Any]:
    body = {
        "jobName": "a",
        "roleArn": aws.role,
        "modelId": CLAUDE,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{aws.bucket}/in.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{aws.bucket}/out"}},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def post(aws: Aws, path: str, body: bytes) -> httpx.Response:
    request = aws.signed("POST", aws.variables["AWS_ENDPOINT_URL_BEDROCK"] + path, body).prepare()
    return HTTP.post(request.url, headers=dict(request.headers), content=body)


@pytest.mark.parametrize("case", REFUSED)
def test_bad_jobs_are_refused_at_once(aws: Aws, case: str) -> None:
    changes, status, name, text = REFUSED[case]
    answer = post(aws, "/model-invocation-job", json.dumps(good(aws, **changes)).encode())
    assert (answer.status_code, list(answer.json())) == (status, ["message"])
    assert answer.headers["x-amzn-errortype"].startswith(f"{name}:http://internal.amazon.com/coral/com.amazon.")
    assert text in answer.json()["message"]
    assert aws.control.list_model_invocation_jobs()["invocationJobSummaries"] == []


def test_a_body_that_is_no_json(aws: Aws) -> None:
    for body in (b"{", b"[]"):
        answer = post(aws, "/model-invocation-job", body)
        assert answer.headers["x-amzn-errortype"].partition(":")[0] == "SerializationException"


def failing(aws: Aws, lines: list[Any], **fields: Any) -> str:
    return aws.create(aws.put_lines("in.jsonl", lines), **fields)


ACCESS = {"s3OutputDataConfig": {"s3Uri": "s3://other-bucket/out"}}
FAILED: dict[str, tuple[Callable[[Aws], str], str]] = {
    "too few": (
        lambda aws: failing(aws, LINES[:99]),
        "Batch job contains less records (99) than the required minimum of: 100",
    ),
    "empty": (lambda aws: failing(aws, []), "Batch job contains less records (0) than the required minimum of: 100"),
    "not json": (lambda aws: failing(aws, [*LINES[:3], "{oops\n", *LINES]), "line 4 of s3://bifrost-sandbox/in.jsonl"),
    "no input": (lambda aws: failing(aws, [*LINES, {"recordId": "x"}]), "has no modelInput object"),
    "input is text": (lambda aws: failing(aws, [*LINES, {"modelInput": "x"}]), "has no modelInput object"),
    "record id": (lambda aws: failing(aws, [*LINES, {"recordId": 1, "modelInput": {}}]), "recordId in line 101"),
    "missing object": (lambda aws: aws.create("s3://bifrost-sandbox/none.jsonl"), "No input file"),
    "missing folder": (lambda aws: aws.create("s3://bifrost-sandbox/none/"), "No input file"),
    "suffix": (lambda aws: aws.create(aws.put_lines("in.json", LINES)), "No input file whose name ends in .jsonl"),
    "bucket": (lambda aws: aws.create("s3://other-bucket/in.jsonl"), "s3://other-bucket/in.jsonl"),
    "output bucket": (lambda aws: failing(aws, LINES, outputDataConfig=ACCESS), "s3://other-bucket/out"),
    "role": (lambda aws: failing(aws, LINES, roleArn="arn:aws:iam::000000000000:role/no-access"), "no-access"),
}


@pytest.mark.parametrize("case", FAILED)
def test_validation_fails_later(slow: Aws, clock: Any, case: str) -> None:
    make, message = FAILED[case]
    arn = make(slow)
    assert follow(slow, clock, arn, 0, 0.5, 0.5) == [("Submitted", 0, 0), ("Validating", 0, 0), ("Failed", 0, 0)]
    job = slow.job(arn)
    assert message in job["message"]
    assert job["endTime"] - job["submitTime"] == datetime.timedelta(seconds=0.75)
    assert slow.keys("out/") == []
    with pytest.raises(ClientError, match="State was: Failed"):
        slow.control.stop_model_invocation_job(jobIdentifier=arn)


def test_the_input_may_be_deleted_meanwhile(slow: Aws, clock: Any) -> None:
    arn = slow.create(slow.put_lines("in.jsonl", LINES))
    slow.s3.delete_object(Bucket=slow.bucket, Key="in.jsonl")
    clock.pass_(3)
    assert slow.job(arn)["successRecordCount"] == 100


def test_a_token_makes_one_job(aws: Aws) -> None:
    uri = aws.put_lines("in.jsonl", LINES)
    one = aws.create(uri, jobName="a", clientRequestToken="t-1")
    assert aws.create(uri, jobName="a", clientRequestToken="t-1") == one
    assert aws.create(uri, jobName="b", clientRequestToken="t-1") == one
    with pytest.raises(ClientError) as caught:
        aws.create(uri, jobName="a", clientRequestToken="t-2")
    assert refused(caught.value)[:2] == (400, "ConflictException")
    assert aws.create(uri, jobName="b") != one
    assert len(aws.control.list_model_invocation_jobs()["invocationJobSummaries"]) == 2
    assert aws.job(one)["clientRequestToken"] == "t-1"


def test_stopping_under_way_keeps_what_was_done(slow: Aws, clock: Any) -> None:
    arn = slow.create(slow.put_lines("in.jsonl", LINES))
    clock.pass_(2)
    slow.control.stop_model_invocation_job(jobIdentifier=arn)
    assert slow.job(arn)["status"] == "Stopping"
    with pytest.raises(ClientError, match="State was: Stopping"):
        slow.control.stop_model_invocation_job(jobIdentifier=arn)
    assert slow.keys("out/") == []
    assert follow(slow, clock, arn, 1) == [("Stopped", 100, 50)]
    assert len(slow.output(arn)) == 50
    manifest = json.loads(slow.read(f"out/{arn.rpartition('/')[2]}/manifest.json.out"))
    assert (manifest["totalRecordCount"], manifest["processedRecordCount"]) == (100, 50)


def test_stopping_before_it_runs_leaves_nothing(slow: Aws, clock: Any) -> None:
    arn = slow.create(slow.put_lines("in.jsonl", LINES))
    slow.control.stop_model_invocation_job(jobIdentifier=arn.rpartition("/")[2])
    assert follow(slow, clock, arn, 2) == [("Stopped", 0, 0)]
    assert slow.keys("out/") == []


def test_a_finished_job_cannot_be_stopped(aws: Aws) -> None:
    arn = aws.create(aws.put_lines("in.jsonl", LINES))
    with pytest.raises(ClientError) as caught:
        aws.control.stop_model_invocation_job(jobIdentifier=arn)
    status, name, message = refused(caught.value)
    assert (status, name) == (400, "ValidationException")
    assert message.endswith("State was: Completed")


@pytest.mark.parametrize(
    ("identifier", "status", "name"),
    [
        ("abcdefghijkl", 404, "ResourceNotFoundException"),
        ("arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/abcdefghijkl", 404, "ResourceNotFoundException"),
        ("msgbatch_1", 400, "ValidationException"),
        ("../x", 400, "ValidationException"),
    ],
)
def test_unknown_jobs(aws: Aws, identifier: str, status: int, name: str) -> None:
    for call in (aws.control.get_model_invocation_job, aws.control.stop_model_invocation_job):
        with pytest.raises(ClientError) as caught:
            call(jobIdentifier=identifier)
        assert refused(caught.value)[:2] == (status, name)


def test_an_arn_is_one_step_of_the_path(aws: Aws) -> None:
    """Its slash must be encoded."""
    arn = aws.create(aws.put_lines("in.jsonl", LINES))
    base = f"{aws.variables['AWS_ENDPOINT_URL_BEDROCK']}/model-invocation-job/"
    for encoded, status in (
        (arn.replace(":", "%3A").replace("/", "%2F"), 200),
        (arn.replace("/", "%2F"), 200),
        (arn, 404),
    ):
        request = aws.signed("GET", base + encoded).prepare()
        assert HTTP.get(request.url, headers=dict(request.headers)).status_code == status


def test_other_accounts_and_regions_see_nothing(aws: Aws, instant: Any) -> None:
    arn = aws.create(aws.put_lines("in.jsonl", LINES))
    other = Aws(instant.url, f"{instant.key}-2")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        other.job(arn)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        aws.job(arn.replace("us-east-1", "eu-west-1"))


def names(aws: Aws, **query: Any) -> list[str]:
    return [job["jobName"] for job in aws.control.list_model_invocation_jobs(**query)["invocationJobSummaries"]]


def test_listing(slow: Aws, clock: Any) -> None:
    uri = slow.put_lines("in.jsonl", LINES)
    for name in ("one-a", "two-a", "three-b"):
        slow.create(uri, jobName=name)
        clock.pass_(2)
    assert names(slow) == ["three-b", "two-a", "one-a"]
    assert names(slow, sortBy="CreationTime", sortOrder="Ascending") == ["one-a", "two-a", "three-b"]
    assert names(slow, nameContains="-a") == ["two-a", "one-a"]
    assert names(slow, statusEquals="Completed") == ["two-a", "one-a"]
    assert names(slow, statusEquals="InProgress") == ["three-b"]
    begun = slow.control.list_model_invocation_jobs()["invocationJobSummaries"][1]["submitTime"]
    assert names(slow, submitTimeAfter=begun) == ["three-b", "two-a"]
    assert names(slow, submitTimeBefore=begun) == ["two-a", "one-a"]


def test_pages(aws: Aws) -> None:
    uri = aws.put_lines("in.jsonl", LINES)
    for number in range(5):
        aws.create(uri, jobName=f"{'x' if number % 2 else 'y'}{number}")
    page = aws.control.list_model_invocation_jobs(maxResults=2)
    assert [job["jobName"] for job in page["invocationJobSummaries"]] == ["y4", "x3"]
    pages = aws.control.get_paginator("list_model_invocation_jobs").paginate(PaginationConfig={"PageSize": 2})
    assert [job["jobName"] for page in pages for job in page["invocationJobSummaries"]] == [
        "y4",
        "x3",
        "y2",
        "x1",
        "y0",
    ]
    pages = aws.control.get_paginator("list_model_invocation_jobs").paginate(
        nameContains="x", PaginationConfig={"PageSize": 1}
    )
    found = [[job["jobName"] for job in page["invocationJobSummaries"]] for page in pages]
    assert found == [["x3"], ["x1"]]


def test_summaries_say_less(aws: Aws) -> None:
    arn = aws.create(aws.put_lines("in.jsonl", LINES[:1]))
    (summary,) = aws.control.list_model_invocation_jobs()["invocationJobSummaries"]
    assert set(aws.job(arn)) - set(summary) == {"message", "clientRequestToken", "jobExpirationTime"}


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [
        ("maxResults=0", "ValidationException", "greater than or equal to 1"),
        ("maxResults=1001", "ValidationException", "less than or equal to 1000"),
        ("maxResults=x", "SerializationException", "x"),
        ("statusEquals=Done", "ValidationException", "at 'statusEquals' failed"),
        ("sortBy=Name", "ValidationException", "at 'sortBy'"),
        ("sortOrder=Up", "ValidationException", "at 'sortOrder'"),
        ("nextToken=x", "ValidationException", "nextToken"),
        ("nextToken=eHh4", "ValidationException", "nextToken"),
        ("submitTimeAfter=x", "SerializationException", "Timestamp"),
    ],
)
def test_bad_queries(aws: Aws, query: str, name: str, text: str) -> None:
    url = f"{aws.variables['AWS_ENDPOINT_URL_BEDROCK']}/model-invocation-jobs?{query}"
    request = aws.signed("GET", url).prepare()
    answer = HTTP.get(request.url, headers=dict(request.headers))
    assert answer.headers["x-amzn-errortype"].partition(":")[0] == name
    assert (answer.status_code, text in answer.json()["message"]) == (400, True)


def test_unknown_operations(aws: Aws) -> None:
    answer = post(aws, "/model-customization-jobs", b"{}")
    assert (answer.status_code, answer.headers["x-amzn-errortype"].partition(":")[0]) == (
        404,
        "UnknownOperationException",
    )


HOUR = 3600


def test_timeouts(tmp_path: Path, clock: Any, key: str) -> None:
    """At a pace at which a job takes days, its timeout comes first."""
    with background(tmp_path, clock=clock, pace=12 * HOUR) as url:  # runs from 12 to 36 hours
        aws = Aws(url, key)
        arn = aws.create(aws.put_lines("in.jsonl", LINES))
        assert follow(aws, clock, arn, 23 * HOUR, HOUR) == [("InProgress", 100, 45), ("PartiallyCompleted", 100, 50)]
        assert len(aws.output(arn)) == 50
    with background(tmp_path, clock=clock, pace=30 * HOUR) as url:  # would run from 30 hours on
        aws = Aws(url, key)
        arn = aws.create(aws.put_lines("in.jsonl", LINES), timeoutDurationInHours=25)
        assert follow(aws, clock, arn, 24 * HOUR, HOUR) == [("Scheduled", 100, 0), ("Expired", 100, 0)]
        job = aws.job(arn)
        assert job["lastModifiedTime"] - job["submitTime"] == datetime.timedelta(hours=25, seconds=30)
        assert job["endTime"] - job["submitTime"] == datetime.timedelta(hours=22.5)
        assert aws.keys(f"out/{arn.rpartition('/')[2]}") == []


def test_faults(tmp_path: Path, key: str) -> None:
    faults = parse_faults(
        "429@bedrock POST /control/model-invocation-job; 503@bedrock PUT /s3/.*; 500@bedrock /runtime/.*; "
        "429@bedrock /s3/.*"
    )
    with background(tmp_path, pace=0, faults=faults) as url:
        aws = Aws(url, key)
        with pytest.raises(ClientError) as caught:
            aws.create(aws.put_lines("in.jsonl", LINES))
        assert refused(caught.value)[:2] == (503, "ServiceUnavailable")
        with pytest.raises(ClientError) as caught:
            aws.s3.list_objects_v2(Bucket=aws.bucket)
        assert refused(caught.value)[:2] == (429, "SlowDown")
        uri = aws.put_lines("in.jsonl", LINES)
        with pytest.raises(ClientError) as caught:
            aws.create(uri)
        assert refused(caught.value)[:2] == (429, "ThrottlingException")
        with pytest.raises(ClientError) as caught:
            aws.runtime.converse(modelId=NOVA, **converse())
        assert refused(caught.value)[:2] == (500, "InternalServerException")
        aws.runtime.converse(modelId=NOVA, **converse())
        assert HTTP.get(f"{url}/_sandbox/counts").json()["bedrock"] == {"messages": 1, "objects": 1}


def test_many_callers_with_one_token_make_one_job(aws: Aws) -> None:
    body = json.dumps(good(aws, clientRequestToken="t")).encode()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(aws, "/model-invocation-job", body), range(16)))
    assert len({answer.json()["jobArn"] for answer in answers}) == 1


def test_a_create_whose_answer_was_lost_can_be_repeated(tmp_path: Path, key: str) -> None:
    faults = parse_faults("reset-after@bedrock POST /control/model-invocation-job")
    with background(tmp_path, pace=0, faults=faults) as url:
        aws = Aws(url, key)
        uri = aws.put_lines("in.jsonl", LINES)
        with pytest.raises(ConnectionClosedError):
            aws.create(uri, jobName="a", clientRequestToken="t")
        arn = aws.create(uri, jobName="a", clientRequestToken="t")
        (summary,) = aws.control.list_model_invocation_jobs()["invocationJobSummaries"]
        assert summary["jobArn"] == arn


def test_a_reset_forgets_objects_and_jobs(tmp_path: Path, key: str) -> None:
    with background(tmp_path, pace=0) as url:
        aws = Aws(url, key)
        aws.job(aws.create(aws.put_lines("in.jsonl", LINES)))
        assert len(aws.keys()) == 3
        reset(tmp_path)
        assert (aws.keys(), names(aws)) == ([], [])
    assert list((tmp_path / "objects").iterdir()) == []


def test_the_state_outlives_the_server(tmp_path: Path, key: str) -> None:
    with background(tmp_path, pace=0) as url:
        arn = Aws(url, key).create(Aws(url, key).put_lines("in.jsonl", LINES))
    with background(tmp_path, pace=0) as url:
        assert Aws(url, key).job(arn)["status"] == "Completed"
        assert len(Aws(url, key).output(arn)) == 100
        assert len(Aws(url, key).output(arn)) == 100
