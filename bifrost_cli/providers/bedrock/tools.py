"""Tools, calls and their results in Converse's form. Batch jobs of the Converse kind refuse them, record by record."""

import re
from hashlib import sha256
from typing import Any, NoReturn

from bifrost_cli.providers.bedrock.blocks import HINTS, TEXT_OR_BLOCKS, Part, Scope, parts
from bifrost_cli.providers.bedrock.checks import (
    Drop,
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
"""Of these `cache_control` and `eager_input_streaming` are hints: a batch does not stream."""
TOOL_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
TOOL_USE = HINTS | {"type", "id", "name", "input", "caller"}
TOOL_RESULT = HINTS | {"type", "tool_use_id", "content", "is_error"}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
NO_BATCH = "Bedrock refuses tools in Converse batch jobs"
USE_CLAUDE = "Leave it out, or take an Anthropic model (for a profile of one: BIFROST_BEDROCK_BODY=invoke)."


def refuse_in_batch(field: str) -> NoReturn:
    """What a Converse job has no place for (documented: 400 per record)."""
    unsupported(field, NO_BATCH, USE_CLAUDE)


def specs(tools: Any, drop: Drop) -> list[Part]:
    """The tools, which may be none."""
    given = a_list(tools, "tools") if tools != [] else []
    return [{"toolSpec": _spec(tool, f"tools.{index}", drop)} for index, tool in enumerate(given)]


def choice(value: Any, params: dict[str, Any], drop: Drop) -> Part | None:
    """`toolChoice`, or None where nothing is to be said.

    Converse has no `none`: without tools it asks for nothing, with them it is refused.
    """
    given = an_object(value, "tool_choice")
    check_members(given, TOOL_CHOICE, "tool_choice", drop)
    kind = given.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        invalid("tool_choice.type", "one of auto, any, tool, none", kind)
    if not params.get("tools"):
        if kind in ("any", "tool"):
            invalid("tools", "given where tool_choice asks for one", params.get("tools"))
        return None
    if a_flag(given.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use"):
        refuse("tool_choice.disable_parallel_tool_use", "Converse cannot be told to make one call at a time", drop)
    if kind == "none":
        refuse("tool_choice", "Converse cannot be told to use none of its tools", drop, "Leave the tools out")
        return None
    return {"tool": {"name": _tool_name(given.get("name"), "tool_choice.name")}} if kind == "tool" else {str(kind): {}}


def call(block: Part, field: str, scope: Scope) -> list[Part]:
    """A tool_use block. Its `caller` asks for nothing where the model itself called."""
    if not scope.tools:
        refuse_in_batch(field)
    check_members(block, TOOL_USE, field, scope.drop)
    if block.get("caller") not in (None, {"type": "direct"}):
        refuse(f"{field}.caller", "tools are called from code at Anthropic only", scope.drop)
    made = {
        "toolUseId": _call_id(block.get("id"), f"{field}.id"),
        "name": _tool_name(block.get("name"), f"{field}.name"),
        "input": an_object(block.get("input"), f"{field}.input"),
    }
    return [{"toolUse": made}]


def result(block: Part, field: str, scope: Scope) -> list[Part]:
    """A tool_result block."""
    if not scope.tools:
        refuse_in_batch(field)
    check_members(block, TOOL_RESULT, field, scope.drop)
    made = {
        "toolUseId": _call_id(block.get("tool_use_id"), f"{field}.tool_use_id"),
        "content": _output(block.get("content"), f"{field}.content", scope),
        "status": "error" if a_flag(block.get("is_error"), f"{field}.is_error") else "success",
    }
    return [{"toolResult": made}]


def _spec(tool: Any, field: str, drop: Drop) -> Part:
    if an_object(tool, field).get("type") not in (None, "custom"):
        unsupported(field, f"tools of type '{tool['type']}' are Anthropic's own; Converse has no counterpart for it")
    check_members(tool, TOOL, field, drop)
    _check_loading(tool, field, drop)
    made: Part = {"name": _tool_name(tool.get("name"), f"{field}.name")}
    if described := _description(tool, field):
        made["description"] = described
    made["inputSchema"] = {"json": an_object(tool.get("input_schema"), f"{field}.input_schema")}
    if a_flag(tool.get("strict"), f"{field}.strict"):
        made["strict"] = True
    return made


def _check_loading(tool: Part, field: str, drop: Drop) -> None:
    if a_flag(tool.get("defer_loading"), f"{field}.defer_loading"):
        refuse(f"{field}.defer_loading", "tools are searched for at Anthropic only", drop)
    if tool.get("allowed_callers") not in (None, ["direct"]):
        refuse(f"{field}.allowed_callers", "tools are called from code at Anthropic only", drop)


def _description(tool: Part, field: str) -> str:
    """The description, with the examples of input below it."""
    given = tool.get("description")
    lines = [a_string(given, f"{field}.description")] if given else []
    if examples := tool.get("input_examples"):
        lines.append("Examples of input:")
        where = f"{field}.input_examples"
        lines += [dumps(example, where).decode() for example in a_list(examples, where)]
    return "\n".join(lines)


def _output(content: Any, field: str, scope: Scope) -> list[Part]:
    if content in (None, "", []):
        return []
    if isinstance(content, str):
        return [{"text": content}]
    return parts(a_list(content, field, TEXT_OR_BLOCKS), field, scope)


def _tool_name(value: Any, field: str) -> str:
    name = a_string(value, field)
    if not NAME.fullmatch(name):
        unsupported(field, "Converse's names are 1 to 64 of a-z A-Z 0-9 _ -", "Shorten or rename it.")
    return name


def _call_id(value: Any, field: str) -> str:
    """A call's id as it is, or its hash where Converse would not take it; the same for the call and its result."""
    id = a_string(value, field)
    return id if CALL_ID.fullmatch(id) else f"tooluse_{sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
