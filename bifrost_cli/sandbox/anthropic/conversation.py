"""What Anthropic refuses in the messages of a request that have the right shape: who says what, and in what order."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.anthropic import models
from bifrost_cli.sandbox.anthropic.errors import Refusal

Params = Mapping[str, Any]
Block = Mapping[str, Any]


def check_messages(request: Params, version: str) -> None:
    """Raises the Refusal for messages that do not make a conversation."""
    messages = request["messages"]
    if not messages:
        raise Refusal("messages: at least one message is required")
    for position, message in enumerate(messages):
        if not message["content"] and not (message["role"] == "assistant" and position == len(messages) - 1):
            raise Refusal(
                f"messages.{position}: all messages must have non-empty content except for the optional "
                "final assistant message"
            )
        _check_roles(position, message, version)
    _check_tool_pairs(messages)
    _check_prefill(messages, request["model"])


def _check_roles(position: int, message: Block, version: str) -> None:
    role = message["role"]
    for block in _list(message["content"]):
        kind = block["type"]
        if kind == "text":
            _check_text(block, position, role, version)
        elif role != "assistant" and kind in ("tool_use", "thinking", "redacted_thinking"):
            raise Refusal(f"messages.{position}: `{kind}` blocks can only be in `assistant` messages")
        elif role != "user" and (kind == "tool_result" or (kind == "document" and version == "2026-10-21")):
            raise Refusal(f"messages.{position}: `{kind}` blocks can only be in `user` messages")


def _check_text(block: Block, position: int, role: str, version: str) -> None:
    if not block["text"]:
        raise Refusal("messages: text content blocks must be non-empty")
    if not block["text"].strip():
        raise Refusal("messages: text content blocks must contain non-whitespace text")
    if role == "user" and block.get("citations") and version == "2026-10-21":
        raise Refusal(f"messages.{position}: `citations` are not allowed on text blocks of `user` messages")


def _check_tool_pairs(messages: list[Block]) -> None:
    """Each tool_use is answered in the next message, and each tool_result answers one in the message before."""
    for position, message in enumerate(messages):
        asked = {block["id"] for block in _list(message["content"]) if block["type"] == "tool_use"}
        following = messages[position + 1] if position + 1 < len(messages) else {"content": ()}
        answered = {block["tool_use_id"] for block in _list(following["content"]) if block["type"] == "tool_result"}
        if asked - answered and position + 1 < len(messages):
            raise Refusal(
                f"messages.{position}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(sorted(asked - answered))}. Each `tool_use` block must have a "
                "corresponding `tool_result` block in the next message."
            )
        if answered - asked:
            raise Refusal(
                f"messages.{position + 1}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(sorted(answered - asked))}. Each `tool_result` block must have a corresponding "
                "`tool_use` block in the previous message."
            )
    if any(block["type"] == "tool_result" for block in _list(messages[0]["content"])):
        raise Refusal(
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous message."
        )


def _check_prefill(messages: list[Block], model: str) -> None:
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if models.at_least(model, 4, 6):
        raise Refusal(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    said = last["content"]
    text = said if isinstance(said, str) else said[-1].get("text", "") if said else ""
    if text != text.rstrip():
        raise Refusal("messages: final assistant content cannot end with trailing whitespace")


def _list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else []
