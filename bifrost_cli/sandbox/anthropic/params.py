"""The shape of a Messages request: which fields there are and what goes into them (documented, and the SDK's types)."""

from collections.abc import Mapping

from bifrost_cli.sandbox.shape import (
    Check,
    Mismatch,
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
_cache_control = nullable(record({"type": choice("ephemeral")}, {"ttl": choice("5m", "1h")}))
_citations = nullable(record({}, {"enabled": boolean}))


def _block(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return record({"type": anything, **required}, {"cache_control": _cache_control, **(optional or {})})


_text_block = _block({"text": text}, {"citations": nullable(array(mapping()))})

_image_types = choice("image/jpeg", "image/png", "image/gif", "image/webp")
_image_source = tagged(
    {
        "base64": record({"type": anything, "media_type": _image_types, "data": text}),
        "url": record({"type": anything, "url": text}),
        "file": record({"type": anything, "file_id": text}),
    }
)
_image_block = _block({"source": _image_source}, {"transformations": nullable(mapping())})

_source_content = array(tagged({"text": _text_block, "image": _image_block}))
_document_source = tagged(
    {
        "base64": record({"type": anything, "media_type": choice("application/pdf"), "data": text}),
        "text": record({"type": anything, "media_type": choice("text/plain"), "data": text}),
        "content": record({"type": anything, "content": by_type({str: text, list: _source_content}, "content")}),
        "url": record({"type": anything, "url": text}),
        "file": record({"type": anything, "file_id": text}),
    }
)
_document_block = _block(
    {"source": _document_source}, {"title": nullable(text), "context": nullable(text), "citations": _citations}
)
_search_result_block = _block({"source": text, "title": text, "content": array(_text_block)}, {"citations": _citations})

_tool_id = string(pattern=r"^[a-zA-Z0-9_-]+$")
_result_content = tagged(
    {
        "text": _text_block,
        "image": _image_block,
        "document": _document_block,
        "search_result": _search_result_block,
        "tool_reference": record({"type": anything, "tool_name": text}, {"cache_control": _cache_control}),
        "browser_state": record({"type": anything}, extra=True),
    }
)
_tool_result_block = _block(
    {"tool_use_id": _tool_id},
    {
        "content": by_type({str: text, list: array(_result_content)}, "content"),
        "is_error": boolean,
        "toolset_name": nullable(text),
    },
)
_tool_use_block = _block(
    {"id": _tool_id, "name": string(short=1, long=200), "input": mapping()},
    {"caller": mapping(), "toolset_name": nullable(text)},
)

# What Anthropic's own tools leave in a conversation is passed back as it came; its inside is not looked at.
_SERVER_BLOCKS = (
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
)
_BLOCKS: dict[str, Check] = {
    "text": _text_block,
    "image": _image_block,
    "document": _document_block,
    "search_result": _search_result_block,
    "tool_use": _tool_use_block,
    "tool_result": _tool_result_block,
    "thinking": record({"type": anything, "thinking": text, "signature": text}),
    "redacted_thinking": record({"type": anything, "data": text}),
    "container_upload": _block({"file_id": text}),
    **{name: record({"type": anything}, extra=True) for name in _SERVER_BLOCKS},
}
_content = by_type({str: text, list: array(tagged(_BLOCKS))}, "content")
_message_fields = record({"role": choice("user", "assistant", "system"), "content": _content})


def _message(value: object) -> None:
    if not isinstance(value, dict):
        raise Mismatch("rule", value, "Input does not match the expected shape.")  # recorded 2024-06
    _message_fields(value)


_custom_tool = record(
    {
        "name": string(pattern=r"^[a-zA-Z0-9_-]{1,128}$"),
        "input_schema": record({"type": choice("object")}, extra=True),
    },
    {
        "type": anything,
        "description": text,
        "strict": boolean,
        "cache_control": _cache_control,
        "defer_loading": boolean,
        "eager_input_streaming": nullable(boolean),
        "allowed_callers": array(text),
        "input_examples": array(mapping()),
    },
)
_SERVER_TOOLS = (
    "bash_20250124",
    "code_execution_20250522",
    "code_execution_20250825",
    "code_execution_20260120",
    "code_execution_20260521",
    "browser_toolset_20260801",
    "memory_20250818",
    "computer_toolset_20260801",
    "text_editor_20250124",
    "text_editor_20250429",
    "text_editor_20250728",
    "web_search_20250305",
    "web_fetch_20250910",
    "web_search_20260209",
    "web_fetch_20260209",
    "web_fetch_20260309",
    "web_search_20260318",
    "web_fetch_20260318",
    "tool_search_tool_bm25_20251119",
    "tool_search_tool_regex_20251119",
)
_server_tool = record({"type": anything}, extra=True)
_tool = tagged({"custom": _custom_tool, **dict.fromkeys(_SERVER_TOOLS, _server_tool)}, default="custom")

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

_PROMPT: dict[str, Check] = {
    "system": by_type(
        {
            str: text,
            list: array(
                record(
                    {"type": choice("text"), "text": text},
                    {"cache_control": _cache_control, "citations": nullable(array(mapping()))},
                )
            ),
        },
        "content",
    ),
    "thinking": _thinking,
    "tools": array(_tool),
    "tool_choice": _tool_choice,
    "output_config": record({}, {"effort": _effort, "format": _format}),
    "cache_control": _cache_control,
    "speed": nullable(choice("standard", "fast")),
}
_SAMPLING: dict[str, Check] = {"temperature": number(0, 1), "top_p": number(0, 1), "top_k": integer(0)}
_MESSAGE: dict[str, Check] = {
    "stop_sequences": array(string(short=1)),
    "stream": boolean,
    "metadata": record({}, {"user_id": nullable(string(long=256))}),
    "service_tier": choice("auto", "standard_only"),
    "container": nullable(by_type({str: text, dict: mapping()}, "string")),
    "diagnostics": nullable(record({}, {"previous_message_id": nullable(text)})),
    "inference_geo": nullable(text),
}
_REQUIRED: dict[str, Check] = {"model": string(short=1, long=256), "messages": array(_message)}


def _versions(required: Mapping[str, Check], optional: Mapping[str, Check]) -> dict[str, Check]:
    """Since 2026-10-21 sampling parameters are refused, even with their defaults (documented)."""
    return {"2023-06-01": record(required, {**optional, **_SAMPLING}), "2026-10-21": record(required, optional)}


MESSAGES = _versions({**_REQUIRED, "max_tokens": integer()}, {**_PROMPT, **_MESSAGE})
"""The check for a Messages request, by API version."""

COUNT_TOKENS = _versions(_REQUIRED, _PROMPT)
"""The check for a token count, by API version."""
