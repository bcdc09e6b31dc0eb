"""Small checks for JSON, combined into the shape of a request body.

A check takes a value and raises `Mismatch` when the value does not fit. What is wrong is told in neutral words;
each emulator puts them into its vendor's own. The path is built only on failure, so that a good value costs little.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

Check = Callable[[Any], None]


class Tag(str):
    """A step in a path that names which member of a union was taken; some vendors show it, some do not."""

    __slots__ = ()


class Mismatch(Exception):
    """A value that does not fit.

    `kind` is one of: missing, extra, type, choice, tag, untagged, minimum, maximum, short, long, pattern, rule.
    `path` leads to the value from the outside in. `limit` is what was expected: a type's name, the choices, a
    bound, a pattern, or for `rule` the sentence itself.
    """

    def __init__(self, kind: str, value: Any = None, limit: Any = None, *path: str | int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value
        self.limit = limit
        self.path: list[str | int] = list(path)


def type_name(value: Any) -> str:
    """JSON's name for a value's type; numbers are `integer` or `number`."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return "null" if value is None else names[type(value)]


def _wrong_type(value: Any, expected: str) -> NoReturn:
    raise Mismatch("type", value, expected)


def anything(value: Any) -> None:
    """Any JSON value."""


def boolean(value: Any) -> None:
    if not isinstance(value, bool):
        _wrong_type(value, "boolean")


def string(*, short: int = 0, long: int | None = None, pattern: str | None = None) -> Check:
    """A string of `short` to `long` characters that matches `pattern` from its beginning."""
    regex = re.compile(pattern) if pattern else None

    def check(value: Any) -> None:
        if not isinstance(value, str):
            _wrong_type(value, "string")
        if len(value) < short:
            raise Mismatch("short", value, short)
        if long is not None and len(value) > long:
            raise Mismatch("long", value, long)
        if regex is not None and not regex.match(value):
            raise Mismatch("pattern", value, pattern)

    return check


def _bounded(value: float, low: float | None, high: float | None) -> None:
    if low is not None and value < low:
        raise Mismatch("minimum", value, low)
    if high is not None and value > high:
        raise Mismatch("maximum", value, high)


def integer(low: int | None = None, high: int | None = None) -> Check:
    """A whole number between two bounds, inclusive."""

    def check(value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            _wrong_type(value, "integer")
        _bounded(value, low, high)

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """A number between two bounds, inclusive."""

    def check(value: Any) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            _wrong_type(value, "number")
        _bounded(value, low, high)

    return check


def choice(*options: str) -> Check:
    """One of some strings."""

    def check(value: Any) -> None:
        if value not in options or not isinstance(value, str):
            raise Mismatch("choice", value, options)

    return check


def nullable(inner: Check) -> Check:
    """Null, or what `inner` takes."""

    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def array(item: Check, *, short: int = 0, long: int | None = None) -> Check:
    """A list of `short` to `long` items."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            _wrong_type(value, "array")
        if len(value) < short:
            raise Mismatch("short", value, short)
        if long is not None and len(value) > long:
            raise Mismatch("long", value, long)
        for position, member in enumerate(value):
            _at(position, item, member)

    return check


def mapping(item: Check = anything, *, key: Check = anything, long: int | None = None) -> Check:
    """An object with any keys."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            _wrong_type(value, "object")
        if long is not None and len(value) > long:
            raise Mismatch("long", value, long)
        for name, member in value.items():
            key(name)
            _at(name, item, member)

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *, extra: bool = False) -> Check:
    """An object with known members. Unknown ones are refused unless `extra`."""
    known = {**required, **(optional or {})}

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            _wrong_type(value, "object")
        for name in required:
            if name not in value:
                raise Mismatch("missing", None, None, name)
        for name, member in value.items():
            inner = known.get(name)
            if inner is not None:
                _at(name, inner, member)
            elif not extra:
                raise Mismatch("extra", member, tuple(known), name)

    return check


def tagged(table: Mapping[str, Check], *, key: str = "type", default: str | None = None) -> Check:
    """An object whose member `key` says which of the shapes in `table` it has."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            _wrong_type(value, "object")
        tag = value.get(key, default)
        if tag is None:
            raise Mismatch("untagged", value, key)
        inner = table.get(tag) if isinstance(tag, str) else None
        if inner is None:
            raise Mismatch("tag", tag, (key, tuple(table)))
        _at(Tag(tag), inner, value)

    return check


def by_type(table: Mapping[type, Check], expected: str) -> Check:
    """A value of one of several JSON types, each with its own check; `expected` names them in a refusal."""

    def check(value: Any) -> None:
        inner = table.get(type(value))
        if inner is None:
            _wrong_type(value, expected)
        inner(value)

    return check


def both(*checks: Check) -> Check:
    """A value that fits all of these."""

    def check(value: Any) -> None:
        for inner in checks:
            inner(value)

    return check


def _at(step: str | int, inner: Check, value: Any) -> None:
    try:
        inner(value)
    except Mismatch as mismatch:
        mismatch.path.insert(0, step)
        raise


def listed(options: Sequence[str], quote: str = "'", last: str = "and") -> str:
    """Options as a sentence lists them: `'a', 'b', and 'c'`."""
    quoted = [f"{quote}{option}{quote}" for option in options]
    if len(quoted) < 3:
        return f" {last} ".join(quoted)
    return ", ".join(quoted[:-1]) + f", {last} {quoted[-1]}"
