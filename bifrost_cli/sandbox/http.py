"""Serving one vendor's endpoints: whose call it is, its body, its id, and what it answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bifrost_cli.sandbox.account import Account
from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.multipart import Upload, read_upload

MB = 1024 * 1024
_CHUNK = 256 * 1024
_PATIENCE = 0.5


class BodyTooLarge(Exception):
    """A request body that exceeds its limit."""


@dataclass(frozen=True)
class Call:
    """One authenticated request. `now` is its time in unix seconds, `id` what its answer calls it. `body` is read
    for plain functions only."""

    request: Request
    sandbox: Sandbox
    account: Account
    now: float
    id: str
    body: bytes = b""

    @property
    def path(self) -> Mapping[str, str]:
        """The variable parts of the path."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def origin(self) -> str:
        """The address of this emulator as the caller sees it, without a slash at the end."""
        url = self.request.url
        return f"{url.scheme}://{url.netloc}{self.request.scope.get('root_path', '')}"


Endpoint = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]
Authenticate = Callable[[Request], str]


@dataclass(frozen=True)
class Api:
    """Makes a vendor's routes. `authenticate` gives the caller's key or raises the vendor's refusal. A plain
    function gets its body, at most `limit` bytes, and runs in a thread; an async one reads what it needs."""

    sandbox: Sandbox
    provider: str
    authenticate: Authenticate
    limit: int = 32 * MB

    def route(self, method: str, path: str, function: Endpoint) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._serve(request, function)

        return Route(path, endpoint, methods=[method])

    async def _serve(self, request: Request, function: Endpoint) -> Response:
        account = Account(self.sandbox.store, self.provider, self.authenticate(request))
        call = Call(request, self.sandbox, account, self.sandbox.clock(), request.state.request_id)
        if iscoroutinefunction(function):
            return await function(call)  # type: ignore[no-any-return]
        body = await read_body(request, self.limit)
        return await run_in_threadpool(function, replace(call, body=body))  # type: ignore[arg-type]


async def limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes in. Raises BodyTooLarge as soon as it is clear."""
    announced = request.headers.get("content-length", "0")
    size = 0
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        yield chunk


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge."""
    return b"".join([chunk async for chunk in limited(request, limit)])


async def spool_body(request: Request, sink: BinaryIO, limit: int) -> None:
    """Writes the body to a file. Raises BodyTooLarge."""
    async for chunk in limited(request, limit):
        sink.write(chunk)
    sink.flush()


async def receive_upload(request: Request, content: Path, limit: int) -> Upload:
    """Reads a multipart upload, its file of at most `limit` bytes going to `content`. Raises MultipartError and
    BodyTooLarge."""
    with content.open("wb") as sink:
        form = await read_upload(request.headers.get("content-type"), limited(request, limit + MB), sink)
    if form.size > limit:
        raise BodyTooLarge
    return form


def download(path: Path, headers: Mapping[str, str]) -> Response:
    """A file's bytes, streamed, with their length announced."""

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    return StreamingResponse(chunks(), headers={**headers, "content-length": str(path.stat().st_size)})


def stream(lines: Iterable[bytes], headers: Mapping[str, str]) -> Response:
    """Lines of unknown total length, sent in chunks of some size."""

    def chunks() -> Iterator[bytes]:
        waiting = bytearray()
        for line in lines:
            waiting += line
            if len(waiting) >= _CHUNK:
                yield bytes(waiting)
                waiting.clear()
        yield bytes(waiting)

    return StreamingResponse(chunks(), headers=dict(headers))


class Body:
    """A request's body on its way in; `whole` once all of it has been read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.whole = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads the rest, so that a client that is still sending gets to see the answer. Gives up on one that has
        stopped."""
        while not self.whole:
            try:
                await asyncio.wait_for(self(), _PATIENCE)
            except TimeoutError:
                return


async def drain(receive: Receive) -> None:
    """Reads a body that nobody wants to its end."""
    await Body(receive).drain()


class Stamped:
    """Gives each request of an API an id and each answer the headers that the vendor puts on all of them."""

    def __init__(
        self, app: ASGIApp, new_id: Callable[[], str], headers: Callable[[str, int], Mapping[str, str]]
    ) -> None:
        self._app = app
        self._new_id = new_id
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id, body = self._new_id(), Body(receive)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.drain()
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(self._headers(request_id, message["status"]))
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, body, stamped)
