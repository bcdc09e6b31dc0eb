"""What Gemini refuses in the order of a conversation: calls, their answers, and the signatures of calls."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from bifrost_cli.sandbox.gemini import models
from bifrost_cli.sandbox.gemini.errors import Refusal
from bifrost_cli.sandbox.ids import MARK

Content = Mapping[str, Any]
PLACEHOLDERS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that turn the validation off for their call (documented)."""

_SEAL = f"{MARK} thought ".encode()


def signature(seed: str) -> str:
    """The signature of a call or a text, in base64: it can be told from one that the sandbox never made."""
    return base64.b64encode(_SEAL + seed.encode()).decode()


def check(contents: Sequence[Content], model: str) -> None:
    """Raises the Refusal that a conversation gets."""
    _check_turns(contents)
    if models.signs(model):
        _check_signatures(contents)


def _calls(content: Content) -> list[Content]:
    return [part for part in content["parts"] if "function_call" in part]


def _answers(content: Content) -> list[Content]:
    return [part for part in content["parts"] if "function_response" in part]


def has_answers(content: Content) -> bool:
    """Whether functions answer in a turn."""
    return bool(_answers(content))


def _check_turns(contents: Sequence[Content]) -> None:
    before: Content | None = None
    for content in contents:
        calls, answers = _calls(content), _answers(content)
        if calls and (before is None or before.get("role") == "model"):
            raise Refusal(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        if answers:
            _check_answers(len(answers), before)
        before = content
    if _calls(contents[-1]):
        raise Refusal("Please ensure that multiturn requests ends with a user role or a function response.")


def _check_answers(count: int, before: Content | None) -> None:
    calls = len(_calls(before)) if before is not None else 0
    if not calls:
        raise Refusal("Please ensure that function response turn comes immediately after a function call turn.")
    if calls != count:
        raise Refusal(
            "Please ensure that the number of function response parts is equal to the number of function call parts "
            "of the function call turn."
        )


def _check_signatures(contents: Sequence[Content]) -> None:
    """In the current turn the first call of each step carries its signature (documented)."""
    start = _current_turn(contents)
    for position, content in enumerate(contents, start=1):
        calls = _calls(content)
        if position > start and calls and "thought_signature" not in calls[0]:
            raise _unsigned(calls[0]["function_call"]["name"], position)
        for part in content["parts"]:
            if not _known(part.get("thought_signature")):
                raise Refusal("Corrupted thought signature.")


def _current_turn(contents: Sequence[Content]) -> int:
    """How many contents are before what the user said last, that included; answers of functions do not count."""
    turns = enumerate(contents, start=1)
    said = (position for position, turn in turns if turn.get("role") != "model" and not has_answers(turn))
    return max(said, default=0)


def _unsigned(name: str, position: int) -> Refusal:
    return Refusal(
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "
        f"call `default_api:{name}` , position {position}. Please refer to "
        "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )


def _known(given: str | None) -> bool:
    """Whether a signature is one that the sandbox made, in either alphabet of base64 (recorded 2026-08)."""
    if given is None or given.rstrip("=") in PLACEHOLDERS:
        return True
    text = given.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4)).startswith(_SEAL)
