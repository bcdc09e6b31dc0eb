"""The events of ConverseStream as Anthropic's (shapes recorded 2025–2026).

Only a tool call has a contentBlockStart; text and reasoning begin with their first piece.
"""

from base64 import b64decode, b64encode
from typing import Any

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.bedrock import converse, model
from bifrost_cli.providers.bedrock.answers import member, safe, text
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.events import Made, Message, blank

Said = dict[str, Any]


class ConverseStream:
    """One answer being told; `request`, `name` and `id` as in `converse.decode`.

    Its end is told with `metadata`, the last event, which has the usage. Signatures and encrypted reasoning are held
    back until their block ends: readers take each for whole.
    """

    def __init__(self, request: Any, name: str, id: str) -> None:
        self.request = request
        self.name = name
        self.id = id
        self.message = Message(lambda: blank(converse.message_id(id), model.short(name)))
        self.index: Any = None
        self.signature = ""
        self.redacted: list[str] = []
        self.reason = ""

    def tell(self, kind: str, said: Said) -> Made:
        """The events that one event comes to, which may be none."""
        if kind in TELLERS:
            yield from TELLERS[kind](self, said)

    def _begun(self, said: Said) -> Made:
        yield from self._moved(said)
        call = member(said, "start", "toolUse")
        if isinstance(call, dict):
            yield from self.message.call(safe(text(call.get("toolUseId"))), text(call.get("name")))

    def _piece(self, said: Said) -> Made:
        yield from self._moved(said)
        yield from self.message.say(text(member(said, "delta", "text")))
        yield from self._thought(member(said, "delta", "reasoningContent"))
        piece = text(member(said, "delta", "toolUse", "input"))
        if piece and self.message.open == "tool_use":
            yield from self.message.delta("input_json_delta", partial_json=piece)

    def _thought(self, said: Any) -> Made:
        yield from self.message.think(text(member(said, "text")))
        self.signature += text(member(said, "signature"))
        if redacted := text(member(said, "redactedContent")):
            self.redacted.append(redacted)

    def _moved(self, said: Said) -> Made:
        """The end of the block before, where this is of another."""
        if said.get("contentBlockIndex") != self.index:
            yield from self._ended(said)
            self.index = said.get("contentBlockIndex")

    def _ended(self, said: Said) -> Made:
        if self.redacted:
            yield from self.message.block("redacted_thinking", data=_joined(self.redacted))
        if self.signature:
            if self.message.open != "thinking":
                yield from self.message.block("thinking")
            yield from self.message.delta("signature_delta", signature=self.signature)
        yield from self.message.close()
        self.signature, self.redacted = "", []

    def _stopped(self, said: Said) -> Made:
        yield from self._ended(said)
        self.reason = text(said.get("stopReason"))
        converse.stop_reason(self.reason)  # Raises where it makes the answer none.

    def _measured(self, said: Said) -> Made:
        if self.reason:
            answer = {"stopReason": self.reason, "usage": said.get("usage")}
            whole = converse.decode(answer, self.request, self.name, self.id, "standard")
            yield from self.message.end(whole)


TELLERS = {
    "contentBlockStart": ConverseStream._begun,
    "contentBlockDelta": ConverseStream._piece,
    "contentBlockStop": ConverseStream._ended,
    "messageStop": ConverseStream._stopped,
    "metadata": ConverseStream._measured,
}


def _joined(pieces: list[str]) -> str:
    """Pieces of base64, each whole in itself, as one."""
    try:
        return b64encode(b"".join(b64decode(piece, validate=True) for piece in pieces)).decode()
    except ValueError:
        raise BifrostError("Bedrock's stream holds reasoning that is not base64.", provider=PROVIDER) from None
