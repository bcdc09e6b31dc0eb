"""Ten thousand requests at Gemini's emulator: taken in, answered and read in flat memory, each exactly once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.gemini import MODEL, connect, line

COUNT = 10_000
TEXT = "Please summarise what follows in one sentence. " + "Lorem ipsum dolor sit amet. " * 15
SERVE = """
import pathlib, sys
from bifrost_cli.sandbox import serve
serve("127.0.0.1", 0, pathlib.Path(sys.argv[1]), pace=0, on_ready=lambda url: print(url, flush=True))
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-c", SERVE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
        process.terminate()


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    (found,) = (text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
    return int(found.split()[1]) / 1024


def test_a_file_of_many_requests(served: tuple[str, int]) -> None:
    url, pid = served
    content = b"".join(json.dumps(line(f"r-{number}", TEXT)).encode() + b"\n" for number in range(COUNT))
    with connect(url, "sandbox") as gemini:
        name = gemini.upload(content[: 8 * 1024 * 1024])["name"]
        before = peak_memory(pid)
        gemini.call("DELETE", name)
        body = {"batch": {"displayName": "d", "inputConfig": {"fileName": gemini.upload(content)["name"]}}}
        done = gemini.get(gemini.post(f"models/{MODEL}:batchGenerateContent", body)["name"])
        seen = [result["key"] for result in gemini.results(done)]
    assert done["metadata"]["batchStats"] == {"requestCount": str(COUNT), "successfulRequestCount": str(COUNT)}
    assert len(seen) == len(set(seen)) == COUNT
    assert peak_memory(pid) - before < 60
