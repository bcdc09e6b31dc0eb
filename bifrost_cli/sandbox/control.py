"""The sandbox's own routes, below `/_sandbox`:

    GET    /_sandbox/log      the requests served by this server, as they came: provider, method, path, status, time
    DELETE /_sandbox/log      forgets them, those not answered yet too
    GET    /_sandbox/counts   how many batches, files and messages were created, by provider; kept in the state
    GET    /_sandbox/faults   the faults that are set, with how often each still hits
    POST   /_sandbox/faults   sets more: a string, an object or a list of these (see `faults`)
    DELETE /_sandbox/faults   removes them all

They need no key. What is wrong with a request is told as `{"error": {"message": ...}}` with status 400.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from bifrost_cli.sandbox.emulator import Sandbox
from bifrost_cli.sandbox.faults import FaultSyntaxError, from_json


def control(sandbox: Sandbox, providers: Collection[str]) -> Router:
    """The routes above, without their prefix. `providers` are the names that a fault may use."""

    async def log(request: Request) -> Response:
        if request.method == "DELETE":
            sandbox.log.clear()
        return JSONResponse([asdict(entry) for entry in sandbox.log])

    async def counts(request: Request) -> Response:
        return JSONResponse({provider: {} for provider in providers} | sandbox.store.counts())

    return Router(
        [
            Route("/log", log, methods=["GET", "DELETE"]),
            Route("/counts", counts),
            Route("/faults", _faults(sandbox, providers), methods=["GET", "POST", "DELETE"]),
        ]
    )


def _faults(sandbox: Sandbox, providers: Collection[str]) -> Callable[[Request], Awaitable[Response]]:
    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            sandbox.faults.clear()
        if request.method == "POST":
            try:
                sandbox.faults.add(from_json(orjson.loads(await request.body()), providers))
            except (orjson.JSONDecodeError, FaultSyntaxError) as error:
                return JSONResponse({"error": {"message": str(error)}}, 400)
        return JSONResponse([asdict(fault) for fault in sandbox.faults.active])

    return faults
