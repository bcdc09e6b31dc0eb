"""An upload's multipart form, read as it streams in: the file to disk, the small fields to memory.

Anthropic's SDKs send a file given as bare bytes in a part without a filename (recorded); Starlette's own form parser
takes such a part for text and refuses it above 1 MiB. Here the part named `file` is the file.
"""

import mimetypes
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import BinaryIO
from urllib.parse import unquote

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from bifrost_cli.errors import InvalidRequestError

LONGEST_FIELD = 64 * 1024
ENCODED_NAME = re.compile(r"filename\*=utf-8''([^;\s]+)", re.IGNORECASE)
PLAIN = "application/octet-stream"


@dataclass
class Upload:
    """What came in: `fields` by name, and what the file's part says of it; `found` tells an empty file from none."""

    fields: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    kind: str | None = None
    found: bool = False

    @property
    def media_type(self) -> str:
        """As sent, or as the filename says."""
        guessed = mimetypes.guess_type(self.name or "")[0]
        return self.kind if self.kind and self.kind != PLAIN else guessed or PLAIN

    @property
    def filename(self) -> str:
        """The last component of the name sent; without one `unnamed`, with the ending of its type (documented)."""
        name = (self.name or "").rpartition("/")[2]
        return name or "unnamed" + (mimetypes.guess_extension(self.media_type) or "")


@dataclass
class Form:
    """Takes the parser's events."""

    sink: BinaryIO
    upload: Upload = field(default_factory=Upload)
    ended: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _headers: Message = field(default_factory=Message)
    _name: str = ""
    _value: bytearray = field(default_factory=bytearray)

    def on_part_begin(self) -> None:
        self._headers, self._value = Message(), bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        if b":" not in self._header:
            self._header += b":"
        self._header += data[start:end]

    def on_header_end(self) -> None:
        name, _, value = self._header.decode("utf-8", "replace").partition(":")
        self._headers[name.strip()] = value.strip()
        self._header.clear()

    def on_headers_finished(self) -> None:
        headers = self._headers
        self._name = str(headers.get_param("name", header="content-disposition", failobj=""))
        if self._name != "file":
            return
        if self.upload.found:
            raise InvalidRequestError("file: one file at a time.")
        encoded = ENCODED_NAME.search(headers.get("content-disposition", ""))
        self.upload.found = True
        self.upload.name = unquote(encoded[1]) if encoded else headers.get_filename()
        self.upload.kind = headers.get_content_type() if "content-type" in headers else None

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self.sink.write(memoryview(data)[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > LONGEST_FIELD:
            raise InvalidRequestError(f"{self._name[:100]}: the field is too long.")

    def on_part_end(self) -> None:
        if self._name != "file":
            self.upload.fields[self._name] = self._value.decode("utf-8", "replace")

    def on_end(self) -> None:
        self.ended = True


async def read(content_type: str | None, blocks: AsyncIterator[bytes], sink: BinaryIO) -> Upload:
    """Read a whole form, its file to `sink`. Raises InvalidRequestError where it is none."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequestError("A file is uploaded as multipart/form-data, with a boundary.")
    form = Form(sink)
    events = {name: getattr(form, name) for name in dir(form) if name.startswith("on_")}
    parser = MultipartParser(options[b"boundary"], events)  # type: ignore[arg-type]
    try:
        async for block in blocks:
            parser.write(block)
        parser.finalize()
    except FormParserError as error:
        raise InvalidRequestError(f"The body is not the multipart form that it says it is: {error}") from None
    if not form.ended:
        raise InvalidRequestError("The body ends before its last boundary.")
    if not form.upload.found:
        raise InvalidRequestError("file: Field required")
    return form.upload
