"""AWS Signature Version 4, from the side that verifies (documented).

A signature covers the method, the path as it was received, the query, some headers and the hash of the body.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_CREDENTIAL = re.compile(r"(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")


class MalformedSignature(Exception):
    """A signature that cannot be read; the message says what is missing."""


@dataclass(frozen=True)
class Signature:
    """A signature as it was sent: who signed when and for what, which headers, and the value. `expires` is in seconds
    and set for presigned URLs only."""

    key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    value: str
    date: str
    token: str | None = None
    expires: int | None = None

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
class Signed:
    """What of a request is signed. `path` and `query` are as received, `headers` have lower-case names."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


def from_header(authorization: str, request: Signed) -> Signature:
    """The signature in an Authorization header. Raises MalformedSignature."""
    parts = authorization.removeprefix(ALGORITHM).replace(",", " ").split()
    fields = dict(part.partition("=")[::2] for part in parts)
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise MalformedSignature(f"Authorization header requires '{name}' parameter.")
    date = request.header("x-amz-date")
    if date is None:
        raise MalformedSignature("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return _signature(fields["Credential"], fields["SignedHeaders"], fields["Signature"], date, request)


def from_query(query: Mapping[str, str], request: Signed) -> Signature:
    """The signature in a presigned URL. Raises MalformedSignature."""
    for name in ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires"):
        if name not in query:
            raise MalformedSignature(f"Query-string authentication requires the '{name}' parameter.")
    if not query["X-Amz-Expires"].isdigit() or not 1 <= int(query["X-Amz-Expires"]) <= 604_800:
        raise MalformedSignature("X-Amz-Expires must be between 1 and 604800 seconds")
    fields = (query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"], query["X-Amz-Date"])
    return _signature(*fields, request, query.get("X-Amz-Security-Token"), int(query["X-Amz-Expires"]))


def _signature(
    credential: str,
    headers: str,
    value: str,
    date: str,
    request: Signed,
    token: str | None = None,
    expires: int | None = None,
) -> Signature:
    match = _CREDENTIAL.fullmatch(credential)
    if match is None or not date.startswith(match["day"]):
        raise MalformedSignature(f"Credential must have exactly 5 slash-delimited elements, and got: {credential}")
    token = token or request.header("x-amz-security-token")
    names = tuple(headers.split(";"))
    return Signature(match["key"], match["day"], match["region"], match["service"], names, value, date, token, expires)


def canonical_request(request: Signed, signature: Signature, body_hash: str, *, encode_path: bool) -> str:
    """The text whose hash is signed. S3 takes the path as it is, all others tidy it and encode it once more
    (documented)."""
    path = quote(_normalized(request.path), safe="/-_.~") if encode_path else request.path
    headers = [f"{name}:{' '.join((request.header(name) or '').split())}\n" for name in signature.headers]
    lines = (request.method, path or "/", _canonical_query(request.query), "".join(headers))
    return "\n".join((*lines, ";".join(signature.headers), body_hash))


def _normalized(path: str) -> str:
    """A path without `.`, `..` and empty steps."""
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/" + "/".join(steps) + ("/" if steps and path.endswith("/") else "")


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    encoded = [(_encoded(name), _encoded(value)) for name, value in pairs if name != "X-Amz-Signature"]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="-_.~")


def unsigned_headers(request: Signed, signature: Signature) -> list[str]:
    """Headers that a signature must cover and does not."""
    required = {"host"} | {name for name, _ in request.headers if name.startswith("x-amz-")}
    if signature.expires is not None:
        required.discard("x-amz-content-sha256")
    return sorted(required - set(signature.headers))


def signing_key(secret: str, signature: Signature) -> bytes:
    """The key that is derived from a secret for a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in (signature.day, signature.region, signature.service, "aws4_request"):
        key = _hmac(key, part)
    return key


def expected(key: bytes, signature: Signature, canonical: str) -> str:
    """What the signature should be."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return _hmac(key, "\n".join((ALGORITHM, signature.date, signature.scope, digest))).hex()


def chunk_signature(key: bytes, signature: Signature, previous: str, *hashes: str, kind: str = "PAYLOAD") -> str:
    """The signature of a chunk, or of what trails the last, which is chained to the one before."""
    lines = (f"{ALGORITHM}-{kind}", signature.date, signature.scope, previous, *hashes)
    return _hmac(key, "\n".join(lines)).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
