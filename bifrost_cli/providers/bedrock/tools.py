"""Tools, calls and their results in Converse's form. Batch jobs of the Converse kind refuse them, record by record."""

import re
from hashlib import sha256
from typing import Any, NoReturn

from bifrost_cli.providers import tools as shared
from bifrost_cli.providers.bedrock.blocks import TEXT_OR_BLOCKS, Part, Scope, parts
from bifrost_cli.providers.bedrock.checks import (
    CHECKS,
    Drop,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    refuse,
    unsupported,
)

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CALL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
NO_BATCH = "Bedrock refuses tools in Converse batch jobs"
USE_CLAUDE = "Leave it out, or take an Anthropic model (for a profile of one: BIFROST_BEDROCK_BODY=invoke)."


def refuse_in_batch(field: str) -> NoReturn:
    """What a Converse job has no place for (documented: 400 per record)."""
    unsupported(field, NO_BATCH, USE_CLAUDE)


def specs(tools: Any, drop: Drop) -> list[Part]:
    """The tools, which may be none."""
    return [{"toolSpec": _spec(tool, field)} for tool, field in shared.customs(CHECKS, tools, drop)]


def choice(value: Any, params: dict[str, Any], drop: Drop) -> Part | None:
    """`toolChoice`, or None where nothing is to be said.

    Converse has no `none`: without tools it asks for nothing, with them it is refused.
    """
    given = shared.choice(CHECKS, value, params.get("tools"), drop)
    if given is None:
        return None
    if shared.is_alone(CHECKS, given):
        refuse("tool_choice.disable_parallel_tool_use", "Converse cannot be told to make one call at a time", drop)
    kind = given["type"]
    if kind == "none":
        refuse("tool_choice", "Converse cannot be told to use none of its tools", drop, "Leave the tools out")
        return None
    return {"tool": {"name": _tool_name(given.get("name"), "tool_choice.name")}} if kind == "tool" else {kind: {}}


def call(block: Part, field: str, scope: Scope) -> list[Part]:
    """A tool_use block."""
    if not scope.tools:
        refuse_in_batch(field)
    shared.check_call(CHECKS, block, field, scope.drop)
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
    check_members(block, shared.TOOL_RESULT, field, scope.drop)
    made = {
        "toolUseId": _call_id(block.get("tool_use_id"), f"{field}.tool_use_id"),
        "content": _output(block.get("content"), f"{field}.content", scope),
        "status": "error" if a_flag(block.get("is_error"), f"{field}.is_error") else "success",
    }
    return [{"toolResult": made}]


def _spec(tool: Part, field: str) -> Part:
    made: Part = {"name": _tool_name(tool.get("name"), f"{field}.name")}
    if described := shared.description(CHECKS, tool, field):
        made["description"] = described
    made["inputSchema"] = {"json": an_object(tool.get("input_schema"), f"{field}.input_schema")}
    if a_flag(tool.get("strict"), f"{field}.strict"):
        made["strict"] = True
    return made


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
