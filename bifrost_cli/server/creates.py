"""Creates told apart: the same one, sent twice, is carried out once.

Anthropic's SDKs send a create again after a timeout or a failure, with no idempotency key (recorded). Two equal calls
at the same time are one; so are equal calls of which the later says that it is a retry, and those under one
`Idempotency-Key`. In one process that is known here; for others, and after a restart, in the core's journal.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bifrost_cli.models import Batch

RETRIES_WITHIN = 3600.0
"""For how many seconds after a create a retry of it is taken for one."""


@dataclass
class Creates:
    """Those that are on their way, by what makes them equal."""

    running: dict[tuple[object, ...], asyncio.Task[Batch]] = field(default_factory=dict)

    async def once(self, key: tuple[object, ...], create: Callable[[], Awaitable[Batch]]) -> Batch:
        """What `create` gives, or an equal one that is on its way. It goes on when a caller leaves: its outcome must
        be known."""
        task = self.running.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(create))
            self.running[key] = task
            task.add_done_callback(lambda _: self.running.pop(key, None))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for all of them."""
        with suppress(Exception):
            await asyncio.gather(*self.running.values(), return_exceptions=True)


async def _run(create: Callable[[], Awaitable[Batch]]) -> Batch:
    return await create()
