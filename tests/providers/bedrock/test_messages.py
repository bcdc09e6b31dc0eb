"""Messages through the runtime: what is sent, what is answered, and what becomes of answers that break off."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import orjson
import pytest
from anthropic.types import Message

from bifrost_cli import sandbox
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    InvalidRequestError,
    NetworkError,
    OverloadedError,
    RateLimitError,
    UnsupportedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import Bedrock
from tests.loopback import Scripted, Talk, answer, chunked, scripted, then_closed
from tests.providers.bedrock import streams
from tests.providers.bedrock.conftest import KEY, SECRET, adapter

pytestmark = pytest.mark.anyio
NOVA = "us.amazon.nova-2-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ENVIRON = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
BEARER = {"AWS_REGION": "us-east-1", "AWS_BEARER_TOKEN_BEDROCK": "token-1"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}
Events = list[dict[str, Any]]


def asking(text: str = "Hi", model: str = NOVA, **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def says(body: Any, status: int = 200, **headers: str) -> bytes:
    return answer(status, orjson.dumps(body), **headers)


def fails(status: int, code: str, message: str) -> bytes:
    kind = f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return says({"message": message}, status, x_amzn_errortype=kind, x_amzn_requestid="1-2-3")


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def talking(
    *answers: bytes | Talk | None, environ: dict[str, str] = ENVIRON, context: Context = Context(), **more: str
) -> AsyncIterator[tuple[Bedrock, Scripted]]:
    async with scripted(*answers) as runtime:
        async with adapter({**environ, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": runtime.url}, context, **more) as bedrock:
            bedrock.runtime.sleep = no_pause
            yield bedrock, runtime
        await asyncio.sleep(0.01)


def streaming(bedrock: Bedrock, params: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
    return cast("AsyncGenerator[dict[str, Any]]", bedrock.stream_message(params))


async def told(bedrock: Bedrock, params: dict[str, Any], events: Events | None = None) -> Events:
    """The events; also those before a failure, where a list is given for them."""
    events = [] if events is None else events
    async for event in bedrock.stream_message(params):
        events.append(event)
    return events


# -- what is sent -----------------------------------------------------------------------------------------------

USAGE = {"inputTokens": 9, "outputTokens": 5, "totalTokens": 14, "cacheReadInputTokens": 3}
CONVERSED = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hmm.", "signature": "c2ln"}}},
                {"text": "A moment."},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "f", "input": {"x": 1}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": USAGE,
}
CONVERSE_STREAM = [
    streams.event("messageStart", {"role": "assistant"}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "m."}}}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}),
    streams.event("contentBlockStop", {"contentBlockIndex": 0}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "A mo"}}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "ment."}}),
    streams.event("contentBlockStop", {"contentBlockIndex": 1}),
    streams.event(
        "contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "f"}}}
    ),
    streams.event("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"x":'}}}),
    streams.event("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "1}"}}}),
    streams.event("contentBlockStop", {"contentBlockIndex": 2}),
    streams.event("messageStop", {"stopReason": "tool_use"}),
    streams.event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 3}}),
]
USED = {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 5}
INVOKED = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USED,
}
INVOKE_EVENTS: Events = [
    {
        "type": "message_start",
        "message": {**INVOKED, "content": [], "stop_reason": None, "usage": {**USED, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 5}},
]
INVOKE_STREAM = [streams.chunk(event) for event in INVOKE_EVENTS]
WAYS = [(NOVA, CONVERSED, CONVERSE_STREAM), (CLAUDE, INVOKED, INVOKE_STREAM)]


@pytest.mark.parametrize(("model", "whole", "stream"), WAYS)
async def test_a_streamed_answer_is_the_same_message(model: str, whole: Any, stream: list[bytes]) -> None:
    async with talking(says(whole), chunked(*stream)) as (bedrock, runtime):
        message = await bedrock.create_message(asking(model=model))
        events = await told(bedrock, asking(model=model))
    streams.check_order(events)
    same = streams.folded(events)
    if model == NOVA:
        assert message.pop("id") != same.pop("id"), "Converse's answers have no ids, so each gets its own"
    assert message == same
    assert message["usage"]["service_tier"] == "standard"
    assert (message["usage"]["cache_read_input_tokens"], message["usage"]["output_tokens"]) == (3, 5)
    name = model.replace(":", "%3A")
    ways = ["converse", "converse-stream"] if model == NOVA else ["invoke", "invoke-with-response-stream"]
    assert [request.target for request in runtime.received] == [f"/model/{name}/{way}" for way in ways]
    assert runtime.received[0].body == runtime.received[1].body
    for request in runtime.received:
        assert request.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")
        assert "/us-east-1/bedrock/aws4_request" in request.headers["authorization"]


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_frames_are_put_together_from_any_pieces(size: int) -> None:
    stream = b"".join(CONVERSE_STREAM)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    async with talking(chunked(*pieces), chunked(stream)) as (bedrock, _):
        piecewise, at_once = await told(bedrock, asking()), await told(bedrock, asking())
    assert piecewise[1:] == at_once[1:]


async def test_a_bearer_token_is_enough() -> None:
    async with talking(says(CONVERSED), chunked(*CONVERSE_STREAM), environ=BEARER) as (bedrock, runtime):
        await bedrock.create_message(asking())
        await told(bedrock, asking())
    assert [request.headers["authorization"] for request in runtime.received] == ["Bearer token-1"] * 2


async def test_the_setting_body_chooses_the_form() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
    async with talking(says(INVOKED), body="invoke", context=Context(betas=("context-1m-2025-08-07",))) as (
        bedrock,
        runtime,
    ):
        await bedrock.create_message(asking(model=arn))
    (request,) = runtime.received
    assert request.target.endswith("application-inference-profile%2Fabcdefghijkl/invoke")
    assert orjson.loads(request.body)["anthropic_beta"] == ["context-1m-2025-08-07"]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_has_no_place_is_refused_before_anything_is_sent(stream: bool) -> None:
    for params in (asking(container="c"), asking(model="claude-haiku-4-5"), asking(model=CLAUDE, mcp_servers=[{}])):
        async with talking(says({})) as (bedrock, runtime):
            with pytest.raises(UnsupportedError):
                await (told(bedrock, params) if stream else bedrock.create_message(params))
        assert runtime.received == []


# -- failures ---------------------------------------------------------------------------------------------------

REFUSALS = [
    (fails(400, "ValidationException", "The provided model identifier is invalid."), InvalidRequestError, 1),
    (fails(403, "ExpiredTokenException", "The security token included in the request is expired"), AuthError, 1),
    (fails(429, "ThrottlingException", "Too many requests"), RateLimitError, 5),
    (fails(424, "ModelErrorException", "The model broke"), UpstreamError, 1),
    (fails(408, "ModelTimeoutException", "Too slow"), UpstreamTimeoutError, 1),
    (fails(503, "ServiceUnavailableException", "Busy"), OverloadedError, 1),
    (None, NetworkError, 1),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("said", "kind", "sent"), REFUSALS)
async def test_a_refusal_is_raised_before_any_event(
    said: bytes | None, kind: type[BifrostError], sent: int, stream: bool
) -> None:
    events: Events = []
    async with talking(said) as (bedrock, runtime):
        with pytest.raises(kind) as caught:
            await (told(bedrock, asking(), events) if stream else bedrock.create_message(asking()))
    assert type(caught.value) is kind
    assert (events, len(runtime.received)) == ([], sent)


async def test_a_caller_may_say_how_often_a_call_is_sent() -> None:
    async with talking(fails(429, "ThrottlingException", "!"), context=Context(attempts=1)) as (bedrock, runtime):
        with pytest.raises(RateLimitError):
            await told(bedrock, asking())
    assert len(runtime.received) == 1


EXCEPTIONS = [
    (streams.raised("throttlingException", "Too many tokens"), RateLimitError),
    (streams.raised("validationException", "No."), InvalidRequestError),
    (streams.raised("serviceUnavailableException", "Busy"), OverloadedError),
    (streams.raised("modelTimeoutException", "Too slow"), UpstreamTimeoutError),
    (streams.raised("modelStreamErrorException", "The model broke"), UpstreamError),
    (streams.raised("internalServerException", "Oops"), UpstreamError),
    (streams.raised("somethingNewException", "What?"), UpstreamError),
    (
        streams.frame(message_type="error", error_code="ThrottlingException", error_message="Slow down"),
        RateLimitError,
    ),
]


@pytest.mark.parametrize(("model", "whole", "stream"), WAYS)
@pytest.mark.parametrize(("frame", "kind"), EXCEPTIONS)
async def test_a_failure_midway_is_raised_as_what_it_is(
    model: str, whole: Any, stream: list[bytes], frame: bytes, kind: type[BifrostError]
) -> None:
    events: Events = []
    async with talking(chunked(*stream[:3], frame)) as (bedrock, _):
        with pytest.raises(kind) as caught:
            await told(bedrock, asking(model=model), events)
    assert type(caught.value) is kind
    assert caught.value.provider == "bedrock"
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert set(kinds[3:]) <= {"content_block_delta"}


async def test_a_failure_before_the_first_block_comes_before_any_event() -> None:
    events: Events = []
    async with talking(chunked(CONVERSE_STREAM[0], EXCEPTIONS[0][0])) as (bedrock, _):
        with pytest.raises(RateLimitError, match="Too many tokens"):
            await told(bedrock, asking(), events)
    assert events == []


async def test_an_error_among_anthropics_events_is_raised() -> None:
    failed = streams.chunk({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    async with talking(chunked(INVOKE_STREAM[0], failed)) as (bedrock, _):
        with pytest.raises(OverloadedError, match="Overloaded"):
            await told(bedrock, asking(model=CLAUDE))
    async with talking(says({"type": "error", "error": {"type": "api_error", "message": "Broken"}})) as (bedrock, _):
        with pytest.raises(UpstreamError, match="Broken"):
            await bedrock.create_message(asking(model=CLAUDE))


@pytest.mark.parametrize(("model", "whole", "stream"), WAYS)
async def test_a_stream_that_is_cut_is_no_answer(model: str, whole: Any, stream: list[bytes]) -> None:
    cuts = [
        then_closed(chunked(*stream[:4], whole=False)),
        then_closed(chunked(*stream[:4], stream[4][:20], whole=False)),
        chunked(*stream[:4]),
        chunked(*stream[:4], stream[4][:20]),
        chunked(*stream[:-1]),
        chunked(),
    ]
    for cut in cuts:
        async with talking(cut) as (bedrock, _):
            with pytest.raises(NetworkError):
                await told(bedrock, asking(model=model))


async def test_what_comes_after_the_end_is_not_waited_for() -> None:
    async with talking(then_closed(chunked(*CONVERSE_STREAM, whole=False))) as (bedrock, _):
        streams.check_order(await told(bedrock, asking()))


ODD_REASONING = {"reasoningContent": {"redactedContent": "?"}}
ODD_REASONING = {"reasoningContent": {"redactedContent": "?"}}
BROKEN = [
    CONVERSE_STREAM[0][:-1] + b"!",
    b"{}" * 20,
    streams.frame([], event_type="messageStart", message_type="event"),
    CONVERSE_STREAM[0] + streams.event("messageStop", {"stopReason": "malformed_tool_use"}),
    streams.event(
        "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": "?"}}}
    )
    + CONVERSE_STREAM[4],
]


@pytest.mark.parametrize("said", BROKEN)
async def test_what_makes_no_sense_is_said_to(said: bytes) -> None:
    async with talking(chunked(said)) as (bedrock, _):
        with pytest.raises(BifrostError) as caught:
            await told(bedrock, asking())
    assert type(caught.value) is BifrostError


@pytest.mark.parametrize("payload", [{"bytes": "?"}, {"bytes": "W10="}, {}])
async def test_a_chunk_that_is_no_event(payload: Any) -> None:
    async with talking(chunked(streams.event("chunk", payload))) as (bedrock, _):
        with pytest.raises(BifrostError, match="no event"):
            await told(bedrock, asking(model=CLAUDE))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (NOVA, {}),
        (NOVA, []),
        (NOVA, {**CONVERSED, "stopReason": "malformed_model_output"}),
        (CLAUDE, {"completion": ""}),
    ],
)
async def test_an_answer_that_is_no_message(model: str, said: Any) -> None:
    async with talking(says(said)) as (bedrock, _):
        with pytest.raises(BifrostError) as caught:
            await bedrock.create_message(asking(model=model))
    assert type(caught.value) is BifrostError


async def test_without_the_extra_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(chunked(*CONVERSE_STREAM), environ=BEARER) as (bedrock, runtime):
        for name in [name for name in sys.modules if name.split(".")[0] == "botocore"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "botocore", None)
        with pytest.raises(ConfigError, match=r"pip install 'bifrost-cli\[bedrock\]'"):
            await told(bedrock, asking())
    assert runtime.received == []


# -- closing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "whole", "stream"), WAYS)
async def test_closing_midway_ends_the_call(model: str, whole: Any, stream: list[bytes]) -> None:
    left = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(chunked(*stream[:3], whole=False))
        try:
            while True:
                await writer.drain()
                await asyncio.sleep(0.005)
                writer.write(chunked(stream[2], whole=False).partition(b"\r\n\r\n")[2])
        except ConnectionError:
            left.set()
            raise

    async with talking(endless) as (bedrock, _):
        async with aclosing(streaming(bedrock, asking(model=model))) as events:
            assert (await anext(events))["type"] == "message_start"
        await asyncio.wait_for(left.wait(), 5)


# -- counting, and what there is not ----------------------------------------------------------------------------


async def test_count_tokens() -> None:
    async with talking(says({"inputTokens": 18}), says({})) as (bedrock, runtime):
        params = {"model": NOVA, "messages": [{"role": "user", "content": "Hi"}]}
        assert await bedrock.count_tokens(params) == 18
        with pytest.raises(BifrostError, match="makes no sense"):
            await bedrock.count_tokens(params)
    request = runtime.received[0]
    assert request.target == "/model/amazon.nova-2-lite-v1%3A0/count-tokens"
    assert orjson.loads(request.body) == {
        "input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}
    }


async def test_there_is_no_list_of_models() -> None:
    async with adapter(ENVIRON) as bedrock:
        assert not bedrock.capabilities.list_models
        with pytest.raises(UnsupportedError):
            await bedrock.list_models()


# -- against the emulator ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sandbox.background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


KEYED: dict[str, dict[str, str]] = {"signed": {}, "bearer": {"AWS_BEARER_TOKEN_BEDROCK": "sandbox-token"}}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
TALKS: dict[str, dict[str, Any]] = {
    "plain": asking("Say hello."),
    "system": asking(system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]),
    "tool": asking("sandbox:tool", tools=[{**TOOL, "cache_control": {"type": "ephemeral"}}]),
    "thinking": asking("sandbox:tool", tools=[TOOL], **THINKING),
    "stop": asking("STOP here", stop_sequences=["STOP"]),
    "refusal": asking("sandbox:refuse"),
    "short": asking("sandbox:max_tokens"),
}


def unnamed(message: dict[str, Any]) -> dict[str, Any]:
    """Without ids and signatures, which are each answer's own."""
    own = ("id", "signature")
    content = [{name: value for name, value in block.items() if name not in own} for block in message["content"]]
    return {**message, "id": None, "content": content}


@pytest.mark.parametrize("keyed", KEYED)
@pytest.mark.parametrize("model", [NOVA, CLAUDE])
@pytest.mark.parametrize("name", TALKS)
async def test_the_emulator_answers_both_ways_alike(emulator: str, keyed: str, model: str, name: str) -> None:
    params = {**TALKS[name], "model": model}
    async with adapter({**sandbox.environment(emulator), **KEYED[keyed]}) as bedrock:
        message = await bedrock.create_message(params)
        events = await told(bedrock, params)
    streams.check_order(events)
    assert unnamed(streams.folded(events)) == unnamed(message)
    Message.model_validate(message, strict=False)
    assert message["content"] or name == "refusal"
    assert message["usage"]["input_tokens"] > 0
    assert "amazon-bedrock-invocationMetrics" not in events[-1]


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
async def test_the_emulator_takes_a_calls_result(emulator: str, model: str) -> None:
    async with adapter(sandbox.environment(emulator)) as bedrock:
        params = {**TALKS["tool"], "model": model}
        said = streams.folded(await told(bedrock, params))["content"]
        result = {"type": "tool_result", "tool_use_id": said[-1]["id"], "content": "42"}
        turns = [*params["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
        answer = streams.folded(await told(bedrock, {**params, "messages": turns}))
    assert "42" in answer["content"][0]["text"]


async def test_the_emulator_counts(emulator: str) -> None:
    async with adapter(sandbox.environment(emulator)) as bedrock:
        params = {name: value for name, value in asking("Hi there", CLAUDE).items() if name != "max_tokens"}
        assert await bedrock.count_tokens(params) > 0
        assert await bedrock.count_tokens({**params, "thinking": {"type": "enabled", "budget_tokens": 1024}}) > 0
        with pytest.raises(InvalidRequestError, match="counting tokens"):
            await bedrock.count_tokens({**params, "model": NOVA})


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
async def test_the_emulator_refuses_before_any_frame(emulator: str, model: str) -> None:
    async with adapter(sandbox.environment(emulator)) as bedrock:
        for params in (
            asking("sandbox:error", model),
            asking(model="nothing"),
            {**asking("Hi", model), "max_tokens": 0},
        ):
            events: Events = []
            with pytest.raises(InvalidRequestError):
                await told(bedrock, params, events)
            assert events == []


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
async def test_a_stream_that_the_emulator_cuts(tmp_path: Any, model: str) -> None:
    with sandbox.background(tmp_path / "s", pace=0, faults="cut*@bedrock POST .*stream") as url:
        async with adapter(sandbox.environment(url)) as bedrock:
            with pytest.raises(NetworkError):
                await told(bedrock, asking("Say hello.", model))


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
async def test_closing_midway_at_the_emulator(tmp_path: Any, model: str) -> None:
    with sandbox.background(tmp_path / "s", pace=0, faults="slow=0.02*1@bedrock POST .*stream") as url:
        async with adapter(sandbox.environment(url)) as bedrock:
            async with aclosing(streaming(bedrock, asking("Say hello.", model))) as events:
                assert (await anext(events))["type"] == "message_start"
            pool = bedrock.client._transport._pool  # type: ignore[attr-defined]
            assert pool.connections == [], "a call that was not read to its end leaves no connection open"
            streams.check_order(await told(bedrock, asking("Say hello.", model)))
