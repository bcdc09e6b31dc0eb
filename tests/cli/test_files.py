"""`files`: upload, list, get, delete and download."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.program import Sandbox, bifrost, piped, shell, written

CONTENT = b'{"custom_id": "a"}\n\x00\xff'


@pytest.fixture
def stored(sandbox: Sandbox) -> str:
    """The id of a file that can be downloaded; its name is `input.jsonl`."""
    Path("input.jsonl").write_bytes(CONTENT)
    (id,) = bifrost("files", "upload", "input.jsonl", "-p", "openai", "-q").words
    Path("input.jsonl").unlink()
    return id


def stored_as(sandbox: Sandbox, name: str, content: bytes = CONTENT, *, key: str) -> str:
    """The id of a file whose name another client chose, of characters that ours would not send."""
    part = '--B\r\ncontent-disposition: form-data; name="{}"{}\r\n\r\n'
    named = f'; filename="{name}"\r\ncontent-type: text/plain'
    head = part.format("purpose", "") + "batch\r\n" + part.format("file", named)
    place = urlsplit(sandbox.environment(key)["OPENAI_BASE_URL"])
    connection = http.client.HTTPConnection(place.netloc)
    headers = {"authorization": f"Bearer {key}", "content-type": "multipart/form-data; boundary=B"}
    connection.request("POST", f"{place.path}/files", head.encode() + content + b"\r\n--B--\r\n", headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return f"openai:{answer['id']}"


# -- upload ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("provider", "prefix"), [("anthropic", "file_"), ("openai", "openai:file-")])
def test_several_files_are_uploaded_each_told_as_it_is_there(sandbox: Sandbox, provider: str, prefix: str) -> None:
    Path("a paper.pdf").write_bytes(b"%PDF-1.7")
    Path("notes.md").write_text("# Notes")
    paper, notes = bifrost("files", "upload", "a paper.pdf", "notes.md", "-p", provider).objects
    assert paper["id"].startswith(prefix)
    assert (paper["filename"], paper["mime_type"], paper["size_bytes"]) == ("a paper.pdf", "application/pdf", 8)
    assert (notes["filename"], notes["mime_type"]) == ("notes.md", "text/markdown")
    assert paper["type"] == "file"


def test_none_is_uploaded_if_one_cannot_be_read(sandbox: Sandbox, two: Path) -> None:
    ran = bifrost("files", "upload", two, "nowhere.txt", code=2)
    assert (ran.out, sandbox.log()) == ("", [])


def test_a_folder_is_left_out_of_the_name(sandbox: Sandbox) -> None:
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/x.txt").write_text("x")
    assert bifrost("files", "upload", "deep/er/x.txt").object["filename"] == "x.txt"


def test_stdin_is_uploaded_under_a_name_that_must_be_given(sandbox: Sandbox) -> None:
    ran = bifrost("files", "upload", "-", "--filename", "piped.csv", "-p", "openai", input=b"a,b\n")
    assert (ran.object["filename"], ran.object["mime_type"], ran.object["size_bytes"]) == ("piped.csv", "text/csv", 4)
    ran = bifrost("files", "upload", "-", code=2, input=b"a,b\n")
    assert ran.err == "error: What comes from stdin has no name. Give it one with --filename.\n"


def test_filename_and_media_type_may_be_chosen_for_one_file(sandbox: Sandbox, two: Path) -> None:
    options = ("--filename", "other.txt", "--mime-type", "text/x-special")
    ran = bifrost("files", "upload", two, *options)
    assert (ran.object["filename"], ran.object["mime_type"]) == ("other.txt", "text/x-special")
    bifrost("files", "upload", two, two, "--filename", "x", code=2)


def test_the_purpose_follows_from_the_name_and_may_be_chosen(sandbox: Sandbox, two: Path) -> None:
    Path("x.txt").write_text("x")
    by_name = bifrost("files", "upload", two, "x.txt", "-p", "openai").objects
    assert [file["purpose"] for file in by_name] == ["batch", "user_data"]
    assert bifrost("files", "upload", two, "-p", "openai", "--purpose", "evals").object["purpose"] == "evals"
    ran = bifrost("files", "upload", two, "-p", "openai", "--purpose", "fun", code=5)
    assert "OpenAI has no purpose 'fun'. Use one of: " in ran.err
    assert "no purpose" in bifrost("files", "upload", two, "--purpose", "batch", code=5).err


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_file_may_expire(sandbox: Sandbox, provider: str) -> None:
    Path("x.txt").write_text("x")
    assert bifrost("files", "upload", "x.txt", "-p", provider).object["expires_at"] is None
    file = bifrost("files", "upload", "x.txt", "-p", provider, "--expires-in", "24h").object
    created, expires = (file[name][:10] for name in ("created_at", "expires_at"))
    assert created < expires
    bifrost("files", "upload", "x.txt", "-p", provider, "--expires-in", "1s", code=5)
    bifrost("files", "upload", "x.txt", "-p", provider, "--expires-in", "soon", code=2)


# -- list, get and delete ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_list_is_newest_first_and_as_long_as_asked(sandbox: Sandbox, two: Path, provider: str) -> None:
    ids = bifrost("files", "upload", *[two] * 22, "-p", provider, "-q").words
    assert bifrost("files", "list", "-p", provider, "-q").words == ids[:1:-1]
    assert bifrost("files", "list", "-p", provider, "-q", "--limit", 3).words == ids[:-4:-1]
    assert bifrost("files", "list", "-p", provider, "-q", "--all").words == ids[::-1]


def test_all_walks_every_page(sandbox: Sandbox, two: Path) -> None:
    ids = bifrost("files", "upload", *[two] * 105, "-p", "anthropic", "-q").words
    assert bifrost("files", "list", "-q", "--all").words == ids[::-1]
    assert bifrost("files", "list", "-q", "--limit", 103).words == ids[:1:-1]


def test_an_empty_list_is_no_lines(sandbox: Sandbox) -> None:
    ran = bifrost("files", "list", "-p", "openai")
    assert (ran.out, ran.err) == ("", "")


def test_all_providers_are_listed_with_p_all(sandbox: Sandbox, two: Path) -> None:
    ids = {*bifrost("files", "upload", two, "-q").words, *bifrost("files", "upload", two, "-p", "openai", "-q").words}
    assert ids <= set(bifrost("files", "list", "-p", "all", "-q").words)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_file_is_got_and_deleted_by_its_id_alone(sandbox: Sandbox, two: Path, provider: str) -> None:
    file, other = bifrost("files", "upload", two, two, "-p", provider).objects
    assert bifrost("files", "get", file["id"]).object == file
    assert bifrost("files", "delete", file["id"], other["id"], "-q").words == [file["id"], other["id"]]
    bifrost("files", "get", file["id"], code=4)


def test_an_id_that_fails_keeps_none_of_the_others_from_being_deleted(sandbox: Sandbox, two: Path) -> None:
    first, last = bifrost("files", "upload", two, two, "-q").words
    ran = bifrost("files", "delete", first, "file_none", "openai:file-none", last, "--json", code=4)
    assert [each["id"] for each in ran.objects] == [first, last]
    assert [line.partition(": ")[0] for line in ran.err.splitlines()[:-1]] == ["file_none", "openai:file-none"]
    assert ran.error["error"]["message"].startswith("2 of 4 not deleted: ")
    assert bifrost("files", "list", "-q").words == []


# -- download ----------------------------------------------------------------------------------------------------------


def test_a_download_has_the_files_own_name_here(stored: str) -> None:
    ran = bifrost("files", "download", stored)
    assert Path("input.jsonl").read_bytes() == CONTENT
    assert (ran.out, ran.err) == ("", "Wrote input.jsonl.\n")


def test_a_download_overwrites_nothing_unasked(stored: str) -> None:
    Path("input.jsonl").write_text("kept")
    ran = bifrost("files", "download", stored, code=2)
    assert ran.err == "error: input.jsonl exists. Give --force to overwrite it, or another -o.\n"
    assert Path("input.jsonl").read_text() == "kept"
    bifrost("files", "download", stored, "--force")
    assert Path("input.jsonl").read_bytes() == CONTENT


def test_a_download_goes_where_it_is_sent(stored: str, folder: Path) -> None:
    bifrost("files", "download", stored, "-o", "elsewhere.bin")
    assert Path("elsewhere.bin").read_bytes() == CONTENT
    shell('bifrost files download "$ID" -o - >piped.bin', ID=stored)
    assert Path("piped.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == ["elsewhere.bin", "piped.bin"]


class Lying(BaseHTTPRequestHandler):
    """Has one file, whose name is what `name` says."""

    name = ""

    def do_GET(self) -> None:
        about = {
            "id": "file-x",
            "object": "file",
            "bytes": 5,
            "created_at": 1,
            "purpose": "batch",
            "filename": self.name,
        }
        body = b"bytes" if self.path.endswith("/content") else json.dumps(about).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Nothing is to be seen of it."""


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Lying]]:
    """A server in OpenAI's place."""
    with HTTPServer(("127.0.0.1", 0), Lying) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
        yield Lying
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("../../up.txt", "up.txt"),
        ("/etc/absolute.txt", "absolute.txt"),
        ("..\\..\\windows.txt", "windows.txt"),
        ("red\x1b[31m\n.txt", "red[31m.txt"),
        ("..", None),
        ("-rf", None),
        (" ", None),
        ("", None),
        ("folder/", None),
    ],
)
def test_a_name_from_outside_stays_in_this_folder(
    lying: type[Lying], folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, here: str | None
) -> None:
    monkeypatch.setattr(lying, "name", name)
    bifrost("files", "download", "openai:file-x")
    assert [path.name for path in folder.parent.rglob("*.*") if path.is_file()] == ([here] if here else [])
    assert [path.read_bytes() for path in folder.iterdir()] == [b"bytes"]


def test_a_download_that_breaks_off_leaves_nothing(sandbox: Sandbox, stored: str, folder: Path) -> None:
    sandbox.fault("cut*@GET .*/content")
    ran = bifrost("files", "download", stored, code=7)
    assert "broke" in ran.err
    assert list(folder.iterdir()) == []


def test_what_cannot_be_downloaded_is_refused_by_the_provider(sandbox: Sandbox, two: Path, folder: Path) -> None:
    (id,) = bifrost("files", "upload", two, "-q").words
    ran = bifrost("files", "download", id, "-o", "out", code=5)
    assert "download" in ran.err
    assert [path.name for path in folder.iterdir()] == [two.name]


def test_a_file_larger_than_memory_blocks_comes_back_whole(sandbox: Sandbox) -> None:
    line = {"custom_id": "x" * 60, "padding": "y" * 1000}
    sent = written("large.jsonl", *[line] * 3000)
    (id,) = bifrost("files", "upload", sent, "-p", "openai", "-q").words
    ran = piped("files", "download", id, "-o", "back.jsonl")
    assert ran.code == 0
    assert Path("back.jsonl").read_bytes() == sent.read_bytes()
