"""Serving: the sockets, the processes, and how they end."""

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.errors import UsageError
from bifrost_cli.server.access import AccessLog
from bifrost_cli.server.app import create_app
from bifrost_cli.server.settings import Settings
from bifrost_cli.server.upstream import gateway_client

FACTORY = "bifrost_cli.server.run:app_from_environment"
TRUST, QUIET = "BIFROST_SERVE_TRUST_ENV", "BIFROST_SERVE_QUIET"
"""For the processes of several workers: whether proxies hold, and whether calls are logged."""
COLLECTED_EVERY = 10_000
"""Objects, net, between looks for cycles; a call leaves next to none, and Python's own 700 is every few calls."""
Ready = Callable[[str], object]


def serve(
    config: Config,
    settings: Settings,
    *,
    trust_env: bool = True,
    quiet: bool = False,
    on_ready: Ready = lambda url: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; calls in hand are then ended first, for `settings.drain` seconds.

    `on_ready` is told the address once it answers. Raises UsageError where it cannot be had.
    """
    with _listening(settings) as listener:
        url = _url(listener)
        if settings.workers == 1:
            access = _prepared(quiet)
            app = owned(config, settings.public_url, trust_env=trust_env, access=access)
            _Server(options_of(app, settings), lambda: on_ready(url)).run(sockets=[listener])
        else:
            _serve_in_processes(config, settings, listener, trust_env=trust_env, quiet=quiet, on_ready=on_ready)


def _serve_in_processes(
    config: Config, settings: Settings, listener: socket.socket, *, trust_env: bool, quiet: bool, on_ready: Ready
) -> None:
    """Each worker is a process that finds everything in its environment."""
    from uvicorn.supervisors import Multiprocess

    path = {"BIFROST_CONFIG": str(config.path.absolute())} if config.path else {}
    said = {TRUST: str(int(trust_env)), QUIET: str(int(quiet))}
    os.environ.clear()
    os.environ.update({**config.environ, **path, **settings.environment(), **said})
    options = options_of(FACTORY, settings, factory=True, workers=settings.workers)
    on_ready(_url(listener))
    Multiprocess(options, sockets=[listener]).run()


def app_from_environment() -> ASGIApp:
    """The application of one worker."""
    config = Config.load()
    settings = Settings.load(config)
    access = _prepared(os.environ.get(QUIET) == "1")
    return owned(config, settings.public_url, trust_env=os.environ.get(TRUST) != "0", access=access)


def owned(
    config: Config, public_url: str | None = None, *, trust_env: bool = True, access: AccessLog | None = None
) -> ASGIApp:
    """The application over a session of its own, made in the loop that serves it and closed with it."""
    app: ASGIApp | None = None

    async def serving(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal app
        if scope["type"] == "lifespan":
            bifrost = Bifrost(config, client=gateway_client(trust_env=trust_env))
            app = create_app(bifrost, public_url, owns=True, access=access)
        assert app is not None
        await app(scope, receive, send)

    return serving


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


def options_of(app: Any, settings: Settings, **options: Any) -> uvicorn.Config:
    """How uvicorn serves the gateway."""
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.drain,
        **options,
    )


def _prepared(quiet: bool) -> AccessLog | None:
    """What a process is told before it serves. Gives its access log, on stderr as the gateway's own words are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("bifrost.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING if quiet or name == "uvicorn.error" else logging.INFO)
    gc.freeze()
    gc.set_threshold(COLLECTED_EVERY)
    return None if quiet else AccessLog(sys.stderr)


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer takes 40 ms more.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"The gateway cannot listen at {settings.host}:{settings.port}: {reason}."
            raise UsageError(message, hint="Choose another --port; 0 takes a free one.") from error
        listener.set_inheritable(True)
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
