"""A last part too small for its provider takes requests from the one before it."""

from typing import TYPE_CHECKING

from bifrost_cli.core.roll import row, rows
from bifrost_cli.core.spool import Spool

if TYPE_CHECKING:
    from bifrost_cli.core.plan import Plan, PlannedPart


def balance(plan: "Plan") -> None:
    """Even out parts below their provider's minimum, where requests of one kind were split; leave the others."""
    for part in plan.parts:
        least = part.provider.limits.min_requests
        before = next((other for other in reversed(plan.parts[: part.index]) if other.key == part.key), None)
        if part.requests < least and before and before.requests + part.requests >= 2 * least:
            _move(plan, before, part, least - part.requests)


def _move(plan: "Plan", before: "PlannedPart", part: "PlannedPart", number: int) -> None:
    """The last `number` lines of one part become the first of the next. Lines end with LF where there is a minimum."""
    kept = before.requests - number
    with before.spool.open() as file:
        for _ in range(kept):
            file.readline()
        cut, moved = file.tell(), file.read()
    part.spool.replace(moved + part.spool.read())
    before.spool.truncate(cut)
    before.recount(kept)
    part.recount(part.requests + number)
    plan.ids = _renamed(plan.ids, before.index, part.index, kept)


def _renamed(ids: Spool, old: int, new: int, kept: int) -> Spool:
    """Ids of part `old` beyond the first `kept` are of part `new` now."""
    left, renamed = kept, ids.spools.new(f"{ids.name}-{new}")
    for part, names in rows(ids.open()):
        stay = left if part == old else len(names)
        renamed.add(row(part, names[:stay]) + row(new, names[stay:]))
        if part == old:
            left = max(0, left - len(names))
    renamed.end()
    return renamed
