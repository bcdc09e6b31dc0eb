"""Bedrock's refusals: the name of the error in a header, the message in the body, and AWS's words for a value that does
not fit."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.shape import Check, Mismatch

STATUSES = {
    "ValidationException": 400,
    "ConflictException": 400,
    "ServiceQuotaExceededException": 400,
    "SerializationException": 400,
    "IncompleteSignatureException": 400,
    "AccessDeniedException": 403,
    "UnrecognizedClientException": 403,
    "InvalidSignatureException": 403,
    "ExpiredTokenException": 403,
    "MissingAuthenticationTokenException": 403,
    "ResourceNotFoundException": 404,
    "UnknownOperationException": 404,
    "ModelTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "ModelErrorException": 424,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}
"""HTTP status by the name of the error (documented)."""

_COMMON = (
    "SerializationException",
    "IncompleteSignatureException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "MissingAuthenticationTokenException",
    "UnknownOperationException",
)
NATIVE = "The model returned the following errors: "
"""What stands before a message of the model's own vendor (recorded)."""


class Refusal(Exception):
    """An answer other than 2xx. `member` is the name of its message in the body."""

    def __init__(
        self, message: str, name: str = "ValidationException", *, status: int | None = None, member: str = "message"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.status = status or STATUSES[name]
        self.member = member

    @property
    def retryable(self) -> bool:
        """What an output line says of a record that got this."""
        return self.status in (408, 429) or self.status >= 500

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The whole answer. The name's suffix says which part of the service refused (recorded)."""
        package = "com.amazon.coral.service" if self.name in _COMMON else "com.amazon.bedrock"
        error_type = {"x-amzn-errortype": f"{self.name}:http://internal.amazon.com/coral/{package}/"}
        return JSONResponse({self.member: self.message}, self.status, headers={**error_type, **(headers or {})})


def fit(check: Check, value: Any) -> None:
    """Raises the Refusal for a value that does not fit."""
    try:
        check(value)
    except Mismatch as mismatch:
        raise refusal(mismatch) from None


def refusal(mismatch: Mismatch) -> Refusal:
    """`1 validation error detected: Value 'a_b' at 'jobName' failed to satisfy constraint: …`, AWS's common form."""
    where, value, limit = _dotted(mismatch.path), mismatch.value, mismatch.limit
    match mismatch.kind:
        case "type":
            return Refusal(f"[sandbox] {where or 'the body'} must be of the type {limit}", "SerializationException")
        case "extra":
            return Refusal(f"[sandbox] {where} is not a member that this operation has")
        case "rule":
            return Refusal(str(limit))
        case "missing":
            shown, constraint = "null", "Member must not be null"
        case _:
            shown, constraint = f"'{_shown(value)}'", _constraint(mismatch.kind, value, limit)
    return Refusal(
        f"1 validation error detected: Value {shown} at '{where}' failed to satisfy constraint: {constraint}"
    )


def _constraint(kind: str, value: Any, limit: Any) -> str:
    bound = {"short": "greater", "minimum": "greater"}.get(kind, "less")
    match kind:
        case "pattern":
            return f"Member must satisfy regular expression pattern: {limit}"
        case "choice":
            return f"Member must satisfy enum value set: [{', '.join(limit)}]"
        case "minimum" | "maximum":
            return f"Member must have value {bound} than or equal to {limit}"
    return f"Member must have length {bound} than or equal to {limit}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _dotted(path: list[str | int]) -> str:
    """`messages.1.member.content`: AWS counts the members of lists from 1."""
    steps = [f"{step + 1}.member" if isinstance(step, int) else str(step) for step in path]
    return ".".join(steps)
