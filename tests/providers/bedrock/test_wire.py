"""The calls of jobs: what is sent and how it is signed, what is answered and what that means."""

import asyncio
import configparser
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import httpx
import orjson
import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    RateLimitError,
    UnsupportedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from bifrost_cli.providers.base import Context, Part
from bifrost_cli.providers.bedrock import Bedrock, translate
from bifrost_cli.providers.bedrock.aws import Credentials, SigV4
from bifrost_cli.providers.bedrock.failures import describe
from tests.loopback import Scripted, answer, scripted
from tests.providers.bedrock.conftest import KEY, S3, SECRET, adapter

pytestmark = pytest.mark.anyio
MakeSource = Callable[[bytes], Source]
Environ = dict[str, str]
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"
NOVA = "us.amazon.nova-2-lite-v1:0"


def says(body: Any, status: int = 200, **headers: str) -> bytes:
    return answer(status, orjson.dumps(body), **headers)


def fails(status: int, code: str, message: str) -> bytes:
    kind = f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return says({"message": message}, status, x_amzn_errortype=kind, x_amzn_requestid="1-2-3")


@asynccontextmanager
async def talking(environ: Environ, *answers: bytes | None, **more: str) -> AsyncIterator[tuple[Bedrock, Scripted]]:
    async with scripted(*answers) as control:
        async with adapter({**environ, "AWS_ENDPOINT_URL_BEDROCK": control.url}, **more) as bedrock:
            bedrock.http.sleep = no_pause
            yield bedrock, control
        await asyncio.sleep(0.01)


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def part(source: MakeSource, requests: int = 150, model: str = NOVA) -> Part:
    lines = b"".join(b'{"recordId":"r%d","modelInput":{}}\n' % n for n in range(requests))
    return Part(model, "Converse", "0123456789abcdef-0", requests, source(lines))


# -- create -----------------------------------------------------------------------------------------------------


async def test_create(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    async with talking(environ, says({"jobArn": ARN}), timeout_hours="48") as (bedrock, control):
        batch = await bedrock.create_batch(part(make_source))
    (request,) = control.received
    assert (request.method, request.target) == ("POST", "/model-invocation-job")
    body = orjson.loads(request.body)
    assert body["clientRequestToken"] == body["jobName"] == "bifrost-0123456789abcdef-0"
    assert (body["modelId"], body["modelInvocationType"], body["timeoutDurationInHours"]) == (NOVA, "Converse", 48)
    assert body["roleArn"] == environ["BIFROST_BEDROCK_ROLE_ARN"]
    bucket, _, key = body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].removeprefix("s3://").partition("/")
    assert bucket == s3.bucket
    assert s3.get(key).count(b"\n") == 150
    assert batch.id == "us-east-1.abcdefghijkl"
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 150)
    assert not bedrock.runs_here(batch.id)
    assert batch.expires_at - batch.created_at == timedelta(hours=48)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("BIFROST_BEDROCK_ROLE_ARN", "", "set BIFROST_BEDROCK_ROLE_ARN"),
        ("BIFROST_BEDROCK_ROLE_ARN", "batch", "BIFROST_BEDROCK_ROLE_ARN: 'batch'"),
        ("BIFROST_BEDROCK_BUCKET", "", "set BIFROST_BEDROCK_BUCKET"),
        ("BIFROST_BEDROCK_TIMEOUT_HOURS", "12", "BIFROST_BEDROCK_TIMEOUT_HOURS: '12'.*24 to 168"),
        ("BIFROST_BEDROCK_MIN_RECORDS", "few", "BIFROST_BEDROCK_MIN_RECORDS: 'few'"),
    ],
)
async def test_settings_that_jobs_need(
    environ: Environ, make_source: MakeSource, s3: S3, name: str, value: str, match: str
) -> None:
    async with talking({**environ, name: value}, says({})) as (bedrock, control):
        with pytest.raises(ConfigError, match=match):
            await bedrock.create_batch(part(make_source))
    assert control.received == []
    assert s3.found() == []


async def test_a_file_names_no_model(environ: Environ) -> None:
    async with talking(environ, says({})) as (bedrock, _):
        with pytest.raises(UnsupportedError, match="needs a model"):
            await bedrock.create_batch(Part("", "", "t", file_id="abc"))


@pytest.mark.parametrize(
    ("said", "kind", "sent"),
    [
        (
            fails(400, "ValidationException", "Batch inference is not supported for the requested model."),
            InvalidRequestError,
            1,
        ),
        (fails(403, "AccessDeniedException", "Cross-account pass role is not allowed"), ForbiddenError, 1),
        (fails(400, "ServiceQuotaExceededException", "Too many jobs"), RateLimitError, 5),
        (fails(429, "ThrottlingException", "Rate exceeded"), RateLimitError, 5),
        (fails(500, "InternalServerException", "oops"), OutcomeUnknownError, 1),
        (None, OutcomeUnknownError, 1),
    ],
)
async def test_a_create_is_sent_again_only_where_it_surely_did_not_arrive(
    environ: Environ, make_source: MakeSource, said: bytes | None, kind: type[BifrostError], sent: int
) -> None:
    async with talking(environ, said) as (bedrock, control):
        with pytest.raises(kind):
            await bedrock.create_batch(part(make_source))
    assert len(control.received) == sent


async def test_found_by_its_name(environ: Environ, make_source: MakeSource) -> None:
    name = "bifrost-0123456789abcdef-0"
    listed = [{"jobArn": f"{ARN}x", "jobName": f"{name}1"}, {"jobArn": ARN, "jobName": name}]
    async with talking(environ, says({"invocationJobSummaries": listed}), says({})) as (bedrock, control):
        found = await bedrock.find_batch(part(make_source), datetime.now(UTC), ())
        assert found is not None
        assert found.id == "us-east-1.abcdefghijkl"
        assert await bedrock.find_batch(part(make_source), datetime.now(UTC), ()) is None
    assert f"nameContains={name}" in control.received[0].target


# -- get, cancel, results ---------------------------------------------------------------------------------------


async def test_get_goes_to_the_jobs_region(environ: Environ) -> None:
    job = {"jobArn": ARN.replace("us-east-1", "eu-west-1"), "status": "Failed", "message": "no", "totalRecordCount": 0}
    async with talking(environ, says(job)) as (bedrock, control):
        batch = await bedrock.get_batch("eu-west-1.abcdefghijkl")
    assert batch.id == "eu-west-1.abcdefghijkl"
    assert [error.message for error in batch.errors or []] == ["no"]
    (request,) = control.received
    assert request.target == "/model-invocation-job/abcdefghijkl"
    assert "/eu-west-1/bedrock/aws4_request" in request.headers["authorization"]


@pytest.mark.parametrize("id", ["abc", "us-east-1.a/../../x", "evil.example/x.abc"])
async def test_ids_are_checked_before_any_call(environ: Environ, id: str) -> None:
    async with talking(environ, says({})) as (bedrock, control):
        for call in (bedrock.get_batch, bedrock.cancel_batch):
            with pytest.raises(NotFoundError):
                await call(id)
    assert control.received == []


async def test_unknown_jobs(environ: Environ) -> None:
    async with talking(environ, fails(404, "ResourceNotFoundException", "Could not find job")) as (bedrock, _):
        with pytest.raises(NotFoundError, match="Could not find job") as refusal:
            await bedrock.get_batch("us-east-1.abcdefghijkl")
    assert refusal.value.request_id == "1-2-3"


async def test_cancel(environ: Environ) -> None:
    job = {"jobArn": ARN, "status": "Stopping", "lastModifiedTime": "2026-11-01T12:00:00Z"}
    async with talking(environ, says({}), says(job)) as (bedrock, control):
        batch = await bedrock.cancel_batch("us-east-1.abcdefghijkl")
    assert batch.processing_status == "canceling"
    assert [(request.method, request.target) for request in control.received] == [
        ("POST", "/model-invocation-job/abcdefghijkl/stop"),
        ("GET", "/model-invocation-job/abcdefghijkl"),
    ]


async def test_cancel_of_an_ended_job(environ: Environ) -> None:
    message = "The job could not be stopped. State was: Completed"
    async with talking(environ, fails(400, "ValidationException", message)) as (bedrock, _):
        with pytest.raises(ConflictError, match="State was: Completed"):
            await bedrock.cancel_batch("us-east-1.abcdefghijkl")


async def test_jobs_cannot_be_deleted(environ: Environ) -> None:
    async with talking(environ, says({})) as (bedrock, _):
        with pytest.raises(UnsupportedError):
            await bedrock.delete_batch("us-east-1.abcdefghijkl")


def job_in(s3: S3, **more: Any) -> dict[str, Any]:
    return {
        "jobArn": ARN,
        "modelId": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{NOVA}",
        "status": "Completed",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{s3.bucket}/in/"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{s3.bucket}/out"}},
        **more,
    }


async def test_results_are_of_all_output_objects(environ: Environ, s3: S3) -> None:
    answered = {"output": {"message": {"content": [{"text": "a\u2028b\u0085c"}]}}, "stopReason": "end_turn"}
    error = {"errorCode": 400, "errorMessage": "no", "expired": False, "retryable": False}

    def row(id: str, **more: Any) -> bytes:
        return orjson.dumps({"recordId": id, "modelInput": {}, **more}) + b"\n"

    s3.put("out/abcdefghijkl/one.jsonl.out", row("r0", modelOutput=answered) + row("r1", error=error))
    s3.put("out/abcdefghijkl/sub/two.jsonl.out", row("r2", modelOutput=answered).rstrip())
    s3.put("out/abcdefghijkl/manifest.json.out", b'{"totalRecordCount":3}')
    s3.put("out/anotherjob/one.jsonl.out", row("r9", modelOutput=answered))
    for name, ids in (("a", "01"), ("b", "2")):
        s3.put(f"in/{name}.jsonl", b"".join(row(f"r{id}") for id in ids))
    s3.put("in/readme.txt", b"not a record")
    async with adapter(environ) as bedrock:
        batch = translate.to_batch(job_in(s3))
        found = [result async for result in bedrock.batch_results(batch)]
        assert [id async for id in bedrock.batch_inputs(batch)] == ["r0", "r1", "r2"]
    assert [(result["custom_id"], result["result"]["type"]) for result in found] == [
        ("r0", "succeeded"),
        ("r1", "errored"),
        ("r2", "succeeded"),
    ]
    message = found[0]["result"]["message"]
    assert (message["model"], message["content"][0]["text"]) == (NOVA, "a\u2028b\u0085c")
    assert message["usage"]["service_tier"] == "batch"
    assert message["id"] != found[2]["result"]["message"]["id"]


@pytest.mark.parametrize("status", ["Failed", "Expired"])
async def test_jobs_without_output_are_not_looked_for(environ: Environ, s3: S3, status: str) -> None:
    async with adapter({**environ, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}) as bedrock:
        batch = translate.to_batch(job_in(s3, status=status))
        assert [result async for result in bedrock.batch_results(batch)] == []


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ConflictException", 400, ConflictError),
        ("ModelNotReadyException", 429, RateLimitError),
        ("ModelTimeoutException", 408, UpstreamTimeoutError),
        ("ServiceUnavailableException", 503, OverloadedError),
        ("ModelErrorException", 424, UpstreamError),
        ("UnrecognizedClientException", 403, AuthError),
        ("InvalidSignatureException", 403, AuthError),
        ("ExpiredTokenException", 403, AuthError),
        ("MissingAuthenticationTokenException", 403, AuthError),
        ("", 403, ForbiddenError),
        ("NewException", 400, InvalidRequestError),
        ("NewException", 502, UpstreamError),
    ],
)
def test_what_codes_mean(code: str, status: int, kind: type[BifrostError]) -> None:
    error = describe(code, "said", status, "1-2-3")
    assert type(error) is kind
    assert (error.provider, error.request_id) == ("bedrock", "1-2-3")
    assert code in error.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":null}', b'{"__type":"x#AccessDeniedException"}'])
async def test_errors_that_say_little(environ: Environ, body: bytes) -> None:
    async with talking(environ, answer(403, body)) as (bedrock, _):
        with pytest.raises(ForbiddenError, match="403"):
            await bedrock.get_batch("us-east-1.abcdefghijkl")


# -- credentials ------------------------------------------------------------------------------------------------


async def test_a_bearer_token_wins(environ: Environ) -> None:
    token = "bedrock-api-key-0123456789"
    refusal = fails(403, "AccessDeniedException", f"not with {token}")
    async with talking({**environ, "AWS_BEARER_TOKEN_BEDROCK": token}, refusal) as (bedrock, control):
        with pytest.raises(ForbiddenError) as error:
            await bedrock.get_batch("us-east-1.abcdefghijkl")
    assert control.received[0].headers["authorization"] == f"Bearer {token}"
    assert token not in str(error.value)


async def test_a_bearer_token_is_not_for_s3(environ: Environ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bare = {name: value for name, value in environ.items() if "ACCESS_KEY" not in name}
    async with adapter({**bare, "AWS_BEARER_TOKEN_BEDROCK": "token"}) as bedrock:
        with pytest.raises(ConfigError, match=r"no AWS credentials.*AWS_ACCESS_KEY_ID"):
            await bedrock.list_files(limit=1)


@pytest.mark.parametrize(
    "name", ["us.anthropic.claude-x-v1:0", f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{NOVA}"]
)
@pytest.mark.parametrize("token", [None, "a-session-token=="])
async def test_signatures_are_those_of_the_vendors_client(
    monkeypatch: pytest.MonkeyPatch, name: str, token: str | None
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 11, 1))
    monkeypatch.setattr("botocore.compat.get_current_datetime", lambda *_: datetime(2026, 11, 1), raising=False)
    session = botocore.session.Session()
    session.set_credentials(KEY, SECRET, token)
    client = session.create_client("bedrock-runtime", region_name="us-east-1")
    sent: list[Any] = []

    def capture(request: Any, **_: Any) -> None:
        sent.append(request)
        raise RuntimeError("not sent")

    client.meta.events.register("before-send.bedrock-runtime.Converse", capture)
    with pytest.raises(RuntimeError):
        client.converse(modelId=name, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    theirs = sent[0]

    given = {"access_key_id": KEY, "secret_access_key": SECRET} | ({"session_token": token} if token else {})
    ours = httpx.Request("POST", theirs.url, headers={"content-type": "application/json"}, content=theirs.body)
    await SigV4(Credentials(given), "us-east-1")(ours)
    assert ours.headers["authorization"] == theirs.headers["Authorization"].decode()
    assert ours.headers.get("x-amz-security-token") == token


async def test_each_attempt_is_signed_anew(environ: Environ) -> None:
    answers = (fails(500, "InternalServerException", "oops"), says({"jobArn": ARN}))
    async with talking(environ, *answers) as (bedrock, control):
        await bedrock.get_batch("us-east-1.abcdefghijkl")
    assert len(control.received) == 2
    assert all(request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ") for request in control.received)


@pytest.fixture
def profiles(clean_environment: Path) -> Path:
    """A profile in the user's AWS folder."""
    folder = clean_environment / ".aws"
    folder.mkdir()
    config, keys = configparser.ConfigParser(), configparser.ConfigParser()
    config["profile work"] = {"region": "eu-central-1"}
    keys["work"] = {"aws_access_key_id": "AKIDPROFILE", "aws_secret_access_key": "profile-secret"}
    for name, parser in (("config", config), ("credentials", keys)):
        with (folder / name).open("w") as file:
            parser.write(file)
    return folder


@pytest.mark.usefixtures("profiles")
async def test_profiles(environ: Environ) -> None:
    bare = {name: value for name, value in environ.items() if "ACCESS_KEY" not in name and name != "AWS_REGION"}
    async with talking({**bare, "AWS_PROFILE": "work"}, says({"jobArn": ARN})) as (bedrock, control):
        assert bedrock.region == "eu-central-1"
        await bedrock.get_batch("eu-central-1.abcdefghijkl")
    assert "Credential=AKIDPROFILE/" in control.received[0].headers["authorization"]


@pytest.mark.usefixtures("profiles")
async def test_given_keys_come_before_a_profile(environ: Environ) -> None:
    async with talking({**environ, "AWS_PROFILE": "work"}, says({"jobArn": ARN})) as (bedrock, control):
        assert bedrock.region == "us-east-1"
        await bedrock.get_batch("us-east-1.abcdefghijkl")
    assert f"Credential={KEY}/" in control.received[0].headers["authorization"]


async def test_a_profile_that_is_not_there(environ: Environ) -> None:
    bare = {name: value for name, value in environ.items() if "ACCESS_KEY" not in name}
    async with talking({**bare, "AWS_PROFILE": "nobody"}, says({})) as (bedrock, _):
        with pytest.raises(ConfigError, match="nobody"):
            await bedrock.get_batch("us-east-1.abcdefghijkl")


async def test_without_the_extra(environ: Environ, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("botocore", "s3transfer")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("botocore", "s3transfer"):
        monkeypatch.setitem(sys.modules, name, None)
    async with talking(environ, says({})) as (bedrock, _):
        for call in (bedrock.list_files(limit=1), bedrock.get_batch("us-east-1.abcdefghijkl")):
            with pytest.raises(ConfigError, match=r"pip install 'bifrost-cli\[bedrock\]'"):
                await call
    async with talking({**environ, "AWS_BEARER_TOKEN_BEDROCK": "token"}, says({"jobArn": ARN})) as (bedrock, _):
        await bedrock.get_batch("us-east-1.abcdefghijkl")
    async with adapter({"AWS_REGION": ""}) as nowhere:
        with pytest.raises(ConfigError, match="set AWS_REGION"):
            nowhere.require()


def test_nothing_is_imported_before_it_is_used() -> None:
    import subprocess

    code = (
        "import sys, bifrost_cli.providers.bedrock as b, bifrost_cli.config as c, httpx\n"
        "a = b.Bedrock(c.Config(environ={'AWS_REGION': 'us-east-1'}).settings('bedrock', b.Bedrock.settings), None)\n"
        "a.require(); a.encode({'custom_id': 'a', 'params': {'model': 'anthropic.x', 'messages': []}})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('botocore', 'boto3', 's3transfer')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


async def test_a_region_decides_the_address() -> None:
    for region, address in {
        "us-east-1": "https://bedrock.us-east-1.amazonaws.com",
        "us-gov-west-1": "https://bedrock.us-gov-west-1.amazonaws.com",
        "cn-north-1": "https://bedrock.cn-north-1.amazonaws.com.cn",
    }.items():
        async with adapter({"AWS_DEFAULT_REGION": region}) as bedrock:
            assert bedrock.http.base_url == address
    async with adapter({"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}, Context()) as bedrock:
        assert bedrock.http.base_url == "http://127.0.0.1:4566"
        assert bedrock.http.address_from == "AWS_ENDPOINT_URL"
        assert bedrock.store.endpoint == "http://127.0.0.1:4566/"


async def test_secrets_are_in_no_repr(environ: Environ) -> None:
    async with adapter({**environ, "AWS_BEARER_TOKEN_BEDROCK": "a-bearer-token"}) as bedrock:
        for thing in (bedrock.config, bedrock.http, bedrock.store, bedrock.credentials):
            assert SECRET not in repr(thing)
            assert "a-bearer-token" not in repr(thing)
