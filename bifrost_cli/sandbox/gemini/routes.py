"""Gemini's routes, and who may use them.

Everything is served below both versions: the SDK calls v1, the documentation shows v1beta.
"""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.gemini import batches, files, generate, models
from bifrost_cli.sandbox.gemini.errors import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    OVERLOADED,
    PERMISSION_DENIED,
    UNAVAILABLE,
    Refusal,
    invalid_key,
    page,
    rate_limited,
)
from bifrost_cli.sandbox.gemini.upload import upload, upload_id
from bifrost_cli.sandbox.http import MB, Api, BodyTooLarge, Stamped
from bifrost_cli.sandbox.ids import MARK, fresh_hex

KEY = "gemini-sandbox-key"
VERSIONS = ("v1beta", "v1")
MAX_BODY = 20 * MB
_NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)
_FAILURES = {
    500: Refusal("An internal error has occurred. Please retry or report the problem.", INTERNAL),
    503: Refusal(OVERLOADED, UNAVAILABLE),
    504: Refusal("Deadline expired before operation could complete.", DEADLINE_EXCEEDED),
    529: Refusal(OVERLOADED, UNAVAILABLE, http=529),
}


def app(sandbox: Sandbox) -> ASGIApp:
    """The API, without the emulator's prefix."""
    api = Api(sandbox, "gemini", authenticate, MAX_BODY)
    model = "/{version}/models/{model}"
    routes = [
        api.route("POST", "/upload/{version}/files", upload),
        api.route("GET", "/download/{version}/files/{id}:download", files.content),
        api.route("GET", "/{version}/files", files.listing),
        api.route("GET", "/{version}/files/{id}:download", files.redirect),
        api.route("GET", "/{version}/files/{id}", files.get),
        api.route("DELETE", "/{version}/files/{id}", files.delete),
        api.route("POST", f"{model}:batchGenerateContent", batches.create),
        api.route("GET", "/{version}/batches", batches.listing),
        api.route("GET", "/{version}/batches/{id}", batches.get),
        api.route("POST", "/{version}/batches/{id}:cancel", batches.cancel),
        api.route("POST", "/{version}/batches/{id}:delete", batches.delete),
        api.route("DELETE", "/{version}/batches/{id}", batches.delete),
        api.route("POST", f"{model}:generateContent", generate.generate),
        api.route("POST", f"{model}:streamGenerateContent", generate.generate_stream),
        api.route("POST", f"{model}:countTokens", generate.count_tokens),
        api.route("GET", "/{version}/models", models.listing),
        api.route("GET", model, models.get),
    ]
    handlers = {Refusal: _refused, BodyTooLarge: _too_large, HTTPException: _no_route, Exception: _failed}
    return Stamped(Starlette(routes=routes, exception_handlers=handlers), _new_id, _headers)


def environment(base_url: str) -> dict[str, str]:
    """The variables that Google's SDKs read."""
    return {"GOOGLE_GEMINI_BASE_URL": base_url, "GEMINI_API_KEY": KEY}


def failure(status: int, retry_after: float) -> Response:
    """A fault's answer."""
    if status == 502:
        return page(502, "Server Error")
    refusal = rate_limited(retry_after) if status == 429 else _FAILURES[status]
    return refusal.response(_headers("", status))


def authenticate(request: Request) -> str:
    """The caller's key: from `x-goog-api-key`, or the query's `key`. An upload under way needs none."""
    if request.path_params["version"] not in VERSIONS:
        raise HTTPException(404)
    if upload_id(request) is not None:
        return ""
    key = request.headers.get("x-goog-api-key", request.query_params.get("key", ""))
    if not key:
        raise Refusal(_NO_KEY, PERMISSION_DENIED)
    if "sandbox" not in key:
        raise invalid_key()
    return key


def _new_id() -> str:
    return fresh_hex(MARK, 29)


def _headers(request_id: str, status: int) -> Mapping[str, str]:
    return {
        "vary": "Origin, X-Origin, Referer",
        "server": "scaffolding on HTTPServer2",
        "x-content-type-options": "nosniff",
        "server-timing": "gfet4t7; dur=1",
    }


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _too_large(request: Request, error: Exception) -> Response:
    return Refusal(f"Request payload size exceeds the limit: {MAX_BODY} bytes.").response()


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return page(error.status_code, error.detail)


async def _failed(request: Request, error: Exception) -> Response:
    return _FAILURES[500].response()
