"""Twenty thousand requests: taken in, answered and read, each exactly once and in little memory."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

COUNT = 20_000
TEXT = "Please summarise what follows in one sentence. " + "Lorem ipsum dolor sit amet. " * 15


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, process: Any) -> Any:
    with process(tmp_path_factory.mktemp("scale")) as (url, running):
        yield url, running.pid


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MB; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def test_anthropic(served: Any) -> None:
    url, pid = served
    params = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": TEXT}]}
    body = json.dumps({"requests": [{"custom_id": f"r-{number}", "params": params} for number in range(COUNT)]})
    headers = {"x-api-key": "sandbox", "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=f"{url}/anthropic/v1", headers=headers, timeout=60) as http:
        id = http.post("/messages/batches", content=body).json()["id"]
        assert http.get(f"/messages/batches/{id}").json()["request_counts"]["succeeded"] == COUNT
        with http.stream("GET", f"/messages/batches/{id}/results") as answer:
            seen = [json.loads(line)["custom_id"] for line in answer.iter_lines()]
    assert len(seen) == len(set(seen)) == COUNT
    assert peak_memory(pid) < 200


def test_openai(served: Any) -> None:
    url, pid = served
    body = {"model": "gpt-5-nano", "input": TEXT}
    lines = [
        json.dumps({"custom_id": f"r-{number}", "method": "POST", "url": "/v1/responses", "body": body})
        for number in range(COUNT)
    ]
    with httpx.Client(base_url=f"{url}/openai/v1", headers={"authorization": "Bearer sandbox"}, timeout=60) as http:
        file = http.post("/files", files={"file": ("in.jsonl", "\n".join(lines))}, data={"purpose": "batch"}).json()
        asked = {"input_file_id": file["id"], "endpoint": "/v1/responses", "completion_window": "24h"}
        id = http.post("/batches", json=asked).json()["id"]
        batch = http.get(f"/batches/{id}").json()
        assert batch["request_counts"] == {"total": COUNT, "completed": COUNT, "failed": 0}
        with http.stream("GET", f"/files/{batch['output_file_id']}/content") as answer:
            seen = [json.loads(line)["custom_id"] for line in answer.iter_lines()]
    assert len(seen) == len(set(seen)) == COUNT
    assert peak_memory(pid) < 200
