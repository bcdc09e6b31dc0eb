"""Gemini's refusals: Google's error envelope, and the two numbers that an error has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

JSON = "application/json; charset=UTF-8"
Detail = Mapping[str, Any]


@dataclass(frozen=True)
class Status:
    """One of Google's canonical errors. `grpc` is its number in lines of a batch, `http` the one of an envelope."""

    name: str
    http: int
    grpc: int


CANCELLED = Status("CANCELLED", 499, 1)
INVALID_ARGUMENT = Status("INVALID_ARGUMENT", 400, 3)
DEADLINE_EXCEEDED = Status("DEADLINE_EXCEEDED", 504, 4)
NOT_FOUND = Status("NOT_FOUND", 404, 5)
ALREADY_EXISTS = Status("ALREADY_EXISTS", 409, 6)
PERMISSION_DENIED = Status("PERMISSION_DENIED", 403, 7)
RESOURCE_EXHAUSTED = Status("RESOURCE_EXHAUSTED", 429, 8)
FAILED_PRECONDITION = Status("FAILED_PRECONDITION", 400, 9)
INTERNAL = Status("INTERNAL", 500, 13)
UNAVAILABLE = Status("UNAVAILABLE", 503, 14)
UNKNOWN = Status("UNKNOWN", 500, 2)

OVERLOADED = "The model is overloaded. Please try again later."
HELP: Detail = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: "
    "https://ai.dev/rate-limit. "
)


class Refusal(Exception):
    """An answer other than 2xx. `details` are absent from the answer when empty (recorded 2026-08)."""

    def __init__(
        self,
        message: str,
        status: Status = INVALID_ARGUMENT,
        *,
        http: int | None = None,
        details: Sequence[Detail] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.http = http or status.http
        self.details = details

    def body(self) -> dict[str, Any]:
        error = {"code": self.http, "message": self.message, "status": self.status.name}
        return {"error": {**error, "details": list(self.details)} if self.details else error}

    def line(self) -> dict[str, Any]:
        """What a batch says of a single request: the gRPC number and the message (recorded 2026-06)."""
        return {"code": self.status.grpc, "message": self.message}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        body = orjson.dumps(self.body(), option=orjson.OPT_INDENT_2) + b"\n"
        return Response(body, self.http, headers=dict(headers or {}), media_type=JSON)


def invalid_key() -> Refusal:
    """An API key that nobody has: HTTP 400, not 401 (recorded 2026-08)."""
    message = "API key not valid. Please pass a valid API key."
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    localized = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
    return Refusal(message, details=[info, localized])


def page(status: int, title: str) -> Response:
    """What is not answered by the API but by what stands before it is a page, not JSON."""
    text = f"<!DOCTYPE html>\n<html lang=en>\n<title>Error {status} ({title})!!1</title>\n<p>That’s an error."
    return Response(text, status, media_type="text/html; charset=UTF-8")


def overloaded() -> Refusal:
    """The passing failure."""
    return Refusal(OVERLOADED, UNAVAILABLE)


def out_of_quota() -> Refusal:
    """The 429 of a batch's creation has a Help detail and no other (recorded 2026-01)."""
    return Refusal(QUOTA, RESOURCE_EXHAUSTED, details=[HELP])


def rate_limited(retry_after: float) -> Refusal:
    """The 429 of a model: when to try again is in a detail, not in a header (recorded 2026-08)."""
    delay = f"{retry_after:.0f}s" if retry_after == int(retry_after) else f"{retry_after:.3f}s"
    metric = "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"
    violation = {
        "quotaMetric": metric,
        "quotaId": "GenerateContentPaidTierInputTokensPerModelPerMinute",
        "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
        "quotaValue": "1000000",
    }
    message = (
        f"{QUOTA}\n* Quota exceeded for metric: {metric}, limit: 1000000, model: gemini-2.5-flash\nPlease retry in "
    )
    details = [
        HELP,
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
    ]
    return Refusal(f"{message}{delay}.", RESOURCE_EXHAUSTED, details=details)
