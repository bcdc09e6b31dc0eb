"""What is refused, by name and with the dotted path; what consent loses; what is merely a hint."""

from typing import Any

import orjson
import pytest

from bifrost_cli.errors import BifrostError, InvalidRequestError, UnsupportedError
from bifrost_cli.providers.openai import translate

PNG = {"type": "base64", "media_type": "image/png", "data": "aaaa"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aaaa"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
MODES = ("responses", "chat")


def body(params: dict[str, Any], mode: str = "responses", drop: tuple[str, ...] = ()) -> dict[str, Any]:
    given = {"model": "gpt-4.1", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **params}
    line = translate.encoder(given, mode, frozenset(drop)).encode("a", given["messages"])
    made: dict[str, Any] = orjson.loads(line.body)["body"]
    return made


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: Any) -> dict[str, Any]:
    messages = [{"role": "assistant", "content": list(blocks)}, {"role": "user", "content": "Go on"}]
    return {"messages": messages}


UNSUPPORTED = {
    # top level
    "top_k": {"top_k": 5},
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
    # thinking
    "thinking": {"thinking": {"type": "between_tools"}},
    "thinking.magic": {"model": "gpt-5", "thinking": {"type": "adaptive", "magic": 1}},
    "output_config.effort": {"output_config": {"effort": "high"}},
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
    "messages.0.content.0.caller": assistant(
        {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code_execution_20260120"}}
    ),
    "messages.0.content.0.toolset_name": user({"type": "tool_result", "tool_use_id": "t", "toolset_name": "browser"}),
    # tools
    "tools.0.defer_loading": {"tools": [{**TOOL, "defer_loading": True}]},
    "tools.0.allowed_callers": {"tools": [{**TOOL, "allowed_callers": ["code_execution_20260120"]}]},
    "tools.1.strict": {"tools": [TOOL, {**TOOL, "name": "g", "strict": True}]},
    "tools.0.annotations": {"tools": [{**TOOL, "annotations": {}}]},
    "tool_choice.mode": {"tools": [TOOL], "tool_choice": {"type": "auto", "mode": 1}},
}
"""Field -> params that it is refused in, by both endpoints; each can be lost by consent."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", UNSUPPORTED)
def test_a_field_without_counterpart_is_refused_by_name_and_can_be_dropped(field: str, mode: str) -> None:
    params = UNSUPPORTED[field]
    with pytest.raises(UnsupportedError) as caught:
        body(params, mode)
    assert caught.value.field == field
    assert caught.value.provider == "openai"
    names = [name for name in field.split(".") if not name.isdigit()]
    assert f"--drop {'.'.join(names)}" in str(caught.value)
    for drop in (field, ".".join(names), names[-1], names[0]):
        assert isinstance(body(params, mode, (drop,)), dict)


LIMITS = {
    "temperature": {"model": "gpt-5", "temperature": 0.2},
    "top_p": {"model": "o3", "top_p": 0.2},
    "thinking": {"model": "o3", "thinking": {"type": "disabled"}},
    "stop_sequences": {"model": "gpt-5.2", "stop_sequences": ["END"]},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", LIMITS)
def test_what_a_model_that_reasons_does_not_take(field: str, mode: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        body(LIMITS[field], mode)
    assert caught.value.field == field
    made = body(LIMITS[field], mode, (field,))
    assert not {"temperature", "top_p", "reasoning", "reasoning_effort", "stop"} & made.keys()


def test_five_stop_sequences_are_refused_and_four_kept_by_consent() -> None:
    five = {"stop_sequences": ["1", "2", "3", "4", "5"]}
    with pytest.raises(UnsupportedError, match=r"stop_sequences: OpenAI takes at most 4, these are 5\."):
        body(five, "chat")
    assert body(five, "chat", ("stop_sequences",))["stop"] == ["1", "2", "3", "4"]


ONLY_RESPONSES = {
    "messages.0.content.0.source": user({"type": "image", "source": {"type": "file", "file_id": "file-1"}}),
    "messages.0.content.1.source": user(
        {"type": "text", "text": "a"}, {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}
    ),
    "messages.0.content.0.content.0.source": user(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": PNG}]}
    ),
    "messages.0.content.0.content.1.source": user(
        {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "text", "text": "a"}, {"type": "document", "source": PDF}],
        }
    ),
    "tools.0.name": {"tools": [{**TOOL, "name": "n" * 65}]},
}


@pytest.mark.parametrize("field", ONLY_RESPONSES)
def test_what_only_responses_takes_is_refused_on_chat(field: str) -> None:
    assert body(ONLY_RESPONSES[field])
    with pytest.raises(UnsupportedError) as caught:
        body(ONLY_RESPONSES[field], "chat")
    assert caught.value.field == field


NEVER = {
    "messages.1": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is"}]},
    "messages.0.content.0": user({"type": "container_upload", "file_id": "file_1"}),
    "messages.0.content.0.content.0": user(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "f"}]}
    ),
    "messages.0.content.0.source": user({"type": "image", "source": {"type": "carrier_pigeon"}}),
    "messages.0.content.0.source.content.0": user(
        {"type": "document", "source": {"type": "content", "content": [{"type": "document", "source": PDF}]}}
    ),
    "messages.0.content.0.source.media_type": user({"type": "document", "source": {**PDF, "media_type": "text/html"}}),
    "system.0": {"system": [{"type": "image", "source": PNG}]},
    "tools.0": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "tools.0.name": {"tools": [{**TOOL, "name": "no spaces"}]},
    "tool_choice.name": {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "ü"}},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", NEVER)
def test_what_cannot_be_lost_is_refused_whatever_is_dropped(field: str, mode: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        body(NEVER[field], mode, ("messages", "tools", "system", "tool_choice"))
    assert caught.value.field == field


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "image", "document"])
def test_blocks_of_an_assistant_other_than_text_calls_and_thinking(kind: str, mode: str) -> None:
    with pytest.raises(UnsupportedError, match=f"messages.0.content.0: a block of type '{kind}'"):
        body(assistant({"type": kind, "source": PNG}), mode)


INVALID = {
    "system": {"system": 5},
    "system.0.text": {"system": [{"type": "text"}]},
    "metadata": {"metadata": "me"},
    "metadata.user_id": {"metadata": {"user_id": 7}},
    "temperature": {"temperature": "hot"},
    "top_p": {"top_p": True},
    "stop_sequences": {"stop_sequences": "END"},
    "thinking": {"thinking": "hard"},
    "thinking.type": {"thinking": {"type": "hard"}},
    "thinking.budget_tokens": {"model": "gpt-5", "thinking": {"type": "enabled"}},
    "output_config": {"output_config": "json"},
    "output_config.effort": {"model": "gpt-5", "output_config": {"effort": "extreme"}},
    "output_config.format.type": {"output_config": {"format": {"type": "regex"}}},
    "output_config.format.schema": {"output_config": {"format": {"type": "json_schema"}}},
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
    "messages.0.content.0.title": user({"type": "document", "source": PDF, "title": 5}),
    "messages.0.content.0.context": user({"type": "document", "source": PDF, "context": []}),
    "messages.0.content.0.source.content": user({"type": "document", "source": {"type": "content", "content": []}}),
    "messages.0.content.0.tool_use_id": user({"type": "tool_result", "content": "x"}),
    "messages.0.content.0.is_error": user({"type": "tool_result", "tool_use_id": "t", "is_error": "yes"}),
    "messages.0.content.0.content": user({"type": "tool_result", "tool_use_id": "t", "content": 0}),
    "messages.0.content.0.input": assistant({"type": "tool_use", "id": "t", "name": "f", "input": "x"}),
    "messages.0.content.0.id": assistant({"type": "tool_use", "name": "f", "input": {}}),
    "messages.0.content.0.name": assistant({"type": "tool_use", "id": "t", "input": {}}),
    "tools": {"tools": {"name": "f"}},
    "tools.0": {"tools": ["f"]},
    "tools.0.name": {"tools": [{"input_schema": {}}]},
    "tools.0.input_schema": {"tools": [{"name": "f"}]},
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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("field", INVALID)
def test_a_value_of_the_wrong_kind_is_named(field: str, mode: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        body(INVALID[field], mode)
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.message.startswith(f"{field}: must be ")


@pytest.mark.parametrize("mode", MODES)
def test_a_choice_of_a_tool_needs_tools(mode: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^tools: must be given"):
        body({"tool_choice": {"type": "any"}}, mode)
    assert "tool_choice" not in body({"tool_choice": {"type": "auto"}, "tools": []}, mode)


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_written_as_json_is_refused(mode: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    for value in (deep, {"a": object()}, {"a": "\ud800"}, {"a": 2**70}):
        with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
            body(assistant({"type": "tool_use", "id": "t", "name": "f", "input": value}), mode)
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        body({"messages": [{"role": "user", "content": "\ud800"}]}, mode)


@pytest.mark.parametrize("mode", MODES)
def test_null_asks_for_nothing(mode: str) -> None:
    names = (
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "stop_sequences",
        "top_k",
        "container",
        "made_up",
    )
    assert body(dict.fromkeys(names), mode) == body({}, mode)
    block = {"type": "text", "text": "Hi", "cache_control": None, "citations": None, "made_up": None}
    assert body(user(block), mode) == body(user({"type": "text", "text": "Hi"}), mode)


def test_auto_says_why_stop_sequences_cannot_go_along() -> None:
    stop = {"stop_sequences": ["END"]}
    with pytest.raises(UnsupportedError, match=r"stop_sequences: a request with tools.*--drop stop_sequences"):
        body({**stop, "tools": [TOOL]}, "auto")
    image = user({"type": "image", "source": {"type": "file", "file_id": "file-1"}})
    with pytest.raises(
        UnsupportedError, match=r"stop_sequences: only Chat.*does not take messages\.0\.content\.0\.source"
    ):
        body({**stop, **image}, "auto")
    with pytest.raises(UnsupportedError, match=r"^top_k: "):
        body({**stop, "top_k": 5}, "auto")
    with pytest.raises(BifrostError, match=r"^stop_sequences: .*--drop stop_sequences"):
        body(stop, "responses")
