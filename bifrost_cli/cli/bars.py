"""Progress on a terminal: bars, counts, and a table that is drawn anew."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from bifrost_cli.cli.live import Moved
from bifrost_cli.cli.render import Screen, sentence
from bifrost_cli.cli.rows import batch_rows
from bifrost_cli.cli.words import clean
from bifrost_cli.core.wait import PASSING
from bifrost_cli.models import Batch

WIDE = 120
NARROW = 80
WATCH_SECONDS = 2.0


@contextmanager
def transfer(console: Console, title: str, size: int | None) -> Iterator[Moved]:
    """A bar for bytes on their way; `size` is None where it is not known."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(title, total=size)
        yield lambda length: progress.advance(task, length)


@contextmanager
def count(console: Console, title: str) -> Iterator[Moved]:
    """A count that grows."""
    columns = (TextColumn("{task.description}", markup=False), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda number: progress.advance(task, number)


class Bars:
    """A bar per batch."""

    def __init__(self, console: Console) -> None:
        self.width = console.width
        self.tasks: dict[str, Task] = {}
        self.progress = Progress(*columns_for(console.width), console=console)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.progress.stop()

    def update(self, id: str, batch: Batch) -> None:
        """A batch as it is now."""
        counts = batch.request_counts
        if id not in self.tasks:
            room = 34 if self.width >= WIDE else 18
            self.progress.add_task(shortened(id, room), total=None, succeeded=0, failed=0, status="")
            began = time.monotonic() - (datetime.now(UTC) - batch.created_at).total_seconds()
            self.tasks[id] = self.progress.tasks[-1]
            self.tasks[id].start_time = began
        task = self.tasks[id]
        self.progress.update(
            task.id,
            # Some providers count nothing until the end: their bar only moves.
            total=counts.total if counts.done or batch.ended else None,
            completed=counts.done,
            succeeded=counts.succeeded,
            failed=counts.done - counts.succeeded,
            status=batch.provider_status or batch.processing_status,
        )
        if batch.ended_at:
            self.progress.stop_task(task.id)
            task.finished_time = (batch.ended_at - batch.created_at).total_seconds()


async def watch(screen: Screen, listed: Callable[[], Awaitable[list[Batch]]]) -> None:
    """A table of batches, drawn anew every two seconds until interrupted. An outage is shown below it and sat out."""
    shown: list[RenderableType] = []
    with Live(console=screen.out, auto_refresh=False, screen=False) as live:
        while True:
            try:
                shown = [batch_rows(await listed())]
            except PASSING as error:
                shown = [*shown[:1], Text(clean(sentence(error)), style="red")]
            live.update(Group(*shown), refresh=True)
            await asyncio.sleep(WATCH_SECONDS)


def columns_for(width: int) -> list[ProgressColumn]:
    """What a waiting batch shows: less beside the numbers where the terminal is narrow."""
    bar = [BarColumn(bar_width=24 if width >= WIDE else 10)] if width >= NARROW else []
    status = [TextColumn("[dim]{task.fields[status]}[/]")] if width >= NARROW else []
    outcomes = TextColumn("[green]{task.fields[succeeded]:,} ok[/] [red]{task.fields[failed]:,} failed[/]")
    name, times = (
        TextColumn("{task.description}", markup=False),
        (TimeElapsedColumn(), TimeRemainingColumn(compact=True)),
    )
    return [name, *bar, MofNCompleteColumn(), outcomes, *times, *status]


def shortened(id: str, room: int) -> str:
    """An id that leaves room for its bar: where it begins and where it ends."""
    return id if len(id) <= room else f"{id[: room - 10]}…{id[-9:]}"
