"""Signatures, with botocore as the one who signs."""

import datetime
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from bifrost_cli.sandbox import environment
from bifrost_cli.sandbox.bedrock import verify
from bifrost_cli.sandbox.bedrock.signature import EMPTY_HASH, Signed
from tests.sandbox.aws_kit import CLAUDE, HTTP, Aws, converse, refused

JOBS = "model-invocation-jobs"


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


def send(request: Any, **changes: Any) -> httpx.Response:
    prepared = request.prepare()
    headers = {**prepared.headers, **changes.pop("headers", {})}
    return HTTP.request(prepared.method, prepared.url, headers=headers, content=prepared.body, **changes)


def said(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers["x-amzn-errortype"], answer.json()["message"]


SUFFIX = ":http://internal.amazon.com/coral/com.amazon.coral.service/"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a%20b",
        "/%3A%2F",
        "/model/x:0/converse",
        "/a//b/./c/",
        "/%C3%BC",
        "/?list-type=2&prefix=a%20b%2B&x",
        "/?b=2&a=1&a=0",
    ],
)
@pytest.mark.parametrize("service", ["bedrock", "s3"])
def test_whatever_botocore_signs_is_right(path: str, service: str) -> None:
    aws = Aws("http://127.0.0.1:9", "sandbox")
    prepared = aws.signed("GET", f"http://127.0.0.1:9/prefix{path}", service=service).prepare()
    headers = {"host": "127.0.0.1:9", **{name.lower(): value for name, value in prepared.headers.items()}}
    sent = urlsplit(prepared.url)
    signed = Signed("GET", sent.path, sent.query, list(headers.items()))
    assert verify.verify(signed, service, EMPTY_HASH, time.time()).account == ""


def test_the_right_secret_is_let_in(aws: Aws) -> None:
    assert aws.control.list_model_invocation_jobs()["invocationJobSummaries"] == []
    assert aws.runtime.converse(modelId=CLAUDE, **converse())["stopReason"] == "end_turn"
    assert aws.s3.list_objects_v2(Bucket=aws.bucket)["KeyCount"] == 0


def test_the_environment_is_enough(instant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(instant.url).items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    with closing(session.client("bedrock")) as control, closing(session.client("s3")) as s3:
        assert control.list_model_invocation_jobs()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert s3.head_bucket(Bucket="bifrost-sandbox")["BucketRegion"] == "us-east-1"


@pytest.mark.parametrize("service", ["control", "runtime"])
def test_a_wrong_secret(instant: Any, service: str) -> None:
    aws = Aws(instant.url, instant.key, secret="other")
    call = {
        "control": lambda: aws.control.list_model_invocation_jobs(),
        "runtime": lambda: aws.runtime.converse(modelId=CLAUDE, **converse()),
    }[service]
    with pytest.raises(ClientError) as caught:
        call()
    status, name, message = refused(caught.value)
    assert (status, name) == (403, "InvalidSignatureException")
    assert message.startswith("The request signature we calculated does not match the signature you provided.")


def test_an_unknown_key(instant: Any) -> None:
    aws = Aws(instant.url, "real-key")
    with pytest.raises(ClientError) as caught:
        aws.control.list_model_invocation_jobs()
    assert refused(caught.value) == (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    with pytest.raises(ClientError) as caught:
        aws.s3.list_objects_v2(Bucket=aws.bucket)
    assert refused(caught.value)[:2] == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize(
    ("token", "control", "s3"),
    [
        ("sandbox-expired", "ExpiredTokenException", "ExpiredToken"),
        ("real", "UnrecognizedClientException", "InvalidToken"),
        ("sandbox-token", None, None),
    ],
)
def test_session_tokens(instant: Any, token: str, control: str | None, s3: str | None) -> None:
    aws = Aws(instant.url, instant.key, token=token)
    for name, call in (
        (control, lambda: aws.control.list_model_invocation_jobs()),
        (s3, lambda: aws.s3.list_objects_v2(Bucket=aws.bucket)),
    ):
        if name is None:
            call()
            continue
        with pytest.raises(ClientError) as caught:
            call()
        assert refused(caught.value)[1] == name


def test_other_accounts_see_nothing(instant: Any) -> None:
    one, two = Aws(instant.url, instant.key), Aws(instant.url, f"{instant.key}-2")
    one.s3.put_object(Bucket=one.bucket, Key="a", Body=b"x")
    assert (one.keys(), two.keys()) == (["a"], [])


def test_the_signature_covers_everything(aws: Aws) -> None:
    base = aws.variables["AWS_ENDPOINT_URL_BEDROCK"]
    good = aws.signed("GET", f"{base}/{JOBS}?maxResults=5")
    assert send(good).status_code == 200
    prepared = good.prepare()
    changed: list[tuple[str, str, bytes]] = [
        ("GET", f"{base}/{JOBS}?maxResults=6", b""),
        ("GET", f"{base}/model-invocation-job/abc?maxResults=5", b""),
        ("POST", f"{base}/{JOBS}?maxResults=5", b""),
        ("GET", f"{base}/{JOBS}?maxResults=5", b"{}"),
    ]
    for method, url, body in changed:
        answer = HTTP.request(method, url, headers=dict(prepared.headers), content=body)
        assert said(answer)[:2] == (403, f"InvalidSignatureException{SUFFIX}")
    late = {**prepared.headers, "x-amz-security-token": "sandbox"}
    assert HTTP.get(f"{base}/{JOBS}?maxResults=5", headers=late).status_code == 403


@pytest.mark.parametrize(
    ("authorization", "status", "name", "text"),
    [
        (None, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        ("Basic x", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, Signature=x",
            400,
            "IncompleteSignatureException",
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=nonsense, SignedHeaders=host, Signature=x",
            400,
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, and got: nonsense",
        ),
    ],
)
def test_malformed(aws: Aws, authorization: str | None, status: int, name: str, text: str) -> None:
    headers = {"x-amz-date": "20260101T000000Z", **({"authorization": authorization} if authorization else {})}
    answer = HTTP.get(f"{aws.variables['AWS_ENDPOINT_URL_BEDROCK']}/{JOBS}", headers=headers)
    assert said(answer) == (status, f"{name}{SUFFIX}", text)


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Makes botocore sign as if it were this much later."""

    moved = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=seconds)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *args, **fields: moved)


@pytest.mark.parametrize(("seconds", "text"), [(-600, "Signature expired: "), (600, "Signature not yet current: ")])
def test_the_date_counts(aws: Aws, monkeypatch: pytest.MonkeyPatch, seconds: float, text: str) -> None:
    at(monkeypatch, seconds)
    status, name, message = said(send(aws.signed("GET", f"{aws.variables['AWS_ENDPOINT_URL_BEDROCK']}/{JOBS}")))
    assert (status, name) == (403, f"InvalidSignatureException{SUFFIX}")
    assert message.startswith(text)


def test_the_service_counts(aws: Aws) -> None:
    base = aws.variables["AWS_ENDPOINT_URL_BEDROCK"]
    answer = send(aws.signed("GET", f"{base}/{JOBS}", service="sagemaker"))
    assert "Credential should be scoped to correct service: 'bedrock'." in answer.text
    answer = send(aws.signed("GET", f"{aws.variables['AWS_ENDPOINT_URL_S3']}/{aws.bucket}"))
    assert answer.status_code == 400


def test_api_keys(aws: Aws, instant: Any) -> None:
    """They name the account in the same way, and do nothing for S3."""
    aws.create(aws.put_lines("in.jsonl", []))
    headers = {"authorization": f"Bearer bedrock-api-key-{instant.key}"}
    control, runtime = aws.variables["AWS_ENDPOINT_URL_BEDROCK"], aws.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    assert len(HTTP.get(f"{control}/{JOBS}", headers=headers).json()["invocationJobSummaries"]) == 1
    answer = HTTP.post(f"{runtime}/model/{CLAUDE}/converse", headers=headers, json=converse())
    assert answer.json()["stopReason"] == "end_turn"
    assert HTTP.get(f"{aws.variables['AWS_ENDPOINT_URL_S3']}/{aws.bucket}", headers=headers).status_code == 400
    answer = HTTP.get(f"{control}/{JOBS}", headers={"authorization": "Bearer real"})
    assert answer.status_code == 403
    assert answer.json() == {"Message": "Authentication failed: Please make sure your API Key is valid."}
