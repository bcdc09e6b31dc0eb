"""Content blocks into parts. The two endpoints name their parts differently: each gives a form, a table of makers."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from bifrost_cli.providers.checks import plain_text
from bifrost_cli.providers.openai.checks import (
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
Form = Mapping[str, Callable[..., Part]]
"""Makers of parts: `text(text)`, `image(url)`, `image_file(id)`, `file_data(name, url)`, `file_url(url)` and
`file_id(id)`. One that is absent has no place there, and what needs it is refused by name."""

HINTS = frozenset({"cache_control"})
"""Members of blocks that ask for nothing here: OpenAI caches prompts by itself."""
TEXT = HINTS | {"type", "text", "citations"}
"""`citations` of a text say where an earlier answer took it from; the text itself is sent whole."""
THINKING = HINTS | {"type", "thinking", "signature", "data"}
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
NEEDS = {
    "image": "an image",
    "image_file": "an image by file id",
    "file_data": "a PDF",
    "file_url": "a document by URL",
    "file_id": "a document by file id",
}
HARMLESS_TRANSFORMATIONS: tuple[Any, ...] = (None, {}, {"oversized_image": "downsize"})


def block_type(block: Any, field: str) -> str:
    """The block's type. Raises InvalidRequestError where it is no object or has none."""
    return a_string(an_object(block, field).get("type"), f"{field}.type")


def parts(blocks: list[Any], field: str, form: Form, drop: Drop) -> list[Part]:
    """The parts of a list of blocks that have no side effects: text, image, document, search_result."""
    made: list[Part] = []
    for index, block in enumerate(blocks):
        made += part(block, f"{field}.{index}", form, drop)
    return made


def part(block: Any, field: str, form: Form, drop: Drop) -> list[Part]:
    """The parts of one block: mostly one; a document may need a heading beside it."""
    name = block_type(block, field)
    make = BLOCKS.get(name)
    if make is None:
        _misplaced(field, name)
    return make(block, field, form, drop)


def text(block: Any, field: str, drop: Drop) -> str:
    """The text of a text block, the only kind that may stand in its place."""
    name = block_type(block, field)
    if name != "text":
        _misplaced(field, name)
    if len(block) > 2:
        check_members(block, TEXT, field, drop)
    return a_string(block.get("text"), f"{field}.text")


def texts(content: Any, field: str, drop: Drop) -> list[str]:
    """The texts of a string or a list of text blocks."""
    if isinstance(content, str):
        return [content]
    blocks = a_list(content, field, TEXT_OR_BLOCKS)
    return [plain_text(block) or text(block, f"{field}.{index}", drop) for index, block in enumerate(blocks)]


def check_thinking(block: dict[str, Any], field: str, drop: Drop) -> None:
    """A thinking or redacted_thinking block's members."""
    check_members(block, THINKING, field, drop)


def _misplaced(field: str, name: str) -> NoReturn:
    unsupported(field, f"a block of type '{name}' has no counterpart at OpenAI in this place")


def _text(block: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    return [form["text"](text(block, field, drop))]


def _image(block: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    check_members(block, IMAGE, field, drop)
    if block.get("transformations") not in HARMLESS_TRANSFORMATIONS:
        refuse(f"{field}.transformations", "OpenAI scales a large image down without asking", drop)
    source, name = _source(block, field, drop)
    field += ".source"
    if name == "base64":
        return [_maker(form, "image", field)(_data_url(source, field))]
    if name == "url":
        return [_maker(form, "image", field)(a_string(source.get("url"), f"{field}.url"))]
    if name == "file":
        return [_maker(form, "image_file", field)(a_string(source.get("file_id"), f"{field}.file_id"))]
    unsupported(field, f"an image source of type '{name}' has no counterpart at OpenAI")


def _document(block: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    check_members(block, DOCUMENT, field, drop)
    _check_citations(block, field, drop)
    source, name = _source(block, field, drop)
    make = DOCUMENT_SOURCES.get(name)
    if make is None:
        unsupported(f"{field}.source", f"a document source of type '{name}' has no counterpart at OpenAI")
    return make(block, source, field, form, drop)


def _search_result(block: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    check_members(block, SEARCH_RESULT, field, drop)
    _check_citations(block, field, drop)
    title, source = (a_string(block.get(name), f"{field}.{name}") for name in ("title", "source"))
    found = "\n\n".join(texts(block.get("content"), f"{field}.content", drop))
    return [form["text"](f"Title: {title}\nSource: {source}\n\n{found}")]


BLOCKS: dict[str, Callable[[dict[str, Any], str, Form, Drop], list[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}


def _text_document(block: dict[str, Any], source: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    if source.get("media_type") not in (None, "text/plain"):
        unsupported(f"{field}.source.media_type", "a document of text must be text/plain")
    data = a_string(source.get("data"), f"{field}.source.data")
    head = _heading(block, field, "title", "context")
    return [form["text"](f"{head}\n\n{data}" if head else data)]


def _content_document(block: dict[str, Any], source: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    content, where = source.get("content"), f"{field}.source.content"
    head = _headed(block, field, form, "title", "context")
    if isinstance(content, str):
        return [*head, form["text"](content)]
    blocks = a_list(content, where, TEXT_OR_BLOCKS)
    for index, inner in enumerate(blocks):
        if (name := block_type(inner, f"{where}.{index}")) not in ("text", "image"):
            _misplaced(f"{where}.{index}", name)
    return [*head, *parts(blocks, where, form, drop)]


def _pdf(block: dict[str, Any], source: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    make = _maker(form, "file_data", f"{field}.source")
    if source.get("media_type") != "application/pdf":
        unsupported(f"{field}.source.media_type", "a document in base64 must be application/pdf")
    file = make(_file_name(block, field), _data_url(source, f"{field}.source"))
    return [*_headed(block, field, form, "context"), file]


def _document_by_url(block: dict[str, Any], source: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    make = _maker(form, "file_url", f"{field}.source")
    file = make(a_string(source.get("url"), f"{field}.source.url"))
    return [*_headed(block, field, form, "title", "context"), file]


def _document_by_id(block: dict[str, Any], source: dict[str, Any], field: str, form: Form, drop: Drop) -> list[Part]:
    make = _maker(form, "file_id", f"{field}.source")
    file = make(a_string(source.get("file_id"), f"{field}.source.file_id"))
    return [*_headed(block, field, form, "title", "context"), file]


DOCUMENT_SOURCES: dict[str, Callable[[dict[str, Any], dict[str, Any], str, Form, Drop], list[Part]]] = {
    "text": _text_document,
    "content": _content_document,
    "base64": _pdf,
    "url": _document_by_url,
    "file": _document_by_id,
}


def _source(block: dict[str, Any], field: str, drop: Drop) -> tuple[dict[str, Any], str]:
    """The block's source and its type."""
    source = an_object(block.get("source"), f"{field}.source")
    name = a_string(source.get("type"), f"{field}.source.type")
    check_members(source, SOURCES.get(name, source.keys()), f"{field}.source", drop)
    return source, name


def _maker(form: Form, name: str, field: str) -> Callable[..., Part]:
    make = form.get(name)
    if make is None:
        hint = "Use the Responses endpoint (BIFROST_OPENAI_ENDPOINT=responses)."
        unsupported(field, f"Chat Completions has no place for {NEEDS[name]} here", hint)
    return make


def _data_url(source: dict[str, Any], field: str) -> str:
    media_type = a_string(source.get("media_type"), f"{field}.media_type")
    return f"data:{media_type};base64,{a_string(source.get('data'), f'{field}.data')}"


def _file_name(block: dict[str, Any], field: str) -> str:
    title = block.get("title")
    if title is None or not a_string(title, f"{field}.title"):
        return "document.pdf"
    return title if title.lower().endswith(".pdf") else f"{title}.pdf"


def _headed(block: dict[str, Any], field: str, form: Form, *names: str) -> list[Part]:
    head = _heading(block, field, *names)
    return [form["text"](head)] if head else []


def _heading(block: dict[str, Any], field: str, *names: str) -> str:
    """`Title: …` and `Context: …` of a document, of those that it has."""
    given = [(name, a_string(block[name], f"{field}.{name}")) for name in names if block.get(name) is not None]
    return "\n".join(f"{name.capitalize()}: {value}" for name, value in given)


def _check_citations(block: dict[str, Any], field: str, drop: Drop) -> None:
    field += ".citations"
    given = an_object(block.get("citations") or {}, field)
    check_members(given, frozenset({"enabled"}), field, drop)
    if a_flag(given.get("enabled"), f"{field}.enabled"):
        refuse(field, "OpenAI does not cite the documents of a request", drop)
