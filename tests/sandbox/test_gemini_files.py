"""Gemini's Files API, over plain HTTP."""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.gemini import Gemini, connect, line, said

CHUNK = 8 * 1024 * 1024
DAY = 24 * 3600


@pytest.fixture(params=["v1beta", "v1"])
def gemini(instant: Any, key: str, request: pytest.FixtureRequest) -> Iterator[Gemini]:
    with connect(instant.url, key, request.param) as client:
        yield client


@pytest.fixture
def slow(timed: Any, key: str) -> Iterator[Gemini]:
    with connect(timed.url, key) as client:
        yield client


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()["error"]
    assert body["code"] == answer.status_code
    return answer.status_code, body["status"], body["message"]


def missing(id: str) -> tuple[int, str, str]:
    message = f"You do not have permission to access the File {id} or it may not exist."
    return 403, "PERMISSION_DENIED", message


def test_an_upload_in_one_chunk(gemini: Gemini) -> None:
    started = gemini.start(5, "text/plain", display_name="notes")
    assert (started.status_code, started.content) == (200, b"")
    assert started.headers["x-goog-upload-status"] == "active"
    assert started.headers["x-goog-upload-chunk-granularity"] == str(CHUNK)
    url = started.headers["x-goog-upload-url"]
    assert url.startswith(f"{gemini.http.base_url}upload/{gemini.version}/files?upload_id=")
    assert started.headers["x-goog-upload-control-url"] == url
    done = gemini.send(url, "upload, finalize", 0, b"hello")
    assert done.headers["x-goog-upload-status"] == "final"
    file = done.json()["file"]
    assert list(file) == [
        *("name", "displayName", "mimeType", "sizeBytes", "createTime", "updateTime", "expirationTime", "sha256Hash"),
        *("uri", "state", "source"),
    ]
    assert re.fullmatch(r"files/sbx[a-z0-9]{9}", file["name"])
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("notes", "text/plain", "5")
    assert (file["state"], file["source"]) == ("ACTIVE", "UPLOADED")
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(b"hello").hexdigest()
    assert file["uri"] == f"{gemini.http.base_url}{gemini.version}/{file['name']}"
    assert gemini.get(file["name"]) == file


def test_an_upload_in_chunks(gemini: Gemini) -> None:
    content = bytes(CHUNK) + b"tail"
    url = gemini.start(len(content), "text/plain").headers["x-goog-upload-url"]
    first = gemini.send(url, "upload", 0, content[:CHUNK])
    assert (first.status_code, first.headers["x-goog-upload-status"]) == (200, "active")
    asked = gemini.send(url, "query", None)
    assert asked.headers["x-goog-upload-size-received"] == str(CHUNK)
    assert asked.headers["x-goog-upload-chunk-granularity"] == str(CHUNK)
    file = gemini.send(url, "upload, finalize", CHUNK, content[CHUNK:]).json()["file"]
    assert file["sizeBytes"] == str(CHUNK + 4)
    assert "displayName" not in file
    after = gemini.send(url, "query", None)
    assert after.headers["x-goog-upload-status"] == "final"
    again = gemini.send(url, "upload, finalize", CHUNK, b"tail")
    assert error(again)[2] == "Upload has already been finalized."
    assert again.headers["x-goog-upload-status"] == "final"


def test_finalize_alone(gemini: Gemini) -> None:
    url = gemini.start(CHUNK, "text/plain").headers["x-goog-upload-url"]
    gemini.send(url, "upload", 0, bytes(CHUNK))
    assert gemini.send(url, "finalize", None).json()["file"]["sizeBytes"] == str(CHUNK)


@pytest.mark.parametrize(
    ("command", "offset", "content", "text"),
    [
        ("upload", 0, b"abc", "a chunk of 3 bytes is not the last one and not a multiple of 8388608"),
        ("upload", 0, b"", "a chunk of 0 bytes is not the last one"),
        ("upload, finalize", 7, b"hello", "the next offset is 0, not 7"),
        ("upload, finalize", None, b"hello", "X-Goog-Upload-Offset is missing"),
        ("upload, finalize", 0, b"hell", "5 bytes were announced, 4 have come"),
        ("upload, finalize", 0, b"hello!", "5 bytes were announced, 6 have come"),
        ("shout", 0, b"hello", "the command is none of"),
        ("", 0, b"hello", "the command is none of"),
    ],
)
def test_a_bad_step_leaves_the_upload_as_it_was(
    gemini: Gemini, command: str, offset: int | None, content: bytes, text: str
) -> None:
    url = gemini.start(5, "text/plain").headers["x-goog-upload-url"]
    refused = gemini.send(url, command, offset, content)
    assert text in error(refused)[2]
    assert refused.headers["x-goog-upload-status"] == "active"
    assert gemini.send(url, "query", None).headers["x-goog-upload-size-received"] == "0"
    assert "file" in gemini.send(url, "upload, finalize", 0, b"hello").json()


def test_an_upload_that_is_called_off(gemini: Gemini) -> None:
    url = gemini.start(5, "text/plain").headers["x-goog-upload-url"]
    assert gemini.send(url, "cancel", None).headers["x-goog-upload-status"] == "cancelled"
    refused = gemini.send(url, "upload, finalize", 0, b"hello")
    assert (error(refused)[2], refused.headers["x-goog-upload-status"]) == (
        "Upload has already been terminated.",
        "cancelled",
    )
    assert gemini.get("files") == {}


def test_the_address_of_an_upload_is_its_credential(gemini: Gemini) -> None:
    url = gemini.start(5, "text/plain").headers["x-goog-upload-url"]
    guessed = re.sub(r"upload_id=sbx\w{5}", "upload_id=sbxAAAAA", url)
    assert error(gemini.send(guessed, "upload, finalize", 0, b"hello"))[1] == "NOT_FOUND"
    assert gemini.send(f"{url}&x=../..", "query", None).status_code == 200


@pytest.mark.parametrize("media_type", ["jsonl", "", "plain text"])
def test_a_media_type_that_is_none_is_refused_with_status_200(gemini: Gemini, media_type: str) -> None:
    url = gemini.start(5, media_type).headers["x-goog-upload-url"]
    done = gemini.send(url, "upload, finalize", 0, b"hello")
    assert (done.status_code, done.headers["x-goog-upload-status"]) == (200, "final")
    message = f"Unsupported MIME type: {media_type}"
    assert done.json() == {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    assert gemini.get("files") == {}


def test_members_of_the_description(gemini: Gemini) -> None:
    file = gemini.upload(b"x", "text/csv", displayName="a", mimeType="text/plain", name="files/my-own-name")
    assert (file["name"], file["displayName"], file["mimeType"]) == ("files/my-own-name", "a", "text/plain")
    status, name, _ = error(gemini.start(1, "text/plain", name="files/my-own-name"))
    assert (status, name) == (409, "ALREADY_EXISTS")
    gemini.http.delete(f"/v1/{file['name']}")
    first, second = (gemini.start(1, "text/plain", name="files/my-own-name") for _ in range(2))
    gemini.send(first.headers["x-goog-upload-url"], "upload, finalize", 0, b"a")
    refused = gemini.send(second.headers["x-goog-upload-url"], "upload, finalize", 0, b"b")
    assert error(refused)[:2] == (409, "ALREADY_EXISTS")
    gemini.http.delete(f"/v1/{file['name']}")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ({"name": "files/" + "a" * 41}, "File ID (name excluding 'files/') cannot be more than 40 characters."),
        ({"name": "files/../x"}, "lowercase letters"),
        ({"name": "files/-x"}, "lowercase letters"),
        ({"displayName": "x" * 513}, "more than 512 characters"),
        ({"colour": "red"}, "Unknown name \"colour\" at 'file': Cannot find field."),
    ],
)
def test_bad_descriptions_are_refused(gemini: Gemini, file: dict[str, Any], text: str) -> None:
    assert text in error(gemini.start(1, "text/plain", **file))[2]


def test_what_is_no_start_is_refused(gemini: Gemini) -> None:
    path = f"/upload/{gemini.version}/files"
    assert "resumable" in error(gemini.http.post(path, json={}))[2]
    only = {"x-goog-upload-protocol": "resumable"}
    assert "the command start" in error(gemini.http.post(path, json={}, headers=only))[2]
    assert "at most" in error(gemini.start(2**31 + 1))[2]
    assert gemini.bare.post(path, headers=only).status_code == 403


def test_lists(gemini: Gemini) -> None:
    assert gemini.get("files") == {}
    names = [gemini.upload(b"x", "text/plain")["name"] for _ in range(5)]
    first = gemini.get("files", pageSize=2)
    assert [file["name"] for file in first["files"]] == [names[4], names[3]]
    second = gemini.get("files", pageSize=2, pageToken=first["nextPageToken"])
    assert [file["name"] for file in second["files"]] == [names[2], names[1]]
    for name in (names[4], names[3], names[2], names[1]):
        assert gemini.call("DELETE", name).json() == {}
    last = gemini.get("files", pageSize=2, pageToken=second["nextPageToken"])
    assert ([file["name"] for file in last["files"]], "nextPageToken" in last) == ([names[0]], False)


@pytest.mark.parametrize("query", [{"pageSize": 101}, {"pageSize": -1}, {"pageSize": "x"}, {"pageToken": "x"}])
def test_bad_queries_are_refused(gemini: Gemini, query: dict[str, Any]) -> None:
    assert error(gemini.call("GET", "files", **query))[:2] == (400, "INVALID_ARGUMENT")


def test_foreign_unknown_and_deleted_files_are_all_the_same(gemini: Gemini, instant: Any) -> None:
    mine = gemini.upload(b"x", "text/plain")["name"]
    with connect(instant.url, "sandbox-other") as other:
        for method in ("GET", "DELETE"):
            assert error(other.call(method, mine)) == missing(mine.removeprefix("files/"))
    assert gemini.call("DELETE", mine).json() == {}
    for name in (mine, "files/never"):
        assert error(gemini.call("GET", name)) == missing(name.removeprefix("files/"))
        assert error(gemini.call("GET", f"{name}:download")) == missing(name.removeprefix("files/"))


def test_a_file_lives_for_two_days(slow: Gemini, clock: Any) -> None:
    started = slow.start(1, "text/plain")
    clock.pass_(10)
    file = slow.send(started.headers["x-goog-upload-url"], "upload, finalize", 0, b"x").json()["file"]
    assert re.fullmatch(r".*:10\.\d{6}Z", file["createTime"])
    assert re.fullmatch(r".*:00\.\d{9}Z", file["expirationTime"])
    clock.pass_(2 * DAY - 11)
    assert slow.get(file["name"]) == file
    clock.pass_(1)
    assert error(slow.call("GET", file["name"])) == missing(file["name"].removeprefix("files/"))
    assert slow.get("files") == {}


def test_a_video_is_processed_first(slow: Gemini, clock: Any) -> None:
    file = slow.upload(b"x", "video/mp4")
    assert file["state"] == "PROCESSING"
    data = {"fileData": {"fileUri": file["uri"], "mimeType": "video/mp4"}}
    body = {"contents": [{"role": "user", "parts": [data, {"text": "what is it?"}]}]}
    status, name, message = error(slow.call("POST", "models/gemini-3.6-flash:generateContent", body))
    assert (status, name) == (400, "FAILED_PRECONDITION")
    assert "is not in an ACTIVE state and usage is not allowed." in message
    clock.pass_(1)
    assert slow.get(file["name"])["state"] == "ACTIVE"
    usage = slow.post("models/gemini-3.6-flash:generateContent", body)["usageMetadata"]
    assert [detail["modality"] for detail in usage["promptTokensDetails"]] == ["TEXT", "VIDEO"]


def test_uploads_cannot_be_downloaded(gemini: Gemini) -> None:
    name = gemini.upload(b"x", "text/plain")["name"]
    for place in ("", "/download"):
        answer = gemini.http.get(f"{place}/{gemini.version}/{name}:download?alt=media")
        assert "cannot be downloaded" in error(answer)[2]


def test_a_generated_file_is_downloaded_somewhere_else(gemini: Gemini) -> None:
    operation = gemini.get(gemini.file_batch(line("a"))["name"])
    name = operation["response"]["responsesFile"]
    assert re.fullmatch(r"files/batch-sbx[a-z0-9]{33}", name)
    turned = gemini.call("GET", f"{name}:download", alt="media")
    assert (turned.status_code, turned.json()["error"]["status"]) == (302, "UNKNOWN")
    place = f"{gemini.http.base_url}download/{gemini.version}/{name}:download?alt=media"
    assert turned.headers["location"] == place
    assert gemini.call("GET", f"{name}:download").json() == {}
    assert gemini.call("GET", f"{name}:download").json() == {}
    content = gemini.http.get(place)
    assert content.headers["content-disposition"] == "attachment"
    assert content.headers["content-length"] == str(len(content.content))
    assert gemini.bare.get(place).status_code == 403
    (listed,) = (file for file in gemini.get("files")["files"] if file["source"] == "GENERATED")
    assert (listed["name"], "displayName" in listed) == (name, False)
    assert listed["downloadUri"] == f"{listed['uri']}:download?alt=media"
    for method, message in (("GET", "GetFileRequest"), ("DELETE", "DeleteFileRequest")):
        text = f"* {message}.name: File ID (name excluding 'files/') cannot be more than 40 characters.\n"
        assert error(gemini.call(method, name)) == (400, "INVALID_ARGUMENT", text)


def test_a_file_in_a_prompt(gemini: Gemini) -> None:
    file = gemini.upload(b"%PDF-1.7", "application/pdf")
    for uri in (file["uri"], f"https://generativelanguage.googleapis.com/v1beta/{file['name']}"):
        parts = [{"text": "sum up"}, {"file_data": {"mime_type": "application/pdf", "file_uri": uri}}]
        answer = gemini.post("models/gemini-2.5-flash:generateContent", {"contents": [{"parts": parts}]})
        assert answer["usageMetadata"]["promptTokensDetails"][1]["modality"] == "DOCUMENT"
    elsewhere = {"fileData": {"fileUri": "https://example.com/files/a.pdf", "mimeType": "application/pdf"}}
    assert gemini.post("models/gemini-2.5-flash:generateContent", {"contents": [{"parts": [elsewhere]}]})["candidates"]
    body = {"contents": [said("x"), {"role": "user", "parts": [{"fileData": {"fileUri": f"{file['uri']}x"}}]}]}
    refused = gemini.call("POST", "models/gemini-2.5-flash:generateContent", body)
    assert error(refused) == missing(file["name"].removeprefix("files/") + "x")
