"""OpenAI's routes, and who may use them."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.http import Api, BodyTooLarge, Stamped
from bifrost_cli.sandbox.ids import MARK, fresh_hex
from bifrost_cli.sandbox.openai import batches, chat, files, models, responses
from bifrost_cli.sandbox.openai.errors import Refusal, overloaded

KEY = "sk-sandbox-key"
_HOW = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the "
    "API from your browser and are prompted for a username and password. You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
_FAILURES = {
    429: Refusal(
        "Rate limit reached for requests. Please try again later.", 429, type="requests", code="rate_limit_exceeded"
    ),
    500: Refusal("The server had an error while processing your request. Sorry about that!", 500, type="server_error"),
    502: Refusal("Bad gateway", 502, type="server_error"),
    503: overloaded(),
    504: Refusal("The request timed out", 504, type="server_error"),
    529: Refusal("The server is overloaded", 529, type="server_error"),
}


def app(sandbox: Sandbox) -> ASGIApp:
    """The API, without the emulator's prefix."""
    api = Api(sandbox, "openai", authenticate)
    routes = [
        api.route("POST", "/v1/files", files.upload),
        api.route("GET", "/v1/files", files.listing),
        api.route("GET", "/v1/files/{id}", files.get),
        api.route("GET", "/v1/files/{id}/content", files.content),
        api.route("DELETE", "/v1/files/{id}", files.delete),
        api.route("POST", "/v1/batches", batches.create),
        api.route("GET", "/v1/batches", batches.listing),
        api.route("GET", "/v1/batches/{id}", batches.get),
        api.route("POST", "/v1/batches/{id}/cancel", batches.cancel),
        api.route("POST", "/v1/responses", responses.create),
        api.route("POST", "/v1/responses/input_tokens", responses.count_tokens),
        api.route("POST", "/v1/chat/completions", chat.create),
        api.route("GET", "/v1/models", models.listing),
        api.route("GET", "/v1/models/{id}", models.get),
    ]
    handlers = {Refusal: _refused, BodyTooLarge: _too_large, HTTPException: _no_route, Exception: _failed}
    return Stamped(Starlette(routes=routes, exception_handlers=handlers), _new_id, _headers)


def environment(base_url: str) -> dict[str, str]:
    """The variables that OpenAI's SDKs read, and the one that says that this is the whole API, not a lookalike."""
    return {"OPENAI_BASE_URL": f"{base_url}/v1", "OPENAI_API_KEY": KEY, "BIFROST_OPENAI_ENDPOINT": "auto"}


def failure(status: int, retry_after: float) -> Response:
    """A fault's answer."""
    headers = {**_headers(_new_id(), status), **({"retry-after": f"{retry_after:g}"} if status == 429 else {})}
    return _FAILURES[status].response(headers)


def authenticate(request: Request) -> str:
    """The caller's key, a bearer token."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refusal(_HOW, 401)
    if "sandbox" not in key:
        raise Refusal(
            f"Incorrect API key provided: {_masked(key)}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            401,
            code="invalid_api_key",
        )
    return key


def _masked(key: str) -> str:
    """Short keys are shown whole (recorded), longer ones with their middle hidden."""
    return key if len(key) < 16 else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"


def _new_id() -> str:
    return fresh_hex(f"req_{MARK}", 29)


def _headers(request_id: str, status: int) -> Mapping[str, str]:
    headers = {
        "x-request-id": request_id,
        "openai-version": "2020-10-01",
        "openai-organization": "bifrost-sandbox",
        "openai-project": f"proj_{MARK}",
    }
    return {**headers, "www-authenticate": 'Bearer realm="OpenAI API"'} if status == 401 else headers


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _too_large(request: Request, error: Exception) -> Response:
    return Refusal("Request body is too large.", 413).response()


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.scope["path"].removeprefix(request.scope["root_path"])
    if error.status_code == 404:
        return Refusal(f"Invalid URL ({request.method} {path})", 404).response()
    message = f"Not allowed to {request.method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    return Refusal(message, error.status_code, code="method_not_supported").response()


async def _failed(request: Request, error: Exception) -> Response:
    return _FAILURES[500].response()
