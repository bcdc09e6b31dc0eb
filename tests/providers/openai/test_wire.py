"""The wire calls, against the sandbox's emulator over loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from bifrost_cli import sandbox
from bifrost_cli.bodies import Source
from bifrost_cli.config import Config
from bifrost_cli.errors import (
    AuthError,
    ConfigError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    UnsupportedError,
)
from bifrost_cli.models import Batch, BatchResult
from bifrost_cli.providers.base import Context, Part
from bifrost_cli.providers.openai import OpenAI
from bifrost_cli.transport import new_client

pytestmark = pytest.mark.anyio
MODEL = "gpt-5.4-mini"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sandbox.background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


@pytest.fixture
async def openai(url: str) -> AsyncIterator[OpenAI]:
    async with new_client(trust_env=False) as client:
        yield adapter(client, sandbox.environment(url))


def adapter(client: httpx.AsyncClient, environ: dict[str, str]) -> OpenAI:
    return OpenAI(Config(environ=environ).settings("openai", OpenAI.settings), client, Context())


def spooled(path: Path, openai: OpenAI, *questions: str) -> Part:
    """A part as the core makes it: encoded lines in a file."""
    lines = []
    for index, question in enumerate(questions):
        params = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": question}]}
        lines.append(openai.encode({"custom_id": f"id-{index}", "params": params}))
    path.write_bytes(b"\n".join(line.body for line in lines) + b"\n")
    return Part(MODEL, lines[0].kind.endpoint, uuid4().hex, len(lines), Source(path))


async def ended(openai: OpenAI, batch: Batch) -> Batch:
    for _ in range(100):
        batch = await openai.get_batch(batch.id)
        if batch.ended:
            return batch
        await asyncio.sleep(0.05)
    raise AssertionError(f"{batch.id} does not end: {batch.provider_status}")


async def results(openai: OpenAI, batch: Batch) -> dict[str, BatchResult]:
    return {result["custom_id"]: result async for result in openai.batch_results(batch)}


# -- configuration ----------------------------------------------------------------------------------------------


async def test_settings_become_headers() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj_1"}
    async with new_client() as client:
        headers = adapter(client, environ).http.headers
        assert headers == {"authorization": "Bearer sk-1", "openai-organization": "org-1", "openai-project": "proj_1"}
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            await adapter(client, {}).list_files(limit=1)
        with pytest.raises(ConfigError, match="BIFROST_OPENAI_ENDPOINT"):
            adapter(client, {**environ, "BIFROST_OPENAI_ENDPOINT": "completions"})


@pytest.mark.parametrize(
    ("base_url", "chosen", "expected"),
    [
        (None, None, "/v1/responses"),
        ("https://eu.api.openai.com/v1", None, "/v1/responses"),
        ("https://api.openai.com.evil.example/v1", None, "/v1/chat/completions"),
        ("http://localhost:4000/v1", None, "/v1/chat/completions"),
        ("http://localhost:4000/v1", "auto", "/v1/responses"),
        (None, "chat", "/v1/chat/completions"),
    ],
)
async def test_the_endpoint_follows_the_address(base_url: str | None, chosen: str | None, expected: str) -> None:
    given = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": base_url, "BIFROST_OPENAI_ENDPOINT": chosen}
    params = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
    async with new_client() as client:
        openai = adapter(client, {name: value for name, value in given.items() if value})
        assert openai.encode({"custom_id": "a", "params": params}).kind.endpoint == expected


async def test_a_bad_key(url: str) -> None:
    async with new_client(trust_env=False) as client:
        openai = adapter(client, {**sandbox.environment(url), "OPENAI_API_KEY": "sk-of-nobody-at-all"})
        with pytest.raises(AuthError) as caught:
            await openai.list_batches(limit=1)
    assert "sk-of-nobody-at-all" not in str(caught.value)


# -- files ------------------------------------------------------------------------------------------------------


async def test_a_file_from_upload_to_deletion(openai: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"some notes")
    file = await openai.upload_file(Source(path), filename="nötes 1.txt", media_type="text/plain", expires_in=7200)
    assert (file.filename, file.purpose, file.size_bytes, file.mime_type) == (
        "nötes 1.txt",
        "user_data",
        10,
        "text/plain",
    )
    assert file.expires_at is not None
    assert file.expires_at - file.created_at == timedelta(seconds=7200)
    assert (await openai.get_file(file.id)).id == file.id
    assert file.id in [each.id for each in (await openai.list_files(limit=100)).data]
    with pytest.raises(InvalidRequestError, match="user_data"):
        _ = [block async for block in openai.download_file(file.id)]
    await openai.delete_file(file.id)
    with pytest.raises(NotFoundError):
        await openai.get_file(file.id)


async def test_jsonl_is_batch_input_and_comes_back(openai: OpenAI, tmp_path: Path) -> None:
    part = spooled(tmp_path / "part", openai, "Hi")
    assert part.source is not None
    file = await openai.upload_file(part.source, filename="a.JSONL", media_type="application/jsonl")
    assert file.purpose == "batch"
    assert b"".join([block async for block in openai.download_file(file.id)]) == (tmp_path / "part").read_bytes()


async def test_pages_of_files_do_not_overlap(openai: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a")
    made = [(await openai.upload_file(Source(path), filename="a.txt", media_type="text/plain")).id for _ in range(3)]
    first = await openai.list_files(limit=2)
    second = await openai.list_files(limit=2, after=first.next)
    assert [file.id for file in (*first.data, *second.data)][:3] == made[::-1]


@pytest.mark.parametrize("expires_in", [0, 3599, 2_592_001])
async def test_a_life_that_openai_does_not_offer(openai: OpenAI, tmp_path: Path, expires_in: int) -> None:
    with pytest.raises(InvalidRequestError, match="1 hour to 30 days"):
        await openai.upload_file(Source(tmp_path / "x"), filename="x", media_type="text/plain", expires_in=expires_in)
    with pytest.raises(UnsupportedError, match="no purpose 'fun'"):
        await openai.upload_file(Source(tmp_path / "x"), filename="x", media_type="text/plain", purpose="fun")


# -- batches ----------------------------------------------------------------------------------------------------


async def test_a_batch_from_create_to_results(openai: OpenAI, tmp_path: Path) -> None:
    part = spooled(tmp_path / "part", openai, "Say hello.", "sandbox:error", "Say goodbye.")
    started = datetime.now(UTC)
    batch = await openai.create_batch(part)
    assert batch.raw["metadata"] == {"bifrost": part.tag}
    assert (await openai.get_file(batch.raw["input_file_id"])).filename == f"bifrost-{part.tag}.jsonl"
    batch = await ended(openai, batch)
    assert batch.provider_status == "completed"
    found = await results(openai, batch)
    assert {id: result["result"]["type"] for id, result in found.items()} == {
        "id-0": "succeeded",
        "id-1": "errored",
        "id-2": "succeeded",
    }
    assert batch.request_counts.model_dump() == {
        "processing": 0,
        "succeeded": 2,
        "errored": 1,
        "canceled": 0,
        "expired": 0,
    }
    message = found["id-0"]["result"]["message"]
    assert message["content"][0]["type"] == "text"
    assert message["content"][0]["text"]
    assert [id async for id in openai.batch_inputs(batch)] == ["id-0", "id-1", "id-2"]
    again = await openai.find_batch(part, started, ())
    assert again is not None
    assert again.id == batch.id
    assert await openai.find_batch(Part(MODEL, part.endpoint, "another"), started, (batch.id,)) is None


async def test_a_batch_from_a_file(openai: OpenAI, tmp_path: Path) -> None:
    part = spooled(tmp_path / "part", openai, "Say hello.")
    assert part.source is not None
    file = await openai.upload_file(part.source, filename="mine.jsonl", media_type="application/jsonl")
    batch = await openai.create_batch(Part("", "", "tag-1", file_id=file.id))
    assert batch.raw["endpoint"] == "/v1/responses"
    assert batch.raw["input_file_id"] == file.id
    assert (await ended(openai, batch)).request_counts.succeeded == 1


async def test_a_batch_that_is_refused_blames_its_line(openai: OpenAI, tmp_path: Path) -> None:
    part = spooled(tmp_path / "part", openai, "Hi", "Hi")
    lines = (tmp_path / "part").read_bytes().splitlines()
    wrong = {**orjson.loads(lines[1]), "url": "/v1/embeddings"}
    (tmp_path / "part").write_bytes(lines[0] + b"\n" + orjson.dumps(wrong) + b"\n")
    batch = await ended(openai, await openai.create_batch(part))
    assert (batch.provider_status, batch.processing_status) == ("failed", "ended")
    assert batch.errors is not None
    assert batch.errors[0].line == 2
    assert await results(openai, batch) == {}
    result = openai.missing_result(batch, "id-1", 2)["result"]
    assert result["error"]["error"]["type"] == "invalid_request_error"


async def test_pages_of_batches(openai: OpenAI, tmp_path: Path) -> None:
    made = [(await openai.create_batch(spooled(tmp_path / "part", openai, "Hi"))).id for _ in range(3)]
    first = await openai.list_batches(limit=2)
    second = await openai.list_batches(limit=2, after=first.next)
    assert [batch.id for batch in (*first.data, *second.data)][:3] == made[::-1]


async def test_cancel(tmp_path: Path) -> None:
    with sandbox.background(tmp_path / "slow", pace=1) as url:
        async with new_client(trust_env=False) as client:
            openai = adapter(client, sandbox.environment(url))
            batch = await openai.create_batch(spooled(tmp_path / "part", openai, "Hi", "Ho"))
            canceled = await openai.cancel_batch(batch.id)
            assert canceled.processing_status in ("canceling", "ended")
            assert canceled.cancel_initiated_at is not None
            with pytest.raises(NotFoundError):
                await openai.cancel_batch("batch_sbx_nothing")


async def test_a_create_whose_answer_is_lost_is_found_again(tmp_path: Path) -> None:
    with sandbox.background(tmp_path / "s", pace=0, faults="reset-after@openai POST /v1/batches") as url:
        async with new_client(trust_env=False) as client:
            openai = adapter(client, sandbox.environment(url))
            part, started = spooled(tmp_path / "part", openai, "Hi"), datetime.now(UTC)
            with pytest.raises(OutcomeUnknownError):
                await openai.create_batch(part)
            found = await openai.find_batch(part, started, ())
            assert found is not None
            assert found.raw["metadata"]["bifrost"] == part.tag


async def test_the_upload_before_a_create_is_repeated(tmp_path: Path) -> None:
    async def no_pause(seconds: float) -> None: ...

    with sandbox.background(tmp_path / "s", pace=0, faults="500*2@openai POST /v1/files") as url:
        async with new_client(trust_env=False) as client:
            openai = adapter(client, sandbox.environment(url))
            openai.http.sleep = no_pause
            assert await openai.create_batch(spooled(tmp_path / "part", openai, "Hi"))


async def test_a_server_without_metadata_settles_nothing(openai: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    batch: dict[str, Any] = {
        "id": "b-1",
        "status": "validating",
        "created_at": datetime.now(UTC).timestamp(),
        "metadata": None,
    }

    async def answer(*_: object, **__: object) -> dict[str, Any]:
        return {"data": [batch]}

    monkeypatch.setattr(openai.http, "json", answer)
    part, since = Part(MODEL, "/v1/chat/completions", "mine"), datetime.now(UTC) - timedelta(seconds=5)
    with pytest.raises(OutcomeUnknownError, match="b-1"):
        await openai.find_batch(part, since, ())
    assert await openai.find_batch(part, since, ("b-1",)) is None
    batch["created_at"] -= 3600
    assert await openai.find_batch(part, since, ()) is None


SAMPLES = Path(__file__).resolve().parents[3] / "samples"


@pytest.mark.parametrize("mode", ["auto", "chat"])
async def test_the_emulator_takes_every_sample(url: str, tmp_path: Path, mode: str) -> None:
    async with new_client(trust_env=False) as client:
        openai = adapter(client, {**sandbox.environment(url), "BIFROST_OPENAI_ENDPOINT": mode})
        rows = [orjson.loads(line) for line in (SAMPLES / "features.jsonl").read_bytes().splitlines()]
        lines = [openai.encode({**row, "params": {"model": "gpt-4.1", **row["params"]}}) for row in rows]
        path = tmp_path / "part"
        path.write_bytes(b"\n".join(line.body for line in lines) + b"\n")
        batch = await openai.create_batch(Part("gpt-4.1", lines[0].kind.endpoint, "t", len(lines), Source(path)))
        batch = await ended(openai, batch)
        found = await results(openai, batch)
        assert {id: result["result"]["type"] for id, result in found.items()} == {
            line.custom_id: "succeeded" for line in lines
        }


GOLDENS = Path(__file__).resolve().parents[2] / "golden" / "openai"


REQUESTS = [path for path in sorted(GOLDENS.glob("*.json")) if not path.stem.startswith("result-")]


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
async def test_the_emulator_takes_every_golden_line(openai: OpenAI, tmp_path: Path, path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    for name in ("file-doc.pdf", "file-abc.png"):
        (tmp_path / name).write_bytes(b"content")
        file = await openai.upload_file(Source(tmp_path / name), filename=name, media_type="application/octet-stream")
        case = orjson.loads(orjson.dumps(case).replace(name[:8].encode(), file.id.encode()))
    line = case["upstream"]
    (tmp_path / "part").write_bytes(orjson.dumps(line) + b"\n")
    part = Part(line["body"]["model"], line["url"], "t", 1, Source(tmp_path / "part"))
    batch = await ended(openai, await openai.create_batch(part))
    assert batch.errors is None
    found = await results(openai, batch)
    assert found["r-1"]["result"].get("error") is None


async def test_a_full_queue_is_told_from_other_refusals(tmp_path: Path) -> None:
    with sandbox.background(tmp_path / "s", pace=0, enqueued_tokens=1) as url:
        async with new_client(trust_env=False) as client:
            openai = adapter(client, sandbox.environment(url))
            batch = await ended(openai, await openai.create_batch(spooled(tmp_path / "part", openai, "Hi")))
            assert batch.provider_status == "failed"
            assert openai.quota_refused(batch)


async def test_an_answer_to_a_create_that_names_no_batch_is_no_outcome(
    openai: OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(*_: object, **__: object) -> dict[str, Any]:
        return {"object": "batch"}

    monkeypatch.setattr(openai.http, "json", answer)
    with pytest.raises(OutcomeUnknownError, match="unknown form"):
        await openai.create_batch(Part(MODEL, "/v1/responses", "t", file_id="file-1"))
