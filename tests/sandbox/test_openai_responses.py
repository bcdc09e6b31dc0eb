"""OpenAI's Responses: answers, streams, and what they refuse."""

import json
from typing import Any

import openai
import pytest
from openai import InternalServerError, NotFoundError

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
CHAT_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}


def test_a_response(gpt: openai.OpenAI) -> None:
    response = gpt.responses.create(model="gpt-5-nano", input="What is 2 + 2?")
    assert response.output_text == "[sandbox] answer to: What is 2 + 2?"
    assert (response.status, response.model) == ("completed", "gpt-5-nano-2025-08-07")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_effort_none_does_not_reason(gpt: openai.OpenAI) -> None:
    for fields in (
        {"model": "gpt-5.4"},
        {"model": "gpt-6-luna", "reasoning": {"effort": "none"}},
        {"model": "gpt-4.1"},
    ):
        response = gpt.responses.create(input="hi", **fields)  # type: ignore[call-overload]
        assert [item.type for item in response.output] == ["message"]


def test_a_tool_is_called_when_forced_or_asked(gpt: openai.OpenAI) -> None:
    for text, choice in (("hi", "required"), ("hi", {"type": "function", "name": "weather"}), ("sandbox:tool", "auto")):
        response = gpt.responses.create(model="gpt-4.1", input=text, tools=[WEATHER], tool_choice=choice)  # type: ignore[call-overload]
        (call,) = response.output
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "[sandbox]"})
        answer = gpt.chat.completions.create(
            model="gpt-4.1",
            messages=[{"role": "user", "content": text}],
            tools=[CHAT_WEATHER],  # type: ignore[list-item]
            tool_choice=choice if isinstance(choice, str) else {"type": "function", "function": {"name": "weather"}},  # type: ignore[arg-type]
        )
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.choices[0].message.tool_calls[0].function.name == "weather"  # type: ignore[index,union-attr]


def test_structured_output(gpt: openai.OpenAI) -> None:
    response = gpt.responses.create(
        model="gpt-4.1",
        input="hi",
        text={"format": {"type": "json_schema", "name": "x", "schema": PARAMETERS, "strict": True}},
    )
    assert json.loads(response.output_text) == {"city": "[sandbox]"}
    answer = gpt.chat.completions.create(
        model="gpt-4.1",
        messages=[{"role": "user", "content": "hi"}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": PARAMETERS, "strict": True}},
    )
    assert json.loads(answer.choices[0].message.content or "") == {"city": "[sandbox]"}


def test_small_limits_end_incomplete(gpt: openai.OpenAI) -> None:
    response = gpt.responses.create(model="gpt-5-nano", input="long " * 50, max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert [item.type for item in response.output] == ["reasoning"]


@pytest.mark.parametrize("fields", [{}, {"tools": [WEATHER], "tool_choice": "required"}, {"input": "sandbox:refuse"}])
def test_a_stream_says_what_the_whole_says(gpt: openai.OpenAI, fields: dict[str, Any]) -> None:
    asked = {"model": "gpt-5-nano", "input": "hi", **fields}
    whole = gpt.responses.create(**asked)
    events = list(gpt.responses.create(**asked, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    last = events[-1].response.output[-1].to_dict()
    assert {**last, "id": "", "call_id": ""} == {**whole.output[-1].to_dict(), "id": "", "call_id": ""}
    deltas = [event for event in events if event.type.endswith(".delta")]
    assert deltas
    assert all(event.to_dict()["obfuscation"] for event in deltas)


def test_counting_and_models(gpt: openai.OpenAI) -> None:
    short = gpt.responses.input_tokens.count(model="gpt-5", input="hi").input_tokens
    assert short < gpt.responses.input_tokens.count(model="gpt-5", input="hi " * 100).input_tokens
    assert "gpt-5-nano" in [model.id for model in gpt.models.list()]
    assert gpt.models.retrieve("anything").id == "anything"
    with pytest.raises(NotFoundError):
        gpt.models.retrieve("no-such-model")


def test_a_file_must_be_there(gpt: openai.OpenAI) -> None:
    made = gpt.files.create(file=("a.pdf", b"%PDF"), purpose="user_data").id
    for file_id, found in ((made, True), ("file-unknown", False)):
        item = {"role": "user", "content": [{"type": "input_file", "file_id": file_id}]}
        if found:
            assert gpt.responses.create(model="gpt-4.1", input=[item]).status == "completed"  # type: ignore[list-item]
        else:
            with pytest.raises(NotFoundError, match="file-unknown"):
                gpt.responses.create(model="gpt-4.1", input=[item])  # type: ignore[list-item]


def test_passing_failures(gpt: openai.OpenAI) -> None:
    with pytest.raises(InternalServerError) as caught:
        gpt.responses.create(model="gpt-5", input="sandbox:overloaded")
    assert caught.value.status_code == 503


def items(*items: dict[str, Any]) -> dict[str, Any]:
    return {"input": list(items)}


def said(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": role, "content": list(parts)}]}


CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

RESPONSES: dict[str, tuple[dict[str, Any], str, str | None, str | None]] = {
    "stop": ({"stop": ["x"]}, "Unknown parameter: 'stop'.", "stop", "unknown_parameter"),
    "messages": ({"messages": []}, "Unknown parameter: 'messages'.", "messages", "unknown_parameter"),
    "max_tokens": ({"max_tokens": 50}, "Unknown parameter: 'max_tokens'.", "max_tokens", "unknown_parameter"),
    "no input": ({"input": ...}, "Missing required parameter: 'input'.", "input", "missing_required_parameter"),
    "no model": ({"model": ...}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    "limit": (
        {"max_output_tokens": 15},
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.",
        "max_output_tokens",
        "integer_below_min_value",
    ),
    "limit type": (
        {"max_output_tokens": "x"},
        "Invalid type for 'max_output_tokens': expected an integer, but got a string instead.",
        "max_output_tokens",
        "invalid_type",
    ),
    "temperature": (
        {"model": "gpt-4o", "temperature": -1},
        "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        "temperature",
        "decimal_below_min_value",
    ),
    "temperature when reasoning": (
        {"temperature": 0.5},
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature",
        None,
    ),
    "effort": (
        {"reasoning": {"effort": "none"}},
        "Unsupported value: 'none' is not supported with the 'gpt-5-nano' model. Supported values are: 'minimal', "
        "'low', 'medium', and 'high'.",
        "reasoning.effort",
        "unsupported_value",
    ),
    "effort of o4-mini": (
        {"model": "o4-mini", "reasoning": {"effort": "minimal"}},
        "Unsupported value: 'minimal' is not supported with the 'o4-mini' model. Supported values are: 'low', ",
        "reasoning.effort",
        "unsupported_value",
    ),
    "effort without reasoning": (
        {"model": "gpt-4.1", "reasoning": {"effort": "low"}},
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        "reasoning.effort",
        "unsupported_parameter",
    ),
    "item type": (items({"type": "text", "text": "x"}), "Invalid value: 'text'. ", "input[0].type", "invalid_value"),
    "role": (items({"role": "tool", "content": "x"}), "Invalid value: 'tool'. ", "input[0].role", "invalid_value"),
    "part type": (
        said("user", {"type": "text", "text": "x"}),
        "Invalid value: 'text'. Supported values are: 'input_text', 'input_image', and 'input_file'.",
        "input[0].content[0].type",
        "invalid_value",
    ),
    "part of the assistant": (
        said("assistant", {"type": "input_text", "text": "x"}),
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        "input[0].content[0].type",
        "invalid_value",
    ),
    "part without text": (
        said("user", {"type": "input_text"}),
        "Missing required parameter: 'input[0].content[0].text'.",
        "input[0].content[0].text",
        "missing_required_parameter",
    ),
    "part with cache_control": (
        said("user", {"type": "input_text", "text": "x", "cache_control": {}}),
        "Unknown parameter: 'input[0].content[0].cache_control'.",
        "input[0].content[0].cache_control",
        "unknown_parameter",
    ),
    "image without source": (
        said("user", {"type": "input_image"}),
        "Missing required parameter: 'input[0].content[0].image_url'.",
        "input[0].content[0].image_url",
        "missing_required_parameter",
    ),
    "image url": (
        said("user", {"type": "input_image", "image_url": "nonsense"}),
        "Invalid 'input[0].content[0].image_url'. Expected a valid URL",
        "input[0].content[0].image_url",
        "invalid_value",
    ),
    "file data": (
        said("user", {"type": "input_file", "filename": "a", "file_data": "aGk="}),
        "Invalid 'input[0].content[0].file_data'. Expected a base64-encoded data URL",
        "input[0].content[0].file_data",
        "invalid_value",
    ),
    "output without call": (
        items(OUTPUT),
        "No tool call found for function call output with call_id call_1.",
        "input",
        None,
    ),
    "call without output": (items(CALL), "No tool output found for function call call_1.", "input", None),
    "call id": (
        items({**CALL, "call_id": "x" * 65}, OUTPUT),
        "Invalid 'input[0].call_id': string too long. Expected a string with maximum length 64, but got a string with "
        "length 65 instead.",
        "input[0].call_id",
        "string_above_max_length",
    ),
    "tool as in chat": (
        {"tools": [CHAT_WEATHER]},
        "Missing required parameter: 'tools[0].name'.",
        "tools[0].name",
        "missing_required_parameter",
    ),
    "tool name": (
        {"tools": [{**WEATHER, "name": "a b"}]},
        "Invalid 'tools[0].name': string does not match pattern.",
        "tools[0].name",
        "invalid_value",
    ),
    "tool type": ({"tools": [{"type": "x"}]}, "Invalid value: 'x'. ", "tools[0].type", "invalid_value"),
    "strict": (
        {"tools": [{**WEATHER, "parameters": OPEN, "strict": True}]},
        "Invalid schema for function 'weather': In context=(), 'additionalProperties' is required to be supplied and "
        "to be false.",
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "choice": (
        {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}},
        "Tool choice 'function' not found in 'tools' parameter",
        "tool_choice",
        None,
    ),
    "choice word": ({"tool_choice": "any"}, "Invalid value: 'any'. ", "tool_choice", "invalid_value"),
    "format": (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": OPEN, "strict": True}}},
        "Invalid schema for response_format 'x': In context=(), 'additionalProperties'",
        "text.format.schema",
        "invalid_json_schema",
    ),
    "format name": (
        {"text": {"format": {"type": "json_schema", "schema": PARAMETERS}}},
        "Missing required parameter: 'text.format.name'.",
        "text.format.name",
        "missing_required_parameter",
    ),
    "metadata": ({"metadata": {"a": 1}}, "Invalid type for 'metadata.a'", "metadata.a", "invalid_type"),
    "previous": (
        {"previous_response_id": "resp_x"},
        "Previous response with id 'resp_x' not found.",
        "previous_response_id",
        "previous_response_not_found",
    ),
    "model": (
        {"model": "no-such-model"},
        "The requested model 'no-such-model' does not exist.",
        "model",
        "model_not_found",
    ),
    "asked": ({"input": "sandbox:error"}, "[sandbox] this request is refused", None, None),
}


@pytest.mark.parametrize("case", RESPONSES)
def test_refused_by_responses(instant: Any, case: str) -> None:
    fields, text, param, code = RESPONSES[case]
    body = {"model": "gpt-5-nano", "input": "hi", **fields}
    with instant.http("openai") as http:
        answer = http.post("/responses", json={name: value for name, value in body.items() if value is not ...})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["message"].startswith(text)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
