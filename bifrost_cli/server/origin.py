"""The address under which a caller sees this server.

A `results_url` is followed by Anthropic's SDKs with the caller's key, whatever host it names; so it must name this one.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from bifrost_cli.errors import UsageError

HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def origin(headers: Mapping[str, str], scheme: str, public_url: str | None = None) -> str:
    """Scheme, host and prefix, without a slash at the end: `public_url` where it is given, else as the proxy says
    (`X-Forwarded-Proto`, `-Host` and `-Prefix`), else as the call came."""
    if public_url:
        return public_url
    proto = _first(headers, "x-forwarded-proto").lower()
    hosts = (_first(headers, "x-forwarded-host"), headers.get("host", ""))
    host = next((host for host in hosts if HOST.fullmatch(host)), "localhost")
    prefix = _first(headers, "x-forwarded-prefix").rstrip("/")
    return f"{proto if proto in ('http', 'https') else scheme}://{host}{prefix if PREFIX.fullmatch(prefix) else ''}"


def check_public_url(url: str) -> str:
    """The address as it is used. Raises UsageError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise UsageError(f"'{url}' is not an address.", hint="--public-url is like https://gateway.example.com/llm.")
    return url.rstrip("/")


def _first(headers: Mapping[str, str], name: str) -> str:
    """A proxy behind a proxy appends; the first entry is what the caller used."""
    return headers.get(name, "").partition(",")[0].strip()
