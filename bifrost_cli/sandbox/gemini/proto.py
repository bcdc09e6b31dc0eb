"""Reading JSON into messages whose fields are known, as Google's servers do.

A field may be named in camelCase or in snake_case, a number may be a string, an enum may be in any case, a repeated
field may be given a single value, and null is the same as nothing (documented for protobuf; recorded 2026-08). What is
read comes out in snake_case, so that nothing behind has to look for two names. What does not fit is a `Misfit`; who
reads puts it into words.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta"
_CAMEL = re.compile(r"_([a-z0-9])")


@dataclass(frozen=True)
class Misfit:
    """What does not fit. `kind` is unknown, list, object, message, value, base64 or oneof: a name that no field has, a
    list or an object for a single value, no object for a message, a value of another type, text that is no base64, one
    too many of a group. `path` leads to the message or value that it is about, `name` is the member as the caller wrote
    it, `type` what was expected."""

    kind: str
    path: str
    name: str = ""
    type: str = ""
    value: Any = None


@dataclass
class Reading:
    """One reading: what has not fitted so far. `snake_only` is for the lines of a batch's file."""

    snake_only: bool = False
    misfits: list[Misfit] = field(default_factory=list)

    def miss(self, kind: str, path: str, name: str = "", type: str = "", value: Any = None) -> None:
        self.misfits.append(Misfit(kind, path, name, type, value))


@dataclass(frozen=True)
class Place:
    """Where a value is: its own path, that of the message it is in, and its name as the caller wrote it."""

    path: str
    parent: str
    name: str

    def at(self, step: str) -> "Place":
        """The place of an item of a value that has several."""
        return Place(self.path + step, self.parent, self.name)


@dataclass(frozen=True)
class Scalar:
    """A type of values that are not messages. `read` gives the value, or raises ValueError."""

    type: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Many:
    """A repeated field."""

    item: "Scalar | Message"


@dataclass(frozen=True)
class Mapped:
    """A field that maps strings to values. In a path its entries are numbered (reported)."""

    item: "Scalar | Message"


@dataclass(eq=False)
class Message:
    """A message: its name below the API's package, its fields, and those of which at most one may be set."""

    name: str
    fields: dict[str, "Kind"] = field(default_factory=dict)
    oneof: tuple[str, ...] = ()
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return f"{PACKAGE}.{self.name}"

    def field_name(self, given: str, snake_only: bool) -> str | None:
        """The field that a caller means by a name."""
        if not self._names:
            self._names.update({camel(name): name for name in self.fields})
        if given in self.fields:
            return given
        return None if snake_only else self._names.get(given)


Kind = Scalar | Message | Many | Mapped


def camel(name: str) -> str:
    """`inline_data` as `inlineData`."""
    return _CAMEL.sub(lambda match: match[1].upper(), name)


def read(
    message: Message, value: Any, *, snake_only: bool = False, path: str = ""
) -> tuple[dict[str, Any], list[Misfit]]:
    """The message in a JSON value, and what does not fit in it."""
    reading = Reading(snake_only)
    result = _message(reading, message, value, path)
    return (result if isinstance(result, dict) else {}), reading.misfits


def _message(reading: Reading, message: Message, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        return reading.miss("message", path, type=message.type, value=value)
    result: dict[str, Any] = {}
    for given, member in value.items():
        name = message.field_name(given, reading.snake_only)
        if name is None:
            reading.miss("unknown", path, given)
        elif member is not None and name in message.oneof and not result.keys().isdisjoint(message.oneof):
            reading.miss("oneof", path, given)
        elif member is not None:
            result[name] = _field(reading, message.fields[name], member, Place(_join(path, name), path, given))
    return result


def _field(reading: Reading, kind: Kind, value: Any, place: Place) -> Any:
    if isinstance(kind, Many):
        items = value if isinstance(value, list) else [value]
        return [_one(reading, kind.item, item, place.at(f"[{i}]")) for i, item in enumerate(items)]
    if not isinstance(kind, Mapped):
        return _one(reading, kind, value, place)
    if not isinstance(value, dict):
        return reading.miss("message", place.path, type="Map", value=value)
    entries = enumerate(value.items())
    return {key: _one(reading, kind.item, item, place.at(f"[{i}].value")) for i, (key, item) in entries}


def _one(reading: Reading, kind: "Scalar | Message", value: Any, place: Place) -> Any:
    if kind is VALUE or (kind is STRUCT and isinstance(value, dict)):
        return value
    if isinstance(value, list) and kind is not STRUCT:
        return reading.miss("list", place.parent, place.name, kind.type, value)
    if isinstance(kind, Message):
        return _message(reading, kind, value, place.path)
    if isinstance(value, dict):
        return reading.miss("object", place.parent, place.name, kind.type, value)
    return _scalar(reading, kind, value, place.path)


def _scalar(reading: Reading, kind: Scalar, value: Any, path: str) -> Any:
    try:
        return kind.read(value)
    except (ValueError, OverflowError):
        return reading.miss("base64" if kind is BYTES else "value", path, type=kind.type, value=value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _truth(value: Any) -> bool:
    if value in ("true", "false") and isinstance(value, str):
        return value == "true"
    if not isinstance(value, bool):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or int(value) != float(value):
        raise ValueError
    return int(value)


def _short(value: Any) -> int:
    number = _whole(value)
    if not -(2**31) <= number < 2**31:
        raise ValueError
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    return float(value)


def _bytes(value: Any) -> str:
    """Base64 in either alphabet, with or without padding; it is kept as it was given."""
    text = _text(value).rstrip("=")
    base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    return str(value)


STRING = Scalar("TYPE_STRING", _text)
BOOL = Scalar("TYPE_BOOL", _truth)
INT32 = Scalar("TYPE_INT32", _short)
INT64 = Scalar("TYPE_INT64", _whole)
FLOAT = Scalar("TYPE_FLOAT", _number)
DOUBLE = Scalar("TYPE_DOUBLE", _number)
BYTES = Scalar("TYPE_BYTES", _bytes)
VALUE = Scalar("type.googleapis.com/google.protobuf.Value", lambda value: value)
STRUCT = Scalar("type.googleapis.com/google.protobuf.Struct", lambda value: _fail())


def enum(name: str, *values: str) -> Scalar:
    """An enum: its name below the API's package, and its values from number 0 on."""
    known: Mapping[str, str] = {value: value for value in values}

    def read(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            return values[value] if 0 <= value < len(values) else _fail()
        found = known.get(_text(value).upper())
        return found if found is not None else _fail()

    return Scalar(f"{PACKAGE}.{name}", read)


def _fail() -> str:
    raise ValueError
