"""What AWS says when it fails: an answer of 400 and above, the error inside a result, a whole job's message."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    UpstreamError,
    UpstreamTimeoutError,
    for_status,
)
from bifrost_cli.providers.bedrock.answers import text
from bifrost_cli.providers.bedrock.checks import PROVIDER

CODES: dict[str, type[BifrostError]] = {
    "ValidationException": InvalidRequestError,
    "ConflictException": ConflictError,
    "ResourceNotFoundException": NotFoundError,
    "AccessDeniedException": ForbiddenError,
    "ThrottlingException": RateLimitError,
    "ServiceQuotaExceededException": RateLimitError,
    "ModelNotReadyException": RateLimitError,
    "ModelTimeoutException": UpstreamTimeoutError,
    "ServiceUnavailableException": OverloadedError,
    "ModelErrorException": UpstreamError,
    "ModelStreamErrorException": UpstreamError,
    "InternalServerException": UpstreamError,
    "UnrecognizedClientException": AuthError,
    "InvalidSignatureException": AuthError,
    "IncompleteSignatureException": AuthError,
    "MissingAuthenticationTokenException": AuthError,
    "MissingAuthenticationToken": AuthError,
    "ExpiredTokenException": AuthError,
    # S3's own
    "AccessDenied": ForbiddenError,
    "ExpiredToken": AuthError,
    "InvalidAccessKeyId": AuthError,
    "InvalidToken": AuthError,
    "NoSuchBucket": NotFoundError,
    "NoSuchKey": NotFoundError,
    "SignatureDoesNotMatch": AuthError,
    "SlowDown": OverloadedError,
}
"""What the code says beyond the status beside it, which for these is 400, 403, 424, 429 or 503."""
RECORD_STATUS: dict[int, type[BifrostError]] = {424: UpstreamError}
"""`errorCode` of a record is an HTTP status; ModelErrorException's is the only one that the tree reads otherwise."""
WRONG_STATE = re.compile(r"State was: (\w+)")
NO_ACCESS = re.compile(r"(?i)access.?denied|not authorized|unauthorized|permission|assume (the |this )?(service )?role")
NEXT_STEPS: dict[type[BifrostError], str] = {
    AuthError: "Check the AWS credentials: AWS_ACCESS_KEY_ID and its like, AWS_PROFILE, AWS_BEARER_TOKEN_BEDROCK.",
    ForbiddenError: "The credentials are known; their IAM policy does not allow this.",
}


def read_error(response: httpx.Response) -> BifrostError:
    """An error answer: the code in `x-amzn-ErrorType` (before a colon) or `__type`, and `{"message"}`."""
    body = _object(response.content)
    code = response.headers.get("x-amzn-errortype") or text(body.get("__type"))
    code = code.partition(":")[0].rpartition("#")[2]
    message = text(body.get("message") or body.get("Message"))
    return describe(code, message, response.status_code, response.headers.get("x-amzn-requestid"))


def describe(code: str, message: str, status: int, request_id: str | None = None) -> BifrostError:
    """The error that a code of AWS's, its message and the HTTP status mean."""
    kind = CODES.get(code, for_status(status))
    if kind is InvalidRequestError and WRONG_STATE.search(message):
        kind = ConflictError
    message = message or f"{PROVIDER} answered {status} without a message."
    said = f"{message} (code: {code})" if code and code not in message else message
    return kind(said, hint=NEXT_STEPS.get(kind), provider=PROVIDER, request_id=request_id)


def read_frame(headers: Mapping[str, Any], body: dict[str, Any]) -> BifrostError | None:
    """The error that a frame of an answer's stream is: an exception by its name (`throttlingException`), or another
    error by its code; None for an event."""
    kind = headers.get(":message-type")
    if kind == "exception":
        name = text(headers.get(":exception-type"))
        message = text(body.get("message")) or text(body.get("originalMessage"))
        return describe(name[:1].upper() + name[1:], message, 500)
    if kind == "error":
        return describe(text(headers.get(":error-code")), text(headers.get(":error-message")), 500)
    return None


def describe_record(error: dict[str, Any]) -> tuple[str, str]:
    """The error type and message of a record: `{"errorCode","errorMessage","expired","retryable"}`."""
    code, message = error.get("errorCode"), text(error.get("errorMessage"))
    status = int(str(code)) if str(code).isdecimal() else 500
    kind = RECORD_STATUS.get(status, for_status(status)) if 400 <= status < 600 else UpstreamError
    return kind.type, message or f"Bedrock gave the error {code} without a message."


def describe_job(message: str) -> str:
    """The error type of all records of a job that failed: whether its role lacks access, or its input is wrong."""
    return ForbiddenError.type if NO_ACCESS.search(message) else InvalidRequestError.type


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
