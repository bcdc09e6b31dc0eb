"""Anthropic's Messages API, one request at a time."""

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import JSONResponse, Response, StreamingResponse

from bifrost_cli.sandbox.anthropic import execution, message, prompt
from bifrost_cli.sandbox.anthropic.check import Context, check_count, check_message
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.http import Call

_LIMITS = {"requests": 10_000, "tokens": 12_000_000, "input-tokens": 10_000_000, "output-tokens": 2_000_000}


def create(call: Call) -> Response:
    """`POST /v1/messages`"""
    request = parse(call.body)
    check_message(request, context(call, batch=False))
    call.account.count("messages")
    whole = message.message(request, call.id, "standard")
    if execution.makes_file(request):
        whole = execution.with_file(call, whole)
    headers = _rate_headers(call.now)
    if not request.get("stream"):
        return JSONResponse(whole, headers=headers)
    headers |= {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    return StreamingResponse(message.events(whole), headers=headers)


def count_tokens(call: Call) -> Response:
    """`POST /v1/messages/count_tokens`"""
    request = parse(call.body)
    check_count(request, context(call, batch=False))
    return JSONResponse({"input_tokens": prompt.count(request)})


def parse(body: bytes) -> Any:
    """The JSON of a body. Raises the Refusal for anything else."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"The request body is not valid JSON: {error}") from None


def context(call: Call, *, batch: bool) -> Context:
    version = call.request.headers["anthropic-version"]
    return Context(version, batch, lambda id: call.account.file(id) is not None)


def _rate_headers(now: float) -> dict[str, str]:
    """These come with Messages only (recorded); the sandbox never runs out."""
    headers = {}
    reset = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, limit in _LIMITS.items():
        for key, value in (("limit", str(limit)), ("remaining", str(limit)), ("reset", reset)):
            headers[f"anthropic-ratelimit-{name}-{key}"] = value
    return headers
