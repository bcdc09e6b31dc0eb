"""Content blocks into parts: text, images, documents and search results, wherever they stand."""

import re
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, NoReturn

from bifrost_cli.providers.checks import plain_text
from bifrost_cli.providers.gemini.checks import (
    Terms,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
    unsupported,
)

Part = dict[str, Any]

HINTS = frozenset({"cache_control"})
"""Members of blocks that ask for nothing here: Gemini caches prompts by itself."""
TEXT = HINTS | {"type", "text", "citations"}
"""`citations` of a text say where an earlier answer took it from; the text itself is sent whole."""
IMAGE = HINTS | {"type", "source", "transformations"}
DOCUMENT = HINTS | {"type", "source", "title", "context", "citations"}
SEARCH_RESULT = HINTS | {"type", "source", "title", "content", "citations"}
SOURCES = {
    "base64": frozenset({"type", "media_type", "data"}),
    "text": frozenset({"type", "media_type", "data"}),
    "content": frozenset({"type", "content"}),
    "url": frozenset({"type", "url"}),
    "file": frozenset({"type", "file_id"}),
}
TEXT_OR_BLOCKS = "a string or a list of blocks"
IMAGES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
"""Those that Gemini reads (documented): GIF, which Anthropic takes, is not one of them."""
PDF = "application/pdf"
EXTENSIONS = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}
FILE_ID = re.compile(r"[A-Za-z0-9_-]+")
HARMLESS_TRANSFORMATIONS: tuple[Any, ...] = (None, {}, {"oversized_image": "downsize"})


def block_type(block: Any, field: str) -> str:
    """The block's type. Raises InvalidRequestError where it is no object or has none."""
    return a_string(an_object(block, field).get("type"), f"{field}.type")


def plain_parts(content: Any) -> list[Part] | None:
    """The parts of a list of blocks that are nothing but text; None sends it the long way."""
    if type(content) is not list or not content:
        return None
    said = [plain_text(block) for block in content]
    return None if None in said else [{"text": text} for text in said]


def parts(blocks: list[Any], field: str, terms: Terms) -> list[Part]:
    """The parts of a list of blocks that have no side effects: text, image, document, search_result."""
    made: list[Part] = []
    for index, block in enumerate(blocks):
        made += part(block, f"{field}.{index}", terms)
    return made


def part(block: Any, field: str, terms: Terms, known: "Makers | None" = None) -> list[Part]:
    """The parts of one block: mostly one; a document may need a heading beside it. `known` narrows what may stand."""
    name = block_type(block, field)
    make = (known or BLOCKS).get(name)
    if make is None:
        _misplaced(field, name)
    return make(block, field, terms)


def text(block: Any, field: str, terms: Terms) -> str:
    """The text of a text block, the only kind that may stand in its place."""
    name = block_type(block, field)
    if name != "text":
        _misplaced(field, name)
    if len(block) > 2:
        check_members(block, TEXT, field, terms.drop)
    return a_string(block.get("text"), f"{field}.text")


def texts(content: Any, field: str, terms: Terms) -> list[str]:
    """The texts of a string or a list of text blocks."""
    if isinstance(content, str):
        return [content]
    blocks = a_list(content, field, TEXT_OR_BLOCKS)
    return [plain_text(block) or text(block, f"{field}.{index}", terms) for index, block in enumerate(blocks)]


def _misplaced(field: str, name: str) -> NoReturn:
    unsupported(field, f"a block of type '{name}' has no counterpart at Gemini in this place")


def _text(block: dict[str, Any], field: str, terms: Terms) -> list[Part]:
    return [{"text": text(block, field, terms)}]


def _image(block: dict[str, Any], field: str, terms: Terms) -> list[Part]:
    check_members(block, IMAGE, field, terms.drop)
    if block.get("transformations") not in HARMLESS_TRANSFORMATIONS:
        refuse(f"{field}.transformations", "Gemini scales a large image down without asking", terms.drop)
    source, name = _source(block, field, terms)
    make = IMAGE_SOURCES.get(name)
    if make is None:
        unsupported(f"{field}.source", f"an image source of type '{name}' has no counterpart at Gemini")
    return [make(source, f"{field}.source", terms)]


def _document(block: dict[str, Any], field: str, terms: Terms) -> list[Part]:
    check_members(block, DOCUMENT, field, terms.drop)
    _check_citations(block, field, terms)
    source, name = _source(block, field, terms)
    make = DOCUMENT_SOURCES.get(name)
    if make is None:
        unsupported(f"{field}.source", f"a document source of type '{name}' has no counterpart at Gemini")
    head = _heading(block, field)
    return make(source, f"{field}.source", head, terms)


def _search_result(block: dict[str, Any], field: str, terms: Terms) -> list[Part]:
    check_members(block, SEARCH_RESULT, field, terms.drop)
    _check_citations(block, field, terms)
    title, source = (a_string(block.get(name), f"{field}.{name}") for name in ("title", "source"))
    found = "\n\n".join(texts(block.get("content"), f"{field}.content", terms))
    return [{"text": f"Title: {title}\nSource: {source}\n\n{found}"}]


Makers = Mapping[str, Callable[[dict[str, Any], str, Terms], list[Part]]]
BLOCKS: Makers = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
IN_DOCUMENTS: Makers = {"text": _text, "image": _image}


# -- images -----------------------------------------------------------------------------------------------------


def _inline_image(source: dict[str, Any], field: str, terms: Terms) -> Part:
    media_type = a_string(source.get("media_type"), f"{field}.media_type")
    if media_type not in IMAGES:
        unsupported(f"{field}.media_type", f"Gemini reads {', '.join(IMAGES)}, not '{media_type}'", "Convert it.")
    return _inline(source, field, media_type)


def _image_by_url(source: dict[str, Any], field: str, terms: Terms) -> Part:
    url = _https(source, field, terms)
    extension = url.partition("?")[0].rpartition(".")[2].lower()
    return _file(url, EXTENSIONS.get(extension))


def _image_by_id(source: dict[str, Any], field: str, terms: Terms) -> Part:
    return _file(_address(source, field, terms))


IMAGE_SOURCES: dict[str, Callable[[dict[str, Any], str, Terms], Part]] = {
    "base64": _inline_image,
    "url": _image_by_url,
    "file": _image_by_id,
}


# -- documents --------------------------------------------------------------------------------------------------


def _text_document(source: dict[str, Any], field: str, head: str, terms: Terms) -> list[Part]:
    data = a_string(source.get("data"), f"{field}.data")
    return [{"text": f"{head}\n\n{data}" if head else data}]


def _content_document(source: dict[str, Any], field: str, head: str, terms: Terms) -> list[Part]:
    content, where = source.get("content"), f"{field}.content"
    if isinstance(content, str):
        return _headed(head, {"text": content})
    blocks = enumerate(a_list(content, where, TEXT_OR_BLOCKS))
    made = [part(block, f"{where}.{index}", terms, IN_DOCUMENTS) for index, block in blocks]
    return _headed(head, *chain.from_iterable(made))


def _inline_pdf(source: dict[str, Any], field: str, head: str, terms: Terms) -> list[Part]:
    if source.get("media_type") != PDF:
        unsupported(f"{field}.media_type", f"a document in base64 must be {PDF}")
    return _headed(head, _inline(source, field, PDF))


def _pdf_by_url(source: dict[str, Any], field: str, head: str, terms: Terms) -> list[Part]:
    return _headed(head, _file(_https(source, field, terms), PDF))


def _document_by_id(source: dict[str, Any], field: str, head: str, terms: Terms) -> list[Part]:
    return _headed(head, _file(_address(source, field, terms)))


DOCUMENT_SOURCES: dict[str, Callable[[dict[str, Any], str, str, Terms], list[Part]]] = {
    "text": _text_document,
    "content": _content_document,
    "base64": _inline_pdf,
    "url": _pdf_by_url,
    "file": _document_by_id,
}


def _headed(head: str, *made: Part) -> list[Part]:
    return [{"text": head}, *made] if head else list(made)


def _heading(block: dict[str, Any], field: str) -> str:
    """`Title: …` and `Context: …` of a document, of those that it has."""
    names = ("title", "context")
    given = [(name, a_string(block[name], f"{field}.{name}")) for name in names if block.get(name) is not None]
    return "\n".join(f"{name.capitalize()}: {value}" for name, value in given)


def _check_citations(block: dict[str, Any], field: str, terms: Terms) -> None:
    field += ".citations"
    given = an_object(block.get("citations") or {}, field)
    check_members(given, frozenset({"enabled"}), field, terms.drop)
    if a_flag(given.get("enabled"), f"{field}.enabled"):
        refuse(field, "Gemini does not cite the documents of a request", terms.drop)


# -- sources ----------------------------------------------------------------------------------------------------


def _source(block: dict[str, Any], field: str, terms: Terms) -> tuple[dict[str, Any], str]:
    """The block's source and its type."""
    source = an_object(block.get("source"), f"{field}.source")
    name = a_string(source.get("type"), f"{field}.source.type")
    check_members(source, SOURCES.get(name, source.keys()), f"{field}.source", terms.drop)
    return source, name


def _inline(source: dict[str, Any], field: str, media_type: str) -> Part:
    return {"inline_data": {"mime_type": media_type, "data": a_string(source.get("data"), f"{field}.data")}}


def _file(uri: str, media_type: str | None = None) -> Part:
    """A file by address; its type is said where it is known (the service knows those of its own files)."""
    return {"file_data": {"mime_type": media_type, "file_uri": uri} if media_type else {"file_uri": uri}}


def _https(source: dict[str, Any], field: str, terms: Terms) -> str:
    """An address that Gemini fetches itself (documented for all its endpoints since January 2026)."""
    url = a_string(source.get("url"), f"{field}.url")
    if not terms.traits.fetches:
        unsupported(f"{field}.url", "this model fetches no addresses", "Send the data as base64.")
    if not url.lower().startswith("https://"):
        unsupported(f"{field}.url", "Gemini fetches https addresses only", "Send the data as base64.")
    return url


def _address(source: dict[str, Any], field: str, terms: Terms) -> str:
    """The address of one of Gemini's own files, by its id (`abc`, `files/abc` or `gemini:abc`)."""
    id = a_string(source.get("file_id"), f"{field}.file_id").removeprefix("gemini:").removeprefix("files/")
    if not FILE_ID.fullmatch(id):
        invalid(f"{field}.file_id", "the id of a file at Gemini", id)
    return f"{terms.files}/{id}"
