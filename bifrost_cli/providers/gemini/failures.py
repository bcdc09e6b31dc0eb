"""What Gemini says when it fails: an answer of 400 and above, or the status inside a result or an operation."""

import re
from typing import Any, NamedTuple

import httpx
import orjson

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    BillingError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    TooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
    for_status,
)
from bifrost_cli.providers.gemini.answers import count, object_of, objects, text
from bifrost_cli.providers.gemini.checks import PROVIDER


class Status(NamedTuple):
    """A gRPC status: its name, and the error that it is."""

    name: str
    kind: type[BifrostError]


CANCELLED = 1
RESOURCE_EXHAUSTED = 8
GRPC = {
    CANCELLED: Status("CANCELLED", UpstreamError),
    2: Status("UNKNOWN", UpstreamError),
    3: Status("INVALID_ARGUMENT", InvalidRequestError),
    4: Status("DEADLINE_EXCEEDED", UpstreamTimeoutError),
    5: Status("NOT_FOUND", NotFoundError),
    6: Status("ALREADY_EXISTS", ConflictError),
    7: Status("PERMISSION_DENIED", ForbiddenError),
    RESOURCE_EXHAUSTED: Status("RESOURCE_EXHAUSTED", RateLimitError),
    9: Status("FAILED_PRECONDITION", InvalidRequestError),
    10: Status("ABORTED", ConflictError),
    11: Status("OUT_OF_RANGE", InvalidRequestError),
    12: Status("UNIMPLEMENTED", InvalidRequestError),
    13: Status("INTERNAL", UpstreamError),
    14: Status("UNAVAILABLE", OverloadedError),
    15: Status("DATA_LOSS", UpstreamError),
    16: Status("UNAUTHENTICATED", AuthError),
}
"""The codes of results and operations; error answers have HTTP's, from 400 on."""
HTTP: dict[int, type[BifrostError]] = {501: InvalidRequestError}
"""Where Gemini's use of a status differs from the common one (501 is UNIMPLEMENTED: the model cannot do this)."""
BAD_KEY = ("API_KEY_INVALID", "API_KEY_EXPIRED")
"""Reasons that come with a 400 (recorded 2026-08)."""
MISSING_FILE = re.compile(r"permission to access the File \S+ or it may not exist")
"""What a missing, expired or foreign file is answered with, as a 403 (reported 2025-04 to 2026)."""
TOO_LARGE = re.compile(
    r"payload size exceeds|file is too large|exceeds the (maximum|limit).*(size|bytes)", re.IGNORECASE
)
NO_MONEY = re.compile(
    r"credits? (is|are|was|were) depleted|spend(ing)? (cap|limit)|enable billing|billing (is|not) ", re.I
)
KEY = re.compile(r"api_key:[\w-]+")
RETRY_IN = re.compile(r"retry in ([0-9.]+)s")
UNSUPPORTED_TYPE = re.compile(r"unsupported mime type", re.IGNORECASE)
NEXT_STEPS: dict[type[BifrostError], str] = {
    AuthError: "Check the key in GEMINI_API_KEY.",
    BillingError: "See the account's plan and billing; waiting does not help.",
}


def read_error(response: httpx.Response) -> BifrostError:
    """An error answer: `{"error":{"code","message","status","details"}}`, or a list of one such object."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    body = body[0] if isinstance(body, list) and body else body
    return to_error(object_of(body).get("error"), response.status_code)


def to_error(given: Any, status: int) -> BifrostError:
    """The error of an envelope's `error`. Its own code goes before the HTTP status: an upload may fail with a 200."""
    error = object_of(given)
    own = count(error.get("code"))
    kind, message = describe(error, own if own >= 400 else status)
    delay = _retry_delay(error, message)
    return kind(message, hint=NEXT_STEPS.get(kind), provider=PROVIDER, retry_after=delay)


def in_answer(answer: dict[str, Any]) -> BifrostError | None:
    """The error that an answer of 200, or a piece of a stream, is; its code may be HTTP's or gRPC's."""
    error = answer.get("error")
    return to_error(error, count(object_of(error).get("code")) or 500) if error else None


def describe(given: Any, status: int) -> tuple[type[BifrostError], str]:
    """The class of an error, by its reason, its words, and else its HTTP status or gRPC code; and its message."""
    error = object_of(given)
    known = GRPC.get(status)
    fallback = f"Gemini gave no message ({known.name if known else status})."
    message = KEY.sub("api_key:[redacted]", text(error.get("message")).strip()) or fallback
    reasons = {text(detail.get("reason")) for detail in objects(error.get("details"))}
    if not reasons.isdisjoint(BAD_KEY):
        return AuthError, message
    by_words = next((kind for pattern, kind in WORDS if pattern.search(message)), None)
    kind = HTTP.get(status) or (known.kind if known else for_status(status) if status >= 400 else UpstreamError)
    return (by_words if by_words and kind in REFINED else kind), message


WORDS: tuple[tuple[re.Pattern[str], type[BifrostError]], ...] = (
    (MISSING_FILE, NotFoundError),
    (NO_MONEY, BillingError),
    (TOO_LARGE, TooLargeError),
)
REFINED = (InvalidRequestError, ForbiddenError, RateLimitError, TooLargeError)
"""Classes that the words of a message may say more closely."""


def _retry_delay(error: dict[str, Any], message: str) -> float | None:
    """Seconds until a retry makes sense, by RetryInfo or else the message; no header says it (recorded 2026-08)."""
    delays = [text(detail.get("retryDelay")) for detail in objects(error.get("details"))]
    found = RETRY_IN.search(message)
    delay = next(filter(None, delays), found[1] if found else "").removesuffix("s")
    try:
        return max(0.0, float(delay)) if delay else None
    except ValueError:
        return None
