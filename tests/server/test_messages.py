"""Messages, whole and streamed: Anthropic's order, failures before and after the first byte, callers who leave."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import orjson
import pytest

from bifrost_cli.providers import PROVIDERS, load
from tests.loopback import answer, closed_port, scripted, then_closed
from tests.server.conftest import MODELS, Served

pytestmark = pytest.mark.anyio
TOOL = {"name": "weigh", "input_schema": {"type": "object", "properties": {"grams": {"type": "integer"}}}}
ASKED: dict[str, dict[str, Any]] = {
    "text": {"messages": [{"role": "user", "content": "hello"}]},
    "tool": {"messages": [{"role": "user", "content": "sandbox:tool"}], "tools": [TOOL]},
    "cut": {"messages": [{"role": "user", "content": "sandbox:max_tokens and more of it"}]},
    "refusal": {"messages": [{"role": "user", "content": "sandbox:refuse"}]},
    "thinking": {
        "max_tokens": 3000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [{"role": "user", "content": "hello"}],
    },
    "thinking and tool": {
        "max_tokens": 3000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [{"role": "user", "content": "sandbox:tool"}],
        "tools": [TOOL],
    },
}
THINKERS = {**MODELS, "anthropic": "claude-sonnet-4-6", "openai": "gpt-5.5"}
BLOCK = "content_block_start (content_block_delta )*content_block_stop "
ORDER = re.compile(rf"message_start (ping )?({BLOCK})*message_delta message_stop ")
TALKERS = [name for name in PROVIDERS if load(name).capabilities.messages]
START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}}
BEGUN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def frames(*events: dict[str, Any]) -> bytes:
    return b"".join(_frame(event) for event in events)


def _frame(event: dict[str, Any]) -> bytes:
    data = f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def body(provider: str, name: str, **more: Any) -> dict[str, Any]:
    model = THINKERS[provider] if "thinking" in name else MODELS[provider]
    return {"model": model, "max_tokens": 200, **ASKED[name], **more}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("provider", TALKERS)
def test_a_stream_is_in_anthropics_order_and_comes_to_the_whole_message(
    provider: str, name: str, served: Served
) -> None:
    with served.http(provider) as http:
        whole = http.post("/v1/messages", json=body(provider, name)).raise_for_status().json()
        told = http.post("/v1/messages", json=body(provider, name, stream=True)).raise_for_status()
    assert told.headers["content-type"] == "text/event-stream; charset=utf-8"
    pairs = re.findall(r"event: (\w+)\ndata: (.*)\n\n", told.text)
    events = [orjson.loads(data) for _, data in pairs]
    assert [event["type"] for event in events] == [kind for kind, _ in pairs]
    kinds = "".join(f"{event['type']} " for event in events).replace("content_block_start ping", "content_block_start")
    assert ORDER.fullmatch(kinds), kinds
    with served.sdk(provider).messages.stream(**body(provider, name)) as stream:
        final = stream.get_final_message().to_dict()
    shown = {"text", "thinking", "name", "input", "type"}
    for message in (whole, final):
        message["content"] = [{key: block[key] for key in shown & block.keys()} for block in message["content"]]
    same = ("content", "stop_reason", "stop_sequence", "role", "type", "model")
    assert {key: final[key] for key in same} == {key: whole[key] for key in same}
    assert final["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


@pytest.mark.parametrize("provider", [name for name in TALKERS if load(name).capabilities.count_tokens])
def test_tokens_are_counted(provider: str, served: Served) -> None:
    count = served.sdk(provider).messages.count_tokens(model=MODELS[provider], **ASKED["tool"])
    assert count.input_tokens > 0


@pytest.mark.parametrize("provider", [name for name in TALKERS if load(name).capabilities.list_models])
def test_models_are_listed(provider: str, served: Served) -> None:
    sdk = served.sdk(provider)
    models = sdk.models.list()
    assert sdk.models.retrieve(models.data[0].id).id == models.data[0].id
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("no-such-model")


@pytest.mark.parametrize("provider", TALKERS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_before_the_first_byte_is_an_answer(provider: str, stream: bool, served: Served) -> None:
    kinds = {"sandbox:error": anthropic.BadRequestError, "sandbox:overloaded": anthropic.OverloadedError}
    for word, kind in kinds.items():
        asked = {"model": MODELS[provider], "max_tokens": 50, "messages": [{"role": "user", "content": word}]}
        with pytest.raises(kind) as caught:
            served.sdk(provider).messages.create(**asked, stream=stream)
        assert caught.value.response.headers["request-id"].startswith("req_")


async def test_an_error_midway_is_the_last_event(gateway_over: Callable[..., Any]) -> None:
    failure = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    told = then_closed(HEAD + frames(START, BEGUN, PIECE, failure))
    async with scripted(told) as upstream:
        text = await asyncio.to_thread(_streamed, gateway_over, upstream.url)
    last = orjson.loads(text.strip().split("\n")[-1].removeprefix("data: "))
    assert last["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert last["request_id"].startswith("req_")


async def test_a_stream_that_breaks_off_ends_with_an_error(gateway_over: Callable[..., Any]) -> None:
    async with scripted(then_closed(HEAD + frames(START, BEGUN, PIECE))) as upstream:
        text = await asyncio.to_thread(_streamed, gateway_over, upstream.url)
    assert "event: error" in text
    assert "message_stop" not in text


def _streamed(gateway_over: Callable[..., Any], url: str) -> str:
    with gateway_over(ANTHROPIC_BASE_URL=url) as served, served.http() as http:
        return str(http.post("/v1/messages", json=body("anthropic", "text", stream=True)).text)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_ends_the_providers_call(gateway_over: Callable[..., Any], stream: bool) -> None:
    left = asyncio.Event()

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + frames(START, BEGUN) if stream else b"")
        while await reader.read(65536):  # Nothing more is said; it ends when the gateway closes the connection.
            pass
        left.set()
        writer.close()

    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    seen = threading.Event()
    leaving = asyncio.create_task(asyncio.to_thread(_begin_and_leave, gateway_over, url, stream, seen))
    await asyncio.wait_for(left.wait(), 60)
    assert not leaving.done(), "the gateway itself has ended"
    seen.set()
    await leaving
    server.close()


def _begin_and_leave(gateway_over: Callable[..., Any], url: str, stream: bool, seen: threading.Event) -> None:
    """The gateway goes on until it was `seen` that the provider's call has ended."""
    with gateway_over(ANTHROPIC_BASE_URL=url) as served, served.http() as http:
        asked = body("anthropic", "text", stream=stream)
        if not stream:
            with pytest.raises(httpx.ReadTimeout):
                http.post("/v1/messages", json=asked, timeout=0.5)
        else:
            with http.stream("POST", "/v1/messages", json=asked) as response:
                next(response.iter_raw())
        seen.wait(60)


async def test_version_and_betas_go_on_and_the_callers_key_does_not(gateway_over: Callable[..., Any]) -> None:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m"}
    async with scripted(answer(200, orjson.dumps(message))) as upstream:
        await asyncio.to_thread(_ask, gateway_over, upstream.url)
    [request] = upstream.received
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-beta"] == "one-2026-01-01,two-2026-01-01"
    assert request.headers["x-api-key"] == "the-gateways-own-key"
    assert "callers-key" not in str(request)


def _ask(gateway_over: Callable[..., Any], url: str) -> None:
    with gateway_over(ANTHROPIC_BASE_URL=url) as served:
        sdk = served.sdk(api_key="callers-key")
        sdk.beta.messages.create(**body("anthropic", "text"), betas=["one-2026-01-01", "two-2026-01-01"])


def test_an_upstream_401_names_whose_key_it_was_and_shows_none(gateway_over: Callable[..., Any], sandbox: str) -> None:
    with gateway_over(OPENAI_BASE_URL=f"{sandbox}/openai/v1") as served, served.http("openai") as http:
        said = http.post("/v1/messages", json=body("openai", "text"))
    assert said.status_code == 401
    assert "openai" in said.json()["error"]["message"]
    assert "OPENAI_API_KEY" in said.json()["error"]["message"]
    assert "the-gateways-own-key" not in said.text
    assert "the-gate" not in said.text


def test_a_provider_that_cannot_be_reached_is_an_api_error(gateway_over: Callable[..., Any]) -> None:
    with gateway_over(ANTHROPIC_BASE_URL=closed_port()) as served, served.http() as http:
        said = http.post("/v1/messages", json=body("anthropic", "text"))
    assert (said.status_code, said.json()["error"]["type"]) == (500, "api_error")
