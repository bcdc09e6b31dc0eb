"""Progress while it happens, on stderr: bars on a terminal, plain lines elsewhere."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Group, RenderableType
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

from bifrost_cli.cli.render import Screen, sentence
from bifrost_cli.cli.rows import batch_rows
from bifrost_cli.cli.words import clean
from bifrost_cli.core.wait import PASSING
from bifrost_cli.models import Batch

WIDE = 120
NARROW = 80
SMALL = 1_000_000
COUNTED = 1000
QUIET_SECONDS = 60.0
WATCH_SECONDS = 2.0
T = TypeVar("T")
Moved = Callable[[int], object]


@contextmanager
def sending(screen: Screen, name: str, size: int) -> Iterator[Moved]:
    """A bar for an upload of `size` bytes; tell what it gives of each block's length."""
    with _transfer(screen, f"Uploading {clean(name)}", size) as moved:
        yield moved


@contextmanager
def receiving(screen: Screen, name: str, size: int | None) -> Iterator[Moved]:
    """A bar for a download; `size` is None where it is not known."""
    with _transfer(screen, f"Downloading {clean(name)}", size) as moved:
        yield moved


@contextmanager
def _transfer(screen: Screen, title: str, size: int | None) -> Iterator[Moved]:
    if not screen.err.is_terminal or screen.quiet or (size is not None and size < SMALL):
        yield lambda length: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=screen.err, transient=True) as progress:
        task = progress.add_task(title, total=size)
        yield lambda length: progress.advance(task, length)


@contextmanager
def counting(screen: Screen, title: str) -> Iterator[Moved]:
    """A count that grows, for work whose end is not known."""
    if not screen.err.is_terminal or screen.quiet:
        yield lambda number: None
        return
    columns = (TextColumn("{task.description}", markup=False), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=screen.err, transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda number: progress.advance(task, number)


def each(items: Iterable[T], counted: Moved) -> Iterator[T]:
    """The items, counted as they pass, a thousand at a time: drawing takes longer than what is counted."""
    number = 0
    for number, item in enumerate(items, 1):
        yield item
        if number % COUNTED == 0:
            counted(COUNTED)
    counted(number % COUNTED)


class Waiting:
    """A bar per batch on a terminal; elsewhere a line whenever a batch has moved."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.tasks: dict[str, Task] = {}
        self.said: dict[str, tuple[str, float]] = {}
        self.progress = Progress(*columns_for(screen.err.width), console=screen.err)

    @contextmanager
    def shown(self) -> Iterator["Waiting"]:
        """While the waiting lasts."""
        if self.screen.err.is_terminal and not self.screen.quiet:
            with self.progress:
                yield self
        else:
            yield self

    def update(self, id: str, batch: Batch) -> None:
        """A batch as it is now."""
        if self.progress.live.is_started:
            self._draw(id, batch)
        elif not self.screen.quiet:
            self._print(id, batch)

    def _draw(self, id: str, batch: Batch) -> None:
        counts = batch.request_counts
        if id not in self.tasks:
            room = 34 if self.screen.err.width >= WIDE else 18
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

    def _print(self, id: str, batch: Batch) -> None:
        counts = batch.request_counts
        failed = counts.done - counts.succeeded
        done = f"{counts.done:,}/{counts.total:,} done, {counts.succeeded:,} ok, {failed:,} failed"
        text = f"{batch.processing_status} {done}"
        before, when = self.said.get(id, ("", 0.0))
        if text != before or time.monotonic() - when > QUIET_SECONDS:
            self.screen.say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {id} {text}")
            self.said[id] = (text, time.monotonic())


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
