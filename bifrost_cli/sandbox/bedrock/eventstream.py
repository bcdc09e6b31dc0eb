"""AWS's event stream: frames of headers and a payload, each with two checksums (documented)."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_STRING = 7


def event(name: str, payload: Mapping[str, Any]) -> bytes:
    """One event. Each payload has a member that hides how long the rest is (recorded); members are sorted."""
    body = orjson.dumps({**payload, "p": _padding(payload)}, option=orjson.OPT_SORT_KEYS)
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, body)


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame, all of its numbers big-endian."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value)) + value.encode()


def _padding(payload: Mapping[str, Any]) -> str:
    return _PADDING[: 1 + zlib.crc32(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)) % len(_PADDING)]


def stream(events: Iterator[tuple[str, Mapping[str, Any]]]) -> Iterator[bytes]:
    """Events as frames."""
    for name, payload in events:
        yield event(name, payload)
