"""Where a command's data goes: a file that appears whole or not at all, or stdout."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from bifrost_cli.errors import UsageError

BUFFER = 64 * 1024


class Output:
    """A file written beside its place and renamed when whole; `-` is stdout. A link's target is what is written.

    What is no file, such as a pipe or /dev/null, is written as it comes.

    Made before anything is submitted, so that a place that cannot be written is known by then.
    Raises UsageError where it cannot, or where a file is there and `force` is not given.
    """

    def __init__(self, path: str, *, force: bool = False) -> None:
        self.path = path
        self.is_stdout = path == "-"
        self.temporary: Path | None = None
        self.place = Path(os.path.realpath(path))
        self.file = sys.stdout.buffer if self.is_stdout else self._opened(Path(path), force)

    def _opened(self, path: Path, force: bool) -> BinaryIO:
        if path.is_dir():
            raise UsageError(f"{path} is a folder.", hint="Give -o the name of a file.")
        if path.is_file() and not force:
            raise UsageError(f"{path} exists.", hint="Give --force to overwrite it, or another -o.")
        try:
            return path.open("wb") if path.exists() and not path.is_file() else self._beside()
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from error

    def _beside(self) -> BinaryIO:
        prefix = f".{self.place.name[:40]}."
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=self.place.parent)
        self.temporary = Path(name)
        return os.fdopen(handle, "wb", BUFFER)

    def write(self, block: bytes) -> None:
        """Append."""
        try:
            self.file.write(block)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}.") from error

    def finish(self) -> None:
        """All is written: put the file in its place."""
        try:
            self.file.flush()
            if self.temporary:
                os.fsync(self.file.fileno())
                os.chmod(self.temporary, 0o666 & ~_umask())
                self.file.close()
                os.replace(self.temporary, self.place)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_stdout:
            return
        with suppress(OSError):  # What could not be flushed is what the error in flight is about.
            self.file.close()
        if self.temporary:
            self.temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
