"""Who is let in: with no virtual key made, whoever brings any key; after that, only who brings one of them."""

import asyncio
import time

from starlette.datastructures import Headers

from bifrost_cli.core.tenants import FORM, PREFIX, Key, Tenants
from bifrost_cli.errors import RateLimitError
from bifrost_cli.server.errors import Refusal

HEADERS = (b"x-bf-vk", b"x-api-key", b"authorization")
"""Where a key may be; the first that has the form of a virtual one counts."""
PLACES = b", ".join(HEADERS).decode()


class Admission:
    """The door. Once closed to dummies it stays so, even if the keys' database is removed."""

    def __init__(self, tenants: Tenants) -> None:
        self.tenants = tenants
        self.closed = tenants.any()

    def admit(self, headers: Headers) -> Key | None:
        """The virtual key that a call comes with; None where none is needed. Raises Refusal.

        Any key will do where none was made. But one there must be: a page in a browser cannot send these headers to
        another origin without asking first, so it cannot spend the keys of a server on loopback.
        """
        found = {name: value for name, value in reversed(headers.raw) if name in HEADERS}
        given = [found[name].decode("latin-1") for name in HEADERS if name in found]
        secret = next((text for value in given if FORM.fullmatch(text := _bare(value))), None)
        key = self.tenants.find(secret) if secret else None
        if key is None:
            self._check_open(given)
        else:
            _check_state(key)
        return key

    def _check_open(self, given: list[str]) -> None:
        self.closed = self.closed or self.tenants.any()
        if self.closed:
            raise _refusal(f"Only this gateway's own keys are let in ({PREFIX}… in {PLACES}).")
        if not given:
            raise _refusal("A key is required in x-api-key or Authorization; any will do.")

    async def take(self, key: Key) -> None:
        """Count a call, in a thread: another process may be writing. Raises RateLimitError where there are too many."""
        if key.rpm and (pause := await asyncio.to_thread(self.tenants.take, key)):
            message = f"The key '{key.name}' may make {key.rpm:,} calls a minute, and has made them."
            raise RateLimitError(message, retry_after=pause)


def _check_state(key: Key) -> None:
    state = key.state(time.time())
    if state != "active":
        at = key.revoked_at if state == "revoked" else key.expires_at
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
        raise _refusal(f"The key '{key.name}' is {state} since {since}.")


def _refusal(message: str) -> Refusal:
    return Refusal(401, message, "authentication_error")


def _bare(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value.strip()
