"""The shape of a body for `/v1/chat/completions` (documented, and the SDK's types)."""

from bifrost_cli.sandbox.openai.params import (
    COMMON,
    FORMATS,
    SCHEMA_FORMAT,
    detail,
    effort,
    format_name,
    named_tool,
    parts,
    penalty,
    text,
    url,
    verbosity,
)
from bifrost_cli.sandbox.openai.params import strict as strict_flag
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
    record,
    string,
    tagged,
)

_text_part = record({"type": anything, "text": text})
_file = record({}, {"file_id": text, "file_data": text, "filename": text})
_user_parts: dict[str, Check] = {
    "text": _text_part,
    "image_url": record({"type": anything, "image_url": record({"url": url}, {"detail": detail})}),
    "input_audio": record({"type": anything, "input_audio": record({"data": text, "format": choice("wav", "mp3")})}),
    "file": record({"type": anything, "file": _file}),
}
_plain = by_type({str: text, list: parts(text=_text_part)}, "one of a string or array")
_rich = by_type({str: text, list: parts(**_user_parts)}, "one of a string or array")
_said = by_type(
    {
        str: text,
        list: parts(text=_text_part, refusal=record({"type": anything, "refusal": text})),
        type(None): anything,
    },
    "one of a string or array",
)
_call = tagged(
    {
        "function": record(
            {"id": text, "type": anything, "function": record({"name": named_tool(64), "arguments": text})}
        ),
        "custom": record({"id": text, "type": anything, "custom": mapping()}),
    }
)
_name = {"name": text}
_assistant_fields: dict[str, Check] = {
    **_name,
    "content": _said,
    "tool_calls": nullable(array(_call, short=1)),
    "refusal": nullable(text),
    "audio": nullable(mapping()),
    "function_call": nullable(mapping()),
    "annotations": anything,
}
_message = tagged(
    {
        "system": record({"role": anything, "content": _plain}, _name),
        "assistant": record({"role": anything}, _assistant_fields),
        "user": record({"role": anything, "content": _rich}, _name),
        "function": record({"role": anything, "name": text, "content": nullable(text)}),
        "tool": record({"role": anything, "content": _plain, "tool_call_id": text}),
        "developer": record({"role": anything, "content": _plain}, _name),
    },
    key="role",
)
_function = record({"name": named_tool(64)}, {"description": text, "parameters": mapping(), "strict": strict_flag})
_tool = tagged(
    {
        "function": record({"type": anything, "function": _function}),
        "custom": record({"type": anything, "custom": mapping()}),
    }
)
_chosen = tagged(
    {
        "function": record({"type": anything, "function": record({"name": text})}),
        "allowed_tools": record({"type": anything, "allowed_tools": mapping()}),
        "custom": record({"type": anything, "custom": mapping()}),
    }
)
_schema = record({"name": format_name}, {"schema": mapping(), **SCHEMA_FORMAT})
BODY = record(
    {},
    {
        **COMMON,
        "model": string(short=1),
        "messages": array(_message, short=1),
        "audio": nullable(mapping()),
        "frequency_penalty": penalty,
        "function_call": anything,
        "functions": array(_function, short=1),
        "logit_bias": nullable(mapping()),
        "logprobs": nullable(boolean),
        "max_completion_tokens": nullable(integer(1)),
        "max_tokens": nullable(integer(1)),
        "modalities": nullable(array(choice("text", "audio"))),
        "n": nullable(integer(1, 128)),
        "prediction": nullable(mapping()),
        "presence_penalty": penalty,
        "reasoning_effort": effort,
        "response_format": tagged({**FORMATS, "json_schema": record({"type": anything, "json_schema": _schema})}),
        "seed": nullable(integer()),
        "stop": by_type(
            {str: text, list: array(text, short=1, long=4), type(None): anything}, "one of a string or array"
        ),
        "stream_options": nullable(record({}, {"include_usage": boolean, "include_obfuscation": boolean})),
        "tool_choice": by_type({str: choice("none", "auto", "required"), dict: _chosen}, "one of a string or object"),
        "tools": array(_tool, short=1),
        "verbosity": verbosity,
        "web_search_options": mapping(),
    },
)
"""The check for a body; what it cannot do without is looked for apart."""
