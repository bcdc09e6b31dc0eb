"""Reading and writing JSON as OpenAI does."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from bifrost_cli.sandbox.openai.errors import Refusal


def parse(body: bytes) -> Any:
    """The JSON of a body. Raises the Refusal for anything else."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
        ) from None


def pretty(value: Mapping[str, Any], end: bytes = b"") -> Response:
    """An answer indented by two spaces, as most of the API's are (recorded)."""
    return Response(orjson.dumps(value, option=orjson.OPT_INDENT_2) + end, media_type="application/json")


def line(value: Mapping[str, Any]) -> bytes:
    """A line of an output file: a space after each comma and colon (recorded)."""
    return json.dumps(value).encode() + b"\n"
