"""What requests carry: JSON, bytes or a file, or a form around a file, each with the headers that describe it."""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import httpx
import orjson

from bifrost_cli.errors import InvalidRequestError

BLOCK = 256 * 1024


class Source(NamedTuple):
    """Bytes to send, or a file on disk, opened anew for each attempt. `on_read` is told of each block's length.

    With `offset` or `length` it is a part of them.
    """

    content: bytes | Path
    on_read: Callable[[int], object] = lambda length: None
    offset: int = 0
    length: int | None = None

    @property
    def size(self) -> int:
        """In bytes."""
        whole = len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size
        rest = max(0, whole - self.offset)
        return rest if self.length is None else min(rest, self.length)

    def part(self, offset: int, length: int) -> "Source":
        """At most `length` bytes, from `offset` on."""
        return self._replace(offset=offset, length=length)

    def open(self) -> "Reading":
        """To be read, once, telling `on_read`."""
        return Reading(self)


class Reading(httpx.AsyncByteStream):
    """A source being read, as a context manager; as a request's body it comes between `before` and `after`."""

    def __init__(self, source: Source) -> None:
        content = source.content
        self.file = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb", 0)
        self.file.seek(source.offset)
        self.on_read = source.on_read
        self.size = self.left = source.size
        self.before = self.after = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        block = self.before + self._read()
        while following := self._read():
            yield block
            block = following
        yield block + self.after

    @property
    def is_small(self) -> bool:
        """Whether it is in memory anyway, and one block."""
        return isinstance(self.file, io.BytesIO) and self.size <= BLOCK

    def whole(self) -> bytes:
        """The body of a small one."""
        return b"".join((self.before, self._read(), self.after))

    def _read(self) -> bytes:
        block = self.file.read(min(BLOCK, self.left)) or b""
        self.left -= len(block)
        self.on_read(len(block))
        return block


class Form(NamedTuple):
    """A multipart form: plain fields, then one file, which is streamed."""

    fields: Mapping[str, str]
    name: str
    filename: str
    media_type: str

    def check(self) -> None:
        """Raise InvalidRequestError where the filename would arrive as another: forms escape, and nobody unescapes."""
        if any(character in '"\\' or character < " " for character in self.filename):
            why = "forms change quotes, backslashes and control characters"
            message = f"A file cannot be uploaded as {self.filename!r}: {why}."
            raise InvalidRequestError(message, hint="Give it another name.")

    def around(self, boundary: str) -> tuple[bytes, bytes]:
        """What comes before the file's bytes, and after them."""
        plain = [f'"{name}"\r\n\r\n{value}' for name, value in self.fields.items()]
        file = f'"{self.name}"; filename="{self.filename}"\r\nContent-Type: {self.media_type}\r\n\r\n'
        parts = [f"--{boundary}\r\nContent-Disposition: form-data; name={part}" for part in (*plain, file)]
        return "\r\n".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


class Content(NamedTuple):
    """A body as httpx takes it, and the headers that describe it."""

    body: dict[str, Any]
    headers: dict[str, str]


def content_of(json: Any, file: Reading | None, form: Form | None) -> Content:
    """The body that these make; empty where there is none of them."""
    if file is not None:
        described = _framed(file, form) if form else {}
        length = len(file.before) + file.size + len(file.after)
        stream = httpx.ByteStream(file.whole()) if file.is_small else file
        return Content({"stream": stream}, {**described, "content-length": str(length)})
    if json is None:
        return Content({}, {})
    body = orjson.dumps(json)
    described = {"content-type": "application/json", "content-length": str(len(body))}
    return Content({"stream": httpx.ByteStream(body)}, described)  # As `content` its headers are looked for again.


def _framed(file: Reading, form: Form) -> dict[str, str]:
    """Make a body the file of a form; gives the headers that say so."""
    boundary = uuid4().hex
    file.before, file.after = form.around(boundary)
    return {"content-type": f"multipart/form-data; boundary={boundary}"}
