"""Where the parts of a large JSON text are, without parsing it whole.

The text is bytes or a memory map. Only the outer structure is looked at; each part must still be parsed, which
tells whether it is JSON.
"""

import mmap
import re
from collections.abc import Iterator

import orjson

Data = bytes | mmap.mmap
Span = tuple[int, int]

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SCALAR = re.compile(_STRING + rb"|[^\s,:\[\]{}\"]++", re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^\[\]{}"]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_OPENING = b"[{"


def _nested(depth: int) -> bytes:
    """A pattern for an object with objects inside, `depth` deep: most requests are found in one match."""
    inner = rb"|" + _nested(depth - 1) if depth else b""
    return rb'\{(?:[^{}"]++|' + _STRING + inner + rb")*+\}"


_SHALLOW_OBJECT = re.compile(_nested(8), re.DOTALL)


class JsonError(ValueError):
    """Text that is not JSON; `position` counts bytes from 0."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


def members(data: Data) -> Iterator[tuple[str, Span]]:
    """The members of the object that the whole text is: name, and where its value begins and ends. Raises
    JsonError."""
    position, more = _open(data, 0, b"{", b"}")
    while more:
        key = _element(data, position)
        colon = _skip(data, key[1])
        _expect(data, colon, b":")
        value = _element(data, colon + 1)
        yield _text(data, key), value
        position, more = _next(data, value[1], b"}")
    if _skip(data, position) != len(data):
        raise JsonError("unexpected content after document", position)


def items(data: Data, span: Span) -> Iterator[Span]:
    """Where the items of the array in `span` begin and end. Raises JsonError."""
    position, more = _open(data, span[0], b"[", b"]")
    while more:
        item = _element(data, position)
        yield item
        position, more = _next(data, item[1], b"]")


def _open(data: Data, position: int, opening: bytes, closing: bytes) -> tuple[int, bool]:
    """The position after an opening bracket and True, or after the closing one and False if it follows at once."""
    position = _skip(data, position)
    _expect(data, position, opening)
    inside = _skip(data, position + 1)
    return (inside + 1, False) if _byte(data, inside) == closing else (inside, True)


def _next(data: Data, position: int, closing: bytes) -> tuple[int, bool]:
    """The position after a comma and True, or after the closing bracket and False."""
    position = _skip(data, position)
    if _byte(data, position) == closing:
        return position + 1, False
    _expect(data, position, b",")
    return position + 1, True


def _element(data: Data, position: int) -> Span:
    start = _skip(data, position)
    shallow = _SHALLOW_OBJECT.match(data, start)
    if shallow is not None:
        return start, shallow.end()
    if _byte(data, start) in (b"{", b"["):
        return start, _closing(data, start)
    scalar = _SCALAR.match(data, start)
    if scalar is None:
        raise JsonError("unexpected character", start)
    return start, scalar.end()


def _closing(data: Data, start: int) -> int:
    depth, position = 0, start
    while True:
        bracket = _TO_BRACKET.match(data, position)
        if bracket is None:
            raise JsonError("unexpected end of data", len(data))
        depth += 1 if bracket[1] in _OPENING else -1
        position = bracket.end()
        if depth == 0:
            return position


def _skip(data: Data, position: int) -> int:
    match = _SPACE.match(data, position)
    return match.end() if match else position


def _byte(data: Data, position: int) -> bytes:
    return data[position : position + 1]


def _expect(data: Data, position: int, byte: bytes) -> None:
    if _byte(data, position) != byte:
        found = "unexpected end of data" if position >= len(data) else "unexpected character"
        raise JsonError(found, position)


def _text(data: Data, span: Span) -> str:
    try:
        key = orjson.loads(data[span[0] : span[1]])
    except orjson.JSONDecodeError as error:
        raise JsonError(str(error), span[0]) from error
    if not isinstance(key, str):
        raise JsonError("object key must be a string", span[0])
    return key
