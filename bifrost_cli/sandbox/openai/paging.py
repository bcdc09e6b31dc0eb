"""The query parameters that OpenAI's lists share."""

from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.openai.errors import fit, invalid
from bifrost_cli.sandbox.shape import choice, integer, record

_ORDER = record({"order": choice("asc", "desc")})


def read_limit(call: Call, default: int, highest: int) -> int:
    """`limit`: 1 to `highest`."""
    text = call.query.get("limit", str(default))
    try:
        limit = int(text)
    except ValueError:
        message = "Invalid type for 'limit': expected an integer, but got a string instead."
        raise invalid(message, "limit", "invalid_type") from None
    fit(record({"limit": integer(1, highest)}), {"limit": limit})
    return limit


def read_order(call: Call) -> bool:
    """`order`: whether it is ascending."""
    order = call.query.get("order", "desc")
    fit(_ORDER, {"order": order})
    return order == "asc"
