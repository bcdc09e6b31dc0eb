"""The chunks of `/v1/chat/completions` as Anthropic's events; also those of servers that imitate it."""

from typing import Any

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.events import Made, Message
from bifrost_cli.providers.openai import answers, chat
from bifrost_cli.providers.openai.checks import PROVIDER

Delta = dict[str, Any]


class ChatStream:
    """One answer being told. Its end is told when the stream is at its own, since usage comes after the last choice."""

    def __init__(self) -> None:
        self.message = Message(lambda: answers.first_message(self.body))
        self.body: Delta = {}
        self.choice: Delta = {}
        self.said: Delta = {"refusal": "", "tool_calls": []}
        self.current: int | None = None

    def tell(self, chunk: dict[str, Any]) -> Made:
        """The events that one chunk comes to."""
        self.body |= {name: chunk[name] for name in ("id", "model", "usage") if chunk.get(name)}
        for choice in answers.objects(chunk.get("choices")):
            if not choice.get("index"):
                self.choice |= {name: value for name, value in choice.items() if value is not None}
                delta = choice.get("delta")
                yield from self._piece(delta if isinstance(delta, dict) else {})

    def end(self) -> Made:
        """The end; nothing where the answer was not finished."""
        if not self.choice.get("finish_reason"):
            return
        choice = {**self.choice, "message": self.said}
        yield from self.message.end(chat.decode({**self.body, "choices": [choice]}))

    def _piece(self, delta: Delta) -> Made:
        yield from self.message.think(answers.text(delta.get("reasoning_content") or delta.get("reasoning")))
        yield from self.message.say(answers.text(delta.get("content")))
        yield from self.message.say(answers.text(delta.get("refusal")))
        self.said["refusal"] += answers.text(delta.get("refusal"))
        for call in answers.objects(delta.get("tool_calls")):
            yield from self._call(call)

    def _call(self, call: Delta) -> Made:
        """A call begins where its index is a new one; its pieces follow."""
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        index = answers.count(call.get("index"))
        if index != self.current:
            if self.current is not None and index < self.current:
                raise BifrostError("OpenAI's stream goes back to a tool call that has ended.", provider=PROVIDER)
            self.current = index
            self.said["tool_calls"].append({"function": {}})
            yield from self.message.call(*answers.call_of(call.get("id"), function.get("name")))
        if piece := answers.text(function.get("arguments")):
            yield from self.message.delta("input_json_delta", partial_json=piece)
