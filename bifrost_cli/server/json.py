"""JSON in and out."""

from typing import Any

import orjson
from starlette.responses import Response

from bifrost_cli.errors import InvalidRequestError


def dumps(value: Any) -> bytes:
    """Compact, as the real API writes."""
    return orjson.dumps(value)


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A whole answer."""
    return Response(dumps(value), status, headers, "application/json")


def parse(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises InvalidRequestError where it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"The request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidRequestError("The request body must be a JSON object.")
    return value
