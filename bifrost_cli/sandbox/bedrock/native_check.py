"""What Anthropic's models refuse in a body that came through InvokeModel.

First its shape, then the rules that tie fields together. Texts are those recorded or reported of the models' vendor,
which Bedrock hands on unchanged here.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.native_params import BODY, NEW, OLD
from bifrost_cli.sandbox.bedrock.native_rules import (
    ceiling,
    check_length,
    check_prefill,
    check_sampling,
    check_thinking,
    check_while_thinking,
)
from bifrost_cli.sandbox.bedrock.native_words import fit
from bifrost_cli.sandbox.bedrock.prompts import native_count, native_text
from bifrost_cli.sandbox.example import flaw

Body = Mapping[str, Any]
_MAX_CACHED = 4
_MAGIC = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF",),
}


def check_body(body: Any, model: str) -> None:
    """Raises the Refusal that a body gets; else returns."""
    version = body.get("anthropic_version") if isinstance(body, dict) else None
    fit(BODY[NEW if version == NEW else OLD], body)
    if version == NEW and (0, 0) < models.generation(model) < (4, 7):
        raise Refusal(f"anthropic_version: Input should be '{OLD}'")
    if body["max_tokens"] < 1:
        raise Refusal("max_tokens: must be greater than or equal to 1")
    _check_messages(body["messages"])
    _check_tools(body)
    _check_model_rules(body, model)
    _check_media(body)
    _check_triggers(body)


def _check_messages(messages: list[Body]) -> None:
    if not messages:
        raise Refusal("messages: at least one message is required")
    for position, message in enumerate(messages):
        last = position == len(messages) - 1
        if not message["content"] and not (last and message["role"] == "assistant"):
            raise Refusal(
                f"messages.{position}: all messages must have non-empty content except for the optional final "
                "assistant message"
            )
        _check_roles(message, position)
    _check_pairs(messages)


def _check_roles(message: Body, position: int) -> None:
    role = message["role"]
    for block in blocks_of(message["content"]):
        kind = block["type"]
        if kind == "text" and not block["text"].strip():
            blank = "contain non-whitespace text" if block["text"] else "be non-empty"
            raise Refusal(f"messages: text content blocks must {blank}")
        if role != "assistant" and kind in ("tool_use", "thinking", "redacted_thinking"):
            raise Refusal(f"messages.{position}: `{kind}` blocks can only be in `assistant` messages")
        if role != "user" and kind == "tool_result":
            raise Refusal(f"messages.{position}: `{kind}` blocks can only be in `user` messages")


def _check_pairs(messages: list[Body]) -> None:
    """Each tool_use is answered in the next message, and each tool_result answers one in the message before."""
    asked: set[str] = set()
    for position, message in enumerate(messages):
        blocks = blocks_of(message["content"])
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if asked - answered:
            raise Refusal(
                f"messages.{position - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(asked - answered))}. Each `tool_use` block must have a corresponding "
                "`tool_result` block in the next message."
            )
        if answered - asked:
            raise Refusal(
                f"messages.{position}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(sorted(answered - asked))}. Each `tool_result` block must have a corresponding "
                "`tool_use` block in the previous message."
            )
        asked = {block["id"] for block in blocks if block["type"] == "tool_use"}


def _check_tools(body: Body) -> None:
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise Refusal("tools: Tool names must be unique.")
    for position, tool in enumerate(tools):
        if flaw(tool.get("input_schema", {})):
            raise Refusal(
                f"tools.{position}.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft "
                "2020-12 (https://json-schema.org/draft/2020-12)."
            )
    if choice is not None and not tools:
        raise Refusal("tool_choice may only be specified while providing tools")
    if choice is not None and choice["type"] == "tool" and choice["name"] not in names:
        raise Refusal(f"Tool '{choice['name']}' not found in provided tools")


def _check_model_rules(body: Body, model: str) -> None:
    thinking = body.get("thinking")
    if thinking is not None:
        check_thinking(model, thinking, body["max_tokens"])
        if thinking["type"] in ("enabled", "adaptive"):
            forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
            check_while_thinking(body.get("temperature"), forced)
    check_sampling(model, body.get("temperature"), body.get("top_p"), body.get("top_k"))
    check_prefill(model, body["messages"][-1]["role"])
    check_length(model, native_count(body))
    limit = ceiling(model)
    if limit is not None and body["max_tokens"] > limit:
        raise Refusal(
            f"max_tokens: {body['max_tokens']} > {limit}, which is the maximum allowed number of output tokens for "
            f"{models.short(model)}"
        )


def _check_media(body: Body) -> None:
    blocks = list(_all_blocks(body))
    cacheable = [body, *blocks_of(body.get("system")), *(body.get("tools") or ()), *blocks]
    cached = sum(1 for item in cacheable if item.get("cache_control"))
    if cached > _MAX_CACHED:
        raise Refusal(f"A maximum of {_MAX_CACHED} blocks with cache_control may be provided. Found {cached}.")
    for block in blocks:
        source = block.get("source")
        if isinstance(source, dict) and source["type"] == "base64":
            _check_data(block["type"], source)


def _check_data(kind: str, source: Body) -> None:
    try:
        data = base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(f"messages: {kind}.source.base64: invalid base64 data") from None
    if not data.startswith(_MAGIC[source["media_type"]]):
        raise Refusal("The PDF specified was not valid." if kind == "document" else "Could not process image")


def _all_blocks(body: Body) -> Iterator[Body]:
    waiting = [block for message in body["messages"] for block in blocks_of(message["content"])]
    while waiting:
        block = waiting.pop()
        yield block
        source = block.get("source")
        for inner in (block.get("content"), source.get("content") if isinstance(source, dict) else None):
            waiting += [item for item in blocks_of(inner) if isinstance(item, dict)]


def blocks_of(content: Any) -> list[Any]:
    """The blocks of a content; none when it is a text."""
    return content if isinstance(content, list) else []


def _check_triggers(body: Body) -> None:
    asked = triggers(native_text(body["messages"]))
    if Trigger.ERROR in asked:
        raise Refusal("[sandbox] this request is refused, as its prompt asks")
    if Trigger.OVERLOADED in asked:
        raise Refusal("Bedrock is unable to process your request.", "ServiceUnavailableException")
