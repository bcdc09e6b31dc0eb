"""Bedrock's routes, and what points clients at them.

/bedrock/control   the control plane: batch inference jobs
/bedrock/runtime   the runtime: one request at a time
/bedrock/s3        S3, in path style
"""

from collections.abc import Mapping, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bifrost_cli.sandbox.bedrock import aws, jobs, runtime
from bifrost_cli.sandbox.bedrock.auth import MAX_BODY, Authenticated
from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.s3 import routes as s3
from bifrost_cli.sandbox.bedrock.settling import settle
from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.http import Api, Stamped
from bifrost_cli.sandbox.ids import derived_uuid, fresh

_FAILURES = {
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: (
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    502: ("InternalServerException", "Bad gateway"),
    503: ("ServiceUnavailableException", "Bedrock is unable to process your request."),
    504: ("InternalServerException", "The request timed out"),
    529: ("ServiceUnavailableException", "Overloaded"),
}


def app(sandbox: Sandbox) -> ASGIApp:
    """The three services, without the emulator's prefix."""
    api = Api(sandbox, "bedrock", lambda request: str(request.state.caller.account), MAX_BODY)
    control = [
        api.route("POST", "/model-invocation-job", jobs.create),
        api.route("GET", "/model-invocation-job/{id}", jobs.get),
        api.route("POST", "/model-invocation-job/{id}/stop", jobs.stop),
        api.route("GET", "/model-invocation-jobs", jobs.listing),
    ]
    running = [
        api.route("POST", "/model/{id}/invoke", runtime.invoke),
        api.route("POST", "/model/{id}/invoke-with-response-stream", runtime.invoke_stream),
        api.route("POST", "/model/{id}/converse", runtime.converse),
        api.route("POST", "/model/{id}/converse-stream", runtime.converse_stream),
        api.route("POST", "/model/{id}/count-tokens", runtime.count_tokens),
    ]
    mounts = [
        Mount("/control", _service(control)),
        Mount("/runtime", _service(running)),
        Mount("/s3", s3.app(sandbox, settle)),
    ]
    return Router(mounts, redirect_slashes=False)


def _service(routes: Sequence[BaseRoute]) -> ASGIApp:
    handlers = {Refusal: _refused, HTTPException: _no_route, Exception: _failed}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    return Stamped(Authenticated(inner), lambda: derived_uuid(fresh("", 32)), _headers)


def environment(base_url: str) -> dict[str, str]:
    """The variables that AWS's SDKs read, and where this tool finds a bucket and a role."""
    return {
        "AWS_ACCESS_KEY_ID": aws.KEY_ID,
        "AWS_SECRET_ACCESS_KEY": aws.secret_of(aws.KEY_ID),
        "AWS_REGION": aws.REGION,
        "AWS_DEFAULT_REGION": aws.REGION,
        "AWS_ENDPOINT_URL_BEDROCK": f"{base_url}/control",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"{base_url}/runtime",
        "AWS_ENDPOINT_URL_S3": f"{base_url}/s3",
        "BIFROST_BEDROCK_BUCKET": aws.BUCKET,
        "BIFROST_BEDROCK_ROLE_ARN": aws.ROLE,
    }


def failure(status: int, retry_after: float) -> Response:
    """A fault's answer, in the shape of the service that is called."""
    headers = {"retry-after": f"{retry_after:g}"} if status == 429 else {}
    return _Failure(status, headers)


class _Failure(Response):
    """An answer that is put into words once it is known which service was called."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=status, headers=headers)
        self._given = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith("/s3/"):
            await s3.failure(self.status_code, path.removeprefix("/s3"), self._given)(scope, receive, send)
            return
        name, message = _FAILURES[self.status_code]
        await Refusal(message, name, status=self.status_code).response(self._given)(scope, receive, send)


def _headers(request_id: str, status: int) -> Mapping[str, str]:
    return {"x-amzn-requestid": request_id}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _no_route(request: Request, error: Exception) -> Response:
    return Refusal("[sandbox] there is no such operation", "UnknownOperationException").response()


async def _failed(request: Request, error: Exception) -> Response:
    name, message = _FAILURES[500]
    return Refusal(message, name).response()
