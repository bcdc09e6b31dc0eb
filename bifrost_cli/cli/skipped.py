"""`--skip-invalid`: lines that are left out of a batch are kept in a file, each with its reason."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bifrost_cli.cli.output import Output
from bifrost_cli.cli.render import Screen
from bifrost_cli.errors import Problem


class Skipped:
    """Told of each bad line, as `core.plan.Skip`; the file is made with the first, and put in its place by `finish`.

    A context manager: what was not put in its place is removed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0
        self._output: Output | None = None

    @classmethod
    def beside(cls, output: str | None, source: str) -> "Skipped":
        """`RESULTS.skipped.jsonl`, or `INPUT.skipped.jsonl` where no results are written."""
        name = output if output and output != "-" else source if source != "-" else "stdin"
        return cls(f"{name.removesuffix('.jsonl')}.skipped.jsonl")

    def __call__(self, problem: Problem, line: dict[str, Any] | None) -> None:
        self.count += 1
        if self._output is None:
            self._output = Output(self.path, force=Path(self.path).exists())
        row = {"line": problem.line, "custom_id": problem.custom_id, "reason": problem.message, "request": line}
        self._output.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def finish(self, screen: Screen) -> None:
        """Say what was skipped, if anything was."""
        if self._output is not None:
            self._output.finish()
            lines = "1 line" if self.count == 1 else f"{self.count:,} lines"
            screen.say(f"Skipped {lines} that cannot be sent; see {self.path} for the reasons.", style="yellow")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._output is not None:
            self._output.__exit__(kind, error, trace)
