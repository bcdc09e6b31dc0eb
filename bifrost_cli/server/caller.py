"""What the headers of a call say: who calls, which provider is meant, and what is asked of it.

The lines of Anthropic's SDKs differ: 0.x and 1.x send `x-api-key` and version 2023-06-01, 2.x sends
`Authorization: Bearer` and 2026-10-21 (both recorded).
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.datastructures import Headers

from bifrost_cli.errors import InvalidRequestError
from bifrost_cli.providers import HOME, PROVIDERS
from bifrost_cli.providers.base import Context

PROVIDER = "x-model-provider"
DROP = "x-bifrost-drop"
VERSION = f"{HOME}-version"
BETA = f"{HOME}-beta"
OLD_FILES_BETA = "files-api-2025-04-14"
AGENTS_BETA = "managed-agents-2026-04-01"
"""Betas that change the shape of a list of files (documented)."""
RETRY = "x-stainless-retry-count"
KEY = "idempotency-key"
READ = frozenset(name.encode() for name in (PROVIDER, DROP, VERSION, BETA, RETRY, KEY))
"""The headers that say something here."""
WORD = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Caller:
    """A caller's wishes. `retry` is how many times its SDK has sent this before, `key` its idempotency key."""

    provider: str | None = None
    context: Context = field(default_factory=Context)
    retry: int = 0
    key: str | None = None

    def has_beta(self, name: str) -> bool:
        """Whether a beta was asked for."""
        return name in self.context.betas


def read(headers: Headers) -> Caller:
    """Raises InvalidRequestError where a value is ill-formed."""
    return _read(tuple(item for item in headers.raw if item[0] in READ))


@lru_cache(maxsize=512)
def _read(raw: tuple[tuple[bytes, bytes], ...]) -> Caller:
    """Callers send the same headers again and again."""
    headers = Headers(raw=list(raw))
    retry = headers.get(RETRY, "0")
    return Caller(
        provider=_provider(headers.get(PROVIDER)),
        context=Context(
            version=_word(VERSION, headers.get(VERSION)),
            betas=_words(headers, BETA),
            drop=frozenset(_words(headers, DROP)),
            attempts=1,  # Who calls tries again, as its SDK is told to; here it would be tries times tries.
        ),
        retry=int(retry) if retry.isascii() and retry.isdigit() else 0,
        key=headers.get(KEY) or None,
    )


def _provider(name: str | None) -> str | None:
    if not name:
        return None
    chosen = name.strip().lower()
    if chosen not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise InvalidRequestError(f"{PROVIDER}: there is no provider '{name[:100]}'. Use one of: {known}.")
    return chosen


def _words(headers: Headers, name: str) -> tuple[str, ...]:
    """The entries of a header that may come several times, each with commas in it."""
    given = [entry.strip() for value in headers.getlist(name) for entry in value.split(",")]
    return tuple(word for entry in given if (word := _word(name, entry)))


def _word(name: str, value: str | None) -> str | None:
    if value and not WORD.fullmatch(value):
        raise InvalidRequestError(f"{name}: '{value[:100]}' is not a value of it.")
    return value or None
