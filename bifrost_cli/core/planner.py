"""From requests to a plan: each is checked and encoded for its provider, before anything is sent."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bifrost_cli.core import jsonl, roll
from bifrost_cli.core.balance import balance
from bifrost_cli.core.ids import Marks, Numbers, repeated
from bifrost_cli.core.jsonl import Lines
from bifrost_cli.core.kept import Kept
from bifrost_cli.core.plan import Key, Plan, Row
from bifrost_cli.errors import BifrostError, ForbiddenError, InputError, NotFoundError, Problem, UsageError
from bifrost_cli.providers import HOME, PROVIDERS, load
from bifrost_cli.providers.base import Provider
from bifrost_cli.providers.encoder import Encoder, Kind, Line

SHOWN_PROBLEMS = 20
BLOCK = 64 * 1024
"""Bytes of lines that are put into a part at once, or a little more."""
Skip = Callable[[Problem, dict[str, Any] | None], object]
ModelRoute = Callable[[str, str], tuple[str, str]]
"""The provider of a model, and its name there; the second argument is the provider where nothing names one."""
Admit = Callable[[str, dict[str, Any]], None]
"""Raises where who asks may not send these params to this provider."""


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
            plan.end()
        except OSError as error:
            raise UsageError(
                f"The requests cannot be spooled to {tempfile.gettempdir()}: {error.strerror}.",
                hint="Make room there, or set TMPDIR to a folder that has it.",
            ) from error
        self._report_twins(plan, repeated((ids for _, ids in roll.rows(plan.ids.open())), plan.requests), gaps)

    def _take(self, plan: Plan, lines: Lines) -> Numbers:
        """Encode the good lines into parts, and report the others; gives the numbers of the good ones."""
        gaps, expected = Numbers(), -1
        row: Row | None = None
        kind: Kind | None = None
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
            if row is None or made.kind is not kind or row.size > BLOCK:
                row, kind = self._row(plan, row, provider, made.kind), made.kind
            row.ids.append(made.custom_id)
            row.lines.append(made.body)
            row.size += len(made.body)
            if number != expected:
                gaps.jump(expected, number)
            expected = number + 1
        if row:
            plan.add(row)
        return gaps

    def _row(self, plan: Plan, row: Row | None, provider: Provider, kind: Kind) -> Row:
        """Where a request of that kind goes: the row at hand, or another, for which that is put into the plan."""
        key = Key(provider.name, kind.model if provider.limits.one_model else "", kind.endpoint)
        if row is not None:
            if row.key == key and row.size <= BLOCK:
                return row
            plan.add(row)
        return Row(key, provider)

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
