"""Ten thousand records: taken in, answered and read, each exactly once, in flat memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.aws_kit import Aws, converse, native

COUNT = 10_000
TEXT = "Please summarise what follows in one sentence. " + "Lorem ipsum dolor sit amet. " * 15
SERVE = """
import pathlib, sys
from bifrost_cli.sandbox import serve
serve("127.0.0.1", 0, pathlib.Path(sys.argv[1]), pace=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    command = [sys.executable, "-c", SERVE, str(tmp_path_factory.mktemp("scale"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
        process.terminate()


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("kind", ["InvokeModel", "Converse"])
def test_many_records(served: Any, kind: str) -> None:
    url, pid = served
    aws = Aws(url, f"sandbox-{kind}")
    body = native(TEXT) if kind == "InvokeModel" else converse(TEXT)
    text = b"".join(
        json.dumps({"recordId": f"r-{number}", "modelInput": body}).encode() + b"\n" for number in range(COUNT)
    )
    aws.s3.put_object(Bucket=aws.bucket, Key="in.jsonl", Body=text)
    arn = aws.create(f"s3://{aws.bucket}/in.jsonl", modelInvocationType=kind)
    assert aws.job(arn)["successRecordCount"] == COUNT
    key = f"out/{arn.rpartition('/')[2]}/in.jsonl.out"
    lines = aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].iter_lines()
    seen = [json.loads(line)["recordId"] for line in lines]
    assert len(seen) == len(set(seen)) == COUNT
    assert peak_memory(pid) < 200
