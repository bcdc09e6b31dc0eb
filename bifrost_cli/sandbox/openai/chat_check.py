"""What OpenAI refuses in a body for `/v1/chat/completions`."""

from collections.abc import Callable, Mapping
from typing import Any

from bifrost_cli.sandbox.openai import models, prompt, strict
from bifrost_cli.sandbox.openai.chat_params import BODY
from bifrost_cli.sandbox.openai.errors import Refusal, fit, invalid, missing
from bifrost_cli.sandbox.openai.reasoning import check_chat, check_effort

Body = Mapping[str, Any]
HasFile = Callable[[str], bool]


def check(body: Any, has_file: HasFile) -> None:
    """Raises the Refusal that a body gets; else returns."""
    fit(BODY, body)
    for name in ("model", "messages"):
        if name not in body:
            raise missing(name)
    model = body["model"]
    if not models.exists(model):
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refusal(message, 404, code="model_not_found")
    size = prompt.count_chat(body)
    if size > models.WINDOW:
        message = f"This model's maximum context length is {models.WINDOW} tokens. However, your messages resulted in "
        raise invalid(f"{message}{size} tokens.", "messages", "context_length_exceeded")
    check_effort(model, body.get("reasoning_effort"), "reasoning_effort")
    check_chat(body, models.effort(model, body.get("reasoning_effort")))
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Refusal(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            code="invalid_parameter_combination",
        )
    _check_tools(body)
    _check_format(body)
    _check_messages(body["messages"], has_file)
    if body.get("stream_options") and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(message, param="stream_options")


def _check_tools(body: Body) -> None:
    tools = [tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"]
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) not in (None, "none") and not body.get("tools"):
            message = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            raise Refusal(message, param=name)
    for position, tool in enumerate(tools):
        param = f"tools[{position}].function.parameters"
        strict.check_parameters(tool["name"], tool.get("parameters"), tool.get("strict") is True, param)
    chosen = body.get("tool_choice")
    if isinstance(chosen, dict) and chosen["type"] == "function":
        name = chosen["function"]["name"]
        if name not in [tool["name"] for tool in tools]:
            raise Refusal(
                f"Invalid value for 'tool_choice': no function named '{name}' was specified in the 'tools' parameter.",
                param="tool_choice",
            )


def _check_format(body: Body) -> None:
    form = body.get("response_format") or {"type": "text"}
    if form["type"] == "json_schema":
        schema = form["json_schema"]
        strict.check_format(schema["name"], schema.get("schema", {}), schema.get("strict") is True, "response_format")
    elif form["type"] == "json_object" and "json" not in str(body["messages"]).lower():
        raise Refusal(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            param="messages",
        )


def _check_messages(messages: list[Body], has_file: HasFile) -> None:
    open_calls: set[str] = set()
    for position, message in enumerate(messages):
        if message["role"] == "tool":
            _check_tool_message(message, position, open_calls)
            open_calls.discard(message["tool_call_id"])
            continue
        _check_answered(open_calls, position)
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
        if message["role"] == "assistant" and not message.get("content") and not open_calls:
            _check_said(message, position)
        _check_parts(message, position, has_file)
    _check_answered(open_calls, len(messages))


def _check_tool_message(message: Body, position: int, open_calls: set[str]) -> None:
    if message["tool_call_id"] not in open_calls:
        raise Refusal(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            param=f"messages.[{position}].role",
        )


def _check_answered(open_calls: set[str], position: int) -> None:
    if open_calls:
        raise Refusal(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(sorted(open_calls))}",
            param=f"messages.[{position}].role",
        )


def _check_said(message: Body, position: int) -> None:
    if message.get("content") is None and message.get("refusal") is None and not message.get("function_call"):
        param = f"messages.[{position}].content"
        raise Refusal("Invalid value for 'content': expected a string, got null.", param=param)


def _check_parts(message: Body, position: int, has_file: HasFile) -> None:
    content = message.get("content")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        param = f"messages[{position}].content[{index}]"
        if part["type"] == "image_url":
            _check_image(part["image_url"]["url"], f"{param}.image_url.url")
        elif part["type"] == "file":
            _check_file(part["file"], param, has_file)


def _check_image(value: str, param: str) -> None:
    if not value.startswith(("https://", "http://")) and not (value.startswith("data:image/") and ";base64," in value):
        raise invalid(
            f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format.", param, "invalid_value"
        )


def _check_file(file: Body, param: str, has_file: HasFile) -> None:
    if "file_id" in file:
        if not has_file(file["file_id"]):
            raise Refusal(f"Invalid file_id: {file['file_id']}. File not found.", param=f"{param}.file.file_id")
    elif "file_data" not in file:
        raise missing(f"{param}.file.file_id")
    elif not file.get("filename"):
        raise missing(f"{param}.file.filename")
