"""Refusal by name, and checks of a value's shape, alike for every provider that translates.

Each takes the field's dotted path inside `params`, as the caller wrote it.
"""

from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

import orjson

from bifrost_cli.errors import InvalidRequestError, UnsupportedError

Drop = frozenset[str]


class Checks:
    """The checks of one provider; `subject` is what has no counterpart for a field, in messages."""

    def __init__(self, provider: str, subject: str) -> None:
        self.provider = provider
        self.no_counterpart = f"{subject} has no counterpart for it"

    def invalid(self, field: str, wanted: str, value: object) -> NoReturn:
        """Raise InvalidRequestError: the value is not what any provider would take."""
        raise InvalidRequestError(f"{field}: must be {wanted}, this is {kind(value)}.", provider=self.provider)

    def unsupported(self, field: str, reason: str, hint: str = "Leave it out.") -> NoReturn:
        """Raise UnsupportedError for something that cannot be lost without changing what the request asks."""
        raise UnsupportedError(f"{reason}.", field=field, hint=hint, provider=self.provider)

    def refuse(self, field: str, reason: str, drop: Drop, hint: str = "Leave it out") -> None:
        """Raise UnsupportedError, unless `drop` consents to losing the field."""
        if not dropped(field, drop):
            consent = f"{hint}, or consent to losing it with --drop {plain(field)}."
            raise UnsupportedError(f"{reason}.", field=field, hint=consent, provider=self.provider)

    def check_members(self, value: dict[str, Any], known: AbstractSet[str], field: str, drop: Drop) -> None:
        """Refuse members that are not `known`; those that are null ask for nothing."""
        if value.keys() <= known:
            return
        for name, member in value.items():
            if name not in known and member is not None:
                self.refuse(f"{field}.{name}", self.no_counterpart, drop)

    def an_object(self, value: object, field: str) -> dict[str, Any]:
        """`value`, which must be an object."""
        return value if isinstance(value, dict) else self.invalid(field, "an object", value)

    def a_list(self, value: object, field: str, wanted: str = "a list") -> list[Any]:
        """`value`, which must be a list that holds something."""
        return value if isinstance(value, list) and value else self.invalid(field, wanted, value)

    def a_string(self, value: object, field: str) -> str:
        """`value`, which must be a string."""
        return value if isinstance(value, str) else self.invalid(field, "a string", value)

    def a_number(self, value: object, field: str) -> float:
        """`value`, which must be a number."""
        if type(value) is int or type(value) is float:
            return value
        self.invalid(field, "a number", value)

    def a_whole(self, value: object, field: str) -> int:
        """`value`, which must be a whole number."""
        return value if type(value) is int else self.invalid(field, "a whole number", value)

    def a_flag(self, value: object, field: str) -> bool:
        """`value`, which must be true, false or null."""
        if value is None or isinstance(value, bool):
            return bool(value)
        self.invalid(field, "true or false", value)

    def dumps(self, value: object, field: str) -> bytes:
        """`value` as JSON. Raises InvalidRequestError where it is none, or too deep (254 levels)."""
        try:
            return orjson.dumps(value)
        except orjson.JSONEncodeError as error:
            raise InvalidRequestError(f"{field}: cannot be written as JSON: {error}.", provider=self.provider) from None


def plain_text(block: Any) -> str | None:
    """The text of a block that is nothing but text, which most are; None sends it the long way."""
    if type(block) is dict and len(block) == 2 and block.get("type") == "text":
        value = block.get("text")
        return value if type(value) is str else None
    return None


def kind(value: object) -> str:
    """How a JSON value is called in a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    if value == []:
        return "empty"
    return names.get(type(value), type(value).__name__)


def dropped(field: str, drop: Drop) -> bool:
    """Whether `drop` holds the field, by its path with or without indices, its last name, or its whole."""
    if not drop:
        return False
    names = plain(field).split(".")
    paths = {".".join(names[:length]) for length in range(1, len(names) + 1)}
    return field in drop or names[-1] in drop or not paths.isdisjoint(drop)


def plain(field: str) -> str:
    """A path without its indices, as `--drop` takes it."""
    return ".".join(name for name in field.split(".") if not name.isdigit())
