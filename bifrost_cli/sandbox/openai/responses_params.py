"""The shape of a body for `/v1/responses` (documented, and the SDK's types)."""

from bifrost_cli.sandbox.openai.params import (
    COMMON,
    FORMATS,
    SCHEMA_FORMAT,
    detail,
    effort,
    format_name,
    named_tool,
    open_object,
    parts,
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

_breakpoint = {"prompt_cache_breakpoint": mapping()}
_input_parts: dict[str, Check] = {
    "input_text": record({"type": anything, "text": text}, _breakpoint),
    "input_image": record(
        {"type": anything},
        {"image_url": nullable(url), "file_id": nullable(text), "detail": nullable(detail), **_breakpoint},
    ),
    "input_file": record(
        {"type": anything},
        {
            "file_id": nullable(text),
            "file_data": text,
            "file_url": url,
            "filename": text,
            "detail": detail,
            **_breakpoint,
        },
    ),
}
_output_parts: dict[str, Check] = {
    "output_text": record({"type": anything, "text": text}, {"annotations": array(anything), "logprobs": anything}),
    "refusal": record({"type": anything, "refusal": text}),
}
_input_content = by_type({str: text, list: parts(**_input_parts)}, "one of a string or array")
_output_content = by_type({str: text, list: parts(**_output_parts)}, "one of a string or array")
_message_fields = {
    "type": anything,
    "id": text,
    "status": text,
    "phase": nullable(choice("commentary", "final_answer")),
}


def _role(content: Check) -> Check:
    return record({"role": anything, "content": content}, _message_fields)


_message = tagged(
    {
        "assistant": _role(_output_content),
        "system": _role(_input_content),
        "developer": _role(_input_content),
        "user": _role(_input_content),
    },
    key="role",
)
_call_id = string(short=1, long=64)
_item_fields = {"id": nullable(text), "status": nullable(text)}
_OPEN_ITEMS = (
    "web_search_call",
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "code_interpreter_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "custom_tool_call",
    "custom_tool_call_output",
    "tool_search_call",
    "tool_search_output",
    "compaction",
)
_item = tagged(
    {
        "message": _message,
        "function_call": record(
            {"type": anything, "call_id": _call_id, "name": named_tool(128), "arguments": text}, _item_fields
        ),
        "function_call_output": record({"type": anything, "call_id": _call_id, "output": _input_content}, _item_fields),
        "reasoning": record(
            {"type": anything, "summary": array(record({"type": choice("summary_text"), "text": text}))},
            {**_item_fields, "content": nullable(array(mapping())), "encrypted_content": nullable(text)},
        ),
        "item_reference": record({"type": anything, "id": text}),
        **dict.fromkeys(_OPEN_ITEMS, open_object),
    },
    default="message",
)
_function = record(
    {"type": anything, "name": named_tool(128)},
    {
        "parameters": nullable(mapping()),
        "strict": strict_flag,
        "description": nullable(text),
        "defer_loading": boolean,
        "async": boolean,
        "allowed_callers": nullable(array(text)),
        "output_schema": nullable(mapping()),
    },
)
_OPEN_TOOLS = (
    "file_search",
    "web_search",
    "web_search_preview",
    "computer_use_preview",
    "computer",
    "mcp",
    "code_interpreter",
    "image_generation",
    "local_shell",
    "shell",
    "custom",
    "apply_patch",
    "tool_search",
)
_tool = tagged({"function": _function, **dict.fromkeys(_OPEN_TOOLS, open_object)})
_chosen_tool = tagged(
    {
        "function": record({"type": anything, "name": text}),
        "allowed_tools": record({"type": anything, "mode": choice("auto", "required"), "tools": array(mapping())}),
        **dict.fromkeys(_OPEN_TOOLS, open_object),
    }
)
_tool_choice = by_type({str: choice("none", "auto", "required"), dict: _chosen_tool}, "one of a string or object")
_schema_format = record({"type": anything, "name": format_name, "schema": mapping()}, SCHEMA_FORMAT)
_text = record({}, {"format": tagged({**FORMATS, "json_schema": _schema_format}), "verbosity": verbosity})
_summary = nullable(choice("auto", "concise", "detailed"))
_reasoning = nullable(
    record(
        {},
        {
            "effort": effort,
            "summary": _summary,
            "generate_summary": _summary,
            "context": nullable(choice("auto", "current_turn", "all_turns")),
            "mode": text,
        },
    )
)
_input = by_type({str: text, list: array(_item)}, "one of a string or array")
_PROMPT: dict[str, Check] = {
    "conversation": anything,
    "input": _input,
    "instructions": nullable(text),
    "model": string(short=1),
    "parallel_tool_calls": nullable(boolean),
    "previous_response_id": nullable(text),
    "reasoning": _reasoning,
    "text": nullable(_text),
    "tool_choice": _tool_choice,
    "tools": array(_tool),
    "truncation": nullable(choice("auto", "disabled")),
}
BODY = record(
    {},
    {
        **COMMON,
        **_PROMPT,
        "access_programs": mapping(),
        "background": nullable(boolean),
        "background_options": mapping(),
        "context_management": nullable(array(mapping())),
        "image": mapping(),
        "include": nullable(array(text)),
        "max_output_tokens": nullable(integer(16)),
        "max_tool_calls": nullable(integer(1)),
        "prompt": nullable(mapping()),
        "stream_options": nullable(record({}, {"include_obfuscation": boolean})),
    },
)
"""The check for a body; what it cannot do without is looked for apart."""

COUNT = record({}, {**_PROMPT, "personality": text})
"""The check for a token count."""
