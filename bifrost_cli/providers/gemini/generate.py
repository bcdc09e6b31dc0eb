"""`generateContent`: a request as `contents`, and a candidate's `parts` as content blocks.

Member names go out in snake_case, which is what lines of file batches are read in (reported, July 2026: camelCase makes
a line fail) and what a call takes as well (recorded 2026-08); answers come in camelCase.

A model that thinks signs its function calls, and from Gemini 3 on refuses a call of the current turn that is sent back
without. Anthropic's form has a place for a signature in thinking blocks only, so it rides there: in a block before the
call, as `bifrost-gemini-next:SIGNATURE`, or as `bifrost-gemini-thought:SIGNATURE` where it is the thought's own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.checks import plain_text
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.providers.gemini import answers, tools
from bifrost_cli.providers.gemini.blocks import (
    TEXT_OR_BLOCKS,
    Part,
    block_type,
    part,
    plain_parts,
    text,
    texts,
)
from bifrost_cli.providers.gemini.checks import (
    NO_COUNTERPART,
    PROVIDER,
    Terms,
    a_list,
    a_string,
    check_members,
    invalid,
    refuse,
    unsupported,
)
from bifrost_cli.providers.gemini.fields import FIELDS, Body

Content = dict[str, Any]

ENDPOINT = "generateContent"
NEXT = "bifrost-gemini-next:"
OWN = "bifrost-gemini-thought:"
UNSIGNED = "skip_thought_signature_validator"
"""The documented placeholder for calls that another model made, or whose thinking block a client did not send back."""
FOREIGN: dict[str, Any] = {"type": "foreign"}
"""Stands, while an answer is read, where a part has no form in a message: no thought before it waits any more."""
MESSAGE = frozenset({"role", "content"})
THINKING = frozenset({"type", "thinking", "signature", "data"})
PLAIN = {"user": "user", "assistant": "model"}


# -- requests ---------------------------------------------------------------------------------------------------


class Talk(NamedTuple):
    """A conversation being translated: its contents so far, what it instructs before them, and the name of each call
    by its id."""

    contents: list[Content]
    instructions: list[Part]
    calls: dict[str, str]
    terms: Terms

    def add(self, role: str, parts: list[Part]) -> None:
        """Put parts at the end; turns of one role are merged."""
        if parts and self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        elif parts:
            self.contents.append({"role": role, "parts": parts})


class Generate(Encoder[Terms]):
    """GenerateContentRequests."""

    provider = PROVIDER
    endpoint = ENDPOINT
    place = "contents"
    handlers = FIELDS

    def start(self) -> Body:
        return {"contents": None, "generation_config": {}}

    def otherwise(self, body: Body, name: str, value: Any) -> None:
        refuse(name, NO_COUNTERPART, self.terms.drop)

    def translate(self, messages: list[Any]) -> tuple["Generate", list[Content]]:
        contents: list[Content] = []
        talk = None
        for index, message in enumerate(messages):
            content, role = message["content"], PLAIN.get(message["role"])
            said = [{"text": content}] if type(content) is str else plain_parts(content)
            if said is None or role is None or len(message) != 2:
                talk = talk or Talk(contents, [], {}, self.terms)
                _message(message, f"messages.{index}", talk)
            elif contents and contents[-1]["role"] == role:
                contents[-1]["parts"] += said
            else:
                contents.append({"role": role, "parts": said})
        if not contents:
            invalid("messages", "a list with a user message in it", messages)
        if role != "user":
            self._check_last(messages)
        return (self._of(talk) if talk else self), contents

    def _check_last(self, messages: list[Any]) -> None:
        if messages[-1]["role"] == "assistant" and not self.terms.traits.continues:
            last = f"messages.{len(messages) - 1}"
            unsupported(last, f"{self.kind.model} does not continue an assistant message", "End with a user message.")

    def _of(self, talk: Talk) -> "Generate":
        """Signs the calls of a conversation where that is wanted, and gives the one to encode it, which is another
        where it instructs."""
        if talk.calls and self.terms.traits.signs:
            _sign(talk.contents)
        if not talk.instructions:
            return self
        before = self._body["system_instruction"]["parts"] if "system_instruction" in self._body else []
        return self.having(system_instruction={"parts": before + talk.instructions})

    @staticmethod
    def frame(key: Any, body: Any) -> Body:
        return {"key": key, "request": body}


def _message(message: dict[str, Any], field: str, talk: Talk) -> None:
    check_members(message, MESSAGE, field, talk.terms.drop)
    role = a_string(message["role"], f"{field}.role")
    if role not in ROLES:
        invalid(f"{field}.role", f"one of {', '.join(ROLES)}", role)
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if type(content) is str else content
    ROLES[role](a_list(blocks, f"{field}.content", TEXT_OR_BLOCKS), f"{field}.content", talk)


def _user(blocks: list[Any], field: str, talk: Talk) -> None:
    made: list[Part] = []
    for index, block in enumerate(blocks):
        if (said := plain_text(block)) is not None:
            made.append({"text": said})
            continue
        where = f"{field}.{index}"
        if block_type(block, where) == "tool_result":
            made.append(tools.result(block, where, talk.calls, talk.terms))
        else:
            made += part(block, where, talk.terms)
    talk.add("user", made)


def _assistant(blocks: list[Any], field: str, talk: Talk) -> None:
    made: list[Part] = []
    signature = ""
    for index, block in enumerate(blocks):
        where = f"{field}.{index}"
        parts = SAID.get(block_type(block, where), _said)(block, where, talk)
        for each in parts:
            if signature and "thought" not in each:
                each["thought_signature"], signature = signature, ""
            made.append(each)
        if talk.terms.traits.thinks:
            signature = _rides(block) or signature
    talk.add("model", made)


def _system(blocks: list[Any], field: str, talk: Talk) -> None:
    """Before the conversation, a part of the system instruction; within it, which has no such turn, marked user text
    in its place."""
    said = [value for value in texts(blocks, field, talk.terms) if value]
    if talk.contents:
        talk.add("user", [{"text": f"<system>\n{value}\n</system>"} for value in said])
    else:
        talk.instructions.extend({"text": value} for value in said)


ROLES: dict[str, Callable[[list[Any], str, Talk], None]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}


def _said(block: Any, field: str, talk: Talk) -> list[Part]:
    return [{"text": text(block, field, talk.terms)}]


def _called(block: Any, field: str, talk: Talk) -> list[Part]:
    made = tools.call(block, field, talk.terms)
    talk.calls[made["function_call"]["id"]] = made["function_call"]["name"]
    return [made]


def _thought(block: Any, field: str, talk: Talk) -> list[Part]:
    """The thought that a thinking block was. Another provider's means nothing here and is left out."""
    check_members(block, THINKING, field, talk.terms.drop)
    signature, shown = answers.text(block.get("signature")), answers.text(block.get("thinking"))
    if not talk.terms.traits.thinks or not signature.startswith((OWN, NEXT)):
        return []
    own = signature.removeprefix(OWN) if signature.startswith(OWN) else ""
    if not own and not shown:
        return []
    made: Part = {"text": shown, "thought": True}
    return [{**made, "thought_signature": own} if own else made]


def _rides(block: Any) -> str:
    """The signature that a thinking block keeps for the part after it."""
    signature = answers.text(block.get("signature")) if block["type"] == "thinking" else ""
    return signature.removeprefix(NEXT) if signature.startswith(NEXT) else ""


SAID: dict[str, Callable[[Any, str, Talk], list[Part]]] = {
    "text": _said,
    "tool_use": _called,
    "thinking": _thought,
    "redacted_thinking": _thought,
}


def _sign(contents: list[Content]) -> None:
    """Give the placeholder to calls of the current turn that lack a signature: the first of each step needs one.

    The turn began at the last user message that answers no call.
    """
    for content in reversed(contents):
        if content["role"] == "model":
            first = next((part for part in content["parts"] if "function_call" in part), None)
            if first is not None:
                first.setdefault("thought_signature", UNSIGNED)
        elif not any("function_response" in part for part in content["parts"]):
            return


# -- answers ----------------------------------------------------------------------------------------------------


def decode(response: dict[str, Any], salt: str, model: str) -> dict[str, Any]:
    """Anthropic's message from an answer. Raises the BifrostError that its reason to stop means where it is none.

    Parts that a message has no form for (generated images, ...) make the whole answer stay beside it, as the member
    `body`. `salt` makes the ids that the answer lacks, `model` is its model where it names none.
    """
    candidate = candidate_of(response)
    reason, refusal = answers.text(candidate.get("finishReason")), None
    stop = answers.STOPS.get(reason)
    if stop is None:
        refusal = _refusal(response, candidate, reason)
        stop = "refusal" if refusal else "end_turn"
    native = answers.text(response.get("responseId"))
    content, calls, known = _content(parts_of(candidate), salt, native)
    if calls and stop == "end_turn":
        stop = "tool_use"
    id = answers.message_id(native, salt)
    made = answers.message(response, id, content, stop, model=model, refusal=refusal)
    return made if known else {**made, "body": response}


def _failure(candidate: dict[str, Any], reason: str) -> BifrostError:
    kind = answers.FAILURES.get(reason, answers.FAILURES["OTHER"])
    said = answers.text(candidate.get("finishMessage"))
    why = f"Gemini stopped with {reason}" if reason else "Gemini's answer holds no candidate"
    return kind(f"{why}: {said}" if said else f"{why}.", provider=PROVIDER)


def _content(parts: list[Part], salt: str, native: str) -> tuple[list[dict[str, Any]], int, bool]:
    """The blocks, how many of them are calls, and whether they hold all of the parts."""
    content: list[dict[str, Any]] = []
    calls, known = 0, True
    for given in parts:
        if "text" in given:
            _text_part(given, content)
        elif "functionCall" in given:
            _call_part(given, content, f"{salt} {native} {calls}")
            calls += 1
        elif is_foreign(given):
            content.append(FOREIGN)
            known = False
    if not known:
        content = [block for block in content if block is not FOREIGN]
    return content, calls, known


def is_foreign(given: Part) -> bool:
    """Whether a part, neither text nor call, is something that a message has no form for."""
    return not given.keys() <= {"thoughtSignature"}


def _text_part(given: Part, content: list[dict[str, Any]]) -> None:
    """A text, or a thought.

    The signature of a text is kept where a thought is shown before it. It is never demanded back (documented), and a
    block for it alone would stand before the text that readers look for first.
    """
    said = answers.text(given["text"])
    signature = answers.text(given["thoughtSignature"]) if "thoughtSignature" in given else ""
    if given.get("thought"):
        if said or signature:
            content.append({"type": "thinking", "thinking": said, "signature": f"{OWN}{signature}"})
    elif said:
        if signature and _awaits(content):
            content[-1]["signature"] = f"{NEXT}{signature}"
        content.append({"type": "text", "text": said})


def _call_part(given: Part, content: list[dict[str, Any]], salt: str) -> None:
    if signature := answers.text(given.get("thoughtSignature")):
        if not _awaits(content):
            content.append({"type": "thinking", "thinking": "", "signature": OWN})
        content[-1]["signature"] = f"{NEXT}{signature}"
    content.append(answers.tool_use(given["functionCall"], salt))


def _awaits(content: list[dict[str, Any]]) -> bool:
    """Whether the last block is a thought without a signature of its own."""
    return bool(content) and content[-1].get("signature") == OWN


def _refusal(response: dict[str, Any], candidate: dict[str, Any], reason: str) -> str | None:
    """Why an answer was filtered, or its prompt; None where it just names no reason to stop.

    Raises the BifrostError that another reason means, or that there is nothing to stop.
    """
    if reason in answers.REFUSALS:
        said = answers.text(candidate.get("finishMessage"))
        return f"Gemini stopped with {reason}{_categories(candidate)}{f': {said}' if said else ''}"
    if not reason and (blocked := block_reason(response)):
        return f"Gemini blocked the prompt: {blocked}"
    if reason or not parts_of(candidate):
        raise _failure(candidate, reason)
    return None


def _categories(candidate: dict[str, Any]) -> str:
    """The kinds of harm that a blocked answer was rated for."""
    rated = answers.objects(candidate.get("safetyRatings"))
    blocked = [answers.text(rating.get("category")) for rating in rated if rating.get("blocked")]
    return f" ({', '.join(filter(None, blocked))})" if any(blocked) else ""


def block_reason(response: dict[str, Any]) -> str:
    """Why the prompt was blocked; empty where it was not."""
    feedback = answers.object_of(response.get("promptFeedback"))
    reason, said = (answers.text(feedback.get(name)) for name in ("blockReason", "blockReasonMessage"))
    return f"{reason}: {said}" if reason and said else reason


def candidate_of(response: dict[str, Any]) -> dict[str, Any]:
    """The first candidate, which is the only one where no others were asked for."""
    found = response.get("candidates")
    for candidate in found if isinstance(found, list) else ():
        if isinstance(candidate, dict):
            return candidate
    return {}


def parts_of(candidate: dict[str, Any]) -> list[Part]:
    """What a candidate says; `content` and `parts` may be missing."""
    try:
        return answers.objects(candidate["content"]["parts"])
    except (KeyError, TypeError):
        return []
