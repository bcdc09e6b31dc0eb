"""A message alone: the same translation as in a batch, told at once or event by event."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import uuid4

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import converse, invoke, invoke_stream, model, translate
from bifrost_cli.providers.bedrock.checks import PROVIDER, dumps
from bifrost_cli.providers.bedrock.converse_stream import ConverseStream
from bifrost_cli.providers.bedrock.events import told
from bifrost_cli.providers.bedrock.frames import Frame

OPERATIONS = {model.INVOKE: "invoke", model.CONVERSE: "converse"}
STREAMS = {model.INVOKE: "invoke-with-response-stream", model.CONVERSE: "converse-stream"}
COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")
"""What CountTokens takes, of the members of a Converse request (documented)."""


class Call(NamedTuple):
    """One call of the runtime. Converse's answers have no id; `id` is what the message's id is made of."""

    path: str
    body: dict[str, Any]
    model: str
    endpoint: str
    id: str


def path(name: str, operation: str) -> str:
    """The path of a model's operation."""
    return f"/model/{model.in_path(name)}/{operation}"


def encode(params: dict[str, Any], mode: str, context: Context, *, stream: bool = False) -> Call:
    """The call. `mode` is the setting `body`."""
    endpoint, body = _encode(params, mode, context)
    operation = (STREAMS if stream else OPERATIONS)[endpoint]
    return Call(path(params["model"], operation), body, params["model"], endpoint, uuid4().hex)


def encode_count(params: dict[str, Any], mode: str, context: Context) -> tuple[str, dict[str, Any]]:
    """The path and the body of CountTokens."""
    endpoint, body = _encode(params, mode, context)
    if endpoint == model.INVOKE:
        body = {"max_tokens": _max_tokens(body), **body}
        given: dict[str, Any] = {"invokeModel": {"body": b64encode(dumps(body, "params")).decode()}}
    else:
        given = {"converse": {name: value for name, value in body.items() if name in COUNTED}}
    return path(model.counted(params["model"]), "count-tokens"), {"input": given}


def decode(answer: dict[str, Any], call: Call) -> dict[str, Any]:
    """Anthropic's message. Raises the error that an answer is which cannot be read."""
    if call.endpoint == model.INVOKE:
        if answer.get("type") == "error":
            raise invoke_stream.failure(answer)
        if answer.get("type") == "message":
            return invoke.decode(answer, "standard")
    elif isinstance(answer.get("output"), dict):
        return converse.decode(answer, call.body, call.model, call.id, "standard")
    raise BifrostError("Bedrock's answer is not a message.", provider=PROVIDER)


def events(frames: AsyncIterator[Frame], call: Call) -> AsyncIterator[dict[str, Any]]:
    """Anthropic's events, from the frames that a call was answered with."""
    if call.endpoint == model.INVOKE:
        return told(frames, invoke_stream.tell)
    return told(frames, ConverseStream(call.body, call.model, call.id).tell)


def _encode(params: dict[str, Any], mode: str, context: Context) -> tuple[str, dict[str, Any]]:
    encoder = translate.encoder(params, mode, context, batch=False)
    return encoder.endpoint, encoder.body(params["messages"])


def _max_tokens(body: dict[str, Any]) -> int:
    """The least that goes with the body: an InvokeModel body is not one without it, also where nothing is made."""
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget + 1 if isinstance(budget, int) else 1
