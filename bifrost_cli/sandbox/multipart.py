"""Reading a multipart/form-data upload as it streams in: the file to disk, the small fields to memory.

The official SDKs send a file given as bare bytes in a part without a filename (recorded). So the part named
`file` is the file, whether it has a filename or not.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import BinaryIO
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

_ENCODED_NAME = re.compile(r"filename\*=utf-8''([^;\s]+)", re.IGNORECASE)
MAX_FIELD = 64 * 1024
"""Bytes that a field other than the file may have."""


class MultipartError(ValueError):
    """A body that is not the multipart it says it is."""


@dataclass
class Upload:
    """What came in: `fields` by name, and the file's own headers. `present` tells an empty file from none."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    media_type: str | None = None
    size: int = 0
    present: bool = False


@dataclass
class _Part:
    name: str = ""
    filename: str | None = None
    media_type: str | None = None
    value: bytearray = field(default_factory=bytearray)


class _Reader:
    """Receives the parser's events and sorts them into an Upload."""

    def __init__(self, sink: BinaryIO) -> None:
        self.upload = Upload()
        self.finished = False
        self._sink = sink
        self._part = _Part()
        self._header = bytearray()
        self._headers: list[bytes] = []

    def on_part_begin(self) -> None:
        self._part = _Part()
        self._headers = []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        if b":" not in self._header:
            self._header += b":"
        self._header += data[start:end]

    def on_header_end(self) -> None:
        self._headers.append(bytes(self._header))
        self._header.clear()

    def on_headers_finished(self) -> None:
        self._part = _describe(self._headers)
        if self._is_file:
            self.upload.present = True
            self.upload.filename, self.upload.media_type = self._part.filename, self._part.media_type

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.upload.size += end - start
            self._sink.write(memoryview(data)[start:end])
        elif len(self._part.value) + end - start > MAX_FIELD:
            raise MultipartError(f"the field {self._part.name!r} is too long")
        else:
            self._part.value += data[start:end]

    def on_part_end(self) -> None:
        if not self._is_file:
            self.upload.fields[self._part.name] = self._part.value.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.finished = True

    @property
    def _is_file(self) -> bool:
        return self._part.name == "file"


def _describe(headers: list[bytes]) -> _Part:
    """The part that these header lines announce. Names are UTF-8 on the wire; where there are two, the one with its
    encoding wins, as .NET sends the real name there (recorded)."""
    message = Message()
    for line in headers:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        message[name.strip()] = value.strip()
    field_name = message.get_param("name", header="content-disposition", failobj="")
    media_type = message.get_content_type() if "content-type" in message else None
    encoded = _ENCODED_NAME.search(message.get("content-disposition", ""))
    filename = unquote(encoded[1]) if encoded else message.get_filename()
    return _Part(str(field_name), filename, media_type)


async def read_upload(content_type: str | None, chunks: AsyncIterator[bytes], sink: BinaryIO) -> Upload:
    """Reads a whole upload, writing the file to `sink`. Raises MultipartError."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise MultipartError("expected multipart/form-data with a boundary")
    reader = _Reader(sink)
    events = [name for name in dir(reader) if name.startswith("on_")]
    parser = MultipartParser(options[b"boundary"], {name: getattr(reader, name) for name in events})  # type: ignore[arg-type]
    try:
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise MultipartError(str(error)) from error
    if not reader.finished:
        raise MultipartError("the body ends before its last boundary")
    return reader.upload
