"""Locks on runs, between processes and within one: each is on a file that is named after its run.

The files serve again and again, under other names. A file system like ext4, which passes over whatever was removed in
the last minutes when it makes a file, takes longer for one that is made for a run and removed after it than for all
else that a create writes.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
SPARES = 64
OLD = 60 * 86_400.0


class Lock:
    """Held until `release`, until nobody has it any more, or until the process ends, however it ends."""

    def __init__(self, locks: "Locks", file: "_File") -> None:
        self._locks = locks
        self._file: _File | None = file

    def release(self) -> None:
        """Let it go."""
        file, self._file = self._file, None
        if file:
            self._locks.take_back(file)


class Locks:
    """Those in a folder, by the run's id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spares: list[_File] = []

    def new(self, run: str) -> Lock:
        """That of a run that nobody else knows."""
        while self._spares:
            file = self._spares.pop()
            if file.rename(self._path(run)):
                return Lock(self, file)
        lock = self.take(run)
        assert lock is not None
        return lock

    def take(self, run: str) -> Lock | None:
        """That of a run; None where another holds it."""
        while (file := self._open(self._path(run))).lock():
            if file.is_in_place():  # Else it was let go, and renamed, after it was opened here.
                return Lock(self, file)
        return None

    def take_back(self, file: "_File") -> None:
        """Keep the file of a run for another, locked as it is: whoever has it open for this run looks again."""
        if len(self._spares) < SPARES and file.rename(self._path(f"spare-{token_hex(8)}")):
            self._spares.append(file)
        else:
            file.remove()

    def close(self) -> None:
        """Remove what is spare, and what was left long ago by processes that were killed."""
        while self._spares:
            self._spares.pop().remove()
        for path in self.folder.glob("*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - OLD and (file := _File(str(path), os.open(path, FLAGS))).lock():
                    file.remove()

    def _path(self, run: str) -> str:
        return f"{self.folder}/{run}"

    def _open(self, path: str) -> "_File":
        try:
            return _File(path, os.open(path, FLAGS, 0o600))
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            return _File(path, os.open(path, FLAGS, 0o600))


class _File:
    """One that is open, and closed with it."""

    def __init__(self, path: str, handle: int) -> None:
        self.path = path
        self.handle = handle

    def lock(self) -> bool:
        """Whether nobody else has it locked."""
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def is_in_place(self) -> bool:
        """Whether it is what its path names."""
        try:
            return os.path.samestat(os.fstat(self.handle), os.stat(self.path))
        except FileNotFoundError:
            return False

    def rename(self, path: str) -> bool:
        """Give it another name, where that can be done."""
        try:
            os.rename(self.path, path)
        except OSError:
            return False
        self.path = path
        return True

    def remove(self) -> None:
        """Nobody finds it any more; what else is open of it stays so."""
        with suppress(OSError):
            os.unlink(self.path)

    def __del__(self) -> None:
        os.close(self.handle)
