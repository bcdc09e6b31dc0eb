"""Gemini's answers: what the messages made of them share, and why an answer stopped."""

import re
from hashlib import sha256
from typing import Any
from uuid import uuid4

from bifrost_cli.errors import BifrostError, ForbiddenError, UpstreamError
from bifrost_cli.providers.answers import count, objects, text

is_plain = re.compile(r"[A-Za-z0-9_-]+").fullmatch
"""Whether an id is one in Anthropic's alphabet."""
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
CACHED, THOUGHT, TOOLS = "cachedContentTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount"
"""Counts that most answers leave out."""


def message(
    response: dict[str, Any],
    id: str,
    content: list[dict[str, Any]],
    stop_reason: str,
    *,
    model: str = "",
    refusal: str | None = None,
) -> dict[str, Any]:
    """Anthropic's message. `refusal` is why there is no answer, or none further; `model` stands in where the answer
    names none."""
    refused = {"type": "refusal", "category": None, "explanation": refusal} if stop_reason == "refusal" else None
    return {
        "id": id,
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
    prompt, output = count(given.get("promptTokenCount")), count(given.get("candidatesTokenCount"))
    cached = count(given[CACHED]) if CACHED in given else 0
    thought = count(given[THOUGHT]) if THOUGHT in given else 0
    if TOOLS in given:
        prompt += count(given[TOOLS])
    return {
        "input_tokens": prompt - cached if prompt > cached else 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output + thought,
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "batch",
    }


def message_id(native: str, salt: str) -> str:
    """`msg_…` from the answer's `responseId`, or always the same for the same `salt` where it has none."""
    return f"msg_{native if is_plain(native) else digest(native or salt)}"


def tool_use(given: Any, salt: str) -> dict[str, Any]:
    """A tool call. Models before Gemini 3 give it no id: one is made, always the same for the same `salt`."""
    call = given if isinstance(given, dict) else {}
    id, args = text(call.get("id")), call.get("args")
    return {
        "type": "tool_use",
        "id": id if is_plain(id) else f"toolu_{digest(id or salt)}",
        "name": text(call.get("name")),
        "input": args if isinstance(args, dict) else {},
    }


def chance(response: dict[str, Any]) -> str:
    """The salt of an answer that no other name tells from others: nothing where it has an id, which is enough."""
    return "" if text(response.get("responseId")) else uuid4().hex


def object_of(value: Any) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def digest(value: str) -> str:
    """24 characters of a hash."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]


__all__ = ["count", "objects", "text"]
