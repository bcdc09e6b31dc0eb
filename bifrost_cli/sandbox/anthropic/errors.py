"""Anthropic's refusals: its envelope, and its words for a value that does not fit."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.shape import Check, Mismatch, listed

STATUS_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status (documented)."""


class Refusal(Exception):
    """An answer other than 2xx. `code` becomes `details.error_code`. `executed` says that a batch's request was
    refused while it ran, not when it was validated."""

    def __init__(self, message: str, status: int = 400, *, code: str | None = None, executed: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.executed = executed

    @property
    def type(self) -> str:
        return STATUS_TYPES[self.status]

    def response(self, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
        """The whole answer; the request's id is in the body too (recorded since 2025-11)."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.code:
            error["details"] = {"error_code": self.code}
        body = {"type": "error", "error": error, "request_id": request_id}
        return JSONResponse(body, self.status, headers=dict(headers or {}))


def fit(check: Check, value: Any, *path: str | int) -> None:
    """Raises the Refusal for a value that does not fit; `path` leads to it."""
    try:
        check(value)
    except Mismatch as mismatch:
        raise Refusal(describe(mismatch, *path)) from None


def describe(mismatch: Mismatch, *path: str | int) -> str:
    """`messages.0.role: Field required`, as the validation library behind the API words it."""
    steps = [*path, *mismatch.path]
    if mismatch.kind == "untagged":
        steps.append(mismatch.limit)
    where = ".".join(map(str, steps))
    return f"{where}: {_words(mismatch)}" if where else _words(mismatch)


def _words(mismatch: Mismatch) -> str:
    value, limit = mismatch.value, mismatch.limit
    match mismatch.kind:
        case "missing" | "untagged":
            return "Field required"
        case "extra":
            return "Extra inputs are not permitted"
        case "type":
            return _TYPES[limit]
        case "choice":
            return f"Input should be {_alternatives(limit)}"
        case "tag":
            tags = ", ".join(f"'{tag}'" for tag in sorted(limit[1]))
            return f"Input tag '{value}' found using '{limit[0]}' does not match any of the expected tags: {tags}"
        case "minimum":
            return f"Input should be greater than or equal to {limit}"
        case "maximum":
            return f"Input should be less than or equal to {limit}"
        case "short" | "long":
            return _length(value, limit, "at least" if mismatch.kind == "short" else "at most")
        case "pattern":
            return f"String should match pattern '{limit}'"
    return str(limit)


_TYPES = {
    "string": "Input should be a valid string",
    "integer": "Input should be a valid integer",
    "number": "Input should be a valid number",
    "boolean": "Input should be a valid boolean",
    "array": "Input should be a valid list",
    "content": "Input should be a valid list",
    "object": "Input should be a valid dictionary",
}


def _length(value: Any, limit: int, bound: str) -> str:
    if isinstance(value, str):
        return f"String should have {bound} {limit} character{'s' if limit != 1 else ''}"
    kind = "List" if isinstance(value, list) else "Dictionary"
    return f"{kind} should have {bound} {limit} item{'s' if limit != 1 else ''} after validation, not {len(value)}"


def _alternatives(options: tuple[str, ...]) -> str:
    return listed(options, last="or") if len(options) < 3 else listed(options, last="or").replace(", or ", " or ")
