"""What Anthropic refuses in content blocks: files that are not there, URLs, and data that is not what it says."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.anthropic.errors import Refusal

Block = Mapping[str, Any]

_MAX_CACHED = 4
_MAGIC = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


def check_blocks(request: Mapping[str, Any], has_file: Callable[[str], bool]) -> None:
    """Raises the Refusal for any block of a request, those inside tool results and documents too."""
    blocks = list(_blocks(request))
    for block in blocks:
        _check_block(block, has_file)
    cacheable = [request, *_list(request.get("system")), *(request.get("tools") or ()), *blocks]
    cached = sum(1 for block in cacheable if block.get("cache_control"))
    if cached > _MAX_CACHED:
        raise Refusal(f"A maximum of {_MAX_CACHED} blocks with cache_control may be provided. Found {cached}.")


def _check_block(block: Block, has_file: Callable[[str], bool]) -> None:
    source = block.get("source")
    file_id = block.get("file_id") or (source.get("file_id") if isinstance(source, dict) else None)
    if file_id is not None and not has_file(file_id):
        raise Refusal(f"File `{file_id}` not found.", 404)
    if not isinstance(source, dict):
        return
    if source["type"] == "url":
        _check_url(source["url"])
    elif source["type"] == "base64":
        _check_data(block["type"], source)


def _check_url(url: str) -> None:
    """Nothing is fetched. Hosts below `.invalid` stand for those that cannot be reached."""
    if not url.startswith("https://"):
        raise Refusal("Only HTTPS URLs are supported.")
    if url.removeprefix("https://").partition("/")[0].endswith(".invalid"):
        raise Refusal("Unable to download the file. Please verify the URL and try again.", executed=True)


def _check_data(kind: str, source: Block) -> None:
    try:
        data = base64.b64decode(source["data"], validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(f"messages: {kind}.source.base64: invalid base64 data") from None
    if kind == "document" and not data.startswith(b"%PDF"):
        raise Refusal("The PDF specified was not valid.")
    if kind == "image" and not data.startswith(_MAGIC[source["media_type"]]):
        raise Refusal("Could not process image", executed=True)


def _blocks(request: Mapping[str, Any]) -> Iterator[Block]:
    waiting = [block for message in request["messages"] for block in _list(message["content"])]
    while waiting:
        block = waiting.pop()
        yield block
        source = block.get("source")
        for inner in (block.get("content"), source.get("content") if isinstance(source, dict) else None):
            waiting += [item for item in _list(inner) if isinstance(item, dict)]


def _list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else []
