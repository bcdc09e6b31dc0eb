"""Batches whose work this process does: those that a provider is asked for one request at a time.

What is done is kept by the adapter, so a batch goes on after a restart, here or elsewhere.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.errors import AuthError, BifrostError, ConfigError, NotFoundError

LOG = logging.getLogger("bifrost.serve")
KEPT = 7 * 86_400.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
HOPELESS = (AuthError, ConfigError, NotFoundError)


@dataclass
class Background:
    """The work in hand, by the batch's id."""

    bifrost: Bifrost
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def resume(self) -> None:
        """Go on with whatever the journal knows from the last week."""
        for ref in self.bifrost.journal.created(time.time() - KEPT):
            self.start(str(ref))

    def start(self, id: str) -> None:
        """Do a batch's work, if there is any to do here."""
        if id not in self.running and self.bifrost.runs_here(id):
            task = asyncio.ensure_future(self._run(id))
            self.running[id] = task
            task.add_done_callback(lambda _: self.running.pop(id, None))

    async def stop(self) -> None:
        """Leave everything as it is."""
        tasks = list(self.running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, id: str) -> None:
        """Until it has ended. What fails for a passing reason is taken up again, ever later."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self.bifrost.run_batch(id)
                return
            except HOPELESS as error:
                LOG.error("batch %s cannot go on: %s", id, error)
                return
            except BifrostError as error:
                LOG.warning("batch %s goes on in %g s: %s", id, pause, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
