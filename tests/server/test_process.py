"""`bifrost serve` as a process: large bodies in flat memory, its end, its workers."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest

from bifrost_cli.sandbox import background, environment
from tests.gateway import Process, in_process

MB = 1024 * 1024
HEADERS = {"x-api-key": "any", "content-type": "application/json"}
ROOM = 64 * MB


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


class Sink(BaseHTTPRequestHandler):
    """A provider that takes whatever comes, and answers in the hub's own shapes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        left = length = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, MB)))
        now = {"created_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-02T00:00:00Z"}
        file = {"id": "file_1", "filename": "a.bin", "mime_type": "text/plain", "size_bytes": length, **now}
        batch = {"id": "msgbatch_1", "processing_status": "in_progress", "request_counts": {}, **now}
        body = orjson.dumps(file if self.path.endswith("/files") else batch)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def swallowing(tmp_path: Path) -> Iterator[Process]:
    """The gateway over a provider that swallows everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}"}
        with in_process(tmp_path, **environ) as process:
            yield process
        server.shutdown()


@pytest.fixture
def process(sandbox: str, tmp_path: Path) -> Iterator[Process]:
    with in_process(tmp_path, **environment(sandbox)) as process:
        yield process


def requests(megabytes: int) -> Iterator[bytes]:
    """A create's body of this length, request by request."""
    text, size, number = "What is 2+2? " * 300, 0, 0
    yield b'{"requests":['
    while size < megabytes * MB - 8192:
        params = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
        line = (b"," if number else b"") + orjson.dumps({"custom_id": f"r{number}", "params": params})
        yield line
        size, number = size + len(line), number + 1
    yield b"]}"


def blocks(megabytes: int) -> Iterator[bytes]:
    yield b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    for _ in range(megabytes):
        yield bytes(MB)
    yield b"\r\n--xx--\r\n"


def grown(process: Process, before: int) -> int:
    return process.peak() - before


def test_a_batch_of_256_mb_passes_in_flat_memory(swallowing: Process) -> None:
    process = swallowing
    url = f"{process.url}/v1/messages/batches"
    with httpx.Client(timeout=120, trust_env=False, headers=HEADERS) as http:
        http.post(url, content=requests(1)).raise_for_status()
        process.forget_peak()
        before = process.memory()
        batch = http.post(url, content=requests(255)).raise_for_status().json()
        assert grown(process, before) < ROOM
        assert sum(batch["request_counts"].values()) > 60_000
        too_large = http.post(url, content=requests(257))
        assert (too_large.status_code, too_large.json()["error"]["type"]) == (413, "request_too_large")


def test_a_file_of_500_mb_passes_in_flat_memory(swallowing: Process) -> None:
    process = swallowing
    url = f"{process.url}/v1/files"
    headers = {**HEADERS, "content-type": "multipart/form-data; boundary=xx"}
    with httpx.Client(timeout=120, trust_env=False, headers=headers) as http:
        http.post(url, content=blocks(1)).raise_for_status()
        process.forget_peak()
        before = process.memory()
        file = http.post(url, content=blocks(500)).raise_for_status().json()
        assert file["size_bytes"] > 500 * MB
        assert grown(process, before) < ROOM
        too_large = http.post(url, content=blocks(502))
        assert too_large.status_code == 413


def test_sigterm_lets_calls_end(sandbox: str, process: Process) -> None:
    httpx.post(f"{sandbox}/_sandbox/faults", json="slow=0.05@anthropic GET /v1/files", trust_env=False)
    answers: list[httpx.Response] = []
    call = threading.Thread(
        target=lambda: answers.append(
            httpx.get(f"{process.url}/v1/files", headers=HEADERS, timeout=30, trust_env=False)
        )
    )
    call.start()
    time.sleep(0.3)
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(20) == 0
    call.join()
    assert answers[0].status_code == 200
    assert "Traceback" not in process.log.read_text()


def test_the_log_is_json_without_secrets(process: Process) -> None:
    headers = {"x-api-key": "a-secret-of-the-caller", "x-model-provider": "openai"}
    httpx.get(f"{process.url}/anthropic/v1/files?ids%5B%5D=secret-id", headers=headers, trust_env=False)
    while not (lines := [line for line in process.log.read_text().splitlines() if "/v1/files" in line]):
        time.sleep(0.01)
    [line] = lines
    entry = orjson.loads(line)
    assert (entry["method"], entry["path"], entry["provider"]) == ("GET", "/anthropic/v1/files", "openai")
    assert "secret" not in line


def test_several_workers_share_one_port(sandbox: str, tmp_path: Path) -> None:
    environ = {**environment(sandbox), "BIFROST_SERVE_WORKERS": "2"}
    with in_process(tmp_path, **environ) as process:
        for _ in range(4):
            assert httpx.get(f"{process.url}/v1/files", headers=HEADERS, trust_env=False).status_code == 200


def test_a_port_in_use_is_a_usage_error(process: Process, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    port = process.url.rpartition(":")[2]
    with pytest.raises(AssertionError, match="Choose another --port"), in_process(other, "--port", port):
        pass


def test_the_sandbox_needs_no_key(tmp_path: Path) -> None:
    home = {"PATH": os.environ["PATH"]}
    with in_process(tmp_path, "--sandbox", **home) as process:
        answer = httpx.get(f"{process.url}/readyz", trust_env=False)
    assert answer.json()["status"] == "ready"
