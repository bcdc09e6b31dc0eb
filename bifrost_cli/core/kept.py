"""What is made of a request's settings, kept: the lines of a file share them, and differ in their messages."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from orjson import JSONEncodeError, dumps

Params = dict[str, Any]
Made = TypeVar("Made")

LONGEST = 16 * 1024
ROOM = 128 * 1024
"""Bytes of JSON: settings longer than the first are kept until the next come, and others up to the second in all."""


class Kept(Generic[Made]):
    """Makes something of settings, once for those whose JSON is the same byte by byte, which tells 1 from 1.0 and true.
    `make` is given params without messages, which are null, to be its own."""

    def __init__(self, make: Callable[[Params], Made]) -> None:
        self._make = make
        self._made: dict[bytes, Made] = {}
        self._size = 0
        self._last: tuple[bytes, Made] | None = None

    def of(self, params: Params) -> Made:
        """What is made of these. What `make` raises is raised each time."""
        settings = params.copy()
        settings["messages"] = None
        try:
            key = dumps(settings)
        except JSONEncodeError:
            return self._make(settings)
        if self._last is not None and self._last[0] == key:  # As most often: no need to hash it.
            return self._last[1]
        made = self._made.get(key)
        self._last = key, self._add(key, settings) if made is None else made
        return self._last[1]

    def _add(self, key: bytes, settings: Params) -> Made:
        made = self._make(settings)
        if len(key) > LONGEST:
            return made
        self._size += len(key)
        if self._size > ROOM:
            self._made.clear()
            self._size = len(key)
        self._made[key] = made
        return made
