"""What people and programs see. With `live`, the only module that prints.

stdout is data: tables on a terminal, else one JSON object per line in Anthropic's shapes. stderr is everything else.
"""

import re
import shlex
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bifrost_cli.core.plan import PlannedPart
from bifrost_cli.core.reconcile import Settled
from bifrost_cli.core.results import Audit
from bifrost_cli.errors import BifrostError, InputError
from bifrost_cli.models import Batch, BatchResult, File

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ROWS = 100
GAP = 2
FOLDED = 20
SHOWN_FAILURES = 5
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
}


class Paper(Console):
    """A terminal only where it is one, whatever the environment says; a broken pipe is the root command's to see."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(stderr=stderr, highlight=False, force_terminal=stream.isatty())

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Screen:
    """Where one command's output goes, and in which form."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.said: set[str] = set()
        self.out = Paper()
        self.err = Paper(stderr=True)

    @property
    def tables(self) -> bool:
        """A person looks at stdout."""
        return self.out.is_terminal and not self.json and not self.quiet

    def say(self, message: str, style: str = "") -> None:
        """A line on stderr, unless only ids are wanted."""
        if not self.quiet:
            self.err.print(Text(clean(message), style=style), soft_wrap=True)

    def say_once(self, message: str) -> None:
        """A line on stderr, if it has not been said."""
        if message not in self.said:
            self.said.add(message)
            self.say(message)

    @property
    def asks(self) -> bool:
        """A person is there to answer a question."""
        return sys.stdin.isatty() and self.err.is_terminal

    # -- objects ------------------------------------------------------------------------------------------------

    def line(self, value: dict[str, Any] | BaseModel) -> None:
        """One object as JSON, or its id where only ids are wanted."""
        data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        if not self.quiet:
            self._write(orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE))
        elif id := data.get("id") or data.get("custom_id"):
            self._write(f"{id}\n".encode())

    def _write(self, text: bytes) -> None:
        """Text as UTF-8, whatever the locale."""
        if self.out.is_terminal:
            text = CONTROL.sub(
                lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text.decode()
            ).encode()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()

    def files(self, files: Sequence[File]) -> None:
        """Files, newest first."""
        if not self.tables:
            return self._lines(files)
        columns = ("ID", "Filename", ">Size", "Created", "Expires", "Purpose")
        self._table(columns, [file_row(file) for file in files], "No files.")

    def file(self, file: File) -> None:
        """One file, in full."""
        self._facts(file, {"size_bytes": size(file.size_bytes)})

    def batches(self, batches: Sequence[Batch]) -> None:
        """Batches, newest first."""
        if not self.tables:
            return self._lines(batches)
        self.out.print(batch_rows(batches) if batches else "No batches.", crop=False)

    def batch(self, batch: Batch) -> None:
        """One batch, in full."""
        counts = batch.request_counts.model_dump()
        said = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "not counted yet"
        errors = "\n".join(f"{error.message} ({error.code})" for error in batch.errors or []) or None
        self._facts(batch, {"request_counts": said, "errors": errors})

    def created(self, batch: Batch) -> None:
        """A batch that exists now."""
        if not self.tables:
            return self.line(batch)
        self.out.print(Text.assemble("Created ", (batch.id, "bold")), soft_wrap=True)

    def resumed(self, since: float) -> None:
        """These requests were submitted before, and that run goes on."""
        when = moment(datetime.fromtimestamp(since, UTC))
        self.say(f"Going on with the run of {when}, which had these same requests (--new makes another batch).")

    def deleted(self, id: str, kind: str) -> None:
        """An object that is gone; `kind` is `file` or `message_batch`."""
        if not self.tables:
            return self.line({"id": id, "type": f"{kind}_deleted"})
        self.out.print(f"Deleted {id}", soft_wrap=True)

    def plan(self, parts: Sequence[PlannedPart]) -> None:
        """What `batch create` would make: one row per provider batch."""
        summaries = [part.summary() for part in parts]
        if not self.tables:
            return self._lines(summaries)
        rows = [
            (s["provider"], s["model"] or "(mixed)", s["endpoint"], f"{s['requests']:,}", size(s["bytes"]))
            for s in summaries
        ]
        self._table(("Provider", "Model", "Endpoint", ">Requests", ">Bytes"), rows, "Nothing.")
        self.say("Nothing was submitted (--dry-run).")

    def settled(self, settled: Sequence[Settled]) -> None:
        """What `batch reconcile` found out."""
        rows = [each.row() for each in settled]
        if not self.tables:
            return self._lines(rows)
        columns = ("Intent", "Provider", ">Requests", "Left at", "Source", "Outcome")
        cells = [settled_row(row) for row in rows]
        self._table(columns, cells, "No open intents: the outcome of every create is known.")

    def providers(self, rows: Sequence[dict[str, Any]]) -> None:
        """What is configured, and what each provider offers."""
        if not self.tables:
            return self._lines(rows)
        cells = [
            (row["provider"], row["key"] or "-", row["key_from"] or "not set", row["base_url"],
             ", ".join(name for name, offered in row["capabilities"].items() if offered is True))
            for row in rows
        ]  # fmt: skip
        self._table(("Provider", "Key", "From", "Address", "Offers"), cells, "None.")

    def exports(self, variables: Mapping[str, str]) -> None:
        """Environment variables, as a shell reads them."""
        if self.json:
            return self._write(orjson.dumps(dict(variables), option=orjson.OPT_APPEND_NEWLINE))
        for name, value in variables.items():
            self._write(f"export {name}={shlex.quote(value)}\n".encode())

    def _lines(self, values: Iterable[dict[str, Any] | BaseModel]) -> None:
        for value in values:
            self.line(value)

    def _facts(self, value: BaseModel, shown: dict[str, str | None]) -> None:
        if not self.tables:
            return self.line(value)
        facts = {**value.model_dump(mode="python"), **shown}
        facts = {name: fact for name, fact in facts.items() if fact is not None and name != "type"}
        width = max(map(len, facts))
        for name, fact in facts.items():
            said = clean(show(fact)).replace("\n", "\n" + " " * (width + GAP))
            self.out.print(Text.assemble((name.ljust(width + GAP), "dim"), said), soft_wrap=True)

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], empty: str) -> None:
        self.out.print(Rows(columns, rows) if rows else empty, crop=False)

    # -- results ------------------------------------------------------------------------------------------------

    async def results(self, results: AsyncIterator[BatchResult]) -> None:
        """Results as they come: rows in blocks on a terminal, else lines."""
        block: list[BatchResult] = []
        async for result in results:
            if not self.tables:
                self.line(dict(result))
                continue
            block.append(result)
            if len(block) == ROWS:
                self._table(RESULT_COLUMNS, [result_row(each) for each in block], "")
                block = []
        if block:
            self._table(RESULT_COLUMNS, [result_row(each) for each in block], "")

    async def result_lines(self, results: AsyncIterator[BatchResult]) -> None:
        """Results as they come, as lines whatever stdout is."""
        async for result in results:
            self._write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))

    def summary(self, id: str, audit: Audit, failures: "Failures") -> None:
        """How a results run came out, on stderr: numbers, and why requests failed."""
        outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(audit.outcomes.items()))
        self.say(f"{id}: {audit.expected:,} in, {audit.out:,} out: {outcomes or 'nothing'}.")
        for reason, count in failures.reasons.most_common(SHOWN_FAILURES):
            self.say(f"  {count:,} × {reason} (for example {failures.example[reason]})", style="red")


class Failures:
    """Why requests did not succeed: the reasons counted, with an example of each."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.example: dict[str, str] = {}

    def note(self, result: BatchResult) -> None:
        """Look at one result."""
        outcome = result["result"]
        if outcome["type"] == "succeeded":
            return
        reason = describe(outcome)
        if reason in self.reasons or len(self.reasons) < 1000:
            self.reasons[reason] += 1
            self.example.setdefault(reason, result["custom_id"])


def error(error: BifrostError, *, as_json: bool) -> None:
    """What failed, why and what to do, on stderr."""
    console = Paper(stderr=True)
    if as_json:
        sys.stderr.write(orjson.dumps(error_object(error), option=orjson.OPT_APPEND_NEWLINE).decode())
        return
    if isinstance(error, InputError):
        for problem in error.problems:
            console.print(Text(clean(problem.render(error.source))), soft_wrap=True)
        if (more := error.total - len(error.problems)) > 0:
            console.print(f"… and {more:,} more.")
    message = Text.assemble(("error: ", "bold red"), clean(str(error)))
    if error.request_id:
        message.append(f" (request {clean(error.request_id)})", style="dim")
    console.print(message, soft_wrap=True)


def error_object(error: BifrostError) -> dict[str, Any]:
    """An error as `--json` prints it: Anthropic's envelope, with what to do next and the exit code."""
    body: dict[str, Any] = {name: getattr(error, name) for name in ("type", "message", "hint", "provider")}
    if isinstance(error, InputError):
        body["problems"] = [problem._asdict() for problem in error.problems]
        body["total_problems"] = error.total
    return {"type": "error", "error": body, "request_id": error.request_id, "exit_code": error.exit_code}


def interrupted(resume: str | None) -> None:
    """Ctrl-C: nothing was canceled, and this is how to go on."""
    console = Paper(stderr=True)
    console.print("\nInterrupted.", soft_wrap=True)
    if resume:
        console.print(Text(clean(f"Nothing was canceled. Go on with: {resume}")), soft_wrap=True)


# -- values -----------------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Text from outside, without characters that steer a terminal. Line ends stay."""
    return CONTROL.sub(lambda found: found[0] if found[0] == "\n" else "�", text.replace("\t", "    "))


def show(value: object) -> str:
    """A value for a person."""
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(time: datetime | None) -> str:
    """Local time, to the second; `-` where there is none."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else "-"


def size(number: int) -> str:
    """`1.2 MB`."""
    amount = float(number)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def elapsed(batch: Batch) -> str:
    """How long a batch has run, or ran: `1:02:03`."""
    seconds = int(((batch.ended_at or datetime.now(UTC)) - batch.created_at).total_seconds())
    return f"{max(0, seconds) // 3600}:{max(0, seconds) // 60 % 60:02}:{max(0, seconds) % 60:02}"


def describe(result: Any) -> str:
    """Why a request has no message."""
    if result["type"] != "errored":
        return str(result["type"])
    inner = result["error"]["error"]
    return " ".join(clean(f"{inner['type']}: {inner['message']}").split())


def answer(result: Any) -> str:
    """What a request came to, in one line."""
    if result["type"] != "succeeded":
        return describe(result)
    said = []
    for block in result["message"].get("content") or []:
        if block.get("type") == "text":
            said.append(block["text"])
        elif block.get("type") == "tool_use":
            said.append(f"{block['name']}({orjson.dumps(block['input']).decode()})")
    return " ".join(clean(" ".join(said)).split()) or f"({result['message'].get('stop_reason') or 'no text'})"


def file_row(file: File) -> list[str]:
    """One row of the list of files."""
    times = (moment(file.created_at), moment(file.expires_at))
    return [file.id, file.filename, size(file.size_bytes), *times, file.purpose or "-"]


def settled_row(row: dict[str, Any]) -> list[str]:
    """One row of what `batch reconcile` found out."""
    left_at = moment(datetime.fromtimestamp(row["left_at"], UTC))
    outcome = row["id"] or row["reason"] or "never arrived"
    return [row["intent"], row["provider"], f"{row['requests']:,}", left_at, row["source"], outcome]


def batch_rows(batches: Sequence[Batch]) -> "Rows":
    """Batches as rows."""
    return Rows(BATCH_COLUMNS, [batch_row(batch) for batch in batches])


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
        if self._room() <= options.max_width:
            yield self._table()
        else:
            for row in self.rows:
                yield Text(row[0].plain, style="bold", no_wrap=True, overflow="ignore")
                yield Padding(self._others(row), (0, 0, 0, GAP))

    def _room(self) -> int:
        """The least width in which a table can be read: ids whole, other words folded only where they are long."""
        ids = max(row[0].cell_len for row in self.rows)
        columns = zip(self.titles, *self.rows, strict=True)
        words = [[word for cell in column for word in str(cell).split()] for column in columns][1:]
        return ids + sum(GAP + min(FOLDED, max(map(cell_len, column))) for column in words)

    def _table(self) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for index, title in enumerate(self.titles):
            overflow: Any = "ellipsis" if self.cut[index] else "fold"
            justify: Any = "right" if self.numeric[index] else "left"
            table.add_column(title, justify=justify, overflow=overflow, no_wrap=index == 0 or self.cut[index])
        for row in self.rows:
            table.add_row(*row)
        return table

    def _others(self, row: Sequence[Text]) -> Text:
        facts = [Text.assemble((f"{title} ", "dim"), cell) for title, cell in zip(self.titles, row, strict=True)]
        said = Text(" " * GAP).join(facts[1:])
        said.no_wrap, said.overflow = any(self.cut), "ellipsis" if any(self.cut) else "fold"
        return said
