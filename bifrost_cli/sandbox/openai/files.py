"""OpenAI's Files API. Refusals here carry a second top-level object `detail` (recorded)."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bifrost_cli.sandbox.account import StoredFile
from bifrost_cli.sandbox.http import MB, Call, download, receive_upload
from bifrost_cli.sandbox.ids import MARK, fresh
from bifrost_cli.sandbox.multipart import MultipartError, Upload
from bifrost_cli.sandbox.openai.errors import Refusal
from bifrost_cli.sandbox.openai.json import pretty
from bifrost_cli.sandbox.openai.paging import read_limit, read_order
from bifrost_cli.sandbox.openai.settling import settle

MAX_FILE, MAX_BATCH_FILE = 512 * MB, 200 * MB
MAX_LIMIT = 10_000
MIN_EXPIRY, MAX_EXPIRY = 3600, 2_592_000
PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
"""Those that an upload may have, in the order of the recorded refusal."""
_PRIVATE = ("assistants", "user_data")
_OPEN = {"access-control-allow-origin": "*"}
_FIRST_LINE = 16 * MB


async def upload(call: Call) -> Response:
    """`POST /v1/files`"""
    with call.sandbox.store.spool() as folder:
        content = folder / "file"
        try:
            form = await receive_upload(call.request, content, MAX_FILE)
        except MultipartError as error:
            raise _refusal(f"Could not parse multipart form: {error}", None) from None
        file = await run_in_threadpool(_store, call, form, content)
    return _answer(describe(file))


def _store(call: Call, form: Upload, content: Path) -> StoredFile:
    purpose = _purpose(form)
    if purpose == "batch":
        _check_batch_input(content, form.size)
    expires = _expiry(call.now, form, purpose)
    name = (form.filename or "upload").replace("\\", "/").rpartition("/")[2]
    media_type = form.media_type or "application/octet-stream"
    file = StoredFile(fresh(f"file-{MARK}", 19), call.now, name, media_type, form.size, purpose, expires)
    return call.account.add_file(file, content)


def _purpose(form: Upload) -> str:
    known = {"purpose", "expires_after[anchor]", "expires_after[seconds]"}
    for name in form.fields:
        if name not in known:
            raise _refusal(f"Additional properties are not allowed ('{name}' was unexpected)", name)
    if not form.present:
        raise _refusal("'file' is a required property", "file")
    if "purpose" not in form.fields:
        raise _refusal("'purpose' is a required property", "purpose")
    if form.fields["purpose"] not in PURPOSES:
        raise _refusal(f"'{form.fields['purpose']}' is not one of {list(PURPOSES)} - 'purpose'", "purpose")
    return form.fields["purpose"]


def _check_batch_input(content: Path, size: int) -> None:
    """The first line must be a JSON object; the name does not matter, nor what follows (reported, recorded)."""
    if size > MAX_BATCH_FILE:
        raise _refusal("File is too large.", None)
    with content.open("rb") as file:
        first = file.readline(_FIRST_LINE)
    try:
        good = isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        good = False
    if not good:
        raise _refusal("Invalid file format for Batch API. Must be .jsonl", None)


def _expiry(now: float, form: Upload, purpose: str) -> float | None:
    """When the file goes away: batch files after 30 days unless the upload says otherwise (recorded)."""
    anchor, seconds = form.fields.get("expires_after[anchor]"), form.fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return int(now) + MAX_EXPIRY if purpose == "batch" else None
    if anchor != "created_at":
        raise _refusal(f"'{anchor}' is not one of ['created_at'] - 'expires_after.anchor'", "expires_after.anchor")
    if seconds is None or not seconds.isdigit():
        raise _refusal(f"'{seconds}' is not of type 'integer' - 'expires_after.seconds'", "expires_after.seconds")
    if not MIN_EXPIRY <= int(seconds) <= MAX_EXPIRY:
        low = int(seconds) < MIN_EXPIRY
        bound = f"less than the minimum of {MIN_EXPIRY}" if low else f"greater than the maximum of {MAX_EXPIRY}"
        raise _refusal(f"{seconds} is {bound} - 'expires_after.seconds'", "expires_after.seconds")
    return int(now) + int(seconds)


def describe(file: StoredFile) -> dict[str, Any]:
    """A File object, its members in the recorded order."""
    return {
        "object": "file",
        "id": file.id,
        "purpose": file.purpose,
        "filename": file.name,
        "bytes": file.size,
        "created_at": int(file.created),
        "expires_at": None if file.expires is None else int(file.expires),
        "status": "processed",
        "status_details": None,
    }


def listing(call: Call) -> Response:
    """`GET /v1/files`"""
    settle(call)
    limit, ascending = read_limit(call, MAX_LIMIT, MAX_LIMIT), read_order(call)
    after, purpose = call.query.get("after"), call.query.get("purpose")
    try:
        page = call.account.files(limit, after, ascending=ascending, purpose=purpose, alive=call.now)
    except LookupError:
        raise _missing(str(after), "after") from None
    ids = [file.id for file in page.rows]
    body = {
        "object": "list",
        "data": [describe(file) for file in page.rows],
        "has_more": page.more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
    return _answer(body)


def get(call: Call) -> Response:
    """`GET /v1/files/{id}`"""
    return _answer(describe(_find(call)))


def content(call: Call) -> Response:
    """`GET /v1/files/{id}/content`: batch inputs and outputs can be had, a user's own data cannot (reported)."""
    file = _find(call)
    if file.purpose in _PRIVATE:
        raise Refusal(f"Not allowed to download files of purpose: {file.purpose}")
    headers = {"content-type": "application/octet-stream", "content-disposition": _disposition(file.name), **_OPEN}
    return download(file.path, headers)


def _disposition(name: str) -> str:
    if name.isascii() and '"' not in name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=utf-8''{quote(name)}"


def delete(call: Call) -> Response:
    """`DELETE /v1/files/{id}`"""
    file = _find(call)
    call.account.delete_file(file.id)
    return _answer({"object": "file", "deleted": True, "id": file.id})


def find(call: Call, id: str) -> StoredFile | None:
    """A file that is there and has not expired."""
    file = call.account.file(id)
    return None if file is None or (file.expires is not None and file.expires <= call.now) else file


def _find(call: Call) -> StoredFile:
    file = find(call, call.path["id"])
    if file is None:
        raise _missing(call.path["id"], "id")
    return file


def _missing(id: str, param: str) -> Refusal:
    return _refusal(f"No such File object: {id}", param, 404)


def _refusal(message: str, param: str | None, status: int = 400) -> Refusal:
    return Refusal(message, status, param=param, detail=True)


def _answer(body: dict[str, Any]) -> Response:
    answer = pretty(body, end=b"\n")  # the Files API ends its answers so (recorded)
    answer.headers.update(_OPEN)
    return answer
