"""OpenAI's Files API, driven by its SDK, and by plain HTTP for what the SDK does not let through."""

import re
from typing import Any

import openai
import pytest
from openai import BadRequestError, NotFoundError

LINE = b'{"custom_id": "a"}\n'


def test_upload_get_list_delete(gpt: openai.OpenAI) -> None:
    made = gpt.files.create(file=("notes.txt", b"hello"), purpose="user_data")
    assert re.fullmatch(r"file-sbx\w+", made.id)
    assert (made.filename, made.bytes, made.purpose, made.status) == ("notes.txt", 5, "user_data", "processed")
    assert made.expires_at is None
    assert gpt.files.retrieve(made.id) == made
    assert [file.id for file in gpt.files.list()] == [made.id]
    assert gpt.files.delete(made.id).deleted
    assert list(gpt.files.list()) == []
    with pytest.raises(NotFoundError, match=f"No such File object: {made.id}"):
        gpt.files.retrieve(made.id)


@pytest.mark.parametrize("name", ["requests.jsonl", "upload", "no.txt"])
def test_batch_input_is_judged_by_its_first_line(gpt: openai.OpenAI, name: str) -> None:
    made = gpt.files.create(file=(name, LINE + b"not json"), purpose="batch")
    assert made.filename == name
    assert made.expires_at == made.created_at + 2_592_000
    assert gpt.files.content(made.id).read() == LINE + b"not json"


@pytest.mark.parametrize("content", [b"", b"notes", b"{malformed", b'"text"\n', b"\n" + LINE])
def test_what_is_no_jsonl_is_refused(gpt: openai.OpenAI, content: bytes) -> None:
    with pytest.raises(BadRequestError, match=r"Invalid file format for Batch API\. Must be \.jsonl"):
        gpt.files.create(file=("a.jsonl", content), purpose="batch")


def test_expiry(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        made = client.files.create(
            file=("a", b"x"), purpose="vision", expires_after={"anchor": "created_at", "seconds": 3600}
        )
        assert made.expires_at == made.created_at + 3600
        clock.pass_(3601)
        with pytest.raises(NotFoundError):
            client.files.retrieve(made.id)
        assert list(client.files.list()) == []
        for seconds in (3599, 2_592_001):
            with pytest.raises(BadRequestError, match="expires_after"):
                client.files.create(
                    file=("a", b"x"), purpose="vision", expires_after={"anchor": "created_at", "seconds": seconds}
                )


def test_pages_orders_and_purposes(gpt: openai.OpenAI) -> None:
    made = [gpt.files.create(file=(str(number), b"x"), purpose="assistants").id for number in range(4)]
    other = gpt.files.create(file=("v", b"x"), purpose="vision").id
    assert [file.id for file in gpt.files.list()] == [other, *made[::-1]]
    assert [file.id for file in gpt.files.list(limit=2, order="asc", purpose="assistants")] == made
    page = gpt.files.list(limit=2)
    assert (page.has_more, [file.id for file in page.data]) == (True, [other, made[3]])
    assert [file.id for file in gpt.files.list(limit=2, after=made[3]).data] == [made[2], made[1]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "integer_below_min_value"),
        ("limit=10001", "integer_above_max_value"),
        ("limit=x", "invalid_type"),
        ("order=up", "invalid_value"),
    ],
)
def test_bad_queries_are_refused(instant: Any, query: str, code: str) -> None:
    with instant.http("openai") as http:
        answer = http.get(f"/files?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("purpose", ["user_data", "assistants"])
def test_private_files_cannot_be_downloaded(gpt: openai.OpenAI, purpose: Any) -> None:
    made = gpt.files.create(file=("a.txt", b"x"), purpose=purpose)
    with pytest.raises(BadRequestError, match=f"Not allowed to download files of purpose: {purpose}"):
        gpt.files.content(made.id)


def test_answers_end_with_a_line_break(instant: Any) -> None:
    with instant.http("openai") as http:
        made = http.post("/files", files={"file": ("a", b"x")}, data={"purpose": "vision"})
        missing = http.get("/files/x")
    for answer in (made, missing):
        assert answer.text.startswith("{\n  ")
        assert answer.text.endswith("}\n")


def test_a_download(instant: Any) -> None:
    with instant.http("openai") as http:
        id = http.post("/files", files={"file": ("image.png", b"png")}, data={"purpose": "vision"}).json()["id"]
        answer = http.get(f"/files/{id}/content")
    assert answer.content == b"png"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="image.png"'
    assert answer.headers["content-length"] == "3"


def test_bytes_without_a_name_above_a_megabyte(gpt: openai.OpenAI) -> None:
    made = gpt.files.create(file=b"\x00" * 3_000_000, purpose="vision")
    assert (made.filename, made.bytes) == ("upload", 3_000_000)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"data": {}, "files": {"file": ("a", b"x")}}, "'purpose' is a required property"),
        ({"data": {"purpose": "x"}, "files": {"file": ("a", b"x")}}, "'x' is not one of ['fine-tune', 'assistants', "),
        ({"files": {"purpose": (None, "vision")}}, "'file' is a required property"),
        ({"data": {"purpose": "vision", "x": "y"}, "files": {"file": ("a", b"x")}}, "Additional properties"),
        ({"content": b"{}"}, "Could not parse multipart form"),
    ],
)
def test_bad_forms_are_refused(instant: Any, form: dict[str, Any], text: str) -> None:
    with instant.http("openai") as http:
        answer = http.post("/files", **form)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(text)
    assert answer.json()["detail"]["message"] == answer.json()["error"]["message"]


def test_batch_input_above_200_megabytes_is_refused(gpt: openai.OpenAI, tmp_path: Any) -> None:
    with (tmp_path / "large.jsonl").open("wb") as file:
        file.write(LINE)
        file.truncate(200 * 1024 * 1024 + 1)
    with pytest.raises(BadRequestError, match=r"File is too large\."):
        gpt.files.create(file=tmp_path / "large.jsonl", purpose="batch")
