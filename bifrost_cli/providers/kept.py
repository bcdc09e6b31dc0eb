"""What the settings of requests were translated to: the lines of a file share them, and differ in their messages.

Settings are all members of a request but `messages`.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

import orjson

Body = dict[str, Any]
Params = dict[str, Any]
Terms = TypeVar("Terms", bound=Hashable)
Said = TypeVar("Said")

LONGEST = 16 * 1024
ROOM = 128 * 1024
"""Bytes of JSON: settings longer than the first are not kept, and no more than the second in all."""


class Kept(Generic[Terms, Said]):
    """Translates requests, and keeps what their settings became by the exact JSON of them, which tells 1
    from 1.0 and true.

    `start` makes a body with nothing asked. A handler of `fields`, or else `otherwise`, puts a member of the request
    into it, and knows of the request the settings only. `messages` translates messages, whose place in the body is
    called `place`. `terms` are all else that the translation depends on.
    """

    def __init__(
        self,
        start: Callable[[Terms], Body],
        fields: Mapping[str, Callable[[Body, str, Any, Params, Terms], None]],
        otherwise: Callable[[Body, str, Any, Params, Terms], None],
        place: str,
        messages: Callable[[list[Any], Params, Terms], Said],
    ) -> None:
        self._start, self._fields, self._otherwise = start, fields, otherwise
        self._place, self._messages = place, messages
        self._bodies: dict[tuple[bytes, Terms], Body] = {}
        self._size = 0

    def translate(self, params: Params, terms: Terms) -> tuple[Body, Said]:
        """The caller's own body, with null in the messages' place, and the messages. The body's members are shared, to
        be replaced but not changed. Raises what the first wrong member of the request raises."""
        settings = params.copy()
        settings["messages"] = None
        try:
            key = (orjson.dumps(settings), terms)
        except orjson.JSONEncodeError:
            return self._translate(params, terms)
        if (kept := self._bodies.get(key)) is not None:
            return kept.copy(), self._messages(params["messages"], params, terms)
        body, said = self._translate(params, terms)
        self._keep(key, body)
        return body.copy(), said

    def _translate(self, params: Params, terms: Terms) -> tuple[Body, Said]:
        body = self._start(terms)
        for name, value in params.items():
            if name == "messages":
                body[self._place] = None
                said = self._messages(value, params, terms)
            elif value is not None:
                self._fields.get(name, self._otherwise)(body, name, value, params, terms)
        return body, said

    def _keep(self, key: tuple[bytes, Terms], body: Body) -> None:
        size = len(key[0])
        if size > LONGEST:
            return
        if self._size + size > ROOM:
            self._bodies.clear()
            self._size = 0
        self._bodies[key] = body
        self._size += size
