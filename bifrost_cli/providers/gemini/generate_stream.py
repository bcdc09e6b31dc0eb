"""The answers of `streamGenerateContent`, each a piece of one, as Anthropic's events (shapes recorded 2026-08)."""

from typing import Any

from bifrost_cli.providers.events import Made
from bifrost_cli.providers.gemini import answers, generate
from bifrost_cli.providers.gemini.blocks import Part
from bifrost_cli.providers.gemini.events import Message

SAID_OF_ALL = ("responseId", "modelVersion", "promptFeedback", "usageMetadata")
"""What a piece says of the whole answer so far; the last one holds (the count of the prompt may grow)."""


class GenerateStream:
    """One answer being told. Its end is told when the stream is at its own: nothing in it marks the last piece.

    A thought's signature may come with the part after it (see `generate`), so its block stays open until then.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.body: dict[str, Any] = {}
        self.message = Message(self.body, model)
        self.candidate: dict[str, Any] = {}
        self.parts: list[Part] = []

    def tell(self, piece: dict[str, Any]) -> Made:
        """The events that one piece comes to, which may be none."""
        self.body |= {name: piece[name] for name in SAID_OF_ALL if piece.get(name)}
        candidate = generate.candidate_of(piece)
        if answers.count(candidate.get("index")):
            return
        self.candidate |= {name: value for name, value in candidate.items() if value is not None}
        for part in generate.parts_of(candidate):
            self.parts.append(part)
            yield from self._part(part)

    def end(self) -> Made:
        """The end; nothing where the answer was not finished. Raises what an answer means that cannot be relied on."""
        if not self.candidate.get("finishReason") and not generate.block_reason(self.body):
            return
        content = {"role": "model", "parts": self.parts}
        response = {"candidates": [{**self.candidate, "content": content}], **self.body}
        whole = generate.decode(joined(response), "", self.model)
        yield from self._settle()
        yield from self.message.end(whole)

    def _part(self, part: Part) -> Made:
        if "text" in part:
            yield from self._thought(part) if part.get("thought") else self._said(part)
        elif "functionCall" in part:
            yield from self._called(part)
        elif generate.is_foreign(part):
            yield from self._settle()
            yield from self.message.close()

    def _thought(self, part: Part) -> Made:
        yield from self.message.think(answers.text(part["text"]))
        if signature := answers.text(part.get("thoughtSignature")):
            yield from self._awaited()
            yield from self.message.sign(f"{generate.OWN}{signature}")

    def _said(self, part: Part) -> Made:
        if said := answers.text(part["text"]):
            yield from self._settle(answers.text(part.get("thoughtSignature")))
            yield from self.message.say(said)

    def _called(self, part: Part) -> Made:
        if signature := answers.text(part.get("thoughtSignature")):
            yield from self._awaited()
        yield from self._settle(signature)
        yield from self.message.whole_call(part["functionCall"])

    def _awaited(self) -> Made:
        """A block for a signature, where no thought waits for it."""
        if self.message.open != "thinking":
            yield from self.message.block("thinking")

    def _settle(self, signature: str = "") -> Made:
        """The end of a thought that waits for a signature: the next part's, or none."""
        if self.message.open == "thinking":
            yield from self.message.sign(f"{generate.NEXT}{signature}" if signature else generate.OWN)


def joined(response: dict[str, Any]) -> dict[str, Any]:
    """An answer that says the same in as few parts as can be, since a stream may cut it anywhere."""
    candidate, runs = generate.candidate_of(response), list[list[Part]]()
    for given in filter(_says_something, generate.parts_of(candidate)):
        if runs and _goes_on(runs[-1][-1], given):
            runs[-1].append(given)
        else:
            runs.append([given])
    if not runs:
        return response
    content = {**candidate["content"], "parts": [_one(run) for run in runs]}
    return {**response, "candidates": [{**candidate, "content": content}]}


def _says_something(given: Part) -> bool:
    if "text" not in given:
        return "functionCall" in given or generate.is_foreign(given)
    return bool(answers.text(given["text"]) or (given.get("thought") and answers.text(given.get("thoughtSignature"))))


def _goes_on(last: Part, given: Part) -> bool:
    """Whether a part is more of the text, or of the thought, before it; a signature ends a thought."""
    if "text" not in last or "text" not in given or bool(last.get("thought")) != bool(given.get("thought")):
        return False
    return not (last.get("thought") and answers.text(last.get("thoughtSignature")))


def _one(run: list[Part]) -> Part:
    """A thought is signed at its end. A text is at its start: its block follows at once, and cannot wait for more."""
    signed = run[-1] if run[0].get("thought") else run[0]
    return {**signed, "text": "".join(answers.text(part["text"]) for part in run)} if len(run) > 1 else run[0]
