"""`bifrost serve`: the gateway for Anthropic's SDKs."""

from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Annotated

import typer

from bifrost_cli.cli.session import Session, sandboxed, with_session

EPILOG = "Example: bifrost serve --sandbox\n\nExit codes: 0 ended by Ctrl-C or SIGTERM, 2 usage, 3 configuration."


@with_session()
def serve(
    *,
    session: Session,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Listen here; 127.0.0.1. [BIFROST_SERVE_HOST]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="PORT", help="8080; 0 takes a free one. [BIFROST_SERVE_PORT]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; 1. [BIFROST_SERVE_WORKERS]")
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The address that callers use, if it is another. [BIFROST_SERVE_PUBLIC_URL]"),
    ] = None,
    drain: Annotated[
        int | None,
        typer.Option(min=0, metavar="SECONDS", help="For calls to end after SIGTERM; 30. [BIFROST_SERVE_DRAIN]"),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Listen beyond loopback. Anyone may use the keys. [BIFROST_SERVE_INSECURE]"),
    ] = False,
) -> None:
    """Serve Anthropic's Files, Batch and Messages APIs over every provider, for any Anthropic SDK.

    Point the SDK at it: anthropic.Anthropic(base_url="http://localhost:8080/anthropic", api_key="any").
    """
    from bifrost_cli.cli import render
    from bifrost_cli.config import Config
    from bifrost_cli.server import Settings
    from bifrost_cli.server import serve as run

    given = {"host": host, "port": port, "workers": workers, "public_url": public_url, "drain": drain}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    config = Config.load(session.config, flags=flags | ({"insecure": "1"} if insecure else {}))
    settings = Settings.load(config)
    screen = render.Screen(json=session.json, quiet=session.quiet)

    def ready(url: str) -> None:
        screen.say(f"The gateway is at {url}/anthropic. Stop it with Ctrl-C.")
        if session.json or session.quiet:
            screen.line({"id": url, "url": url})

    if session.provider:
        config = replace(config, environ={**config.environ, "BIFROST_PROVIDER": session.provider})
    with sandboxed(config) if session.sandbox else nullcontext(config) as config, suppress(KeyboardInterrupt):
        run(config, settings, trust_env=not session.sandbox, quiet=session.quiet, on_ready=ready)
