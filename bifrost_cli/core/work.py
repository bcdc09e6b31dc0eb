"""Batches whose requests this process sends itself, because the provider's batches are not for so few."""

import asyncio
from types import TracebackType
from typing import Self

from bifrost_cli.providers.base import Provider


class Work:
    """The running of such batches, beside the following of them; a context manager that stops it at its end."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def attend(self, provider: Provider, native: str) -> None:
        """See that a batch's work is being done, if it is done here. Raises what its work has failed with."""
        if not provider.runs_here(native):
            return
        if native not in self._tasks:
            self._tasks[native] = asyncio.create_task(provider.run_batch(native))
        task = self._tasks[native]
        if task.done():
            task.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
