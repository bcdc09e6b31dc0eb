"""The wire calls, against a server that says exactly what a test wants to be said."""

import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.config import Config
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    UnsupportedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from bifrost_cli.models import Batch
from bifrost_cli.providers.base import Part
from bifrost_cli.providers.gemini import Gemini, translate, upload
from bifrost_cli.transport import new_client
from tests.conftest import Clock
from tests.loopback import Scripted, answer, scripted

pytestmark = pytest.mark.anyio
KEY = "AIza-a-long-secret-0123456789"
UPLOAD = "/upload/v1beta/files?upload_id=SECRET-UPLOAD&upload_protocol=resumable"
FILE = {
    "name": "files/abc",
    "displayName": "a.pdf",
    "mimeType": "application/pdf",
    "sizeBytes": "10",
    "state": "ACTIVE",
}


def said(body: Any, status: int = 200, **headers: Any) -> bytes:
    return answer(status, orjson.dumps(body), **headers)


def active(**headers: Any) -> bytes:
    return answer(body=b"", x_goog_upload_status="active", **headers)


def final(body: Any) -> bytes:
    return said(body, x_goog_upload_status="final")


@asynccontextmanager
async def talking(clock: Clock, *answers: Any, **environ: str) -> AsyncIterator[tuple[Gemini, Scripted]]:
    """An adapter and its server, whose pauses take no time."""
    async with scripted(*answers) as server, new_client(trust_env=False) as client:
        settings = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": server.url, **environ}
        gemini = Gemini(Config(environ=settings).settings("gemini", Gemini.settings), client)
        gemini.http.sleep = clock.sleep
        yield gemini, server


def started(server: Scripted, address: str = "") -> bytes:
    return active(x_goog_upload_url=address or server.url + UPLOAD, x_goog_upload_chunk_granularity="8388608")


@pytest.fixture
def ten(tmp_path: Path) -> Source:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"0123456789")
    return Source(path)


@pytest.fixture
def chunks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "CHUNK", 4)


def commands(server: Scripted) -> list[tuple[str | None, str | None, bytes]]:
    """What was asked of the upload: command, offset, bytes; starts without theirs."""
    asked = [
        (r.headers.get("x-goog-upload-command"), r.headers.get("x-goog-upload-offset"), r) for r in server.received
    ]
    return [(command, offset, b"" if command == "start" else r.body) for command, offset, r in asked]


# -- uploads ----------------------------------------------------------------------------------------------------


async def test_an_upload_is_started_with_the_key_and_sent_without(clock: Clock, ten: Source) -> None:
    told: list[int] = []
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), final({"file": FILE})]
        source = ten._replace(on_read=told.append)
        file = await gemini.upload_file(source, filename='a "b" é.pdf', media_type="application/pdf")
    start, sent = server.received
    assert (file.id, file.size_bytes) == ("abc", 10)
    assert (start.method, start.target) == ("POST", "/upload/v1beta/files")
    assert orjson.loads(start.body) == {"file": {"display_name": 'a "b" é.pdf'}}
    assert start.headers["x-goog-api-key"] == KEY
    assert start.headers["x-goog-upload-protocol"] == "resumable"
    assert start.headers["x-goog-upload-command"] == "start"
    assert start.headers["x-goog-upload-header-content-length"] == "10"
    assert start.headers["x-goog-upload-header-content-type"] == "application/pdf"
    assert (sent.target, sent.body) == (UPLOAD, b"0123456789")
    assert "x-goog-api-key" not in sent.headers
    assert (sent.headers["x-goog-upload-command"], sent.headers["x-goog-upload-offset"]) == ("upload, finalize", "0")
    assert sum(told) == 10


async def test_chunks(clock: Clock, ten: Source, chunks_of_four: None) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), active(), active(), final({"file": FILE})]
        await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert commands(server)[1:] == [
        ("upload", "0", b"0123"),
        ("upload", "4", b"4567"),
        ("upload, finalize", "8", b"89"),
    ]


async def test_a_last_chunk_that_is_full(clock: Clock, tmp_path: Path, chunks_of_four: None) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"01234567")
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), active(), final({"file": FILE})]
        await gemini.upload_file(Source(path), filename="x", media_type="text/plain")
    assert commands(server)[1:] == [("upload", "0", b"0123"), ("upload, finalize", "4", b"4567")]


async def test_an_empty_file(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), final({"file": FILE})]
        await gemini.upload_file(Source(tmp_path / "x"), filename="x", media_type="text/plain")
    assert commands(server)[1:] == [("upload, finalize", "0", b"")]


@pytest.mark.parametrize("lost", [None, said({"error": {"code": 503, "message": "x"}}, 503), said({}, 429)])
async def test_a_chunk_whose_answer_is_lost_is_resumed(
    clock: Clock, ten: Source, chunks_of_four: None, lost: bytes | None
) -> None:
    received = active(x_goog_upload_size_received="6")
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), active(), lost, received, final({"file": FILE})]
        await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert commands(server)[2:] == [("upload", "4", b"4567"), ("query", None, b""), ("upload, finalize", "6", b"6789")]
    assert "x-goog-api-key" not in server.received[3].headers


async def test_a_pause_within_an_upload_is_told_without_its_address(
    clock: Clock, ten: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bifrost.calls")
    body = orjson.dumps({"error": {"code": 429, "message": f"Too many to {UPLOAD} of {KEY}"}})
    async with talking(clock) as (gemini, server):
        busy, received = answer(429, body, retry_after="30"), active(x_goog_upload_size_received="0")
        server.answers += [started(server), busy, received, final({"file": FILE})]
        await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    [told] = [record.getMessage() for record in caplog.records if record.name == "bifrost.calls"]
    assert told.startswith("gemini asks for a pause of 30 s: Too many")
    assert "SECRET-UPLOAD" not in told
    assert KEY not in told


async def test_a_lost_last_answer_comes_with_the_query(clock: Clock, ten: Source) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), None, final({"file": FILE})]
        assert (await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")).id == "abc"
    assert [command for command, _, _ in commands(server)] == ["start", "upload, finalize", "query"]


async def test_a_last_answer_that_is_gone_makes_the_upload_begin_anew(clock: Clock, ten: Source) -> None:
    gone = answer(body=b"", x_goog_upload_status="final")
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), None, gone, started(server), final({"file": FILE})]
        assert (await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")).id == "abc"
        server.received.clear()
        server.answers[:] = [started(server), None, gone, started(server), None, gone]
        with pytest.raises(NetworkError, match="lost twice"):
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")


async def test_an_upload_that_makes_no_progress_gives_up(clock: Clock, ten: Source) -> None:
    stuck = [said({}, 503), active(x_goog_upload_size_received="0")]
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), *stuck * 20]
        with pytest.raises(BifrostError) as caught:
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert caught.value.status == 529
    assert len(server.received) < 20


async def test_a_service_that_never_finishes_is_left(clock: Clock, ten: Source) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), active()]
        with pytest.raises(NetworkError, match="not finished by the last of its bytes"):
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert len(server.received) < 20


async def test_a_chunk_that_is_refused_is_not_sent_again(clock: Clock, ten: Source) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), said({"error": {"code": 400, "message": "Bad offset"}}, 400)]
        with pytest.raises(InvalidRequestError, match="Bad offset"):
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert len(server.received) == 2


async def test_the_address_of_an_upload_is_in_no_error_and_no_log(
    clock: Clock, ten: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    quoting = said({"error": {"code": 400, "message": f"No such upload: {UPLOAD} of {KEY}"}}, 400)
    for outcome in (None, quoting, said({}, 503), said([])):
        async with talking(clock) as (gemini, server):
            server.answers += [started(server), outcome]
            with pytest.raises(BifrostError) as caught:
                await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
        told = "".join(traceback.format_exception(caught.value)) + str(caught.value)
        assert "SECRET-UPLOAD" not in told
        assert KEY not in told
    assert "POST http://127.0.0.1" in caplog.text
    assert "SECRET-UPLOAD" not in caplog.text


@pytest.mark.parametrize("elsewhere", ["https://evil.example/upload?upload_id=1", "not an address", "", "/upload?x=1"])
async def test_an_upload_goes_to_the_same_host_only(clock: Clock, ten: Source, elsewhere: str) -> None:
    async with scripted(answer()) as other, talking(clock) as (gemini, server):
        for address in filter(None, (elsewhere, f"{other.url}/upload?upload_id=1")):
            server.answers[:] = [started(server, address)]
            with pytest.raises(BifrostError, match="not on its own host"):
                await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")
    assert other.received == []


async def test_a_start_without_an_address(clock: Clock, ten: Source) -> None:
    async with talking(clock, said({})) as (gemini, _):
        with pytest.raises(BifrostError, match="not what it should be"):
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/pdf")


async def test_what_a_file_cannot_have(clock: Clock, ten: Source) -> None:
    async with talking(clock, answer()) as (gemini, server):
        with pytest.raises(UnsupportedError, match="no purpose"):
            await gemini.upload_file(ten, filename="a", media_type="text/plain", purpose="batch")
        with pytest.raises(UnsupportedError, match="48 hours"):
            await gemini.upload_file(ten, filename="a", media_type="text/plain", expires_in=3600)
    assert server.received == []


REFUSED = {"error": {"code": 400, "message": "Unsupported MIME type: application/jsonl", "status": "INVALID_ARGUMENT"}}


async def test_lines_go_under_another_type_where_theirs_is_refused(clock: Clock, ten: Source) -> None:
    async with talking(clock) as (gemini, server):
        refused = final(REFUSED)  # With a 200, as reported; and at the start, with a 400.
        server.answers += [started(server), refused, said(REFUSED, 400), started(server), final({"file": FILE})]
        await gemini.upload_file(ten, filename="a.jsonl", media_type="application/octet-stream")
        types = [r.headers.get("x-goog-upload-header-content-type") for r in server.received]
        assert list(filter(None, types)) == ["application/jsonl", "text/plain", "application/json"]
        server.received.clear()
        server.answers[:] = [started(server), refused]
        with pytest.raises(InvalidRequestError, match="Unsupported MIME type"):
            await gemini.upload_file(ten, filename="a.pdf", media_type="application/x-odd")
    assert len(server.received) == 2


async def test_the_type_of_lines_is_a_setting(clock: Clock, ten: Source) -> None:
    async with talking(clock, BIFROST_GEMINI_JSONL_TYPE="text/plain") as (gemini, server):
        server.answers += [started(server), final({"file": FILE})]
        await gemini.upload_file(ten, filename="a.jsonl", media_type="application/octet-stream")
    assert server.received[0].headers["x-goog-upload-header-content-type"] == "text/plain"


# -- files ------------------------------------------------------------------------------------------------------


async def test_files(clock: Clock) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [said({"files": [FILE], "nextPageToken": "p 2"}), said({}), said(FILE), said({})]
        page = await gemini.list_files(limit=1000)
        assert ([file.id for file in page.data], page.next) == (["abc"], "p 2")
        assert (await gemini.list_files(limit=5, after="p 2")).data == []
        assert (await gemini.get_file("abc")).filename == "a.pdf"
        await gemini.delete_file("files/abc")
    assert [(r.method, r.target) for r in server.received] == [
        ("GET", "/v1beta/files?pageSize=100"),
        ("GET", "/v1beta/files?pageSize=5&pageToken=p+2"),
        ("GET", "/v1beta/files/abc"),
        ("DELETE", "/v1beta/files/abc"),
    ]
    assert {r.headers["x-goog-api-key"] for r in server.received} == {KEY}


@pytest.mark.parametrize("id", ["abc:download", "../files/abc", "abc?key=1", "", "a b", "files/files/abc", "é"])
async def test_an_id_that_would_be_another_call(clock: Clock, id: str) -> None:
    async with talking(clock, answer()) as (gemini, server):
        for call in (gemini.get_file, gemini.delete_file, gemini.get_batch, gemini.cancel_batch, gemini.delete_batch):
            with pytest.raises(NotFoundError):
                await call(id)
        with pytest.raises(NotFoundError):
            [block async for block in gemini.download_file(id)]
    assert server.received == []


async def test_a_missing_file_is_a_403_and_a_bad_key_a_400(clock: Clock) -> None:
    missing = "You do not have permission to access the File abc or it may not exist."
    bad = {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}
    answers = [said({"error": {"code": 403, "message": missing}}, 403), said({"error": bad}, 400)]
    async with talking(clock, *answers) as (gemini, _):
        with pytest.raises(NotFoundError):
            await gemini.get_file("abc")
        with pytest.raises(AuthError):
            await gemini.get_file("abc")


async def test_a_download_follows_its_redirect_with_the_key(clock: Clock) -> None:
    moved = {"error": {"code": 302, "message": "Unknown Error.", "status": "UNKNOWN"}}
    async with talking(clock) as (gemini, server):
        address = f"{server.url}/download/v1beta/files/abc:download?alt=media"
        server.answers += [said(moved, 302, location=address), answer(body=b"\0\1bytes")]
        assert b"".join([block async for block in gemini.download_file("abc")]) == b"\0\1bytes"
    assert [r.target for r in server.received] == [
        "/v1beta/files/abc:download?alt=media",
        "/download/v1beta/files/abc:download?alt=media",
    ]
    assert server.received[1].headers["x-goog-api-key"] == KEY


async def test_a_download_goes_nowhere_else(clock: Clock) -> None:
    async with scripted(answer()) as other, talking(clock) as (gemini, server):
        server.answers += [said({}, 302, location=f"{other.url}/x")]
        with pytest.raises(BifrostError, match="redirect"):
            [block async for block in gemini.download_file("abc")]
        server.answers[:] = [said({}, 302, location=f"{server.url}/again")]
        with pytest.raises(BifrostError, match="redirect"):
            [block async for block in gemini.download_file("abc")]
    assert other.received == []
    assert len(server.received) < 10


# -- batches ----------------------------------------------------------------------------------------------------


def operation(state: str = "PENDING", id: str = "b1", **metadata: Any) -> dict[str, Any]:
    made = {
        "model": "models/gemini-2.5-flash",
        "displayName": "tag",
        "inputConfig": {"fileName": "files/abc"},
        "createTime": "2026-08-19T14:34:12Z",
        "batchStats": {"requestCount": "2", "pendingRequestCount": "2"},
        "state": f"BATCH_STATE_{state}",
    }
    return {"name": f"batches/{id}", "metadata": {**made, **metadata}}


def part(source: Source | None, **more: Any) -> Part:
    return Part("gemini-2.5-flash", "generateContent", "tag", 2, source, **more)


async def test_a_batch_is_made_from_an_uploaded_file(clock: Clock, ten: Source) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), final({"file": FILE}), said(operation())]
        batch = await gemini.create_batch(part(ten))
    start, _, create = server.received
    assert orjson.loads(start.body) == {"file": {"display_name": "bifrost-tag.jsonl"}}
    assert start.headers["x-goog-upload-header-content-type"] == "application/jsonl"
    assert (create.method, create.target) == ("POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent")
    assert orjson.loads(create.body) == {"batch": {"displayName": "tag", "inputConfig": {"fileName": "files/abc"}}}
    assert (batch.id, batch.processing_status, batch.request_counts.processing) == ("b1", "in_progress", 2)


async def test_a_batch_waits_until_its_file_can_be_used(clock: Clock, ten: Source) -> None:
    processing = {**FILE, "state": "PROCESSING"}
    failed = {**FILE, "state": "FAILED", "error": {"code": 3, "message": "Unreadable"}}
    async with talking(clock) as (gemini, server):
        server.answers += [
            started(server),
            final({"file": processing}),
            said(processing),
            said(FILE),
            said(operation()),
        ]
        assert (await gemini.create_batch(part(ten))).id == "b1"
        assert clock.naps == [1, 1]
        server.received.clear()
        server.answers[:] = [started(server), final({"file": failed})]
        with pytest.raises(InvalidRequestError, match="Unreadable"):
            await gemini.create_batch(part(ten))
        server.received.clear()
        server.answers[:] = [started(server), final({"file": processing}), said(processing)]
        with pytest.raises(UpstreamTimeoutError, match="still processes"):
            await gemini.create_batch(part(ten))


@pytest.mark.parametrize("lost", [None, said({}, 500), said({}, 503), said([]), answer(body=b"<html>"), said({})])
async def test_a_create_whose_answer_is_lost_is_not_repeated(clock: Clock, ten: Source, lost: bytes | None) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [started(server), final({"file": FILE}), lost]
        with pytest.raises(OutcomeUnknownError):
            await gemini.create_batch(part(ten))
    assert len(server.received) == 3


async def test_a_failed_upload_is_no_unknown_outcome(clock: Clock, ten: Source) -> None:
    async with talking(clock, said({}, 500)) as (gemini, _):
        with pytest.raises(UpstreamError):
            await gemini.create_batch(part(ten))


async def test_a_file_alone_does_not_say_its_model(clock: Clock) -> None:
    async with talking(clock, answer()) as (gemini, server):
        with pytest.raises(UnsupportedError, match="needs the model"):
            await gemini.create_batch(part(None, file_id="abc"))
    assert server.received == []


async def test_batches(clock: Clock) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [said({"operations": [operation()], "nextPageToken": "p2"}), said({}), said(operation())]
        page = await gemini.list_batches(limit=7)
        assert ([batch.id for batch in page.data], page.next) == (["b1"], "p2")
        assert (await gemini.list_batches(limit=500, after="p2")).data == []
        assert (await gemini.get_batch("b1")).id == "b1"
    assert [(r.method, r.target) for r in server.received] == [
        ("GET", "/v1beta/batches?pageSize=7"),
        ("GET", "/v1beta/batches?pageSize=100&pageToken=p2"),
        ("GET", "/v1beta/batches/b1"),
    ]


async def test_cancel_says_canceling_though_gemini_does_not(clock: Clock) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [said({}), said(operation("RUNNING")), said({}), said(operation("CANCELLED"))]
        batch = await gemini.cancel_batch("b1")
        assert batch.processing_status == "canceling"
        assert batch.cancel_initiated_at is not None
        assert datetime.now(UTC) - batch.cancel_initiated_at < timedelta(minutes=1)
        ended = await gemini.cancel_batch("b1")
        assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 2)
    cancel = server.received[0]
    assert (cancel.method, cancel.target, cancel.body) == ("POST", "/v1beta/batches/b1:cancel", b"")
    assert cancel.headers["content-length"] == "0"


async def test_a_batch_that_runs_is_not_deleted(clock: Clock) -> None:
    async with talking(clock) as (gemini, server):
        server.answers += [said(operation("RUNNING")), said(operation("CANCELLED")), said({})]
        with pytest.raises(InvalidRequestError, match="not ended"):
            await gemini.delete_batch("b1")
        await gemini.delete_batch("b1")
    assert [(r.method, r.target) for r in server.received][1:] == [
        ("GET", "/v1beta/batches/b1"),
        ("DELETE", "/v1beta/batches/b1"),
    ]


async def test_results(clock: Clock) -> None:
    candidate = {"content": {"parts": [{"text": "a\u2028b"}]}, "finishReason": "STOP"}
    lines = orjson.dumps({"response": {"candidates": [candidate]}, "key": "x"})
    lines += b'\n\n{"key":"y","error":{"code":1}}'
    done = translate.to_batch(operation("SUCCEEDED", output={"responsesFile": "files/batch-b1"}))
    async with talking(clock) as (gemini, server):
        server.answers += [said({}, 302, location=f"{server.url}/download/x"), answer(body=lines)]
        first, second = [result async for result in gemini.batch_results(done)]
    assert server.received[0].target == "/v1beta/files/batch-b1:download?alt=media"
    assert (first["custom_id"], first["result"]["message"]["model"]) == ("x", "gemini-2.5-flash")
    assert first["result"]["message"]["content"][0]["text"] == "a\u2028b"
    assert second == {"custom_id": "y", "result": {"type": "canceled"}}


@pytest.mark.parametrize("state", ["EXPIRED", "FAILED", "CANCELLED", "SUCCEEDED"])
async def test_a_batch_without_results_asks_for_none(clock: Clock, state: str) -> None:
    batch = translate.to_batch(operation(state, endTime="2026-08-19T15:00:00Z"))
    async with talking(clock, answer()) as (gemini, server):
        assert [result async for result in gemini.batch_results(batch)] == []
    assert server.received == []


async def test_results_of_inline_requests(clock: Clock) -> None:
    response = {"candidates": [{"content": {"parts": [{"text": "4"}]}, "finishReason": "STOP"}]}
    items = [{"response": response, "metadata": {"key": "k"}}, {"error": {"code": 3, "message": "No"}}]
    batch = translate.to_batch(operation("SUCCEEDED", output={"inlinedResponses": {"inlinedResponses": items}}))
    async with talking(clock, answer()) as (gemini, _):
        results = [result async for result in gemini.batch_results(batch)]
    assert [(result["custom_id"], result["result"]["type"]) for result in results] == [
        ("k", "succeeded"),
        ("line-2", "errored"),
    ]


async def test_a_lost_create_is_found_by_its_tag(clock: Clock) -> None:
    def page(*tags: str, more: bool) -> bytes:
        rows = [operation(id=f"b-{tag}", displayName=tag) for tag in tags]
        return said({"operations": rows, **({"nextPageToken": "p2"} if more else {})})

    created = datetime(2026, 8, 19, 14, 34, 12, tzinfo=UTC)

    async def find(since: datetime) -> tuple[Batch | None, int]:
        async with talking(clock, page("x", "y", more=True), page("tag", more=False)) as (gemini, server):
            return await gemini.find_batch(part(None), since, ()), len(server.received)

    found, calls = await find(created)
    assert found is not None
    assert (found.id, calls) == ("b-tag", 2)
    assert await find(created + timedelta(minutes=5)) == (None, 1)
