"""A last part too small for its provider takes requests from the one before it."""

from typing import TYPE_CHECKING

from bifrost_cli.core.roll import Roll, read
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
    seen, renamed = 0, ids.spools.new(f"{ids.name}-{new}")
    written = Roll(renamed)
    for part, id in read(ids.open()):
        seen += part == old
        written.add(new if part == old and seen > kept else part, id)
    written.end()
    return renamed
