"""Requests of equal settings in a provider's own form: what the settings become is made once, and each request's
messages are put into it.

Settings are all members of a request's params but `messages`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from orjson import Fragment, JSONEncodeError, dumps

from bifrost_cli.errors import InvalidRequestError

Body = dict[str, Any]
Params = dict[str, Any]
Terms = TypeVar("Terms")
Handler = Callable[[Body, str, Any, Params, Terms], None]
"""Puts a setting into the body: takes that, the setting's name and value, all params and the terms."""

HOLE = Fragment(b"\0")
"""A byte that is in no JSON: in strings it is escaped."""


class Kind(NamedTuple):
    """What a provider may keep requests apart by."""

    model: str
    endpoint: str


@dataclass(slots=True)
class Line:
    """A request in the provider's own form: one line of its batch input, without the line end."""

    custom_id: str
    kind: Kind
    body: bytes


class Encoder(ABC, Generic[Terms]):
    """Encodes requests with the settings of `params`. Raises UnsupportedError and InvalidRequestError, both with the
    dotted path, for settings when it is made and for messages when they come. `terms` are all else that the
    translation depends on.
    """

    provider: ClassVar[str]
    endpoint: ClassVar[str]
    place: ClassVar[str]
    """The member of the body that messages become."""
    handlers: ClassVar[Mapping[str, Handler[Any]]]
    """Of settings, by name."""

    def __init__(self, params: Params, terms: Terms) -> None:
        self.params, self.terms = params, terms
        self.kind = Kind(params["model"], self.endpoint)
        self._body = self.settle()
        self._around: list[bytes] = []

    def encode(self, custom_id: str, messages: list[Any]) -> Line:
        """A line of batch input."""
        encoder, made = self.translate(messages)
        try:
            start, middle, end = encoder._around or encoder._cut()
            line = b"".join((start, dumps(custom_id), middle, dumps(made), end))
        except JSONEncodeError as error:  # Most likely too deep: 254 levels are written, more are read.
            raise InvalidRequestError(f"params: cannot be written as JSON: {error}.", provider=self.provider) from None
        return Line(custom_id, encoder.kind, line)

    def body(self, messages: list[Any]) -> Body:
        """The body of a call of its own. Its members are shared, to be replaced but not changed."""
        encoder, made = self.translate(messages)
        return encoder.filled(made)

    def filled(self, made: Any) -> Body:
        """The body, with what messages were translated to."""
        return {**self._body, self.place: made}

    def having(self, **members: Any) -> Self:
        """One with these members in its body, too or instead."""
        made = copy(self)
        made._body, made._around = {**self._body, **members}, []
        return made

    def settle(self) -> Body:
        """The body but for messages, whose place is kept. A setting that is null asks for nothing."""
        body = self.start()
        for name, value in self.params.items():
            if name == "messages":
                body[self.place] = None
            elif value is None:
                continue
            elif handler := self.handlers.get(name):
                handler(body, name, value, self.params, self.terms)
            else:
                self.otherwise(body, name, value)
        return body

    def start(self) -> Body:
        """A body with nothing asked."""
        return {}

    def otherwise(self, body: Body, name: str, value: Any) -> None:
        """A setting that has none of `handlers` goes as it is."""
        body[name] = value

    @abstractmethod
    def translate(self, messages: list[Any]) -> tuple["Encoder[Any]", Any]:
        """What messages become, and the encoder whose body that goes into, which mostly is this one."""

    @staticmethod
    @abstractmethod
    def frame(custom_id: Any, body: Any) -> Body:
        """A line of batch input; the id comes before the body."""

    def _cut(self) -> list[bytes]:
        """What is in a line before the id, between it and the messages, and after them."""
        self._around = dumps(self.frame(HOLE, self.filled(HOLE))).split(b"\0")
        return self._around
