"""Members of a provider's answer, which may be missing, null or of another type, alike for every provider."""

from typing import Any


def text(value: Any) -> str:
    """A string, or nothing."""
    return value if type(value) is str else ""


def count(value: Any) -> int:
    """A number of tokens, bytes or requests; 0 where there is none. 64-bit ones may come as text."""
    if type(value) is int:
        return value if value > 0 else 0
    if type(value) is str:
        return int(value) if value.isascii() and value.isdigit() else 0
    return int(value) if type(value) is float and value > 0 else 0


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which mostly is the list itself; none where it is absent or null."""
    found = value if type(value) is list else []
    for item in found:
        if type(item) is not dict:
            return [item for item in found if type(item) is dict]
    return found
