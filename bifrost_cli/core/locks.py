"""Locks on files, between processes and within one."""

import fcntl
import os
from typing import Self


class Lock:
    """Held until `release`, until nobody has it any more, or until the process ends, however it ends."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    @classmethod
    def take(cls, handle: int) -> Self | None:
        """The lock on an open file, which is closed with it; None where another holds it."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return cls(handle)

    def release(self) -> None:
        """Let it go."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        self.release()
