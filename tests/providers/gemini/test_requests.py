"""How much a model thinks, signatures there and back, schemas; and that no request breaks the translation."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrost_cli.config import Config
from bifrost_cli.errors import BifrostError, ConfigError, InvalidRequestError, UnsupportedError
from bifrost_cli.models import Request
from bifrost_cli.providers.base import Context
from bifrost_cli.providers.encoder import Line
from bifrost_cli.providers.gemini import Gemini, generate, schema, translate
from bifrost_cli.providers.gemini.checks import Terms
from bifrost_cli.providers.gemini.fields import FIELDS
from bifrost_cli.providers.gemini.models import traits
from bifrost_cli.transport import new_client

NOTHING: frozenset[str] = frozenset()
FILES = "https://generativelanguage.googleapis.com/v1beta/files"
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}


def params(**more: Any) -> dict[str, Any]:
    return {"model": "gemini-2.5-flash", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **more}


def encoded(drop: frozenset[str] = NOTHING, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(line(params(**more), drop=drop).body)["request"]
    return made


def line(asked: dict[str, Any], form: str = "json_schema", drop: frozenset[str] = NOTHING) -> Line:
    return translate.encoder(asked, form, FILES, drop).encode("a", asked["messages"])


# -- lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["gemini-2.5-flash", "models/gemini-2.5-flash", "Models/gemini-2.5-flash"])
def test_a_line_has_its_key_and_no_model(given: str) -> None:
    made = line(params(model=given))
    assert (made.custom_id, *made.kind) == ("a", "gemini-2.5-flash", "generateContent")
    assert b"\n" not in made.body
    assert orjson.loads(made.body) == {
        "key": "a",
        "request": {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generation_config": {"max_output_tokens": 64},
        },
    }


@pytest.mark.parametrize("given", ["../x", "a/b", "a:b", "models/", "a b", "é", ".a", "a" * 200, "gemini?key=1"])
def test_a_model_that_would_change_the_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^model: "):
        encoded(model=given)


def test_names_go_out_in_snake_case() -> None:
    body = encoded(
        system="s",
        tools=[TOOL],
        tool_choice={"type": "any"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}},
        messages=[
            {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"camelCase": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
        ],
    )
    assert [name for name in _names(body) if name != name.lower()] == ["camelCase"]


def _names(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _names(item)]
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in _names(item))]
    return []


# -- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_version_address_and_schema_form_are_settings() -> None:
    environ = {
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1/gemini/",
        "GOOGLE_GENAI_API_VERSION": "v1",
        "BIFROST_GEMINI_SCHEMA": "schema",
    }
    image = {"type": "image", "source": {"type": "file", "file_id": "abc"}}
    form = {"format": {"type": "json_schema", "schema": {"type": "string"}}}
    asked = params(messages=[{"role": "user", "content": [image]}], output_config=form)
    async with new_client() as client:
        gemini = Gemini(Config(environ=environ).settings("gemini", Gemini.settings), client, Context())
        body = orjson.loads(gemini.encode({"custom_id": "a", "params": asked}).body)["request"]
    [part] = body["contents"][0]["parts"]
    assert part == {"file_data": {"file_uri": "http://127.0.0.1:1/gemini/v1/files/abc"}}
    assert body["generation_config"]["response_schema"] == {"type": "STRING"}


@pytest.mark.anyio
async def test_settings_that_make_no_sense_are_named() -> None:
    request: Request = {"custom_id": "a", "params": params()}
    async with new_client() as client:
        for name, value in (("BIFROST_GEMINI_SCHEMA", "openapi"), ("GOOGLE_GENAI_API_VERSION", "../v1")):
            with pytest.raises(ConfigError, match=name):
                Gemini(Config(environ={name: value}).settings("gemini", Gemini.settings), client).encode(request)
        with pytest.raises(ConfigError, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
            Gemini(Config(environ={}).settings("gemini", Gemini.settings), client, Context()).require()


# -- thinking ---------------------------------------------------------------------------------------------------

ON, OFF, ADAPTIVE = {"type": "enabled", "budget_tokens": 2048}, {"type": "disabled"}, {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "thinking", "effort", "expected"),
    [
        ("gemini-2.5-flash", None, None, None),
        ("gemini-2.5-flash", ON, None, 2048),
        ("gemini-2.5-flash", ON, "max", 2048),
        ("gemini-2.5-flash", {"type": "enabled", "budget_tokens": 50_000}, None, 24_576),
        ("gemini-2.5-flash", OFF, "high", 0),
        ("gemini-2.5-flash", None, "low", 1024),
        ("gemini-2.5-flash", ADAPTIVE, None, -1),
        ("gemini-2.5-flash", ADAPTIVE, "medium", 8192),
        ("gemini-2.5-flash-lite", {"type": "enabled", "budget_tokens": 1}, None, 512),
        ("gemini-2.5-flash-lite", OFF, None, 0),
        ("gemini-2.5-pro", None, "max", 32_768),
        ("gemini-2.5-pro", None, "high", 24_576),
        ("gemini-3-pro-preview", None, "medium", "LOW"),
        ("gemini-3-pro-preview", None, "xhigh", "HIGH"),
        ("gemini-3.1-pro-preview", None, "medium", "MEDIUM"),
        ("gemini-3-flash-preview", ADAPTIVE, None, None),
        ("gemini-3-flash-preview", OFF, None, "MINIMAL"),
        ("gemini-3.5-flash", None, "low", "LOW"),
        ("gemini-3.5-flash-lite", ADAPTIVE, None, "MEDIUM"),
        ("gemini-3.1-flash-lite", OFF, None, "MINIMAL"),
        ("gemini-3.6-flash", OFF, "max", "MINIMAL"),
        ("gemini-3.8-flash", ON, None, "MEDIUM"),
        ("gemini-3.8-flash", ON, "low", "LOW"),
        ("gemini-3.8-flash", {"type": "enabled", "budget_tokens": 1024}, None, "LOW"),
        ("gemini-3.8-flash", {"type": "enabled", "budget_tokens": 8192}, None, "HIGH"),
        ("gemini-3.8-flash", {"type": "enabled", "budget_tokens": 24_576}, None, "HIGH"),
        ("gemini-4-argon", None, "max", "HIGH"),
        ("gemini-4-hydrogen", None, "max", "XHIGH"),
        ("gemini-flash-latest", None, "high", "HIGH"),
        ("some-new-model", None, "high", "HIGH"),
    ],
)
def test_how_much_to_think(model: str, thinking: Any, effort: str | None, expected: Any) -> None:
    body = encoded(model=model, thinking=thinking, output_config={"effort": effort} if effort else None)
    config = body["generation_config"].get("thinking_config", {})
    assert config.get("thinking_level", config.get("thinking_budget")) == expected
    assert not {"thinking_level", "thinking_budget"} <= config.keys()


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3.8-flash"])
def test_thoughts_are_asked_for_as_they_are_to_be_shown(model: str) -> None:
    def shown(thinking: Any, effort: str | None = None) -> bool:
        config = {"effort": effort} if effort else None
        body = encoded(model=model, thinking=thinking, output_config=config)
        return body["generation_config"].get("thinking_config", {}).get("include_thoughts", False) is True

    assert shown(ON)
    assert shown(ADAPTIVE)
    assert shown({**ADAPTIVE, "display": "summarized"}, "low")
    assert not shown({**ON, "display": "omitted"})
    assert not shown(None, "high")


@pytest.mark.parametrize(
    ("model", "thinking", "field"),
    [
        ("gemini-2.5-pro", OFF, "thinking"),
        ("gemini-3.8-flash", OFF, "thinking"),
        ("gemini-2.0-flash", ON, "thinking"),
        ("gemini-2.0-flash", None, "output_config.effort"),
    ],
)
def test_what_a_model_cannot_do_about_thinking(model: str, thinking: Any, field: str) -> None:
    asked = {"model": model, "thinking": thinking, "output_config": None if thinking else {"effort": "low"}}
    with pytest.raises(UnsupportedError) as caught:
        encoded(**asked)
    assert caught.value.field == field
    assert "thinking_config" not in encoded(frozenset({field}), **asked)["generation_config"]


def test_disabled_asks_nothing_of_a_model_that_does_not_think() -> None:
    assert "thinking_config" not in encoded(model="gemini-2.0-flash", thinking=OFF)["generation_config"]


def test_what_is_known_of_models() -> None:
    assert traits("gemini-2.5-flash-image").thinks is False
    assert traits("gemini-3.7-flash").levels == ("LOW", "MEDIUM", "HIGH")
    assert traits("gemini-9-unobtanium").signs
    assert traits("gemini-3.5-flash").continues
    assert not traits("gemini-3.5-flash-lite").continues


# -- signatures -------------------------------------------------------------------------------------------------

SIGNATURES = st.text("ABCabc019+/=-_", min_size=1, max_size=12)
SPOKEN = st.text("abc äß\n", min_size=1, max_size=8)
PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"text": SPOKEN}),
        st.fixed_dictionaries({"text": SPOKEN, "thought": st.just(True)}, optional={"thoughtSignature": SIGNATURES}),
        st.fixed_dictionaries(
            {
                "functionCall": st.fixed_dictionaries(
                    {"id": st.text("abc019_-", min_size=1, max_size=9), "name": st.just("f"), "args": st.just({"a": 1})}
                )
            },
            optional={"thoughtSignature": SIGNATURES},
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(parts=PARTS)
def test_what_an_answer_held_goes_back_part_by_part(parts: list[dict[str, Any]]) -> None:
    answer = {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}]}
    message = generate.decode(answer, "a", "gemini-2.5-flash")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": message["content"]}]
    body = encoded(messages=[*turns, {"role": "user", "content": "Go on"}])
    assert body["contents"][1] == {"role": "model", "parts": [_snake(part) for part in parts]}


def _snake(part: dict[str, Any]) -> dict[str, Any]:
    names = {"functionCall": "function_call", "thoughtSignature": "thought_signature"}
    return {names.get(name, name): value for name, value in part.items()}


def test_a_client_that_sends_back_only_the_call_is_understood() -> None:
    call = {"functionCall": {"id": "g98os1Jf", "name": "f", "args": {}}, "thoughtSignature": "EpYC"}
    answer = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}
    content = generate.decode(answer, "a", "gemini-3.8-flash")["content"]
    result = [{"type": "tool_result", "tool_use_id": "g98os1Jf", "content": "x"}]

    def signature(blocks: list[Any]) -> Any:
        turns = [{"role": "assistant", "content": blocks}, {"role": "user", "content": result}]
        body = encoded(model="gemini-3.8-flash", messages=[{"role": "user", "content": "Hi"}, *turns])
        return body["contents"][1]["parts"][0]["thought_signature"]

    assert signature(content) == "EpYC"
    assert signature(content[1:]) == "skip_thought_signature_validator"


# -- schemas ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("s.allOf", {"allOf": []}),
        ("s.properties.a.type", {"properties": {"a": {"type": ["string", "integer"]}}}),
        ("s.type", {"type": "date"}),
        ("s.enum", {"enum": [1, 2]}),
        ("s.const", {"const": None}),
        ("s.additionalProperties", {"additionalProperties": {"type": "string"}}),
        ("s.items.$ref", {"type": "array", "items": {"$ref": "#/$defs/none"}}),
        ("s.$ref", {"$ref": "https://example.com/schema"}),
        ("s.items.items.$ref", {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}),
    ],
)
def test_a_schema_that_geminis_own_form_cannot_say(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="BIFROST_GEMINI_SCHEMA=json_schema") as caught:
        schema.convert(given, "s")
    assert caught.value.field == field


def test_a_schema_that_is_too_deep() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    with pytest.raises(UnsupportedError, match="too deep"):
        schema.convert(deep, "s")


# -- anything at all --------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    """
    type text source data media_type url file_id content title context citations enabled id name input
    tool_use_id is_error thinking signature budget_tokens display input_schema strict properties
    required additionalProperties description effort format schema user_id cache_control
    disable_parallel_tool_use items anyOf oneOf enum const $ref $defs input_examples
    """.split()  # noqa: SIM905
)
WORDS = st.sampled_from(
    """
    text image document search_result tool_use tool_result thinking redacted_thinking base64 url file
    content custom json_schema object enabled adaptive disabled auto any none tool application/pdf low
    max user f image/png https://a bifrost-gemini-next:x bifrost-gemini-thought: # #/$defs/f
    """.split()  # noqa: SIM905
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
BLOCKS = st.lists(
    st.dictionaries(NAMES, JSON, max_size=4).flatmap(lambda b: WORDS.map(lambda w: {**b, "type": w})), max_size=3
)
ANY_FIELD = st.sampled_from([*FIELDS, "container", "made_up"]).filter(
    lambda name: name not in ("model", "max_tokens", "messages")
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "x"]), "content": JSON | BLOCKS}),
    min_size=1,
    max_size=3,
)
DROPS = st.frozensets(NAMES | ANY_FIELD, max_size=3)


@settings(max_examples=400, deadline=None)
@given(
    fields=st.dictionaries(ANY_FIELD, JSON, max_size=4),
    messages=MESSAGES,
    model=st.sampled_from(["gemini-2.0-flash", "gemini-2.5-flash", "gemini-3.8-flash", "x", "models/x", ":"]),
    form=st.sampled_from(["json_schema", "schema"]),
    drop=DROPS,
)
def test_no_request_breaks_the_translation(
    fields: dict[str, Any], messages: list[Any], model: str, form: str, drop: frozenset[str]
) -> None:
    asked = params(model=model, messages=messages, **fields)
    before = orjson.dumps(repr(asked))
    try:
        made = line(asked, form, drop)
    except BifrostError as error:
        assert error.provider == "gemini"  # noqa: PT017
    else:
        assert orjson.loads(made.body)["key"] == "a"
    assert orjson.dumps(repr(asked)) == before


@given(wanted=JSON)
def test_no_schema_breaks_the_conversion(wanted: Any) -> None:
    terms = Terms(NOTHING, traits("gemini-2.5-flash"), "schema", FILES)
    asked = params(output_config={"format": {"type": "json_schema", "schema": wanted}})
    try:
        generate.Generate(asked, terms)
    except BifrostError as error:
        assert error.provider == "gemini"  # noqa: PT017
