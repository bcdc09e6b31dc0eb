"""What a plan writes once and reads as often as it must: in memory while all of it is small, on disk after that."""

import io
import os
import tempfile
from hashlib import file_digest
from pathlib import Path
from typing import Any, BinaryIO, cast

IN_MEMORY = 1024 * 1024
BUFFER = 256 * 1024


class Spools:
    """The spools of one plan; `IN_MEMORY` bytes of them are in memory at most, the rest in a folder until `close`."""

    def __init__(self) -> None:
        self._room = IN_MEMORY
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def takes(self, size: int) -> bool:
        """Whether so many bytes more stay in memory; they are counted."""
        self._room -= size
        return self._room >= 0

    def path(self, name: str) -> Path:
        """Where a spool goes that does not stay in memory."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="bifrost-")
        return Path(self._folder.name) / name

    def close(self) -> None:
        """Remove what is on disk."""
        if self._folder:
            self._folder.cleanup()


class Spool:
    """Bytes, or the path of a file: `content` says which."""

    def __init__(self, spools: Spools, name: str) -> None:
        self.spools = spools
        self.name = name
        self.content: bytes | Path = b""

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def writer(self) -> io.BufferedWriter:
        """Writes it from its beginning; its content is there when this is closed."""
        return io.BufferedWriter(_Raw(self), BUFFER)

    def write(self, data: bytes) -> None:
        """This is all of it."""
        with self.writer() as writer:
            writer.write(data)

    def truncate(self, size: int) -> None:
        """Keep so many bytes, the first."""
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
        with self.open() as file:
            return file_digest(cast(io.BytesIO, file), "sha256").hexdigest()


class _Raw(io.RawIOBase):
    """Takes a spool's blocks: into memory, and from the first that has no room there on, into a file."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._held: list[bytes] = []
        self._file: io.FileIO | None = None

    def writable(self) -> bool:
        return True

    def write(self, block: Any, /) -> int:
        if self._file is None and not self._spool.spools.takes(len(block)):
            self._to_disk()
        if self._file:
            return self._file.write(block)
        self._held.append(bytes(block))
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._end()
        super().close()

    def _to_disk(self) -> None:
        path = self._spool.spools.path(self._spool.name)
        path.write_bytes(b"".join(self._held))
        self._file = path.open("ab", 0)
        self._spool.content = path
        self._held.clear()

    def _end(self) -> None:
        if self._file:
            self._file.close()
        else:
            self._spool.content = b"".join(self._held)
