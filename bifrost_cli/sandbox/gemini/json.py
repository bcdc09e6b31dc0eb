"""Reading and writing JSON as Google does."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from bifrost_cli.sandbox.gemini.errors import JSON, Refusal


def parse(body: bytes) -> Any:
    """The JSON of a body; nothing at all is an empty object. Raises the Refusal for anything else."""
    if not body.strip():
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"Invalid JSON payload received. {error.msg}") from None


def pretty(value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """An answer indented by two spaces."""
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
    return Response(body, headers=dict(headers or {}), media_type=JSON)


def line(value: Mapping[str, Any]) -> bytes:
    """A line of a result file: compact, with a line feed (recorded 2025-09)."""
    return orjson.dumps(value) + b"\n"


def frame(value: Mapping[str, Any]) -> bytes:
    """A frame of a stream: a space after each colon, none after commas, two CRLF at its end (recorded 2026-08)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ": "))
    return f"data: {text}\r\n\r\n".encode()
