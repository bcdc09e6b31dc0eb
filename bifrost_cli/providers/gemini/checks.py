"""Refusal by name, and checks of a value's shape. Each takes the field's dotted path inside `params`."""

from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, NoReturn

import orjson

from bifrost_cli.errors import InvalidRequestError, UnsupportedError
from bifrost_cli.providers.gemini.models import Traits

PROVIDER = "gemini"
Drop = frozenset[str]

NO_COUNTERPART = "Gemini has no counterpart for it"


class Terms(NamedTuple):
    """What a request is translated under: the fields that it may lose, the model's traits, the form of schemas
    (`json_schema` or `schema`), and the address that file ids are below."""

    drop: Drop
    traits: Traits
    schema_form: str
    files: str


def kind(value: object) -> str:
    """How a JSON value is called in a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    if value == []:
        return "empty"
    return names.get(type(value), type(value).__name__)


def invalid(field: str, wanted: str, value: object) -> NoReturn:
    """Raise InvalidRequestError: the value is not what any provider would take."""
    raise InvalidRequestError(f"{field}: must be {wanted}, this is {kind(value)}.", provider=PROVIDER)


def unsupported(field: str, reason: str, hint: str = "Leave it out.") -> NoReturn:
    """Raise UnsupportedError for something that cannot be lost without changing what the request asks."""
    raise UnsupportedError(f"{reason}.", field=field, hint=hint, provider=PROVIDER)


def refuse(field: str, reason: str, drop: Drop, hint: str = "Leave it out") -> None:
    """Raise UnsupportedError, unless `drop` consents to losing the field."""
    if not dropped(field, drop):
        consent = f"{hint}, or consent to losing it with --drop {_plain(field)}."
        raise UnsupportedError(f"{reason}.", field=field, hint=consent, provider=PROVIDER)


def dropped(field: str, drop: Drop) -> bool:
    """Whether `drop` holds the field, by its path with or without indices, its last name, or its whole."""
    if not drop:
        return False
    names = _plain(field).split(".")
    paths = {".".join(names[:length]) for length in range(1, len(names) + 1)}
    return field in drop or names[-1] in drop or not paths.isdisjoint(drop)


def check_members(value: dict[str, Any], known: AbstractSet[str], field: str, drop: Drop) -> None:
    """Refuse members that are not `known`; those that are null ask for nothing."""
    if value.keys() <= known:
        return
    for name, member in value.items():
        if name not in known and member is not None:
            refuse(f"{field}.{name}", NO_COUNTERPART, drop)


def an_object(value: object, field: str) -> dict[str, Any]:
    """`value`, which must be an object."""
    return value if isinstance(value, dict) else invalid(field, "an object", value)


def a_list(value: object, field: str, wanted: str = "a list") -> list[Any]:
    """`value`, which must be a list that holds something."""
    return value if isinstance(value, list) and value else invalid(field, wanted, value)


def a_string(value: object, field: str) -> str:
    """`value`, which must be a string."""
    return value if isinstance(value, str) else invalid(field, "a string", value)


def a_number(value: object, field: str) -> float:
    """`value`, which must be a number."""
    if type(value) is int or type(value) is float:
        return value
    invalid(field, "a number", value)


def a_whole(value: object, field: str) -> int:
    """`value`, which must be a whole number."""
    return value if type(value) is int else invalid(field, "a whole number", value)


def a_flag(value: object, field: str) -> bool:
    """`value`, which must be true, false or null."""
    if value is None or isinstance(value, bool):
        return bool(value)
    invalid(field, "true or false", value)


def dumps(value: object, field: str) -> bytes:
    """`value` as JSON. Raises InvalidRequestError where it is none, or too deep (254 levels)."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidRequestError(f"{field}: cannot be written as JSON: {error}.", provider=PROVIDER) from None


def _plain(field: str) -> str:
    return ".".join(name for name in field.split(".") if not name.isdigit())
