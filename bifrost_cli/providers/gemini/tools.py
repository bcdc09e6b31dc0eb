"""Tools: declarations, the choice among them, calls and their results."""

import re
from typing import Any

from bifrost_cli.providers.gemini.blocks import HINTS, TEXT_OR_BLOCKS, Part, parts
from bifrost_cli.providers.gemini.checks import (
    Terms,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    dumps,
    invalid,
    refuse,
    unsupported,
)

TOOL = frozenset(
    {
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "input_examples",
        "cache_control",
        "defer_loading",
        "allowed_callers",
        "eager_input_streaming",
    }
)
"""Of these `cache_control` and `eager_input_streaming` are hints: Gemini streams no input, but gives calls whole."""
TOOL_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
TOOL_USE = HINTS | {"type", "id", "name", "input", "caller"}
TOOL_RESULT = HINTS | {"type", "tool_use_id", "content", "is_error"}
CHOICES = {"auto": "AUTO", "any": "ANY", "none": "NONE"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
"""Names that Gemini takes (documented)."""
STRICT = "VALIDATED"
"""The mode in which calls keep to their schemas and text may come instead; it is of all tools of a request."""


# -- declarations -----------------------------------------------------------------------------------------------


def declarations(tools: Any, terms: Terms) -> list[dict[str, Any]]:
    """The tools, which may be none."""
    given = a_list(tools, "tools") if tools != [] else []
    return [_declaration(tool, f"tools.{index}", terms) for index, tool in enumerate(given)]


def _declaration(tool: Any, field: str, terms: Terms) -> dict[str, Any]:
    if an_object(tool, field).get("type") not in (None, "custom"):
        unsupported(field, f"tools of type '{tool['type']}' are Anthropic's own; Gemini has no counterpart for it")
    check_members(tool, TOOL, field, terms.drop)
    _check_loading(tool, field, terms)
    a_flag(tool.get("strict"), f"{field}.strict")
    made: dict[str, Any] = {"name": tool_name(tool.get("name"), f"{field}.name")}
    if described := _description(tool, field):
        made["description"] = described
    made["parameters_json_schema"] = an_object(tool.get("input_schema"), f"{field}.input_schema")
    return made


def any_strict(tools: list[dict[str, Any]]) -> bool:
    """Whether a tool, checked before, asks for calls that keep to its schema."""
    return any(tool.get("strict") for tool in tools)


def tool_name(value: Any, field: str) -> str:
    """A name that Gemini takes."""
    name = a_string(value, field)
    if not NAME.fullmatch(name):
        rule = "Gemini's names are 1 to 128 of a-z A-Z 0-9 _ . : - and begin with a letter or _"
        unsupported(field, rule, "Shorten or rename it.")
    return name


def _check_loading(tool: dict[str, Any], field: str, terms: Terms) -> None:
    if a_flag(tool.get("defer_loading"), f"{field}.defer_loading"):
        refuse(f"{field}.defer_loading", "tools are searched for at Anthropic only", terms.drop)
    if tool.get("allowed_callers") not in (None, ["direct"]):
        refuse(f"{field}.allowed_callers", "tools are called from code at Anthropic only", terms.drop)


def _description(tool: dict[str, Any], field: str) -> str:
    """The description, with the examples of input below it."""
    given = tool.get("description")
    lines = [a_string(given, f"{field}.description")] if given else []
    if examples := tool.get("input_examples"):
        lines.append("Examples of input:")
        where = f"{field}.input_examples"
        lines += [dumps(example, where).decode() for example in a_list(examples, where)]
    return "\n".join(lines)


# -- the choice -------------------------------------------------------------------------------------------------


def calling(value: Any, tools: Any, terms: Terms) -> dict[str, Any] | None:
    """`tool_choice` as a function_calling_config. Without tools, `auto` and `none` ask for nothing."""
    choice = an_object(value, "tool_choice")
    check_members(choice, TOOL_CHOICE, "tool_choice", terms.drop)
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in (*CHOICES, "tool"):
        invalid("tool_choice.type", f"one of {', '.join(CHOICES)}, tool", kind)
    if not tools:
        if kind in ("any", "tool"):
            invalid("tools", "given where tool_choice asks for one", tools)
        return None
    alone = "tool_choice.disable_parallel_tool_use"
    if a_flag(choice.get("disable_parallel_tool_use"), alone) and kind != "none":
        refuse(alone, "Gemini cannot be told to make no parallel calls", terms.drop)
    if kind == "tool":
        return {"mode": "ANY", "allowed_function_names": [tool_name(choice.get("name"), "tool_choice.name")]}
    return {"mode": CHOICES[kind]}


# -- calls and results ------------------------------------------------------------------------------------------


def call(block: dict[str, Any], field: str, terms: Terms) -> Part:
    """A tool_use block as a function call. Its `caller` asks for nothing where the model itself called."""
    check_members(block, TOOL_USE, field, terms.drop)
    if block.get("caller") not in (None, {"type": "direct"}):
        refuse(f"{field}.caller", "tools are called from code at Anthropic only", terms.drop)
    made = {
        "id": a_string(block.get("id"), f"{field}.id"),
        "name": tool_name(block.get("name"), f"{field}.name"),
        "args": an_object(block.get("input"), f"{field}.input"),
    }
    return {"function_call": made}


def result(block: dict[str, Any], field: str, calls: dict[str, str], terms: Terms) -> Part:
    """A tool_result block as a function response, under the name that the call of its id has in `calls`."""
    check_members(block, TOOL_RESULT, field, terms.drop)
    id = a_string(block.get("tool_use_id"), f"{field}.tool_use_id")
    if id not in calls:
        invalid(f"{field}.tool_use_id", "the id of an earlier tool_use block", id)
    said, media = _output(block.get("content"), f"{field}.content", terms)
    name = "error" if a_flag(block.get("is_error"), f"{field}.is_error") else "output"
    made: dict[str, Any] = {"id": id, "name": calls[id], "response": {name: said}}
    if media:
        made["parts"] = media
    return {"function_response": made}


def _output(content: Any, field: str, terms: Terms) -> tuple[str, list[Part]]:
    """The text of a result, and the media beside it."""
    if content in (None, "", []) or isinstance(content, str):
        return content or "", []
    made = parts(a_list(content, field, TEXT_OR_BLOCKS), field, terms)
    media = [part for part in made if "text" not in part]
    if media:
        _check_media(media, field, terms)
    return "\n".join(part["text"] for part in made if "text" in part), media


def _check_media(media: list[Part], field: str, terms: Terms) -> None:
    if not terms.traits.signs:
        hint = "Put it into a user message after the result."
        unsupported(field, "only Gemini 3 and later take images and documents in a tool result", hint)
    if any("file_data" in part for part in media):
        unsupported(field, "a tool result holds images and documents as base64 only, not by address or file id")
