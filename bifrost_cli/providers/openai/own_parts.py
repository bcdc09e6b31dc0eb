"""Parts of OpenAI's messages, of either endpoint, as content blocks; and refusal of what others have no place for."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

from bifrost_cli.providers.checks import plain
from bifrost_cli.providers.openai.checks import a_list, a_string, an_object, invalid, unsupported

Object = dict[str, Any]
Parts = Mapping[str, Callable[[Object, str], Object]]
"""By type: makers of a block from a part and its path."""

NO_COUNTERPART = "other providers have no counterpart for it"
BODY = "body."
STRING_OR_PARTS = "a string or a list of parts"
ADDRESS = "an https: address or a data: URL in base64"
TEXT = frozenset({"type", "text", "annotations", "logprobs"})
WHOLE_IMAGE = (None, "auto", "high", "original")
"""Values of `detail` that others need not be told: they look at the whole image."""


def refuse(field: str, reason: str = NO_COUNTERPART, hint: str | None = None) -> NoReturn:
    """Raise UnsupportedError, with what the caller can do instead."""
    loss = plain(field.removeprefix(BODY).removesuffix(".type"))
    consent = f"Leave it out, consent to losing it with --drop {loss}, or send the line to OpenAI (-p openai)."
    unsupported(field, reason, hint or consent)


def check_members(value: Object, known: AbstractSet[str], field: str) -> None:
    """Refuse members that are not `known`; those that are null ask for nothing."""
    for name, member in value.items():
        if name not in known and member is not None:
            refuse(f"{field}.{name}" if field else name)


def blocks(content: Any, field: str, known: Parts) -> list[Object]:
    """The blocks of a string or of a list of parts, of types that are `known`."""
    if isinstance(content, str):
        return [text(content)]
    given = a_list(content, field, STRING_OR_PARTS)
    return [_part(part, f"{field}.{index}", known) for index, part in enumerate(given)]


def _part(part: Any, field: str, known: Parts) -> Object:
    kind = a_string(an_object(part, field).get("type"), f"{field}.type")
    if kind not in known:
        refuse(field, f"other providers have no counterpart for a part of type '{kind}' in this place")
    return known[kind](part, field)


def text(value: str) -> Object:
    """A text block."""
    return {"type": "text", "text": value}


def _text_part(part: Object, field: str) -> Object:
    check_members(part, TEXT, field)
    return text(a_string(part.get("text"), f"{field}.text"))


def _refusal_part(part: Object, field: str) -> Object:
    check_members(part, {"type", "refusal"}, field)
    return text(a_string(part.get("refusal"), f"{field}.refusal"))


def _chat_image(part: Object, field: str) -> Object:
    check_members(part, {"type", "image_url"}, field)
    where = f"{field}.image_url"
    return _image(an_object(part.get("image_url"), where), where, "url")


def _input_image(part: Object, field: str) -> Object:
    return _image(part, field, "image_url")


def _image(given: Object, field: str, member: str) -> Object:
    """An image whose address or data is in `member`."""
    _refuse_file_id(given, field)
    check_members(given, {"type", "detail", member}, field)
    if given.get("detail") not in WHOLE_IMAGE:
        refuse(f"{field}.detail", "other providers cannot be told to look at an image roughly")
    url = a_string(given.get(member), f"{field}.{member}")
    return {"type": "image", "source": _by_url(url) or _image_data(url, f"{field}.{member}")}


def _image_data(url: str, field: str) -> Object:
    media_type, data = _data(url, field)
    if not media_type.startswith("image/"):
        invalid(field, "the data: URL of an image", url)
    return {"type": "base64", "media_type": media_type, "data": data}


def _chat_file(part: Object, field: str) -> Object:
    check_members(part, {"type", "file"}, field)
    return _document(an_object(part.get("file"), f"{field}.file"), f"{field}.file")


def _document(given: Object, field: str) -> Object:
    """A file by its data or its address; its name is the title, unless it is the one that says nothing."""
    _refuse_file_id(given, field)
    member = "file_data" if given.get("file_url") is None else "file_url"
    check_members(given, {"type", "filename", member}, field)
    url = a_string(given.get(member), f"{field}.{member}")
    source = _by_url(url) if member == "file_url" else _document_data(url, f"{field}.{member}")
    if source is None:
        invalid(f"{field}.{member}", "an https: address", url)
    name = a_string(given.get("filename") or "", f"{field}.filename")
    return {"type": "document", "source": source} | ({"title": name} if name not in ("", "document.pdf") else {})


def _document_data(url: str, field: str) -> Object:
    media_type, data = _data(url, field)
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": data}
    if media_type != "text/plain":
        refuse(field, f"other providers take PDF and plain text here, not '{media_type}'")
    try:
        return {"type": "text", "media_type": media_type, "data": b64decode(data, validate=True).decode()}
    except ValueError:
        invalid(field, "UTF-8 text in base64", url)


def _by_url(url: str) -> Object | None:
    return {"type": "url", "url": url} if url.startswith(("https://", "http://")) else None


def _data(url: str, field: str) -> tuple[str, str]:
    """Media type and base64 of a data: URL."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not data:
        invalid(field, ADDRESS, url)
    return head.removeprefix("data:").partition(";")[0].lower(), data


def _refuse_file_id(given: Object, field: str) -> None:
    if given.get("file_id") is not None:
        refuse(f"{field}.file_id", "a file at OpenAI is not there for other providers", "Give its data instead.")


TEXTS: Parts = {**dict.fromkeys(("text", "input_text", "output_text"), _text_part), "refusal": _refusal_part}
PARTS: Parts = {
    **TEXTS,
    "image_url": _chat_image,
    "input_image": _input_image,
    "file": _chat_file,
    "input_file": _document,
}
