"""From requests to parts: each is checked, encoded for its provider and spooled, before anything is sent.

A part becomes one provider batch. Requests go together that share provider, model (where a provider batch has one) and
endpoint, as many as the provider takes.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from types import TracebackType
from typing import Any, NamedTuple, Self

from bifrost_cli.bodies import Source
from bifrost_cli.core import jsonl, roll
from bifrost_cli.core.balance import balance
from bifrost_cli.core.ids import Marks, Numbers, repeated
from bifrost_cli.core.kept import Kept
from bifrost_cli.core.spool import Spool, Spools
from bifrost_cli.errors import (
    BifrostError,
    ForbiddenError,
    InputError,
    NotFoundError,
    Problem,
    UnsupportedError,
    UsageError,
)
from bifrost_cli.providers import HOME, PROVIDERS, load
from bifrost_cli.providers.base import Provider
from bifrost_cli.providers.encoder import Encoder, Line

SHOWN_PROBLEMS = 20
BLOCK = 64 * 1024
"""Bytes of lines that are put into a part at once, or a little more."""
Lines = Iterable[tuple[int, dict[str, Any] | Problem]]
"""Numbers, and what is there; numbers mostly follow each other."""
Skip = Callable[[Problem, dict[str, Any] | None], object]
ModelRoute = Callable[[str, str], tuple[str, str]]
"""The provider of a model, and its name there; the second argument is the provider where nothing names one."""
Admit = Callable[[str, dict[str, Any]], None]
"""Raises where who asks may not send these params to this provider."""


class Key(NamedTuple):
    """What the requests of a part share; `model` is empty where a provider batch may mix them."""

    provider: str
    model: str
    endpoint: str


@dataclass
class PlannedPart:
    """A provider batch to be: its spool holds the body that creates it, or `file_id` names an input uploaded before."""

    key: Key
    index: int
    spool: Spool
    provider: Provider = field(repr=False)
    file_id: str | None = None
    requests: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        framing = self.provider.framing
        self._before = framing.prefix
        self._end = len(framing.prefix) - len(framing.separator)  # None stands before the first line.

    def take(self, lines: list[bytes]) -> int:
        """Add lines; gives how many of them, the first, there was room for. One alone always has room."""
        limits, framing = self.provider.limits, self.provider.framing
        between = len(framing.separator)
        ends = list(accumulate([between + len(line) for line in lines], initial=self._end))
        fitting = bisect_right(ends, limits.max_bytes - len(framing.suffix), lo=1) - 1
        taken = max(min(fitting, limits.max_requests - self.requests), 0 if self.requests else 1)
        if taken:
            self.spool.add(self._before + framing.separator.join(lines[:taken]))
            self._before, self._end = framing.separator, ends[taken]
            self.requests += taken
        return taken

    def close(self) -> None:
        """No line follows."""
        self.spool.add(self.provider.framing.suffix)
        self.spool.end()
        self.recount(self.requests)

    def recount(self, requests: int) -> None:
        """Its spool has changed and holds so many."""
        self.requests, self.size = requests, self.spool.size

    def digest(self) -> str:
        """Of the whole spool; of nothing where there is none."""
        return "" if self.file_id else self.spool.digest()

    def source(self, on_read: Callable[[int], object] | None = None) -> Source:
        """The body, for the adapter to send."""
        return Source(self.spool.content, on_read) if on_read else Source(self.spool.content)

    def summary(self) -> dict[str, Any]:
        """One row of the plan, as `--dry-run --json` prints it."""
        model = self.key.model or None
        endpoint = self.key.endpoint
        return {
            "provider": self.key.provider,
            "model": model,
            "endpoint": endpoint,
            "requests": self.requests,
            "bytes": self.size,
        }


@dataclass
class Row:
    """Requests that follow each other and are of one kind: their ids, lines and bytes."""

    key: Key
    provider: Provider
    ids: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Plan:
    """The parts, and the ids in input order; spooled until `close`.

    `name` is the input's for messages, `source` its absolute path, `options` what its requests were encoded with. The
    spool `ids` is its roll.
    """

    def __init__(self, name: str, source: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.parts: list[PlannedPart] = []
        self.spools = Spools()
        self.ids = self.spools.new("ids")

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(part.requests for part in self.parts)

    @classmethod
    def of_file(cls, provider: Provider, file_id: str, endpoint: str) -> "Plan":
        """One part, whose input was uploaded before in the provider's own form; what is in it is not known here."""
        if not provider.capabilities.batch_from_file:
            raise UnsupportedError(
                f"{provider.title} makes no batch from an uploaded file.", hint="Give the JSONL itself instead."
            )
        plan = cls(file_id, file_id, {})
        plan.new_part(Key(provider.name, "", endpoint), provider).file_id = file_id
        return plan

    def fingerprint(self, addresses: Mapping[str, str]) -> str:
        """The same for the same requests going to the same places; `addresses` is by provider."""
        digest = blake2b(digest_size=16)
        for part in self.parts:
            parts = (*part.key, part.file_id, addresses[part.key.provider], part.digest())
            digest.update(repr(parts).encode())
        return digest.hexdigest()

    def new_part(self, key: Key, provider: Provider) -> PlannedPart:
        """An empty part."""
        index = len(self.parts)
        self.parts.append(PlannedPart(key, index, self.spools.new(f"part-{index}"), provider))
        return self.parts[index]

    def close(self) -> None:
        """Remove the spools."""
        self.spools.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass
class Planner:
    """Makes a plan from one input. `adapters` gives the adapter of a provider by name, `unit` is what messages call a
    line. Where `skip` is given, it is told of bad lines, and the plan is made of the good ones. `admit` is asked of
    each request; what it raises is no mistake of a line's, and ends the planning. `drop` are the fields that lines in a
    provider's own form may lose on their way to another."""

    adapters: Callable[[str], Provider]
    route: ModelRoute
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "line"
    skip: Skip | None = None
    admit: Admit | None = None
    drop: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)
    total_problems: int = 0
    _open: dict[Key, PlannedPart] = field(default_factory=dict)
    _ids: Marks = field(default_factory=Marks)

    def __post_init__(self) -> None:
        self._encoders = Kept(self._encoder)

    def plan(self, lines: Lines, plan: Plan) -> Plan:
        """Check and encode every line into `plan`. Raises InputError that lists what is wrong, with nothing kept."""
        try:
            self._fill(plan, lines)
            if not plan.parts and not self.problems:
                self._report(Problem(0, None, "there are no requests in it"))
            if self.problems and not (self.skip and plan.parts):
                raise InputError(plan.name, self.problems, self.total_problems)
            balance(plan)
            for part in plan.parts:
                part.provider.check_part(part.requests, part.key.model)
        except BaseException:
            plan.close()
            raise
        return plan

    def _fill(self, plan: Plan, lines: Lines) -> None:
        try:
            gaps = self._take(plan, lines)
            for part in self._open.values():
                part.close()
        except OSError as error:
            raise UsageError(
                f"The requests cannot be spooled to {tempfile.gettempdir()}: {error.strerror}.",
                hint="Make room there, or set TMPDIR to a folder that has it.",
            ) from error
        self._report_twins(plan, repeated((ids for _, ids in roll.rows(plan.ids.open())), plan.requests), gaps)

    def _take(self, plan: Plan, lines: Lines) -> Numbers:
        """Encode the good lines into parts, and report the others; gives the numbers of the good ones."""
        gaps, row = Numbers(), None
        for number, line in lines:
            if isinstance(line, Problem):
                self._report(line)
                continue
            try:
                provider, made = self.encode(line)
                if self.skip:
                    self._note_id(made.custom_id)
            except BifrostError as error:
                self._refuse(number, line, error)
                continue
            key = (provider.name, made.model if provider.limits.one_model else "", made.endpoint)
            if row is None or row.key != key or row.size > BLOCK:
                self._place(plan, row)
                row = Row(Key(*key), provider)
            row.ids.append(made.custom_id)
            row.lines.append(made.body)
            row.size += len(made.body)
            gaps.add(number)
        self._place(plan, row)
        plan.ids.end()
        return gaps

    def _place(self, plan: Plan, row: Row | None) -> None:
        """Put requests into the part of their kind that is open, and into new ones where they do not fit."""
        while row and row.ids:
            part = self._open.get(row.key) or plan.new_part(row.key, row.provider)
            taken = part.take(row.lines)
            plan.ids.add(roll.row(part.index, row.ids[:taken]))
            self._open[row.key] = part
            del row.ids[:taken], row.lines[:taken]
            if row.ids:
                part.close()
                del self._open[row.key]

    def _refuse(self, number: int, line: dict[str, Any], error: BifrostError) -> None:
        """Report a line that cannot be encoded. Raises an error that is no mistake of the line's."""
        if isinstance(error, ForbiddenError | NotFoundError):
            error.message = f"{self.unit}.{number} (custom_id {line.get('custom_id')}): {error.message}"
            raise error
        hint = f" {error.hint}" if error.hint else ""
        custom_id = line.get("custom_id")
        known = custom_id if isinstance(custom_id, str) else None
        self._report(Problem(number, known, error.message + hint, error.provider), line)

    def _note_id(self, custom_id: str) -> None:
        """Where bad lines are skipped, a repeated id is found at once, so that its line is not in the plan."""
        slot = self._ids.slot(custom_id)
        if self._ids.values[slot]:
            raise UsageError("this custom_id is already that of an earlier line; each must be unique")
        self._ids.values[slot] = 1

    def encode(self, line: dict[str, Any]) -> tuple[Provider, Line]:
        """A line of whatever form, for the provider it goes to. Raises BifrostError that says what is wrong with it."""
        if "params" not in line and (owner := owner_of(line)):
            if self._goes_to_owner(line, owner):
                return self.adapters(owner), self.adapters(owner).encode_own(line)
            line = {**load(owner).read_own(line, self.drop)}
        if self.defaults and isinstance(line.get("params"), dict):
            line["params"] = {**self.defaults, **line["params"]}
        if wrong := jsonl.check(line):
            raise UsageError(wrong)
        params = line["params"]
        adapter, params["model"], encoder = self._encoders.of(params)
        if wrong := jsonl.check_messages(params.get("messages")):
            raise UsageError(wrong)
        if self.admit:
            self.admit(adapter.name, params)
        return adapter, encoder.encode(line["custom_id"], params["messages"])

    def _encoder(self, params: dict[str, Any]) -> tuple[Provider, str, Encoder[Any]]:
        """Where requests with these settings go, their model's name there, and what encodes them."""
        if wrong := jsonl.check_settings(params):
            raise UsageError(wrong)
        provider, params["model"] = self.route(params["model"], HOME)
        adapter = self.adapters(provider)
        return adapter, params["model"], adapter.encoder(params)

    def _goes_to_owner(self, line: dict[str, Any], owner: str) -> bool:
        """Whether a line in a provider's own form goes to that provider; its model then loses the prefix."""
        body = load(owner).own_body(line)
        named = body.get("model")
        provider, model = self.route(named if isinstance(named, str) else "", owner)
        if provider == owner and model:
            body["model"] = model
        return provider == owner

    def _report(self, problem: Problem, line: dict[str, Any] | None = None) -> None:
        if self.skip:
            self.skip(problem, line)
        self.total_problems += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)

    def _report_twins(self, plan: Plan, hashes: set[int], gaps: Numbers) -> None:
        """Report the later comings of repeated ids, which are among those of these hashes."""
        if not hashes:
            return
        first: dict[str, int] = {}
        for position, (_, id) in enumerate(roll.read(plan.ids.open())):
            if hash(id) not in hashes:
                continue
            number = gaps.at(position)
            if (before := first.setdefault(id, number)) != number:
                message = f"this custom_id is already that of {self.unit} {before}; each must be unique"
                self._report(Problem(number, id, message))
        self.problems.sort(key=lambda problem: problem.line)


def owner_of(line: dict[str, Any]) -> str | None:
    """The provider in whose own batch form a line is, if it is in one."""
    return next((name for name in PROVIDERS if load(name).owns(line)), None)
