"""What OpenAI refuses in a body for `/v1/responses`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.openai import models, prompt, strict
from bifrost_cli.sandbox.openai.errors import Refusal, fit, invalid, missing
from bifrost_cli.sandbox.openai.reasoning import check_effort, check_responses
from bifrost_cli.sandbox.openai.responses_params import BODY, COUNT
from bifrost_cli.sandbox.shape import Check

Body = Mapping[str, Any]
HasFile = Callable[[str], bool]


def check(body: Any, has_file: HasFile) -> None:
    """Raises the Refusal that a body gets; else returns."""
    _check_prompt(body, BODY, has_file)
    check_responses(body, models.effort(body["model"], (body.get("reasoning") or {}).get("effort")))
    if body.get("stream_options") and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(message, param="stream_options")


def check_count(body: Any, has_file: HasFile) -> None:
    """Raises the Refusal that a token count gets; else returns."""
    _check_prompt(body, COUNT, has_file)


def _check_prompt(body: Any, shape: Check, has_file: HasFile) -> None:
    fit(shape, body)
    for name in ("model", "input"):
        if name not in body:
            raise missing(name)
    if not models.exists(body["model"]):
        raise invalid(f"The requested model '{body['model']}' does not exist.", "model", "model_not_found")
    _check_kept(body)
    if prompt.count_responses(body) > models.WINDOW:
        message = "Your input exceeds the context window of this model. Please adjust your input and try again."
        raise invalid(message, "input", "context_length_exceeded")
    check_effort(body["model"], (body.get("reasoning") or {}).get("effort"), "reasoning.effort")
    _check_tools(body)
    _check_format(body)
    _check_input(body["input"], has_file)


def _check_kept(body: Body) -> None:
    """Nothing is kept here that a body could refer to."""
    kept = {"previous_response_id": "Previous response", "conversation": "Conversation", "prompt": "Prompt"}
    for name, label in kept.items():
        value = body.get(name)
        if value is not None:
            id = value.get("id") if isinstance(value, dict) else value
            code = "previous_response_not_found" if name == "previous_response_id" else None
            raise Refusal(f"{label} with id '{id}' not found.", param=name, code=code)


def _check_tools(body: Body) -> None:
    tools, choice_ = body.get("tools") or (), body.get("tool_choice")
    names = [tool["name"] for tool in tools if tool["type"] == "function"]
    for position, tool in enumerate(tools):
        if tool["type"] == "function":
            param = f"tools[{position}].parameters"
            strict.check_parameters(tool["name"], tool.get("parameters"), tool.get("strict") is True, param)
    if len(set(names)) < len(names):
        raise Refusal("Tool names must be unique.", param="tools")
    if isinstance(choice_, dict) and choice_["type"] == "function" and choice_["name"] not in names:
        message = f"Tool choice 'function' not found in 'tools' parameter: '{choice_['name']}'."
        raise Refusal(message, param="tool_choice")
    if choice_ == "required" and not tools:
        raise Refusal("Tool choice 'required' must be specified with 'tools' parameter.", param="tool_choice")


def _check_format(body: Body) -> None:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        strict.check_format(form["name"], form["schema"], form.get("strict") is True, "text.format.schema")


def _check_input(items: Any, has_file: HasFile) -> None:
    if not isinstance(items, list):
        return
    if not items:
        raise missing("input")
    _check_pairs(items)
    for part, path in _parts(items):
        _check_part(part, path, has_file)


def _check_pairs(items: list[Body]) -> None:
    """Each output answers a call before it, and each call has its output."""
    called: set[str] = set()
    answered: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            called.add(item["call_id"])
        elif item.get("type") == "function_call_output":
            if item["call_id"] not in called:
                message = f"No tool call found for function call output with call_id {item['call_id']}."
                raise Refusal(message, param="input")
            answered.add(item["call_id"])
    if called - answered:
        raise Refusal(f"No tool output found for function call {min(called - answered)}.", param="input")


def _parts(items: list[Body]) -> Iterator[tuple[Body, str]]:
    for position, item in enumerate(items):
        name = "output" if item.get("type") == "function_call_output" else "content"
        content = item.get(name)
        for index, part in enumerate(content if isinstance(content, list) else ()):
            yield part, f"input[{position}].{name}[{index}]"


def _check_part(part: Body, path: str, has_file: HasFile) -> None:
    kind = part.get("type")
    if kind == "input_image":
        _check_one(part, path, ("image_url", "file_id"))
        _check_url(part.get("image_url"), f"{path}.image_url", data=True)
    elif kind == "input_file":
        _check_one(part, path, ("file_id", "file_data", "file_url"))
        _check_url(part.get("file_url"), f"{path}.file_url", data=False)
        _check_file_data(part, path)
    file_id = part.get("file_id")
    if file_id is not None and not has_file(file_id):
        raise Refusal(f"Files [{file_id!r}] were not found.", 404, param="input")


def _check_one(part: Body, path: str, names: tuple[str, ...]) -> None:
    given = [name for name in names if part.get(name) is not None]
    if not given:
        raise missing(f"{path}.{names[0]}")
    if len(given) > 1:
        raise Refusal(f"Mutually exclusive parameters: {given}. Ensure you are only providing one of them.", param=path)


def _check_url(value: str | None, param: str, *, data: bool) -> None:
    if value is None or value.startswith(("https://", "http://")) or (data and _is_data(value)):
        return
    message = f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format."
    raise invalid(message, param, "invalid_value")


def _check_file_data(part: Body, path: str) -> None:
    if part.get("file_data") is None:
        return
    if not part.get("filename"):
        raise missing(f"{path}.filename")
    if not _is_data(part["file_data"]):
        param = f"{path}.file_data"
        message = f"Invalid '{param}'. Expected a base64-encoded data URL with a MIME type, but got a value without it."
        raise invalid(message, param, "invalid_value")


def _is_data(value: str) -> bool:
    return value.startswith("data:") and ";base64," in value[:200]
