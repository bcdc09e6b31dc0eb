"""Rows of values that fit the terminal."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bifrost_cli.cli.words import answer, clean, elapsed, moment, size
from bifrost_cli.models import Batch, BatchResult, File

if TYPE_CHECKING:
    from bifrost_cli.core.tenants import Key

GAP = 2
FOLDED = 20
BATCH_COLUMNS = ("ID", "Status", ">Requests", ">Succeeded", ">Failed", "Created", ">Elapsed")
RESULT_COLUMNS = ("custom_id", "Outcome", "Answer…")
COLOURS = {
    "ended": "green",
    "in_progress": "yellow",
    "canceling": "magenta",
    "succeeded": "green",
    "errored": "red",
    "canceled": "magenta",
    "expired": "yellow",
    "active": "green",
    "revoked": "red",
}


def file_row(file: File) -> list[str]:
    """One row of the list of files."""
    times = (moment(file.created_at), moment(file.expires_at))
    return [file.id, file.filename, size(file.size_bytes), *times, file.purpose or "-"]


def settled_row(row: dict[str, Any]) -> list[str]:
    """One row of what `batch reconcile` found out."""
    left_at = moment(datetime.fromtimestamp(row["left_at"], UTC))
    outcome = row["id"] or row["reason"] or "never arrived"
    return [row["intent"], row["provider"], f"{row['requests']:,}", left_at, row["source"], outcome]


def key_row(key: "Key") -> list[str | Text]:
    """One row of the list of virtual keys."""
    state = key.state(time.time())
    rules = (", ".join(key.providers) or "all", ", ".join(key.models) or "all", f"{key.rpm:,}" if key.rpm else "-")
    shown = Text(state + (", sees all" if key.sees_all else ""), style=COLOURS[state])
    expires = moment(datetime.fromtimestamp(key.expires_at, UTC)) if key.expires_at else "-"
    return [key.id, key.name, shown, *rules, expires]


def batch_rows(batches: Sequence[Batch]) -> "Rows | str":
    """Batches as rows."""
    return Rows(BATCH_COLUMNS, [batch_row(batch) for batch in batches]) if batches else "No batches."


def batch_row(batch: Batch) -> list[str | Text]:
    """One row of the list of batches."""
    counts = batch.request_counts
    status = Text(batch.processing_status, style=COLOURS[batch.processing_status])
    if batch.provider_status and batch.provider_status != batch.processing_status:
        status.append(f" ({clean(batch.provider_status)})", style="dim")
    numbers = (f"{counts.total:,}", f"{counts.succeeded:,}", f"{counts.done - counts.succeeded:,}")
    return [batch.id, status, *numbers, moment(batch.created_at), elapsed(batch)]


def result_row(line: BatchResult) -> list[str | Text]:
    """One row of results."""
    outcome = line["result"]["type"]
    return [line["custom_id"], Text(outcome, style=COLOURS.get(outcome, "")), answer(line["result"])]


class Rows:
    """Rows side by side under their titles; where the terminal is too narrow for that, a block for each.

    The first column is an id, and never cut. A title that begins with `>` is one of numbers; one that ends with `…` is
    of a text that is cut at the edge.
    """

    def __init__(self, titles: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        self.titles = [title.strip(">…") for title in titles]
        self.numeric = [title.startswith(">") for title in titles]
        self.cut = [title.endswith("…") for title in titles]
        self.rows = [[Text(clean(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(zip(map(Text, self.titles), *self.rows, strict=True))
        if least_room(columns) <= options.max_width:
            yield self._table(columns, options.max_width)
        else:
            for row in self.rows:
                yield Text(row[0].plain, style="bold", no_wrap=True, overflow="ignore")
                yield Padding(self._others(row, options.max_width - GAP), (0, 0, 0, GAP))

    def _table(self, columns: Sequence[Sequence[Text]], width: int) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False)
        widths = [max(cell.cell_len for cell in column) for column in columns]
        left = width - sum(GAP + each for each, cut in zip(widths, self.cut, strict=True) if not cut)
        for index, title in enumerate(self.titles):
            justify: Any = "right" if self.numeric[index] else "left"
            if self.cut[index]:
                table.add_column(title, overflow="ellipsis", no_wrap=True, max_width=left)
            else:
                table.add_column(title, overflow="fold", no_wrap=index == 0, justify=justify)
        for row in self.rows:
            table.add_row(*row)
        return table

    def _others(self, row: Sequence[Text], width: int) -> Text:
        """All but the id, as many to a line as fit."""
        facts = [Text.assemble((f"{title} ", "dim"), cell) for title, cell in zip(self.titles, row, strict=True)][1:]
        lines = [facts[0]]
        for fact, cut in zip(facts[1:], self.cut[2:], strict=True):
            if cut or lines[-1].cell_len + GAP + fact.cell_len <= width:
                lines[-1] = Text.assemble(lines[-1], " " * GAP, fact)
            else:
                lines.append(fact)
        cut_off = any(self.cut)
        return Text("\n", no_wrap=cut_off, overflow="ellipsis" if cut_off else "fold").join(lines)


def least_room(columns: Sequence[Sequence[Text]]) -> int:
    """The least width in which a table can be read: ids whole, other words folded only where they are long."""
    ids, *others = columns
    words = [[word for cell in column for word in cell.plain.split()] for column in others]
    return max(id.cell_len for id in ids) + sum(GAP + min(FOLDED, max(map(cell_len, column))) for column in words)
