"""Whose request it is: signatures are verified, keys looked up, clocks compared.

A refusal is neutral here; each service words it in its own way. Signing clients have the machine's clock, so the
signature's date is held against that one, whatever the sandbox's clock says.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from bifrost_cli.sandbox.bedrock import aws, signature
from bifrost_cli.sandbox.bedrock.signature import ALGORITHM, MalformedSignature, Signature, Signed

EXPIRED_TOKEN = "expired"
"""A session token with this word has expired."""

_HEADER_SECONDS = {"s3": 900, "bedrock": 300}

Reason = Literal[
    "missing", "malformed", "key", "token", "expired-token", "api-key", "scope", "date", "url", "headers", "mismatch"
]


class Denied(Exception):
    """A request that is not who it says. `detail` is for the message."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Caller:
    """Who calls. `key` and `signature` are there when the request was signed: what trails it may be signed too."""

    account: str
    region: str = aws.REGION
    key: bytes = b""
    signature: Signature | None = None


def signed_part(scope: Mapping[str, Any]) -> Signed:
    """What of an ASGI request is signed; the path with every prefix, as it was received."""
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    path, query = scope["raw_path"].decode("ascii", "replace"), scope["query_string"].decode("ascii", "replace")
    return Signed(scope["method"], path, query, headers)


def sent_signature(request: Signed) -> Signature:
    """The signature that a request carries in its header or its query. Raises Denied."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    authorization = request.header("authorization") or ""
    try:
        if authorization.startswith(ALGORITHM):
            return signature.from_header(authorization, request)
        if query.get("X-Amz-Algorithm") == ALGORITHM:
            return signature.from_query(query, request)
    except MalformedSignature as error:
        raise Denied("malformed", str(error)) from None
    raise Denied("missing")


def verify(request: Signed, service: str, body_hash: str, now: float) -> Caller:
    """The caller of a signed request. `now` is the machine's time in unix seconds. Raises Denied."""
    sent = sent_signature(request)
    if aws.MARK not in sent.key_id:
        raise Denied("key", sent.key_id)
    if sent.token is not None:
        _check_token(sent.token)
    if sent.service != service:
        raise Denied("scope", service)
    _check_date(sent, now)
    unsigned = signature.unsigned_headers(request, sent)
    if unsigned:
        raise Denied("headers", ", ".join(unsigned))
    key = signature.signing_key(aws.secret_of(sent.key_id), sent)
    canonical = signature.canonical_request(request, sent, body_hash, encode_path=service != "s3")
    if not hmac.compare_digest(signature.expected(key, sent, canonical), sent.value):
        raise Denied("mismatch", canonical)
    return Caller(aws.account_of(sent.key_id), sent.region, key, sent)


def bearer(request: Signed) -> str | None:
    """The API key that a request carries, if it carries one rather than a signature."""
    scheme, _, key = (request.header("authorization") or "").partition(" ")
    return key if scheme.lower() == "bearer" else None


def by_api_key(key: str) -> Caller:
    """The caller with an API key. Raises Denied."""
    if aws.MARK not in key:
        raise Denied("api-key")
    return Caller(aws.account_of(key))


def _check_token(token: str) -> None:
    if EXPIRED_TOKEN in token:
        raise Denied("expired-token")
    if aws.MARK not in token:
        raise Denied("token")


def _check_date(sent: Signature, now: float) -> None:
    try:
        date = datetime.strptime(sent.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Denied("malformed", f"Date must be in ISO-8601 'basic format'. Got '{sent.date}'.") from None
    allowed = _HEADER_SECONDS.get(sent.service, 300)
    if sent.expires is not None and now > date + sent.expires:
        raise Denied("url")
    if now < date - allowed or (sent.expires is None and now > date + allowed):
        raise Denied("date", _date_detail(sent.date, date, now, allowed))


def _date_detail(written: str, date: float, now: float, allowed: int) -> str:
    here, minutes = _basic(now), allowed // 60
    if now > date:
        return f"Signature expired: {written} is now earlier than {_basic(now - allowed)} ({here} - {minutes} min.)"
    return f"Signature not yet current: {written} is still later than {_basic(now + allowed)} ({here} + {minutes} min.)"


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
