"""InvokeModel bodies of Anthropic's models: their own Messages form, less what the platform does not have.

| field | fate |
| --- | --- |
| `model`, `stream`, `cache_control` of the whole, `diagnostics` | left out: hints, or said elsewhere |
| `cache_control` of blocks and tools | as it is; left out of batches, which refuse it |
| `service_tier`, `speed: standard`, `eager_input_streaming`, `allowed_callers: ["direct"]` | left out: ask nothing |
| `container`, `mcp_servers`, `inference_geo`, `speed: fast` | refused, unless dropped |
| sources of type `url` and `file`, `container_upload`, tools that run at Anthropic and their results | refused |
| everything else, also fields that are newer than this | as it is; what Bedrock does not know, its result says |
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bifrost_cli.providers.bedrock import model
from bifrost_cli.providers.bedrock.answers import text
from bifrost_cli.providers.bedrock.checks import PROVIDER, Drop, refuse, unsupported
from bifrost_cli.providers.encoder import Encoder

Body = dict[str, Any]
Handler = Callable[[Body, str, Any, dict[str, Any], "Terms"], None]

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
TOOL_HINTS = frozenset({"allowed_callers", "eager_input_streaming"})
BATCH_HINTS = frozenset({"cache_control"})
"""A batch job answers cached prompts with 403, record by record (recorded 2026)."""


class Terms(NamedTuple):
    """What a request is translated under: the fields that it may lose, the members of blocks and tools that ask for
    nothing, and the betas that were asked for."""

    drop: Drop
    hints: frozenset[str]
    betas: tuple[str, ...]


def _hint(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """A field that asks for nothing here."""


def _only(*values: object) -> Handler:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
        if value not in values:
            refuse(name, "Bedrock has no counterpart for it", terms.drop)

    return check


def _inference_geo(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    refuse(name, "at Bedrock the region and the model's profile (us., eu., global.) decide where it runs", terms.drop)


def _system(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    body[name] = _blocks(value, name, terms)


def _tools(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    tools = value if isinstance(value, list) else [value]
    made = [_tool(tool, f"tools.{index}", terms) for index, tool in enumerate(tools)]
    body[name] = made if isinstance(value, list) else value


def _tool(tool: Any, field: str, terms: Terms) -> Any:
    if not isinstance(tool, dict):
        return tool
    if text(tool.get("type")).startswith(HOSTED_TOOLS):
        unsupported(field, f"a tool of type '{tool['type']}' has no counterpart: {NO_HOSTED_TOOLS}")
    callers = tool.get("allowed_callers")
    if callers not in (None, ["direct"]):
        reason = f"tools are called from code at Anthropic only: {NO_HOSTED_TOOLS}"
        refuse(f"{field}.allowed_callers", reason, terms.drop)
    return _less(tool, terms.hints | TOOL_HINTS)


def _blocks(content: Any, field: str, terms: Terms) -> Any:
    """Blocks without their hints; what is no list of blocks is left for Bedrock to judge."""
    if not isinstance(content, list):
        return content
    return [_block(block, f"{field}.{index}", terms) for index, block in enumerate(content)]


def _block(block: Any, field: str, terms: Terms) -> Any:
    if not isinstance(block, dict):
        return block
    kind = text(block.get("type"))
    if kind in HOSTED_BLOCKS or (kind == "server_tool_use" and text(block.get("name")) in HOSTED_CALLS):
        unsupported(field, f"a block of type '{kind}' has no counterpart at Bedrock: {NO_HOSTED_TOOLS}")
    block = _less(block, terms.hints)
    if isinstance(block.get("source"), dict):
        block = {**block, "source": _source(block["source"], f"{field}.source", terms)}
    if isinstance(block.get("content"), list):
        block = {**block, "content": _blocks(block["content"], f"{field}.content", terms)}
    return block


def _source(source: Body, field: str, terms: Terms) -> Body:
    if source.get("type") in ("url", "file"):
        reason = f"a source of type '{source['type']}' has no counterpart at Bedrock, which fetches nothing"
        unsupported(field, f"{reason} and keeps no files", "Put the data in as base64.")
    content = source.get("content")
    return {**source, "content": _blocks(content, f"{field}.content", terms)} if isinstance(content, list) else source


def _less(value: Body, hints: frozenset[str]) -> Body:
    return value if hints.isdisjoint(value) else {name: value[name] for name in value if name not in hints}


FIELDS: dict[str, Handler] = {
    "model": _hint,
    "stream": _only(False),
    "cache_control": _hint,
    "diagnostics": _hint,
    # No call here is of the priority tier, which is all that these two values differ in.
    "service_tier": _only("auto", "standard_only"),
    "speed": _only("standard"),
    "inference_geo": _inference_geo,
    "container": _only(),
    "mcp_servers": _only([]),
    "system": _system,
    "tools": _tools,
}


class Invoke(Encoder[Terms]):
    """Requests of InvokeModel, whose body is also a job's `modelInput`. A `batch` takes no hints."""

    provider = PROVIDER
    endpoint = model.INVOKE
    place = "messages"
    handlers = FIELDS

    def __init__(self, params: dict[str, Any], betas: tuple[str, ...], drop: Drop, *, batch: bool) -> None:
        super().__init__(params, Terms(drop, BATCH_HINTS if batch else frozenset(), betas))

    def start(self) -> Body:
        wanted = [beta for beta in self.terms.betas if not beta.startswith(ROUTE_BETAS)]
        return {"anthropic_version": VERSION} | ({"anthropic_beta": wanted} if wanted else {})

    def translate(self, messages: list[Any]) -> tuple["Invoke", list[Any]]:
        made = []
        for index, message in enumerate(messages):
            content = message["content"]
            if type(content) is not str:
                message = {**message, "content": _blocks(content, f"messages.{index}.content", self.terms)}
            made.append(message)
        return self, made

    @staticmethod
    def frame(record_id: Any, body: Any) -> Body:
        return {"recordId": record_id, "modelInput": body}


# -- answers ----------------------------------------------------------------------------------------------------


def decode(answer: dict[str, Any], tier: str) -> dict[str, Any]:
    """Anthropic's message, as it is; `tier` is what its usage was billed as, which the model does not know."""
    usage = answer.get("usage")
    return {**answer, "usage": {**usage, "service_tier": tier}} if isinstance(usage, dict) else answer
