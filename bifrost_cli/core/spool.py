"""What a plan writes once and reads as often as it must: in memory while all of it is small, on disk after that.

What goes to disk is written and digested in a thread, while what follows is made.
"""

import io
import os
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

IN_MEMORY = 1024 * 1024
HELD = 2 * 1024 * 1024
"""Bytes that all spools of a plan hold, together, until they make blocks of them."""
MOST_WAITING = 4
"""Blocks that are made and not yet written."""


class Spools:
    """The spools of one plan; `IN_MEMORY` bytes of them are in memory at most, the rest in a folder until `close`."""

    def __init__(self) -> None:
        self._room = IN_MEMORY
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made: list[Spool] = []
        self.filling = 0
        """How many something may yet be added to."""
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def new(self, name: str) -> "Spool":
        """An empty one."""
        self.filling += 1
        self._made.append(Spool(self, name))
        return self._made[-1]

    def takes(self, size: int) -> bool:
        """Whether so many bytes more stay in memory; they are counted."""
        self._room -= size
        return self._room >= 0

    def path(self, name: str) -> Path:
        """Where a spool goes that does not stay in memory."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="bifrost-")
        return Path(self._folder.name) / name

    def later(self, put: Callable[[bytes], None], block: bytes) -> None:
        """Put a block where it belongs, after those before it. Raises what went wrong with one of them."""
        self._thread = self._thread or ThreadPoolExecutor(1, "bifrost-spool")
        self._waiting.append(self._thread.submit(put, block))
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft().result()

    def settle(self) -> None:
        """Wait until all blocks are where they belong."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Remove what is on disk, whole or not."""
        if self._thread:
            self._thread.shutdown(cancel_futures=True)
        for spool in self._made:
            spool.abandon()
        if self._folder:
            self._folder.cleanup()


class Spool:
    """Bytes, or the path of a file: `content` says which, once all is added."""

    def __init__(self, spools: Spools, name: str) -> None:
        self.spools = spools
        self.name = name
        self.content: bytes | Path = b""
        self._held: list[bytes] = []
        self._holds = 0
        self._file: io.BufferedWriter | None = None
        self._digest = sha256()
        self._digested = 0
        """Bytes of the file that `_digest` is of."""

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def add(self, data: bytes) -> None:
        """What comes next in it."""
        self._held.append(data)
        self._holds += len(data)
        if self._holds * self.spools.filling > HELD:
            self._pass_on()

    def end(self) -> None:
        """Nothing more is added."""
        self.spools.filling -= 1
        self._pass_on()
        if self._file:
            self.spools.settle()
            self._file.close()
            self._file = None

    def abandon(self) -> None:
        """Nothing more is added, and what was is not wanted."""
        if self._file:
            with suppress(OSError):
                self._file.close()

    def replace(self, data: bytes) -> None:
        """Have this instead of all that was added."""
        self._digested = 0
        if isinstance(self.content, bytes):
            self.content = data
        else:
            self.content.write_bytes(data)

    def truncate(self, size: int) -> None:
        """Keep so many bytes, the first."""
        self._digested = 0
        if isinstance(self.content, bytes):
            self.content = self.content[:size]
        else:
            os.truncate(self.content, size)

    def open(self) -> BinaryIO:
        """To be read."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")

    def read(self) -> bytes:
        """All of it."""
        with self.open() as file:
            return file.read()

    def digest(self) -> str:
        """Of all of it."""
        if self._digested == self.size > 0:
            return self._digest.hexdigest()
        if isinstance(self.content, bytes):
            return sha256(self.content).hexdigest()
        with self.content.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def _pass_on(self) -> None:
        block = b"".join(self._held)
        self._held, self._holds = [], 0
        if isinstance(self.content, bytes):
            block = self.content + block
            if self.spools.takes(len(block) - len(self.content)):
                self.content = block
                return
            self.content = self.spools.path(self.name)
            self._file = self.content.open("wb")
        self.spools.later(self._put, block)

    def _put(self, block: bytes) -> None:
        assert self._file is not None
        self._file.write(block)
        self._digest.update(block)
        self._digested += len(block)
