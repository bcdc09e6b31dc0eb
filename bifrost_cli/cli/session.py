"""The options that every command takes, and what they make of a run."""

import functools
import inspect
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    NotFoundError,
    OverloadedError,
    PendingError,
    RateLimitError,
    UpstreamError,
    UsageError,
)
from bifrost_cli.providers import PROVIDERS

if TYPE_CHECKING:
    from bifrost_cli.config import Config
    from bifrost_cli.core.bifrost import Bifrost

T = TypeVar("T")
PASSING = (PendingError, UpstreamError, OverloadedError, RateLimitError)
PANEL = "Every command"
SANDBOX_MARK = "sbx"
INTERRUPTED = 130

ProviderOption = Annotated[
    str | None,
    typer.Option("--provider", "-p", help=f"The provider: {', '.join(PROVIDERS)}. Ids and models may name it instead."),
]
COMMON: dict[str, tuple[Any, Any]] = {
    "sandbox": (
        Annotated[
            bool,
            typer.Option(
                "--sandbox",
                envvar="BIFROST_SANDBOX",
                help="Use the built-in emulators: no key, no network, no cost.",
                rich_help_panel=PANEL,
            ),
        ],
        False,
    ),
    "json": (
        Annotated[bool, typer.Option("--json", help="One JSON object per line, errors too.", rich_help_panel=PANEL)],
        False,
    ),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.", rich_help_panel=PANEL)], False),
    "debug": (
        Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=PANEL)],
        False,
    ),
    "config": (
        Annotated[
            Path | None,
            typer.Option("--config", help="The config file to read.", envvar="BIFROST_CONFIG", rich_help_panel=PANEL),
        ],
        None,
    ),
}


@dataclass
class Session:
    """One run of the command line.

    `resume` is the command that goes on where an interrupt stops, `tail` what such a command repeats of this one.
    """

    provider: str | None = None
    sandbox: bool = False
    json: bool = False
    quiet: bool = False
    debug: bool = False
    config: Path | None = None
    resume: str | None = None
    tail: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def takes_all(self) -> bool:
        """Whether every configured provider is meant (`-p all`), for the commands that list."""
        every = self.provider == "all"
        self.provider = None if every else self.provider
        return every

    def command(self, *words: str) -> str:
        """A command to go on with, as it is typed in a shell."""
        config = ["--config", str(self.config)] if self.config else []
        return shlex.join(["bifrost", *words, *self.tail, *config, *(["--sandbox"] if self.sandbox else [])])

    def advise(self, error: BifrostError) -> None:
        """Give an error the hints that only the command line knows."""
        if isinstance(error, PASSING) and self.resume:
            before = f"{error.hint} " if error.hint and not isinstance(error, PendingError) else ""
            error.hint = f"{before}Go on with: {self.resume}"
        lost = isinstance(error, ConfigError | AuthError | NotFoundError)
        if lost and not self.sandbox and any(SANDBOX_MARK in id for id in self.ids):
            error.hint = f"{error.hint or ''} This is an id of the sandbox: add --sandbox.".strip()

    def run(self, act: "Callable[[Bifrost], Coroutine[Any, Any, T]]", **options: Any) -> T:
        """Open a Bifrost as the options say, and carry `act` out with it.

        `options` are `flags` (settings given for this run) and `context`.
        """
        import asyncio

        async def go() -> T:
            async with self._open(**options) as bifrost:
                return await act(bifrost)

        return asyncio.run(go())

    @asynccontextmanager
    async def _open(self, flags: dict[str, str] | None = None, **context: Any) -> "AsyncIterator[Bifrost]":
        from bifrost_cli.cli import live
        from bifrost_cli.config import Config
        from bifrost_cli.core.bifrost import Bifrost
        from bifrost_cli.providers.base import Context

        config = Config.load(self.config, flags=flags)
        told = nullcontext() if self.quiet else live.pauses()
        with told, sandboxed(config) if self.sandbox else nullcontext(config) as config:
            async with Bifrost(config, self.provider, Context(**context), trust_env=not self.sandbox) as bifrost:
                yield bifrost

    def note_ids(self, ids: Iterable[str]) -> None:
        """Remember the ids of this run, for the hints of errors."""
        self.ids += ids


def sandboxed(config: "Config") -> Any:
    """A context manager: the emulators run on loopback, and the configuration it gives points at them alone."""
    from bifrost_cli.cli.sandbox import emulated

    return emulated(config)


def with_session(*, provider: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds the options of every command, and hands them over as one `session`."""
    options = {"provider": (ProviderOption, None)} if provider else {}
    options |= COMMON

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapper(ctx: typer.Context, **given: Any) -> None:
            session: Session = ctx.obj
            for name in options:
                setattr(session, name, given.pop(name))
            function(session=session, **given)

        own = [each for each in inspect.signature(function).parameters.values() if each.name != "session"]
        added = [_parameter(name, *option) for name, option in options.items()]
        parameters = [_parameter("ctx", typer.Context), *own, *added]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {each.name: each.annotation for each in parameters}
        return wrapper

    return decorate


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def duration(text: str) -> float:
    """Seconds from `90`, `90s`, `15m`, `24h` or `7d`. Raises UsageError on another form."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"'{text}' is not a length of time.", hint="Write 90, 90s, 15m, 24h or 7d.")
    return seconds
