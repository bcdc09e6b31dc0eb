"""Gemini's calls of a model: generateContent, its stream, and countTokens."""

from collections.abc import Iterator
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.gemini import messages, models, prompt, stream
from bifrost_cli.sandbox.gemini.access import media_type
from bifrost_cli.sandbox.gemini.check import Context, Request, broken, check, model_of
from bifrost_cli.sandbox.gemini.conversation import has_answers
from bifrost_cli.sandbox.gemini.errors import JSON, Refusal, overloaded
from bifrost_cli.sandbox.gemini.json import frame, parse, pretty
from bifrost_cli.sandbox.gemini.payload import fit
from bifrost_cli.sandbox.gemini.reply import details, reply
from bifrost_cli.sandbox.http import Call

_TIER = {"x-gemini-service-tier": "standard"}


def generate(call: Call) -> Response:
    """`POST /models/{model}:generateContent`"""
    request, model = _asked(call, "generateContent")
    return pretty(reply(request, model, call.id), _TIER)


def generate_stream(call: Call) -> Response:
    """`POST /models/{model}:streamGenerateContent`: with `alt=sse` frames, else one JSON array (documented), also of
    an error (reported 2026-05)."""
    if call.query.get("alt") == "sse":
        headers = {"content-type": "text/event-stream", "content-disposition": "attachment"}
        return StreamingResponse(map(frame, _streamed(call)), headers=headers)
    try:
        status, items = 200, list(_streamed(call))
    except Refusal as refusal:
        status, items = refusal.http, [refusal.body()]
    return Response(orjson.dumps(items, option=orjson.OPT_INDENT_2), status, headers=_TIER, media_type=JSON)


def _streamed(call: Call) -> Iterator[dict[str, Any]]:
    request, model = _asked(call, "streamGenerateContent")
    return stream.responses(reply(request, model, call.id), after_call=has_answers(request["contents"][-1]))


def _asked(call: Call, method: str) -> tuple[Request, str]:
    """What is asked of which model. Raises the Refusal that it gets."""
    request = fit(messages.REQUEST, parse(call.body))
    model = models.find(call.path["model"], method, call.path["version"])
    model_of(request, model)
    judge(request, Context(model, media_type(call)))
    call.account.count("generations")
    return request, model


def judge(request: Request, context: Context) -> bool:
    """Whether a batch reaches a request before it expires. Raises the Refusal that the request gets."""
    check(request, context)
    asked = triggers(prompt.last_text(request))
    if Trigger.ERROR in asked:
        raise Refusal("[sandbox] this request is refused, as its prompt asks")
    if Trigger.OVERLOADED in asked:
        raise overloaded()
    return Trigger.EXPIRE not in asked


def count_tokens(call: Call) -> Response:
    """`POST /models/{model}:countTokens`: of the contents, or of a whole request (documented)."""
    body = fit(messages.COUNT, parse(call.body))
    model = models.find(call.path["model"], "countTokens", call.path["version"])
    whole = body.get("generate_content_request")
    if whole is not None and "contents" in body:
        raise Refusal("[sandbox] contents and generate_content_request may not both be set.")
    if whole is not None and not whole.get("model"):
        raise broken("model", "unexpected model name format")
    request = whole if whole is not None else body
    check(request, Context(model, media_type(call)))
    counts = prompt.count(request)
    return pretty({"totalTokens": sum(counts.values()), "promptTokensDetails": details(counts)})
