"""Anthropic's Messages API: answers, streams, and what it refuses."""

import base64
import json
from typing import Any

import anthropic
import pytest
from anthropic import APIStatusError, AuthenticationError, NotFoundError, OverloadedError

WEATHER = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()


def test_an_answer(claude: anthropic.Anthropic, prompt: Any) -> None:
    message = claude.messages.create(**prompt("What is 2 + 2?"))
    assert message.content[0].text == "[sandbox] answer to: What is 2 + 2?"  # type: ignore[union-attr]
    assert (message.role, message.stop_reason, message.usage.service_tier) == ("assistant", "end_turn", "standard")
    assert "sbx" in message.id
    assert message.usage.input_tokens > 0 < message.usage.output_tokens


def test_a_tool_is_called_when_forced_or_asked(claude: anthropic.Anthropic, prompt: Any) -> None:
    forced = {"tool_choice": {"type": "tool", "name": "weather"}}
    for text, fields in (("hi", forced), ("hi", {"tool_choice": {"type": "any"}}), ("sandbox:tool", {})):
        message = claude.messages.create(**prompt(text, tools=[WEATHER], **fields))
        (call,) = message.content
        assert message.stop_reason == "tool_use"
        assert (call.name, call.input) == ("weather", {"city": "[sandbox]"})  # type: ignore[union-attr]
    assert claude.messages.create(**prompt("hi", tools=[WEATHER])).stop_reason == "end_turn"


def test_a_conversation_with_a_tool_ends(claude: anthropic.Anthropic, prompt: Any) -> None:
    first = prompt("sandbox:tool", tools=[WEATHER])
    call = claude.messages.create(**first).content[0]
    messages = [
        *first["messages"],
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},  # type: ignore[union-attr]
    ]
    message = claude.messages.create(**{**first, "messages": messages})
    assert message.content[0].text == "[sandbox] answer to: sunny"  # type: ignore[union-attr]


def test_structured_output(claude: anthropic.Anthropic, prompt: Any) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    config = {"format": {"type": "json_schema", "schema": schema}}
    message = claude.messages.create(**prompt(output_config=config))
    assert json.loads(message.content[0].text) == {"sum": 1}  # type: ignore[union-attr]


def test_thinking(claude: anthropic.Anthropic, prompt: Any) -> None:
    message = claude.messages.create(**prompt(thinking={"type": "adaptive", "display": "summarized"}))
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details.thinking_tokens > 0  # type: ignore[union-attr]


def test_limits_stops_and_refusals(claude: anthropic.Anthropic, prompt: Any) -> None:
    assert claude.messages.create(**prompt("long " * 50, max_tokens=3)).stop_reason == "max_tokens"
    empty = claude.messages.create(**prompt(max_tokens=0))
    assert (empty.content, empty.stop_reason) == ([], "max_tokens")
    stopped = claude.messages.create(**prompt("one two", stop_sequences=["two"]))
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "two")
    refused = claude.messages.create(**prompt("sandbox:refuse"))
    assert refused.stop_reason == "refusal"
    assert refused.stop_details is not None


def test_a_stream_says_what_the_whole_says(claude: anthropic.Anthropic, prompt: Any) -> None:
    tools = {"tools": [WEATHER], "tool_choice": {"type": "any"}}
    for fields in ({}, {"thinking": {"type": "adaptive"}}, tools):
        whole = claude.messages.create(**prompt(**fields))
        with claude.messages.stream(**prompt(**fields)) as stream:
            streamed = stream.get_final_message()
        assert streamed.stop_reason == whole.stop_reason
        assert streamed.usage.output_tokens == whole.usage.output_tokens
        assert [block.type for block in streamed.content] == [block.type for block in whole.content]
        assert getattr(streamed.content[-1], "text", None) == getattr(whole.content[-1], "text", None)
        assert getattr(streamed.content[-1], "input", None) == getattr(whole.content[-1], "input", None)


def test_counting_and_models(claude: anthropic.Anthropic, prompt: Any) -> None:
    short = claude.messages.count_tokens(model="claude-sonnet-5", messages=prompt("hi")["messages"])
    long = claude.messages.count_tokens(model="claude-sonnet-5", messages=prompt("hi " * 100)["messages"])
    assert short.input_tokens < long.input_tokens
    ids = [model.id for model in claude.models.list(limit=2)]
    assert len(ids) == len(set(ids)) > 2
    assert claude.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
    with pytest.raises(NotFoundError):
        claude.models.retrieve("no-such-model")


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def image(**source: str) -> dict[str, Any]:
    return {"type": "image", "source": source}


def turns(*turns: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
OLD_MODEL = {"model": "claude-haiku-4-5"}

REFUSED = {
    "no messages": ({"messages": []}, "messages: at least one message is required"),
    "message no object": ({"messages": ["x"]}, "messages.0: Input does not match the expected shape."),
    "no content": ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    "content no list": ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: Input should be a valid"),
    "extra in message": (
        {"messages": [{"role": "user", "content": "x", "name": "y"}]},
        "messages.0.name: Extra inputs are not permitted",
    ),
    "empty text": (user({"type": "text", "text": ""}), "messages: text content blocks must be non-empty"),
    "block type": (user({"type": "input_text", "text": "x"}), "messages.0.content.0: Input tag 'input_text' found"),
    "block without type": (user({"text": "x"}), "messages.0.content.0.type: Field required"),
    "block without text": (user({"type": "text"}), "messages.0.content.0.text.text: Field required"),
    "image media type": (
        user(image(type="base64", media_type="image/tiff", data=PNG)),
        "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' "
        "or 'image/webp'",
    ),
    "image not base64": (user(image(type="base64", media_type="image/png", data="%%")), "messages: image.source"),
    "image no png": (user(image(type="base64", media_type="image/png", data="aGVsbG8=")), "Could not process image"),
    "image not found": (user(image(type="url", url="https://nowhere.invalid/x")), "Unable to download the file."),
    "image by http": (user(image(type="url", url="http://example.com/x")), "Only HTTPS URLs are supported."),
    "citations": (
        user({"type": "document", "source": DOCUMENT["source"], "citations": {"enabled": "yes"}}),
        "messages.0.content.0.document.citations.enabled: Input should be a valid boolean",
    ),
    "tool_use by the user": (user(CALL), "messages.0: `tool_use` blocks can only be in `assistant` messages"),
    "unanswered call": (
        turns(("user", "x"), ("assistant", [CALL]), ("user", "y")),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.",
    ),
    "answer to nothing": (turns(("user", [RESULT])), "messages.0.content.0: unexpected `tool_use_id`"),
    "answer to another": (
        turns(("user", "x"), ("assistant", "y"), ("user", [RESULT])),
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1.",
    ),
    "prefill": (turns(("user", "x"), ("assistant", "y")), "This model does not support assistant message prefill."),
    "trailing space": (
        {**OLD_MODEL, **turns(("user", "x"), ("assistant", "y "))},
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "tool name": (
        {"tools": [{**WEATHER, "name": "a b"}]},
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "tool schema": (
        {"tools": [{"name": "a", "input_schema": {}}]},
        "tools.0.custom.input_schema.type: Field required",
    ),
    "no schema at all": (
        {"tools": [{"name": "a", "input_schema": {"type": "object", "properties": []}}]},
        "tools.0.custom.input_schema: JSON schema is invalid.",
    ),
    "tool twice": ({"tools": [WEATHER, WEATHER]}, "tools: Tool names must be unique."),
    "server tool": ({"tools": [{"type": "nonsense_20200101"}]}, "tools.0: Input tag 'nonsense_20200101'"),
    "choice without tools": ({"tool_choice": {"type": "any"}}, "tool_choice may only be specified while providing"),
    "choice of another": (
        {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}},
        "Tool 'x' not found in provided tools",
    ),
    "budget": (
        {**OLD_MODEL, "thinking": {"type": "enabled", "budget_tokens": 1023}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "budget above max_tokens": (
        {**OLD_MODEL, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    "thinking with temperature": (
        {**OLD_MODEL, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000, "temperature": 0},
        "`temperature` may only be set to 1 when thinking is enabled.",
    ),
    "thinking and forced tools": (
        {"thinking": {"type": "adaptive"}, "tools": [WEATHER], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "thinking enabled on a new model": (
        {"model": "claude-opus-5", "thinking": {"type": "enabled", "budget_tokens": 1024}},
        '"thinking.type.enabled" is not supported for this model.',
    ),
    "effort": (
        {"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}},
        "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.",
    ),
    "temperature too high": ({**OLD_MODEL, "temperature": 2}, "temperature: Input should be less than or equal to 1"),
    "temperature on a new model": ({"temperature": 0.5}, "`temperature` may only be set to 1 for this model."),
    "temperature and top_p": ({**OLD_MODEL, "temperature": 0.5, "top_p": 0.5}, "`temperature` and `top_p` cannot both"),
    "stop no list": ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    "metadata": ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
    "cache": ({"cache_control": {"type": "x"}}, "cache_control.type: Input should be 'ephemeral'"),
    "format": ({"output_config": {"format": {"type": "json"}}}, "output_config.format.schema: Field required"),
    "too much cached": (
        user(*[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "asked": (turns(("user", "sandbox:error")), "[sandbox] this request is refused"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(instant: Any, prompt: Any, case: str) -> None:
    fields, text = REFUSED[case]
    with instant.http("anthropic") as http:
        answer = http.post("/messages", json=prompt(**fields))
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    body = answer.json()
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert body["error"]["message"].startswith(text)


NEW_VERSION = {
    "temperature": ({**OLD_MODEL, "temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    "top_k": ({**OLD_MODEL, "top_k": 5}, "top_k: Extra inputs are not permitted"),
    "document of the assistant": (
        {**OLD_MODEL, **turns(("user", "x"), ("assistant", [DOCUMENT]), ("user", "y"))},
        "messages.1: `document` blocks can only be in `user` messages",
    ),
    "citations of the user": (
        {**OLD_MODEL, **user({"type": "text", "text": "x", "citations": [{"type": "char_location"}]})},
        "messages.0: `citations` are not allowed",
    ),
}


@pytest.mark.parametrize("case", NEW_VERSION)
def test_the_new_version_refuses_more(instant: Any, prompt: Any, case: str) -> None:
    fields, text = NEW_VERSION[case]
    with instant.http("anthropic") as http:
        old = http.post("/messages", json=prompt(**fields))
        new = http.post("/messages", json=prompt(**fields), headers={"anthropic-version": "2026-10-21"})
    assert (old.status_code, new.status_code) == (200, 400)
    assert new.json()["error"]["message"].startswith(text)


def test_a_file_must_be_there(claude: anthropic.Anthropic, prompt: Any) -> None:
    made = claude.files.upload(file=("a.pdf", b"%PDF", "application/pdf"))
    block = {"type": "document", "source": {"type": "file", "file_id": made.id}}
    assert claude.messages.create(**prompt(**user(block))).stop_reason == "end_turn"
    block["source"] = {"type": "file", "file_id": "file_sbx01unknown"}
    with pytest.raises(NotFoundError, match="File `file_sbx01unknown` not found"):
        claude.messages.create(**prompt(**user(block)))


def test_passing_failures(claude: anthropic.Anthropic, prompt: Any) -> None:
    with pytest.raises(OverloadedError):
        claude.messages.create(**prompt("sandbox:overloaded"))


def test_keys(instant: Any, prompt: Any) -> None:
    real = "sk-ant-api03-" + "x" * 40
    with instant.anthropic(real) as client, pytest.raises(AuthenticationError) as caught:
        client.messages.create(**prompt())
    assert caught.value.body["error"] == {"type": "authentication_error", "message": "API key is invalid."}  # type: ignore[index]
    url = f"{instant.url}/anthropic/v1/models"
    with instant.http("anthropic") as http:
        del http.headers["x-api-key"]
        nothing = http.get(url)
        wrong = http.get(url, headers={"x-api-key": real})
        both = http.get(url, headers={"x-api-key": real, "authorization": "Bearer sandbox"})
        bearer = http.get(url, headers={"authorization": "Bearer sandbox"})
    assert nothing.json()["error"]["message"] == "x-api-key header is required"
    assert wrong.json()["error"]["message"] == "invalid x-api-key"
    assert [answer.status_code for answer in (nothing, wrong, both, bearer)] == [401, 401, 401, 200]


@pytest.mark.parametrize("version", [None, "2020-01-01"])
def test_the_version_is_needed(instant: Any, version: str | None) -> None:
    with instant.http("anthropic") as http:
        http.headers.pop("anthropic-version")
        answer = http.get("/models", headers={"anthropic-version": version} if version else {})
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]


def test_unknown_routes(instant: Any) -> None:
    with instant.http("anthropic") as http:
        missing, method = http.get("/nonsense"), http.put("/messages")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    assert (method.status_code, method.json()["type"]) == (405, "error")


def test_a_body_that_is_no_json(instant: Any) -> None:
    with instant.http("anthropic") as http:
        answer = http.post("/messages", content=b"{")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The request body is not valid JSON")


def test_errors_are_the_sdk_classes(claude: anthropic.Anthropic, prompt: Any) -> None:
    with pytest.raises(APIStatusError) as caught:
        claude.messages.create(**prompt(model="no-such-model"))
    assert isinstance(caught.value, NotFoundError)
    assert caught.value.request_id == caught.value.body["request_id"]  # type: ignore[index]
