"""Gemini's answers: what the messages made of them share, and why an answer stopped."""

import re
from hashlib import sha256
from typing import Any
from uuid import uuid4

from bifrost_cli.errors import BifrostError, ForbiddenError, UpstreamError

PLAIN_ID = re.compile(r"[A-Za-z0-9_-]+")
STOPS = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "CONTINUATION": "pause_turn",
    "FINISH_REASON_UNSPECIFIED": "end_turn",
}
"""A stop sequence also ends as STOP, and which one it was is not told."""
REFUSALS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "ESCALATION",
    }
)
FAILURES: dict[str, type[BifrostError]] = {
    "MALFORMED_FUNCTION_CALL": UpstreamError,
    "UNEXPECTED_TOOL_CALL": UpstreamError,
    "TOO_MANY_TOOL_CALLS": UpstreamError,
    "MISSING_THOUGHT_SIGNATURE": UpstreamError,
    "MALFORMED_RESPONSE": UpstreamError,
    "IMAGE_OTHER": UpstreamError,
    "NO_IMAGE": UpstreamError,
    "OTHER": UpstreamError,
    "PUP_LIMITED_DISABLED": ForbiddenError,
}
"""Reasons that leave no answer to rely on; so does one that is in none of the three (all that are documented are)."""


def message(
    response: dict[str, Any],
    content: list[dict[str, Any]],
    stop_reason: str,
    *,
    model: str = "",
    salt: str = "",
    refusal: str | None = None,
) -> dict[str, Any]:
    """Anthropic's message. `refusal` is why there is no answer, or none further; `model` and `salt` stand in where the
    answer names no model or id."""
    refused = {"type": "refusal", "category": None, "explanation": refusal} if stop_reason == "refusal" else None
    return {
        "id": message_id(response.get("responseId"), salt),
        "type": "message",
        "role": "assistant",
        "model": text(response.get("modelVersion")) or model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": refused,
        "usage": usage(response.get("usageMetadata")),
    }


def usage(given: Any) -> dict[str, Any]:
    """Anthropic counts cached input apart from `input_tokens` and thinking within `output_tokens`; Gemini the reverse.

    Its total is prompt + candidates + thoughts + toolUsePrompt (recorded 2025-06 to 2026-08). Absent counts are 0.
    """
    given = given if type(given) is dict else {}
    cached, thought = count(given.get("cachedContentTokenCount")), count(given.get("thoughtsTokenCount"))
    prompt = count(given.get("promptTokenCount")) + count(given.get("toolUsePromptTokenCount"))
    return {
        "input_tokens": prompt - cached if prompt > cached else 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": count(given.get("candidatesTokenCount")) + thought,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "batch",
    }


def message_id(id: Any, salt: str) -> str:
    """`msg_…` from the answer's `responseId`, or always the same for the same `salt`."""
    return f"msg_{safe(text(id)) if text(id) else digest(salt)}"


def tool_use(given: Any, salt: str) -> dict[str, Any]:
    """A tool call. Models before Gemini 3 give it no id: one is made, always the same for the same `salt`."""
    call = given if isinstance(given, dict) else {}
    id, args = text(call.get("id")), call.get("args")
    return {
        "type": "tool_use",
        "id": id if id and safe(id) == id else f"toolu_{digest(id or salt)}",
        "name": text(call.get("name")),
        "input": args if isinstance(args, dict) else {},
    }


def salted(response: dict[str, Any], salt: str) -> str:
    """What the ids are made from that an answer lacks: its own id, and `salt`."""
    return f"{salt} {text(response.get('responseId'))}"


def chance(response: dict[str, Any]) -> str:
    """The salt of an answer that no other name tells from others: nothing where it has an id, which is enough."""
    return "" if text(response.get("responseId")) else uuid4().hex


def safe(id: str) -> str:
    """An id in Anthropic's alphabet: as it is, or its hash."""
    return id if PLAIN_ID.fullmatch(id) else digest(id)


def text(value: Any) -> str:
    """A string, or nothing."""
    return value if type(value) is str else ""


def count(value: Any) -> int:
    """A number of tokens, bytes or requests; 64-bit ones come as text, and zeros are left out."""
    if type(value) is int:
        return value if value > 0 else 0
    if type(value) is str:
        return int(value) if value.isascii() and value.isdigit() else 0
    return int(value) if type(value) is float and value > 0 else 0


def object_of(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is absent or null."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def digest(value: str) -> str:
    """24 characters of a hash."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]
