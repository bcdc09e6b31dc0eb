"""A message alone: the same translation as in a batch, told at once or event by event."""

from collections.abc import AsyncIterator
from typing import Any

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.openai import chat, responses, translate
from bifrost_cli.providers.openai.chat_stream import ChatStream
from bifrost_cli.providers.openai.checks import PROVIDER, Drop
from bifrost_cli.providers.openai.events import told
from bifrost_cli.providers.openai.failures import describe, unfinished
from bifrost_cli.providers.openai.responses_stream import ResponsesStream
from bifrost_cli.sse import Event

COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning")
"""What a count of tokens takes, of the members of a request (documented)."""


def encode(params: dict[str, Any], mode: str, drop: Drop, *, stream: bool = False) -> tuple[str, dict[str, Any]]:
    """The path below the base URL, and the body."""
    encoder, messages = translate.encoder(params, mode, drop).translate(params["messages"])
    endpoint, body = encoder.endpoint, encoder.filled(messages)
    if stream:
        body["stream"] = True
        if endpoint == chat.ENDPOINT:
            body["stream_options"] = {"include_usage": True}
    return endpoint.removeprefix("/v1"), body


def encode_count(params: dict[str, Any], drop: Drop) -> dict[str, Any]:
    """The body of `POST /v1/responses/input_tokens`."""
    body = responses.Responses({**params, "stop_sequences": None}, drop).body(params["messages"])
    return {name: value for name, value in body.items() if name in COUNTED}


def decode(body: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's message. Raises the error that a response is which failed."""
    if body.get("status") in translate.UNFINISHED and body.get("object") == "response":
        raise unfinished(body)
    if body.get("error"):
        kind, reason = describe(body["error"], 500)
        raise kind(reason, provider=PROVIDER)
    if not isinstance(body.get("output", body.get("choices")), list):
        raise BifrostError("OpenAI's answer is not a message.", provider=PROVIDER)
    message = translate.decode_body(body)
    message["usage"]["service_tier"] = "standard"
    return message


async def events(path: str, stream: AsyncIterator[Event]) -> AsyncIterator[dict[str, Any]]:
    """Anthropic's events, from those of the endpoint at `path`."""
    if path == responses.ENDPOINT.removeprefix("/v1"):
        async for event in told(stream, ResponsesStream().tell):
            yield event
        return
    chat = ChatStream()
    async for event in told(stream, chat.tell, chat.end):
        yield event


def to_models(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The models as Anthropic lists them; OpenAI has no other name for one than its id."""
    return [
        {
            "type": "model",
            "id": model["id"],
            "display_name": model["id"],
            "created_at": translate.to_time(model.get("created")),
        }
        for model in answer["data"]
    ]
