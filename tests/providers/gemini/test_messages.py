"""Messages: told at once and event by event, against a scripted server and against the sandbox's emulator."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from typing import Any

import orjson
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli import sandbox, sse
from bifrost_cli.config import Config
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ForbiddenError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    UnsupportedError,
    UpstreamError,
)
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.gemini import Gemini, messages
from bifrost_cli.providers.gemini.generate_stream import GenerateStream
from bifrost_cli.transport import new_client
from tests.conftest import Clock
from tests.loopback import Scripted, Talk, answer, scripted, then_closed
from tests.providers.gemini.folding import by_the_sdk, folded

pytestmark = pytest.mark.anyio
KEY = "AIza-a-long-secret-0123456789"
MODEL = "gemini-3.6-flash"
ASKED = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
NAMES = {"modelVersion": MODEL, "responseId": "mnhGavTtJvqf_uMP4rue8Qw"}
USED = {"promptTokenCount": 12, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4}


def piece(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}], **NAMES}


def last(*parts: Any, reason: str = "STOP") -> dict[str, Any]:
    return {**piece(*parts, finishReason=reason), "usageMetadata": USED}


def framed(*pieces: Any, end: bytes = b"\r\n\r\n") -> bytes:
    return b"".join(b"data: " + orjson.dumps(piece) + end for piece in pieces)


def streamed(body: bytes, size: int = 1 << 20, *, whole: bool = True) -> bytes:
    """A stream's answer, in chunks of `size`."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if whole else b"")


def adapter(client: Any, environ: dict[str, str], context: Context = Context()) -> Gemini:
    return Gemini(Config(environ=environ).settings("gemini", Gemini.settings), client, context)


@asynccontextmanager
async def talking(clock: Clock, *answers: Any) -> AsyncIterator[tuple[Gemini, Scripted]]:
    """An adapter and its server, whose pauses take no time."""
    async with scripted(*answers) as server, new_client(trust_env=False) as client:
        gemini = adapter(client, {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": server.url})
        gemini.http.sleep = clock.sleep
        yield gemini, server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with sandbox.background(tmp_path_factory.mktemp("sandbox"), pace=0) as url:
        yield url


@pytest.fixture
async def gemini(url: str) -> AsyncIterator[Gemini]:
    async with new_client(trust_env=False) as client:
        yield adapter(client, sandbox.environment(url))


def tell(*pieces: dict[str, Any]) -> list[dict[str, Any]]:
    stream = GenerateStream(MODEL)
    return [event for piece in pieces for event in stream.tell(piece)] + list(stream.end())


async def into(events: list[Any], gemini: Gemini) -> None:
    async for event in gemini.stream_message(ASKED):
        events.append(event)


async def events_of(gemini: Gemini, **params: Any) -> list[dict[str, Any]]:
    return [event async for event in gemini.stream_message({**ASKED, **params})]


# -- told at once and event by event, it is the same ------------------------------------------------------------

SPOKEN = st.text("abc äß😀\n", max_size=8)
SIGNED = {"thoughtSignature": st.text("ABC+/=", max_size=4)}
CALL = st.fixed_dictionaries(
    {"name": st.just("f")}, optional={"id": st.text("a1_+", max_size=3), "args": st.just({"a": "ä"})}
)
PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"text": SPOKEN}, optional={**SIGNED}),
        st.fixed_dictionaries({"text": SPOKEN, "thought": st.just(True)}, optional={**SIGNED}),
        st.fixed_dictionaries({"functionCall": CALL}, optional={**SIGNED}),
        st.just({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
        st.just({"thoughtSignature": "A"}),
    ),
    max_size=9,
)  # fmt: skip


@given(parts=PARTS, cuts=st.sets(st.integers(1, 8)), reason=st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"]))
def test_a_stream_tells_the_same_message(parts: list[dict[str, Any]], cuts: set[int], reason: str) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(parts)), len(parts)]
    *pieces, end = [parts[start:stop] for start, stop in pairwise(edges)]
    events = tell(*(piece(*some) for some in pieces), last(*end, reason=reason))
    whole = messages.decode(last(*parts, reason=reason), MODEL)
    body = whole.get("body", {}).get("candidates")
    message = folded(events)
    assert message.pop("body", {}).get("candidates") == body
    assert message == {name: value for name, value in whole.items() if name != "body"}
    seen = by_the_sdk(events)
    assert [block.type for block in seen.content] == [block["type"] for block in whole["content"]]
    assert (seen.stop_reason, seen.usage.input_tokens) == (whole["stop_reason"], 8)


@given(text=SPOKEN, thought=SPOKEN, size=st.integers(1, 3))
def test_a_stream_may_cut_texts_anywhere(text: str, thought: str, size: int) -> None:
    def cut(said: str, **more: Any) -> list[dict[str, Any]]:
        return [piece({"text": said[at : at + size], **more}) for at in range(0, len(said), size)]

    call = {"functionCall": {"name": "f"}, "thoughtSignature": "A"}
    events = tell(*cut(thought, thought=True), *cut(text), last(call))
    whole = last({"text": thought, "thought": True}, {"text": text}, call)
    assert folded(events) == messages.decode(whole, MODEL)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                """
                candidates content parts text thought thoughtSignature functionCall id name args finishReason index
                promptFeedback blockReason usageMetadata promptTokenCount responseId modelVersion error code message
                """.split()  # noqa: SIM905
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(
    pieces=st.lists(st.dictionaries(st.sampled_from(["candidates", "promptFeedback", "responseId"]), JSON), max_size=4)
)
def test_no_piece_breaks_the_telling(pieces: list[dict[str, Any]]) -> None:
    try:
        events = tell(*pieces, last({"text": "a"}))
        Message.model_validate(folded(events))
        for given in pieces:
            messages.decode(given, MODEL)
    except BifrostError:
        pass


def test_an_answer_without_an_id_gets_another_each_time() -> None:
    nameless = {"candidates": last({"functionCall": {"name": "f"}})["candidates"]}
    one, two = folded(tell(nameless)), folded(tell(nameless))
    assert one["id"] != two["id"]
    assert one["content"][0]["id"] != two["content"][0]["id"]
    assert messages.decode(nameless, MODEL)["id"] != messages.decode(nameless, MODEL)["id"]
    assert (one["model"], one["stop_reason"], one["usage"]["input_tokens"]) == (MODEL, "tool_use", 0)


def test_the_count_of_the_last_piece_holds() -> None:
    first = {**piece({"text": "a"}), "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1}}
    events = tell(first, last({"text": "b"}))
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    assert events[0]["message"]["usage"]["output_tokens"] == 1
    assert events[0]["message"]["usage"]["service_tier"] == "standard"
    assert events[-2]["usage"] == {
        "input_tokens": 8,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 8,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_other_candidates_are_passed_over() -> None:
    other = {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "OTHER"}]}
    assert folded(tell(piece({"text": "a"}), other, last()))["content"] == [{"type": "text", "text": "a"}]


# -- what goes out ----------------------------------------------------------------------------------------------


async def test_what_is_sent(clock: Clock) -> None:
    count = answer(body=b'{"totalTokens":9}')
    async with talking(clock, answer(body=orjson.dumps(last({"text": "Hello"}))), streamed(framed(last())), count) as (
        gemini,
        server,
    ):
        params = {**ASKED, "model": f"models/{MODEL}", "system": "Be terse.", "tools": [TOOL]}
        message = await gemini.create_message(params)
        assert [event async for event in gemini.stream_message(params)]
        assert await gemini.count_tokens({name: params[name] for name in params if name != "max_tokens"}) == 9
    made, told, counted = server.received
    assert [r.target for r in server.received] == [
        f"/v1beta/models/{MODEL}:generateContent",
        f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse",
        f"/v1beta/models/{MODEL}:countTokens",
    ]
    assert {(r.method, r.headers["x-goog-api-key"]) for r in server.received} == {("POST", KEY)}
    body = orjson.loads(made.body)
    assert body == orjson.loads(told.body)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert body["generation_config"] == {"max_output_tokens": 64}
    request = {**body, "model": f"models/{MODEL}", "generation_config": {}}
    assert orjson.loads(counted.body) == {"generateContentRequest": request}
    assert (message["content"], message["usage"]["service_tier"]) == ([{"type": "text", "text": "Hello"}], "standard")


async def test_what_has_no_place_is_refused_before_anything_is_sent(clock: Clock) -> None:
    params = {**ASKED, "container": "c"}
    async with talking(clock, answer()) as (gemini, server):
        for call in (gemini.create_message(params), gemini.count_tokens(params), anext(gemini.stream_message(params))):
            with pytest.raises(UnsupportedError, match="container"):
                await call
        with pytest.raises(InvalidRequestError, match="not the name of a Gemini model"):
            await gemini.create_message({**ASKED, "model": "../x"})
    assert server.received == []


async def test_models_page_by_page(clock: Clock) -> None:
    able = {"name": "models/a", "displayName": "A", "supportedGenerationMethods": ["generateContent", "countTokens"]}
    plain = {"name": "models/b", "supportedGenerationMethods": ["generateContent"]}
    unable = [{"name": "models/c", "supportedGenerationMethods": ["embedContent"]}, {"name": "models/d"}]
    pages = [{"models": [able, *unable], "nextPageToken": "p 2"}, {"models": [plain]}]
    async with talking(clock, *(answer(body=orjson.dumps(page)) for page in pages)) as (gemini, server):
        models = await gemini.list_models()
    assert [(model["id"], model["display_name"]) for model in models] == [("a", "A"), ("b", "b")]
    assert [r.target for r in server.received] == [
        "/v1beta/models?pageSize=1000",
        "/v1beta/models?pageSize=1000&pageToken=p+2",
    ]
    for model in models:
        assert (model["type"], model["created_at"]) == ("model", "1970-01-01T00:00:00+00:00")


# -- how a stream comes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
async def test_frames_in_any_blocks(clock: Clock, end: bytes, size: int) -> None:
    pieces = [piece({"text": "Grüße "}), piece({"text": "😀"}), last({"text": "日本"})]
    async with talking(clock, streamed(framed(*pieces, end=end), size)) as (gemini, _):
        events = await events_of(gemini)
    assert folded(events)["content"] == [{"type": "text", "text": "Grüße 😀日本"}]
    assert len([event for event in events if event["type"] == "content_block_delta"]) == 3


async def test_an_event_is_told_when_it_comes(clock: Clock) -> None:
    first, rest = asyncio.Event(), streamed(framed(last({"text": "b"}))).partition(b"\r\n\r\n")[2]

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(streamed(framed(piece({"text": "a"})), whole=False))
        await writer.drain()
        await asyncio.wait_for(first.wait(), 5)
        writer.write(rest)
        await writer.drain()

    told = []
    async with talking(clock, talk) as (gemini, _):
        async for event in gemini.stream_message(ASKED):
            told.append(event["type"])
            if event["type"] == "content_block_delta":
                first.set()
    assert told[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert told[-1] == "message_stop"


async def test_closing_the_iterator_ends_the_call(clock: Clock) -> None:
    left = asyncio.Event()

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(streamed(b"", whole=False))
        try:
            while True:
                block = framed(piece({"text": "a"}))
                writer.write(b"%x\r\n%s\r\n" % (len(block), block))
                await writer.drain()
                await asyncio.sleep(0.005)
        finally:
            left.set()

    async with talking(clock, talk) as (gemini, _):
        stream = gemini.stream_message(ASKED)
        async with aclosing(stream):  # type: ignore[type-var]
            async for event in stream:
                if event["type"] == "content_block_delta":
                    break
        await asyncio.wait_for(left.wait(), 5)


# -- failures ---------------------------------------------------------------------------------------------------


def refusal(code: int, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": "X", **more}}


BAD_KEY = refusal(400, "API key not valid.", details=[{"reason": "API_KEY_INVALID"}])
REFUSALS = [
    (400, BAD_KEY, AuthError),
    (400, refusal(400, "Unknown name"), InvalidRequestError),
    (403, refusal(403, "No."), ForbiddenError),
    (404, refusal(404, "models/x is not found"), NotFoundError),
    (500, refusal(500, "Internal error"), UpstreamError),
    (503, refusal(503, "Full"), OverloadedError),
]


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
async def test_a_refusal_is_raised_as_one_and_not_repeated(
    clock: Clock, status: int, body: dict[str, Any], kind: type[BifrostError]
) -> None:
    async with talking(clock, answer(status, orjson.dumps(body))) as (gemini, server):
        for call in (gemini.create_message(ASKED), events_of(gemini), gemini.count_tokens(ASKED)):
            with pytest.raises(BifrostError) as caught:
                await call
            assert type(caught.value) is kind
            assert (caught.value.message, caught.value.provider) == (body["error"]["message"], "gemini")
    assert len(server.received) == 3


async def test_what_was_refused_for_its_rate_is_sent_again(clock: Clock) -> None:
    busy = answer(429, orjson.dumps(refusal(429, "Quota", details=[{"retryDelay": "7s"}])))
    async with talking(clock, busy, streamed(framed(last({"text": "a"}))), busy) as (gemini, _):
        assert folded(await events_of(gemini))["content"]
        with pytest.raises(RateLimitError):
            await gemini.create_message(ASKED)
    assert clock.naps == [7.0] * 5


@pytest.mark.parametrize(
    ("pieces", "kind", "message", "told"),
    [
        ([refusal(503, "The model is overloaded.")], OverloadedError, "The model is overloaded.", 0),
        ([piece({"text": "a"}), refusal(503, "Full")], OverloadedError, "Full", 3),
        ([piece({"text": "a"}), refusal(8, "Quota")], RateLimitError, "Quota", 3),
        ([piece({"text": "a"}), {"error": "odd"}], UpstreamError, "gave no message", 3),
        ([last(reason="MALFORMED_FUNCTION_CALL")], UpstreamError, "MALFORMED_FUNCTION_CALL", 0),
        ([piece({"text": "a"}), last(reason="OTHER")], UpstreamError, "OTHER", 3),
        ([piece({"text": "a"}), ["no", "object"]], BifrostError, "no JSON object", 3),
        ([piece({"text": "a"})], NetworkError, "ended before its last", 3),
        ([], NetworkError, "ended before its last", 0),
    ],
)
async def test_failures_within_a_stream(
    clock: Clock, pieces: list[Any], kind: type[BifrostError], message: str, told: int
) -> None:
    events: list[Any] = []
    async with talking(clock, streamed(framed(*pieces))) as (gemini, server):
        with pytest.raises(kind, match=message) as caught:
            await into(events, gemini)
    assert (len(events), caught.value.provider, len(server.received)) == (told, "gemini", 1)


async def test_a_connection_that_breaks_midway(clock: Clock) -> None:
    broken: Talk = then_closed(streamed(framed(piece({"text": "a"})), whole=False))
    async with talking(clock, broken) as (gemini, _):
        with pytest.raises(NetworkError):
            await events_of(gemini)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b'{"data":[]}', b"<html>"])
async def test_an_answer_that_is_no_message(clock: Clock, body: bytes) -> None:
    async with talking(clock, answer(body=body)) as (gemini, _):
        with pytest.raises(BifrostError):
            await gemini.create_message(ASKED)
        with pytest.raises(BifrostError):
            await gemini.count_tokens(ASKED)
        with pytest.raises(NetworkError):
            await events_of(gemini)


async def test_an_error_that_comes_with_a_good_status(clock: Clock) -> None:
    async with talking(clock, answer(body=orjson.dumps(refusal(503, "Full")))) as (gemini, _):
        with pytest.raises(OverloadedError, match="Full"):
            await gemini.create_message(ASKED)


async def test_a_blocked_prompt_is_a_refusal(clock: Clock) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **NAMES}
    async with talking(clock, answer(body=orjson.dumps(blocked)), streamed(framed(blocked))) as (gemini, _):
        whole, events = await gemini.create_message(ASKED), await events_of(gemini)
    assert folded(events) == whole
    assert (whole["stop_reason"], whole["content"]) == ("refusal", [])
    assert "PROHIBITED_CONTENT" in whole["stop_details"]["explanation"]


# -- the emulator -----------------------------------------------------------------------------------------------

ASKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "system": {"system": [{"type": "text", "text": "Be terse."}]},
    "long": {"messages": [{"role": "user", "content": "ä" * 500 + " and so on " * 20}], "max_tokens": 4000},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048},
    "tool": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
    "tool-thinking": {"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}},
    "format": {
        "output_config": {
            "format": {
                "type": "json_schema",
                "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            }
        }
    },
}


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("model", [MODEL, "gemini-2.5-flash"])
async def test_the_emulator_answers_the_same_both_ways(gemini: Gemini, model: str, name: str) -> None:
    params = {**ASKED, **ASKS[name], "model": model}
    whole = await gemini.create_message(params)
    events = [event async for event in gemini.stream_message(params)]
    streamed = folded(events)
    Message.model_validate(whole, strict=True)
    assert _without_ids(streamed) == _without_ids(whole)
    assert whole["usage"]["service_tier"] == "standard"
    assert (whole["stop_reason"] == "tool_use") == ("tool" in name)
    assert by_the_sdk(events).stop_reason == whole["stop_reason"]


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Each answer has others, and signatures of its own."""
    content = [{**block, "id": "", "signature": bool(block.get("signature"))} for block in message["content"]]
    return {**message, "id": "", "content": content}


async def test_a_tools_result_goes_back_to_the_emulator(gemini: Gemini) -> None:
    params = {**ASKED, **ASKS["tool"]}
    events = [event async for event in gemini.stream_message(params)]
    said = folded(events)["content"]
    [call] = [block for block in said if block["type"] == "tool_use"]
    result = [{"type": "tool_result", "tool_use_id": call["id"], "content": "42"}]
    turns = [*ASKED["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": result}]  # type: ignore[misc]
    answered = await gemini.create_message({**ASKED, "tools": [TOOL], "messages": turns})
    assert answered["content"]


async def test_the_emulator_counts(gemini: Gemini) -> None:
    bare = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    least = await gemini.count_tokens(bare)
    with_system = await gemini.count_tokens({**bare, "system": "Be terse, and then some more."})
    assert 0 < least < with_system < await gemini.count_tokens({**bare, "system": "Be terse, and then some more.", "tools": [TOOL]})  # fmt: skip  # noqa: E501


async def test_the_emulator_has_models(gemini: Gemini) -> None:
    models = await gemini.list_models()
    assert MODEL in [model["id"] for model in models]
    assert not any("/" in model["id"] or "embedding" in model["id"] for model in models)


async def test_the_emulator_refuses_as_the_tree(gemini: Gemini) -> None:
    for call in (gemini.create_message, gemini.count_tokens):
        with pytest.raises(NotFoundError):
            await call({**ASKED, "model": "no-such-model"})
    with pytest.raises(NotFoundError):
        await events_of(gemini, model="no-such-model")


async def test_closing_midway_at_the_emulator(gemini: Gemini) -> None:
    seen = []
    stream = gemini.stream_message({**ASKED, **ASKS["long"]})
    async with aclosing(stream):  # type: ignore[type-var]
        async for event in stream:
            seen.append(event["type"])
            if len(seen) == 3:
                break
    assert seen == ["message_start", "content_block_start", "content_block_delta"]
    assert (await gemini.create_message(ASKED))["content"]


async def test_a_stream_that_the_emulator_cuts(tmp_path_factory: pytest.TempPathFactory) -> None:
    faults = sandbox.parse_faults("cut*1@gemini POST .*:streamGenerateContent")
    folder = tmp_path_factory.mktemp("cut")
    with sandbox.background(folder, pace=0, faults=faults) as url:
        async with new_client(trust_env=False) as client:
            gemini = adapter(client, sandbox.environment(url))
            with pytest.raises(NetworkError):
                await events_of(gemini, **ASKS["long"])
            assert folded(await events_of(gemini, **ASKS["long"]))["stop_reason"] == "end_turn"


async def test_events_can_be_framed() -> None:
    """What is told is what the gateway writes: JSON."""
    for event in tell(last({"functionCall": {"name": "f", "args": {"a": [1, None, "ä"]}}})):
        assert sse.frame(event).startswith(b"event: " + event["type"].encode())
