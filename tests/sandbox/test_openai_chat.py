"""OpenAI's Chat Completions: answers, streams, and what they refuse."""

import json
from typing import Any

import openai
import pytest
from openai import BadRequestError, NotFoundError

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "name": "weather", "parameters": PARAMETERS}
CHAT_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}


def test_a_chat(gpt: openai.OpenAI) -> None:
    answer = gpt.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "one two"}], stop=["two"]
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("[sandbox] answer to: one ", "stop")
    cut = gpt.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "long " * 50}], max_completion_tokens=3
    )
    assert cut.choices[0].finish_reason == "length"
    refused = gpt.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "sandbox:refuse"}])
    assert refused.choices[0].message.content is None
    assert refused.choices[0].message.refusal


def test_a_chat_stream_says_what_the_whole_says(gpt: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}]}
    whole = gpt.chat.completions.create(**asked)
    chunks = list(gpt.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    tools = {"tools": [CHAT_WEATHER], "tool_choice": "required"}
    parts = [chunk.choices[0].delta.tool_calls for chunk in gpt.chat.completions.create(**asked, **tools, stream=True)]
    calls = [part[0] for part in parts if part]
    assert calls[0].function.name == "weather"
    assert json.loads("".join(call.function.arguments for call in calls)) == {"city": "[sandbox]"}


def messages(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages)}


USER = {"role": "user", "content": "hi"}
CALLED = {
    "role": "assistant",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
TOOL = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
ONLY_DEFAULT = "with this model. Only the default (1) value is supported."

CHAT: dict[str, tuple[dict[str, Any], str, str | None, str | None]] = {
    "max_output_tokens": (
        {"max_output_tokens": 50},
        "Unknown parameter: 'max_output_tokens'.",
        "max_output_tokens",
        "unknown_parameter",
    ),
    "input": ({"input": "x"}, "Unknown parameter: 'input'.", "input", "unknown_parameter"),
    "no messages": (
        {"messages": ...},
        "Missing required parameter: 'messages'.",
        "messages",
        "missing_required_parameter",
    ),
    "empty": (
        {"messages": []},
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages",
        "empty_array",
    ),
    "max_tokens when reasoning": (
        {"model": "gpt-5", "max_tokens": 50},
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "max_tokens",
        "unsupported_parameter",
    ),
    "max_tokens of o4-mini": (
        {"model": "o4-mini", "max_tokens": 50},
        "Unsupported parameter: 'max_tokens'",
        "max_tokens",
        "unsupported_parameter",
    ),
    "stop five": (
        {"stop": list("abcde")},
        "Invalid 'stop': array too long. Expected an array with maximum length 4, but got",
        "stop",
        "array_above_max_length",
    ),
    "stop of o3": (
        {"model": "o3", "stop": "x"},
        "Unsupported parameter: 'stop' is not supported with this model.",
        "stop",
        "unsupported_parameter",
    ),
    "stop when reasoning": (
        {"model": "gpt-5-mini", "stop": "x"},
        "Unsupported parameter: 'stop' is not supported with this model.",
        "stop",
        "unsupported_parameter",
    ),
    "tools when reasoning": (
        {"model": "gpt-5.4", "reasoning_effort": "low", "tools": [CHAT_WEATHER]},
        "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. To use function "
        "tools, use /v1/responses or set reasoning_effort to 'none'.",
        "reasoning_effort",
        None,
    ),
    "tools when reasoning by default": (
        {"model": "gpt-6-luna", "tools": [CHAT_WEATHER]},
        "Function tools with reasoning_effort are not supported for gpt-6-luna in /v1/chat/completions.",
        "reasoning_effort",
        None,
    ),
    "temperature when reasoning": (
        {"model": "gpt-5", "temperature": 0.5},
        f"Unsupported value: 'temperature' does not support 0.5 {ONLY_DEFAULT}",
        "temperature",
        "unsupported_value",
    ),
    "tool message first": (
        messages(USER, TOOL),
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
        "messages.[1].role",
        None,
    ),
    "tool message missing": (
        messages(USER, CALLED, USER),
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: call_1",
        "messages.[2].role",
        None,
    ),
    "assistant says nothing": (
        messages(USER, {"role": "assistant"}, USER),
        "Invalid value for 'content': expected a string, got null.",
        "messages.[1].content",
        None,
    ),
    "role": (messages({"role": "x", "content": "y"}), "Invalid value: 'x'. ", "messages[0].role", "invalid_value"),
    "part": (
        messages({"role": "user", "content": [{"type": "input_text", "text": "x"}]}),
        "Invalid value: 'input_text'. Supported values are: 'text', 'image_url', 'input_audio', and 'file'.",
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "image in a tool message": (
        messages(USER, CALLED, {**TOOL, "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}),
        "Invalid value: 'image_url'. Supported values are: 'text'.",
        "messages[2].content[0].type",
        "invalid_value",
    ),
    "tool as in responses": (
        {"tools": [WEATHER]},
        "Missing required parameter: 'tools[0].function'.",
        "tools[0].function",
        "missing_required_parameter",
    ),
    "no tools": ({"tools": []}, "Invalid 'tools': empty array.", "tools", "empty_array"),
    "choice without tools": (
        {"tool_choice": "auto"},
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        "tool_choice",
        None,
    ),
    "json": (
        {"response_format": {"type": "json_object"}},
        "'messages' must contain the word 'json' in some form",
        "messages",
        None,
    ),
    "stream options": (
        {"stream_options": {"include_usage": True}},
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
        None,
    ),
}


@pytest.mark.parametrize("case", CHAT)
def test_refused_by_chat(instant: Any, case: str) -> None:
    fields, text, param, code = CHAT[case]
    body = {"model": "gpt-4.1", "messages": [USER], **fields}
    with instant.http("openai") as http:
        answer = http.post("/chat/completions", json={name: value for name, value in body.items() if value is not ...})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["message"].startswith(text)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


def test_an_unknown_model_of_chat_is_a_404(gpt: openai.OpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        gpt.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])
    assert (caught.value.code, caught.value.param) == ("model_not_found", None)


def test_effort_none_takes_what_reasoning_does_not(gpt: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"messages": [USER], "temperature": 0, "stop": ["x"], "tools": [CHAT_WEATHER]}
    assert gpt.chat.completions.create(model="gpt-5.4", **asked).choices
    assert gpt.chat.completions.create(model="gpt-6-luna", reasoning_effort="none", **asked).choices
    with pytest.raises(BadRequestError):
        gpt.chat.completions.create(model="gpt-6-luna", **asked)
