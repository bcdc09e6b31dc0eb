"""Uploads to Gemini's Files API, by the resumable protocol, the only one that its guide shows.

A resumable upload starts with the file's description, is given an address, and then takes the bytes there in chunks,
all but the last a multiple of 8 MiB (recorded 2026-08). It can be asked how far it is, and be called off (documented).
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bifrost_cli.sandbox.account import Account, StoredFile
from bifrost_cli.sandbox.gemini import messages
from bifrost_cli.sandbox.gemini.access import LIFE, UPLOADED
from bifrost_cli.sandbox.gemini.errors import ALREADY_EXISTS, JSON, NOT_FOUND, Refusal
from bifrost_cli.sandbox.gemini.files import MAX_ID, describe
from bifrost_cli.sandbox.gemini.json import parse, pretty
from bifrost_cli.sandbox.gemini.payload import fit
from bifrost_cli.sandbox.gemini.sessions import ACTIVE, CANCELLED, FINAL, Session, Sessions
from bifrost_cli.sandbox.http import MB, Call, limited, read_body
from bifrost_cli.sandbox.ids import MARK, fresh_hex

GRANULARITY = 8 * MB
MAX_FILE = 2048 * MB
MAX_DISPLAY_NAME = 512
_MAX_DESCRIPTION = MB
_NAME = re.compile(r"files/[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;.*)?")


def upload_id(request: Request) -> str | None:
    """The upload that a request belongs to, which is its credential."""
    return request.query_params.get("upload_id")


async def upload(call: Call) -> Response:
    """`POST /upload/{version}/files`"""
    id = upload_id(call.request)
    if id is not None:
        return await _proceed(call, id)
    protocol = call.request.headers.get("x-goog-upload-protocol")
    if protocol != "resumable":
        raise Refusal(f"[sandbox] only the resumable protocol is emulated, not {protocol or 'none'}")
    return await _start(call)


async def _start(call: Call) -> Response:
    headers = call.request.headers
    if headers.get("x-goog-upload-command") != "start":
        raise Refusal("[sandbox] an upload begins with the command start")
    body = fit(messages.CREATE_FILE, parse(await read_body(call.request, _MAX_DESCRIPTION)))
    session = _session(call, body.get("file", {}))
    Sessions(call.sandbox.store).save(session)
    return Response(headers={**_state(ACTIVE, _address(call, session)), "content-type": "text/plain; charset=utf-8"})


def _session(call: Call, file: dict[str, Any]) -> Session:
    headers = call.request.headers
    announced = headers.get("x-goog-upload-header-content-length")
    if announced is not None and not announced.isdigit():
        raise Refusal("[sandbox] X-Goog-Upload-Header-Content-Length is not a number of bytes")
    if int(announced or 0) > MAX_FILE:
        raise Refusal(f"[sandbox] a file has at most {MAX_FILE} bytes")
    return Session(
        Sessions.new_id(),
        call.account.name,
        call.path["version"],
        call.now,
        file.get("mime_type") or headers.get("x-goog-upload-header-content-type", ""),
        _display_name(file.get("display_name", "")),
        _chosen_name(call, file.get("name", "")),
        None if announced is None else int(announced),
    )


def _display_name(name: str) -> str:
    """At most 512 characters (documented)."""
    if len(name) > MAX_DISPLAY_NAME:
        reason = f"[sandbox] display_name has more than {MAX_DISPLAY_NAME} characters."
        raise Refusal(f"* CreateFileRequest.file.display_name: {reason}\n")
    return name


def _chosen_name(call: Call, name: str) -> str:
    """The id of a file that the caller names: up to 40 lowercase letters, digits and dashes (documented)."""
    if not name:
        return ""
    if len(name.removeprefix("files/")) > MAX_ID:
        reason = f"File ID (name excluding 'files/') cannot be more than {MAX_ID} characters."
        raise Refusal(f"* CreateFileRequest.file.name: {reason}\n")
    if not _NAME.fullmatch(name):
        reason = "must be files/ and lowercase letters, digits and dashes, with no dash at an end."
        raise Refusal(f"* CreateFileRequest.file.name: [sandbox] {reason}\n")
    _check_free(call, name.removeprefix("files/"))
    return name.removeprefix("files/")


def _check_free(call: Call, id: str) -> None:
    """Raises the Refusal for an id that a file has already, whosever it is."""
    if call.sandbox.store.rows("SELECT 1 FROM files WHERE id = ?", id):
        raise Refusal("Requested entity already exists", ALREADY_EXISTS)


def _address(call: Call, session: Session) -> dict[str, str]:
    url = f"{call.origin}/upload/{session.version}/files?upload_id={session.id}&upload_protocol=resumable"
    return {
        "x-goog-upload-url": url,
        "x-goog-upload-control-url": url,
        "x-goog-upload-chunk-granularity": str(GRANULARITY),
        "x-guploader-uploadid": session.id,
    }


def _state(status: str, more: dict[str, str] | None = None) -> dict[str, str]:
    return {"x-goog-upload-status": status, **(more or {})}


async def _proceed(call: Call, id: str) -> Response:
    sessions = Sessions(call.sandbox.store)
    session = sessions.find(id)
    if session is None:
        raise Refusal("[sandbox] there is no such upload", NOT_FOUND)
    words = {word.strip() for word in call.request.headers.get("x-goog-upload-command", "").split(",")}
    if words == {"query"}:
        return _progress(sessions, session)
    if session.status != ACTIVE:
        return _refused(session, f"Upload has already been {'finalized' if session.status == FINAL else 'terminated'}.")
    if words == {"cancel"}:
        sessions.save(replace(session, status=CANCELLED))
        return Response(headers=_state(CANCELLED))
    if not words or not words <= {"upload", "finalize"}:
        return _refused(session, "[sandbox] the command is none of upload, finalize, query and cancel")
    return await _receive(call, sessions, session, words)


def _progress(sessions: Sessions, session: Session) -> Response:
    """How many bytes have arrived, and that the next chunk begins there."""
    content = sessions.content(session.id)
    received = {"x-goog-upload-size-received": str(content.stat().st_size if content.exists() else session.size or 0)}
    granularity = {"x-goog-upload-chunk-granularity": str(GRANULARITY)}
    return Response(headers=_state(session.status, {**received, **granularity}))


def _refused(session: Session, message: str) -> Response:
    """A refusal says where the upload stands, so that a client may go on."""
    return Refusal(message).response(_state(session.status))


async def _receive(call: Call, sessions: Sessions, session: Session, words: set[str]) -> Response:
    content = sessions.content(session.id)
    before, final = content.stat().st_size, "finalize" in words
    if "upload" in words:
        problem = _offset_problem(call, before)
        if problem:
            return _refused(session, problem)
        try:
            await _append(call.request, content, MAX_FILE - before)
        except BaseException:
            _truncate(content, before)
            raise
    size = content.stat().st_size
    problem = _size_problem(session, size, size - before, final)
    if problem:
        _truncate(content, before)
        return _refused(session, problem)
    return await run_in_threadpool(_finish, call, sessions, session) if final else Response(headers=_state(ACTIVE))


def _offset_problem(call: Call, expected: int) -> str | None:
    offset = call.request.headers.get("x-goog-upload-offset")
    if offset is None or not offset.isdigit():
        return "[sandbox] X-Goog-Upload-Offset is missing or not a number"
    return None if int(offset) == expected else f"[sandbox] the next offset is {expected}, not {offset}"


def _size_problem(session: Session, size: int, chunk: int, final: bool) -> str | None:
    if not final and (chunk == 0 or chunk % GRANULARITY):
        return f"[sandbox] a chunk of {chunk} bytes is not the last one and not a multiple of {GRANULARITY}"
    if session.size is not None and (size > session.size or (final and size < session.size)):
        return f"[sandbox] {session.size} bytes were announced, {size} have come"
    return None


async def _append(request: Request, content: Path, limit: int) -> None:
    with content.open("ab") as sink:
        async for chunk in limited(request, limit):
            sink.write(chunk)


def _truncate(content: Path, size: int) -> None:
    with content.open("r+b") as file:
        file.truncate(size)


def _finish(call: Call, sessions: Sessions, session: Session) -> Response:
    """Stores the file. A media type that is not supported is told in a body of status 200 (recorded 2025-10)."""
    sessions.save(replace(session, status=FINAL))
    if not _TYPE.fullmatch(session.media_type):
        body = Refusal(f"Unsupported MIME type: {session.media_type}").body()
        return pretty(body, _state(FINAL))
    id = session.name or fresh_hex(MARK, 9)
    _check_free(call, id)
    size = sessions.content(session.id).stat().st_size
    file = StoredFile(
        id,
        call.now,
        session.display_name,
        session.media_type,
        size,
        UPLOADED,
        session.started + LIFE,
    )
    stored = _account_named(call, session.account).add_file(file, sessions.content(session.id))
    return pretty({"file": describe(call, stored)}, {**_state(FINAL), "content-type": JSON})


def _account_named(call: Call, name: str) -> Account:
    """The account that an upload was started by, whose key is not known any more."""
    account = Account(call.sandbox.store, "gemini", "")
    account.name = name
    return account
