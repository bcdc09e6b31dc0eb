"""Processes that are measured: commands that run to their end, and servers."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
BIFROST = str(BIN / "bifrost")
TICKS = os.sysconf("SC_CLK_TCK")
PEAK = """
import atexit, re, sys
from pathlib import Path
from bifrost_cli.cli.app import main
place = Path(sys.argv.pop(1))
status = Path("/proc/self/status")
atexit.register(lambda: place.write_text(re.search("VmHWM:[^0-9]+([0-9]+)", status.read_text())[1]))
main()
"""
"""The command line, which notes at its end the most memory that it had. (What wait4 says of a child begins with what
its parent had.)"""


def environment(home: Path, upstream: str = "") -> dict[str, str]:
    """What the user's own has, without their keys; every provider is at `upstream`."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    there = {
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": f"{upstream}/v1",
        "BIFROST_OPENAI_ENDPOINT": "auto",
    }
    return {**kept, "BIFROST_HOME": str(home), **(there if upstream else {})}


class Command:
    """A command to be measured; `cpu` collects the processor seconds of its runs."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.command, self.environ = command, environ
        self.cpu: list[float] = []

    def seconds(self) -> float:
        """Run it: the time it took."""
        start, before = time.perf_counter(), _cpu_of_children()
        run(self.command, self.environ)
        self.cpu.append(_cpu_of_children() - before)
        return time.perf_counter() - start


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: list[str], environ: dict[str, str]) -> str:
    """What it prints. Raises where it fails."""
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]}: exit {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


class Peak(NamedTuple):
    """A run of the command line: what it printed, its seconds, those of the processor, and the most memory it had, in
    bytes."""

    said: str
    seconds: float
    cpu: float
    memory: float


def peak_of(arguments: list[str], environ: dict[str, str], folder: Path) -> Peak:
    """Run `bifrost ARGUMENTS`."""
    place = folder / "peak"
    start, before = time.perf_counter(), _cpu_of_children()
    said = run([sys.executable, "-c", PEAK, str(place), *arguments], environ)
    seconds, cpu = time.perf_counter() - start, _cpu_of_children() - before
    return Peak(said, seconds, cpu, int(place.read_text()) * 1024.0)


@dataclass
class Server:
    """A server as a process; with several workers, all of its processes."""

    url: str
    pid: int
    started_in: float

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(_cpu(pid) for pid in _family(self.pid))

    def memory(self) -> float:
        """Bytes that it has now."""
        return sum(_memory(pid, "VmRSS") for pid in _family(self.pid))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024.0 if found else 0.0


@contextmanager
def serving(command: list[str], environ: dict[str, str], folder: Path) -> Iterator[Server]:
    """The server that `command` with `--port N` starts, once it answers, until SIGTERM."""
    port = _free_port()
    start = time.perf_counter()
    with (folder / f"server-{port}.log").open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environ, stdout=log, stderr=log)
        try:
            _await(port, process, log.name)
            yield Server(f"http://127.0.0.1:{port}", process.pid, time.perf_counter() - start)
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await(port: int, process: subprocess.Popen[bytes], log: str) -> None:
    """Until it answers a request: several workers share a socket that takes connections before any of them serves."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
                if connection.recv(1024):
                    return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"a server does not answer: {Path(log).read_text()[-2000:]}")


def upstream(folder: Path) -> Any:
    """The provider on loopback."""
    (folder / "upstream").mkdir(exist_ok=True)
    command = [sys.executable, str(HERE / "upstream.py"), "--folder", str(folder / "upstream")]
    return serving(command, environment(folder), folder)


def gateway(folder: Path, upstream: str, *arguments: str, home: Path | None = None) -> Any:
    """`bifrost serve` over that provider, quiet."""
    home = home or folder / f"home-{time.monotonic_ns()}"
    return serving([BIFROST, "serve", "--quiet", *arguments], environment(home, upstream), folder)


def forwarder(folder: Path, upstream: str) -> Any:
    """The bare forwarder over that provider."""
    command = [sys.executable, str(HERE / "forwarder.py"), "--upstream", upstream, "--folder", str(folder)]
    return serving(command, environment(folder), folder)


@dataclass(frozen=True)
class Load:
    """Calls of one kind: `body` is sent as it is, but for `@@@@@@@@`, which becomes another number in each call."""

    path: str
    body: bytes
    calls: int
    concurrency: int = 16
    key: str = "any"

    def put(self, server: Server, folder: Path) -> "Outcome":
        """Make these calls, from a process of its own."""
        place = folder / "body"
        place.write_bytes(self.body)
        numbers = ["--calls", str(self.calls), "--concurrency", str(self.concurrency), "--key", self.key]
        command = [sys.executable, str(HERE / "caller.py"), server.url + self.path, str(place), *numbers]
        before = server.cpu()
        said = json.loads(run(command, environment(folder)))
        return Outcome(said["seconds"], said["first"], (server.cpu() - before) / self.calls)


@dataclass(frozen=True)
class Outcome:
    """Of a load: seconds for all, seconds until an answer's body began in each call, processor seconds of a call."""

    seconds: float
    first: list[float]
    cpu: float
