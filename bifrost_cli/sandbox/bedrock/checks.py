"""Checks that AWS's own patterns and structures need beside the common ones."""

import re
from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.shape import Check, Mismatch, string


def matching(pattern: str, *, short: int = 0, long: int | None = None, faster: str | None = None) -> Check:
    """A string of `short` to `long` characters, the whole of which matches a pattern; `faster` is one that takes the
    same strings without trying as long."""
    regex, size = re.compile(faster or pattern), string(short=short, long=long)

    def check(value: Any) -> None:
        size(value)
        if not regex.fullmatch(value):
            raise Mismatch("pattern", value, pattern)

    return check


def union(members: Mapping[str, Check]) -> Check:
    """An object with exactly one of some members. Members that are null count as absent."""

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise Mismatch("type", value, "object")
        given = [name for name, member in value.items() if member is not None]
        if len(given) != 1:
            raise Mismatch("rule", value, _one_of(members, given))
        name = given[0]
        if name not in members:
            raise Mismatch("extra", value[name], tuple(members), name)
        try:
            members[name](value[name])
        except Mismatch as mismatch:
            mismatch.path.insert(0, name)
            raise

    return check


def _one_of(members: Mapping[str, Check], given: list[str]) -> str:
    if not given:
        return f"[sandbox] exactly one of these members must be set, and none is: {', '.join(members)}"
    return f"[sandbox] only one member of a union may be set, not {', '.join(given)}"


def structure(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with known members. Members that are null count as absent."""
    known = {**required, **(optional or {})}

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            raise Mismatch("type", value, "object")
        for name in required:
            if value.get(name) is None:
                raise Mismatch("missing", None, None, name)
        for name, member in value.items():
            if name not in known:
                raise Mismatch("extra", member, tuple(known), name)
            if member is not None:
                _at(name, known[name], member)

    return check


def _at(name: str, inner: Check, value: Any) -> None:
    try:
        inner(value)
    except Mismatch as mismatch:
        mismatch.path.insert(0, name)
        raise
