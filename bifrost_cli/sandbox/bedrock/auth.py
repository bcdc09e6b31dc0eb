"""Who may use the control plane and the runtime: signed requests, and API keys as bearer tokens."""

import hashlib
import time
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.verify import Caller, Denied, bearer, by_api_key, signed_part, verify
from bifrost_cli.sandbox.http import BodyTooLarge, read_body

MAX_BODY = 25_000_000
"""The most bytes of a request (documented)."""

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_INVALID = "The security token included in the request is invalid."
_NAMES = {
    "missing": ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    "malformed": ("IncompleteSignatureException", ""),
    "key": ("UnrecognizedClientException", _INVALID),
    "token": ("UnrecognizedClientException", _INVALID),
    "api-key": ("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."),
    "expired-token": ("ExpiredTokenException", "The security token included in the request is expired"),
    "scope": ("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'."),
    "url": ("InvalidSignatureException", "Signature expired"),
    "date": ("InvalidSignatureException", ""),
    "headers": ("InvalidSignatureException", _MISMATCH),
    "mismatch": ("InvalidSignatureException", _MISMATCH),
}
"""The error and its text by reason; where the text is empty, the detail says it."""


class Authenticated:
    """An API that only those may use whose requests are signed or carry an API key. The path is handed on as it was
    received, still encoded: an ARN in it has an encoded slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(Request(scope, receive), MAX_BODY)
            caller = _caller(scope, body)
        except BodyTooLarge:
            refusal = Refusal("[sandbox] the request body is too large", "RequestEntityTooLargeException")
            return await refusal.response()(scope, receive, send)
        except Denied as denied:
            return await _refusal(denied).response()(scope, receive, send)
        inner = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        inner["state"] = {**scope.get("state", {}), "caller": caller}
        await self._app(inner, _replayed(body, receive), send)


def _caller(scope: Scope, body: bytes) -> Caller:
    request = signed_part(scope)
    key = bearer(request)
    if key is not None:
        return by_api_key(key)
    return verify(request, "bedrock", hashlib.sha256(body).hexdigest(), time.time())


def _refusal(denied: Denied) -> Refusal:
    name, text = _NAMES[denied.reason]
    return Refusal(text or denied.detail, name, member="Message" if denied.reason == "api-key" else "message")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A body that has been read, once more."""
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
