"""Reading JSON as AWS's services do."""

from typing import Any

import orjson

from bifrost_cli.sandbox.bedrock.errors import Refusal


def parse(body: bytes) -> Any:
    """The JSON of a body; an empty one is an empty object. Raises the Refusal for anything else."""
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Refusal("Unable to parse the request body as JSON", "SerializationException") from None
    if not isinstance(value, dict):
        raise Refusal("Start of structure or map found where not expected.", "SerializationException")
    return value
