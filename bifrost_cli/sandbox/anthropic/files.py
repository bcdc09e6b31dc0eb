"""Anthropic's Files API, as it is since it left beta (2026-08-20).

The beta header `files-api-2025-04-14` still selects the older shapes: no `expires_at`, and lists with `has_more`,
`first_id` and `last_id`. With `managed-agents-2026-04-01` a list has the keys of both.
"""

import base64
import mimetypes
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.account import Page, StoredFile
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.anthropic.paging import file_time, has_beta, only, read_limit
from bifrost_cli.sandbox.http import MB, Call, download, receive_upload
from bifrost_cli.sandbox.ids import MARK, fresh
from bifrost_cli.sandbox.multipart import MultipartError, Upload

MAX_FILE = 500 * MB
MAX_IDS = 100
MIN_EXPIRY, MAX_EXPIRY = 3600, 7_776_000
OLD_BETA = "files-api-2025-04-14"
AGENTS_BETA = "managed-agents-2026-04-01"
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f]')


async def upload(call: Call) -> Response:
    """`POST /v1/files`"""
    with call.sandbox.store.spool() as folder:
        content = folder / "file"
        try:
            form = await receive_upload(call.request, content, MAX_FILE)
        except MultipartError as error:
            raise Refusal(f"Invalid multipart form data: {error}") from None
        file = _described(call, form)
        await run_in_threadpool(call.account.add_file, file, content)
    return JSONResponse(_metadata(call, file))


def _described(call: Call, form: Upload) -> StoredFile:
    if not form.present:
        raise Refusal("file: Field required")
    for name in form.fields:
        if name != "expires_in_seconds":
            raise Refusal(f"{name}: Extra inputs are not permitted")
    media_type = form.media_type or mimetypes.guess_type(form.filename or "")[0] or "application/octet-stream"
    return StoredFile(
        fresh(f"file_{MARK}01", 19),
        call.now,
        _filename(form.filename, media_type),
        media_type,
        form.size,
        expires=_expiry(call.now, form.fields.get("expires_in_seconds")),
    )


def _filename(sent: str | None, media_type: str) -> str:
    """The last component of what was sent, or `unnamed`; 1 to 255 characters (documented)."""
    name = (sent or "").rpartition("/")[2]
    if not name:
        return "unnamed" + (mimetypes.guess_extension(media_type) or "")
    if len(name) > 255 or _FORBIDDEN.search(name):
        raise Refusal(
            'filename: must be 1 to 255 characters long and must not contain any of < > : " | ? * \\ / '
            "or control characters"
        )
    return name


def _expiry(now: float, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = int(text)
    except ValueError:
        raise Refusal("expires_in_seconds: Input should be a valid integer") from None
    if seconds < MIN_EXPIRY:
        raise Refusal(f"expires_in_seconds: Input should be greater than or equal to {MIN_EXPIRY}")
    if seconds > MAX_EXPIRY:
        raise Refusal(f"expires_in_seconds: Input should be less than or equal to {MAX_EXPIRY}")
    return now + seconds


def _metadata(call: Call, file: StoredFile) -> dict[str, Any]:
    """FileMetadata, its members in the recorded order; `expires_at` is always sent since the beta ended."""
    metadata = {
        "type": "file",
        "id": file.id,
        "size_bytes": file.size,
        "created_at": file_time(file.created),
        "filename": file.name,
        "mime_type": file.media_type,
        "downloadable": file.purpose == "output",
    }
    return metadata if has_beta(call, OLD_BETA) else {**metadata, "expires_at": file_time(file.expires)}


def listing(call: Call) -> Response:
    """`GET /v1/files`, newest first"""
    old, agents = has_beta(call, OLD_BETA), has_beta(call, AGENTS_BETA)
    if call.request.query_params.getlist("ids[]"):
        return _chosen(call)
    cursors = {"page"} if not old else {"after_id", "before_id"} | ({"page"} if agents else set())
    only(call, {"limit", "scope_id"} | cursors)
    page = _before(call) if "before_id" in call.query else _after(call)
    body: dict[str, Any] = {"data": [_metadata(call, file) for file in page.rows]}
    if old or agents:
        ids = [file.id for file in page.rows]
        body |= {"has_more": page.more, "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    if not old or agents:
        body["next_page"] = _cursor(page.rows[-1].id) if page.more else None
    return JSONResponse(body)


def _after(call: Call) -> Page[StoredFile]:
    after = call.query.get("after_id")
    cursor = _id_in(call.query["page"]) if "page" in call.query else after
    if "page" in call.query and after is not None:
        raise Refusal("page: cannot be combined with after_id")
    try:
        return call.account.files(read_limit(call), cursor)
    except LookupError:
        raise _missing(str(cursor)) if after else Refusal("page: Invalid page cursor") from None


def _before(call: Call) -> Page[StoredFile]:
    before = call.query["before_id"]
    if "after_id" in call.query:
        raise Refusal("before_id: cannot be combined with after_id")
    try:
        page = call.account.files(read_limit(call), before, ascending=True)
    except LookupError:
        raise _missing(before) from None
    return Page(page.rows[::-1], page.more)


def _chosen(call: Call) -> Response:
    """`ids[]`: one page of these; unknown and deleted ones are left out in silence (documented)."""
    only(call, {"ids[]", "scope_id"})
    ids = dict.fromkeys(call.request.query_params.getlist("ids[]"))
    if len(ids) > MAX_IDS:
        raise Refusal(f"ids: List should have at most {MAX_IDS} items after validation, not {len(ids)}")
    found = [file for file in map(call.account.file, ids) if file]
    found.sort(key=lambda file: file.created, reverse=True)
    return JSONResponse({"data": [_metadata(call, file) for file in found], "next_page": None})


def _cursor(id: str) -> str:
    return "page_" + base64.urlsafe_b64encode(id.encode()).decode().rstrip("=")


def _id_in(cursor: str) -> str:
    text = cursor.removeprefix("page_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise Refusal("page: Invalid page cursor") from None


def metadata(call: Call) -> Response:
    """`GET /v1/files/{id}`"""
    return JSONResponse(_metadata(call, _find(call)))


def content(call: Call) -> Response:
    """`GET /v1/files/{id}/content`: only what a tool made can be downloaded, not what was uploaded (recorded)."""
    file = _find(call)
    if file.purpose != "output":
        code = None if has_beta(call, OLD_BETA) else "file_not_downloadable"
        raise Refusal(f"File '{file.id}' is not downloadable", code=code)
    if file.expires is not None and file.expires <= call.now:
        raise Refusal(f"File '{file.id}' has expired", 404, code="file_expired")
    disposition = f"attachment; filename*=utf-8''{file.name}"
    return download(file.path, {"content-type": file.media_type, "content-disposition": disposition})


def delete(call: Call) -> Response:
    """`DELETE /v1/files/{id}`"""
    file = _find(call)
    call.account.delete_file(file.id)
    return JSONResponse({"id": file.id, "type": "file_deleted"})


def _find(call: Call) -> StoredFile:
    file = call.account.file(call.path["id"])
    if file is None:
        raise _missing(call.path["id"])
    return file


def _missing(id: str) -> Refusal:
    return Refusal(f"File `{id}` not found.", 404)
