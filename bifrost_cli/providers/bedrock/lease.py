"""The right to run a batch: an object in S3 that says who has it, renewed while they do.

It is taken by a conditional write, so of several only one gets it; a holder that is silent for a minute has lost it,
and one that was a process of this machine and is gone, at once. How old it is says the server's clock.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from bifrost_cli.errors import BifrostError, ConflictError, NotFoundError
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.bedrock.s3 import Place, Store

LIFE_SECONDS = 60.0
RENEW_SECONDS = 20.0
RUNNING: set[str] = set()
"""Tokens of the leases that this process holds, or tries to."""


@dataclass
class Lease:
    """One holder's claim to the batch whose lease is at `place`."""

    store: Store
    place: Place
    token: str = field(default_factory=lambda: uuid4().hex)

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncGenerator[bool]:
        """Whether it could be had; given back at the end."""
        RUNNING.add(self.token)
        try:
            mine = await self._take()
            try:
                yield mine
            finally:
                if mine:
                    with contextlib.suppress(BifrostError):
                        await self.store.delete(self.place)
        finally:
            RUNNING.discard(self.token)

    async def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work for as long as the lease can be renewed. Raises ConflictError where another has taken it."""
        working, renewing = asyncio.create_task(work), asyncio.create_task(self._renew())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            await (working if working.done() else renewing)
        finally:
            working.cancel()
            renewing.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    @property
    def _body(self) -> bytes:
        return orjson.dumps({"token": self.token, "host": socket.gethostname(), "pid": os.getpid()})

    async def _take(self) -> bool:
        etag = None
        with contextlib.suppress(NotFoundError):
            head, holder = await self.store.head(self.place), orjson.loads(await self.store.get(self.place))
            if head.age < LIFE_SECONDS and not _is_gone(holder):
                return False
            etag = head.etag
        # Read again for servers that know no conditions: of two who wrote, the last one has it.
        return await self.store.claim(self.place, self._body, etag) and await self._is_mine()

    async def _is_mine(self) -> bool:
        try:
            return await self.store.get(self.place) == self._body
        except NotFoundError:
            return False

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not await self._is_mine():
                raise ConflictError("Another process has taken over the batch.", provider=PROVIDER)
            await self.store.put(self.place, self._body)


def _is_gone(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that runs no more."""
    if holder.get("host") != socket.gethostname():
        return False
    pid = holder.get("pid")
    if pid == os.getpid():
        return holder.get("token") not in RUNNING
    try:
        os.kill(int(str(pid)), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
