"""From a body for Responses or Chat Completions to the prompt that a model answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Prompt, Tool, tokens
from bifrost_cli.sandbox.openai import models

Body = Mapping[str, Any]
_MEDIA_TOKENS = {"input_image": 300, "image_url": 300, "input_file": 700, "file": 700}
_TOOL_TOKENS = 30


def of_responses(body: Body) -> Prompt:
    """The prompt in a body for Responses that has been checked."""
    form = (body.get("text") or {}).get("format") or {}
    tools = [tool for tool in body.get("tools") or () if tool["type"] == "function"]
    return Prompt(
        text=last_input(body),
        tokens=count_responses(body),
        tools=_tools(tools, body.get("tool_choice")),
        forced=_forced(body.get("tool_choice")),
        schema=_schema(form, form),
        limit=body.get("max_output_tokens"),
        thinking=models.effort(body["model"], (body.get("reasoning") or {}).get("effort")) not in (None, "none"),
    )


def of_chat(body: Body) -> Prompt:
    """The prompt in a body for Chat Completions that has been checked."""
    form = body.get("response_format") or {}
    tools = [tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"]
    stop = body.get("stop") or ()
    return Prompt(
        text=last_message(body),
        tokens=count_chat(body),
        tools=_tools(tools, body.get("tool_choice")),
        forced=_forced(body.get("tool_choice")),
        schema=_schema(form, form.get("json_schema") or {}),
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        stops=(stop,) if isinstance(stop, str) else tuple(stop),
        thinking=models.effort(body["model"], body.get("reasoning_effort")) not in (None, "none"),
    )


def last_input(body: Body) -> str:
    """What the user said last; for the output of functions, what that says."""
    if isinstance(body["input"], str):
        return body["input"]
    for item in reversed(body["input"]):
        if item.get("type") == "function_call_output":
            return "\n".join(_texts(item["output"]))
        if item.get("role") == "user":
            return "\n".join(_texts(item["content"]))
    return ""


def last_message(body: Body) -> str:
    """What the user said last; for the output of tools, what that says."""
    for message in reversed(body["messages"]):
        if message["role"] in ("user", "tool"):
            return "\n".join(_texts(message["content"]))
    return ""


def count_responses(body: Body) -> int:
    """About how many tokens go in."""
    items = body["input"] if isinstance(body["input"], list) else [{"content": body["input"]}]
    contents = [item.get("content", item.get("output", item.get("arguments"))) for item in items]
    return 3 + _count([body.get("instructions"), *contents]) + _tool_count(body)


def count_chat(body: Body) -> int:
    """About how many tokens go in."""
    return 3 + _count(message.get("content") for message in body["messages"]) + _tool_count(body)


def _count(contents: Iterable[Any]) -> int:
    total = 0
    for content in contents:
        total += 4 + sum(map(tokens, _texts(content)))
        if isinstance(content, list):
            total += sum(_MEDIA_TOKENS.get(part.get("type"), 0) for part in content)
    return total


def _tool_count(body: Body) -> int:
    return sum(_TOOL_TOKENS + tokens(str(tool)) for tool in body.get("tools") or ())


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (part["text"] for part in content if isinstance(part.get("text"), str))


def _tools(tools: Iterable[Body], choice: Any) -> tuple[Tool, ...]:
    if choice == "none":
        return ()
    return tuple(Tool(tool["name"], tool.get("parameters") or {}) for tool in tools)


def _forced(choice: Any) -> str | None:
    if isinstance(choice, dict):
        return choice.get("name") or (choice.get("function") or {}).get("name")
    return "" if choice == "required" else None


def _schema(form: Body, holder: Body) -> Mapping[str, Any] | None:
    if form.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return holder.get("schema", {}) if form.get("type") == "json_schema" else None
