"""Where a person reads: a terminal's stdout or stderr."""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from bifrost_cli.cli.rows import GAP, Rows
from bifrost_cli.cli.words import clean, show


class Paper(Console):
    """A terminal only where it is one, whatever the environment says; a broken pipe is the root command's to see."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, highlight=False, force_terminal=stream.isatty())

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError

    def say(self, message: str, style: str = "") -> None:
        """A line, from whatever source, that is not broken."""
        self.print(Text(clean(message), style=style), soft_wrap=True)

    def parts(self, *parts: tuple[str, str]) -> None:
        """A line of parts, each with its style."""
        self.print(Text.assemble(*((clean(text), style) for text, style in parts)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], empty: str = "") -> None:
        """Rows below their titles (see Rows), or what to say where there are none."""
        self.print(Rows(columns, rows) if rows else empty, crop=False)

    def facts(self, facts: Mapping[str, object]) -> None:
        """A name and a value a line; values of several lines stay in their column."""
        width = max(map(len, facts)) + GAP
        for name, fact in facts.items():
            said = show(fact).replace("\n", "\n" + " " * width)
            self.parts((name.ljust(width), "dim"), (said, ""))
