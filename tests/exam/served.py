"""The second route: the hub's own adapter as the client of the gateway, which has the provider behind it.

Callers of the gateway have no accounts of their own. Here each key that an exam uses gets a gateway to itself, whose
provider's keys are made of it, so that tests do not meet, and a key that is wrong is wrong at the provider.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.errors import BifrostError, InvalidRequestError, NetworkError, UpstreamError
from bifrost_cli.providers import HOME, load
from bifrost_cli.providers.base import Capabilities, Provider
from bifrost_cli.server import create_app
from bifrost_cli.server.upstream import gateway_client
from tests.exam.subject import Subject, Upstream, emulator
from tests.gateway import in_thread

HEADERS = "ANTHROPIC_CUSTOM_HEADERS"


@dataclass
class Behind:
    """What a key's gateway has behind it."""

    provider: str
    url: str
    folder: Path

    def environ(self, key: str | None) -> dict[str, str]:
        """The gateway's environment; without a key that it knows, the provider's keys are wrong."""
        service = emulator(self.provider)
        environ = service.environment(f"{self.url}/{service.name}")
        secret = {name for each in load(self.provider).settings if each.secret for name in each.env} & environ.keys()
        suffix = f"-sandbox-{sha256(key.encode()).hexdigest()[:32]}" if key else ""
        keys = {name: f"{environ[name]}{suffix}" if suffix else "wrong" for name in secret}
        return {**environ, **keys, "BIFROST_HOME": str(self.folder / uuid4().hex)}


@dataclass
class Gateways:
    """One application that has a gateway for each key."""

    keys: dict[str, Behind] = field(default_factory=dict)
    apps: dict[tuple[str, str], ASGIApp] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    last: Behind | None = None

    def add(self, key: str, behind: Behind) -> None:
        self.keys[key] = self.last = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            app = await self._app(Headers(scope=scope)["x-api-key"])
            return await app(scope, receive, send)
        async with self.stack:
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})

    async def _app(self, key: str) -> ASGIApp:
        known = next((self.keys[each] for each in self.keys if key.startswith(each)), None)
        behind = known or self.last
        assert behind is not None
        place = (key, behind.url)
        if place not in self.apps:
            environ = behind.environ(key if known else None)
            bifrost = Bifrost(Config(environ=environ), client=gateway_client(trust_env=False))
            self.apps[place] = create_app(await self.stack.enter_async_context(bifrost))
        return self.apps[place]


@contextmanager
def gateways() -> Iterator[tuple[str, Gateways]]:
    """The gateways, and their address."""
    app = Gateways()
    with in_thread(app) as url:
        yield url, app


@dataclass
class Served(Subject):
    """The hub's adapter; what is offered is the provider's, as far as that adapter can ask for it."""

    whole = True

    @property
    def kind(self) -> type[Provider]:
        return load(self.upstream.name)

    @property
    def capabilities(self) -> Capabilities:
        """The gateway's journal knows the batches of all its callers, so it finds one that was lost."""
        offered = self.kind.capabilities
        return replace(offered, purposes=(), batch_from_file=False, returns_input=False, finds_by_tag=True)

    @property
    def secrets(self) -> list[str]:
        names = {name for each in load(HOME).settings if each.secret for name in each.env}
        return sorted((names - {HEADERS}) & self.environ.keys())

    @property
    def refusal(self) -> type[BifrostError]:
        return InvalidRequestError

    def told(self, kind: type[BifrostError]) -> type[BifrostError]:
        return UpstreamError if kind is NetworkError else kind


def subject(gateway: tuple[str, Gateways], behind: Behind, upstream: Upstream, folder: Path) -> Served:
    """The hub's adapter over a gateway of its own."""
    url, app = gateway
    key = f"a-sandbox-{uuid4().hex}"
    app.add(key, behind)
    home = emulator(HOME).environment(url)
    [name] = {name for each in load(HOME).settings if each.name == "api_key" for name in each.env} & home.keys()
    environ = {**home, name: key, HEADERS: f"x-model-provider: {behind.provider}", "BIFROST_HOME": str(folder / "home")}
    return Served(HOME, replace(upstream, url=url), folder, environ)
