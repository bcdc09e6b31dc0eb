"""The checksums that S3 takes with a body and gives back.

CRC32, SHA1, SHA256 and MD5 are verified; CRC32C and CRC64NVME, which the standard library does not have, are kept as
they were sent.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

PREFIX = "x-amz-checksum-"
ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"


class Digest(Protocol):
    """What computes a checksum."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_DIGESTS: dict[str, Callable[[], Digest]] = {"crc32": _Crc32, "sha1": hashlib.sha1, "sha256": hashlib.sha256}


def digest_for(algorithm: str) -> Digest | None:
    """What computes a checksum, None where it cannot be computed here."""
    return _DIGESTS[algorithm]() if algorithm in _DIGESTS else None


def sent(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The algorithm and value of the checksum in some headers; None when there is none."""
    for algorithm in ALGORITHMS:
        if PREFIX + algorithm in headers:
            return algorithm, headers[PREFIX + algorithm]
    return None


def composite(algorithm: str, values: Iterable[str]) -> str | None:
    """The checksum of the checksums of an object's parts, as S3 writes it: `base64-N`."""
    digest, parts = digest_for(algorithm), list(values)
    if digest is None:
        return None
    for value in parts:
        digest.update(base64.b64decode(value))
    return f"{encode(digest)}-{len(parts)}"


def encode(digest: Digest) -> str:
    return base64.b64encode(digest.digest()).decode()
