"""AWS's own SDK pointed at a sandbox, and what tests of the Bedrock emulator have in common."""

import json
from collections.abc import Iterable
from typing import Any

import boto3
import httpx
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from bifrost_cli.sandbox import environment

_SESSION = boto3.Session()
_CLIENTS: dict[tuple[str, str], tuple[Any, Credentials]] = {}
"""Making a client takes long, so they are kept, each with credentials that can be changed."""

_CONFIG = Config(retries={"total_max_attempts": 1}, signature_version="v4")
HTTP = httpx.Client(verify=False, trust_env=False, timeout=30)
"""For what the SDKs do not let through."""

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
OLD_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "us.amazon.nova-micro-v1:0"


def _client(service: str, url: str) -> tuple[Any, Credentials]:
    if (service, url) not in _CLIENTS:
        credentials = Credentials("unset", "unset")
        signing = {"signature_version": "s3v4"} if service == "s3" else {}
        client = _SESSION.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="unset",
            aws_secret_access_key="unset",
            config=_CONFIG.merge(Config(**signing)),
        )
        client._request_signer._credentials = credentials
        _CLIENTS[service, url] = client, credentials
    return _CLIENTS[service, url]


class _Stating(S3SigV4Auth):
    """Says of the body's hash what a test wants to be said."""

    stated = ""

    def payload(self, request: AWSRequest) -> str:
        return self.stated


class Aws:
    """The clients of one account; `key` is what its access key says besides."""

    def __init__(self, url: str, key: str, *, secret: str | None = None, token: str | None = None) -> None:
        self.variables = environment(url)
        self.bucket = self.variables["BIFROST_BEDROCK_BUCKET"]
        self.role = self.variables["BIFROST_BEDROCK_ROLE_ARN"]
        self.key_id = f"AKIA-{key}"
        self.secret = secret or f"secret-of-{self.key_id}"
        self.token = token

    def _client(self, service: str, variable: str) -> Any:
        client, credentials = _client(service, self.variables[variable])
        credentials.access_key, credentials.secret_key, credentials.token = self.key_id, self.secret, self.token
        return client

    @property
    def control(self) -> Any:
        return self._client("bedrock", "AWS_ENDPOINT_URL_BEDROCK")

    @property
    def runtime(self) -> Any:
        return self._client("bedrock-runtime", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME")

    @property
    def s3(self) -> Any:
        return self._client("s3", "AWS_ENDPOINT_URL_S3")

    def signed(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        service: str = "bedrock",
        payload: str | None = None,
        **headers: str,
    ) -> AWSRequest:
        """A request signed by botocore, for what its clients do not let through. `payload` is said of its body."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method=method, url=url, data=body, headers=sent)
        kind = _Stating if payload is not None else S3SigV4Auth if service == "s3" else SigV4Auth
        signer = kind(Credentials(self.key_id, self.secret), service, "us-east-1")
        if payload is not None:
            signer.stated = payload
        signer.add_auth(request)
        return request

    def put_lines(self, key: str, lines: Iterable[Any]) -> str:
        """Puts JSON lines into the bucket; gives their URI."""
        text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        return f"s3://{self.bucket}/{key}"

    def create(self, uri: str, **fields: Any) -> str:
        """Creates a job over an input; gives its ARN."""
        made = {
            "jobName": f"job-{len(self.control.list_model_invocation_jobs()['invocationJobSummaries'])}",
            "roleArn": self.role,
            "modelId": CLAUDE,
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": uri}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{self.bucket}/out"}},
            **fields,
        }
        return str(self.control.create_model_invocation_job(**made)["jobArn"])

    def job(self, arn: str) -> dict[str, Any]:
        """A job without what the SDK says of the answer."""
        whole = self.control.get_model_invocation_job(jobIdentifier=arn)
        return {name: value for name, value in whole.items() if name != "ResponseMetadata"}

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def output(self, arn: str, name: str = "in.jsonl", prefix: str = "out/") -> list[dict[str, Any]]:
        """The lines of a job's output."""
        text = self.read(f"{prefix}{arn.rpartition('/')[2]}/{name}.out")
        return [json.loads(line) for line in text.split(b"\n") if line]

    def keys(self, prefix: str = "") -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]


def native(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """A body for InvokeModel."""
    messages = [{"role": "user", "content": text}]
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": messages, **fields}


def converse(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """A body for Converse."""
    return {"messages": [{"role": "user", "content": [{"text": text}]}], **fields}


def records(count: int = 100, *special: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Some records for InvokeModel, then enough of the plain kind."""
    plain = ({"recordId": f"r{number}", "modelInput": native(**fields)} for number in range(count - len(special)))
    return [*special, *plain]


def refused(error: ClientError) -> tuple[int, str, str]:
    """The status, name and message of a refusal."""
    answer = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
