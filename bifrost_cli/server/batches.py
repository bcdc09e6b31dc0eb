"""The Message Batches API: `/v1/messages/batches`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any

import orjson
from starlette.responses import Response

from bifrost_cli.core.jsonl import Lines
from bifrost_cli.core.plan import Plan
from bifrost_cli.errors import InvalidRequestError, PendingError, Problem
from bifrost_cli.models import Batch, BatchResult
from bifrost_cli.server import bodies, pages
from bifrost_cli.server.creates import RETRIES_WITHIN
from bifrost_cli.server.gateway import Call
from bifrost_cli.server.json import answer, dumps
from bifrost_cli.server.messages import STRAY
from bifrost_cli.server.spans import JsonError, Walker
from bifrost_cli.server.stream import Stream, begun, blocks_of

AT_ONCE = 128 * 1024
"""Bytes of a body that are planned without a thread: that takes two or three milliseconds, and a thread of Python's
holds up the others for as long, and longer for the change."""


async def create(call: Call) -> Response:
    """`POST /v1/messages/batches`"""
    began = time.time()
    with bodies.kept() as body:
        size = await bodies.save(call.request, body, bodies.LONGEST_BATCH)
        batch = await call.gateway.creates.see_through(_create(call, body, size, began))
    call.gateway.background.start(batch.id)
    return answer(shown(call, batch))


async def _create(call: Call, body: IO[bytes], size: int, began: float) -> Batch:
    plan = _planned(call, body, size) if size <= AT_ONCE else await asyncio.to_thread(_planned, call, body, size)
    # An equal one that ends after this call began was at the same time, however long this one takes from then on.
    since = began - RETRIES_WITHIN if call.caller.retry else began
    with plan:
        return await call.bifrost.create_batch(plan, key=call.caller.key, since=since)


def _planned(call: Call, body: IO[bytes], size: int) -> Plan:
    return call.bifrost.plan_batch(lines_of(body, size), source="serve", defaults={}, unit="requests")


def lines_of(body: IO[bytes], size: int) -> Lines:
    """The members of `requests` with their indices. Raises InvalidRequestError where the body is of another form."""
    requests = (_parsed(body) if size <= AT_ONCE else None) or _walked(body)
    return ((index, _request(index, request)) for index, request in enumerate(requests))


def _parsed(body: IO[bytes]) -> list[Any] | None:
    """The requests of a body that is as it should be, which is parsed twice as fast as it is walked; what is
    wrong with another is told by who walks it."""
    text = body.read()
    body.seek(0)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    match value:
        case {"requests": list(requests), **rest} if not rest and text.count(b'"requests"') == 1:
            return requests
    return None


def _walked(body: IO[bytes]) -> Iterator[Any]:
    walker, count = Walker(body), 0
    try:
        for name in walker.members():
            if name != "requests":
                raise InvalidRequestError(f"{name[:100]}: Extra inputs are not permitted")
            for request in walker.items():
                count += 1
                yield request
    except JsonError as error:
        raise InvalidRequestError(f"The request body is not valid JSON: {error}") from None
    if not count:
        raise InvalidRequestError("requests: List should have at least 1 item")


def _request(index: int, request: Any) -> dict[str, Any] | Problem:
    if not isinstance(request, dict):
        return Problem(index, None, "must be an object with custom_id and params")
    # A line of another form than Anthropic's is not for this wire: it is one whose params are missing.
    params = request.setdefault("params", None)
    if isinstance(params, dict):
        params.pop(STRAY, None)
    return request


async def listing(call: Call) -> Response:
    """`GET /v1/messages/batches`"""
    asked = pages.Asked.of(call.request.query_params, call.whole_id)
    provider = call.provider_of(asked.after or asked.before)

    async def get_page(*, limit: int, after: str | None) -> Any:
        return await call.bifrost.page_batches(provider=provider, limit=limit, after=after)

    page = await asked.show(get_page, call.gateway.tokens("batches", call.bifrost.owner))
    return answer({"data": [shown(call, batch) for batch in page.data], **page.by_ids()})


async def retrieve(call: Call) -> Response:
    """`GET /v1/messages/batches/{id}`"""
    return answer(shown(call, await call.bifrost.get_batch(call.id)))


async def cancel(call: Call) -> Response:
    """`POST /v1/messages/batches/{id}/cancel`"""
    return answer(shown(call, await call.bifrost.cancel_batch(call.id)))


async def delete(call: Call) -> Response:
    """`DELETE /v1/messages/batches/{id}`"""
    await call.bifrost.delete_batch(call.id)
    return answer({"id": call.bifrost.batch_id(call.id), "type": "message_batch_deleted"})


async def results(call: Call) -> Response:
    """`GET /v1/messages/batches/{id}/results`: one JSON object a line and no blank line, in blocks."""
    try:
        found = await begun(call.bifrost.batch_results(call.id))
    except PendingError:
        raise PendingError(f"Message Batch {call.id} has no available results.") from None
    disposition = {"content-disposition": f"attachment; filename*=utf-8''{call.id}_results.jsonl"}
    return Stream(blocks_of(_lines(found)), media_type="application/x-jsonl", headers=disposition)


async def _lines(found: AsyncIterator[BatchResult]) -> AsyncIterator[bytes]:
    async for result in found:
        yield dumps(result) + b"\n"


def shown(call: Call, batch: Batch) -> dict[str, Any]:
    """MessageBatch. Its `results_url` is of this server: SDKs follow it with the caller's key."""
    members = batch.model_dump(mode="json")
    ready = batch.ended and batch.archived_at is None
    members["results_url"] = f"{call.base}/messages/batches/{batch.id}/results" if ready else None
    if batch.errors is None:
        del members["errors"]
    return members
