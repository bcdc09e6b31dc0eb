"""The access log: a line per call, past the logging module, whose records cost more than many a call."""

import asyncio
from contextlib import suppress
from typing import TextIO


class AccessLog:
    """Lines on `stream`; those of one turn of the loop are written together."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.pending: list[str] = []

    def add(self, line: str) -> None:
        """Write a line, at the end of this turn."""
        if not self.pending:
            asyncio.get_running_loop().call_soon(self._write)
        self.pending.append(line)

    def _write(self) -> None:
        lines, self.pending = self.pending, []
        with suppress(OSError, ValueError):  # Calls are served, whether anyone reads of them or not.
            self.stream.write("\n".join([*lines, ""]))
            self.stream.flush()
