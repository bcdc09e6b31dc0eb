"""Where requests and uploads come from: a path, or stdin."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bifrost_cli.errors import UsageError

BLOCK = 256 * 1024


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The input as a stream of bytes; `-` is stdin. Raises UsageError where it cannot be read."""
    if path == "-":
        with interruptible():
            yield sys.stdin.buffer
        return
    with _readable(path).open("rb", BLOCK) as stream, interruptible():
        yield stream


@contextmanager
def as_file(path: str) -> Iterator[Path]:
    """The input as a file whose size is known; stdin is spooled to disk. Raises UsageError where it cannot be read."""
    if path != "-":
        yield _readable(path)
        return
    with tempfile.NamedTemporaryFile(prefix="bifrost-") as spool:
        with interruptible():
            shutil.copyfileobj(sys.stdin.buffer, spool, 1024 * 1024)
        spool.flush()
        yield Path(spool.name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C stops what is done at once: asyncio would only note it until a read that blocks has its data."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _readable(path: str) -> Path:
    try:
        with open(path, "rb"):
            return Path(path)
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a file.") from None
    except OSError as error:
        raise UsageError(f"{path or 'The empty name'} cannot be read: {error.strerror}.") from None
