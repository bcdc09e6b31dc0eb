"""The Files API: `/v1/files`."""

from typing import Any

from starlette.responses import Response

from bifrost_cli.errors import InvalidRequestError, NotFoundError
from bifrost_cli.models import File
from bifrost_cli.server import bodies, multipart, pages
from bifrost_cli.server.caller import AGENTS_BETA, OLD_FILES_BETA
from bifrost_cli.server.gateway import Call
from bifrost_cli.server.json import answer
from bifrost_cli.server.stream import Stream, begun

MOST_IDS = 100


async def upload(call: Call) -> Response:
    """`POST /v1/files`"""
    with bodies.spool() as folder:
        path = folder / "file"
        blocks = bodies.limited(call.request, bodies.LONGEST_FILE + bodies.MB)
        with path.open("wb") as sink:
            form = await multipart.read(call.request.headers.get("content-type"), blocks, sink)
        file = await call.bifrost.upload_file(
            path,
            filename=form.filename,
            media_type=form.media_type,
            purpose=form.fields.get("purpose"),
            expires_in=_seconds(form.fields),
        )
    return answer(metadata(call, file))


def _seconds(fields: dict[str, str]) -> int | None:
    """`expires_in_seconds`. Other fields than that and `purpose`, which is ours, have no meaning here."""
    if unknown := next((name for name in fields if name not in ("expires_in_seconds", "purpose")), None):
        raise InvalidRequestError(f"{unknown[:100]}: Extra inputs are not permitted")
    text = fields.get("expires_in_seconds")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequestError("expires_in_seconds: Input should be a valid integer")
    return int(text)


async def listing(call: Call) -> Response:
    """`GET /v1/files`: in the shape of today, or as the old beta's header asks."""
    query = call.request.query_params
    if ids := query.getlist("ids[]"):
        return await _chosen(call, list(dict.fromkeys(ids)))
    old, agents = call.caller.has_beta(OLD_FILES_BETA), call.caller.has_beta(AGENTS_BETA)
    page = await (_old_page(call) if old and "page" not in query else _page(call))
    body: dict[str, Any] = {"data": [metadata(call, file) for file in page.data]}
    if old or agents:
        body |= page.by_ids()
    if agents or not old:
        body["next_page"] = pages.cursor(page.token)
    return answer(body)


async def _page(call: Call) -> pages.Shown[File]:
    query = call.request.query_params
    if stray := next((name for name in ("after_id", "before_id") if name in query), None):
        raise InvalidRequestError(f"{stray}: Extra inputs are not permitted (a list of files goes on with `page`).")
    token = pages.token_of(query.get("page"))
    page = await call.bifrost.page_files(limit=pages.limit_of(query), after=token)
    return pages.Shown(page.data, page.next is not None, page.next)


async def _old_page(call: Call) -> pages.Shown[File]:
    asked = pages.Asked.of(call.request.query_params, call.whole_id)
    provider = call.provider_of(asked.after or asked.before)

    async def get_page(*, limit: int, after: str | None) -> Any:
        return await call.bifrost.page_files(provider=provider, limit=limit, after=after)

    return await asked.show(get_page, call.gateway.tokens("files", call.bifrost.owner))


async def _chosen(call: Call, ids: list[str]) -> Response:
    """`ids[]`: one page of these; unknown ones are left out in silence (documented)."""
    if len(ids) > MOST_IDS:
        raise InvalidRequestError(f"ids: List should have at most {MOST_IDS} items after validation, not {len(ids)}")
    if "page" in call.request.query_params:
        return answer({"data": [], "next_page": None})
    found = []
    for id in ids:
        try:
            found.append(await call.bifrost.get_file(id))
        except NotFoundError:
            continue
    return answer({"data": [metadata(call, file) for file in found], "next_page": None})


async def retrieve(call: Call) -> Response:
    """`GET /v1/files/{id}`"""
    return answer(metadata(call, await call.bifrost.get_file(call.id)))


async def content(call: Call) -> Response:
    """`GET /v1/files/{id}/content`"""
    blocks = await begun(call.bifrost.download_file(call.id))
    return Stream(blocks, media_type="application/octet-stream", headers={"content-disposition": "attachment"})


async def delete(call: Call) -> Response:
    """`DELETE /v1/files/{id}`"""
    await call.bifrost.delete_file(call.id)
    return answer({"id": call.whole_id(call.id), "type": "file_deleted"})


def metadata(call: Call, file: File) -> dict[str, Any]:
    """FileMetadata. `size` stands beside `size_bytes`, since widespread examples read it; the old beta has no
    `expires_at`."""
    shown = file.model_dump(mode="json")
    shown["size"] = file.size_bytes
    if file.purpose is None:
        del shown["purpose"]
    if file.expires_at is None and call.caller.has_beta(OLD_FILES_BETA):
        del shown["expires_at"]
    return shown
