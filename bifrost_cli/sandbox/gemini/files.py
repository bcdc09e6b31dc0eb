"""Gemini's Files API, but for uploads.

A file lives for 48 hours. What is unknown, foreign or expired gets one and the same 403 (recorded 2025-04). Only files
that the service made can be downloaded (documented).
"""

import base64
import hashlib
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from bifrost_cli.sandbox.account import Page, StoredFile
from bifrost_cli.sandbox.gemini.access import GENERATED, LIFE, find, state
from bifrost_cli.sandbox.gemini.errors import UNKNOWN, Refusal
from bifrost_cli.sandbox.gemini.json import pretty
from bifrost_cli.sandbox.gemini.paging import next_token, read_position, read_size
from bifrost_cli.sandbox.gemini.settling import fail_without, settle
from bifrost_cli.sandbox.gemini.times import stamp
from bifrost_cli.sandbox.http import Call, download

DEFAULT_PAGE, MAX_PAGE = 10, 100
MAX_ID = 40
_EVERYTHING = 1_000_000
_CHUNK = 1024 * 1024


def describe(call: Call, file: StoredFile) -> dict[str, Any]:
    """A File, its members in the recorded order. Without a display name there is no such member (recorded 2025-09)."""
    uri = f"{call.origin}/{call.path['version']}/files/{file.id}"
    generated = file.purpose == GENERATED
    return {
        "name": f"files/{file.id}",
        **({"displayName": file.name} if file.name else {}),
        "mimeType": file.media_type,
        "sizeBytes": str(file.size),
        "createTime": stamp(file.created, 6),
        "updateTime": stamp(file.created, 6),
        "expirationTime": stamp(file.expires or file.created + LIFE),
        "sha256Hash": _hash(file),
        "uri": uri,
        **({"downloadUri": f"{uri}:download?alt=media"} if generated else {}),
        "state": state(file, call.now, call.sandbox.pace),
        "source": file.purpose,
    }


def _hash(file: StoredFile) -> str:
    return _digest(str(file.path), file.path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest(path: str, changed: int) -> str:
    """Base64 of the digest's hexadecimal text, not of its bytes (recorded 2026-08)."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return base64.b64encode(digest.hexdigest().encode()).decode()


def listing(call: Call) -> Response:
    """`GET /files`, newest first"""
    settle(call)
    page = _page(call)
    last = page.rows[-1] if page.more else None
    token = next_token(None if last is None else f"{last.created!r}/{last.id}")
    files = {"files": [describe(call, file) for file in page.rows]} if page.rows else {}
    return pretty({**files, **token})


def _page(call: Call) -> Page[StoredFile]:
    size = read_size(call, DEFAULT_PAGE, MAX_PAGE, refused=True)
    created, after = read_position(call)
    try:
        return call.account.files(size, after, alive=call.now)
    except LookupError:  # The row that a page ended with may be gone by the next.
        rows = [file for file in call.account.files(_EVERYTHING, alive=call.now).rows if file.created < created]
        return Page(rows[:size], len(rows) > size)


def get(call: Call) -> Response:
    """`GET /files/{id}`"""
    return pretty(describe(call, _find(call, "GetFileRequest")))


def delete(call: Call) -> Response:
    """`DELETE /files/{id}`"""
    file = _find(call, "DeleteFileRequest")
    fail_without(call, file.id)
    call.account.delete_file(file.id)
    return pretty({})


def redirect(call: Call) -> Response:
    """`GET /files/{id}:download?alt=media`: the bytes are somewhere else (recorded 2026-08)."""
    _downloadable(call)
    if call.query.get("alt") != "media":
        return pretty({})
    version, id = call.path["version"], call.path["id"]
    query = f"?{call.request.url.query}" if call.request.url.query else ""
    location = f"{call.origin}/download/{version}/files/{id}:download{query}"
    return Refusal("Unknown Error.", UNKNOWN, http=302).response({"location": location})


def content(call: Call) -> Response:
    """`GET /download/{version}/files/{id}:download?alt=media`"""
    file = _downloadable(call)
    if call.query.get("alt") != "media":
        return pretty({})
    return download(file.path, {"content-type": file.media_type, "content-disposition": "attachment"})


def _downloadable(call: Call) -> StoredFile:
    settle(call)
    file = find(call.account, call.path["id"], call.now)
    if file.purpose != GENERATED:
        raise Refusal("[sandbox] files that were uploaded cannot be downloaded")
    return file


def _find(call: Call, request: str) -> StoredFile:
    """The file that a path names. Ids of more than 40 characters are refused, which the result files of batches have
    (reported)."""
    id = call.path["id"]
    if len(id) > MAX_ID:
        reason = f"File ID (name excluding 'files/') cannot be more than {MAX_ID} characters."
        raise Refusal(f"* {request}.name: {reason}\n")
    return find(call.account, id, call.now)
