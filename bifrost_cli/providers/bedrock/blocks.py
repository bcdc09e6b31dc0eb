"""Content blocks as Converse's."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from bifrost_cli.providers.bedrock.checks import (
    Drop,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    refuse,
    unsupported,
)

Part = dict[str, Any]

HINTS = frozenset({"cache_control"})
"""Members of blocks that ask for nothing here: a batch job answers a cache point with 403 (recorded 2026)."""
TEXT = HINTS | {"type", "text", "citations"}
"""`citations` of a text say where an earlier answer took it from; the text itself is sent whole."""
THINKING = HINTS | {"type", "thinking", "signature", "data"}
IMAGE = HINTS | {"type", "source"}
DOCUMENT = HINTS | {"type", "source", "title", "context", "citations"}
SEARCH_RESULT = HINTS | {"type", "source", "title", "content", "citations"}
SOURCES = {
    "base64": frozenset({"type", "media_type", "data"}),
    "text": frozenset({"type", "media_type", "data"}),
    "content": frozenset({"type", "content"}),
}
TEXT_OR_BLOCKS = "a string or a list of blocks"
IMAGE_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9()\[\] -]+")
"""A document's name is of letters, digits, hyphens, brackets and single spaces (documented)."""
LONGEST_NAME = 200


@dataclass(slots=True)
class Scope:
    """What the blocks of one request share: consent to lose fields, whether tools have a place, names given out."""

    drop: Drop
    tools: bool = False
    names: set[str] = field(default_factory=set)


def block_type(block: Any, field: str) -> str:
    """The block's type. Raises InvalidRequestError where it is no object or has none."""
    return a_string(an_object(block, field).get("type"), f"{field}.type")


def parts(blocks: list[Any], field: str, scope: Scope) -> list[Part]:
    """Those of a list of blocks that have no side effects: text, image, document, search_result."""
    made: list[Part] = []
    for index, block in enumerate(blocks):
        made += part(block, f"{field}.{index}", scope)
    return made


def part(block: Any, field: str, scope: Scope) -> list[Part]:
    """Those of one block: mostly one; a document may need a heading beside it."""
    name = block_type(block, field)
    make = BLOCKS.get(name)
    if make is None:
        misplaced(field, name)
    return make(block, field, scope)


def text(block: Any, field: str, drop: Drop) -> str:
    """The text of a text block, the only kind that may stand in its place."""
    name = block_type(block, field)
    if name != "text":
        misplaced(field, name)
    check_members(block, TEXT, field, drop)
    return a_string(block.get("text"), f"{field}.text")


def texts(content: Any, field: str, drop: Drop) -> list[str]:
    """The texts of a string or a list of text blocks."""
    if isinstance(content, str):
        return [content]
    blocks = a_list(content, field, TEXT_OR_BLOCKS)
    return [text(block, f"{field}.{index}", drop) for index, block in enumerate(blocks)]


def thinking(block: Part, field: str, scope: Scope) -> list[Part]:
    """A thinking block as reasoning, with its signature where it has one."""
    check_members(block, THINKING, field, scope.drop)
    said: Part = {"text": a_string(block.get("thinking"), f"{field}.thinking")}
    if signature := block.get("signature"):
        said["signature"] = a_string(signature, f"{field}.signature")
    return [{"reasoningContent": {"reasoningText": said}}]


def redacted_thinking(block: Part, field: str, scope: Scope) -> list[Part]:
    """Encrypted reasoning: base64 in both forms."""
    check_members(block, THINKING, field, scope.drop)
    return [{"reasoningContent": {"redactedContent": a_string(block.get("data"), f"{field}.data")}}]


def misplaced(field: str, name: str) -> NoReturn:
    """Refuse a block that has no place here."""
    unsupported(field, f"a block of type '{name}' has no counterpart in Converse in this place")


def _text(block: Part, field: str, scope: Scope) -> list[Part]:
    return [{"text": text(block, field, scope.drop)}]


def _image(block: Part, field: str, scope: Scope) -> list[Part]:
    check_members(block, IMAGE, field, scope.drop)
    source = _source(block, field, scope.drop, ("base64",))
    media_type = a_string(source.get("media_type"), f"{field}.source.media_type")
    if media_type not in IMAGE_FORMATS:
        unsupported(f"{field}.source.media_type", f"an image must be one of {', '.join(IMAGE_FORMATS)}")
    data = a_string(source.get("data"), f"{field}.source.data")
    return [{"image": {"format": IMAGE_FORMATS[media_type], "source": {"bytes": data}}}]


def _document(block: Part, field: str, scope: Scope) -> list[Part]:
    check_members(block, DOCUMENT, field, scope.drop)
    _check_citations(block, field, scope.drop)
    source = _source(block, field, scope.drop, ("base64", "text", "content"))
    form, data = DOCUMENT_SOURCES[source["type"]](source, f"{field}.source", scope.drop)
    made = {"document": {"format": form, "name": _name(block, field, scope), "source": {"bytes": data}}}
    context = block.get("context")
    head = [{"text": f"Context: {a_string(context, f'{field}.context')}"}] if context else []
    return [*head, made]


def _search_result(block: Part, field: str, scope: Scope) -> list[Part]:
    """As text: of the models that Converse is for here, none cites."""
    check_members(block, SEARCH_RESULT, field, scope.drop)
    _check_citations(block, field, scope.drop)
    title, source = (a_string(block.get(name), f"{field}.{name}") for name in ("title", "source"))
    found = "\n\n".join(texts(block.get("content"), f"{field}.content", scope.drop))
    return [{"text": f"Title: {title}\nSource: {source}\n\n{found}"}]


BLOCKS: dict[str, Callable[[Part, str, Scope], list[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}


def _pdf(source: Part, field: str, drop: Drop) -> tuple[str, str]:
    if source.get("media_type") != "application/pdf":
        unsupported(f"{field}.media_type", "a document in base64 must be application/pdf")
    return "pdf", a_string(source.get("data"), f"{field}.data")


def _plain(source: Part, field: str, drop: Drop) -> tuple[str, str]:
    return "txt", _base64(a_string(source.get("data"), f"{field}.data"))


def _content(source: Part, field: str, drop: Drop) -> tuple[str, str]:
    return "txt", _base64("\n\n".join(texts(source.get("content"), f"{field}.content", drop)))


DOCUMENT_SOURCES: dict[str, Callable[[Part, str, Drop], tuple[str, str]]] = {
    "base64": _pdf,
    "text": _plain,
    "content": _content,
}
"""Text goes as bytes too, which every model with documents takes; Converse's own `text` source is newer."""


def _source(block: Part, field: str, drop: Drop, known: tuple[str, ...]) -> Part:
    field += ".source"
    source = an_object(block.get("source"), field)
    name = a_string(source.get("type"), f"{field}.type")
    if name not in known:
        reason = f"a source of type '{name}' has no counterpart at Bedrock, which fetches nothing and keeps no files"
        unsupported(field, reason, "Put the data in as base64.")
    check_members(source, SOURCES[name], field, drop)
    return source


def _name(block: Part, field: str, scope: Scope) -> str:
    """The title in the characters that a name may have, numbered where it is another document's already."""
    title = block.get("title")
    given = a_string(title, f"{field}.title") if title is not None else ""
    plain = " ".join(NOT_IN_NAMES.sub(" ", given).split())[: LONGEST_NAME - 8].strip() or "document"
    name, number = plain, 1
    while name in scope.names:
        number += 1
        name = f"{plain} ({number})"
    scope.names.add(name)
    return name


def _check_citations(block: Part, field: str, drop: Drop) -> None:
    field += ".citations"
    given = an_object(block.get("citations") or {}, field)
    check_members(given, frozenset({"enabled"}), field, drop)
    if a_flag(given.get("enabled"), f"{field}.enabled"):
        refuse(field, "the models that Converse is for here do not cite", drop)


def _base64(value: str) -> str:
    return b64encode(value.encode("utf-8", "replace")).decode()
