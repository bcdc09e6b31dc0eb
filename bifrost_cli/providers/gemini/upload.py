"""Uploads by Google's resumable protocol: a start that gives an address, then chunks, the last of which finalizes.

The address is the credential of its upload: no key goes there, and no message names it. Chunks but the last are
multiples of the service's granularity, 8 MiB (recorded 2026-08).
"""

from dataclasses import replace
from typing import Any

import httpx
import orjson

from bifrost_cli.bodies import Source
from bifrost_cli.errors import BifrostError, NetworkError, OverloadedError, RateLimitError, UpstreamError
from bifrost_cli.providers.gemini.answers import object_of
from bifrost_cli.providers.gemini.checks import PROVIDER
from bifrost_cli.providers.gemini.failures import to_error
from bifrost_cli.repeats import tell
from bifrost_cli.transport import Transport

CHUNK = 8 * 1024 * 1024
RESUMES = 5
"""How often a chunk is tried again that brings nothing forward."""
PASSING = (UpstreamError, RateLimitError, OverloadedError)
COMMAND = "x-goog-upload-command"
STATUS = "x-goog-upload-status"


async def upload(http: Transport, path: str, source: Source, filename: str, media_type: str) -> dict[str, Any]:
    """Send all of `source`; the answer's `file`.

    A chunk whose answer is lost is resumed where the service says. Where it says that all is done, and not as what
    file, the upload is made anew.
    """
    for _ in range(2):
        session = await _start(http, path, source.size, filename, media_type)
        response = await _transfer(http, session, source)
        if response.content:
            return _file(response)
    raise NetworkError("The answer to the upload was lost twice; the file may be there.", provider=PROVIDER)


async def _transfer(http: Transport, session: Transport, source: Source) -> httpx.Response:
    """Send the chunks; the answer that says they are all there, which is empty where it is another's repetition."""
    size, sent, stuck = source.size, 0, 0
    lost: BifrostError | None = None
    while stuck <= RESUMES:
        chunk = source.part(sent, CHUNK)
        is_last = sent + chunk.size >= size
        try:
            response = await _send(session, chunk, is_last)
        except PASSING as error:
            lost = error
            tell(error)
            await http.sleep(error.retry_after or 0.5 * 2**stuck)
            response = await _query(replace(session, attempts=http.attempts))
        if response.headers.get(STATUS) == "final" or (is_last and STATUS not in response.headers):
            return response
        received = min(size, _received(response, sent + chunk.size))
        sent, stuck = received, 0 if received > sent else stuck + 1
    raise lost or NetworkError("The upload is not finished by the last of its bytes.", provider=PROVIDER)


async def _start(http: Transport, path: str, size: int, filename: str, media_type: str) -> Transport:
    headers = {
        "x-goog-upload-protocol": "resumable",
        COMMAND: "start",
        "x-goog-upload-header-content-length": str(size),
        "x-goog-upload-header-content-type": media_type,
    }
    response = await http.request("POST", path, json={"file": {"display_name": filename}}, headers=headers)
    if "x-goog-upload-url" not in response.headers:
        _refused(response)
    return http.session(response.headers["x-goog-upload-url"])


async def _send(session: Transport, chunk: Source, is_last: bool) -> httpx.Response:
    headers = {COMMAND: "upload, finalize" if is_last else "upload", "x-goog-upload-offset": str(chunk.offset)}
    return await session.request("POST", "", source=chunk, headers=headers)


async def _query(session: Transport) -> httpx.Response:
    """How much has arrived. Of a finished upload it may be its answer again."""
    return await session.request("POST", "", headers={COMMAND: "query"})


def _received(response: httpx.Response, otherwise: int) -> int:
    value = response.headers.get("x-goog-upload-size-received", "")
    return int(value) if value.isascii() and value.isdigit() else otherwise


def _file(response: httpx.Response) -> dict[str, Any]:
    """The `file` of the last answer. It may be a 200 that says no (reported, October 2025)."""
    file = object_of(_body(response).get("file"))
    return file if file else _refused(response)


def _refused(response: httpx.Response) -> Any:
    """Raise what an answer says that has a good status and not what it should have."""
    error = _body(response).get("error")
    if error:
        raise to_error(error, 400)
    raise BifrostError("Gemini's answer to the upload is not what it should be.", provider=PROVIDER)


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return object_of(orjson.loads(response.content))
    except orjson.JSONDecodeError:
        return {}
