"""What OpenAI says when it fails: an answer of 400 and above, or the error inside a result."""

from typing import Any

import httpx
import orjson

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    BillingError,
    NotFoundError,
    RateLimitError,
    TooLargeError,
    UpstreamTimeoutError,
    for_status,
)
from bifrost_cli.providers.openai.answers import text
from bifrost_cli.providers.openai.checks import PROVIDER

CODES: dict[str, type[BifrostError]] = {
    "insufficient_quota": BillingError,
    "billing_hard_limit_reached": BillingError,
    "invalid_api_key": AuthError,
    "rate_limit_exceeded": RateLimitError,
    "request_timeout": UpstreamTimeoutError,
}
"""Codes that say more than the status beside them: quota comes as 429, and rows of an error file have no status."""
TOO_LARGE = "File is too large"
NEXT_STEPS: dict[type[BifrostError], str] = {
    AuthError: "Check the key in OPENAI_API_KEY.",
    BillingError: "Add credit to the account; waiting does not help.",
}


def read_error(response: httpx.Response) -> BifrostError:
    """An error answer: `{"error":{"message","type","param","code"}}`; file calls add a `detail` with the same message.

    Other servers' `{"error":"…"}`, `{"detail":"…"}` and `{"message":"…"}` are understood.
    """
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    body = body if isinstance(body, dict) else {}
    given = next((body[name] for name in ("error", "detail", "message") if body.get(name)), None)
    kind, message = describe(given, response.status_code)
    return kind(message, hint=NEXT_STEPS.get(kind), request_id=response.headers.get("x-request-id"))


def describe(error: Any, status: int) -> tuple[type[BifrostError], str]:
    """The class of an error, by its code and else by the HTTP status, and its message with the code."""
    error = error if isinstance(error, dict) else {"message": error}
    code = text(error.get("code")) or None
    message = text(error.get("message")) or f"{PROVIDER} answered {status} without a message."
    known = code if code in CODES else text(error.get("type"))
    if code == "model_not_found" and status in (400, 404):
        kind: type[BifrostError] = NotFoundError
    elif message.startswith(TOO_LARGE):
        kind = TooLargeError
    else:
        kind = CODES.get(known or "", for_status(status))
    return kind, with_code(message, code)


def with_code(message: str, code: str | None) -> str:
    """The message, which names its code."""
    return f"{message} (code: {code})" if code and code not in message else message


def unfinished(body: dict[str, Any]) -> BifrostError:
    """What became of a response that failed, by its own `error`, which has no HTTP status."""
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    ours = code in (None, "server_error", "vector_store_timeout")
    kind, message = describe(error, 500 if ours else 400)
    said = isinstance(error, dict) and error
    return kind(message if said else f"The response ended as '{body.get('status')}'.", provider=PROVIDER)
