"""The events of `/v1/responses` as Anthropic's (shapes recorded 2026-08)."""

from typing import Any

from bifrost_cli.providers.events import Made, Message
from bifrost_cli.providers.openai import answers, responses
from bifrost_cli.providers.openai.failures import unfinished

Item = dict[str, Any]
ENDS = ("response.completed", "response.incomplete")


class ResponsesStream:
    """One answer being told.

    Reasoning without text is held back until a tool call follows, as in a whole answer (see `responses.decode`).
    """

    def __init__(self) -> None:
        self.message = Message(lambda: answers.first_message(self.body))
        self.body: Item = {}
        self.sent = 0
        self.held: list[Item] = []

    def tell(self, event: dict[str, Any]) -> Made:
        """The events that one event comes to, which may be none. Raises what a failed response says."""
        kind = answers.text(event.get("type"))
        if isinstance(event.get("response"), dict):
            self.body = event["response"]
        if kind in ENDS:
            yield from self.message.end(responses.decode(self.body))
        elif kind in ("response.failed", "response.cancelled"):
            raise unfinished(self.body)
        elif kind in TELLERS:
            yield from TELLERS[kind](self, event)

    def _item(self, event: Item) -> Made:
        item = event.get("item")
        if isinstance(item, dict) and item.get("type") == "function_call":
            for held in self.held:
                yield from self._sign(held)
            self.held, self.sent = [], 0
            yield from self.message.call(*answers.call_of(item.get("call_id") or item.get("id"), item.get("name")))

    def _said(self, event: Item) -> Made:
        yield from self.message.say(answers.text(event.get("delta")))

    def _cited(self, event: Item) -> Made:
        if self.message.open == "text":
            for citation in answers.citations([event.get("annotation")]):
                yield from self.message.delta("citations_delta", citation=citation)

    def _thought(self, event: Item) -> Made:
        yield from self.message.think(answers.text(event.get("delta")))

    def _next_thought(self, event: Item) -> Made:
        if self.message.open == "thinking":
            yield from self.message.think("\n\n")

    def _argued(self, event: Item) -> Made:
        if self.message.open == "tool_use":
            piece = answers.text(event.get("delta"))
            self.sent += len(piece)
            yield from self.message.delta("input_json_delta", partial_json=piece)

    def _done(self, event: Item) -> Made:
        """The end of an item, which holds all of it: what was not told in pieces is told now."""
        item = event.get("item")
        if not isinstance(item, dict):
            return
        if item.get("type") == "function_call" and self.message.open == "tool_use":
            if rest := answers.text(item.get("arguments"))[self.sent :]:
                yield from self.message.delta("input_json_delta", partial_json=rest)
            yield from self.message.close()
        elif item.get("type") == "reasoning":
            yield from self._reasoned(item)
        elif item.get("type") == "message":
            yield from self.message.close()

    def _reasoned(self, item: Item) -> Made:
        if self.message.open != "thinking":
            self.held.append(item)
            return
        if signature := responses.signature(item):
            yield from self.message.delta("signature_delta", signature=signature)
        yield from self.message.close()

    def _sign(self, item: Item) -> Made:
        """Reasoning without text, which must come back with the results of the call that it led to."""
        if signature := responses.signature(item):
            yield from self.message.block("thinking")
            yield from self.message.delta("signature_delta", signature=signature)


TELLERS = {
    "response.output_item.added": ResponsesStream._item,
    "response.output_item.done": ResponsesStream._done,
    "response.output_text.delta": ResponsesStream._said,
    "response.output_text.annotation.added": ResponsesStream._cited,
    "response.refusal.delta": ResponsesStream._said,
    "response.reasoning_summary_part.added": ResponsesStream._next_thought,
    "response.reasoning_summary_text.delta": ResponsesStream._thought,
    "response.reasoning_text.delta": ResponsesStream._thought,
    "response.function_call_arguments.delta": ResponsesStream._argued,
}
