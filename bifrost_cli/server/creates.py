"""Creates on their way: each is seen through to its end, also when its caller leaves, since its outcome must be known.

Anthropic's SDKs send a create again after a timeout or a failure, with no idempotency key (recorded). Two equal calls
at the same time are one; so are equal calls of which the later says that it is a retry, and those under one
`Idempotency-Key`. Which are equal is told by the core's journal, for all processes and after a restart too.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from bifrost_cli.models import Batch

RETRIES_WITHIN = 3600.0
"""For how many seconds after a create a retry of it is taken for one."""


@dataclass
class Creates:
    """Those of this process."""

    running: set[asyncio.Task[Batch]] = field(default_factory=set)

    async def see_through(self, create: Coroutine[Any, Any, Batch]) -> Batch:
        """What a create gives."""
        task = asyncio.ensure_future(create)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for all of them."""
        await asyncio.gather(*self.running, return_exceptions=True)
