"""Bodies of calls, within limits: small ones in memory, large ones on disk."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.requests import Request

from bifrost_cli.errors import TooLargeError

MB = 1024 * 1024
LONGEST_JSON = 32 * MB
LONGEST_BATCH = 256 * MB
LONGEST_FILE = 500 * MB
"""As documented for the real API."""
IN_MEMORY = MB


async def limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooLargeError as soon as that is clear."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > limit:
            raise _too_large(limit)
        yield block


async def read(request: Request, limit: int = LONGEST_JSON) -> bytes:
    """The whole body."""
    return b"".join([block async for block in limited(request, limit)])


@contextmanager
def spool() -> Iterator[Path]:
    """A folder on disk for the time of one call."""
    with tempfile.TemporaryDirectory(prefix="bifrost-") as folder:
        yield Path(folder)


def kept() -> IO[bytes]:
    """A file without a name for the time of one call, in memory while it is small."""
    return SpooledTemporaryFile(IN_MEMORY)


async def save(request: Request, file: IO[bytes], limit: int) -> int:
    """Write the body to a file, which is then at its beginning; gives its length."""
    async for block in limited(request, limit):
        file.write(block)
    size = file.tell()
    file.seek(0)
    return size


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"Request exceeds the maximum size of {limit // MB} MB.")
