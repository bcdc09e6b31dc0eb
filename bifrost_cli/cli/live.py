"""Progress while it happens, on stderr: bars on a terminal, plain lines elsewhere, where nothing is loaded to draw."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar

from bifrost_cli.cli.render import Screen
from bifrost_cli.cli.words import clean
from bifrost_cli.models import Batch

if TYPE_CHECKING:
    from bifrost_cli.cli.bars import Bars

LOG = logging.getLogger("bifrost.calls")
SMALL = 1_000_000
COUNTED = 1000
QUIET_SECONDS = 60.0
T = TypeVar("T")
Moved = Callable[[int], object]


def sending(screen: Screen, name: str, size: int) -> AbstractContextManager[Moved]:
    """A bar for an upload of `size` bytes; tell what it gives of each block's length."""
    return _transfer(screen, f"Uploading {clean(name)}", size)


def receiving(screen: Screen, name: str, size: int | None) -> AbstractContextManager[Moved]:
    """A bar for a download; `size` is None where it is not known."""
    return _transfer(screen, f"Downloading {clean(name)}", size)


def _transfer(screen: Screen, title: str, size: int | None) -> AbstractContextManager[Moved]:
    if not screen.draws or (size is not None and size < SMALL):
        return nullcontext(_unseen)
    from bifrost_cli.cli import bars

    return bars.transfer(screen.err, title, size)


@contextmanager
def pauses() -> Iterator[None]:
    """Say when the core waits because a provider asks it to."""
    LOG.setLevel(logging.INFO)
    LOG.addHandler(handler := Said())
    try:
        yield
    finally:
        LOG.removeHandler(handler)


class Said(logging.Handler):
    """To stderr as it is at that time: while bars are drawn, what puts lines above them."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{clean(record.getMessage())}\n")
        sys.stderr.flush()


def counting(screen: Screen, title: str) -> AbstractContextManager[Moved]:
    """A count that grows, for work whose end is not known."""
    if not screen.draws:
        return nullcontext(_unseen)
    from bifrost_cli.cli import bars

    return bars.count(screen.err, title)


def _unseen(number: int) -> None:
    """Nobody looks."""


def each(items: Iterable[T], counted: Moved) -> Iterable[T]:
    """The items, counted as they pass, where that is looked at."""
    return items if counted is _unseen else _each(items, counted)


def _each(items: Iterable[T], counted: Moved) -> Iterator[T]:
    """Counted a thousand at a time: drawing takes longer than what is counted."""
    number = 0
    for number, item in enumerate(items, 1):
        yield item
        if number % COUNTED == 0:
            counted(COUNTED)
    counted(number % COUNTED)


def waiting(screen: Screen) -> "Bars | Told":
    """What shows batches while they are waited for; a context manager, whose `update` takes each as it is."""
    if not screen.draws:
        return Told(screen)
    from bifrost_cli.cli.bars import Bars

    return Bars(screen.err)


class Told:
    """A line whenever a batch has moved."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.said: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """There is nothing to end."""

    def update(self, id: str, batch: Batch) -> None:
        """A batch as it is now."""
        counts = batch.request_counts
        failed = counts.done - counts.succeeded
        done = f"{counts.done:,}/{counts.total:,} done, {counts.succeeded:,} ok, {failed:,} failed"
        text = f"{batch.processing_status} {done}"
        before, when = self.said.get(id, ("", 0.0))
        if text != before or time.monotonic() - when > QUIET_SECONDS:
            self.screen.say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {id} {text}")
            self.said[id] = (text, time.monotonic())
