"""The gateway's own readers: multipart forms, bodies walked request by request, addresses, settings."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.config import Config
from bifrost_cli.errors import InvalidRequestError, UsageError
from bifrost_cli.server import Settings, batches, multipart, spans
from bifrost_cli.server.origin import check_public_url, origin
from bifrost_cli.server.spans import JsonError, Walker

pytestmark = pytest.mark.anyio

# -- multipart ---------------------------------------------------------------------------------------------------


def form(*parts: bytes, boundary: bytes = b"xx") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


async def read(body: bytes, size: int = 7) -> tuple[multipart.Upload, bytes]:
    async def blocks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    sink = io.BytesIO()
    upload = await multipart.read("multipart/form-data; boundary=xx", blocks(), sink)
    return upload, sink.getvalue()


async def test_a_part_without_a_filename_is_a_file_all_the_same() -> None:
    content = bytes(range(256)) * 10
    head = b'Content-Disposition: form-data; name="file"\r\nContent-Type: application/octet-stream\r\n\r\n'
    upload, got = await read(form(head + content))
    assert got == content
    assert (upload.filename, upload.media_type) == ("unnamed.bin", "application/octet-stream")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ('filename="a b.txt"', "a b.txt"),
        ('filename="../../etc/passwd"', "passwd"),
        ("filename=\"x\"; filename*=utf-8''na%C3%AFve.txt", "naïve.txt"),
        ('filename="日本.txt"', "日本.txt"),
        ('filename=""', "unnamed.txt"),
    ],
)
async def test_the_filename_is_the_last_component(sent: str, name: str) -> None:
    head = f'Content-Disposition: form-data; name="file"; {sent}\r\nContent-Type: text/plain\r\n\r\n'
    upload, got = await read(
        form(b'Content-Disposition: form-data; name="expires_in_seconds"\r\n\r\n3600', head.encode())
    )
    assert (upload.filename, upload.media_type, got) == (name, "text/plain", b"")
    assert upload.fields == {"expires_in_seconds": "3600"}


@pytest.mark.parametrize(
    "body", [b"", b"--xx--\r\n", form(b"Content-Disposition: form-data; name=a\r\n\r\n1"), form(b"x")[:-4], b"hello"]
)
async def test_a_form_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        await read(body)


# -- bodies ------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.sampled_from(['"},{"custom_id', "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
REQUESTS = st.lists(st.fixed_dictionaries({"custom_id": st.text(), "params": VALUES}) | VALUES, max_size=6)


def walked(text: bytes) -> list[Any]:
    walker, found = Walker(io.BytesIO(text)), []
    for name in walker.members():
        found += walker.items() if name == "requests" else [walker.value()]
    return found


@given(requests=REQUESTS, indent=st.sampled_from([None, 0, 2]), block=st.sampled_from([1, 3, 64]))
def test_a_body_is_walked_as_it_is_parsed(requests: list[Any], indent: int | None, block: int) -> None:
    text = json.dumps({"before": 1, "requests": requests, "after": [True]}, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "BLOCK", block)
        assert walked(text) == [1, *requests, [True]]


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:1 \\requsts', max_size=40).map(str.encode))
def test_what_is_no_json_is_never_taken_for_it(text: bytes) -> None:
    try:
        expected: Any = json.loads(text)
    except ValueError:
        expected = None
    if not isinstance(expected, dict) or not isinstance(expected.get("requests", []), list):
        with pytest.raises(JsonError):
            walked(text)


def test_a_deep_request_and_one_longer_than_a_block_are_walked() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [{"a": deep}]
    requests = [{"custom_id": "a", "params": deep}, {"custom_id": "b", "params": {"text": "y" * 3_000_000}}]
    assert walked(json.dumps({"requests": requests}).encode()) == requests


BODIES = st.fixed_dictionaries({"requests": REQUESTS}) | st.fixed_dictionaries({"requests": VALUES, "more": VALUES})
CUT = st.integers(0, 40)
FRAMES = [b"%b", b" %b\n", b"[%b]", b"%b,", b'{"requests": [1], %b', b'{"requests": [{}], "m": %b}']


@given(
    BODIES,
    CUT,
    st.sampled_from([b"%b", b" %b\n", b"[%b]", b"%b,", b'{"requests": [1], %b', b'{"requests": [{}],"m": %b}']),
)
def test_a_small_body_is_read_as_a_large_one_is(body: Any, cut: int, frame: bytes) -> None:
    text = frame % json.dumps(body).encode()
    for sent in (text, text[: len(text) - cut]):
        assert lines_or_error(sent, len(sent)) == lines_or_error(sent, batches.AT_ONCE + 1)


def lines_or_error(text: bytes, size: int) -> Any:
    try:
        return list(batches.lines_of(io.BytesIO(text), size))
    except InvalidRequestError as error:
        return error.message


def test_two_lists_of_requests_are_one() -> None:
    text = b'{"requests":[{"custom_id":"a"}],"requests":[{"custom_id":"b"}]}'
    for size in (len(text), batches.AT_ONCE + 1):
        lines = [line["custom_id"] for _, line in batches.lines_of(io.BytesIO(text), size) if isinstance(line, dict)]
        assert lines == ["a", "b"]


# -- addresses and settings --------------------------------------------------------------------------------------


def test_an_address_that_a_caller_made_up_is_not_echoed() -> None:
    odd = {"host": "a b", "x-forwarded-host": "x/@y", "x-forwarded-proto": "javascript", "x-forwarded-prefix": "/../<"}
    assert origin(odd, "http") == "http://localhost"
    assert origin(odd, "http", "https://gw.example/p") == "https://gw.example/p"


@pytest.mark.parametrize("url", ["gw.example", "ftp://a", "https://", "https://a?b=c", "https://u:p@a"])
def test_a_public_url_must_be_one(url: str) -> None:
    with pytest.raises(UsageError):
        check_public_url(url)


def test_settings_come_from_flags_then_the_environment_then_the_file() -> None:
    tables = {"serve": {"port": 1, "host": "::1", "workers": 3}}
    config = Config(environ={"BIFROST_SERVE_PORT": "2"}, tables=tables, flags={"host": "localhost"})
    settings = Settings.load(config)
    assert (settings.host, settings.port, settings.workers, settings.drain) == ("localhost", 2, 3, 30)
    assert Settings.load(Config(environ=settings.environment())) == settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gw.example"])
def test_only_loopback_is_listened_at_unless_somebody_says_so(host: str) -> None:
    with pytest.raises(UsageError, match="can be reached from outside"):
        Settings.load(Config(environ={"BIFROST_SERVE_HOST": host}))
    assert Settings.load(Config(environ={"BIFROST_SERVE_HOST": host, "BIFROST_SERVE_INSECURE": "true"})).insecure
