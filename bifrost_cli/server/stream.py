"""Answers that are sent as they come, and the work behind them, which ends when the caller leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from types import TracebackType
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")
BLOCK = 64 * 1024
UNWATCHED = 0.05
"""Seconds that work may take before it is watched for whether the caller leaves."""


class Stream(Response):
    """Blocks sent as they come. When the caller leaves, even while nothing comes, `blocks` is closed.

    An error between blocks breaks the connection off, so that nobody takes the part for the whole.
    """

    def __init__(
        self, blocks: AsyncIterator[bytes], *, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.blocks = blocks
        self.status_code = 200
        self.background = None
        self.init_headers({**(headers or {}), "content-type": media_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await until_gone(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for block in self.blocks:
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if isinstance(self.blocks, AsyncGenerator):
                await self.blocks.aclose()


async def until_gone(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives; it is cancelled when the caller leaves. Raises ClientDisconnect then.

    The body must have been read.
    """
    async with Presence(receive):
        return await work


class Presence:
    """A block of work that is cancelled when the caller leaves, which raises ClientDisconnect from it.

    Most work is done before anyone could leave, so the looking begins after a moment: it takes a task of its own.
    """

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.looking: asyncio.Task[None] | None = None
        self.left = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.timer = task.get_loop().call_later(UNWATCHED, self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.timer.cancel()
        if self.looking:
            self.looking.cancel()
        # Cancelled by us and by nobody else, as `asyncio.timeout` tells it.
        if self.left and self.task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientDisconnect from error

    def _look(self) -> None:
        self.looking = asyncio.ensure_future(self._leaving())

    async def _leaving(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self.task.cancel()


async def begun(items: AsyncIterator[T]) -> AsyncGenerator[T]:
    """The items, of which the first is here already: what fails at once is raised now, while it can be answered."""
    first: list[T] = []
    async for item in items:
        first.append(item)
        break

    async def rest() -> AsyncGenerator[T]:
        try:
            for item in first:
                yield item
            async for item in items:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    return rest()


async def blocks_of(lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Lines joined into blocks of 64 KB."""
    pending, size = [], 0
    try:
        async for line in lines:
            pending.append(line)
            size += len(line)
            if size >= BLOCK:
                yield b"".join(pending)
                pending, size = [], 0
        if pending:
            yield b"".join(pending)
    finally:
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()
