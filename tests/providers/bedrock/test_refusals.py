"""What is refused, by name and with the dotted path; what consent loses; what no request, however odd, can do."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrost_cli.errors import BifrostError, InvalidRequestError, UnsupportedError
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import converse, translate

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
PNG = {"type": "base64", "media_type": "image/png", "data": "aaaa"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aaaa"}
URL = {"type": "url", "url": "https://a.example"}
FILE = {"type": "file", "file_id": "file_1"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}


def body(model: str, params: dict[str, Any], *drop: str) -> dict[str, Any]:
    asked = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **params}
    line = translate.encoder(asked, "auto", Context(drop=frozenset(drop))).encode("a", asked["messages"])
    made: dict[str, Any] = orjson.loads(line.body)["modelInput"]
    return made


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": list(blocks)}, {"role": "user", "content": "Go on"}]}


INVOKE = {
    "container": {"container": "c"},
    "inference_geo": {"inference_geo": "eu"},
    "mcp_servers": {"mcp_servers": [{}]},
    "speed": {"speed": "fast"},
    "service_tier": {"service_tier": "turbo"},
    "stream": {"stream": True},
    "tools.0": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "tools.1": {"tools": [TOOL, {"type": "code_execution_20250825", "name": "code_execution"}]},
    "tools.0.allowed_callers": {"tools": [{**TOOL, "allowed_callers": ["code_execution_20250825"]}]},
    "messages.0.content.0.source": user({"type": "image", "source": URL}),
    "messages.0.content.1.source": user({"type": "text", "text": "a"}, {"type": "document", "source": FILE}),
    "messages.0.content.0.content.0.source": user(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": FILE}]}
    ),
    "messages.0.content.0.source.content.0.source": user(
        {"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": URL}]}}
    ),
    "messages.0.content.0": user({"type": "container_upload", "file_id": "file_1"}),
    "messages.0.content.2": assistant(
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ),
    "system.0.source": {"system": [{"type": "document", "source": URL}]},
}
CONVERSE = {
    "container": {"container": "c"},
    "inference_geo": {"inference_geo": "eu"},
    "mcp_servers": {"mcp_servers": [{}]},
    "context_management": {"context_management": {"edits": []}},
    "made_up": {"made_up": 1},
    "speed": {"speed": "fast"},
    "service_tier": {"service_tier": "turbo"},
    "stream": {"stream": True},
    "thinking": {"thinking": {"type": "between_tools"}},
    "thinking.magic": {"thinking": {"type": "adaptive", "magic": 1}},
    "output_config.task_budget": {"output_config": {"task_budget": {"total": 1}}},
    "output_config.format.name": {"output_config": {"format": {"type": "json_schema", "schema": {}, "name": "n"}}},
    "tools": {"tools": [TOOL]},
    "messages.0.name": {"messages": [{"role": "user", "content": "Hi", "name": "n"}]},
    "messages.0.content.0.extra": user({"type": "text", "text": "Hi", "extra": 1}),
    "messages.0.content.0": user({"type": "tool_result", "tool_use_id": "t", "content": "x"}),
    "messages.0.content.1": assistant(
        {"type": "text", "text": "a"}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    ),
    "messages.0.content.0.source": user({"type": "image", "source": URL}),
    "messages.0.content.1.source": user({"type": "text", "text": "a"}, {"type": "document", "source": FILE}),
    "messages.0.content.0.source.media_type": user({"type": "image", "source": {**PNG, "media_type": "image/tiff"}}),
    "messages.0.content.2.source.media_type": user(
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "document", "source": {**PDF, "media_type": "text/csv"}},
    ),
    "messages.0.content.0.source.extra": user({"type": "document", "source": {**PDF, "extra": 1}}),
    "messages.0.content.0.citations": user({"type": "document", "source": PDF, "citations": {"enabled": True}}),
    "system.0": {"system": [{"type": "image", "source": PNG}]},
}
LOSABLE = {
    "container",
    "inference_geo",
    "mcp_servers",
    "context_management",
    "made_up",
    "speed",
    "service_tier",
    "stream",
    "thinking",
    "thinking.magic",
    "output_config.task_budget",
    "output_config.format.name",
    "tools.0.allowed_callers",
    "messages.0.name",
    "messages.0.content.0.extra",
    "messages.0.content.0.source.extra",
    "messages.0.content.0.citations",
}
REFUSED = [(CLAUDE, field) for field in INVOKE] + [(NOVA, field) for field in CONVERSE]


def asked(model: str, field: str) -> dict[str, Any]:
    return (INVOKE if model == CLAUDE else CONVERSE)[field]


@pytest.mark.parametrize(("model", "field"), REFUSED)
def test_refused_by_name(model: str, field: str) -> None:
    with pytest.raises(UnsupportedError) as refusal:
        body(model, asked(model, field))
    assert refusal.value.field == field
    assert refusal.value.message.startswith(f"{field}: ")
    assert refusal.value.provider == "bedrock"
    assert ("--drop" in str(refusal.value.hint)) == (field in LOSABLE)


@pytest.mark.parametrize(("model", "field"), REFUSED)
def test_lost_by_consent(model: str, field: str) -> None:
    consent = field if field.count(".") < 2 else field.rpartition(".")[2]
    if field in LOSABLE:
        body(model, asked(model, field), consent)
    else:
        with pytest.raises(UnsupportedError):
            body(model, asked(model, field), consent)


@pytest.mark.parametrize(
    ("field", "given"),
    {
        "temperature": {"temperature": "hot"},
        "top_k": {"top_k": True},
        "stop_sequences": {"stop_sequences": "END"},
        "system": {"system": 5},
        "system.0.text": {"system": [{"type": "text"}]},
        "thinking": {"thinking": "yes"},
        "thinking.type": {"thinking": {}},
        "thinking.budget_tokens": {"thinking": {"type": "enabled", "budget_tokens": "many"}},
        "output_config": {"output_config": []},
        "output_config.effort": {"output_config": {"effort": "huge"}},
        "output_config.format.type": {"output_config": {"format": {"type": "xml"}}},
        "output_config.format.schema": {"output_config": {"format": {"type": "json_schema"}}},
        "tool_choice.type": {"tool_choice": {}},
        "messages.0.role": {"messages": [{"role": "robot", "content": "Hi"}]},
        "messages.0.content": {"messages": [{"role": "user", "content": None}]},
        "messages.0.content.0": user("Hi"),
        "messages.0.content.0.type": user({}),
        "messages.0.content.0.source": user({"type": "image"}),
        "messages.0.content.0.source.data": user({"type": "image", "source": {**PNG, "data": 1}}),
        "messages.0.content.0.title": user({"type": "document", "source": PDF, "title": 1}),
        "messages.0.content.0.citations.enabled": user(
            {"type": "document", "source": PDF, "citations": {"enabled": "yes"}}
        ),
        "messages.0.content.0.thinking": assistant({"type": "thinking"}),
    }.items(),
)
def test_wrong_types_are_named(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        body(NOVA, given)
    assert refusal.value.message.startswith(f"{field}: must be ")


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "a b", "../x", "modèle"])
def test_names_that_bedrock_has_not(name: str) -> None:
    with pytest.raises(UnsupportedError) as refusal:
        body(name, {})
    assert refusal.value.field == "model"


@pytest.mark.parametrize(
    ("field", "given"),
    {
        "tools.0": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tools.0.name": {"tools": [{**TOOL, "name": "a b"}]},
        "tools.0.defer_loading": {"tools": [{**TOOL, "defer_loading": True}]},
        "tools.0.extra": {"tools": [{**TOOL, "extra": 1}]},
        "tool_choice": {"tools": [TOOL], "tool_choice": {"type": "none"}},
        "tool_choice.disable_parallel_tool_use": {
            "tools": [TOOL],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
        "messages.0.content.0.caller": assistant(
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code"}}
        ),
    }.items(),
)
def test_tools_of_one_call(field: str, given: dict[str, Any]) -> None:
    asked = {"model": NOVA, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **given}
    with pytest.raises(UnsupportedError) as refusal:
        converse.Converse(asked, frozenset(), batch=False).body(asked["messages"])
    assert refusal.value.field == field


# -- whatever is asked ------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [
        "type",
        "text",
        "image",
        "document",
        "search_result",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "source",
        "base64",
        "url",
        "file",
        "content",
        "media_type",
        "data",
        "title",
        "context",
        "citations",
        "enabled",
        "input",
        "id",
        "name",
        "tool_use_id",
        "is_error",
        "signature",
        "role",
        "user",
        "assistant",
        "system",
        "cache_control",
        "effort",
        "format",
        "schema",
        "json_schema",
        "budget_tokens",
        "adaptive",
        "enabled",
        "disabled",
        "auto",
        "any",
        "tool",
        "none",
        "input_schema",
        "strict",
        "description",
        "max_tokens",
        "application/pdf",
        "image/png",
        "caller",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | NAMES | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)
FIELDS = st.sampled_from(
    [
        "system",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "thinking",
        "output_config",
        "tools",
        "tool_choice",
        "metadata",
        "service_tier",
        "speed",
        "stream",
        "container",
        "mcp_servers",
        "inference_geo",
        "diagnostics",
        "cache_control",
        "context_management",
        "other",
    ]
)
MESSAGE = st.fixed_dictionaries({"role": NAMES, "content": JSON}, optional={"extra": JSON})


@settings(max_examples=400, deadline=None)
@given(
    model=st.sampled_from([CLAUDE, NOVA, "mistral.mistral-large-2407-v1:0", "odd"]),
    messages=st.lists(MESSAGE, min_size=1, max_size=3),
    more=st.dictionaries(FIELDS, JSON, max_size=4),
    drop=st.sets(FIELDS, max_size=2),
)
def test_only_our_errors(model: str, messages: list[Any], more: dict[str, Any], drop: set[str]) -> None:
    asked = {"model": model, "max_tokens": 1, "messages": messages, **more}
    with suppress(BifrostError):
        translate.encoder(asked, "auto", Context(drop=frozenset(drop))).encode("a", asked["messages"])
    with suppress(BifrostError):
        converse.Converse(asked, frozenset(drop), batch=False).body(asked["messages"])


@settings(max_examples=300, deadline=None)
@given(output=JSON, error=JSON, answer=st.dictionaries(st.sampled_from(["output", "stopReason", "usage"]), JSON))
def test_only_our_errors_in_answers(output: Any, error: Any, answer: dict[str, Any]) -> None:
    origin = translate.Origin("us-east-1.a", NOVA, "batch")
    for row in (
        {"recordId": "a", "modelOutput": output},
        {"recordId": "a", "modelInput": output, "modelOutput": answer},
        {"recordId": "a", "modelOutput": {"output": {"message": {"content": output}}, "stopReason": "tool_use"}},
        {"recordId": "a", "modelOutput": {"type": "message", "usage": output}},
        {"recordId": "a", "error": error},
        {"recordId": output},
    ):
        with suppress(BifrostError):
            translate.decode_result(orjson.dumps(row), origin)
