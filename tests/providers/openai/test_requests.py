"""Which endpoint, which effort, which samplings; and that no request, however odd, breaks the translation."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrost_cli.errors import BifrostError, InvalidRequestError
from bifrost_cli.providers.encoder import Encoder, Line
from bifrost_cli.providers.openai import OpenAI, chat, responses, translate
from bifrost_cli.providers.openai.reasoning import traits
from bifrost_cli.providers.openai.tools import strictable

NOTHING: frozenset[str] = frozenset()
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}


def params(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4.1", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **more}


def encoded(asked: dict[str, Any], mode: str, drop: frozenset[str] = NOTHING) -> Line:
    return translate.encoder(asked, mode, drop).encode("a", asked["messages"])


def body(encoder: type[Encoder[frozenset[str]]], **more: Any) -> dict[str, Any]:
    asked = params(**more)
    return encoder(asked, NOTHING).body(asked["messages"])


def endpoint(mode: str = "auto", **more: Any) -> str:
    return encoded(params(**more), mode).kind.endpoint


def test_a_line_is_the_vendors_own() -> None:
    line = encoded(params(), "auto")
    assert (line.custom_id, *line.kind) == ("a", "gpt-4.1", "/v1/responses")
    assert orjson.loads(line.body) == {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/responses",
        "body": {
            "model": "gpt-4.1",
            "max_output_tokens": 64,
            "input": [{"role": "user", "content": "Hi"}],
            "store": False,
        },
    }


def test_chat_is_for_stop_sequences_without_tools() -> None:
    assert endpoint() == "/v1/responses"
    assert endpoint(stop_sequences=[]) == "/v1/responses"
    assert endpoint(stop_sequences=["END"]) == "/v1/chat/completions"
    assert endpoint(stop_sequences=["END"], model="llama-4") == "/v1/chat/completions"
    assert endpoint("chat", stop_sequences=["END"], tools=[TOOL]) == "/v1/chat/completions"
    assert endpoint("responses") == "/v1/responses"


@pytest.mark.parametrize(
    ("choice", "on_responses", "on_chat"),
    [
        ({"type": "auto"}, "auto", "auto"),
        ({"type": "any"}, "required", "required"),
        ({"type": "none"}, "none", "none"),
        (
            {"type": "tool", "name": "f"},
            {"type": "function", "name": "f"},
            {"type": "function", "function": {"name": "f"}},
        ),
    ],
)
def test_tool_choice(choice: dict[str, Any], on_responses: Any, on_chat: Any) -> None:
    asked = params(tools=[TOOL], tool_choice=choice)
    assert body(responses.Responses, **asked)["tool_choice"] == on_responses
    assert body(chat.Chat, **asked)["tool_choice"] == on_chat
    one = params(tools=[TOOL], tool_choice={**choice, "disable_parallel_tool_use": True})
    assert body(responses.Responses, **one)["parallel_tool_calls"] is False
    assert body(chat.Chat, **one)["parallel_tool_calls"] is False


ON, OFF, ADAPTIVE = {"type": "enabled", "budget_tokens": 1024}, {"type": "disabled"}, {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "expected"),
    [
        ("gpt-4.1", OFF, None, None),
        ("gpt-5", None, None, None),
        ("gpt-5", None, "low", "low"),
        ("gpt-5", OFF, None, "minimal"),
        ("gpt-5", OFF, "high", "minimal"),
        ("gpt-5-nano-2025-08-07", ADAPTIVE, None, None),
        ("gpt-5.1", ADAPTIVE, None, "medium"),
        ("gpt-5.1", ON, "xhigh", "high"),
        ("gpt-5.2", None, "max", "xhigh"),
        ("gpt-5.4-nano-2026-03-17", OFF, None, "none"),
        ("gpt-5.4-pro", None, "low", "medium"),
        ("gpt-5.5", None, "xhigh", "xhigh"),
        ("gpt-5.6-sol", None, "max", "max"),
        ("gpt-6-luna", OFF, None, "none"),
        ("gpt-6-astra", None, "max", "max"),
        ("o3", None, "max", "high"),
        ("o4-mini", ON, None, "low"),
        ("ft:gpt-5-mini:org::id", None, "high", "high"),
        ("llama-4", None, "high", "high"),
        ("llama-4", None, "max", "xhigh"),
        ("llama-4", OFF, None, "none"),
        ("llama-4", ADAPTIVE, None, "medium"),
        ("gpt-oss-120b", None, "low", "low"),
    ],
)
def test_effort(model: str, thinking: Any, effort: str | None, expected: str | None) -> None:
    asked = params(model=model, thinking=thinking, output_config={"effort": effort} if effort else None)
    assert body(responses.Responses, **asked).get("reasoning", {}).get("effort") == expected
    assert body(chat.Chat, **asked).get("reasoning_effort") == ("xhigh" if expected == "max" else expected)


@pytest.mark.parametrize(("budget", "effort"), [(1024, "low"), (2048, "medium"), (8192, "high"), (24576, "xhigh")])
def test_a_budget_becomes_an_effort(budget: int, effort: str) -> None:
    asked = params(model="gpt-5.2", thinking={"type": "enabled", "budget_tokens": budget})
    assert body(responses.Responses, **asked)["reasoning"]["effort"] == effort


@pytest.mark.parametrize(
    ("thinking", "reasoning", "included"),
    [
        (None, None, False),
        (OFF, {"effort": "none"}, False),
        (ON, {"effort": "low", "summary": "auto"}, True),
        ({**ON, "display": "omitted"}, {"effort": "low"}, True),
        ({**ADAPTIVE, "display": "omitted"}, None, True),
        ({**ADAPTIVE, "display": "summarized"}, {"summary": "auto"}, True),
    ],
)
def test_thinking_is_asked_for_as_it_is_to_be_shown(thinking: Any, reasoning: Any, included: bool) -> None:
    made = body(responses.Responses, model="gpt-5.5", thinking=thinking)
    assert made.get("reasoning") == reasoning
    assert ("include" in made) is included


@pytest.mark.parametrize(
    ("model", "thinking", "passes"),
    [
        ("gpt-4o-mini", None, True),
        ("gpt-5-chat-latest", None, True),
        ("llama-4", ON, True),
        ("gpt-5.4-mini", None, True),
        ("gpt-5.4-mini", OFF, True),
        ("gpt-5.4-mini", ON, False),
        ("gpt-5.6-terra", None, False),
        ("gpt-5.6-terra", OFF, True),
        ("gpt-5-mini", OFF, False),
        ("o3", None, False),
    ],
)
def test_temperature_goes_where_the_model_takes_it(model: str, thinking: Any, passes: bool) -> None:
    for encoder in (responses.Responses, chat.Chat):
        if passes:
            assert body(encoder, model=model, thinking=thinking, temperature=0.3)["temperature"] == 0.3
        else:
            with pytest.raises(BifrostError, match=r"^temperature: "):
                body(encoder, model=model, thinking=thinking, temperature=0.3)
            assert "temperature" not in body(encoder, model=model, thinking=thinking, temperature=1)


def test_every_effort_of_a_known_model_is_in_order() -> None:
    assert traits("gpt-35-turbo").reasons is False
    assert traits("gpt-7.1-nova").efforts[-1] == "max"
    assert traits("mistral-large").reasons is None


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (CLOSED, True),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": CLOSED}}, True),
        ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, True),
        ({"type": "object"}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"a": {"type": "object", "properties": {}}}}, False),
        ({**CLOSED, "properties": {"a": {"allOf": [{"type": "string"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "minLength": 1}}}, False),
        ({**CLOSED, "properties": {"a": True}}, False),
        ({"type": "array", "items": CLOSED}, False),
    ],
)
def test_strict_is_for_schemas_that_openai_takes_so(schema: Any, expected: bool) -> None:
    assert strictable(schema) is expected


# -- own lines --------------------------------------------------------------------------------------------------

OWN = {"custom_id": "any id, 1/2 ü", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "x"}}


def test_an_own_line_goes_as_it_is() -> None:
    assert OpenAI.owns(OWN)
    assert not OpenAI.owns({"custom_id": "a", "params": {}})
    line = translate.encode_own(OWN)
    assert (line.custom_id, *line.kind) == ("any id, 1/2 ü", "m", "/v1/embeddings")
    assert orjson.loads(line.body) == OWN


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("custom_id", {"custom_id": ""}),
        ("custom_id", {"custom_id": 5}),
        ("method", {"method": "GET"}),
        ("url", {"url": "/v1/files"}),
        ("url", {"url": ["/v1/responses"]}),
        ("body", {"body": []}),
        ("body.model", {"body": {}}),
        ("body.stream", {"body": {"model": "m", "stream": True}}),
    ],
)
def test_an_own_line_that_would_fail_is_refused(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{field}: "):
        translate.encode_own({**OWN, **change})


# -- anything at all --------------------------------------------------------------------------------------------


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


NAMES = words(
    """
    type text source data media_type url file_id content title context citations enabled id name input
    tool_use_id is_error thinking signature budget_tokens display input_schema strict properties
    required additionalProperties description effort format schema user_id cache_control
    disable_parallel_tool_use items anyOf input_examples
    """
)
WORDS = words(
    """
    text image document search_result tool_use tool_result thinking redacted_thinking base64 url file
    content custom json_schema object enabled adaptive disabled auto any none tool application/pdf low
    max user f
    """
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
BLOCKS = st.lists(
    st.dictionaries(NAMES, JSON, max_size=4).flatmap(lambda b: WORDS.map(lambda w: {**b, "type": w})), max_size=3
)
FIELDS = st.sampled_from([*responses.FIELDS, "top_k", "container", "made_up"]).filter(
    lambda name: name not in ("model", "max_tokens", "messages")
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": JSON | BLOCKS}),
    min_size=1,
    max_size=3,
)
DROPS = st.frozensets(NAMES | FIELDS, max_size=3)


@settings(max_examples=400, deadline=None)
@given(
    fields=st.dictionaries(FIELDS, JSON, max_size=4),
    messages=MESSAGES,
    model=st.sampled_from(["gpt-4.1", "gpt-5", "o3", "gpt-5.4", "llama-4", ":", "ft:"]),
    mode=st.sampled_from(list(translate.ENCODERS)),
    drop=DROPS,
)
def test_no_request_breaks_the_translation(
    fields: dict[str, Any], messages: list[Any], model: str, mode: str, drop: frozenset[str]
) -> None:
    with suppress(BifrostError):
        line = encoded(params(model=model, messages=messages, **fields), mode, drop)
        assert orjson.loads(line.body)["url"] == line.kind.endpoint
