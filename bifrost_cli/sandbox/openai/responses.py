"""OpenAI's Responses API: the answer to a body, whole or as a stream of events. Nothing is kept for later.

Members and their order are as recorded in 2026-08.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, derived
from bifrost_cli.sandbox.openai import models, prompt
from bifrost_cli.sandbox.openai.endpoint import has_file, rate_headers, refuse_triggers
from bifrost_cli.sandbox.openai.json import parse, pretty
from bifrost_cli.sandbox.openai.responses_check import check, check_count
from bifrost_cli.sandbox.openai.responses_stream import events

Body = Mapping[str, Any]
_ZEROS = {"image_tokens": 0, "text_tokens": 0}
_IMAGE_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": _ZEROS,
    "output_tokens": 0,
    "output_tokens_details": _ZEROS,
    "total_tokens": 0,
}


def create(call: Call) -> Response:
    """`POST /v1/responses`"""
    body = parse(call.body)
    check(body, has_file(call))
    refuse_triggers(prompt.last_input(body))
    call.account.count("responses")
    whole = reply(body, call.id, int(call.now))
    if not body.get("stream"):
        answered = pretty(whole)
        answered.headers.update(rate_headers())
        return answered
    obfuscate = (body.get("stream_options") or {}).get("include_obfuscation", True)
    headers = {"content-type": "text/event-stream; charset=utf-8", **rate_headers()}
    return StreamingResponse(events(whole, obfuscate), headers=headers)


def count_tokens(call: Call) -> Response:
    """`POST /v1/responses/input_tokens`"""
    body = parse(call.body)
    check_count(body, has_file(call))
    return JSONResponse({"object": "response.input_tokens", "input_tokens": prompt.count_responses(body)})


def reply(body: Body, seed: str, created: int) -> dict[str, Any]:
    """The Response to a body that has been checked: the same each time for the same `seed`."""
    said = answer(prompt.of_responses(body))
    cut = said.finish is Finish.LENGTH
    return {
        "id": f"resp_{MARK}{derived(seed, 47)}",
        "object": "response",
        "created_at": created,
        "status": "incomplete" if cut else "completed",
        "background": False,
        "billing": {"payer": "developer"},
        "completed_at": None if cut else created + 1,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": models.snapshot(body["model"]),
        "moderation": None,
        "output": list(_output(said, body, seed)),
        **_echo(body),
        "usage": _usage(said),
        "user": body.get("user"),
        "metadata": body.get("metadata") or {},
    }


def _echo(body: Body) -> dict[str, Any]:
    """The settings that the request came to."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    effort = models.effort(body["model"], reasoning.get("effort"))
    return {
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": body.get("prompt_cache_retention") or "in_memory",
        "reasoning": {
            "context": "current_turn" if effort else None,
            "effort": effort,
            "mode": "standard",
            "summary": reasoning.get("summary"),
        },
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "store": body.get("store") is not False,
        "temperature": _or(body.get("temperature"), 1.0),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": body.get("tool_choice") or "auto",
        "tool_usage": {"image_gen": _IMAGE_USAGE, "web_search": {"num_requests": 0}},
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _or(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
    }


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _tool(tool: Body) -> dict[str, Any]:
    if tool["type"] != "function":
        return dict(tool)
    blank = {"type": "function", "description": None, "name": None, "output_schema": None, "parameters": None}
    return {**blank, "strict": True, **tool}


def _output(said: Answer, body: Body, seed: str) -> Iterator[dict[str, Any]]:
    if said.thinking:
        yield _reasoning(said, body, seed)
    status = "incomplete" if said.finish is Finish.LENGTH else "completed"
    if said.call is not None:
        yield {
            "id": f"fc_{MARK}{derived(seed + 'call', 47)}",
            "type": "function_call",
            "status": status,
            "arguments": said.call.text,
            "call_id": f"call_{MARK}{derived(seed + 'id', 21)}",
            "name": said.call.name,
        }
    elif said.text:
        phase = {"phase": "final_answer"} if models.generation(body["model"]) >= (5, 4) else {}
        yield {
            "id": f"msg_{MARK}{derived(seed + 'message', 47)}",
            "type": "message",
            "status": status,
            "content": [_part(said)],
            **phase,
            "role": "assistant",
        }


def _reasoning(said: Answer, body: Body, seed: str) -> dict[str, Any]:
    item: dict[str, Any] = {"id": f"rs_{MARK}{derived(seed + 'reasoning', 47)}", "type": "reasoning", "content": []}
    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = "gAAAAAB" + base64.urlsafe_b64encode(said.thinking.encode()).decode()
    summary = (body.get("reasoning") or {}).get("summary")
    return {**item, "summary": [{"type": "summary_text", "text": said.thinking}] if summary else []}


def _part(said: Answer) -> dict[str, Any]:
    if said.finish is Finish.REFUSAL:
        return {"type": "refusal", "refusal": said.text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": said.text}


def _usage(said: Answer) -> dict[str, Any]:
    return {
        "input_tokens": said.input_tokens,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": said.thinking_tokens},
        "total_tokens": said.input_tokens + said.output_tokens,
    }
