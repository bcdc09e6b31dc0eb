"""HTTP faults on demand: what goes wrong, where, and how often.

Several faults are written one after another, with `;` between them:

    KIND[=SECONDS][*TIMES][@[PROVIDER ][METHOD ]PATH]

    429*2@POST /v1/batches              the first two creates at any provider are refused
    429=0.5*1@anthropic POST .*         one refusal that says `retry-after: 0.5`
    reset-after@openai POST /v1/batches one create is carried out, and its answer never arrives
    cut*1@GET .*/content                one download breaks off half-way
    slow=0.2*@GET .*                    every answer dribbles in

KIND is one of

    429 500 502 503 504 529     answered so, in the vendor's shape, without carrying the request out
    reset-before                the connection closes before the request is carried out
    reset-after                 the request is carried out, then the connection closes without an answer
    slow                        the body is sent in small pieces, SECONDS apart (0.05)
    cut                         half of the body is sent, then the connection closes

SECONDS belongs to 429 (its `retry-after`; 1) and to `slow`. TIMES is how many requests are hit: 1 when absent,
all of them for a bare `*`. PROVIDER is an emulator's name, METHOD is in capitals, PATH is a regular expression
that must match the whole path as the vendor has it (`/v1/files`, without the emulator's prefix, without a query).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

STATUSES = (429, 500, 502, 503, 504, 529)
KINDS = (*map(str, STATUSES), "reset-before", "reset-after", "slow", "cut")
DEFAULT_SECONDS = {"429": 1.0, "slow": 0.05}
SYNTAX = "KIND[=SECONDS][*TIMES][@[PROVIDER ][METHOD ]PATH], with ';' between faults"
_FAULT = re.compile(r"(?P<kind>[a-z0-9-]+)(=(?P<seconds>[0-9.]+))?(?P<star>\*(?P<times>\d*))?(@(?P<where>.+))?")


class FaultSyntaxError(ValueError):
    """A fault that cannot be read; the message says what is expected."""


@dataclass(frozen=True)
class Fault:
    """One fault. `times` is how many requests it still hits, None for all; `provider` and `method` None for any."""

    kind: str
    times: int | None = 1
    provider: str | None = None
    method: str | None = None
    path: str = ".*"
    seconds: float = 0.0

    def hits(self, provider: str, method: str, path: str) -> bool:
        return (
            self.times != 0
            and self.provider in (None, provider)
            and self.method in (None, method)
            and re.fullmatch(self.path, path) is not None
        )

    @property
    def status(self) -> int | None:
        """The HTTP status that this fault answers with, if it is of that kind."""
        return int(self.kind) if self.kind.isdigit() else None


@dataclass
class Faults:
    """The faults of one running sandbox; safe to use from several threads."""

    active: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self.active.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self.active.clear()

    def take(self, provider: str, method: str, path: str) -> Fault | None:
        """The first fault that hits this request, if any; it counts as used up by one."""
        with self._lock:
            for position, fault in enumerate(self.active):
                if fault.hits(provider, method, path):
                    self._use(position, fault)
                    return fault
        return None

    def _use(self, position: int, fault: Fault) -> None:
        if fault.times is not None:
            self.active[position] = replace(fault, times=fault.times - 1)


def parse(text: str, providers: Iterable[str]) -> list[Fault]:
    """The faults written in `text`. Raises FaultSyntaxError."""
    return [_parse_one(part.strip(), frozenset(providers)) for part in text.split(";") if part.strip()]


def _parse_one(text: str, providers: frozenset[str]) -> Fault:
    match = _FAULT.fullmatch(text)
    if match is None:
        raise FaultSyntaxError(f"fault {text!r} cannot be read; expected {SYNTAX}")
    where = (match["where"] or ".*").split()
    provider = where.pop(0) if len(where) > 1 and where[0] in providers else None
    method = where.pop(0) if len(where) > 1 and where[0].isupper() else None
    if len(where) != 1:
        known = _list(sorted(providers))
        raise FaultSyntaxError(f"fault {text!r}: after '@' comes [PROVIDER ][METHOD ]PATH, with one of {known}")
    times = 1 if match["star"] is None else int(match["times"]) if match["times"] else None
    return _checked(Fault(match["kind"], times, provider, method, where[0], _seconds(match["seconds"], text)), text)


def _seconds(text: str | None, fault: str) -> float:
    try:
        return float(text) if text else 0.0
    except ValueError:
        raise FaultSyntaxError(f"fault {fault!r}: {text!r} is not a number of seconds") from None


def _checked(fault: Fault, text: str) -> Fault:
    if fault.kind not in KINDS:
        raise FaultSyntaxError(f"fault {text!r}: unknown kind {fault.kind!r}; expected one of {_list(KINDS)}")
    if fault.seconds and fault.kind not in DEFAULT_SECONDS:
        raise FaultSyntaxError(f"fault {text!r}: only {_list(DEFAULT_SECONDS)} take '=SECONDS'")
    try:
        re.compile(fault.path)
    except re.error as error:
        raise FaultSyntaxError(f"fault {text!r}: path {fault.path!r} is not a regular expression: {error}") from None
    return replace(fault, seconds=fault.seconds or DEFAULT_SECONDS.get(fault.kind, 0.0))


def from_json(value: Any, providers: Iterable[str]) -> list[Fault]:
    """The faults in a JSON value: text in the syntax above, an object with the members of `Fault`, or a list of
    these. `times` null means every time. Raises FaultSyntaxError."""
    if isinstance(value, list):
        return [fault for item in value for fault in from_json(item, providers)]
    if isinstance(value, str):
        return parse(value, providers)
    if isinstance(value, Mapping):
        return [_from_object(value, frozenset(providers))]
    raise FaultSyntaxError("a fault is a string, an object or a list of these")


def _from_object(value: Mapping[str, Any], providers: frozenset[str]) -> Fault:
    unknown = set(value) - {"kind", "times", "provider", "method", "path", "seconds"}
    if unknown:
        raise FaultSyntaxError(f"unknown members: {_list(sorted(unknown))}")
    if value.get("provider") not in (None, *providers):
        raise FaultSyntaxError(f"unknown provider {value['provider']!r}; expected one of {_list(sorted(providers))}")
    fault = Fault(**{**value, "kind": str(value.get("kind"))})
    if not isinstance(fault.times, int | None) or not isinstance(fault.path, str):
        raise FaultSyntaxError("'times' is a whole number or null, and 'path' is a string")
    if not isinstance(fault.seconds, int | float):
        raise FaultSyntaxError("'seconds' is a number")
    return _checked(fault, str(dict(value)))


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
