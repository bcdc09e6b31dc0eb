"""OpenAI's answers: what the messages made of them share."""

from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from bifrost_cli.providers.answers import count, objects, text
from bifrost_cli.providers.events import blank

UNREADABLE = "INVALID_JSON"
"""Where a tool call's arguments are no JSON object (mostly in a cut-off answer), `input` holds their text under this
name, as Anthropic's documentation advises for its own fine-grained streams."""


PREFIXES = ("resp_", "chatcmpl-", "batch_req_", "msg_")


class UsageNames(NamedTuple):
    """The members of an endpoint's `usage`."""

    input: str
    output: str
    input_details: str
    output_details: str


def message(
    body: dict[str, Any],
    content: list[dict[str, Any]],
    stop_reason: str,
    names: UsageNames,
    *,
    stop_sequence: str | None = None,
    refusal: str | None = None,
) -> dict[str, Any]:
    """Anthropic's message. `refusal` is what the model said instead of an answer."""
    refused = {"type": "refusal", "category": None, "explanation": refusal} if stop_reason == "refusal" else None
    return {
        "id": message_id(body.get("id")),
        "type": "message",
        "role": "assistant",
        "model": text(body.get("model")),
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "stop_details": refused,
        "usage": usage(body.get("usage"), names),
    }


def first_message(body: dict[str, Any]) -> dict[str, Any]:
    """The message as the start of a stream tells it; `body` is what the answer says of itself so far."""
    return blank(message_id(body.get("id")), text(body.get("model")))


def usage(given: Any, names: UsageNames) -> dict[str, Any]:
    """Anthropic counts cached input apart from `input_tokens`; OpenAI's `input` includes it. Absent counts are 0."""
    given = given if type(given) is dict else {}
    ins, outs = given.get(names.input_details), given.get(names.output_details)
    read = count(ins.get("cached_tokens")) if type(ins) is dict else 0
    written = count(ins.get("cache_write_tokens")) if type(ins) is dict else 0
    thought = count(outs.get("reasoning_tokens")) if type(outs) is dict else 0
    return {
        "input_tokens": max(0, count(given.get(names.input)) - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": count(given.get(names.output)),
        "output_tokens_details": {"thinking_tokens": thought},
        "service_tier": "batch",
    }


def message_id(id: Any) -> str:
    """`msg_…` from `resp_…`, `chatcmpl-…` and the like."""
    native = text(id)
    for prefix in PREFIXES:
        native = native.removeprefix(prefix)
    return f"msg_{native if is_safe(native) else _digest(native)}"


def tool_use(id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """A tool call. `arguments` is JSON text; servers that send the object itself are understood."""
    call = text(id)
    return {
        "type": "tool_use",
        "id": call if is_safe(call) else f"toolu_{_digest(call or f'{name} {arguments}')}",
        "name": text(name),
        "input": arguments if isinstance(arguments, dict) else _parsed(text(arguments)),
    }


def call_of(id: Any, name: Any) -> tuple[str, str]:
    """A tool call's id and name."""
    made = tool_use(id, name, None)
    return made["id"], made["name"]


def is_safe(id: str) -> bool:
    """Whether an id is in Anthropic's alphabet: a-z A-Z 0-9 _ -."""
    plain = id.replace("_", "").replace("-", "")
    return plain.isascii() and plain.isalnum()


def citations(annotations: Any) -> list[dict[str, Any]]:
    """Links of an answer as Anthropic's web citations; annotations of other kinds have no counterpart."""
    found = annotations if isinstance(annotations, list) else []
    return [_link(note) for note in found if isinstance(note, dict) and note.get("type") == "url_citation"]


def text_block(value: str, annotations: Any) -> dict[str, Any]:
    """A text, with its citations where it has any."""
    block: dict[str, Any] = {"type": "text", "text": value}
    if annotations and (cited := citations(annotations)):
        block["citations"] = cited
    return block


def _parsed(arguments: str) -> dict[str, Any]:
    if not arguments or arguments.isspace():
        return {}
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {UNREADABLE: arguments}
    return value if isinstance(value, dict) else {UNREADABLE: arguments}


def _link(note: dict[str, Any]) -> dict[str, Any]:
    nested = note.get("url_citation")
    source = nested if isinstance(nested, dict) else note
    return {
        "type": "web_search_result_location",
        "url": text(source.get("url")),
        "title": text(source.get("title")) or None,
        "cited_text": "",
        "encrypted_index": "",
    }


def _digest(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]


__all__ = ["count", "objects", "text"]
