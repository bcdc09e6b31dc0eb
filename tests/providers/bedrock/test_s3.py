"""Files in S3, against a real server that checks every signature."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.errors import AuthError, ConfigError, ForbiddenError, NetworkError, NotFoundError, UnsupportedError
from bifrost_cli.models import File
from bifrost_cli.providers.bedrock import Bedrock
from bifrost_cli.providers.bedrock.s3 import PART, Place, Store
from tests.loopback import Scripted, closed_port, scripted, then_closed
from tests.providers.bedrock.conftest import S3, adapter

pytestmark = pytest.mark.anyio
MakeSource = Callable[[bytes], Source]
Environ = dict[str, str]


async def upload(bedrock: Bedrock, source: Source, name: str = "a.txt") -> File:
    return await bedrock.upload_file(source, filename=name, media_type="text/plain")


@pytest.mark.parametrize(
    "name", ["a.txt", "naïve ☃ name.jsonl", "a/b\\c.txt", "%41.txt", '"quoted".txt', ".hidden", "-"]
)
async def test_a_file_comes_back_as_it_went(environ: Environ, make_source: MakeSource, name: str) -> None:
    async with adapter(environ) as bedrock:
        made = await upload(bedrock, make_source(b"content"), name)
        assert (made.filename, made.mime_type, made.size_bytes, made.downloadable) == (name, "text/plain", 7, True)
        assert await bedrock.get_file(made.id) == made
        assert b"".join([block async for block in bedrock.download_file(made.id)]) == b"content"
        await bedrock.delete_file(made.id)
        for gone in (bedrock.get_file, bedrock.delete_file):
            with pytest.raises(NotFoundError):
                await gone(made.id)
        with pytest.raises(NotFoundError):
            [block async for block in bedrock.download_file(made.id)]


async def test_a_large_file_goes_in_parts(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    content = os.urandom(2 * PART + 12345)
    told: list[int] = []
    async with adapter(environ) as bedrock:
        made = await upload(bedrock, make_source(content)._replace(on_read=told.append), "big.bin")
        assert made.size_bytes == len(content)
        assert b"".join([block async for block in bedrock.download_file(made.id)]) == content
    assert sum(told) == len(content)
    assert len(told) > 2


async def test_an_empty_file(environ: Environ, make_source: MakeSource) -> None:
    async with adapter(environ) as bedrock:
        made = await upload(bedrock, make_source(b""))
        assert made.size_bytes == 0
        assert [block async for block in bedrock.download_file(made.id)] == []


async def test_lists_are_newest_first_and_paged(environ: Environ, make_source: MakeSource) -> None:
    async with adapter(environ) as bedrock:
        assert (await bedrock.list_files(limit=10)).data == []
        made = []
        for index in range(5):
            made.append(await upload(bedrock, make_source(b"x" * index), f"{index}.txt"))
            await asyncio.sleep(0.002)
        pages = [await bedrock.list_files(limit=2)]
        while pages[-1].next:
            pages.append(await bedrock.list_files(limit=2, after=pages[-1].next))
        assert [len(page.data) for page in pages] == [2, 2, 1]
        assert [file for page in pages for file in page.data] == made[::-1]


async def test_objects_that_others_put_there(environ: Environ, s3: S3) -> None:
    s3.put("bifrost/files/theirs.pdf", b"%PDF-")
    async with adapter(environ) as bedrock:
        (file,) = (await bedrock.list_files(limit=10)).data
        assert (file.filename, file.size_bytes) == ("theirs.pdf", 5)


async def test_the_prefix_is_where_it_all_is(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    for prefix, folder in (("a/b", "a/b/files"), ("/c/", "c/files"), ("", "files")):
        async with adapter(environ, prefix=prefix) as bedrock:
            made = await upload(bedrock, make_source(b"x"))
            assert len([key for key in s3.found() if key.startswith(f"{folder}/")]) == 1
            assert [file.id for file in (await bedrock.list_files(limit=10)).data] == [made.id]


@pytest.mark.parametrize("given", [{"purpose": "batch"}, {"expires_in": 3600}])
async def test_what_files_here_have_not(environ: Environ, make_source: MakeSource, given: dict[str, Any]) -> None:
    async with adapter(environ) as bedrock:
        with pytest.raises(UnsupportedError):
            await bedrock.upload_file(make_source(b"x"), filename="a", media_type="text/plain", **given)


async def test_lines_end_with_lf_alone(environ: Environ, s3: S3) -> None:
    long = b"x" * (3 * 1024 * 1024)
    lines = ["a\u2028b\u0085c".encode(), b"", b"d\r", b"  ", long, b"last"]
    s3.put("lines", b"\n".join(lines))
    async with adapter(environ) as bedrock:
        found = [line async for line in bedrock.store.lines(Place(s3.bucket, "lines"))]
    assert found == [lines[0], b"d\r", long, b"last"]


async def test_walks_are_of_any_length(environ: Environ, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bifrost_cli.providers.bedrock.s3.PAGE", 3)
    for index in range(10):
        s3.put(f"walk/{index}.x", b"")
    async with adapter(environ) as bedrock:
        keys = [entry.key async for entry in bedrock.store.walk(Place(s3.bucket, "walk/"))]
        assert keys == [f"walk/{index}.x" for index in range(10)]
        assert [entry.key async for entry in bedrock.store.walk(Place(s3.bucket, "nothing/"))] == []


@asynccontextmanager
async def speaking(environ: Environ, *answers: Any) -> AsyncIterator[tuple[Bedrock, Scripted]]:
    """The adapter, and an S3 that says just this."""
    async with scripted(*answers) as upstream, adapter({**environ, "AWS_ENDPOINT_URL_S3": upstream.url}) as bedrock:
        yield bedrock, upstream


# -- what goes wrong --------------------------------------------------------------------------------------------


async def test_a_wrong_secret_is_refused(environ: Environ, make_source: MakeSource) -> None:
    async with adapter({**environ, "AWS_SECRET_ACCESS_KEY": "wrong"}) as bedrock:
        with pytest.raises((AuthError, ForbiddenError)) as refusal:
            await upload(bedrock, make_source(b"x"))
    assert "wrong" not in str(refusal.value).split("(code")[0]


async def test_a_bucket_that_is_not_there(environ: Environ, make_source: MakeSource) -> None:
    async with adapter({**environ, "BIFROST_BEDROCK_BUCKET": "no-such-bucket"}) as bedrock:
        with pytest.raises(ConfigError, match="BIFROST_BEDROCK_BUCKET"):
            await upload(bedrock, make_source(b"x"))


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("BIFROST_BEDROCK_BUCKET", "", "set BIFROST_BEDROCK_BUCKET"),
        ("BIFROST_BEDROCK_BUCKET", "No_Bucket", "BIFROST_BEDROCK_BUCKET: 'No_Bucket'"),
        ("BIFROST_BEDROCK_PREFIX", "a b", "'a b' cannot be the prefix"),
        ("AWS_SECRET_ACCESS_KEY", "", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_REGION", "", "set AWS_REGION"),
        ("AWS_REGION", "evil.example/", "not an AWS region"),
    ],
)
async def test_settings_that_are_needed(
    environ: Environ, make_source: MakeSource, name: str, value: str, match: str
) -> None:
    async with adapter({**environ, name: value}) as bedrock:
        with pytest.raises(ConfigError, match=match):
            await upload(bedrock, make_source(b"x"))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore without its pauses."""
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda seconds: None, raising=False)


@pytest.mark.usefixtures("hasty")
async def test_nobody_answers(environ: Environ) -> None:
    async with adapter({**environ, "AWS_ENDPOINT_URL_S3": closed_port()}) as bedrock:
        with pytest.raises(NetworkError, match="The connection to S3 failed") as failure:
            await bedrock.list_files(limit=1)
    assert "127.0.0.1" in str(failure.value.hint)


@pytest.mark.usefixtures("hasty")
async def test_a_download_that_breaks_midway(environ: Environ) -> None:
    head = b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: "x"\r\n\r\n'
    async with speaking(environ, then_closed(head + b"some")) as (bedrock, _):
        with pytest.raises(NetworkError):
            [block async for block in bedrock.store.blocks(Place("a-bucket", "a"))]


@pytest.mark.parametrize("breaks", [1, 4])
async def test_a_small_object_is_read_again_when_it_breaks_midway(environ: Environ, breaks: int) -> None:
    head = b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\netag: "x"\r\n\r\n'
    naps = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    async with speaking(environ, *[then_closed(head + b"some")] * breaks, head + b"0123456789") as (bedrock, upstream):
        bedrock.store.sleep = nap
        assert await bedrock.store.get(Place("a-bucket", "a")) == b"0123456789"
    assert (len(upstream.received), len(naps)) == (breaks + 1, breaks)


@pytest.mark.usefixtures("hasty")
async def test_a_call_that_fails_is_not_repeated_twice_over(environ: Environ) -> None:
    async with speaking(environ, None) as (bedrock, upstream):
        with pytest.raises(NetworkError):
            await bedrock.store.get(Place("a-bucket", "a"))
        assert len(upstream.received) == bedrock.store.attempts


async def test_an_upload_that_is_left_stops(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    started = asyncio.Event()
    source = make_source(os.urandom(6 * PART))._replace(on_read=lambda length: started.set())
    async with adapter(environ) as bedrock:
        task = asyncio.create_task(upload(bedrock, source))
        await asyncio.wait_for(started.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await bedrock.list_files(limit=10)).data == []


async def test_claims_are_of_one(environ: Environ) -> None:
    """The server of these tests knows no conditions; what AWS answers to them is `412 Precondition Failed`."""
    body = b"<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>"
    said = b"HTTP/1.1 412 Precondition Failed\r\ncontent-type: application/xml\r\ncontent-length: %d\r\n\r\n" % len(
        body
    )
    async with speaking(environ, said + body) as (bedrock, upstream):
        assert not await bedrock.store.claim(Place("a-bucket", "a"), b"x", None)
        assert not await bedrock.store.claim(Place("a-bucket", "a"), b"x", '"etag"')
    assert [request.headers.get("if-none-match") for request in upstream.received] == ["*", None]
    assert [request.headers.get("if-match") for request in upstream.received] == [None, '"etag"']


def test_proxies_do_not_stand_before_loopback(environ: Environ) -> None:
    from bifrost_cli.providers.bedrock.aws import Credentials

    credentials = Credentials({"access_key_id": "a", "secret_access_key": "b"})
    local = Store(credentials, "us-east-1", "http://127.0.0.1:1")
    assert local.client._client_config.proxies == {}
    remote = Store(credentials, "us-east-1", "https://s3.example", ca_bundle="/tmp/ca.pem")
    assert remote.client._client_config.proxies is None
