"""The messages that requests are made of (documented, and the SDK's types)."""

from bifrost_cli.sandbox.gemini.proto import (
    BOOL,
    BYTES,
    DOUBLE,
    FLOAT,
    INT32,
    INT64,
    STRING,
    STRUCT,
    VALUE,
    Many,
    Mapped,
    Message,
    enum,
)

MEDIA_RESOLUTION = enum(
    "GenerationConfig.MediaResolution",
    "MEDIA_RESOLUTION_UNSPECIFIED",
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
)
SCHEMA = Message(
    "Schema",
    {
        "type": enum("Type", "TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"),
        "format": STRING,
        "title": STRING,
        "description": STRING,
        "nullable": BOOL,
        "enum": Many(STRING),
        "max_items": INT64,
        "min_items": INT64,
        "required": Many(STRING),
        "min_properties": INT64,
        "max_properties": INT64,
        "min_length": INT64,
        "max_length": INT64,
        "pattern": STRING,
        "example": VALUE,
        "property_ordering": Many(STRING),
        "default": VALUE,
        "minimum": DOUBLE,
        "maximum": DOUBLE,
    },
)
SCHEMA.fields |= {"any_of": Many(SCHEMA), "properties": Mapped(SCHEMA), "items": SCHEMA}

_BLOB = Message("Blob", {"mime_type": STRING, "data": BYTES, "display_name": STRING})
_FILE_DATA = Message("FileData", {"mime_type": STRING, "file_uri": STRING, "display_name": STRING})
_FUNCTION_CALL = Message("FunctionCall", {"id": STRING, "name": STRING, "args": STRUCT})
_RESPONSE_PART = Message(
    "FunctionResponsePart", {"inline_data": _BLOB, "file_data": _FILE_DATA}, oneof=("inline_data", "file_data")
)
_FUNCTION_RESPONSE = Message(
    "FunctionResponse",
    {
        "id": STRING,
        "name": STRING,
        "response": STRUCT,
        "parts": Many(_RESPONSE_PART),
        "will_continue": BOOL,
        "scheduling": enum("FunctionResponse.Scheduling", "SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"),
    },
)
_LANGUAGE = enum("ExecutableCode.Language", "LANGUAGE_UNSPECIFIED", "PYTHON")
_OUTCOME = enum(
    "CodeExecutionResult.Outcome", "OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"
)
_TOOL_TYPE = {"id": STRING, "tool_type": STRING}
DATA = (
    "text",
    "inline_data",
    "function_call",
    "function_response",
    "file_data",
    "executable_code",
    "code_execution_result",
    "tool_call",
    "tool_response",
)
"""The members of a part of which exactly one is set."""

PART = Message(
    "Part",
    {
        "text": STRING,
        "inline_data": _BLOB,
        "function_call": _FUNCTION_CALL,
        "function_response": _FUNCTION_RESPONSE,
        "file_data": _FILE_DATA,
        "executable_code": Message("ExecutableCode", {"id": STRING, "language": _LANGUAGE, "code": STRING}),
        "code_execution_result": Message("CodeExecutionResult", {"id": STRING, "outcome": _OUTCOME, "output": STRING}),
        "tool_call": Message("ToolCall", {**_TOOL_TYPE, "args": STRUCT}),
        "tool_response": Message("ToolResponse", {**_TOOL_TYPE, "response": STRUCT}),
        "video_metadata": Message("VideoMetadata", {"start_offset": STRING, "end_offset": STRING, "fps": DOUBLE}),
        "thought": BOOL,
        "thought_signature": BYTES,
        "part_metadata": STRUCT,
        "media_resolution": Message("MediaResolution", {"level": STRING, "num_tokens": INT32}),
    },
    oneof=DATA,
)
CONTENT = Message("Content", {"parts": Many(PART), "role": STRING})

_FUNCTION_DECLARATION = Message(
    "FunctionDeclaration",
    {
        "name": STRING,
        "description": STRING,
        "behavior": enum("FunctionDeclaration.Behavior", "UNSPECIFIED", "BLOCKING", "NON_BLOCKING"),
        "parameters": SCHEMA,
        "parameters_json_schema": VALUE,
        "response": SCHEMA,
        "response_json_schema": VALUE,
    },
)
BUILT_IN_TOOLS = (
    "google_search_retrieval",
    "code_execution",
    "google_search",
    "computer_use",
    "url_context",
    "file_search",
    "google_maps",
)
"""Tools that Google runs; the sandbox takes them and never uses one."""

_TOOL = Message(
    "Tool",
    {
        "function_declarations": Many(_FUNCTION_DECLARATION),
        **dict.fromkeys(BUILT_IN_TOOLS, STRUCT),
        "mcp_servers": Many(STRUCT),
    },
)
_CALLING = Message(
    "FunctionCallingConfig",
    {
        "mode": enum("FunctionCallingConfig.Mode", "MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
        "allowed_function_names": Many(STRING),
    },
)
_TOOL_CONFIG = Message(
    "ToolConfig",
    {
        "function_calling_config": _CALLING,
        "retrieval_config": STRUCT,
        "include_server_side_tool_invocations": BOOL,
    },
)
_HARMS = (
    "HARM_CATEGORY_UNSPECIFIED",
    "HARM_CATEGORY_DEROGATORY",
    "HARM_CATEGORY_TOXICITY",
    "HARM_CATEGORY_VIOLENCE",
    "HARM_CATEGORY_SEXUAL",
    "HARM_CATEGORY_MEDICAL",
    "HARM_CATEGORY_DANGEROUS",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
)
_THRESHOLDS = (
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "BLOCK_LOW_AND_ABOVE",
    "BLOCK_MEDIUM_AND_ABOVE",
    "BLOCK_ONLY_HIGH",
    "BLOCK_NONE",
    "OFF",
)
_SAFETY = Message(
    "SafetySetting",
    {"category": enum("HarmCategory", *_HARMS), "threshold": enum("SafetySetting.HarmBlockThreshold", *_THRESHOLDS)},
)
LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
_THINKING = Message(
    "ThinkingConfig",
    {
        "include_thoughts": BOOL,
        "thinking_budget": INT32,
        "thinking_level": enum("ThinkingConfig.ThinkingLevel", "THINKING_LEVEL_UNSPECIFIED", *LEVELS),
    },
)
_GENERATION_CONFIG = Message(
    "GenerationConfig",
    {
        "candidate_count": INT32,
        "stop_sequences": Many(STRING),
        "max_output_tokens": INT32,
        "temperature": FLOAT,
        "top_p": FLOAT,
        "top_k": INT32,
        "seed": INT32,
        "response_mime_type": STRING,
        "response_schema": SCHEMA,
        "response_json_schema": VALUE,
        "presence_penalty": FLOAT,
        "frequency_penalty": FLOAT,
        "response_logprobs": BOOL,
        "logprobs": INT32,
        "enable_enhanced_civic_answers": BOOL,
        "response_modalities": Many(
            enum("GenerationConfig.Modality", "MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO")
        ),
        "speech_config": STRUCT,
        "image_config": STRUCT,
        "thinking_config": _THINKING,
        "media_resolution": MEDIA_RESOLUTION,
    },
)
REQUEST = Message(
    "GenerateContentRequest",
    {
        "model": STRING,
        "contents": Many(CONTENT),
        "system_instruction": CONTENT,
        "tools": Many(_TOOL),
        "tool_config": _TOOL_CONFIG,
        "safety_settings": Many(_SAFETY),
        "generation_config": _GENERATION_CONFIG,
        "cached_content": STRING,
        "service_tier": enum("ServiceTier", "UNSPECIFIED", "STANDARD", "FLEX", "PRIORITY"),
        "store": BOOL,
    },
)
COUNT = Message("CountTokensRequest", {"contents": Many(CONTENT), "generate_content_request": REQUEST, "model": STRING})

_INLINED = Message("InlinedRequest", {"request": REQUEST, "metadata": STRUCT})
_INPUT = Message(
    "InputConfig",
    {"requests": Message("InlinedRequests", {"requests": Many(_INLINED)}), "file_name": STRING},
    oneof=("requests", "file_name"),
)
_WEBHOOK = Message("WebhookConfig", {"uris": Many(STRING), "user_metadata": STRUCT})
_BATCH = Message(
    "GenerateContentBatch",
    {
        "model": STRING,
        "name": STRING,
        "display_name": STRING,
        "input_config": _INPUT,
        "priority": INT64,
        "webhook_config": _WEBHOOK,
    },
)
CREATE_BATCH = Message("BatchGenerateContentRequest", {"batch": _BATCH})
LINE = Message("GenerateContentBatchLine", {"key": STRING, "request": REQUEST})
"""A line of a batch's input file."""

FILE = Message("File", {"name": STRING, "display_name": STRING, "mime_type": STRING, "size_bytes": INT64})
CREATE_FILE = Message("CreateFileRequest", {"file": FILE})
