"""From requests to parts: each is checked, encoded for its provider and spooled to disk, before anything is sent.

A part becomes one provider batch. Requests go together that share provider, model (where a provider batch has one) and
endpoint, as many as the provider takes.
"""

import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import orjson

from bifrost_cli.core import jsonl
from bifrost_cli.core.balance import balance
from bifrost_cli.errors import (
    BifrostError,
    ForbiddenError,
    InputError,
    NotFoundError,
    Problem,
    UnsupportedError,
    UsageError,
)
from bifrost_cli.models import Request
from bifrost_cli.providers import HOME, PROVIDERS, load
from bifrost_cli.providers.base import Line, Provider
from bifrost_cli.transport import Source

SHOWN_PROBLEMS = 20
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
    path: Path
    provider: Provider = field(repr=False)
    file_id: str | None = None
    requests: int = 0
    size: int = 0
    digest: "blake2b" = field(default_factory=blake2b, repr=False)
    _file: BinaryIO | None = field(default=None, repr=False)

    def fits(self, line: Line) -> bool:
        """Whether the provider takes one more line of this length."""
        limits, framing = self.provider.limits, self.provider.framing
        grown = self.size + len(framing.separator) + len(line.body) + len(framing.suffix)
        return self.requests < limits.max_requests and (grown <= limits.max_bytes or not self.requests)

    def add(self, line: Line) -> None:
        """Write a line to the spool."""
        framing = self.provider.framing
        before = framing.separator if self.requests else framing.prefix
        self._write(before + line.body)
        self.requests += 1

    def close(self) -> None:
        """No line follows."""
        self._write(self.provider.framing.suffix)
        self.abandon()

    def abandon(self) -> None:
        """Nothing more is written, be it whole or not."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def recount(self, requests: int) -> None:
        """Its spool has changed: count its bytes and digest anew."""
        self.requests, self.size, self.digest = requests, self.path.stat().st_size, blake2b()
        with self.path.open("rb") as file:
            while block := file.read(1024 * 1024):
                self.digest.update(block)

    def source(self, on_read: Callable[[int], object] | None = None) -> Source:
        """The body, for the adapter to send."""
        return Source(self.path, on_read) if on_read else Source(self.path)

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

    def _write(self, block: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("wb")
        self._file.write(block)
        self.digest.update(block)
        self.size += len(block)


class Plan:
    """The parts, and the ids in input order; on disk until `close`.

    `name` is the input's for messages, `source` its absolute path, `options` what its requests were encoded with. The
    file `ids` has a line per request, `INDEX "custom_id"`: the index of its part, and its id as JSON.
    """

    def __init__(self, name: str, source: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.parts: list[PlannedPart] = []
        self._folder = tempfile.TemporaryDirectory(prefix="bifrost-")
        self.ids_path = Path(self._folder.name) / "ids"

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
            parts = (*part.key, part.file_id, addresses[part.key.provider], part.digest.hexdigest())
            digest.update(repr(parts).encode())
        return digest.hexdigest()

    def new_part(self, key: Key, provider: Provider) -> PlannedPart:
        """An empty part."""
        index = len(self.parts)
        self.parts.append(PlannedPart(key, index, Path(self._folder.name) / f"part-{index}", provider))
        return self.parts[index]

    def close(self) -> None:
        """Remove the spools."""
        for part in self.parts:
            part.abandon()
        self._folder.cleanup()

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
    each request; what it raises is no mistake of a line's, and ends the planning."""

    adapters: Callable[[str], Provider]
    route: ModelRoute
    defaults: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "line"
    skip: Skip | None = None
    admit: Admit = lambda provider, params: None
    problems: list[Problem] = field(default_factory=list)
    total_problems: int = 0
    _open: dict[Key, PlannedPart] = field(default_factory=dict)
    _ids: set[int] = field(default_factory=set)

    def plan(self, lines: Iterable[tuple[int, dict[str, Any] | Problem]], plan: Plan) -> Plan:
        """Check and encode every line into `plan`. Raises InputError that lists what is wrong, with nothing kept."""
        try:
            self._fill(plan, lines)
            if self.total_problems:
                raise InputError(plan.name, self.problems, self.total_problems)
            if not plan.parts:
                raise InputError(plan.name, [Problem(0, None, "there are no requests in it")], 1)
            balance(plan)
            for part in plan.parts:
                part.provider.check_part(part.requests, part.key.model)
        except BaseException:
            plan.close()
            raise
        return plan

    def _fill(self, plan: Plan, lines: Iterable[tuple[int, dict[str, Any] | Problem]]) -> None:
        seen, numbers = jsonl.Ids(), array("L")
        try:
            with plan.ids_path.open("wb") as ids:
                for number, line in lines:
                    if encoded := self._encode(number, line):
                        part = self._place(plan, *encoded)
                        seen.add(encoded[1].custom_id)
                        numbers.append(number)
                        ids.write(b"%d %s\n" % (part.index, orjson.dumps(encoded[1].custom_id)))
            for part in self._open.values():
                part.close()
        except OSError as error:
            raise UsageError(
                f"The requests cannot be spooled to {plan.ids_path.parent}: {error.strerror}.",
                hint="Make room there, or set TMPDIR to a folder that has it.",
            ) from error
        self._report_twins(plan, seen, numbers)

    def _encode(self, number: int, line: dict[str, Any] | Problem) -> tuple[Provider, Line] | None:
        if isinstance(line, Problem):
            self._report(line, None)
            return None
        custom_id = line.get("custom_id")
        try:
            encoded = self._encode_line(line)
            if self.skip:
                self._note_id(encoded[1].custom_id)
            return encoded
        except (ForbiddenError, NotFoundError) as error:
            error.message = f"{self.unit}.{number} (custom_id {custom_id}): {error.message}"
            raise
        except BifrostError as error:
            hint = f" {error.hint}" if error.hint else ""
            known = custom_id if isinstance(custom_id, str) else None
            self._report(Problem(number, known, error.message + hint, error.provider), line)
            return None

    def _note_id(self, custom_id: str) -> None:
        """Where bad lines are skipped, a repeated id is found at once, so that its line is not in the plan."""
        key = jsonl.hash64(custom_id)
        if key in self._ids:
            raise UsageError("this custom_id is already that of an earlier line; each must be unique")
        self._ids.add(key)

    def _encode_line(self, line: dict[str, Any]) -> tuple[Provider, Line]:
        owner = None if "params" in line else owner_of(line)
        if owner is None:
            return self._encode_canonical(line)
        if self._goes_to_owner(line, owner):
            return self.adapters(owner), self.adapters(owner).encode_own(line)
        return self._encode_canonical({**load(owner).read_own(line)})

    def _goes_to_owner(self, line: dict[str, Any], owner: str) -> bool:
        """Whether a line in a provider's own form goes to that provider; its model then loses the prefix."""
        body = load(owner).own_body(line)
        named = body.get("model")
        provider, model = self.route(named if isinstance(named, str) else "", owner)
        if provider == owner and model:
            body["model"] = model
        return provider == owner

    def _encode_canonical(self, line: dict[str, Any]) -> tuple[Provider, Line]:
        if self.defaults and isinstance(line.get("params"), dict):
            line["params"] = {**self.defaults, **line["params"]}
        if wrong := jsonl.check(line):
            raise UsageError(wrong)
        provider, line["params"]["model"] = self.route(line["params"]["model"], HOME)
        self.admit(provider, line["params"])
        adapter = self.adapters(provider)
        return adapter, adapter.encode(Request(custom_id=line["custom_id"], params=line["params"]))

    def _place(self, plan: Plan, provider: Provider, line: Line) -> PlannedPart:
        model = line.model if provider.limits.one_model else ""
        key = Key(provider.name, model, line.endpoint)
        part = self._open.get(key)
        if part is None or not part.fits(line):
            if part:
                part.close()
            part = self._open[key] = plan.new_part(key, provider)
        part.add(line)
        return part

    def _report(self, problem: Problem, line: dict[str, Any] | None = None) -> None:
        if self.skip:
            self.skip(problem, line)
            return
        self.total_problems += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)

    def _report_twins(self, plan: Plan, seen: jsonl.Ids, numbers: "array[int]") -> None:
        twins = seen.twins()
        ids = _ids_at(plan.ids_path, {position for pair in twins for position in pair})
        for later, first in twins:
            if ids[later] == ids[first]:
                message = f"this custom_id is already that of {self.unit} {numbers[first]}; each must be unique"
                self._report(Problem(numbers[later], ids[later], message))
        self.problems.sort(key=lambda problem: problem.line)


def owner_of(line: dict[str, Any]) -> str | None:
    """The provider in whose own batch form a line is, if it is in one."""
    return next((name for name in PROVIDERS if load(name).owns(line)), None)


def _ids_at(path: Path, positions: set[int]) -> dict[int, str]:
    if not positions:
        return {}
    return {position: id for position, (_, id) in enumerate(read_ids(path.open("rb"))) if position in positions}


def read_ids(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Each request's part and id, in input order."""
    with stream:
        for line in stream:
            index, _, id = line.partition(b" ")
            yield int(index), orjson.loads(id)
