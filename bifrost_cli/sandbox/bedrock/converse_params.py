"""The shape of a Converse request (the SDK's service model). Blobs are base64 on the wire."""

from bifrost_cli.sandbox.bedrock.checks import matching, structure, union
from bifrost_cli.sandbox.shape import (
    Check,
    anything,
    array,
    boolean,
    choice,
    integer,
    mapping,
    number,
    string,
)

text = string()
_blob = string(short=1)
_tool_id = matching("[a-zA-Z0-9_.:-]+", short=1, long=64)
_tool_name = matching("[a-zA-Z0-9_-]+", short=1, long=64)
_citations = structure({"enabled": boolean})
_s3 = structure(
    {"uri": matching(r"s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?", short=1, long=1024)},
    {"bucketOwner": matching("[0-9]{12}")},
)


def _media(*formats: str) -> Check:
    source = union({"bytes": _blob, "s3Location": _s3})
    return structure({"format": choice(*formats), "source": source}, {"error": mapping()})


_image = _media("png", "jpeg", "gif", "webp")
_video = _media("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp")
_audio = _media(
    *("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm")
)
_document_source = union({"bytes": _blob, "s3Location": _s3, "text": text, "content": array(union({"text": text}))})
_document = structure(
    {"name": string(short=1, long=200), "source": _document_source},
    {
        "format": choice("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
        "context": text,
        "citations": _citations,
    },
)
_search_result = structure(
    {"source": text, "title": text, "content": array(structure({"text": text}))}, {"citations": _citations}
)
_tool_result = structure(
    {
        "toolUseId": _tool_id,
        "content": array(
            union(
                {
                    "json": anything,
                    "text": text,
                    "image": _image,
                    "document": _document,
                    "video": _video,
                    "searchResult": _search_result,
                }
            )
        ),
    },
    {"status": choice("success", "error"), "type": text},
)
_guard_text = structure({"text": text}, {"qualifiers": array(choice("grounding_source", "query", "guard_content"))})
_guard = union({"text": _guard_text, "image": _media("png", "jpeg")})
cache_point = structure({"type": choice("default")}, {"ttl": choice("5m", "1h")})
_reasoning = union({"reasoningText": structure({"text": text}, {"signature": text}), "redactedContent": _blob})
_tool_reference = structure({"tool": structure({}, dict.fromkeys(("type", "name", "serverName"), string(short=1)))})
_BLOCKS: dict[str, Check] = {
    "text": text,
    "image": _image,
    "document": _document,
    "video": _video,
    "audio": _audio,
    "toolUse": structure({"toolUseId": _tool_id, "name": _tool_name, "input": anything}, {"type": text}),
    "toolResult": _tool_result,
    "guardContent": _guard,
    "cachePoint": cache_point,
    "reasoningContent": _reasoning,
    "citationsContent": structure({}, {"content": array(union({"text": text})), "citations": array(mapping())}),
    "searchResult": _search_result,
    "toolAddition": _tool_reference,
    "toolRemoval": _tool_reference,
}
_message = structure({"role": choice("user", "assistant", "system"), "content": array(union(_BLOCKS))})
_system = union({"text": string(short=1), "guardContent": _guard, "cachePoint": cache_point})
_tool_spec = structure(
    {"name": _tool_name, "inputSchema": union({"json": mapping()})},
    {"description": string(short=1), "strict": boolean},
)
_tool = union({"toolSpec": _tool_spec, "systemTool": structure({"name": _tool_name}), "cachePoint": cache_point})
_tool_choice = union({"auto": structure({}), "any": structure({}), "tool": structure({"name": _tool_name})})
_json_schema = structure({"schema": text}, {"name": text, "description": text})
_text_format = structure(
    {"type": choice("json_schema"), "structure": union({"jsonSchema": _json_schema})},
)

_COUNTED: dict[str, Check] = {
    "messages": array(_message),
    "system": array(_system),
    "toolConfig": structure({"tools": array(_tool, short=1)}, {"toolChoice": _tool_choice}),
    "additionalModelRequestFields": anything,
}
_OTHER: dict[str, Check] = {
    "inferenceConfig": structure(
        {},
        {
            "maxTokens": integer(1),
            "temperature": number(0, 1),
            "topP": number(0, 1),
            "stopSequences": array(string(short=1), long=2500),
        },
    ),
    "guardrailConfig": mapping(),
    "promptVariables": mapping(),
    "additionalModelResponseFieldPaths": array(string(short=1, long=256), long=10),
    "requestMetadata": mapping(string(long=256), long=16),
    "performanceConfig": structure({}, {"latency": choice("standard", "optimized")}),
    "serviceTier": structure({"type": choice("priority", "default", "flex", "reserved")}),
    "outputConfig": structure({}, {"textFormat": _text_format, "effort": string(long=16)}),
}

CONVERSE = structure({}, {**_COUNTED, **_OTHER})
"""The check for Converse and ConverseStream."""

COUNTED = structure({}, _COUNTED)
"""The check for a Converse request whose tokens are counted."""
