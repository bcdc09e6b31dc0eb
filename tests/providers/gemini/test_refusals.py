"""What is refused, by name and with the dotted path; what consent loses; what is merely a hint."""

from typing import Any

import orjson
import pytest

from bifrost_cli.errors import InvalidRequestError, UnsupportedError
from bifrost_cli.providers.gemini import translate

FILES = "https://generativelanguage.googleapis.com/v1beta/files"
PNG = {"type": "base64", "media_type": "image/png", "data": "aaaa"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aaaa"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def body(params: dict[str, Any], drop: tuple[str, ...] = ()) -> dict[str, Any]:
    given = {"model": "gemini-2.5-flash", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **params}
    line = translate.encoder(given, "json_schema", FILES, frozenset(drop)).encode("a", given["messages"])
    made: dict[str, Any] = orjson.loads(line.body)["request"]
    return made


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: Any) -> dict[str, Any]:
    messages = [{"role": "assistant", "content": list(blocks)}, {"role": "user", "content": "Go on"}]
    return {"messages": messages}


def result(**more: Any) -> dict[str, Any]:
    """A tool_result after its call, as `messages.1.content.0`."""
    block = {"type": "tool_result", "tool_use_id": "t", **more}
    return {"messages": [{"role": "assistant", "content": [CALL]}, {"role": "user", "content": [block]}]}


UNSUPPORTED: dict[str, dict[str, Any]] = {
    # top level
    "container": {"container": "c"},
    "inference_geo": {"inference_geo": "eu"},
    "mcp_servers": {"mcp_servers": [{}]},
    "context_management": {"context_management": {"edits": []}},
    "user_profile_id": {"user_profile_id": "u"},
    "stream": {"stream": True},
    "speed": {"speed": "fast"},
    "service_tier": {"service_tier": "turbo"},
    "metadata.team": {"metadata": {"team": "a"}},
    "made_up": {"made_up": 1},
    "output_config.task_budget": {"output_config": {"task_budget": {"total": 1}}},
    "output_config.format.name": {"output_config": {"format": {"type": "json_schema", "schema": {}, "name": "n"}}},
    "stop_sequences": {"stop_sequences": ["1", "2", "3", "4", "5", "6"]},
    # thinking
    "thinking": {"thinking": {"type": "between_tools"}},
    "thinking.magic": {"thinking": {"type": "adaptive", "magic": 1}},
    "output_config.effort": {"model": "gemini-2.0-flash", "output_config": {"effort": "high"}},
    # messages and blocks
    "messages.0.name": {"messages": [{"role": "user", "content": "Hi", "name": "n"}]},
    "messages.0.content.0.extra": user({"type": "text", "text": "Hi", "extra": 1}),
    "messages.0.content.0.transformations": user(
        {"type": "image", "source": PNG, "transformations": {"oversized_image": "error"}}
    ),
    "messages.0.content.0.citations": user({"type": "document", "source": PDF, "citations": {"enabled": True}}),
    "messages.0.content.0.source.extra": user({"type": "document", "source": {**PDF, "extra": 1}}),
    "messages.0.content.1.citations": user(
        {"type": "text", "text": "a"},
        {
            "type": "search_result",
            "source": "s",
            "title": "t",
            "content": [{"type": "text", "text": "a"}],
            "citations": {"enabled": True},
        },
    ),
    "messages.0.content.0.caller": assistant({**CALL, "caller": {"type": "code_execution_20260120"}}),
    "messages.0.content.0.toolset_name": assistant({**CALL, "toolset_name": "browser"}),
    "messages.0.content.0.magic": assistant({"type": "thinking", "thinking": "", "signature": "", "magic": 1}),
    "messages.1.content.0.toolset_name": result(toolset_name="browser"),
    # tools
    "tools.0.defer_loading": {"tools": [{**TOOL, "defer_loading": True}]},
    "tools.0.allowed_callers": {"tools": [{**TOOL, "allowed_callers": ["code_execution_20260120"]}]},
    "tools.0.annotations": {"tools": [{**TOOL, "annotations": {}}]},
    "tool_choice.mode": {"tools": [TOOL], "tool_choice": {"type": "auto", "mode": 1}},
    "tool_choice.disable_parallel_tool_use": {
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    },
}
"""Field -> params that it is refused in; each can be lost by consent."""


@pytest.mark.parametrize("field", UNSUPPORTED)
def test_a_field_without_counterpart_is_refused_by_name_and_can_be_dropped(field: str) -> None:
    params = UNSUPPORTED[field]
    with pytest.raises(UnsupportedError) as caught:
        body(params)
    assert caught.value.field == field
    assert caught.value.provider == "gemini"
    names = [name for name in field.split(".") if not name.isdigit()]
    assert f"--drop {'.'.join(names)}" in str(caught.value)
    for drop in (field, ".".join(names), names[-1], names[0]):
        assert isinstance(body(params, (drop,)), dict)


NEVER: dict[str, dict[str, Any]] = {
    "messages.1": {
        "model": "gemini-3.8-flash",
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is"}],
    },
    "messages.0.content.0": user({"type": "container_upload", "file_id": "file_1"}),
    "messages.1.content.0.content.0": result(content=[{"type": "tool_reference", "tool_name": "f"}]),
    "messages.1.content.0.content": result(content=[{"type": "image", "source": PNG}]),
    "messages.0.content.0.source": user({"type": "image", "source": {"type": "carrier_pigeon"}}),
    "messages.0.content.1.source": user(
        {"type": "text", "text": "a"}, {"type": "document", "source": {"type": "carrier_pigeon"}}
    ),
    "messages.0.content.0.source.media_type": user({"type": "document", "source": {**PDF, "media_type": "text/html"}}),
    "messages.0.content.1.source.media_type": user(
        {"type": "text", "text": "a"}, {"type": "image", "source": {**PNG, "media_type": "image/gif"}}
    ),
    "messages.0.content.0.source.url": user({"type": "image", "source": {"type": "url", "url": "http://a.example/b"}}),
    "messages.0.content.0.source.content.0": user(
        {"type": "document", "source": {"type": "content", "content": [{"type": "document", "source": PDF}]}}
    ),
    "system.0": {"system": [{"type": "image", "source": PNG}]},
    "tools.0": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "tools.0.name": {"tools": [{**TOOL, "name": "no spaces"}]},
    "tools.1.name": {"tools": [TOOL, {**TOOL, "name": "1st"}]},
    "tool_choice.name": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "ü"}},
}


@pytest.mark.parametrize("field", NEVER)
def test_what_cannot_be_lost_is_refused_whatever_is_dropped(field: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        body(NEVER[field], ("messages", "tools", "system", "tool_choice"))
    assert caught.value.field == field


BY_MODEL: dict[str, dict[str, Any]] = {
    "messages.0.content.0.source.url": user({"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}),
    "messages.1.content.0.content": result(content=[{"type": "document", "source": PDF}]),
    "messages.1": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "It is"}]},
}
TAKES = dict(zip(BY_MODEL, ("gemini-2.5-flash", "gemini-3-flash-preview", "gemini-3-flash-preview"), strict=True))
REFUSES = dict(zip(BY_MODEL, ("gemini-2.0-flash", "gemini-2.5-flash", "gemini-3.6-flash"), strict=True))


@pytest.mark.parametrize("field", BY_MODEL)
def test_what_some_models_take(field: str) -> None:
    assert body({**BY_MODEL[field], "model": TAKES[field]})
    with pytest.raises(UnsupportedError) as caught:
        body({**BY_MODEL[field], "model": REFUSES[field]})
    assert caught.value.field == field


def test_a_file_in_a_tool_result_is_refused_by_every_model() -> None:
    image = {"type": "image", "source": {"type": "file", "file_id": "abc"}}
    with pytest.raises(UnsupportedError, match="as base64 only"):
        body({**result(content=[image]), "model": "gemini-3.8-flash"})


@pytest.mark.parametrize("kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "image", "document"])
def test_blocks_of_an_assistant_other_than_text_calls_and_thinking(kind: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"messages\.0\.content\.0: a block of type '{kind}'"):
        body(assistant({"type": kind, "source": PNG}))


INVALID: dict[str, dict[str, Any]] = {
    "system": {"system": 5},
    "system.0.text": {"system": [{"type": "text"}]},
    "metadata": {"metadata": "me"},
    "metadata.user_id": {"metadata": {"user_id": 7}},
    "temperature": {"temperature": "hot"},
    "top_p": {"top_p": True},
    "top_k": {"top_k": 1.5},
    "stop_sequences": {"stop_sequences": "END"},
    "thinking": {"thinking": "hard"},
    "thinking.type": {"thinking": {"type": "hard"}},
    "thinking.display": {"thinking": {"type": "adaptive", "display": "loud"}},
    "thinking.budget_tokens": {"thinking": {"type": "enabled"}},
    "output_config": {"output_config": "json"},
    "output_config.effort": {"output_config": {"effort": "extreme"}},
    "output_config.format.type": {"output_config": {"format": {"type": "regex"}}},
    "output_config.format.schema": {"output_config": {"format": {"type": "json_schema"}}},
    "messages": {"messages": [{"role": "system", "content": "Only this"}]},
    "messages.0.role": {"messages": [{"role": "wizard", "content": "Hi"}]},
    "messages.0.content": {"messages": [{"role": "user", "content": 5}]},
    "messages.0.content.0": user("Hi"),
    "messages.0.content.0.type": user({"text": "Hi"}),
    "messages.0.content.0.text": user({"type": "text", "text": None}),
    "messages.0.content.0.source": user({"type": "image"}),
    "messages.0.content.0.source.type": user({"type": "image", "source": {}}),
    "messages.0.content.0.source.data": user(
        {"type": "image", "source": {"type": "base64", "media_type": "image/png"}}
    ),
    "messages.0.content.0.source.media_type": user({"type": "image", "source": {"type": "base64", "data": "aaaa"}}),
    "messages.0.content.0.source.url": user({"type": "image", "source": {"type": "url"}}),
    "messages.0.content.0.source.file_id": user({"type": "image", "source": {"type": "file", "file_id": "../a"}}),
    "messages.0.content.0.title": user({"type": "document", "source": PDF, "title": 5}),
    "messages.0.content.0.context": user({"type": "document", "source": PDF, "context": []}),
    "messages.0.content.0.source.content": user({"type": "document", "source": {"type": "content", "content": []}}),
    "messages.0.content.0.tool_use_id": user({"type": "tool_result", "tool_use_id": "never", "content": "x"}),
    "messages.1.content.0.tool_use_id": result(tool_use_id=None),
    "messages.1.content.0.is_error": result(is_error="yes"),
    "messages.1.content.0.content": result(content=0),
    "messages.0.content.0.input": assistant({**CALL, "input": "x"}),
    "messages.0.content.0.id": assistant({**CALL, "id": None}),
    "messages.0.content.0.name": assistant({**CALL, "name": None}),
    "tools": {"tools": {"name": "f"}},
    "tools.0": {"tools": ["f"]},
    "tools.0.name": {"tools": [{"input_schema": {}}]},
    "tools.0.input_schema": {"tools": [{"name": "f"}]},
    "tools.0.strict": {"tools": [{**TOOL, "strict": "yes"}]},
    "tools.0.description": {"tools": [{**TOOL, "description": 5}]},
    "tools.0.input_examples": {"tools": [{**TOOL, "input_examples": "x"}]},
    "tool_choice": {"tools": [TOOL], "tool_choice": "auto"},
    "tool_choice.type": {"tools": [TOOL], "tool_choice": {"type": "maybe"}},
    "tool_choice.name": {"tools": [TOOL], "tool_choice": {"type": "tool"}},
    "tool_choice.disable_parallel_tool_use": {
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": 1},
    },
}


@pytest.mark.parametrize("field", INVALID)
def test_a_value_of_the_wrong_kind_is_named(field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body(INVALID[field])
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.message.startswith(f"{field}: must be ")


def test_a_choice_of_a_tool_needs_tools() -> None:
    with pytest.raises(InvalidRequestError, match=r"^tools: must be given"):
        body({"tool_choice": {"type": "any"}})
    assert "tool_config" not in body({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "tools": []})


def test_what_cannot_be_written_as_json_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    for value in (deep, {"a": object()}, {"a": "\ud800"}, {"a": 2**70}):
        with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
            body(assistant({**CALL, "input": value}))
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        body({"messages": [{"role": "user", "content": "\ud800"}]})


def test_null_asks_for_nothing() -> None:
    names = ("system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "container", "made_up")
    assert body(dict.fromkeys(names)) == body({})
    block = {"type": "text", "text": "Hi", "cache_control": None, "citations": None, "made_up": None}
    assert body(user(block)) == body(user({"type": "text", "text": "Hi"}))
