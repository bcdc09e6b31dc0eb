"""The shape of the body that Anthropic's models take through InvokeModel: a Messages request without `model` and
`stream`, with its version and betas inside (documented)."""

from bifrost_cli.sandbox.shape import (
    Check,
    anything,
    array,
    boolean,
    by_type,
    choice,
    integer,
    mapping,
    nullable,
    number,
    record,
    string,
    tagged,
)

text = string()
_cache = nullable(record({"type": choice("ephemeral")}, {"ttl": choice("5m", "1h")}))
_citations = nullable(record({}, {"enabled": boolean}))


def _block(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return record({"type": anything, **required}, {"cache_control": _cache, **(optional or {})})


_text = _block({"text": text}, {"citations": nullable(array(mapping()))})
_image_types = choice("image/jpeg", "image/png", "image/gif", "image/webp")
_image = _block({"source": tagged({"base64": record({"type": anything, "media_type": _image_types, "data": text})})})
_document_source = tagged(
    {
        "base64": record({"type": anything, "media_type": choice("application/pdf"), "data": text}),
        "text": record({"type": anything, "media_type": choice("text/plain"), "data": text}),
        "content": record(
            {
                "type": anything,
                "content": by_type({str: text, list: array(tagged({"text": _text, "image": _image}))}, "content"),
            }
        ),
    }
)
"""Neither files nor URLs are taken (documented)."""

_document = _block(
    {"source": _document_source}, {"title": nullable(text), "context": nullable(text), "citations": _citations}
)
_search_result = _block({"source": text, "title": text, "content": array(_text)}, {"citations": _citations})
_result_content = tagged({"text": _text, "image": _image, "document": _document, "search_result": _search_result})
_tool_id = string(pattern=r"^[a-zA-Z0-9_-]+$")
_BLOCKS: dict[str, Check] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _block({"id": _tool_id, "name": string(short=1, long=200), "input": mapping()}, {"caller": mapping()}),
    "tool_result": _block(
        {"tool_use_id": _tool_id},
        {"content": by_type({str: text, list: array(_result_content)}, "content"), "is_error": boolean},
    ),
    "thinking": record({"type": anything, "thinking": text, "signature": text}),
    "redacted_thinking": record({"type": anything, "data": text}),
}
_message = record(
    {
        "role": choice("user", "assistant", "system"),
        "content": by_type({str: text, list: array(tagged(_BLOCKS))}, "content"),
    }
)

_tool = record(
    {
        "name": string(pattern=r"^[a-zA-Z0-9_-]{1,128}$"),
        "input_schema": record({"type": choice("object")}, extra=True),
    },
    {
        "type": choice("custom"),
        "description": text,
        "strict": boolean,
        "cache_control": _cache,
        "defer_loading": boolean,
        "eager_input_streaming": nullable(boolean),
        "allowed_callers": array(text),
        "input_examples": array(mapping()),
    },
)
_server_tool = record({"type": text, "name": text}, extra=True)


def _any_tool(value: object) -> None:
    """A tool of the caller's, or one of those that come with the model (`bash_20250124` and so on)."""
    server = isinstance(value, dict) and value.get("type", "custom") != "custom"
    (_server_tool if server else _tool)(value)


_parallel = {"disable_parallel_tool_use": boolean}
_tool_choice = tagged(
    {
        "auto": record({"type": anything}, _parallel),
        "any": record({"type": anything}, _parallel),
        "tool": record({"type": anything, "name": text}, _parallel),
        "none": record({"type": anything}),
    }
)
_display = {"display": nullable(choice("summarized", "omitted"))}
_thinking = tagged(
    {
        "enabled": record({"type": anything, "budget_tokens": integer(1024)}, _display),
        "adaptive": record({"type": anything}, _display),
        "disabled": record({"type": anything}),
        "between_tools": record({"type": anything}),
    }
)
_effort = nullable(choice("low", "medium", "high", "xhigh", "max"))
_format = nullable(record({"type": choice("json_schema"), "schema": mapping()}))
_system = record(
    {"type": choice("text"), "text": text}, {"cache_control": _cache, "citations": nullable(array(mapping()))}
)

OLD, NEW = "bedrock-2023-05-31", "2026-10-21"
"""The versions of the body; the newer one is for models since Claude 4.7 (documented)."""

_REQUIRED: dict[str, Check] = {
    "anthropic_version": choice(OLD, NEW),
    "max_tokens": integer(0),
    "messages": array(_message),
}
_OPTIONAL: dict[str, Check] = {
    "anthropic_beta": nullable(array(text)),
    "system": by_type({str: text, list: array(_system)}, "content"),
    "thinking": _thinking,
    "tools": array(_any_tool),
    "tool_choice": _tool_choice,
    "output_config": record({}, {"effort": _effort, "format": _format}),
    "cache_control": _cache,
    "stop_sequences": array(string(short=1)),
    "metadata": record({}, {"user_id": nullable(string(long=256))}),
    "user_profile_id": nullable(text),
}
_SAMPLING: dict[str, Check] = {"temperature": number(0, 1), "top_p": number(0, 1), "top_k": integer(0)}

BODY = {OLD: record(_REQUIRED, {**_OPTIONAL, **_SAMPLING}), NEW: record(_REQUIRED, _OPTIONAL)}
"""The check for a body, by version: the newer one has no sampling parameters (documented)."""

_EXTRA = ("anthropic_beta", "thinking", "output_config", "tools", "tool_choice", "metadata")
EXTRA_FIELDS = record({}, {**{name: _OPTIONAL[name] for name in _EXTRA}, "top_k": _SAMPLING["top_k"]})
"""The check for what Converse hands on to the model beside its own fields."""
