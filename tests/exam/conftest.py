"""The sandbox servers that the exam runs over, and the subjects that sit it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from bifrost_cli.core import submit
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.sandbox import EMULATORS, background
from tests.clock import Clock
from tests.exam import served
from tests.exam.service import SERVICE
from tests.exam.subject import Subject, Upstream, emulator, keyed

USUAL, SLOW = 1.0, 200_000.0
"""Paces: a batch takes some seconds of the emulator's clock, or more than the days after which it expires."""


@pytest.fixture(autouse=True, scope="session")
def the_clients_of_storage_do_not_pause() -> Iterator[None]:
    """Where a vendor's own client talks to its storage, its pauses are not the transport's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
        yield


@dataclass
class Servers:
    """One sandbox per pace, started when first needed and kept for the session."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    stack: ExitStack = field(default_factory=ExitStack)
    running: dict[float, httpx.Client] = field(default_factory=dict)

    @cached_property
    def gateways(self) -> tuple[str, served.Gateways]:
        return self.stack.enter_context(served.gateways())

    def at(self, pace: float) -> httpx.Client:
        if pace not in self.running:
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(EMULATORS, SERVICE.name, SERVICE)
                state = self.folder / f"pace-{pace}"
                url = self.stack.enter_context(background(state, clock=self.clock, pace=pace))
            client = self.stack.enter_context(httpx.Client(base_url=url, trust_env=False))
            self.running[pace] = client
        return self.running[pace]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("sandbox"))
    with servers.stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(submit, "LOOK_UPS", (0.0, 0.0, 0.0))  # The gateway's own pauses are not the subject's to skip.
        yield servers


def direct(servers: Servers, provider: str, folder: Path, pace: float = USUAL) -> Subject:
    """The adapter right over its own emulator."""
    behind, control = emulator(provider), servers.at(pace)
    url = str(control.base_url).rstrip("/")
    upstream = Upstream(behind.name, url, servers.clock, control)
    environ = {**behind.environment(f"{url}/{behind.name}"), "BIFROST_HOME": str(folder / "home")}
    subject = Subject(provider, upstream, folder, environ)
    subject.environ = keyed(subject.environ, subject.secrets)
    upstream.reset()
    return subject


def through_serve(servers: Servers, provider: str, folder: Path, pace: float = USUAL) -> Subject:
    """The hub's adapter over the gateway, and that over the provider's emulator."""
    behind, control = emulator(provider), servers.at(pace)
    url = str(control.base_url).rstrip("/")
    upstream = Upstream(behind.name, url, servers.clock, control)
    upstream.reset()
    return served.subject(servers.gateways, served.Behind(provider, url, folder), upstream, folder)


ROUTES: dict[str, Callable[..., Subject]] = {"direct": direct, "serve": through_serve}
"""The ways from an adapter to an emulator. Each provider sits the exam on each of them."""


@pytest.fixture(params=[(route, name) for route in ROUTES for name in PROVIDERS], ids="-".join)
def subject(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Subject:
    route, name = request.param
    return ROUTES[route](servers, name, tmp_path)


@pytest.fixture(params=[(route, name) for route in ROUTES for name in PROVIDERS], ids="-".join)
def slow_subject(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Subject:
    """One whose batches expire before they are done."""
    route, name = request.param
    return ROUTES[route](servers, name, tmp_path, SLOW)


@pytest.fixture
def enrol(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Subject]]:
    """Lets an adapter class that is registered nowhere sit the exam, over the reference's own service."""

    def enrolled(kind: str, pace: float = USUAL) -> Subject:
        monkeypatch.setitem(PROVIDERS, SERVICE.name, kind)
        load.cache_clear()
        return direct(servers, SERVICE.name, tmp_path, pace)

    yield enrolled
    monkeypatch.undo()
    load.cache_clear()
