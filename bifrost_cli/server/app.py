"""The routes, each below `/v1` and below `/NAME/v1`, where NAME is the provider whose wire this is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.providers import HOME
from bifrost_cli.server import batches, files, messages, models
from bifrost_cli.server.access import AccessLog
from bifrost_cli.server.gateway import Call, Gateway
from bifrost_cli.server.json import answer
from bifrost_cli.server.outer import Outer

Handler = Callable[[Call], Awaitable[Response]]
BATCHES = "/v1/messages/batches"
HANDLERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/messages", messages.create),
    ("POST", "/v1/messages/count_tokens", messages.count_tokens),
    ("POST", BATCHES, batches.create),
    ("GET", BATCHES, batches.listing),
    ("GET", BATCHES + "/{id}", batches.retrieve),
    ("DELETE", BATCHES + "/{id}", batches.delete),
    ("POST", BATCHES + "/{id}/cancel", batches.cancel),
    ("GET", BATCHES + "/{id}/results", batches.results),
    ("POST", "/v1/files", files.upload),
    ("GET", "/v1/files", files.listing),
    ("GET", "/v1/files/{id}", files.retrieve),
    ("DELETE", "/v1/files/{id}", files.delete),
    ("GET", "/v1/files/{id}/content", files.content),
    ("GET", "/v1/models", models.listing),
    ("GET", "/v1/models/{id:path}", models.retrieve),
)


def create_app(
    bifrost: Bifrost, public_url: str | None = None, *, owns: bool = False, access: AccessLog | None = None
) -> ASGIApp:
    """The gateway over one session, which it closes at its end where it `owns` it. `public_url` is the address that
    callers use, where the calls do not tell; `access` is where calls are logged."""
    gateway = Gateway(bifrost, public_url)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        async with bifrost if owns else nullcontext():
            gateway.background.resume()
            counting = asyncio.ensure_future(gateway.count())
            yield
            await gateway.creates.settle()
            await gateway.background.stop()
            counting.cancel()
            gateway.tenants.flush()

    routes = [
        Route(mount + path, Endpoint(gateway, handler), methods=[method])
        for method, path, handler in HANDLERS
        for mount in (f"/{HOME}", "")
    ]
    routes += [Route("/healthz", _healthy), Route("/readyz", _ready(gateway))]
    return Outer(Router(routes, redirect_slashes=False, lifespan=lifespan), access)


class Endpoint:
    """A handler as an ASGI application. Errors are left to `Outer`."""

    def __init__(self, gateway: Gateway, handler: Handler) -> None:
        self.gateway = gateway
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.handler(await self.gateway.call(Request(scope, receive)))
        await response(scope, receive, send)


async def _healthy(request: Request) -> Response:
    """The process answers."""
    return answer({"status": "ok"})


def _ready(gateway: Gateway) -> Callable[[Request], Awaitable[Response]]:
    async def ready(request: Request) -> Response:
        """At least one provider has what it needs; 503 otherwise."""
        names = gateway.bifrost.configured()
        status = "ready" if names else "no provider is configured"
        return answer({"status": status, "providers": names}, 200 if names else 503)

    return ready
