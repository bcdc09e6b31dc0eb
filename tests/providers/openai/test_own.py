"""OpenAI's own lines read into the canonical form: there and back, what each field becomes, and what is refused."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bifrost_cli.core import jsonl
from bifrost_cli.errors import BifrostError, InvalidRequestError, UnsupportedError
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.openai import OpenAI, own, translate

Object = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
TURNS = {CHAT: "messages", RESPONSES: "input"}
HI = [{"role": "user", "content": "Hi"}]
PNG, PDF = "data:image/png;base64,iVBORw0KGgo=", "data:application/pdf;base64,JVBERi0="


def line(url: str, **body: Any) -> Object:
    return {"custom_id": "a", "method": "POST", "url": url, "body": {"model": "m", TURNS[url]: HI, **body}}


def chat(**body: Any) -> Object:
    return OpenAI.read_own(line(CHAT, **body))["params"]


def responses(**body: Any) -> Object:
    return OpenAI.read_own(line(RESPONSES, **body))["params"]


def says(**body: Any) -> Object:
    """What both endpoints read alike, beside model and messages."""
    read = chat(**body)
    assert read == responses(**body)
    return {name: value for name, value in read.items() if name not in ("model", "messages")}


# -- there and back ----------------------------------------------------------------------------------------------

GOLDENS = {
    path.stem: orjson.loads(path.read_bytes()) for path in sorted((ROOT / "tests" / "golden" / "openai").glob("*.json"))
}
GOLDENS = {name: case for name, case in GOLDENS.items() if "request" in case}
WITH_FILE_IDS = {"auto-stop-dropped-for-content", "chat-documents", "responses-documents", "responses-images"}
ONE_WAY = {
    "auto-stop-dropped": "a field is dropped",
    "chat-thinking": "a budget and an effort become one effort",
    "drop-several": "fields are dropped",
    "responses-hints": "the user's id is hashed",
    "responses-plain": "max_tokens is raised",
    "responses-reasoning-replayed": "reasoning is left out",
    "responses-thinking": "a budget becomes an effort",
    "responses-tool-results-rich": "an error becomes text",
    "responses-tool-history": "an error becomes text, a long id its hash",
    "chat-tool-history": "an error becomes text, a long id its hash",
    "chat-tool-results-text": "a search result becomes text",
    "chat-tools": "examples go into the description",
    "responses-tools": "examples go into the description",
}
LOSSLESS = sorted(GOLDENS.keys() - WITH_FILE_IDS - ONE_WAY.keys())


def plain(content: Any) -> list[Object]:
    """Content as blocks, without what asks for nothing or is never sent."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    shown = [block for block in blocks if "thinking" not in block["type"]]
    hints = ("cache_control", "citations", "transformations", "caller", "is_error")
    return [{name: value for name, value in block.items() if name not in hints} | _inner(block) for block in shown]


def _inner(block: Object) -> Object:
    return {"content": plain(block["content"])} if block["type"] == "tool_result" else {}


def turns(messages: list[Object]) -> list[Object]:
    made: list[Object] = []
    for message in messages:
        content = plain(message["content"])
        if content and made and made[-1]["role"] == message["role"]:
            made[-1]["content"] += content
        elif content:
            made.append({"role": message["role"], "content": content})
    return made


def tool(given: Object) -> Object:
    schema = {"properties": {}, **given["input_schema"]}
    made = {name: given[name] for name in ("name", "description") if name in given}
    return {**made, "input_schema": schema, "strict": given.get("strict", False)}


def equivalent(params: Object) -> Object:
    """Params such that those that ask for the same are equal."""
    made = {**params, "messages": turns(params["messages"])}
    if "system" in params:
        made["system"] = "\n\n".join(block["text"] for block in plain(params["system"]))
    if "tools" in params:
        made["tools"] = [tool(each) for each in params["tools"]]
    return made


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_was_translated_is_read_again(name: str) -> None:
    case = GOLDENS[name]
    read = OpenAI.read_own(case["upstream"])
    assert read["custom_id"] == case["request"]["custom_id"]
    assert equivalent(read["params"]) == equivalent(case["request"]["params"])
    assert jsonl.check({**read}) is None
    assert jsonl.check_settings(read["params"]) is None


NOT_THE_SAME = {
    "chat-history": "messages of one role become one turn",
    "responses-history": "messages of one role become one turn",
    "chat-reasoning-replayed": "messages of one role become one turn",
    "responses-reasoning-replayed": "reasoning is left out",
    "responses-hints": "the user's id is hashed",
}


@pytest.mark.parametrize("name", sorted(GOLDENS.keys() - WITH_FILE_IDS - NOT_THE_SAME.keys()))
def test_what_is_read_asks_openai_for_the_same(name: str) -> None:
    """However much was lost on the way there, nothing is on the way back."""
    case = GOLDENS[name]
    request = OpenAI.read_own(case["upstream"])
    encoder = translate.encoder(request["params"], case.get("mode", "auto"), frozenset())
    again = encoder.encode(request["custom_id"], request["params"]["messages"])
    assert orjson.loads(again.body) == case["upstream"]


def test_goldens_are_read_or_are_known_not_to_be() -> None:
    assert GOLDENS.keys() >= WITH_FILE_IDS | ONE_WAY.keys() | NOT_THE_SAME.keys()
    assert len(LOSSLESS) > 7


@pytest.mark.parametrize("name", sorted(WITH_FILE_IDS))
def test_a_file_at_openai_is_not_there_for_others(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"^body\.[\w.]+\.file_id: a file at OpenAI"):
        OpenAI.read_own(GOLDENS[name]["upstream"])


def test_the_sample_is_read() -> None:
    lines = [orjson.loads(text) for text in (ROOT / "samples" / "openai-form.jsonl").read_bytes().splitlines()]
    for each in lines:
        read = OpenAI.read_own(each)
        assert read == {"custom_id": each["custom_id"], "params": each["body"]}


# -- conversation ------------------------------------------------------------------------------------------------

CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
]
USES = [
    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
    {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
]
RESULTS = [
    {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
    {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "x"}] * 2},
]


def text(value: str) -> Object:
    return {"type": "text", "text": value}


def test_instructions_of_all_kinds_are_the_system_prompt_and_later_ones_stay() -> None:
    first = [{"role": "system", "content": "A"}, {"role": "developer", "content": [text("B")]}]
    later = {"role": "developer", "content": "C"}
    read = chat(messages=[*first, *HI, later, *HI])
    assert read["system"] == [text("A"), text("B")]
    assert read["messages"] == [*HI, {"role": "system", "content": "C"}, *HI]
    assert responses(input=[first[0], *HI], instructions="I")["system"] == [text("I"), text("A")]
    assert responses(instructions="I", input="Hi") == {"model": "m", "system": "I", "messages": HI}
    assert "system" not in responses(instructions="")


def test_calls_and_their_results_are_gathered_in_one_turn_each() -> None:
    history = [
        *HI,
        {"role": "assistant", "content": "Wait.", "tool_calls": CALLS, "refusal": None, "annotations": []},
        {"role": "tool", "tool_call_id": "c1", "content": "one", "name": "f"},
        {"role": "tool", "tool_call_id": "c2", "content": [text("x"), text("x")]},
        {"role": "user", "content": "And?"},
    ]
    expected = [
        *HI,
        {"role": "assistant", "content": [text("Wait."), *USES]},
        {"role": "user", "content": [*RESULTS, text("And?")]},
    ]
    assert chat(messages=history)["messages"] == expected
    items = [
        *HI,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": "Wait."},
        *({"type": "function_call", "call_id": each["id"], **each["function"]} for each in CALLS),
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"role": "user", "content": "And?"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "x"}] * 2},
    ]
    assert responses(input=items)["messages"] == expected


def test_a_refusal_was_said() -> None:
    said = [{"role": "assistant", "content": None, "refusal": "No."}, *HI]
    assert chat(messages=[*HI, *said])["messages"][1] == {"role": "assistant", "content": "No."}
    parts = [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, *HI]
    assert responses(input=[*HI, *parts])["messages"][1] == {"role": "assistant", "content": "No."}


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
BY_URL = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
DOCUMENT = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
PARTS = [
    ({"type": "image_url", "image_url": {"url": PNG}}, IMAGE),
    ({"type": "image_url", "image_url": {"url": BY_URL["source"]["url"], "detail": "high"}}, BY_URL),
    ({"type": "input_image", "image_url": PNG, "detail": "auto"}, IMAGE),
    ({"type": "input_image", "image_url": BY_URL["source"]["url"]}, BY_URL),
    ({"type": "file", "file": {"filename": "document.pdf", "file_data": PDF}}, DOCUMENT),
    ({"type": "input_file", "filename": "a.pdf", "file_data": PDF}, {**DOCUMENT, "title": "a.pdf"}),
    (
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    ),
    (
        {"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8;base64,w7w="}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ü"}},
    ),
]


@pytest.mark.parametrize(("part", "block"), PARTS)
def test_images_and_files(part: Object, block: Object) -> None:
    url = CHAT if part["type"] in ("image_url", "file") else RESPONSES
    asked = [{"role": "user", "content": [part]}]
    assert OpenAI.read_own(line(url, **{TURNS[url]: asked}))["params"]["messages"] == [
        {"role": "user", "content": [block]}
    ]


# -- fields ------------------------------------------------------------------------------------------------------


def test_fields_of_both_endpoints() -> None:
    assert says(temperature=0.5, top_p=1, store=False, stream=False, metadata={}, prompt_cache_key="k", seed=None) == {
        "temperature": 0.5,
        "top_p": 1,
    }
    assert says(user="u") == says(safety_identifier="u") == says(user="u", safety_identifier="u")
    assert says(user="u") == {"metadata": {"user_id": "u"}}
    assert says(service_tier="auto") == {"service_tier": "auto"}
    assert says(service_tier="default") == {"service_tier": "standard_only"}


def test_the_limit_has_three_names() -> None:
    assert chat(max_tokens=5) == chat(max_completion_tokens=5) == chat(max_tokens=5, max_completion_tokens=5)
    assert chat(max_tokens=5)["max_tokens"] == responses(max_output_tokens=5)["max_tokens"] == 5
    assert "max_tokens" not in chat()


def test_what_only_chat_has() -> None:
    asks_nothing = {"n": 1, "logprobs": False, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0.0}
    assert chat(**asks_nothing, modalities=["text"], verbosity="medium") == chat()
    assert chat(stop="a")["stop_sequences"] == ["a"]
    assert chat(stop=["a", "b"])["stop_sequences"] == ["a", "b"]


@pytest.mark.parametrize(
    ("effort", "expected"),
    [
        ("none", {"thinking": {"type": "disabled"}}),
        ("minimal", {"output_config": {"effort": "low"}}),
        ("high", {"output_config": {"effort": "high"}}),
    ],
)
def test_effort(effort: str, expected: Object) -> None:
    assert chat(reasoning_effort=effort).items() >= expected.items()
    assert responses(reasoning={"effort": effort}).items() >= expected.items()
    assert responses(reasoning={"effort": effort, "summary": None}).get("thinking") == expected.get("thinking")


def test_a_summary_asks_to_see_the_thinking() -> None:
    read = responses(reasoning={"summary": "auto", "effort": "low"}, include=["reasoning.encrypted_content"])
    assert read["thinking"] == {"type": "adaptive"}
    assert read["output_config"] == {"effort": "low"}


def test_the_form_of_the_answer() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    named = {"name": "answer", "schema": schema, "strict": True}
    expected = {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    on_chat = chat(response_format={"type": "json_schema", "json_schema": named}, reasoning_effort="low")
    on_responses = responses(text={"format": {"type": "json_schema", **named}}, reasoning={"effort": "low"})
    assert on_chat["output_config"] == on_responses["output_config"] == expected
    assert chat(response_format={"type": "text"}) == chat()
    assert responses(text={"format": {"type": "text"}, "verbosity": "medium"}) == responses(text={}) == responses()


FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def with_tools(**body: Any) -> Object:
    """The choice that both endpoints say, each in its own words."""
    nested = [{"type": "function", "function": FUNCTION}]
    named = {"type": "function", "name": "f"}
    flat = {**body, "tool_choice": named} if isinstance(body.get("tool_choice"), dict) else body
    on_chat, on_responses = chat(tools=nested, **body), responses(tools=[{"type": "function", **FUNCTION}], **flat)
    assert on_chat == on_responses
    assert on_chat["tools"] == [TOOL]
    return dict(on_chat.get("tool_choice", {}))


def test_tools_and_the_choice_of_them() -> None:
    alone = {"disable_parallel_tool_use": True}
    assert with_tools() == with_tools(parallel_tool_calls=True) == {}
    assert with_tools(tool_choice="auto") == {"type": "auto"}
    assert with_tools(tool_choice="required") == {"type": "any"}
    assert with_tools(parallel_tool_calls=False) == {"type": "auto", **alone}
    assert with_tools(parallel_tool_calls=False, tool_choice="required") == {"type": "any", **alone}
    assert with_tools(tool_choice="required", parallel_tool_calls=False) == {"type": "any", **alone}
    assert with_tools(tool_choice="none", parallel_tool_calls=False) == {"type": "none"}
    named = {"type": "function", "function": {"name": "f"}}
    assert with_tools(tool_choice=named) == {"type": "tool", "name": "f"}


def test_tools_that_say_little() -> None:
    bare = says(tools=[{"type": "function", "name": "f", "strict": True}])["tools"]
    assert bare == [{"name": "f", "input_schema": {"type": "object", "properties": {}}, "strict": True}]
    assert says(tools=[{"type": "function", "name": "f", "parameters": {}}])["tools"][0]["input_schema"] == {
        "type": "object"
    }
    assert says(tools=[], tool_choice="auto", parallel_tool_calls=False) == {}


# -- what is refused ---------------------------------------------------------------------------------------------


def user(*parts: Any) -> list[Object]:
    return [{"role": "user", "content": list(parts)}]


def answered(**message: Any) -> list[Object]:
    return [*HI, {"role": "assistant", **message}, *HI]


UNSUPPORTED: dict[str, list[Object]] = {
    "body.made_up": [line(CHAT, made_up=1), line(RESPONSES, made_up=1)],
    "body.logprobs": [line(CHAT, logprobs=True)],
    "body.n": [line(CHAT, n=2)],
    "body.seed": [line(CHAT, seed=1)],
    "body.store": [line(CHAT, store=True), line(RESPONSES, store=True)],
    "body.stream": [line(CHAT, stream=True)],
    "body.metadata": [line(CHAT, metadata={"a": "b"})],
    "body.logit_bias": [line(CHAT, logit_bias={"1": 1})],
    "body.presence_penalty": [line(CHAT, presence_penalty=0.5)],
    "body.frequency_penalty": [line(CHAT, frequency_penalty=0.5)],
    "body.modalities": [line(CHAT, modalities=["text", "audio"])],
    "body.verbosity": [line(CHAT, verbosity="low")],
    "body.stop": [line(RESPONSES, stop="a")],
    "body.max_tokens": [line(CHAT, max_completion_tokens=1, max_tokens=2), line(RESPONSES, max_tokens=2)],
    "body.safety_identifier": [line(CHAT, user="a", safety_identifier="b")],
    "body.service_tier": [line(CHAT, service_tier="flex")],
    "body.previous_response_id": [line(RESPONSES, previous_response_id="resp_1")],
    "body.truncation": [line(RESPONSES, truncation="auto")],
    "body.background": [line(RESPONSES, background=True)],
    "body.include.0": [line(RESPONSES, include=["message.output_text.logprobs"])],
    "body.text.verbosity": [line(RESPONSES, text={"verbosity": "high"})],
    "body.text.format.type": [line(RESPONSES, text={"format": {"type": "json_object"}})],
    "body.response_format.type": [line(CHAT, response_format={"type": "json_object"})],
    "body.response_format.json_schema.description": [
        line(CHAT, response_format={"type": "json_schema", "json_schema": {"description": "d", "schema": {}}})
    ],
    "body.reasoning.summary": [line(RESPONSES, reasoning={"summary": "detailed"})],
    "body.reasoning.mode": [line(RESPONSES, reasoning={"mode": "x"})],
    "body.tools.0.type": [line(CHAT, tools=[{"type": "custom"}]), line(RESPONSES, tools=[{"type": "web_search"}])],
    "body.tools.0.function.extra": [line(CHAT, tools=[{"type": "function", "function": {**FUNCTION, "extra": 1}}])],
    "body.tool_choice.type": [line(CHAT, tool_choice={"type": "allowed_tools"})],
    "body.tool_choice.extra": [line(CHAT, tool_choice={"type": "function", "name": "f", "extra": 1})],
    "body.messages": [line(CHAT, messages=[*HI, {"role": "assistant", "content": "So"}])],
    "body.input": [line(RESPONSES, input=[*HI, {"role": "assistant", "content": "So"}])],
    "body.messages.0.name": [line(CHAT, messages=[{**HI[0], "name": "n"}])],
    "body.messages.0.content.0": [line(CHAT, messages=user({"type": "input_audio", "input_audio": {}}))],
    "body.messages.0.content.0.extra": [line(CHAT, messages=user({"type": "text", "text": "a", "extra": 1}))],
    "body.messages.0.content.0.image_url.detail": [
        line(CHAT, messages=user({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}))
    ],
    "body.messages.0.content.0.file.file_data": [
        line(CHAT, messages=user({"type": "file", "file": {"file_data": "data:text/csv;base64,YQ=="}}))
    ],
    "body.messages.0.content.0.file.file_id": [
        line(CHAT, messages=user({"type": "file", "file": {"file_id": "file-1"}}))
    ],
    "body.messages.1.audio": [line(CHAT, messages=answered(content="a", audio={"id": "x"}))],
    "body.messages.1.content": [line(CHAT, messages=answered(content="")), line(CHAT, messages=answered())],
    "body.messages.1.content.0": [
        line(CHAT, messages=answered(content=[{"type": "image_url", "image_url": {"url": PNG}}]))
    ],
    "body.messages.1.tool_calls.0.type": [line(CHAT, messages=answered(tool_calls=[{"type": "custom"}]))],
    "body.input.0": [line(RESPONSES, input=[{"type": "item_reference", "id": "x"}, *HI])],
    "body.input.0.content.0.file_data": [
        line(RESPONSES, input=user({"type": "input_file", "file_url": "https://a.example", "file_data": PDF}))
    ],
    "url": [{**line(CHAT), "url": "/v1/embeddings"}],
    "priority": [{**line(CHAT), "priority": 1}],
}
INVALID: dict[str, list[Object]] = {
    "custom_id": [{**line(CHAT), "custom_id": value} for value in (None, 5)],
    "method": [{**line(CHAT), "method": "GET"}],
    "url": [{**line(CHAT), "url": value} for value in (None, [CHAT], "/v1/files")],
    "body": [{**line(CHAT), "body": value} for value in (None, [], "x")],
    "body.model": [line(CHAT, model=5)],
    "body.messages": [line(CHAT, messages=value) for value in (None, [], "Hi", [{"role": "system", "content": "a"}])],
    "body.input": [line(RESPONSES, input=value) for value in (None, [], 5)],
    "body.instructions": [line(RESPONSES, instructions=[])],
    "body.messages.0": [line(CHAT, messages=["Hi"])],
    "body.messages.0.role": [line(CHAT, messages=[{"role": value, "content": "Hi"}]) for value in (None, 5, "x")],
    "body.messages.0.content": [line(CHAT, messages=[{"role": "user", "content": value}]) for value in (None, [], 5)],
    "body.messages.0.content.0.type": [line(CHAT, messages=user({}))],
    "body.messages.0.content.0.text": [line(CHAT, messages=user({"type": "text"}))],
    "body.messages.0.content.0.image_url": [line(CHAT, messages=user({"type": "image_url", "image_url": PNG}))],
    "body.messages.0.content.0.image_url.url": [
        line(CHAT, messages=user({"type": "image_url", "image_url": {"url": value}}))
        for value in (None, "a.png", "data:image/png,x", PDF)
    ],
    "body.messages.0.content.0.file.file_data": [
        line(CHAT, messages=user({"type": "file", "file": {"file_data": value}}))
        for value in (None, "JVBERi0=", "data:text/plain;base64,!", "data:text/plain;base64,/w==")
    ],
    "body.input.0.content.0.file_url": [
        line(RESPONSES, input=user({"type": "input_file", "file_url": "ftp://a.example"}))
    ],
    "body.input.0.type": [line(RESPONSES, input=[{"type": 5}])],
    "body.input.0.call_id": [line(RESPONSES, input=[{"type": "function_call_output", "output": "x"}])],
    "body.messages.1.tool_calls.0.function": [line(CHAT, messages=answered(tool_calls=[{"id": "a"}]))],
    "body.messages.1.tool_calls.0.function.arguments": [
        line(CHAT, messages=answered(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": value}}]))
        for value in (None, {}, "{", "[]")
    ],
    "body.max_tokens": [line(CHAT, max_tokens=value) for value in ("5", 1.5, True)],
    "body.max_output_tokens": [line(RESPONSES, max_output_tokens="5")],
    "body.temperature": [line(CHAT, temperature="hot")],
    "body.stop": [line(CHAT, stop=value) for value in (5, [5])],
    "body.user": [line(CHAT, user=5)],
    "body.service_tier": [line(CHAT, service_tier=[])],
    "body.reasoning_effort": [line(CHAT, reasoning_effort=value) for value in (5, "huge")],
    "body.reasoning": [line(RESPONSES, reasoning="low")],
    "body.reasoning.effort": [line(RESPONSES, reasoning={"effort": "huge"})],
    "body.include": [line(RESPONSES, include="all")],
    "body.text": [line(RESPONSES, text="x")],
    "body.text.format.schema": [line(RESPONSES, text={"format": {"type": "json_schema", "schema": 5}})],
    "body.response_format": [line(CHAT, response_format="json")],
    "body.response_format.json_schema": [line(CHAT, response_format={"type": "json_schema"})],
    "body.tools": [line(CHAT, tools={}), line(CHAT, tool_choice="required")],
    "body.tools.0.function.name": [line(CHAT, tools=[{"type": "function", "function": {}}])],
    "body.tools.0.parameters": [line(RESPONSES, tools=[{"type": "function", "name": "f", "parameters": []}])],
    "body.tool_choice": [line(CHAT, tool_choice=value) for value in (5, "some")],
    "body.parallel_tool_calls": [line(CHAT, parallel_tool_calls="no")],
}


@pytest.mark.parametrize(("field", "bad"), [(field, bad) for field, many in UNSUPPORTED.items() for bad in many])
def test_what_others_have_no_place_for_is_refused_by_name(field: str, bad: Object) -> None:
    with pytest.raises(UnsupportedError) as caught:
        OpenAI.read_own(bad)
    assert caught.value.field == field
    assert caught.value.hint


LOSSES = [
    ("logprobs", line(CHAT, logprobs=True), line(CHAT)),
    ("body.logprobs", line(CHAT, logprobs=True), line(CHAT)),
    ("text.verbosity", line(RESPONSES, text={"verbosity": "high"}), line(RESPONSES, text={})),
    ("verbosity", line(RESPONSES, text={"verbosity": "high"}), line(RESPONSES, text={})),
    ("text", line(RESPONSES, text={"verbosity": "high"}), line(RESPONSES)),
    ("response_format", line(CHAT, response_format={"type": "json_object"}), line(CHAT)),
    ("priority", {**line(CHAT), "priority": 1}, line(CHAT)),
    ("messages.name", line(CHAT, messages=[{**HI[0], "name": name} for name in "ab"]), line(CHAT, messages=HI * 2)),
    (
        "tools",
        line(CHAT, tools=[{"type": "custom"}, {"type": "function", "function": FUNCTION}]),
        line(CHAT, tools=[{"type": "function", "function": FUNCTION}]),
    ),
]


@pytest.mark.parametrize(("name", "given", "left"), LOSSES, ids=[name for name, _, _ in LOSSES])
def test_what_the_caller_consents_to_losing_is_lost_and_nothing_else(name: str, given: Object, left: Object) -> None:
    before = orjson.dumps(given)
    assert OpenAI.read_own(given, frozenset({name, "temperature"})) == OpenAI.read_own(left)
    assert orjson.dumps(given) == before


@pytest.mark.parametrize(("field", "bad"), [(field, bad) for field, many in UNSUPPORTED.items() for bad in many])
def test_consent_to_another_loss_is_none(field: str, bad: Object) -> None:
    with pytest.raises(UnsupportedError):
        OpenAI.read_own(bad, frozenset({"top_k"}))


@pytest.mark.parametrize("field", ["body.n", "body.tools.0.type", "body.messages.0.name", "body.include.0"])
def test_the_consent_that_a_refusal_names_is_enough(field: str) -> None:
    for bad in UNSUPPORTED[field]:
        with pytest.raises(UnsupportedError) as caught:
            OpenAI.read_own(bad)
        name = str(caught.value.hint).partition("--drop ")[2].partition(",")[0]
        assert OpenAI.read_own(bad, frozenset({name}))["params"]["messages"] == HI


def test_what_is_refused_for_lacking_something_cannot_be_lost() -> None:
    with pytest.raises(UnsupportedError, match="says nothing"):
        OpenAI.read_own(line(CHAT, messages=answered()), frozenset({"messages.content"}))


@pytest.mark.parametrize(("field", "bad"), [(field, bad) for field, many in INVALID.items() for bad in many])
def test_what_nobody_takes_is_refused_with_its_path(field: str, bad: Object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        OpenAI.read_own(bad)
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.message.startswith(f"{field}: must be ")


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "openai"])
def test_a_provider_without_a_form_of_its_own_reads_none(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{name} has no batch form of its own"):
        load(name).read_own({})
    assert load(name).own_body({}) == {}


# -- anything at all ---------------------------------------------------------------------------------------------


def words(listed: str) -> st.SearchStrategy[str]:
    return st.sampled_from(listed.split())


NAMES = words(
    """
    type text image_url url detail file filename file_data file_url file_id refusal annotations function name
    arguments id call_id output tool_calls tool_call_id role content description parameters strict effort summary
    format json_schema schema status verbosity
    """
)
WORDS = words(
    f"""
    text input_text output_text image_url input_image file input_file refusal function message function_call
    function_call_output reasoning json_schema auto none required low system user assistant tool {{}} [
    https://example.com/a {PNG} {PDF}
    """
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
TYPED = st.dictionaries(NAMES, JSON, max_size=4).flatmap(lambda part: WORDS.map(lambda word: {**part, "type": word}))
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "x"])
MESSAGES = st.fixed_dictionaries({"role": ROLES, "content": JSON | st.lists(TYPED, max_size=3)})
FIELDS = st.sampled_from(sorted({*own.READERS[CHAT][1], *own.READERS[RESPONSES][1], "made_up"}))


@settings(max_examples=400, deadline=None)
@given(
    url=st.sampled_from([CHAT, RESPONSES]),
    turns=JSON | st.lists(MESSAGES | TYPED, min_size=1, max_size=4),
    fields=st.dictionaries(FIELDS, JSON, max_size=3),
    beside=st.dictionaries(st.sampled_from(["custom_id", "method", "url", "body", "x"]), JSON, max_size=1),
)
def test_no_line_breaks_the_reading(url: str, turns: Any, fields: Object, beside: Object) -> None:
    with suppress(BifrostError):
        read = OpenAI.read_own({**line(url, **{**fields, TURNS[url]: turns}), **beside})
        assert read["params"]["messages"]
