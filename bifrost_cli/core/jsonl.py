"""JSON lines: streaming read, and checks of a request's shape."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

import orjson

from bifrost_cli.errors import Problem

T = TypeVar("T")
Numbered = tuple[int, dict[str, Any] | Problem]
"""A line's number (1-based in a file) and its object, or what is wrong with it."""
Lines = Iterable[Numbered]
LONGEST_LINE = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_is_custom_id = re.compile(r"[a-zA-Z0-9_-]{1,64}").fullmatch


def read(stream: BinaryIO, *, longest: int = LONGEST_LINE) -> Iterator[Numbered]:
    """Each line, numbered.

    Blank lines are passed over; a BOM and CRLF are accepted; a line above `longest` bytes is not held in memory.
    """
    number, readline, loads, most = 0, stream.readline, orjson.loads, longest + 1
    while line := readline(most):
        number += 1
        if len(line) > longest:
            _skip_line(stream, line)
            yield number, Problem(number, None, f"the line is longer than {longest:,} bytes")
            continue
        if number == 1:
            line = line.removeprefix(BOM)
        try:
            value = loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                yield number, Problem(number, None, _why(line, error))
            continue
        if type(value) is not dict:
            value = Problem(number, None, f"a line must be a JSON object, this is {kind(value)}")
        yield number, value


def check(line: dict[str, Any]) -> str | None:
    """What is wrong with a canonical request's shape, or None; what is inside `params` is for the checks below."""
    custom_id, params = line.get("custom_id"), line.get("params")
    if type(custom_id) is not str:
        return _no_custom_id(custom_id, params)
    if not _is_custom_id(custom_id):
        return "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"
    if type(params) is not dict:
        return "params is missing" if params is None else f"params must be an object, this is {kind(params)}"
    if len(line) > 2:
        unknown = next(name for name in line if name not in ("custom_id", "params"))
        return f"unknown member '{unknown}' beside custom_id and params"
    return None


def check_settings(params: dict[str, Any]) -> str | None:
    """What is wrong with the settings that every request has, or None."""
    model, limit = params.get("model"), params.get("max_tokens")
    if type(model) is not str or not model:
        return _absent("model", model, "a non-empty string", "--model gives one to lines that lack it")
    if type(limit) is not int or limit < 1:
        hint = "--max-tokens gives one to lines that lack it"
        return _absent("max_tokens", limit, "a whole number above 0", hint)
    if params.get("stream"):
        return "stream: a batch cannot stream; leave it out"
    return None


def check_messages(messages: Any) -> str | None:
    """What is wrong with the shape of a conversation, or None."""
    if type(messages) is not list or not messages:
        return _absent("messages", messages, "a non-empty list")
    for message in messages:
        if type(message) is not dict or type(message.get("role")) is not str or "content" not in message:
            return f"messages.{messages.index(message)} must be an object with role and content"
    return None


def kind(value: object) -> str:
    """How a JSON value is called in a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _no_custom_id(custom_id: object, params: object) -> str:
    if custom_id is not None:
        return f"custom_id must be a string, this is {kind(custom_id)}"
    return (
        "a request needs custom_id and params, and this line has neither" if params is None else "custom_id is missing"
    )


def _absent(name: str, value: object, wanted: str, hint: str = "") -> str:
    said = f"{name} is missing" if value is None else f"{name} must be {wanted}, this is {_shown(value)}"
    return f"{said} ({hint})" if hint and value is None else said


def _shown(value: object) -> str:
    return str(value) if type(value) in (int, float) else "empty" if value in ("", []) else kind(value)


def _why(line: bytes, error: orjson.JSONDecodeError) -> str:
    if line.startswith(OTHER_BOMS):
        return "the file is UTF-16; save it as UTF-8"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as bad:
        return f"invalid UTF-8 at byte {bad.start + 1} of the line"
    return f"not valid JSON: {error.msg}, column {error.colno}"


def _skip_line(stream: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(1024 * 1024)


def custom_ids(stream: BinaryIO) -> Iterator[str]:
    """The custom_ids of an input, in its order; lines without one are passed over."""
    for _, line in read(stream):
        custom_id = line.get("custom_id") if isinstance(line, dict) else None
        if isinstance(custom_id, str):
            yield custom_id


async def as_stream(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, for what takes an asynchronous iterator."""
    for item in items:
        yield item
