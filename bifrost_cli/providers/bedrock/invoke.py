"""InvokeModel bodies of Anthropic's models: their own Messages form, less what the platform does not have.

| field | fate |
| --- | --- |
| `model`, `stream`, `cache_control` (anywhere), `diagnostics` | left out: hints, or said elsewhere |
| `service_tier`, `speed: standard`, `eager_input_streaming`, `allowed_callers: ["direct"]` | left out: ask nothing |
| `container`, `mcp_servers`, `inference_geo`, `speed: fast` | refused, unless dropped |
| sources of type `url` and `file`, `container_upload`, tools that run at Anthropic and their results | refused |
| everything else, also fields that are newer than this | as it is; what Bedrock does not know, its result says |
"""

from collections.abc import Callable
from typing import Any

from bifrost_cli.providers.bedrock.answers import text
from bifrost_cli.providers.bedrock.checks import Drop, refuse, unsupported

Body = dict[str, Any]
Handler = Callable[[Body, str, Any, Drop], None]

VERSION = "bedrock-2023-05-31"
ROUTE_BETAS = ("files-api-", "message-batches-")
"""Betas of Anthropic's other routes, which ask nothing of a model; Bedrock refuses betas that it does not know."""
NO_HOSTED_TOOLS = "it is carried out by Anthropic, not by Bedrock"
HOSTED_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "mcp_toolset")
HOSTED_BLOCKS = frozenset(
    {
        "container_upload",
        "mcp_tool_use",
        "mcp_tool_result",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
    }
)
HOSTED_CALLS = ("web_search", "web_fetch", "code_execution", "bash_code_execution", "text_editor_code_execution")
BLOCK_HINTS = frozenset({"cache_control"})
"""A batch job answers cached prompts with 403, record by record (recorded 2026)."""
TOOL_HINTS = BLOCK_HINTS | {"eager_input_streaming"}


# -- requests ---------------------------------------------------------------------------------------------------


def encode(params: dict[str, Any], betas: tuple[str, ...], drop: Drop) -> Body:
    """The body of InvokeModel. Raises UnsupportedError with the dotted path."""
    body: Body = {"anthropic_version": VERSION}
    if wanted := [beta for beta in betas if not beta.startswith(ROUTE_BETAS)]:
        body["anthropic_beta"] = wanted
    for name, value in params.items():
        if value is not None:
            FIELDS.get(name, _as_it_is)(body, name, value, drop)
    return body


def _as_it_is(body: Body, name: str, value: Any, drop: Drop) -> None:
    body[name] = value


def _hint(body: Body, name: str, value: Any, drop: Drop) -> None:
    """A field that asks for nothing here."""


def _only(*values: object) -> Handler:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(body: Body, name: str, value: Any, drop: Drop) -> None:
        if value not in values:
            refuse(name, "Bedrock has no counterpart for it", drop)

    return check


def _inference_geo(body: Body, name: str, value: Any, drop: Drop) -> None:
    refuse(name, "at Bedrock the region and the model's profile (us., eu., global.) decide where it runs", drop)


def _messages(body: Body, name: str, value: Any, drop: Drop) -> None:
    body[name] = [_message(message, f"messages.{index}", drop) for index, message in enumerate(value)]


def _message(message: Body, field: str, drop: Drop) -> Body:
    content = message["content"]
    if type(content) is str:
        return message
    return {**message, "content": _blocks(content, f"{field}.content", drop)}


def _system(body: Body, name: str, value: Any, drop: Drop) -> None:
    body[name] = _blocks(value, name, drop)


def _tools(body: Body, name: str, value: Any, drop: Drop) -> None:
    tools = value if isinstance(value, list) else [value]
    made = [_tool(tool, f"tools.{index}", drop) for index, tool in enumerate(tools)]
    body[name] = made if isinstance(value, list) else value


def _tool(tool: Any, field: str, drop: Drop) -> Any:
    if not isinstance(tool, dict):
        return tool
    if text(tool.get("type")).startswith(HOSTED_TOOLS):
        unsupported(field, f"a tool of type '{tool['type']}' has no counterpart: {NO_HOSTED_TOOLS}")
    callers = tool.get("allowed_callers")
    if callers not in (None, ["direct"]):
        refuse(f"{field}.allowed_callers", f"tools are called from code at Anthropic only: {NO_HOSTED_TOOLS}", drop)
    return _less(tool, TOOL_HINTS | {"allowed_callers"})


def _blocks(content: Any, field: str, drop: Drop) -> Any:
    """Blocks without their hints; what is no list of blocks is left for Bedrock to judge."""
    if not isinstance(content, list):
        return content
    return [_block(block, f"{field}.{index}", drop) for index, block in enumerate(content)]


def _block(block: Any, field: str, drop: Drop) -> Any:
    if not isinstance(block, dict):
        return block
    kind = text(block.get("type"))
    if kind in HOSTED_BLOCKS or (kind == "server_tool_use" and text(block.get("name")) in HOSTED_CALLS):
        unsupported(field, f"a block of type '{kind}' has no counterpart at Bedrock: {NO_HOSTED_TOOLS}")
    block = _less(block, BLOCK_HINTS)
    if isinstance(block.get("source"), dict):
        block = {**block, "source": _source(block["source"], f"{field}.source", drop)}
    if isinstance(block.get("content"), list):
        block = {**block, "content": _blocks(block["content"], f"{field}.content", drop)}
    return block


def _source(source: Body, field: str, drop: Drop) -> Body:
    if source.get("type") in ("url", "file"):
        reason = f"a source of type '{source['type']}' has no counterpart at Bedrock, which fetches nothing"
        unsupported(field, f"{reason} and keeps no files", "Put the data in as base64.")
    content = source.get("content")
    return {**source, "content": _blocks(content, f"{field}.content", drop)} if isinstance(content, list) else source


def _less(value: Body, hints: frozenset[str]) -> Body:
    return value if hints.isdisjoint(value) else {name: value[name] for name in value if name not in hints}


FIELDS: dict[str, Handler] = {
    "model": _hint,
    "stream": _only(False),
    "cache_control": _hint,
    "diagnostics": _hint,
    # A batch job is never of the priority tier, which is all that these two values differ in.
    "service_tier": _only("auto", "standard_only"),
    "speed": _only("standard"),
    "inference_geo": _inference_geo,
    "container": _only(),
    "mcp_servers": _only([]),
    "messages": _messages,
    "system": _system,
    "tools": _tools,
}


# -- answers ----------------------------------------------------------------------------------------------------


def decode(answer: dict[str, Any], tier: str) -> dict[str, Any]:
    """Anthropic's message, as it is; `tier` is what its usage was billed as, which the model does not know."""
    usage = answer.get("usage")
    return {**answer, "usage": {**usage, "service_tier": tier}} if isinstance(usage, dict) else answer
