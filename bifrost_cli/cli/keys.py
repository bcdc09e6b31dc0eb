"""`bifrost keys`: who may use the gateway, and for what."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bifrost_cli.cli.session import Session, duration, with_session
from bifrost_cli.errors import UsageError
from bifrost_cli.providers import PROVIDERS

if TYPE_CHECKING:
    from bifrost_cli.cli.render import Screen
    from bifrost_cli.core.tenants import Key, Tenants

app = typer.Typer(help="The virtual keys of `bifrost serve`: who may use it, and for what.", no_args_is_help=True)
LONGEST_NAME = 64
CODES = "\n\nExit codes: 0 done, 2 usage, 3 configuration"
CREATE = f"Example: bifrost keys create ci -p openai --model 'gpt-5.4*' --expires 90d -q{CODES}, 5 name in use."


@app.command("create", epilog=CREATE)
@with_session(provider=False)
def create(
    *,
    name: Annotated[str, typer.Argument(help="Who or what it is for.", metavar="NAME")],
    session: Session,
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", "-p", metavar="NAME", help="Only this one (repeatable; * is any text)."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Only this one (repeatable): gpt-5.4*, openai/*."),
    ] = None,
    rpm: Annotated[int | None, typer.Option(min=1, max=1_000_000, metavar="N", help="How many calls a minute.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="After this time (12h, 90d), or on this day (2027-01-31, UTC).")
    ] = None,
    sees_all: Annotated[
        bool, typer.Option("--sees-all", help="Sees all that is in the accounts, other keys' work too.")
    ] = False,
) -> None:
    """Make a virtual key. It is shown this once. From the first one on, the gateway lets in nobody without."""
    providers, models = _patterns("--provider", provider), _patterns("--model", model)
    _check_name(name)
    _check_providers(providers)
    expires_at = _moment(expires) if expires else None
    tenants, screen = _open(session)
    key, secret = tenants.create(
        name, providers=providers, models=models, rpm=rpm, sees_all=sees_all, expires_at=expires_at
    )
    screen.key_made(key, secret)


@app.command("list", epilog=f"Example: bifrost keys list{CODES}.")
@with_session(provider=False)
def listing(*, session: Session) -> None:
    """List the virtual keys and their rules, ended ones too."""
    tenants, screen = _open(session)
    screen.keys(tenants.all())


@app.command("revoke", epilog=f"Example: bifrost keys revoke ci{CODES}, 4 no such key.")
@with_session(provider=False)
def revoke(
    *,
    key: Annotated[str, typer.Argument(help="Its name or id.", metavar="KEY")],
    session: Session,
) -> None:
    """End a virtual key, at once. Its files and batches stay with the providers, and out of the others' sight."""
    tenants, screen = _open(session)
    screen.key_revoked(tenants.revoke(key))


@app.command("usage", epilog=f"Example: bifrost keys usage --days 7 --json | jq{CODES}, 4 no such key.")
@with_session(provider=False)
def usage(
    *,
    key: Annotated[str | None, typer.Argument(help="One key's, by its name or id.", metavar="[KEY]")] = None,
    session: Session,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Of the last N days, in UTC.")] = 30,
) -> None:
    """Show requests, batches and tokens by day and key. A batch's tokens are known once its results were read."""
    tenants, screen = _open(session)
    since = (datetime.now(UTC) - timedelta(days=days - 1)).strftime("%Y-%m-%d")
    screen.usage(tenants.usage(since, _named(tenants, key) if key else None))


def _open(session: Session) -> "tuple[Tenants, Screen]":
    from bifrost_cli.cli.render import Screen
    from bifrost_cli.config import Config, state_folder
    from bifrost_cli.core.database import Database
    from bifrost_cli.core.tenants import Tenants

    config = Config.load(session.config)
    return Tenants(Database(state_folder(config.environ))), Screen(json=session.json, quiet=session.quiet)


def _named(tenants: "Tenants", name: str) -> "Key":
    from bifrost_cli.errors import NotFoundError

    found = [key for key in tenants.all() if name in (key.name, key.id)]
    if not found:
        raise NotFoundError(f"There is no key '{name}'.", hint="bifrost keys list shows them.")
    return found[-1]


def _check_name(name: str) -> None:
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise UsageError(f"'{name}' is not a name: 1 to {LONGEST_NAME} printable characters.")


def _patterns(option: str, given: list[str] | None) -> list[str]:
    patterns = [pattern for text in given or [] for pattern in text.split(",")]
    for pattern in patterns:
        if not pattern or any(map(str.isspace, pattern)):
            raise UsageError(f"{option}: '{pattern}' is not a name or pattern.")
    return patterns


def _check_providers(patterns: list[str]) -> None:
    from fnmatch import fnmatchcase

    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in PROVIDERS):
            raise UsageError(f"--provider: '{pattern}' fits none of: {', '.join(PROVIDERS)}.")


def _moment(text: str) -> float:
    """Seconds since the epoch of a day, a moment, or a length of time from now. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return time.time() + duration(text)
        except UsageError:
            raise UsageError(f"--expires: '{text}' is neither a length of time (90d) nor a day (2027-01-31).") from None
    at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if at <= time.time():
        raise UsageError(f"--expires: {text} is past.")
    return at
