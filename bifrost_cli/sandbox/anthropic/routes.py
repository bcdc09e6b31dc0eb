"""Anthropic's routes, and who may use them."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from bifrost_cli.sandbox.anthropic import batches, files, messages, models
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.http import Api, BodyTooLarge, Stamped
from bifrost_cli.sandbox.ids import MARK, fresh

KEY = "sk-ant-sandbox-key"
VERSIONS = ("2023-06-01", "2026-10-21")
_FAILURES = {
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "The request timed out",
    529: "Overloaded",
}


def app(sandbox: Sandbox) -> ASGIApp:
    """The API, without the emulator's prefix."""
    api = Api(sandbox, "anthropic", authenticate)
    routes = [
        api.route("POST", "/v1/files", files.upload),
        api.route("GET", "/v1/files", files.listing),
        api.route("GET", "/v1/files/{id}", files.metadata),
        api.route("GET", "/v1/files/{id}/content", files.content),
        api.route("DELETE", "/v1/files/{id}", files.delete),
        api.route("POST", "/v1/messages/batches", batches.create),
        api.route("GET", "/v1/messages/batches", batches.listing),
        api.route("GET", "/v1/messages/batches/{id}", batches.get),
        api.route("POST", "/v1/messages/batches/{id}/cancel", batches.cancel),
        api.route("DELETE", "/v1/messages/batches/{id}", batches.delete),
        api.route("GET", "/v1/messages/batches/{id}/results", batches.results),
        api.route("POST", "/v1/messages/count_tokens", messages.count_tokens),
        api.route("POST", "/v1/messages", messages.create),
        api.route("GET", "/v1/models", models.listing),
        api.route("GET", "/v1/models/{id}", models.get),
    ]
    handlers = {Refusal: _refused, BodyTooLarge: _too_large, HTTPException: _no_route, Exception: _failed}
    return Stamped(Starlette(routes=routes, exception_handlers=handlers), _new_id, _headers)


def environment(base_url: str) -> dict[str, str]:
    """The variables that Anthropic's SDKs read."""
    return {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": KEY}


def failure(status: int, retry_after: float) -> Response:
    """A fault's answer."""
    request_id = _new_id()
    headers = {**_headers(request_id, status), **({"retry-after": f"{retry_after:g}"} if status == 429 else {})}
    return Refusal(_FAILURES[status], status).response(request_id, headers)


def authenticate(request: Request) -> str:
    """The caller's key: from `x-api-key`, which wins, or a bearer token. Then the version header is looked at."""
    key = request.headers.get("x-api-key")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if key is None and scheme.lower() != "bearer":
        raise Refusal("x-api-key header is required", 401)
    if "sandbox" not in (token if key is None else key):
        raise Refusal("API key is invalid." if key is None else "invalid x-api-key", 401)
    version = request.headers.get("anthropic-version")
    if version is None:
        raise Refusal("anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refusal(f'anthropic-version: "{version}" is not a valid version')
    return token if key is None else key


def _new_id() -> str:
    return fresh(f"req_011C{MARK}", 17)


def _headers(request_id: str, status: int) -> Mapping[str, str]:
    headers = {"request-id": request_id, "anthropic-organization-id": "00000000-0000-4000-8000-5a4db0c00000"}
    return {**headers, "x-should-retry": "false"} if 400 <= status < 500 and status != 429 else headers


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response(request.state.request_id)


async def _too_large(request: Request, error: Exception) -> Response:
    return Refusal("Request exceeds the maximum size", 413).response(request.state.request_id)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "Not Found" if error.status_code == 404 else "Method Not Allowed"
    return Refusal(message, error.status_code).response(request.state.request_id)


async def _failed(request: Request, error: Exception) -> Response:
    return Refusal("Internal server error", 500).response(request.state.request_id)
