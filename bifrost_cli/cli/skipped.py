"""`--skip-invalid`: lines that are left out of a batch are kept in a file, each with its reason."""

import shutil
import tempfile
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bifrost_cli.cli.output import Output
from bifrost_cli.cli.render import Screen
from bifrost_cli.core.planner import SHOWN_PROBLEMS
from bifrost_cli.errors import Problem, UsageError


class Skipped:
    """Told of each bad line, as `core.plan.Skip`; a context manager. `keep` makes the file, `tell` only says them.

    A file of an earlier run is overwritten with `force` alone; one that says the same is as good as new, so that a
    command that was interrupted can be run again.
    """

    def __init__(self, path: str, source: str, *, force: bool) -> None:
        self.path = Path(path)
        self.source = source
        self.force = force
        self.count = 0
        self.first: list[Problem] = []

    @classmethod
    def beside(cls, output: str | None, source: str, *, force: bool) -> "Skipped":
        """`RESULTS.skipped.jsonl`, or `INPUT.skipped.jsonl` where no results are written."""
        name = output if output and output != "-" else source if source != "-" else "stdin"
        return cls(f"{name.removesuffix('.jsonl')}.skipped.jsonl", source, force=force)

    def __call__(self, problem: Problem, line: dict[str, Any] | None) -> None:
        self.count += 1
        if len(self.first) < SHOWN_PROBLEMS:
            self.first.append(problem)
        row = {"line": problem.line, "custom_id": problem.custom_id, "reason": problem.message, "request": line}
        self._spool.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def keep(self, screen: Screen) -> None:
        """Put what was skipped in its file. Raises UsageError where that holds what another run skipped."""
        if not self.count:
            return
        if not self._is_there():
            if self.path.is_file() and not self.force:
                hint = "Give --force to overwrite it, or move it away."
                raise UsageError(f"{self.path} holds what an earlier run skipped.", hint=hint)
            self._write()
        screen.say(f"Skipped {self._lines} that cannot be sent; see {self.path} for the reasons.", style="yellow")

    def tell(self, screen: Screen) -> None:
        """Say what would be skipped; write nothing."""
        for problem in self.first:
            screen.say(problem.render(self.source))
        if self.count:
            screen.say(f"Would skip {self._lines} that cannot be sent.", style="yellow")

    @property
    def _lines(self) -> str:
        return "1 line" if self.count == 1 else f"{self.count:,} lines"

    def _is_there(self) -> bool:
        self._spool.seek(0)
        if not self.path.is_file():
            return False
        with self.path.open("rb") as there:
            return file_digest(there, "blake2b").digest() == file_digest(self._spool, "blake2b").digest()

    def _write(self) -> None:
        self._spool.seek(0)
        with Output(str(self.path), force=self.force) as output:
            shutil.copyfileobj(self._spool, output)
            output.finish()

    def __enter__(self) -> Self:
        self._spool = tempfile.TemporaryFile(prefix="bifrost-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()
