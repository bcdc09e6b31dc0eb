"""The words that Anthropic's models have for a value that does not fit (recorded through both APIs)."""

from typing import Any

from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.shape import Check, Mismatch, listed

_TYPES = {
    "string": "a valid string",
    "integer": "a valid integer",
    "number": "a valid number",
    "boolean": "a valid boolean",
    "array": "a valid list",
    "content": "a valid list",
    "object": "a valid dictionary",
}


def fit(check: Check, value: Any) -> None:
    """Raises the Refusal for a value that does not fit."""
    try:
        check(value)
    except Mismatch as mismatch:
        raise Refusal(describe(mismatch)) from None


def describe(mismatch: Mismatch) -> str:
    """`messages.0.role: Field required`"""
    steps = [*mismatch.path, *([mismatch.limit] if mismatch.kind == "untagged" else [])]
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
            return f"Input should be {_TYPES[limit]}"
        case "choice":
            return f"Input should be {listed(limit, last='or').replace(', or ', ' or ')}"
        case "tag":
            tags = ", ".join(f"'{tag}'" for tag in sorted(limit[1]))
            return f"Input tag '{value}' found using '{limit[0]}' does not match any of the expected tags: {tags}"
        case "minimum":
            return f"Input should be greater than or equal to {limit}"
        case "maximum":
            return f"Input should be less than or equal to {limit}"
        case "pattern":
            return f"String should match pattern '{limit}'"
        case "short" | "long":
            return _length(value, limit, "at least" if mismatch.kind == "short" else "at most")
    return str(limit)


def _length(value: Any, limit: int, bound: str) -> str:
    plural = "" if limit == 1 else "s"
    if isinstance(value, str):
        return f"String should have {bound} {limit} character{plural}"
    return f"List should have {bound} {limit} item{plural} after validation, not {len(value)}"
