"""Wraps an emulator so that faults happen to it, and notes what was served."""

import asyncio
from asyncio import Transport
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bifrost_cli.sandbox.emulator import Emulator, LogEntry, Sandbox
from bifrost_cli.sandbox.faults import Fault
from bifrost_cli.sandbox.http import drain

TRANSPORT = "bifrost.transport"
"""The ASGI extension in which our server hands over the connection, so that a fault can break it."""

_PIECES = 20


class Faulty:
    """An emulator's API with the sandbox's faults and log around it."""

    def __init__(self, emulator: Emulator, sandbox: Sandbox) -> None:
        self._emulator = emulator
        self._sandbox = sandbox
        self._app = emulator.app(sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        entry = LogEntry(self._emulator.name, scope["method"], path, None, self._sandbox.clock())
        self._sandbox.log.append(entry)
        fault = self._sandbox.faults.take(self._emulator.name, scope["method"], path)
        app = self._app if fault is None else self._refusing(fault) if fault.status else self._broken(fault)
        await app(scope, receive, _Watched(send, entry))

    def _refusing(self, fault: Fault) -> ASGIApp:
        async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
            await drain(receive)
            await self._emulator.failure(fault.status or 500, fault.seconds)(scope, receive, send)

        return refusing

    def _broken(self, fault: Fault) -> ASGIApp:
        behaviours: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
            "reset-before": _reset,
            "reset-after": self._reset_after,
            "cut": self._cut,
            "slow": self._slow(fault.seconds),
        }
        return behaviours[fault.kind]

    async def _reset_after(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def discard(message: Message) -> None:
            """The answer goes nowhere."""

        await self._app(scope, receive, discard)
        await _reset(scope, receive, send)

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        half = _Half(send)
        try:
            await self._app(scope, receive, half)
        except _CutError:
            _transport(scope).close()
        await _gone(receive)

    def _slow(self, seconds: float) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, _Slow(send, seconds))

        return slow


class _Watched:
    """Notes the status that is sent."""

    def __init__(self, send: Send, entry: LogEntry) -> None:
        self._send = send
        self._entry = entry

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._entry.status = message["status"]
        await self._send(message)


class _CutError(Exception):
    """Half of the body is out."""


class _Half:
    """Sends about half of a body: of what was announced, or else of the first piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._left: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            lengths = [value for name, value in message["headers"] if name == b"content-length"]
            self._left = int(lengths[0]) // 2 if lengths else None
            await self._send(message)
            return
        body = message.get("body", b"")
        left = len(body) // 2 if self._left is None and body else self._left or 0
        await self._send({**message, "body": body[:left], "more_body": True})
        self._left = left - len(body)
        if self._left <= 0:
            raise _CutError


class _Slow:
    """Sends the beginning of a body in small pieces with pauses between them, then the rest as it comes."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._pieces = _PIECES

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        size = max(1, len(body) // _PIECES)
        while body and self._pieces > 0:
            self._pieces -= 1
            await self._send({"type": message["type"], "body": body[:size], "more_body": True})
            await asyncio.sleep(self._seconds)
            body = body[size:]
        await self._send(message if message["type"] == "http.response.start" else {**message, "body": body})


async def _reset(scope: Scope, receive: Receive, send: Send) -> None:
    _transport(scope).abort()
    await _gone(receive)


def _transport(scope: Scope) -> Transport:
    transport: Transport | None = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise RuntimeError("this fault breaks connections, which only the sandbox's own server can do")
    return transport


async def _gone(receive: Receive) -> None:
    """Waits until the server has noticed that the connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass
