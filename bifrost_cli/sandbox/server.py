"""Serving the sandbox: in the foreground, or in a thread beside what uses it."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bifrost_cli.sandbox.app import create_app, parse_faults
from bifrost_cli.sandbox.faults import Fault, FaultSyntaxError
from bifrost_cli.sandbox.faulty import TRANSPORT
from bifrost_cli.sandbox.store import Store

LOOPBACK = "127.0.0.1"
THREAD = "bifrost-sandbox"
_START_SECONDS = 30
_DRAIN_SECONDS = 1


class Settings(TypedDict, total=False):
    """What may be set for a sandbox; see `create_app`."""

    clock: Callable[[], float]
    pace: float
    faults: list[Fault]
    enqueued_tokens: int | None


def settings_from(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings in BIFROST_SANDBOX_PACE (a number) and BIFROST_SANDBOX_FAULTS (see `faults`); those that are
    absent are left out. Nothing else in the sandbox reads the environment. Raises ValueError naming the variable."""
    settings = Settings()
    if pace := variables.get("BIFROST_SANDBOX_PACE"):
        settings["pace"] = _pace(pace)
    if faults := variables.get("BIFROST_SANDBOX_FAULTS"):
        settings["faults"] = _faults(faults)
    return settings


def _faults(text: str) -> list[Fault]:
    try:
        return parse_faults(text)
    except FaultSyntaxError as error:
        raise FaultSyntaxError(f"BIFROST_SANDBOX_FAULTS: {error}") from None


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = -1.0
    if not 0 <= pace < float("inf"):
        raise ValueError(f"BIFROST_SANDBOX_PACE is {text!r}; expected a number of 0 or more")
    return pace


def serve(
    host: str,
    port: int,
    state: Path,
    *,
    on_ready: Callable[[str], None] = lambda url: None,
    **settings: Unpack[Settings],
) -> None:
    """Serves the sandbox until interrupted. `on_ready` is called with its URL once it answers; port 0 takes a free
    one. Raises OSError when the address cannot be had."""
    with _listening(host, port) as listener:
        _Server(create_app(state, **settings), lambda: on_ready(_url(listener))).run(sockets=[listener])


@contextmanager
def background(state: Path, **settings: Unpack[Settings]) -> Iterator[str]:
    """Serves the sandbox in a thread on a free loopback port and gives its URL; stops it at the end."""
    ready = threading.Event()
    with _listening(LOOPBACK, 0) as listener:
        server = _Server(create_app(state, **settings), ready.set)
        thread = threading.Thread(target=server.run, args=([listener],), name=THREAD, daemon=True)
        thread.start()
        try:
            if not ready.wait(_START_SECONDS):
                raise RuntimeError("the sandbox did not start")
            yield _url(listener)
        finally:
            server.stop()
            thread.join()


def reset(state: Path) -> None:
    """Forgets all accounts, files, batches and counts in `state`, also under servers that are running over it."""
    if not state.exists():
        return
    store = Store(state)
    try:
        store.clear()
    finally:
        store.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms more.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """A server that says when it answers, and can be stopped from another thread at once."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=_Protocol,
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    def stop(self) -> None:
        """Asks the server to stop; it does within a tenth of a second when idle."""
        self.should_exit = True


class _Protocol(H11Protocol):
    """Hands each request's connection to the application, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), TRANSPORT: transport}
            await app(scope, receive, send)

        self.app = with_transport
