"""Tools as Anthropic has them, checked alike for every provider that translates: what they consist of, and what of it
is done at Anthropic only."""

from collections.abc import Iterator
from typing import Any

from bifrost_cli.providers.checks import Checks, Drop

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
"""Of these `cache_control` and `eager_input_streaming` are hints: elsewhere input comes whole."""
TOOL_CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
CHOICES = ("auto", "any", "none", "tool")
TOOL_USE = frozenset({"type", "id", "name", "input", "caller", "cache_control"})
TOOL_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})
FROM_CODE = "tools are called from code at Anthropic only"


def customs(checks: Checks, tools: Any, drop: Drop) -> Iterator[tuple[dict[str, Any], str]]:
    """Each of the tools, which may be none, and its path. One that Anthropic runs is refused, and so is what only
    Anthropic does with a tool."""
    for index, tool in enumerate(checks.a_list(tools, "tools") if tools != [] else []):
        field = f"tools.{index}"
        if checks.an_object(tool, field).get("type") not in (None, "custom"):
            own = f"tools of type '{tool['type']}' are Anthropic's own"
            checks.unsupported(field, f"{own}; {checks.no_counterpart}")
        checks.check_members(tool, TOOL, field, drop)
        if checks.a_flag(tool.get("defer_loading"), f"{field}.defer_loading"):
            checks.refuse(f"{field}.defer_loading", "tools are searched for at Anthropic only", drop)
        if tool.get("allowed_callers") not in (None, ["direct"]):
            checks.refuse(f"{field}.allowed_callers", FROM_CODE, drop)
        yield tool, field


def description(checks: Checks, tool: dict[str, Any], field: str) -> str:
    """The description, with the examples of input below it."""
    given = tool.get("description")
    lines = [checks.a_string(given, f"{field}.description")] if given else []
    if examples := tool.get("input_examples"):
        lines.append("Examples of input:")
        where = f"{field}.input_examples"
        lines += [checks.dumps(example, where).decode() for example in checks.a_list(examples, where)]
    return "\n".join(lines)


def choice(checks: Checks, value: Any, tools: Any, drop: Drop) -> dict[str, Any] | None:
    """`tool_choice`, of a known type; None where it asks for nothing, as `auto` and `none` do without tools."""
    given = checks.an_object(value, "tool_choice")
    checks.check_members(given, TOOL_CHOICE, "tool_choice", drop)
    kind = given.get("type")
    if kind not in CHOICES:
        checks.invalid("tool_choice.type", f"one of {', '.join(CHOICES)}", kind)
    if tools:
        return given
    if kind in ("any", "tool"):
        checks.invalid("tools", "given where tool_choice asks for one", tools)
    return None


def is_alone(checks: Checks, given: dict[str, Any]) -> bool:
    """Whether a `tool_choice` wants one call at a time."""
    return checks.a_flag(given.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")


def check_call(checks: Checks, block: dict[str, Any], field: str, drop: Drop) -> None:
    """A tool_use block's members. Its `caller` asks for nothing where the model itself called."""
    checks.check_members(block, TOOL_USE, field, drop)
    if block.get("caller") not in (None, {"type": "direct"}):
        checks.refuse(f"{field}.caller", FROM_CODE, drop)
