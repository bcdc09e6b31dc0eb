"""Errors in Anthropic's wire: `{"type":"error","error":{"type","message"},"request_id"}`, and the status beside it."""

import math
import re
from typing import Any

from starlette.responses import Response

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    ForbiddenError,
    InputError,
    OutcomeUnknownError,
    PendingError,
    Problem,
)
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.server.json import dumps

MAY_PASS = (408, 429)
"""Of the statuses from 400 to 499, those after which the same call may work (the real API marks all others so)."""
FOR_CALLERS = (
    (re.compile(r" \(--[^)]*\)"), ""),
    (re.compile(r"--drop ([\w.-]+?)\.(?=\s|$)"), r"the header `x-bifrost-drop: \1`."),
    (re.compile(r"\(choose with -p\)"), "(choose with the header x-model-provider)"),
    (re.compile(r" --sandbox needs no key\."), ""),
    (re.compile(r" The same command, run again, looks once more first\."), " Sent again, it is looked for first."),
)
"""What the core says to people at a terminal, as it is said to callers."""


class Refusal(BifrostError):
    """An answer that only this server gives, such as for a route that is not there."""

    def __init__(self, status: int, message: str, type: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]
        self.type = type  # type: ignore[misc]


def response(error: BifrostError, request_id: str) -> Response:
    """The answer to a call that failed before anything was answered."""
    return Response(dumps(body(error, request_id)), error.status, headers(error), "application/json")


def body(error: BifrostError, request_id: str) -> dict[str, Any]:
    """The envelope, which is also the last event of a stream that fails midway."""
    return {"type": "error", "error": {"type": error.type, "message": message(error)}, "request_id": request_id}


def headers(error: BifrostError) -> dict[str, str]:
    """When to try again, and whether to."""
    found: dict[str, str] = {}
    if (400 <= error.status < 500 and error.status not in MAY_PASS) or isinstance(error, OutcomeUnknownError):
        found["x-should-retry"] = "false"
    if error.retry_after is not None:
        found["retry-after"] = str(math.ceil(error.retry_after))
        found["retry-after-ms"] = str(int(error.retry_after * 1000))
    return found


def message(error: BifrostError) -> str:
    """What went wrong, for who cannot see this machine."""
    if isinstance(error, InputError):
        return "\n".join(_problem(problem) for problem in error.problems) + _more(error)
    if isinstance(error, PendingError):
        return error.message
    if isinstance(error, AuthError) and not isinstance(error, ForbiddenError | ConfigError):
        return f"{error.provider} refused the key that this gateway has for it{_variables(error)}; it is not yours."
    return for_callers(str(error))


def for_callers(text: str) -> str:
    """Without the flags of the command line."""
    for pattern, replacement in FOR_CALLERS:
        text = pattern.sub(replacement, text)
    return text


def _problem(problem: Problem) -> str:
    where = f"requests.{problem.line}"
    where += f" (custom_id {problem.custom_id})" if problem.custom_id else ""
    said = for_callers(problem.message)
    named = problem.provider is None or problem.provider in said.lower()
    return f"{where}: {said}" if named else f"{where}: {problem.provider}: {said}"


def _more(error: InputError) -> str:
    left = error.total - len(error.problems)
    return f"\n… and {left:,} more." if left > 0 else ""


def _variables(error: BifrostError) -> str:
    """The variables that a provider's key is read from."""
    if error.provider not in PROVIDERS:
        return ""
    names = [variable for setting in load(error.provider).settings if setting.secret for variable in setting.env[:1]]
    return f" ({names[0]})" if names else ""
