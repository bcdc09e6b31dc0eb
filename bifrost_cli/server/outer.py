"""What surrounds every call: its id, its line in the access log, and the answer to what goes wrong."""

import logging
import time
from random import getrandbits

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers import PROVIDERS
from bifrost_cli.server import errors
from bifrost_cli.server.access import AccessLog
from bifrost_cli.server.errors import Refusal

LOG = logging.getLogger("bifrost.serve")
LEFT = 499
"""What the log says of a call whose caller left before it was answered."""


class Outer:
    """Around the routes. Every answer carries `request-id`; `access` is told of every call."""

    def __init__(self, app: ASGIApp, access: AccessLog | None) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope["app"] = self  # With it the router raises what it cannot route, rather than answering.
        call = Served(scope, send)
        try:
            await self.app(scope, receive, call.send)
        except Exception as error:
            await call.fail(error, receive)
        finally:
            if self.access:
                self.access.add(call.line())


class Served:
    """One call on its way."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.given = send
        self.id = f"req_{getrandbits(96):024x}"  # No secret.
        self.status: int | None = None
        self.sent = 0
        self.began = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"request-id", self.id.encode())]
        else:
            self.sent += len(message.get("body", b""))
        await self.given(message)

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Answer an error; what is half sent is broken off, and a caller who left gets nothing."""
        if isinstance(error, ClientDisconnect):
            self.status = self.status or LEFT
            return
        if self.status is not None:
            LOG.error("%s broke off: %s", self.id, errors.for_callers(str(error)))
            raise Broken from error
        known = self._known(error)
        if known is None:
            LOG.exception("%s failed", self.id, exc_info=error)
            known = BifrostError("The gateway failed.", hint=f"Its log says more of {self.id}.")
        await errors.response(known, self.id)(self.scope, receive, self.send)

    def _known(self, error: Exception) -> BifrostError | None:
        if isinstance(error, HTTPException):
            return _no_route(error.status_code, self.scope)
        return error if isinstance(error, BifrostError) else None

    def line(self) -> str:
        """What the access log says, as JSON: no header, no query, no body."""
        client = self.scope.get("client")
        return orjson.dumps(
            {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "id": self.id,
                "client": client[0] if client else None,
                "key": self.scope["state"].get("key"),
                "method": self.scope["method"],
                "path": self.scope["path"],
                "provider": _provider(self.scope),
                "status": self.status,
                "bytes": self.sent,
                "ms": round((time.perf_counter() - self.began) * 1000, 1),
            }
        ).decode()


class Broken(Exception):
    """Tells the server to break the connection off."""


def _no_route(status: int, scope: Scope) -> BifrostError:
    method, path = scope["method"], scope["path"][:200]
    if status == 404:
        return Refusal(404, f"Not Found: nothing is served at {path}", "not_found_error")
    return Refusal(status, f"Method Not Allowed: {method} {path}")


def _provider(scope: Scope) -> str | None:
    """The provider that a call names. Whatever else is in its place may be a secret."""
    value = next((value for key, value in scope["headers"] if key == b"x-model-provider"), b"")
    name = value.decode("latin-1").strip().lower()
    return name if name in PROVIDERS else None
