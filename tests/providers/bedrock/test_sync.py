"""Small batches: refused with the numbers, or run here; killed and run again, by two at once, canceled, refused."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.errors import AuthError, ConflictError, ForbiddenError, NotFoundError, UnsupportedError
from bifrost_cli.models import Batch
from bifrost_cli.providers.base import Part
from bifrost_cli.providers.bedrock import Bedrock, lease, translate
from tests.loopback import Received, Scripted, answer, scripted
from tests.providers.bedrock.conftest import S3, adapter

pytestmark = pytest.mark.anyio
MakeSource = Callable[[bytes], Source]
Environ = dict[str, str]
ROOT = Path(__file__).resolve().parents[3]
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-lite-v1:0"


@dataclass
class Models:
    """The runtime: answers by what is asked. `says` holds what other than a greeting is answered to a text, in turn."""

    says: dict[str, list[bytes | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    server: Scripted | None = None

    async def talk(self, writer: asyncio.StreamWriter) -> None:
        assert self.server is not None
        request = self.mine(writer)
        text = asked_text(request)
        self.asked.append(text)
        self.heard.set()
        self.paths.add(unquote(request.target))
        if self.gate:
            await self.gate.wait()
        said = self.says.get(text, [])
        reply = said.pop(0) if said else greeting(text, request.target)
        if reply is None:
            writer.transport.abort()
        else:
            writer.write(reply)
            await writer.drain()

    async def until(self, count: int) -> None:
        """Wait for so many requests."""
        while len(self.asked) < count:
            self.heard.clear()
            await asyncio.wait_for(self.heard.wait(), 20)

    def mine(self, writer: asyncio.StreamWriter) -> Received:
        """The newest request; it is noted in the same step of the loop that answers it."""
        assert self.server is not None
        return self.server.received[-1]


def asked_text(request: Received) -> str:
    content = orjson.loads(request.body)["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def greeting(text: str, target: str) -> bytes:
    if target.endswith("/invoke"):
        usage = {"input_tokens": 5, "output_tokens": 2, "service_tier": "standard"}
        content = [{"type": "text", "text": f"Hello {text}"}]
        body: dict[str, Any] = {"id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude"}
        body |= {"content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    else:
        message = {"role": "assistant", "content": [{"text": f"Hello {text}"}]}
        usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
        body = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
    return answer(body=orjson.dumps(body))


def failure(status: int, code: str, message: str = "no") -> bytes:
    return answer(status, orjson.dumps({"message": message}), x_amzn_errortype=f"{code}:http://internal.amazon.com/")


@asynccontextmanager
async def running(environ: Environ, models: Models, **more: str) -> AsyncIterator[Bedrock]:
    async with scripted(models.talk) as server:
        models.server = server
        environ = {**environ, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url, "BIFROST_BEDROCK_SMALL_BATCH": "sync"}
        async with adapter(environ, **more) as bedrock:
            bedrock.small.sleep = no_pause
            yield bedrock
        if models.gate:
            models.gate.set()
        await asyncio.sleep(0.02)  # For the server to see that the client has left.


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def part(bedrock: Bedrock, source: MakeSource, count: int = 6, model: str = CLAUDE, tag: str = "0123-0") -> Part:
    params = [
        {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": f"n{n}"}]} for n in range(count)
    ]
    lines = [bedrock.encode({"custom_id": f"r{n}", "params": params[n]}) for n in range(count)]
    return Part(model, lines[0].kind.endpoint, tag, count, source(b"".join(line.body + b"\n" for line in lines)))


async def results(bedrock: Bedrock, batch: Batch) -> dict[str, Any]:
    return {result["custom_id"]: result["result"] async for result in bedrock.batch_results(batch)}


def counts(batch: Batch) -> tuple[int, ...]:
    given = batch.request_counts
    return given.processing, given.succeeded, given.errored, given.canceled, given.expired


# -- below the minimum ------------------------------------------------------------------------------------------


async def test_refused_with_the_numbers_before_any_upload(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    async with adapter(environ) as bedrock:
        for attempt in (lambda: bedrock.check_part(99, NOVA), lambda: bedrock.check_part(1, NOVA)):
            with pytest.raises(UnsupportedError) as refusal:
                attempt()
        assert refusal.value.message.startswith(f"1 request of {NOVA}: a job at Bedrock takes at least 100")
        assert "BIFROST_BEDROCK_SMALL_BATCH=sync" in str(refusal.value.hint)
        assert "full price" in str(refusal.value.hint)
        with pytest.raises(UnsupportedError, match="6 requests"):
            await bedrock.create_batch(part(bedrock, make_source))
        bedrock.check_part(100, NOVA)
    assert s3.found() == []


async def test_the_minimum_is_a_setting(environ: Environ) -> None:
    async with adapter(environ, min_records="10") as bedrock:
        bedrock.check_part(10, NOVA)
        with pytest.raises(UnsupportedError, match=r"9 requests of .*: a job at Bedrock takes at least 10 "):
            bedrock.check_part(9, NOVA)
    async with adapter(environ, small_batch="sync") as bedrock:
        bedrock.check_part(1, NOVA)


# -- the whole way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "operation"), [(CLAUDE, "invoke"), (NOVA, "converse")])
async def test_the_whole_way(environ: Environ, make_source: MakeSource, s3: S3, model: str, operation: str) -> None:
    models = Models()
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, model=model))
        assert batch.id.startswith("us-east-1.sync-")
        assert bedrock.runs_here(batch.id)
        assert (batch.processing_status, batch.provider_status, counts(batch)) == (
            "in_progress",
            "InProgress",
            (6, 0, 0, 0, 0),
        )
        assert models.asked == []

        await bedrock.run_batch(batch.id)
        assert sorted(models.asked) == [f"n{n}" for n in range(6)]
        assert models.paths == {f"/model/{model}/{operation}"}

        ended = await bedrock.get_batch(batch.id)
        assert (ended.provider_status, counts(ended), ended.created_at) == (
            "Completed",
            (0, 6, 0, 0, 0),
            batch.created_at,
        )
        assert ended.ended_at is not None
        found = await results(bedrock, ended)
        assert [result["message"]["content"][0]["text"] for result in found.values()] == [
            f"Hello n{n}" for n in range(6)
        ]
        assert {result["message"]["usage"]["service_tier"] for result in found.values()} == {"standard"}
        assert [id async for id in bedrock.batch_inputs(ended)] == [f"r{n}" for n in range(6)]

        await bedrock.run_batch(batch.id)
        assert len(models.asked) == 6


async def test_the_layout_is_a_jobs_own(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    async with running(environ, Models()) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 2))
        await bedrock.run_batch(batch.id)
    job = batch.id.partition(".")[2]
    folder = "bifrost/batches/bifrost-0123-0"
    output = f"{folder}/{job}/bifrost-2-requests.jsonl.out"
    manifest = f"{folder}/{job}/manifest.json.out"
    assert s3.found() == [f"{folder}/bifrost-2-requests.jsonl", output, manifest, f"bifrost/sync/{job}.json"]
    assert orjson.loads(s3.get(manifest)) == {
        "totalRecordCount": 2,
        "processedRecordCount": 2,
        "successRecordCount": 2,
        "errorRecordCount": 0,
        "inputTokenCount": 10,
        "outputTokenCount": 4,
    }
    first = orjson.loads(s3.get(output).split(b"\n")[0])
    assert list(first) == ["recordId", "modelInput", "modelOutput"]


# -- killed, and run again --------------------------------------------------------------------------------------


async def nothing(place: Any) -> None:
    """What a process that is killed does about its lease."""


@pytest.mark.parametrize("hard", [False, True])
async def test_killed_and_run_again(environ: Environ, make_source: MakeSource, hard: bool) -> None:
    models = Models(says={"n0": [failure(400, "ValidationException")]})
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 6))
        # The first ones are answered, then the machine goes.
        bedrock.small.ask, ask = first(3, bedrock.small.ask), bedrock.small.ask
        with pytest.raises(ForbiddenError):
            await bedrock.run_batch(batch.id)
        bedrock.small.ask = ask
        midway = await bedrock.get_batch(batch.id)
        assert counts(midway) == (3, 2, 1, 0, 0)
        assert not midway.ended
        asked = set(models.asked)
        await stopped_midway(bedrock, models, batch.id, hard=hard)
    models.asked.clear()
    async with running(environ, models) as another:
        await another.run_batch(batch.id)
        assert set(models.asked).isdisjoint(asked)
        assert sorted(models.asked) == ["n3", "n4", "n5"]
        ended = await another.get_batch(batch.id)
        assert counts(ended) == (0, 5, 1, 0, 0)
        assert list(await results(another, ended)) == [f"r{n}" for n in range(6)]


async def stopped_midway(bedrock: Bedrock, models: Models, id: str, *, hard: bool) -> None:
    """Run until the runtime falls silent, and stop there; a `hard` stop leaves the lease as it is."""
    models.gate = asyncio.Event()
    before = len(models.asked)
    task = asyncio.create_task(bedrock.run_batch(id))
    await models.until(before + 3)
    if hard:
        bedrock.store.delete = nothing  # type: ignore[method-assign,assignment]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    models.gate.set()
    models.gate = None


RUN = """
import asyncio, sys
from tests.providers.bedrock.conftest import adapter
import os
async def main():
    async with adapter(dict(os.environ)) as bedrock:
        await bedrock.run_batch(sys.argv[1])
asyncio.run(main())
"""


async def test_a_process_that_is_killed(environ: Environ, make_source: MakeSource) -> None:
    models = Models(gate=asyncio.Event())
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 6))
        assert models.server is not None
        variables = {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": models.server.url,
            "PYTHONPATH": ".",
            "PATH": os.environ["PATH"],
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, batch.id, env={**environ, **variables}, cwd=ROOT
        )
        await models.until(4)
        process.kill()
        await process.wait()
        assert models.gate is not None
        models.gate.set()
        models.asked.clear()
        await asyncio.wait_for(bedrock.run_batch(batch.id), 20)
        # Nothing had been answered when it was killed, so all is asked; and at once, as its lease is known for dead.
        assert sorted(models.asked) == [f"n{n}" for n in range(6)]
        assert (await bedrock.get_batch(batch.id)).provider_status == "Completed"


def first(count: int, ask: Any) -> Any:
    """`ask` for so many requests; then access is denied."""
    left = [count]

    async def limited(*given: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise ForbiddenError("no access any more")
        return await ask(*given)

    return limited


async def test_two_at_once_ask_each_request_once(environ: Environ, make_source: MakeSource) -> None:
    models = Models()
    async with (
        running(environ, models) as bedrock,
        adapter(
            {**environ, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": str(models.server and models.server.url)},
            small_batch="sync",
        ) as other,
    ):
        other.small.sleep = no_pause
        batch = await bedrock.create_batch(part(bedrock, make_source, 8))
        await asyncio.gather(bedrock.run_batch(batch.id), other.run_batch(batch.id))
        assert sorted(models.asked) == [f"n{n}" for n in range(8)]
        assert (await other.get_batch(batch.id)).provider_status == "Completed"


async def test_another_machine_is_waited_for(environ: Environ, make_source: MakeSource, s3: S3) -> None:
    models = Models()
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 2))
        place = translate.output_place(batch.raw) / "lease"
        s3.put(place.key, orjson.dumps({"token": "theirs", "host": "elsewhere", "pid": 1}))
        naps = []

        async def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                await bedrock.store.delete(place)

        bedrock.small.sleep = nap
        await bedrock.run_batch(batch.id)
        assert len(naps) == 3
        assert len(models.asked) == 2


async def test_a_silent_machine_has_lost_it(
    environ: Environ, make_source: MakeSource, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LIFE_SECONDS", -5.0)
    models = Models()
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 2))
        place = translate.output_place(batch.raw) / "lease"
        s3.put(place.key, orjson.dumps({"token": "theirs", "host": "elsewhere", "pid": 1}))
        await bedrock.run_batch(batch.id)
        assert (await bedrock.get_batch(batch.id)).ended


async def test_who_has_lost_the_lease_stops(
    environ: Environ, make_source: MakeSource, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    models = Models(gate=asyncio.Event())
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 2))
        task = asyncio.create_task(bedrock.run_batch(batch.id))
        await models.until(1)
        place = translate.output_place(batch.raw) / "lease"
        while not task.done():
            s3.put(place.key, b'{"token":"theirs"}')
            await asyncio.sleep(0.02)
        with pytest.raises(ConflictError, match="taken over"):
            await task


# -- canceled ---------------------------------------------------------------------------------------------------


async def test_canceled_with_nobody_running_it(environ: Environ, make_source: MakeSource) -> None:
    models = Models()
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source))
        canceled = await bedrock.cancel_batch(batch.id)
        assert (canceled.provider_status, counts(canceled)) == ("Stopped", (0, 0, 0, 6, 0))
        assert canceled.cancel_initiated_at is not None
        assert await results(bedrock, canceled) == {}
        assert bedrock.missing_result(canceled, "r0", 1)["result"] == {"type": "canceled"}
        await bedrock.run_batch(batch.id)
        with pytest.raises(ConflictError, match="has ended"):
            await bedrock.cancel_batch(batch.id)
    assert models.asked == []


async def test_canceled_while_it_runs(environ: Environ, make_source: MakeSource) -> None:
    models = Models(gate=asyncio.Event())
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 20))
        task = asyncio.create_task(bedrock.run_batch(batch.id))
        await models.until(4)
        canceled = await bedrock.cancel_batch(batch.id)
        assert (canceled.processing_status, canceled.provider_status) == ("canceling", "Stopping")
        assert models.gate is not None
        models.gate.set()
        await task
        ended = await bedrock.get_batch(batch.id)
        assert (ended.provider_status, counts(ended)) == ("Stopped", (0, 4, 0, 16, 0))
        assert len(await results(bedrock, ended)) == 4


# -- what goes wrong --------------------------------------------------------------------------------------------


async def test_failures_of_requests(environ: Environ, make_source: MakeSource) -> None:
    overloaded = failure(503, "ServiceUnavailableException", "busy")
    models = Models(
        says={
            "n0": [failure(400, "ValidationException", "max_tokens: too large")],
            "n1": [overloaded, overloaded],
            "n2": [overloaded] * 9,
            "n3": [None],
            "n4": [failure(424, "ModelErrorException", "it broke")],
            "n5": [answer(body=b"not json")],
        }
    )
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 7))
        await bedrock.run_batch(batch.id)
        ended = await bedrock.get_batch(batch.id)
        found = await results(bedrock, ended)
    assert counts(ended) == (0, 2, 5, 0, 0)
    errors = {id: result["error"]["error"] for id, result in found.items() if result["type"] == "errored"}
    assert {id: error["type"] for id, error in errors.items()} == {
        "r0": "invalid_request_error",
        "r2": "overloaded_error",
        "r3": "api_error",
        "r4": "api_error",
        "r5": "api_error",
    }
    assert "max_tokens: too large" in errors["r0"]["message"]
    assert "may have been billed" in errors["r3"]["message"]
    # A lost answer may have been billed: it is not asked for again. An answer of 503 was not.
    assert [models.asked.count(f"n{n}") for n in range(7)] == [1, 3, 3, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "ExpiredTokenException", AuthError), (403, "AccessDeniedException", ForbiddenError)],
)
async def test_failures_of_all_requests_end_the_run_only(
    environ: Environ, make_source: MakeSource, status: int, code: str, kind: type[Exception]
) -> None:
    models = Models(says={f"n{n}": [failure(status, code)] for n in range(4)})
    async with running(environ, models) as bedrock:
        batch = await bedrock.create_batch(part(bedrock, make_source, 6))
        with pytest.raises(kind):
            await bedrock.run_batch(batch.id)
        midway = await bedrock.get_batch(batch.id)
        assert (midway.ended, midway.request_counts.errored) == (False, 0)
        await bedrock.run_batch(batch.id)
        assert counts(await bedrock.get_batch(batch.id)) == (0, 6, 0, 0, 0)


async def test_batches_that_are_not_there(environ: Environ) -> None:
    async with running(environ, Models()) as bedrock:
        for call in (bedrock.get_batch, bedrock.cancel_batch, bedrock.run_batch):
            with pytest.raises(NotFoundError, match="BIFROST_BEDROCK_BUCKET"):
                await call("us-east-1.sync-0123456789a-01234567")


# -- found again ------------------------------------------------------------------------------------------------


def summary(job: str, at: datetime) -> dict[str, Any]:
    return {
        "jobArn": f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{job}",
        "jobName": job,
        "status": "Completed",
        "submitTime": at.isoformat(),
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/a.jsonl"}},
    }


async def test_lists_hold_jobs_and_small_batches(environ: Environ, make_source: MakeSource) -> None:
    now = datetime.now(UTC)
    old = [summary(f"old{n}", now - timedelta(days=1, minutes=n)) for n in range(3)]
    new = [summary(f"new{n}", now + timedelta(days=1, minutes=-n)) for n in range(3)]

    def pages(request: Received) -> bytes:
        limit = int(request.target.partition("maxResults=")[2].partition("&")[0])
        start = int(request.target.partition("nextToken=")[2].partition("&")[0] or 0)
        jobs = [*new, *old]
        token = {"nextToken": str(start + limit)} if start + limit < len(jobs) else {}
        return answer(body=orjson.dumps({"invocationJobSummaries": jobs[start : start + limit], **token}))

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(pages(control.received[-1]))
        await writer.drain()

    async with (
        scripted(talk) as control,
        running({**environ, "AWS_ENDPOINT_URL_BEDROCK": control.url}, Models()) as bedrock,
    ):
        assert bedrock.config["control_url"] == control.url
        small = [(await bedrock.create_batch(part(bedrock, make_source, 2, tag=f"t-{n}"))).id for n in range(3)]
        expected = [*(f"us-east-1.new{n}" for n in range(3)), *small[::-1], *(f"us-east-1.old{n}" for n in range(3))]
        for limit in (1, 2, 3, 4, 5, 9, 100):
            found, after = [], None
            while True:
                page = await bedrock.list_batches(limit=limit, after=after)
                assert len(page.data) <= limit
                found += [batch.id for batch in page.data]
                after = page.next
                if after is None:
                    break
            assert found == expected


async def test_an_intent_is_found_by_its_tag(environ: Environ, make_source: MakeSource) -> None:
    async with running(environ, Models()) as bedrock:
        begun = datetime.now(UTC) - timedelta(seconds=1)
        wanted, other = (part(bedrock, make_source, 2, tag=tag) for tag in ("a-0", "a-1"))
        assert await bedrock.find_batch(wanted, begun, ()) is None
        made = await bedrock.create_batch(wanted)
        found = await bedrock.find_batch(wanted, begun, ())
        assert found is not None
        assert found.id == made.id
        assert await bedrock.find_batch(other, begun, ()) is None
        assert await bedrock.find_batch(wanted, datetime.now(UTC) + timedelta(minutes=1), ()) is None
