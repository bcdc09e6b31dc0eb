"""Taking in a body, plain or `aws-chunked`: streamed to disk, held against its hashes and checksums."""

import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from bifrost_cli.sandbox.bedrock.s3 import checksums
from bifrost_cli.sandbox.bedrock.s3.chunked import AwsChunked
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal, bad_digest
from bifrost_cli.sandbox.http import BodyTooLarge, Call, limited

MAX_PUT = 5 * 1024**3
UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
"""Whether chunks are signed, and whether headers trail the body."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Content:
    """What came in: its size, its MD5 in hex, and the checksum that was sent with it, if one was."""

    size: int
    md5: str
    checksum: tuple[str, str] | None = None


def payload_mode(request: Request) -> str:
    """What is said of the body's hash: the hash itself, or how the body is signed. Raises S3Refusal."""
    mode = request.headers.get("x-amz-content-sha256")
    if mode is None:
        if "authorization" in request.headers:
            raise S3Refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        return UNSIGNED
    if mode != UNSIGNED and mode not in _STREAMING and not _SHA256.fullmatch(mode):
        message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-*, or a valid sha256 value."
        raise S3Refusal("InvalidArgument", message)
    return mode


async def receive(call: Call, path: Path) -> Content:
    """Writes the body to a file. Raises S3Refusal."""
    if "content-length" not in call.request.headers:
        raise S3Refusal("MissingContentLength")
    intake = _Intake(call.request)
    with path.open("wb") as sink:
        try:
            async for data in _decoded(call, intake):
                intake.update(data)
                sink.write(data)
        except BodyTooLarge:
            raise S3Refusal("EntityTooLarge") from None
    return intake.content()


async def read(call: Call, limit: int) -> bytes:
    """A small body, whole. Raises S3Refusal."""
    intake, parts = _Intake(call.request), []
    try:
        async for data in limited(call.request, limit):
            intake.update(data)
            parts.append(data)
    except BodyTooLarge:
        raise S3Refusal("MalformedXML") from None
    intake.content()
    return b"".join(parts)


async def _decoded(call: Call, intake: "_Intake") -> AsyncIterator[bytes]:
    """The content of the body as it comes in."""
    body = limited(call.request, MAX_PUT)
    if intake.mode not in _STREAMING:
        async for data in body:
            yield data
        return
    signed, trailing = _STREAMING[intake.mode]
    decoder = AwsChunked(call.request.state.caller, signed=signed, trailing=trailing)
    async for data in body:
        for content in decoder.feed(data):
            yield content
    decoder.end()
    intake.trailers = decoder.trailers


class _Intake:
    """Computes what must be compared while the content passes by."""

    def __init__(self, request: Request) -> None:
        self._headers = request.headers
        self.mode = payload_mode(request)
        self.trailers: dict[str, str] = {}
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if _SHA256.fullmatch(self.mode) else None
        self._algorithm = self._announced()
        self._digest = checksums.digest_for(self._algorithm or "")

    def _announced(self) -> str | None:
        """The algorithm of the checksum that comes with the body, before it or after."""
        before = checksums.sent(self._headers)
        if before:
            return before[0]
        trailer = self._headers.get("x-amz-trailer", "").lower().removeprefix(checksums.PREFIX)
        return trailer if trailer in checksums.ALGORITHMS else None

    def update(self, data: bytes) -> None:
        self._size += len(data)
        self._md5.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)
        if self._digest is not None:
            self._digest.update(data)

    def content(self) -> Content:
        """What came in, once all of it has. Raises S3Refusal when it is not what it should be."""
        decoded = self._headers.get("x-amz-decoded-content-length")
        if self.mode in _STREAMING and decoded is not None and decoded != str(self._size):
            raise S3Refusal("IncompleteBody")
        if self._sha256 is not None and self._sha256.hexdigest() != self.mode:
            raise S3Refusal("XAmzContentSHA256Mismatch")
        self._check_md5()
        return Content(self._size, self._md5.hexdigest(), self._checksum())

    def _check_md5(self) -> None:
        claimed = self._headers.get("content-md5")
        if claimed is None:
            return
        try:
            digest = base64.b64decode(claimed, validate=True)
        except binascii.Error:
            raise S3Refusal("InvalidDigest") from None
        if digest != self._md5.digest():
            raise bad_digest("Content-MD5")

    def _checksum(self) -> tuple[str, str] | None:
        claimed = checksums.sent(self._headers) or checksums.sent(self.trailers)
        if claimed is None:
            return None
        if self._digest is not None and checksums.encode(self._digest) != claimed[1]:
            raise bad_digest(claimed[0].upper())
        return claimed
