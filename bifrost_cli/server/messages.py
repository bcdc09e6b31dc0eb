"""The Messages API: `/v1/messages`, and the count of tokens."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from bifrost_cli import sse
from bifrost_cli.errors import BifrostError
from bifrost_cli.server import bodies, errors
from bifrost_cli.server.gateway import Call
from bifrost_cli.server.json import answer, parse
from bifrost_cli.server.stream import Stream, begun, until_gone

STRAY = "url"
"""A member that some callers put into params, which no provider takes and which asks for nothing."""
EVENTS = "text/event-stream; charset=utf-8"


async def create(call: Call) -> Response:
    """`POST /v1/messages`, whole or as a stream of events; when the caller leaves, the provider's call ends."""
    params = await _params(call)
    receive = call.request.receive
    if not params.get("stream"):
        return answer(await until_gone(receive, call.bifrost.create_message(params)))
    events = await until_gone(receive, begun(call.bifrost.stream_message(params)))
    return Stream(_frames(call, events), media_type=EVENTS, headers={"cache-control": "no-cache"})


async def count_tokens(call: Call) -> Response:
    """`POST /v1/messages/count_tokens`"""
    params = await _params(call)
    return answer({"input_tokens": await call.bifrost.count_tokens(params)})


async def _params(call: Call) -> dict[str, Any]:
    params = parse(await bodies.read(call.request))
    params.pop(STRAY, None)
    return params


async def _frames(call: Call, events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Server-sent events; the last one is the error, where one comes midway."""
    try:
        async for event in events:
            yield sse.frame(event)
    except BifrostError as error:
        yield sse.frame(errors.body(error, call.request_id))
