"""The root command, and the one place where errors become messages and exit codes."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from bifrost_cli import __version__
from bifrost_cli.cli.session import INTERRUPTED, Session
from bifrost_cli.errors import BifrostError, UsageError

COLLECTED = (200_000, 20, 20)
"""Most of a short run is imports, which leave nothing to collect, and are a tenth faster unlooked at."""
UNUSED = "httpx._main"
"""httpx's own command line, for which it would import click and half of rich: a tenth of a short run."""
NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""pydantic would look for plugins of its own in all that is installed: a twentieth of a short run."""
NOUNS = ("providers", "serve", "files", "batch", "keys", "sandbox")


class Nouns(Mapping[str, Any]):
    """The command or group of each noun, made when it is first asked for: a run needs one of them."""

    def __getitem__(self, name: str) -> Any:
        if name not in NOUNS:
            raise KeyError(name)
        return _noun(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NOUNS)

    def __len__(self) -> int:
        return len(NOUNS)


@cache
def _noun(name: str) -> Any:
    module, holder = import_module(f"bifrost_cli.cli.{name}"), typer.Typer(rich_markup_mode="rich")
    holder.callback()(lambda: None)  # With a callback it is a group, whatever is in it.
    if hasattr(module, "app"):
        holder.add_typer(module.app, name=name)
    else:
        holder.command(name, epilog=module.EPILOG)(getattr(module, name))
    return get_group(holder).commands[name]


class Root(TyperGroup):
    """Catches what any nested command raises."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Nouns()  # type: ignore[assignment]

    def invoke(self, ctx: Any) -> Any:
        session = ctx.obj = Session(json="--json" in ctx.args)  # Known before the command's own options are read.
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # What the interpreter could not flush at its own end would be exit 120.
        except BrokenPipeError:
            _abandon_broken()  # Whoever read it has seen enough (`| head`).
        except BifrostError as error:
            _fail(session, error)
        except OSError as error:
            _abandon_broken()
            _fail(session, _from_system(error))
        except typer.TyperException as error:
            if not session.json:
                raise
            _fail(session, UsageError(error.format_message()))
        except KeyboardInterrupt:
            _interrupted(session)
        return None


app = typer.Typer(
    name="bifrost",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="One tool for the Files and Batch APIs of every LLM provider.",
    epilog="Try it without a key: bifrost batch create samples/requests.jsonl -p openai --sandbox --wait -o out.jsonl",
)


def show_version(asked: bool) -> None:
    """The callback of --version."""
    if asked:
        typer.echo(f"bifrost {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=show_version)
    ] = False,
) -> None:
    """One tool for the Files and Batch APIs of every LLM provider."""


def main() -> None:
    """The console script."""
    gc.set_threshold(*COLLECTED)
    atexit.register(gc.freeze)  # Nor is what is left at the end looked through, which would take longer than the rest.
    sys.modules[UNUSED] = ModuleType(UNUSED)
    os.environ.setdefault(*NO_PLUGINS)
    has_stdout = sys.stdout is not None
    _open_closed()
    if not has_stdout:
        _without_stdout()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # As Ctrl-C: nothing is left half written.
    app()


def _open_closed() -> None:
    # What the shell has closed (`>&-`) is None, and the next file or connection would take its number.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _without_stdout() -> None:
    from bifrost_cli.cli import render

    error = UsageError("stdout is closed.", hint="Give it a place, if only /dev/null.")
    render.error(error, as_json="--json" in sys.argv)
    sys.exit(error.exit_code)


def _from_system(error: OSError) -> UsageError:
    # What has no place of its own: a full disk behind stdout, a temporary folder that is gone.
    return UsageError(f"{error.filename or 'The output'}: {error.strerror or error}.")


def _fail(session: Session, error: BifrostError) -> None:
    from bifrost_cli.cli import render

    if session.debug:
        import traceback

        traceback.print_exc()
    session.advise(error)
    render.error(error, as_json=session.json)
    raise typer.Exit(error.exit_code) from None


def _interrupted(session: Session) -> None:
    from bifrost_cli.cli import render

    render.interrupted(session.resume)
    raise typer.Exit(INTERRUPTED) from None


def _abandon_broken() -> None:
    # What is still buffered for a reader that has left, or for a full disk, would fail again at exit.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
