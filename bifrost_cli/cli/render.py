"""What people and programs see. With `live`, the only module that prints.

stdout is data: tables on a terminal, else one JSON object per line in Anthropic's shapes. stderr is everything else.
"""

import shlex
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from bifrost_cli.cli.rows import (
    GAP,
    RESULT_COLUMNS,
    Rows,
    batch_rows,
    clean,
    describe,
    escaped,
    file_row,
    key_object,
    key_row,
    moment,
    result_row,
    settled_row,
    show,
    size,
)
from bifrost_cli.core.plan import PlannedPart
from bifrost_cli.core.reconcile import Settled
from bifrost_cli.core.results import Audit
from bifrost_cli.core.tenants import Key, Usage
from bifrost_cli.errors import BifrostError, InputError
from bifrost_cli.models import Batch, BatchResult, File

ROWS = 100
SHOWN_FAILURES = 5


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

    @property
    def objects(self) -> bool:
        """A program reads stdout, and not only ids."""
        return not self.tables and not self.quiet

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
        text = escaped(text.decode()).encode() if self.out.is_terminal else text
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
        self.out.print(batch_rows(batches), crop=False)

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

    def key_made(self, key: Key, secret: str) -> None:
        """A virtual key, and its secret, which is not to be had again."""
        if self.quiet:
            return self._write(f"{secret}\n".encode())
        if not self.tables:
            return self.line({**key_object(key), "key": secret})
        self.out.print(secret, soft_wrap=True)
        self.say("This is shown once. Callers send it as x-api-key, so it is what an SDK takes as its api_key.")

    def key_revoked(self, key: Key) -> None:
        """A virtual key that lets nobody in any more."""
        if not self.tables:
            return self.line(key_object(key))
        self.out.print(Text(clean(f"Revoked {key.name} ({key.id})")), soft_wrap=True)

    def keys(self, keys: Sequence[Key]) -> None:
        """Virtual keys, without their secrets."""
        if not self.tables:
            return self._lines([key_object(key) for key in keys])
        columns = ("Id", "Name", "State", "Providers", "Models", ">Calls/min", "Expires")
        self._table(columns, [key_row(key) for key in keys], "No keys: the gateway takes any, from this machine.")

    def usage(self, rows: Sequence[Usage]) -> None:
        """What virtual keys used."""
        if not self.tables:
            return self._lines([{"id": row.key, **row._asdict()} for row in rows])
        cells = [(row.day, row.key, *(f"{number:,}" for number in row[2:])) for row in rows]
        self._table(("Day", "Key", ">Requests", ">Batches", ">Input tokens", ">Output tokens"), cells, "Nothing yet.")

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
        text = orjson.dumps(error_object(error), option=orjson.OPT_APPEND_NEWLINE).decode()
        sys.stderr.write(escaped(text) if console.is_terminal else text)
        return
    if isinstance(error, InputError):
        for problem in error.problems:
            console.print(Text(clean(problem.render(error.source))), soft_wrap=True)
        if (more := error.total - len(error.problems)) > 0:
            console.print(f"… and {more:,} more.")
    message = Text.assemble(("error: ", "bold red"), clean(sentence(error)))
    if error.request_id:
        message.append(f" (request {clean(error.request_id)})", style="dim")
    console.print(message, soft_wrap=True)


def sentence(error: BifrostError) -> str:
    """The message and what to do next; a provider's message may lack its full stop."""
    stop = "" if not error.hint or error.message.endswith((".", "!", "?", ":")) else "."
    return f"{error.message}{stop} {error.hint or ''}".rstrip()


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
