"""Anthropic's Files API, driven by its SDK, and by plain HTTP for what the SDK does not let through."""

import re
from datetime import datetime

import anthropic
import pytest
from anthropic import BadRequestError, NotFoundError
from anthropic.types.file_not_downloadable_error import FileNotDownloadableError

OLD = {"anthropic-beta": "files-api-2025-04-14"}


def test_upload_get_list_delete(claude: anthropic.Anthropic) -> None:
    made = claude.files.upload(file=("notes.txt", b"hello", "text/plain"))
    assert re.fullmatch(r"file_sbx\w+", made.id)
    assert (made.filename, made.mime_type, made.size_bytes, made.downloadable) == ("notes.txt", "text/plain", 5, False)
    assert made.expires_at is None
    assert claude.files.retrieve_metadata(made.id) == made
    assert [file.id for file in claude.files.list()] == [made.id]
    assert claude.files.delete(made.id).type == "file_deleted"
    assert list(claude.files.list()) == []
    with pytest.raises(NotFoundError, match=f"File `{made.id}` not found."):
        claude.files.retrieve_metadata(made.id)


def test_bytes_without_a_name_above_a_megabyte(claude: anthropic.Anthropic) -> None:
    made = claude.files.upload(file=b"\x00" * 3_000_000)
    assert (made.filename, made.size_bytes, made.mime_type) == ("unnamed.bin", 3_000_000, "application/octet-stream")


@pytest.mark.parametrize(
    ("sent", "kept"), [("dir/sub/a.txt", "a.txt"), ("你好.txt", "你好.txt"), ("with space.txt", "with space.txt")]
)
def test_names_are_kept_but_for_folders(claude: anthropic.Anthropic, sent: str, kept: str) -> None:
    assert claude.files.upload(file=(sent, b"x")).filename == kept


@pytest.mark.parametrize("name", ["a?.txt", "a:b", "a|b", "a*", "x" * 256])
def test_bad_names_are_refused(claude: anthropic.Anthropic, name: str) -> None:
    with pytest.raises(BadRequestError, match="filename"):
        claude.files.upload(file=(name, b"x"))


def test_expiry(claude: anthropic.Anthropic) -> None:
    made = claude.files.upload(file=("a.txt", b"x"), expires_in_seconds=3600)
    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).total_seconds() == 3600
    for seconds in (3599, 7_776_001):
        with pytest.raises(BadRequestError, match="expires_in_seconds: Input should be"):
            claude.files.upload(file=("a.txt", b"x"), expires_in_seconds=seconds)


def test_pages(claude: anthropic.Anthropic) -> None:
    made = [claude.files.upload(file=(f"{number}.txt", b"x")).id for number in range(5)]
    page = claude.files.list(limit=2)
    assert [file.id for file in page.data] == made[:2:-1]
    assert page.next_page is not None
    assert page.next_page.startswith("page_")
    assert [file.id for file in claude.files.list(limit=2)] == made[::-1]


def test_chosen_ids(claude: anthropic.Anthropic) -> None:
    first, second = (claude.files.upload(file=("a.txt", b"x")).id for _ in range(2))
    page = claude.files.list(ids=[first, second, first, "file_unknown"])
    assert {file.id for file in page.data} == {first, second}
    assert page.next_page is None
    with pytest.raises(BadRequestError, match="at most 100"):
        claude.files.list(ids=[f"file_{number}" for number in range(101)])
    with pytest.raises(BadRequestError, match="limit: Extra inputs"):
        claude.files.list(ids=[first], limit=5)


@pytest.mark.parametrize("query", ["after_id=x", "before_id=x", "page=nonsense", "limit=0", "limit=1001", "limit=a"])
def test_bad_queries_are_refused(instant, query: str) -> None:  # type: ignore[no-untyped-def]
    with instant.http("anthropic") as http:
        answer = http.get(f"/files?{query}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_old_shape(instant) -> None:  # type: ignore[no-untyped-def]
    with instant.http("anthropic") as http:
        ids = [
            http.post("/files?beta=true", headers=OLD, files={"file": ("a", b"x", "text/plain")}).json()["id"]
            for _ in range(3)
        ]
        first = http.get("/files?limit=2", headers=OLD).json()
        second = http.get(f"/files?limit=2&after_id={first['last_id']}", headers=OLD).json()
        newer = http.get(f"/files?limit=2&before_id={ids[0]}", headers=OLD).json()
        assert set(first) == {"data", "has_more", "first_id", "last_id"}
        assert "expires_at" not in first["data"][0]
        assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[2], ids[1], True)
        assert ([file["id"] for file in second["data"]], second["has_more"]) == ([ids[0]], False)
        assert [file["id"] for file in newer["data"]] == [ids[2], ids[1]]
        assert http.get("/files?page=page_x", headers=OLD).status_code == 400
        both = http.get("/files", headers={"anthropic-beta": "files-api-2025-04-14,managed-agents-2026-04-01"}).json()
        assert set(both) == {"data", "has_more", "first_id", "last_id", "next_page"}


def test_an_upload_cannot_be_downloaded(claude: anthropic.Anthropic, instant) -> None:  # type: ignore[no-untyped-def]
    made = claude.files.upload(file=("a.txt", b"x"))
    with pytest.raises(FileNotDownloadableError) as caught:
        claude.files.download(made.id)
    assert (caught.value.status_code, caught.value.error_code) == (400, "file_not_downloadable")
    with instant.http("anthropic") as http:
        error = http.get(f"/files/{made.id}/content", headers=OLD).json()["error"]
    assert error == {"type": "invalid_request_error", "message": f"File '{made.id}' is not downloadable"}


def test_what_a_tool_made_can_be_downloaded(claude: anthropic.Anthropic, prompt) -> None:  # type: ignore[no-untyped-def]
    tools = [{"type": "code_execution_20260120", "name": "code_execution"}]
    answer = claude.messages.create(**prompt("sandbox:file please", tools=tools))
    ids = [block.content.content[0].file_id for block in answer.content if hasattr(block, "content")]  # type: ignore[union-attr,index]
    assert answer.container is not None
    assert claude.files.retrieve_metadata(ids[0]).downloadable
    assert claude.files.download(ids[0]).read().startswith(b"[sandbox] file made by a tool\n")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"data": {"x": "1"}, "files": {"file": ("a", b"x")}}, "x: Extra inputs are not permitted"),
        ({"files": {"other": ("a", b"x")}}, "file: Field required"),
        ({"content": b"{}", "headers": {"content-type": "application/json"}}, "Invalid multipart form data"),
    ],
)
def test_bad_forms_are_refused(instant, form: dict[str, object], text: str) -> None:  # type: ignore[no-untyped-def]
    with instant.http("anthropic") as http:
        answer = http.post("/files", **form)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


def test_times_have_six_digits_and_a_z(instant) -> None:  # type: ignore[no-untyped-def]
    with instant.http("anthropic") as http:
        made = http.post("/files", files={"file": ("a", b"x")}).json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000Z", made["created_at"])
    assert datetime.fromisoformat(made["created_at"])
