"""The gateway in a thread of the test's own process, or in a process of its own, over a sandbox."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from bifrost_cli.config import Config
from bifrost_cli.server import Settings
from bifrost_cli.server.run import options_of, owned

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def in_thread(app: ASGIApp) -> Iterator[str]:
    """Serves `app` as `bifrost serve` would, and gives its address."""
    server = uvicorn.Server(options_of(app, Settings(drain=1)))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def over(environ: dict[str, str], **options: str) -> Iterator[str]:
    """The gateway with this environment alone, in a thread."""
    with in_thread(owned(Config(environ=environ), options.get("public_url"), trust_env=False)) as url:
        yield url


@dataclass
class Process:
    """`bifrost serve` as a process."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def peak(self) -> int:
        """The most memory that it has had, in bytes."""
        return self._memory("VmHWM")

    def memory(self) -> int:
        """The memory that it has now, in bytes."""
        return self._memory("VmRSS")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


@contextmanager
def in_process(folder: Path, *arguments: str, **environ: str) -> Iterator[Process]:
    """`bifrost serve ARGUMENTS` on a free port, ended by SIGTERM."""
    log = folder / "serve.log"
    command = [sys.executable, "-c", "from bifrost_cli.cli.app import main; main()", "serve", "--port", "0", *arguments]
    given = {**os.environ, "BIFROST_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", **environ}
    with log.open("w") as out, subprocess.Popen(command, stderr=out, cwd=ROOT, env=given, text=True) as process:
        try:
            yield Process(_address(log, process), process, log)
        finally:
            process.terminate()
            process.wait(20)


def _address(log: Path, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = re.search(r"http://[\w.:]+", log.read_text())
        if found and _answers(found[0]):
            return found[0]
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    raise AssertionError("the gateway does not answer")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
