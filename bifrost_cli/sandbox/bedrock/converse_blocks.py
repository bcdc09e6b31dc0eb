"""What Converse refuses in one content block: blank text, blocks in the wrong place, and data that is not what it
says."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.errors import NATIVE, Refusal

Block = Mapping[str, Any]
_DOCUMENT_NAME = re.compile(r"[a-zA-Z0-9()\[\]-]+(?:\s[a-zA-Z0-9()\[\]-]+)*")
_MAGIC = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
    "pdf": (b"%PDF",),
}


def check_block(block: Block, role: str, where: str, model: str) -> None:
    """Raises the Refusal for a block that has the right shape; `where` leads to it."""
    if block.get("text") is not None and not block["text"].strip():
        raise Refusal(
            f"The text field in the ContentBlock object at {where} is blank. Add text to the text field, and try again."
        )
    if role != "user" and block.get("toolResult") is not None:
        raise Refusal(f"[sandbox] {where}: toolResult blocks are for messages of the user")
    if role != "assistant" and (block.get("toolUse") is not None or block.get("reasoningContent") is not None):
        raise Refusal(f"[sandbox] {where}: toolUse and reasoningContent blocks are for messages of the assistant")
    if block.get("toolUse") is not None and not isinstance(block["toolUse"]["input"], dict):
        raise Refusal(
            f"The format of the value at {where}.toolUse.input is invalid. Provide a json object for the field and "
            "try again."
        )
    _check_media(block, where, model)
    if block.get("toolResult") is not None:
        _check_result(block["toolResult"], where, model)


def _check_result(result: Block, where: str, model: str) -> None:
    if result.get("status") == "error" and not result["content"]:
        raise Refusal(f"The content field at {where}.toolResult cannot be empty when status value is error.")
    for number, inner in enumerate(result["content"]):
        _check_media(inner, f"{where}.toolResult.content.{number}", model)


def _check_media(block: Block, where: str, model: str) -> None:
    for kind in ("image", "document"):
        media = block.get(kind)
        if media is None:
            continue
        if kind == "document" and not _DOCUMENT_NAME.fullmatch(media["name"]):
            raise Refusal(
                "The file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, "
                "and square brackets. The name can't contain more than one consecutive whitespace character."
            )
        source = media["source"]
        if source.get("s3Location") is not None and models.speaks_anthropic(model):
            raise Refusal(f"{NATIVE}{where}.{kind}.source.type: Field required")  # recorded
        if source.get("bytes") is not None:
            _check_bytes(source["bytes"], media.get("format"), kind)


def _check_bytes(text: str, form: str | None, kind: str) -> None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("[sandbox] bytes are sent in base64", "SerializationException") from None
    if form in _MAGIC and not data.startswith(_MAGIC[form]):
        flaw = "The PDF specified was not valid." if kind == "document" else "Could not process image"
        raise Refusal(f"{NATIVE}{flaw}")
