"""OpenAI's Chat Completions API: the answer to a body, whole or as a stream of chunks."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, derived
from bifrost_cli.sandbox.openai import models, prompt
from bifrost_cli.sandbox.openai.chat_check import check
from bifrost_cli.sandbox.openai.endpoint import has_file, rate_headers, refuse_triggers
from bifrost_cli.sandbox.openai.json import parse, pretty

Body = Mapping[str, Any]
FINISH_REASONS = {
    Finish.END: "stop",
    Finish.TOOL: "tool_calls",
    Finish.LENGTH: "length",
    Finish.STOP: "stop",
    Finish.REFUSAL: "stop",
}
_PIECE = 12


def create(call: Call) -> Response:
    """`POST /v1/chat/completions`"""
    body = parse(call.body)
    check(body, has_file(call))
    refuse_triggers(prompt.last_message(body))
    call.account.count("chat_completions")
    whole = reply(body, call.id, int(call.now))
    if not body.get("stream"):
        answered = pretty(whole)
        answered.headers.update(rate_headers())
        return answered
    headers = {"content-type": "text/event-stream; charset=utf-8", **rate_headers()}
    return StreamingResponse(chunks(whole, body.get("stream_options") or {}), headers=headers)


def reply(body: Body, seed: str, created: int) -> dict[str, Any]:
    """The ChatCompletion for a body that has been checked: the same each time for the same `seed`."""
    said = answer(prompt.of_chat(body))
    count = body.get("n") or 1
    choice = {"message": _message(said, seed), "logprobs": None, "finish_reason": FINISH_REASONS[said.finish]}
    return {
        "id": f"chatcmpl-{MARK}{derived(seed, 26)}",
        "object": "chat.completion",
        "created": created,
        "model": models.snapshot(body["model"]),
        "choices": [{"index": index, **choice} for index in range(count)],
        "usage": _usage(said, count),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _message(said: Answer, seed: str) -> dict[str, Any]:
    if said.finish is Finish.REFUSAL:
        return {"role": "assistant", "content": None, "refusal": said.text}
    if said.call is None:
        return {"role": "assistant", "content": said.text, "refusal": None}
    function = {"name": said.call.name, "arguments": said.call.text}
    tool_call = {"id": f"call_{MARK}{derived(seed, 21)}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [tool_call], "refusal": None}


def _usage(said: Answer, count: int) -> dict[str, Any]:
    completion = said.output_tokens * count
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": completion,
        "total_tokens": said.input_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": said.thinking_tokens * count,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chunks(whole: Body, options: Mapping[str, Any]) -> Iterator[bytes]:
    """The stream of a ChatCompletion: the role first, the finish reason last, usage only when asked for."""
    with_usage = options.get("include_usage")
    head = {key: whole[key] for key in ("id", "created", "model", "service_tier", "system_fingerprint")}
    head = {"object": "chat.completion.chunk", **head, **({"usage": None} if with_usage else {})}
    for choice in whole["choices"]:
        for delta in _deltas(choice["message"]):
            yield _chunk({**head, "choices": [_choice(choice["index"], delta, None)]})
        yield _chunk({**head, "choices": [_choice(choice["index"], {}, choice["finish_reason"])]})
    if with_usage:
        yield _chunk({**head, "choices": [], "usage": whole["usage"]})
    yield b"data: [DONE]\n\n"


def _choice(index: int, delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "tool_calls" in message:
        call = message["tool_calls"][0]
        begun = {"index": 0, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield {"role": "assistant", "content": None, "tool_calls": [begun], "refusal": None}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        return
    name = "content" if message["refusal"] is None else "refusal"
    yield {"role": "assistant", "content": None, "refusal": None, name: ""}
    for piece in _pieces(message[name]):
        yield {name: piece}


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _chunk(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
