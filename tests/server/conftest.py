"""A sandbox at one pace, and the gateway over it, both for the session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import anthropic
import httpx
import pytest

from bifrost_cli.core.database import Database
from bifrost_cli.core.tenants import Tenants
from bifrost_cli.sandbox import background, environment
from tests import gateway

PACE = 0.02
MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-4o-mini",
    "gemini": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-3-sonnet-20240229-v1:0",
}
CHOSEN = {"BIFROST_BEDROCK_SMALL_BATCH": "sync"}
"""A batch of two requests is below what Bedrock takes."""


@dataclass(frozen=True)
class Served:
    """A gateway, and the sandbox behind it."""

    url: str
    sandbox: str
    key: str = "any-dummy-key"
    opened: list[anthropic.Anthropic | httpx.Client] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"{self.url}/anthropic"

    def sdk(self, provider: str | None = None, **options: object) -> anthropic.Anthropic:
        """Anthropic's SDK, without retries unless asked."""
        headers = {"x-model-provider": provider} if provider else {}
        given = {"max_retries": 0, "api_key": self.key, "default_headers": headers, **options}
        sdk = anthropic.Anthropic(base_url=self.base, **given)  # type: ignore[arg-type]
        self.opened.append(sdk)
        return sdk

    def close(self) -> None:
        """Close what was opened."""
        while self.opened:
            self.opened.pop().close()

    def http(self, provider: str | None = None, **headers: str) -> httpx.Client:
        """Plain HTTP for what an SDK does not let through."""
        given = {"x-api-key": self.key, "anthropic-version": "2023-06-01", **headers}
        named = given | ({"x-model-provider": provider} if provider else {})
        http = httpx.Client(base_url=self.base, headers=named, trust_env=False, timeout=30)
        self.opened.append(http)
        return http

    def fault(self, text: str) -> None:
        """See the sandbox's faults."""
        httpx.post(f"{self.sandbox}/_sandbox/faults", json=text, trust_env=False).raise_for_status()

    def created(self, provider: str) -> int:
        """How many batches there are at a provider, ever."""
        counts = httpx.get(f"{self.sandbox}/_sandbox/counts", trust_env=False).json()
        return int(counts.get(provider, {}).get("batches", 0))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with background(tmp_path_factory.mktemp("sandbox"), pace=PACE) as url:
        yield url


@pytest.fixture(scope="session")
def shared(sandbox: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One gateway for all tests that do not mind each other."""
    home = str(tmp_path_factory.mktemp("gateway"))
    with gateway.over({**environment(sandbox), **CHOSEN, "BIFROST_HOME": home}) as url:
        yield Served(url, sandbox)


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    yield shared
    shared.close()
    httpx.delete(f"{shared.sandbox}/_sandbox/faults", trust_env=False)


@dataclass(frozen=True)
class Keyed:
    """A gateway that lets in its own keys only."""

    url: str
    sandbox: str
    home: Path
    opened: list[Served] = field(default_factory=list)

    @property
    def tenants(self) -> Tenants:
        return Tenants(Database(self.home))

    def holder(self, **rules: Any) -> Served:
        """Who has a key of these rules, made while the gateway runs."""
        _, secret = self.tenants.create(f"k{uuid4().hex[:8]}", **rules)
        self.opened.append(Served(self.url, self.sandbox, secret))
        return self.opened[-1]

    def asked(self) -> list[str]:
        """What the providers have been asked, ever."""
        log = httpx.get(f"{self.sandbox}/_sandbox/log", trust_env=False).json()
        return [f"{each['method']} {each['path']}" for each in log]


@pytest.fixture(scope="session")
def keyed_gateway(sandbox: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    home = tmp_path_factory.mktemp("keyed")
    with gateway.over({**environment(sandbox), **CHOSEN, "BIFROST_HOME": str(home)}) as url:
        keyed = Keyed(url, sandbox, home)
        keyed.holder()
        yield keyed


@pytest.fixture
def keyed(keyed_gateway: Keyed) -> Iterator[Keyed]:
    yield keyed_gateway
    while keyed_gateway.opened:
        keyed_gateway.opened.pop().close()


@pytest.fixture
def gateway_over(tmp_path: Path) -> Callable[..., object]:
    """A gateway of a test's own, over any server: `with gateway_over(ANTHROPIC_BASE_URL=url) as served`."""

    @contextmanager
    def made(public_url: str | None = None, **environ: str) -> Iterator[Served]:
        keys = {"ANTHROPIC_API_KEY": "the-gateways-own-key", "OPENAI_API_KEY": "the-gateways-own-key"}
        options = {"public_url": public_url} if public_url else {}
        with gateway.over({**keys, **environ, "BIFROST_HOME": str(tmp_path / uuid4().hex)}, **options) as url:
            served = Served(url, "")
            yield served
            served.close()

    return made
