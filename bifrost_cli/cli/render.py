"""What people and programs see. With `live`, the only module that prints.

stdout is data: tables on a terminal, else one JSON object per line in Anthropic's shapes. stderr is everything else.
"""

import shlex
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from bifrost_cli.cli.words import clean, describe, escaped, key_object, moment, size
from bifrost_cli.errors import BifrostError, InputError
from bifrost_cli.models import Batch, BatchResult, File

if TYPE_CHECKING:
    from bifrost_cli.cli.paper import Paper
    from bifrost_cli.core.plan import PlannedPart
    from bifrost_cli.core.reconcile import Settled
    from bifrost_cli.core.results import Audit
    from bifrost_cli.core.tenants import Key, Usage

ROWS = 100
SHOWN_FAILURES = 5


class Screen:
    """Where one command's output goes, and in which form."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.said: set[str] = set()

    @cached_property
    def out(self) -> "Paper":
        """stdout, for a person."""
        return _paper()

    @cached_property
    def err(self) -> "Paper":
        """stderr."""
        return _paper(stderr=True)

    @cached_property
    def rows(self) -> ModuleType:
        """What makes rows of values; loaded, as all that draws, where a person looks."""
        from bifrost_cli.cli import rows

        return rows

    @property
    def tables(self) -> bool:
        """A person looks at stdout."""
        return sys.stdout.isatty() and not self.json and not self.quiet

    @property
    def draws(self) -> bool:
        """A person looks at stderr, who is shown what happens."""
        return sys.stderr.isatty() and not self.quiet

    @property
    def objects(self) -> bool:
        """A program reads stdout, and not only ids."""
        return not self.tables and not self.quiet

    def say(self, message: str, style: str = "") -> None:
        """A line on stderr, unless only ids are wanted."""
        if self.draws:
            self.err.say(message, style)
        elif not self.quiet:
            sys.stderr.write(f"{clean(message)}\n")
            sys.stderr.flush()

    def say_once(self, message: str) -> None:
        """A line on stderr, if it has not been said."""
        if message not in self.said:
            self.said.add(message)
            self.say(message)

    @property
    def asks(self) -> bool:
        """A person is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

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
        text = escaped(text.decode()).encode() if sys.stdout.isatty() else text
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()

    def files(self, files: Sequence[File]) -> None:
        """Files, newest first."""
        if not self.tables:
            return self._lines(files)
        columns = ("ID", "Filename", ">Size", "Created", "Expires", "Purpose")
        self.out.table(columns, [self.rows.file_row(file) for file in files], "No files.")

    def file(self, file: File) -> None:
        """One file, in full."""
        self._facts(file, {"size_bytes": size(file.size_bytes)})

    def batches(self, batches: Sequence[Batch]) -> None:
        """Batches, newest first."""
        if not self.tables:
            return self._lines(batches)
        self.out.print(self.rows.batch_rows(batches), crop=False)

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
        self.out.parts(("Created ", ""), (batch.id, "bold"))

    def resumed(self, since: float) -> None:
        """These requests were submitted before, and that run goes on."""
        when = moment(datetime.fromtimestamp(since, UTC))
        self.say(f"Going on with the run of {when}, which had these same requests (--new makes another batch).")

    def deleted(self, id: str, kind: str) -> None:
        """An object that is gone; `kind` is `file` or `message_batch`."""
        if not self.tables:
            return self.line({"id": id, "type": f"{kind}_deleted"})
        self.out.say(f"Deleted {id}")

    def plan(self, parts: "Sequence[PlannedPart]") -> None:
        """What `batch create` would make: one row per provider batch."""
        summaries = [part.summary() for part in parts]
        if not self.tables:
            return self._lines(summaries)
        rows = [
            (s["provider"], s["model"] or "(mixed)", s["endpoint"], f"{s['requests']:,}", size(s["bytes"]))
            for s in summaries
        ]
        self.out.table(("Provider", "Model", "Endpoint", ">Requests", ">Bytes"), rows, "Nothing.")
        self.say("Nothing was submitted (--dry-run).")

    def settled(self, settled: "Sequence[Settled]") -> None:
        """What `batch reconcile` found out."""
        rows = [each.row() for each in settled]
        if not self.tables:
            return self._lines(rows)
        columns = ("Intent", "Provider", ">Requests", "Left at", "Source", "Outcome")
        cells = [self.rows.settled_row(row) for row in rows]
        self.out.table(columns, cells, "No open intents: the outcome of every create is known.")

    def providers(self, rows: Sequence[dict[str, Any]]) -> None:
        """What is configured, and what each provider offers."""
        if not self.tables:
            return self._lines(rows)
        cells = [
            (row["provider"], row["key"] or "-", row["key_from"] or "not set", row["base_url"],
             ", ".join(name for name, offered in row["capabilities"].items() if offered is True))
            for row in rows
        ]  # fmt: skip
        self.out.table(("Provider", "Key", "From", "Address", "Offers"), cells, "None.")

    def key_made(self, key: "Key", secret: str) -> None:
        """A virtual key, and its secret, which is not to be had again."""
        if self.quiet:
            return self._write(f"{secret}\n".encode())
        if not self.tables:
            return self.line({**key_object(key), "key": secret})
        self.out.say(secret)
        self.say("This is shown once. Callers send it as x-api-key, so it is what an SDK takes as its api_key.")

    def key_revoked(self, key: "Key") -> None:
        """A virtual key that lets nobody in any more."""
        if not self.tables:
            return self.line(key_object(key))
        self.out.say(f"Revoked {key.name} ({key.id})")

    def keys(self, keys: "Sequence[Key]") -> None:
        """Virtual keys, without their secrets."""
        if not self.tables:
            return self._lines([key_object(key) for key in keys])
        columns = ("Id", "Name", "State", "Providers", "Models", ">Calls/min", "Expires")
        self.out.table(
            columns, [self.rows.key_row(key) for key in keys], "No keys: the gateway takes any, from this machine."
        )

    def usage(self, rows: "Sequence[Usage]") -> None:
        """What virtual keys used."""
        if not self.tables:
            return self._lines([{"id": row.key, **row._asdict()} for row in rows])
        cells = [(row.day, row.key, *(f"{number:,}" for number in row[2:])) for row in rows]
        self.out.table(
            ("Day", "Key", ">Requests", ">Batches", ">Input tokens", ">Output tokens"), cells, "Nothing yet."
        )

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
        self.out.facts({name: fact for name, fact in facts.items() if fact is not None and name != "type"})

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
                self.out.table(self.rows.RESULT_COLUMNS, [self.rows.result_row(each) for each in block])
                block = []
        if block:
            self.out.table(self.rows.RESULT_COLUMNS, [self.rows.result_row(each) for each in block])

    async def result_lines(self, results: AsyncIterator[BatchResult]) -> None:
        """Results as they come, as lines whatever stdout is."""
        async for result in results:
            self._write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))

    def summary(self, id: str, audit: "Audit", failures: "Failures") -> None:
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
    if as_json:
        text = orjson.dumps(error_object(error), option=orjson.OPT_APPEND_NEWLINE).decode()
        sys.stderr.write(escaped(text) if sys.stderr.isatty() else text)
        return
    paper = _paper(stderr=True)
    if isinstance(error, InputError):
        for problem in error.problems:
            paper.say(problem.render(error.source))
        if (more := error.total - len(error.problems)) > 0:
            paper.say(f"… and {more:,} more.")
    request = f" (request {error.request_id})" if error.request_id else ""
    paper.parts(("error: ", "bold red"), (sentence(error), ""), (request, "dim"))


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
    paper = _paper(stderr=True)
    paper.say("\nInterrupted.")
    if resume:
        paper.say(f"Nothing was canceled. Go on with: {resume}")


def _paper(*, stderr: bool = False) -> "Paper":
    from bifrost_cli.cli.paper import Paper

    return Paper(stderr=stderr)
