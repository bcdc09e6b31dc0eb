"""The conversation of OpenAI's own lines as turns: messages of Chat and items of Responses."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from bifrost_cli.providers.openai.checks import a_list, a_string, an_object, invalid
from bifrost_cli.providers.openai.own_parts import PARTS, TEXTS, Object, blocks, check_members, refuse, text

Reader = Callable[[Object, str], tuple[str, list[Object]]]
"""Takes a message or item and its path; gives the role of its turn, and blocks."""

LABELS = frozenset({"type", "id", "status"})
"""Of items of an earlier answer, given back as history."""
MESSAGE = LABELS | {"role", "content"}
ASSISTANT = MESSAGE | {"tool_calls", "refusal", "annotations"}
TOOL_MESSAGE = MESSAGE | {"tool_call_id", "name"}
"""`name` says again what the call said."""
CALL = LABELS | {"call_id", "name", "arguments"}
OUTPUT = LABELS | {"call_id", "output"}


def read(value: Any, field: str) -> tuple[list[Object], list[Object]]:
    """The blocks of the system prompt, and the turns, of `messages` or `input`: an item without a type is a message."""
    turns: list[Object] = []
    for index, item in enumerate(a_list(value, field)):
        where = f"{field}.{index}"
        kind = a_string(an_object(item, where).get("type") or "message", f"{where}.type")
        if kind not in ITEMS:
            refuse(where, f"other providers have no counterpart for an item of type '{kind}'")
        _add(turns, *ITEMS[kind](item, where))
    first = next((at for at, turn in enumerate(turns) if turn["role"] != "system"), len(turns))
    system = [block for turn in turns[:first] for block in turn["content"]]
    return system, [{"role": turn["role"], "content": plain(turn["content"])} for turn in turns[first:]]


def _add(turns: list[Object], role: str, content: list[Object]) -> None:
    """Put blocks in the last turn if it is of the same role, as Anthropic would read it, else in a new one."""
    if content and turns and turns[-1]["role"] == role:
        turns[-1]["content"] += content
    elif content:
        turns.append({"role": role, "content": content})


def plain(content: list[Object]) -> str | list[Object]:
    """Blocks, tool results first; or the text, where there is nothing else."""
    if len(content) == 1 and content[0]["type"] == "text":
        return str(content[0]["text"])
    return sorted(content, key=lambda block: block["type"] != "tool_result")


def _message(item: Object, field: str) -> tuple[str, list[Object]]:
    role = a_string(item.get("role"), f"{field}.role")
    if role not in ROLES:
        invalid(f"{field}.role", f"one of {', '.join(ROLES)}", role)
    return ROLES[role](item, field)


def _system(message: Object, field: str) -> tuple[str, list[Object]]:
    check_members(message, MESSAGE, field)
    return "system", blocks(message.get("content"), f"{field}.content", TEXTS)


def _user(message: Object, field: str) -> tuple[str, list[Object]]:
    check_members(message, MESSAGE, field)
    return "user", blocks(message.get("content"), f"{field}.content", PARTS)


def _assistant(message: Object, field: str) -> tuple[str, list[Object]]:
    check_members(message, ASSISTANT, field)
    content, refusal, calls = (message.get(name) for name in ("content", "refusal", "tool_calls"))
    said = [] if content in (None, "") else blocks(content, f"{field}.content", TEXTS)
    if refusal:
        said.append(text(a_string(refusal, f"{field}.refusal")))
    if calls:
        listed = enumerate(a_list(calls, f"{field}.tool_calls"))
        said += [_tool_call(call, f"{field}.tool_calls.{index}") for index, call in listed]
    if not said:
        refuse(f"{field}.content", "other providers take no assistant message that says nothing")
    return "assistant", said


def _tool(message: Object, field: str) -> tuple[str, list[Object]]:
    check_members(message, TOOL_MESSAGE, field)
    return "user", [_result(message, field, "tool_call_id", "content")]


ROLES: Mapping[str, Reader] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
}


def _call_item(item: Object, field: str) -> tuple[str, list[Object]]:
    check_members(item, CALL, field)
    return "assistant", [_tool_use(item.get("call_id"), f"{field}.call_id", item, field)]


def _output_item(item: Object, field: str) -> tuple[str, list[Object]]:
    check_members(item, OUTPUT, field)
    return "user", [_result(item, field, "call_id", "output")]


def _reasoning_item(item: Object, field: str) -> tuple[str, list[Object]]:
    """Another model's; left out."""
    return "assistant", []


ITEMS: Mapping[str, Reader] = {
    "message": _message,
    "function_call": _call_item,
    "function_call_output": _output_item,
    "reasoning": _reasoning_item,
}


def _tool_call(call: Any, field: str) -> Object:
    kind = an_object(call, field).get("type")
    if kind not in (None, "function"):
        refuse(f"{field}.type", "only calls of functions have a counterpart at other providers")
    check_members(call, {"id", "type", "function"}, field)
    function = an_object(call.get("function"), f"{field}.function")
    check_members(function, {"name", "arguments"}, f"{field}.function")
    return _tool_use(call.get("id"), f"{field}.id", function, f"{field}.function")


def _tool_use(id: Any, id_field: str, function: Object, field: str) -> Object:
    name = a_string(function.get("name"), f"{field}.name")
    arguments = _arguments(function.get("arguments"), f"{field}.arguments")
    return {"type": "tool_use", "id": a_string(id, id_field), "name": name, "input": arguments}


def _arguments(value: Any, field: str) -> Object:
    """The input of a call, which OpenAI writes as text; an empty text is an empty input."""
    try:
        read = orjson.loads(a_string(value, field) or "{}")
    except orjson.JSONDecodeError:
        invalid(field, "a JSON object, as text", value)
    return read if isinstance(read, dict) else invalid(field, "a JSON object, as text", value)


def _result(item: Object, field: str, id: str, output: str) -> Object:
    call = a_string(item.get(id), f"{field}.{id}")
    content = plain(blocks(item.get(output), f"{field}.{output}", PARTS))
    return {"type": "tool_result", "tool_use_id": call, "content": content}
