"""Bedrock's runtime: one request at a time, answered whole or as a stream, and token counts."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.responses import JSONResponse, Response, StreamingResponse

from bifrost_cli.sandbox.bedrock import converse_answer, models, native_answer
from bifrost_cli.sandbox.bedrock.converse_check import check_counted
from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.eventstream import CONTENT_TYPE, stream
from bifrost_cli.sandbox.bedrock.json import parse
from bifrost_cli.sandbox.bedrock.kinds import CONVERSE, INVOKE, Kind
from bifrost_cli.sandbox.bedrock.prompts import converse_count, native_count
from bifrost_cli.sandbox.http import Call


def invoke(call: Call) -> Response:
    """`POST /model/{id}/invoke`"""
    whole = _invoked(call)
    metrics = native_answer.metrics(whole)
    headers = {
        "x-amzn-bedrock-input-token-count": str(metrics["inputTokenCount"]),
        "x-amzn-bedrock-output-token-count": str(metrics["outputTokenCount"]),
        "x-amzn-bedrock-invocation-latency": str(metrics["invocationLatency"]),
    }
    usage = whole["usage"]
    if "cache_read_input_tokens" in usage:
        headers["x-amzn-bedrock-cache-read-input-token-count"] = str(usage["cache_read_input_tokens"])
        headers["x-amzn-bedrock-cache-write-input-token-count"] = str(usage["cache_creation_input_tokens"])
    return JSONResponse(whole, headers=headers)


def invoke_stream(call: Call) -> Response:
    """`POST /model/{id}/invoke-with-response-stream`; each event carries one of the model's own in base64"""
    whole = _invoked(call)

    def chunks() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for event in native_answer.events(whole):
            yield "chunk", {"bytes": base64.b64encode(orjson.dumps(event)).decode()}

    headers = {"x-amzn-bedrock-content-type": "application/json"}
    return StreamingResponse(stream(chunks()), headers=headers, media_type=CONTENT_TYPE)


def converse(call: Call) -> Response:
    """`POST /model/{id}/converse`"""
    return JSONResponse(_reply(call, CONVERSE, _model(call), parse(call.body)))


def converse_stream(call: Call) -> Response:
    """`POST /model/{id}/converse-stream`"""
    whole = _reply(call, CONVERSE, _model(call), parse(call.body))
    return StreamingResponse(stream(converse_answer.events(whole)), media_type=CONTENT_TYPE)


def _invoked(call: Call) -> dict[str, Any]:
    model = _model(call)
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        raise Refusal("Malformed input request, please reformat your input and try again.") from None  # reported
    return _reply(call, INVOKE, model, body)


def _reply(call: Call, kind: Kind, model: str, body: Any) -> dict[str, Any]:
    kind.check(body, model)
    call.account.count("messages")
    return kind.reply(body, model, call.id)


def _model(call: Call) -> str:
    """The model, which is looked at before the body is (recorded)."""
    model = unquote(call.path["id"])
    if not models.is_known(model):
        raise Refusal("The provided model identifier is invalid.")
    return model


def count_tokens(call: Call) -> Response:
    """`POST /model/{id}/count-tokens`; models are counted for by their ids, not by profiles (recorded)"""
    model = _model(call)
    if models.is_profile(model) or not models.speaks_anthropic(model):
        raise Refusal("The provided model doesn't support counting tokens.")
    given = parse(call.body).get("input")
    given = {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else {}
    if set(given) == {"converse"}:
        check_counted(given["converse"], model)
        return JSONResponse({"inputTokens": converse_count(given["converse"])})
    if set(given) != {"invokeModel"} or not isinstance(given["invokeModel"], dict):
        raise Refusal("[sandbox] input has exactly one of the members invokeModel and converse")
    body = _decoded(given["invokeModel"].get("body"))
    INVOKE.check(body, model)
    return JSONResponse({"inputTokens": native_count(body)})


def _decoded(body: Any) -> Any:
    try:
        return parse(base64.b64decode(body, validate=True))
    except (TypeError, binascii.Error):
        raise Refusal("[sandbox] invokeModel.body is a request in base64", "SerializationException") from None
