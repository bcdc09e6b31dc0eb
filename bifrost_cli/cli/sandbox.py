"""`bifrost sandbox`: the emulators as a server, for other tools and for tests."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bifrost_cli.cli.session import Session, with_session
from bifrost_cli.errors import UsageError

if TYPE_CHECKING:
    from bifrost_cli.config import Config

app = typer.Typer(
    no_args_is_help=True, help="The providers' emulators: for practice, demos and tests. No key, no network, no cost."
)
CODES = "Exit codes: 0 done, 2 usage."
PORT = 8088
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The port to listen at; 0 takes a free one.")]


@app.command(
    "serve",
    epilog="Example: bifrost sandbox serve --port 8088\n\nExit codes: 0 ended by Ctrl-C or SIGTERM, 2 usage.",
)
@with_session(provider=False)
def serve(*, session: Session, host: Host = "127.0.0.1", port: Port = PORT) -> None:
    """Serve the emulators until Ctrl-C, for any vendor's SDK."""
    from bifrost_cli.cli import render
    from bifrost_cli.sandbox import server

    screen = render.Screen(json=session.json, quiet=session.quiet)

    def ready(url: str) -> None:
        screen.say(f'The sandbox is at {url}. Point a shell at it: eval "$(bifrost sandbox env --url {url})"')
        if session.json or session.quiet:
            screen.line({"id": url, "url": url})

    with usage_errors(), suppress(KeyboardInterrupt):
        server.serve(host, port, state_of(session), on_ready=ready, **server.settings_from())


@app.command("env", epilog=f'Example: eval "$(bifrost sandbox env --port 8088)"\n\n{CODES}')
@with_session(provider=False)
def env(
    *,
    session: Session,
    host: Host = "127.0.0.1",
    port: Port = PORT,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The sandbox's whole URL, instead of host and port.")
    ] = None,
) -> None:
    """Print the exports that point any vendor's SDK, or this tool, at `sandbox serve`."""
    from bifrost_cli.cli import render
    from bifrost_cli.sandbox import environment

    variables = environment(url or f"http://{host}:{port}")
    render.Screen(json=session.json, quiet=session.quiet).exports(variables)


@app.command("reset", epilog=f"Example: bifrost sandbox reset\n\n{CODES}")
@with_session(provider=False)
def reset(*, session: Session) -> None:
    """Forget every file and batch of the sandbox."""
    from bifrost_cli.cli import render
    from bifrost_cli.sandbox import server

    server.reset(state_of(session))
    render.Screen(json=session.json, quiet=session.quiet).say("The sandbox is empty.")


@contextmanager
def emulated(config: "Config") -> "Iterator[Config]":
    """The emulators on loopback, and a configuration that points at them and at nothing else.

    Keys, addresses and headers of the real providers are left out of it.
    """
    from dataclasses import replace

    from bifrost_cli.config import state_folder
    from bifrost_cli.providers import PROVIDERS, load
    from bifrost_cli.sandbox import environment, server

    declared = {variable for name in PROVIDERS for setting in load(name).settings for variable in setting.env}
    real = {variable for variable in declared if not variable.startswith("BIFROST_")}
    kept = {name: value for name, value in config.environ.items() if name not in real}
    tables = {name: value for name, value in config.tables.items() if name not in PROVIDERS}
    with usage_errors():
        settings = server.settings_from(config.environ)
    with server.background(state_folder(config.environ) / "sandbox", **settings) as url:
        yield replace(config, environ=kept | environment(url), tables=tables, place="sandbox")


def state_of(session: Session) -> Path:
    """Where the sandbox of this user keeps its state."""
    from bifrost_cli.config import Config, state_folder

    return state_folder(Config.load(session.config).environ) / "sandbox"


@contextmanager
def usage_errors() -> Iterator[None]:
    """What is wrong with the sandbox's settings or address, as an error of the tree."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"The sandbox cannot listen there: {reason}.", hint="Try --port 0.") from error
