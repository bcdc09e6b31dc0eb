"""Open intents: creates that left, and whose outcome nobody noted. Each is looked up at its provider."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bifrost_cli.core.journal import OpenIntent
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.submit import settle
from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.base import Part

if TYPE_CHECKING:
    from bifrost_cli.core.bifrost import Bifrost


@dataclass(frozen=True)
class Settled:
    """What was found out about one intent: `created` with the batch's id, `absent`, or `open` with the reason."""

    intent: OpenIntent
    outcome: str
    id: str | None = None
    reason: str | None = None

    def row(self) -> dict[str, Any]:
        """As `batch reconcile --json` prints it."""
        part = self.intent.part
        return {
            "id": self.id,
            "intent": part.tag,
            "provider": part.provider,
            "requests": part.requests,
            "source": self.intent.source,
            "left_at": part.changed_at,
            "outcome": self.outcome,
            "reason": self.reason,
        }


async def reconcile(bifrost: "Bifrost") -> list[Settled]:
    """Settle every open intent of runs that no living process holds."""
    return [await _settle(bifrost, intent) for intent in bifrost.journal.open_intents()]


async def _settle(bifrost: "Bifrost", intent: OpenIntent) -> Settled:
    record = intent.part
    part = Part(record.model, record.endpoint, record.tag, record.requests)
    try:
        adapter = bifrost.ready(record.provider)
        if bifrost.address(record.provider) != record.address:
            return Settled(intent, "open", reason=f"it went to {record.address}, which is not the address now")
        batch = await settle(bifrost.journal, adapter, part, record)
    except BifrostError as error:
        return Settled(intent, "open", reason=str(error))
    if batch is None:
        await bifrost.journal.mark(record, "absent")
        return Settled(intent, "absent")
    return Settled(intent, "created", id=str(Ref(record.provider, batch.id)))
