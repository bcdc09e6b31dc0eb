"""Reading answers: members may be absent or null, so each is taken for what it is or for nothing."""

from hashlib import sha256
from typing import Any


def text(value: Any) -> str:
    """A string, or nothing."""
    return value if type(value) is str else ""


def count(value: Any) -> int:
    """A number of tokens or records; 0 where there is none."""
    if type(value) is int:
        return value if value > 0 else 0
    return int(value) if type(value) is float and value > 0 else 0


def member(value: Any, *names: str) -> Any:
    """`value[name][name]…`; None where a step is missing."""
    for name in names:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which mostly is the list itself; none where it is absent or null."""
    found = value if type(value) is list else []
    for item in found:
        if type(item) is not dict:
            return [item for item in found if type(item) is dict]
    return found


def safe(id: str) -> str:
    """An id in Anthropic's alphabet: as it is, or its hash."""
    plain = id.replace("_", "").replace("-", "")
    return id if plain.isalnum() and plain.isascii() else digest(id)


def digest(value: str) -> str:
    """24 characters that stand for `value`."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]
