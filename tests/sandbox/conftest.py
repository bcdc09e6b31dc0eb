"""A sandbox that ends batches at once for most tests, and one whose clock a test moves itself."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from bifrost_cli.sandbox import background


@dataclass
class Clock:
    """A clock that moves when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Clients:
    """The vendors' SDKs, made once since that takes them long, without retries; and plain HTTP."""

    anthropic: anthropic.Anthropic
    openai: openai.OpenAI


@dataclass(frozen=True)
class Sandboxed:
    """A sandbox that is being served, and the key of this test's accounts in it."""

    url: str
    key: str
    clients: Clients

    @contextmanager
    def anthropic(self, key: str | None = None) -> Iterator[anthropic.Anthropic]:
        """Anthropic's SDK pointed at it."""
        yield self.clients.anthropic.with_options(base_url=f"{self.url}/anthropic", api_key=key or self.key)

    @contextmanager
    def openai(self, key: str | None = None) -> Iterator[openai.OpenAI]:
        """OpenAI's SDK pointed at it."""
        yield self.clients.openai.with_options(base_url=f"{self.url}/openai/v1", api_key=key or self.key)

    def http(self, provider: str, key: str | None = None, **headers: str) -> httpx.Client:
        """Plain HTTP for what the SDKs do not let through."""
        key = key or self.key
        sent = {"anthropic": {"x-api-key": key, "anthropic-version": "2023-06-01"}}.get(
            provider, {"authorization": f"Bearer {key}"}
        )
        base_url = f"{self.url}/{provider}/v1"
        return httpx.Client(base_url=base_url, headers={**sent, **headers}, timeout=30, verify=False)


SERVE = """
import pathlib, sys
from bifrost_cli.sandbox import serve
serve("127.0.0.1", 0, pathlib.Path(sys.argv[1]), pace=0, on_ready=lambda url: print(url, flush=True))
"""


@contextmanager
def serving(state: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process that serves a sandbox, and its URL; it does not outlive the test."""
    command = [sys.executable, "-c", SERVE, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.fixture(scope="session")
def process() -> Callable[[Path], AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]:
    return serving


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    with (
        anthropic.Anthropic(base_url="http://127.0.0.1:9", api_key="sandbox", max_retries=0) as claude,
        openai.OpenAI(base_url="http://127.0.0.1:9", api_key="sandbox", max_retries=0) as gpt,
    ):
        yield Clients(claude, gpt)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of this test alone, so that tests share a server and nothing else."""
    return f"sandbox-{sha256(request.node.nodeid.encode()).hexdigest()[:16]}"


@pytest.fixture(scope="session")
def instant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


@pytest.fixture
def instant(instant_url: str, key: str, clients: Clients) -> Sandboxed:
    """A sandbox at pace 0: a batch has ended as soon as it is asked for."""
    return Sandboxed(instant_url, key, clients)


@pytest.fixture(scope="session")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(shared_clock: Clock) -> Clock:
    """The clock of the timed sandbox, turned back for each test; no test sees what others left at a later time."""
    shared_clock.now = Clock.now
    return shared_clock


@pytest.fixture(scope="session")
def timed_url(tmp_path_factory: pytest.TempPathFactory, shared_clock: Clock) -> Iterator[str]:
    with background(tmp_path_factory.mktemp("timed"), clock=shared_clock) as url:
        yield url


@pytest.fixture
def timed(timed_url: str, clock: Clock, key: str, clients: Clients) -> Sandboxed:
    """A sandbox at pace 1 on the tests' own clock."""
    return Sandboxed(timed_url, key, clients)


@pytest.fixture
def claude(instant: Sandboxed) -> Iterator[anthropic.Anthropic]:
    with instant.anthropic() as client:
        yield client


@pytest.fixture
def gpt(instant: Sandboxed) -> Iterator[openai.OpenAI]:
    with instant.openai() as client:
        yield client


@pytest.fixture
def prompt() -> Callable[..., dict[str, object]]:
    """Makes the params of a Messages request."""

    def make(text: str = "What is 2 + 2?", **fields: object) -> dict[str, object]:
        made = {"model": "claude-sonnet-5", "max_tokens": 200, "messages": [{"role": "user", "content": text}]}
        return {**made, **fields}

    return make
