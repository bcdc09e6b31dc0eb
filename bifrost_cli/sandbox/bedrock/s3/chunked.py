"""The `aws-chunked` encoding of a body: chunks with their sizes, each signed or not, then headers that trail it.

400;chunk-signature=SIGNATURE\\r\\n DATA \\r\\n … 0;chunk-signature=SIGNATURE\\r\\n TRAILERS \\r\\n
"""

import hashlib
from collections.abc import Iterator

from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal
from bifrost_cli.sandbox.bedrock.signature import EMPTY_HASH, chunk_signature
from bifrost_cli.sandbox.bedrock.verify import Caller

_LONGEST_LINE = 16 * 1024


class AwsChunked:
    """Decodes a body as it comes in. `trailers` are complete after `end`. Raises S3Refusal."""

    def __init__(self, caller: Caller, *, signed: bool, trailing: bool) -> None:
        self._caller = caller
        self._signed = signed
        self._trailing = trailing
        self._previous = caller.signature.value if caller.signature else ""
        self._claimed = ""
        self._left = -1  # bytes of the chunk that are still to come; -1: its size is
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._last = False
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content in the next bytes of the body."""
        self._buffer += data
        while not self._last and self._step():
            if self._left > 0:
                yield self._take()

    def end(self) -> None:
        """Checks that the body is whole, and reads what trails it."""
        if not self._last:
            raise S3Refusal("IncompleteBody")
        lines = [line.strip() for line in bytes(self._buffer).decode("latin-1").split("\n")]
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        fields.pop("", None)
        claimed = fields.pop("x-amz-trailer-signature", None)
        self.trailers = fields
        if self._signed and self._trailing:
            self._check_trailer(claimed)

    def _step(self) -> bool:
        """Whether there is more to do with what is in the buffer; reads the line before a chunk."""
        if self._left > 0:
            return bool(self._buffer)
        line, newline, _ = bytes(self._buffer[:_LONGEST_LINE]).partition(b"\r\n")
        if not newline:
            if len(self._buffer) > _LONGEST_LINE:
                raise S3Refusal("InvalidRequest", "Invalid chunk size")
            return False
        del self._buffer[: len(line) + 2]
        if self._left == 0:  # the end of a chunk's line
            self._left = -1
            return True
        self._begin(line.decode("latin-1"))
        return True

    def _begin(self, line: str) -> None:
        size, _, extension = line.partition(";")
        try:
            self._left = int(size, 16)
        except ValueError:
            raise S3Refusal("InvalidRequest", "Invalid chunk size") from None
        self._claimed = extension.removeprefix("chunk-signature=")
        if self._left == 0:
            self._last = True
            self._check_chunk()

    def _take(self) -> bytes:
        data = bytes(self._buffer[: self._left])
        del self._buffer[: len(data)]
        self._left -= len(data)
        if self._signed:
            self._hash.update(data)
        if self._left == 0:
            self._check_chunk()
        return data

    def _check_chunk(self) -> None:
        if not self._signed:
            return
        self._check(self._claimed, EMPTY_HASH, self._hash.hexdigest(), kind="PAYLOAD")
        self._hash = hashlib.sha256()

    def _check_trailer(self, claimed: str | None) -> None:
        text = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
        self._check(claimed or "", hashlib.sha256(text.encode()).hexdigest(), kind="TRAILER")

    def _check(self, claimed: str, *hashes: str, kind: str) -> None:
        assert self._caller.signature is not None
        expected = chunk_signature(self._caller.key, self._caller.signature, self._previous, *hashes, kind=kind)
        if claimed != expected:
            raise S3Refusal("SignatureDoesNotMatch")
        self._previous = expected
