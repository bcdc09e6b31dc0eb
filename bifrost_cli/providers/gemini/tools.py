"""Tools: declarations, the choice among them, calls and their results."""

import re
from typing import Any

from bifrost_cli.providers import tools as shared
from bifrost_cli.providers.gemini.blocks import TEXT_OR_BLOCKS, Part, parts
from bifrost_cli.providers.gemini.checks import (
    CHECKS,
    Terms,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
    unsupported,
)

CHOICES = {"auto": "AUTO", "any": "ANY", "none": "NONE"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
"""Names that Gemini takes (documented)."""
STRICT = "VALIDATED"
"""The mode in which calls keep to their schemas and text may come instead; it is of all tools of a request."""


# -- declarations -----------------------------------------------------------------------------------------------


def declarations(tools: Any, terms: Terms) -> list[dict[str, Any]]:
    """The tools, which may be none."""
    return [_declaration(tool, field) for tool, field in shared.customs(CHECKS, tools, terms.drop)]


def _declaration(tool: dict[str, Any], field: str) -> dict[str, Any]:
    a_flag(tool.get("strict"), f"{field}.strict")
    made: dict[str, Any] = {"name": tool_name(tool.get("name"), f"{field}.name")}
    if described := shared.description(CHECKS, tool, field):
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


# -- the choice -------------------------------------------------------------------------------------------------


def calling(value: Any, tools: Any, terms: Terms) -> dict[str, Any] | None:
    """`tool_choice` as a function_calling_config. Without tools, `auto` and `none` ask for nothing."""
    choice = shared.choice(CHECKS, value, tools, terms.drop)
    if choice is None:
        return None
    if shared.is_alone(CHECKS, choice) and choice["type"] != "none":
        alone = "tool_choice.disable_parallel_tool_use"
        refuse(alone, "Gemini cannot be told to make no parallel calls", terms.drop)
    if choice["type"] == "tool":
        return {"mode": "ANY", "allowed_function_names": [tool_name(choice.get("name"), "tool_choice.name")]}
    return {"mode": CHOICES[choice["type"]]}


# -- calls and results ------------------------------------------------------------------------------------------


def call(block: dict[str, Any], field: str, terms: Terms) -> Part:
    """A tool_use block as a function call."""
    shared.check_call(CHECKS, block, field, terms.drop)
    made = {
        "id": a_string(block.get("id"), f"{field}.id"),
        "name": tool_name(block.get("name"), f"{field}.name"),
        "args": an_object(block.get("input"), f"{field}.input"),
    }
    return {"function_call": made}


def result(block: dict[str, Any], field: str, calls: dict[str, str], terms: Terms) -> Part:
    """A tool_result block as a function response, under the name that the call of its id has in `calls`."""
    check_members(block, shared.TOOL_RESULT, field, terms.drop)
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
