"""Reading answers: members may be absent or null, so each is taken for what it is or for nothing."""

from hashlib import sha256
from typing import Any

from bifrost_cli.providers.answers import count, objects, text


def member(value: Any, *names: str) -> Any:
    """`value[name][name]…`; None where a step is missing."""
    for name in names:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def safe(id: str) -> str:
    """An id in Anthropic's alphabet: as it is, or its hash."""
    plain = id.replace("_", "").replace("-", "")
    return id if plain.isalnum() and plain.isascii() else digest(id)


def digest(value: str) -> str:
    """24 characters that stand for `value`."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]


__all__ = ["count", "objects", "text"]
