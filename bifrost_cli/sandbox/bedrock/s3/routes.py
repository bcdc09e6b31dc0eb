"""S3's routes, who may use them, and which call a request is."""

import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bifrost_cli.sandbox.bedrock.s3 import api, listing, multipart
from bifrost_cli.sandbox.bedrock.s3.body import payload_mode
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal, host_id
from bifrost_cli.sandbox.bedrock.verify import Caller, Denied, bearer, signed_part, verify
from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.http import Api, Call, Stamped
from bifrost_cli.sandbox.ids import fresh_hex

Function = Callable[[Call], Awaitable[Response]]

_BUCKET: dict[tuple[str, str], Function] = {
    ("GET", ""): listing.list_objects,
    ("GET", "location"): api.location,
    ("HEAD", ""): api.head_bucket,
    ("POST", "delete"): api.delete_many,
}
_OBJECT: dict[tuple[str, str], Function] = {
    ("PUT", ""): api.put,
    ("PUT", "uploadId"): multipart.put_part,
    ("GET", ""): api.get,
    ("HEAD", ""): api.head,
    ("DELETE", ""): api.delete,
    ("DELETE", "uploadId"): multipart.abort,
    ("POST", "uploads"): multipart.create,
    ("POST", "uploadId"): multipart.complete,
}
"""The calls by method and by the query parameter that names what they are about."""

_SUBRESOURCES = [
    "acl",
    "accelerate",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
]
_REASONS = {
    "missing": "AccessDenied",
    "malformed": "AuthorizationHeaderMalformed",
    "key": "InvalidAccessKeyId",
    "token": "InvalidToken",
    "expired-token": "ExpiredToken",
    "scope": "AuthorizationHeaderMalformed",
    "date": "RequestTimeTooSkewed",
    "url": "AccessDenied",
    "headers": "AccessDenied",
    "mismatch": "SignatureDoesNotMatch",
}


def app(sandbox: Sandbox, settle: Callable[[Call], None]) -> ASGIApp:
    """The API, without the emulator's prefix. `settle` is called before anything is read, so that what others write is
    there."""
    api_ = Api(sandbox, "bedrock", lambda request: str(request.state.caller.account))

    async def serve(call: Call) -> Response:
        function = _function(call)
        if call.request.method in ("GET", "HEAD"):
            await run_in_threadpool(settle, call)
        return await function(call)

    routes = [
        api_.route(method, path, serve)
        for path in ("/{bucket}", "/{bucket}/{key:path}")
        for method in ("HEAD", "GET", "PUT", "POST", "DELETE")
    ]
    handlers = {S3Refusal: _refused, Exception: _failed}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    return Stamped(_Authenticated(inner), lambda: fresh_hex("", 16).upper(), _headers)


def _function(call: Call) -> Function:
    """The call that a request is. Raises S3Refusal for those that are not served."""
    method, path = call.request.method, call.path
    named = next((name for name in _SUBRESOURCES if name in call.query and name != "partNumber"), "")
    if "x-amz-copy-source" in call.request.headers:
        raise S3Refusal("NotImplemented", "[sandbox] copying is not served")
    table = _OBJECT if path.get("key") else _BUCKET
    if (method, named) in table:
        return table[method, named]
    if named or method in ("PUT", "POST"):
        raise S3Refusal("NotImplemented", f"[sandbox] this call is not served: {method} {named}".rstrip())
    raise S3Refusal("MethodNotAllowed", nodes=[("Method", method)])


class _Authenticated:
    """An API that only signed requests may use; the path is handed on as it was received, still encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            caller = _caller(scope, request)
        except S3Refusal as refusal:
            return await _response(request, refusal)(scope, receive, send)
        inner = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        inner["state"] = {**scope["state"], "caller": caller}
        await self._app(inner, receive, send)


def _caller(scope: Scope, request: Request) -> Caller:
    signed = signed_part(scope)
    if bearer(signed) is not None:
        raise S3Refusal("InvalidRequest", "The authorization mechanism you have provided is not supported.")
    try:
        return verify(signed, "s3", payload_mode(request), time.time())
    except Denied as denied:
        raise _denied(denied) from None


def _denied(denied: Denied) -> S3Refusal:
    code, detail = _REASONS[denied.reason], denied.detail
    message = {
        "malformed": detail,
        "scope": f"The authorization header is malformed; incorrect service. This endpoint belongs to {detail}.",
        "url": "Request has expired",
        "headers": "There were headers present in the request which were not signed",
    }.get(denied.reason)
    name = _DETAILS.get(denied.reason)
    return S3Refusal(code, message, [(name, detail)] if name else [])


_DETAILS = {"headers": "HeadersNotSigned", "key": "AWSAccessKeyId", "mismatch": "CanonicalRequest"}
"""The member of the error that the detail of a reason goes into."""


def failure(status: int, resource: str, headers: Mapping[str, str]) -> Response:
    """A fault's answer."""
    code = "SlowDown" if status == 429 else "InternalError" if status == 500 else "ServiceUnavailable"
    request_id = fresh_hex("", 16).upper()
    return S3Refusal(code, status=status).response(request_id, resource, {**headers, **_headers(request_id, status)})


def _headers(request_id: str, status: int) -> dict[str, str]:
    return {"x-amz-request-id": request_id, "x-amz-id-2": host_id(request_id), "server": "AmazonS3"}


def _response(request: Request, refusal: S3Refusal) -> Response:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return refusal.response(request.scope["state"]["request_id"], path)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, S3Refusal)
    return _response(request, error)


async def _failed(request: Request, error: Exception) -> Response:
    return _response(request, S3Refusal("InternalError"))
