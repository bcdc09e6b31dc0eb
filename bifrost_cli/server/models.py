"""The Models API: `/v1/models`."""

from typing import Any

from starlette.responses import Response

from bifrost_cli.core import refs
from bifrost_cli.errors import InvalidRequestError, NotFoundError
from bifrost_cli.server import pages
from bifrost_cli.server.gateway import Call
from bifrost_cli.server.json import answer


async def listing(call: Call) -> Response:
    """`GET /v1/models`: those of the provider that is meant, in its own order."""
    models, query = await call.bifrost.list_models(), call.request.query_params
    ids = [str(model["id"]) for model in models]
    start, end = _place(ids, query.get("after_id")) + 1, len(ids)
    limit = pages.limit_of(query)
    if before := query.get("before_id"):
        end = _place(ids, before)
        start = max(0, end - limit)
    shown = models[start : min(end, start + limit)]
    more = start > 0 if before else start + limit < end
    return answer({"data": shown, **_ends(shown), "has_more": more})


def _place(ids: list[str], id: str | None) -> int:
    if not id:
        return -1
    if id not in ids:
        raise InvalidRequestError(f"after_id, before_id: '{id[:200]}' is not in the list.")
    return ids.index(id)


def _ends(shown: list[dict[str, Any]]) -> dict[str, Any]:
    return {"first_id": shown[0]["id"] if shown else None, "last_id": shown[-1]["id"] if shown else None}


async def retrieve(call: Call) -> Response:
    """`GET /v1/models/{id}`; the id may begin with the name of a provider and a slash."""
    provider, name = refs.route(call.id, given=call.bifrost.given, default=call.bifrost.default)
    models = await call.bifrost.list_models(provider=provider)
    model = next((model for model in models if model["id"] == name), None)
    if model is None:
        raise NotFoundError(f"model: {call.id[:200]}")
    return answer(model)
