"""A sandbox that ends batches at once for most tests, and one whose clock a test moves itself."""

from collections.abc import Callable, Iterator
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
class Sandboxed:
    """A sandbox that is being served, and the key of this test's accounts in it."""

    url: str
    key: str

    def anthropic(self, key: str | None = None, **options: object) -> anthropic.Anthropic:
        """Anthropic's SDK pointed at it, without retries."""
        options = {"max_retries": 0, **options}
        return anthropic.Anthropic(base_url=f"{self.url}/anthropic", api_key=key or self.key, **options)  # type: ignore[arg-type]

    def openai(self, key: str | None = None) -> openai.OpenAI:
        """OpenAI's SDK pointed at it, without retries."""
        return openai.OpenAI(base_url=f"{self.url}/openai/v1", api_key=key or self.key, max_retries=0)

    def http(self, provider: str, key: str | None = None, **headers: str) -> httpx.Client:
        """Plain HTTP for what the SDKs do not let through."""
        key = key or self.key
        sent = {"anthropic": {"x-api-key": key, "anthropic-version": "2023-06-01"}}.get(
            provider, {"authorization": f"Bearer {key}"}
        )
        return httpx.Client(base_url=f"{self.url}/{provider}/v1", headers={**sent, **headers}, timeout=30)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of this test alone, so that tests share a server and nothing else."""
    return f"sandbox-{sha256(request.node.nodeid.encode()).hexdigest()[:16]}"


@pytest.fixture(scope="session")
def instant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


@pytest.fixture
def instant(instant_url: str, key: str) -> Sandboxed:
    """A sandbox at pace 0: a batch has ended as soon as it is asked for."""
    return Sandboxed(instant_url, key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(tmp_path: Path, key: str, clock: Clock) -> Iterator[Sandboxed]:
    """A sandbox at pace 1 on the test's own clock."""
    with background(tmp_path / "state", clock=clock) as url:
        yield Sandboxed(url, key)


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
