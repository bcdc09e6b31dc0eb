"""The small parts: JSON spans, the order of finishing, examples of schemas, shapes, multipart."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.sandbox.answers import Finish, Prompt, Tool, Trigger, answer, triggers
from bifrost_cli.sandbox.example import example, flaw
from bifrost_cli.sandbox.jsonspans import JsonError, items, members
from bifrost_cli.sandbox.lines import Index, finished, finishing, finishing_order, tally
from bifrost_cli.sandbox.multipart import MultipartError, Upload, read_upload
from tests.sandbox.recordings import differences

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), values), st.sampled_from([None, 1]), st.booleans())
def test_members_are_found_as_json_finds_them(value: dict[str, object], indent: int | None, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii).encode()
    assert {name: json.loads(text[start:end]) for name, (start, end) in members(text)} == value


@given(st.lists(values))
def test_items_are_found_as_json_finds_them(value: list[object]) -> None:
    text = json.dumps({"all": value}).encode()
    ((_, span),) = members(text)
    assert [json.loads(text[start:end]) for start, end in items(text, span)] == value


def test_deep_objects_are_found_too() -> None:
    deep = '{"a":' * 30 + '"}{"' + "}" * 30
    ((_, span),) = members(f'{{"all":[{deep},1]}}'.encode())
    text = f'{{"all":[{deep},1]}}'.encode()
    assert [text[start:end].decode() for start, end in items(text, span)] == [deep, "1"]


@pytest.mark.parametrize(
    "text", ["", " ", "[]", "{", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}x', '{"a":1} {}', "{1:2}", '{"a":[1}', "{a:1}"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    def read() -> list[object]:
        return [json.loads(text[start:end]) for _, (start, end) in members(text.encode())]

    with pytest.raises((JsonError, json.JSONDecodeError)):
        read()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 618, 1000])
def test_every_request_finishes_once_and_out_of_order(count: int) -> None:
    order = list(finishing_order(count))
    assert sorted(order) == list(range(count))
    assert count < 2 or order != sorted(order)


def test_finishing_gives_each_request_with_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"aabbcc")
    index = Index()
    for number, letter in enumerate((b"S", b"E", b"X")):
        index.add(2 * number, 2 * number + 2, letter)
    index.save(tmp_path)
    found = {number: (letter, text) for number, letter, text in finishing(tmp_path)}
    assert found == {0: (b"S", b"aa"), 1: (b"E", b"bb"), 2: (b"X", b"cc")}
    assert sum(tally(tmp_path).values()) == 3
    assert sum(tally(tmp_path, 2).values()) == 2


def test_finished_never_exceeds_the_total() -> None:
    assert [finished(3, progress) for progress in (0, 0.34, 0.99, 1)] == [0, 1, 2, 3]


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 20},
        "kind": {"enum": ["b", "a"]},
        "size": {"type": "integer", "minimum": 7},
        "few": {"type": "integer", "maximum": -2},
        "ratio": {"type": "number", "minimum": 0.5, "maximum": 0.75},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        "day": {"type": "string", "format": "date"},
        "child": {"$ref": "#"},
    },
    "required": ["name", "kind"],
    "$defs": {"tag": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}},
}


def test_an_example_satisfies_its_schema() -> None:
    value = example(SCHEMA, "[sandbox]")
    assert len(value["name"]) >= 20
    assert value["kind"] == "b"
    assert (value["size"], value["few"]) == (7, -2)
    assert 0.5 <= value["ratio"] <= 0.75
    assert value["tags"] == [{"on": True}, {"on": True}]
    assert value["maybe"] is None
    assert value["day"] == "2026-01-31"
    assert set(value["child"]) >= {"name", "kind"}


@pytest.mark.parametrize(
    "schema",
    [5, {"type": 3}, {"properties": []}, {"properties": {"a": {"items": 4}}}, {"anyOf": {}}, {"minimum": "1"}],
)
def test_what_is_no_schema_is_told(schema: object) -> None:
    assert flaw(schema)


def test_a_schema_is_no_flaw() -> None:
    assert flaw(SCHEMA) is None
    assert flaw(True) is None


def test_triggers_are_whole_words() -> None:
    assert triggers("please sandbox:tool, and sandbox:lose") == {Trigger.TOOL, Trigger.LOSE}
    assert triggers("sandbox:tools sandbox: error") == frozenset()


def test_the_same_prompt_gets_the_same_answer() -> None:
    prompt = Prompt("What is 2 + 2?", 9)
    assert answer(prompt) == answer(prompt)
    assert answer(prompt).text == "[sandbox] answer to: What is 2 + 2?"
    assert answer(prompt).finish is Finish.END


def test_an_answer_keeps_to_its_limit() -> None:
    said = answer(Prompt("tell me a long story", 9, limit=3, thinking=True))
    assert (said.finish, said.output_tokens, said.text) == (Finish.LENGTH, 3, "")
    assert said.thinking_tokens == 3


def test_an_answer_ends_at_the_first_stop_sequence() -> None:
    said = answer(Prompt("one two three", 9, stops=("three", "two")))
    assert (said.text, said.stop, said.finish) == ("[sandbox] answer to: one ", "two", Finish.STOP)


def test_a_forced_tool_is_called_with_arguments_that_fit() -> None:
    tools = (Tool("first", {}), Tool("second", SCHEMA))
    said = answer(Prompt("go", 1, tools=tools, forced="second"))
    assert said.call is not None
    assert said.call.name == "second"
    assert said.call.arguments["kind"] == "b"
    assert answer(Prompt("go", 1, tools=tools, forced="")).call is not None
    assert answer(Prompt("go", 1, tools=tools)).call is None


def test_a_call_that_is_cut_is_no_json() -> None:
    said = answer(Prompt("go", 1, tools=(Tool("first", SCHEMA),), forced="", limit=5))
    assert said.call is not None
    assert (said.finish, said.call.arguments, said.output_tokens) == (Finish.LENGTH, {}, 5)
    with pytest.raises(json.JSONDecodeError):
        json.loads(said.call.text)


def upload(body: bytes, content_type: str = "multipart/form-data; boundary=x") -> tuple[Upload, bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):  # boundaries fall between chunks
            yield body[start : start + 7]

    sink = io.BytesIO()
    return asyncio.run(read_upload(content_type, chunks(), sink)), sink.getvalue()


def part(headers: str, body: bytes = b"data") -> bytes:
    return b"--x\r\n" + headers.encode() + b"\r\n\r\n" + body + b"\r\n"


END = b"--x--\r\n"


def test_a_file_without_a_name_is_still_the_file() -> None:
    body = part('Content-Disposition: form-data; name="purpose"', b"batch")
    body += part('Content-Disposition: form-data; name="file"', b"\x00\r\n--xy\xff") + END
    form, content = upload(body)
    assert (form.fields, form.filename, form.present) == ({"purpose": "batch"}, None, True)
    assert content == b"\x00\r\n--xy\xff"
    assert form.size == len(content)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="file"; filename="你好 (1).txt"', "你好 (1).txt"),
        ("form-data; name=file; filename=plain; filename*=utf-8''%E4%BD%A0.txt", "你.txt"),
        ('form-data; name="file"; filename="a;b.txt"', "a;b.txt"),
    ],
)
def test_names_of_files(disposition: str, name: str) -> None:
    form, _ = upload(part(f"Content-Disposition: {disposition}\r\nContent-Type: text/csv") + END)
    assert (form.filename, form.media_type) == (name, "text/csv")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"", "multipart/form-data"),
        (part('Content-Disposition: form-data; name="file"'), "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_multipart_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(MultipartError):
        upload(body, content_type)


def test_a_difference_from_a_recording_is_told() -> None:
    """The comparison itself can fail."""
    there = {"a": 1, "b": None, "c": [{"type": "x", "y": "z"}]}
    assert differences(there, {"a": 2, "b": None, "c": []}) == []
    assert differences(there, {"a": "1", "b": None, "c": []}) == [".a: number there, string here"]
    assert differences(there, {"a": 1, "c": [], "d": 1}) == [".b: missing here", ".d: only here"]
    assert differences(there, {"a": 1, "b": None, "c": [], "d": 1}, {"d"}) == []
    assert differences(there, {"a": 1, "b": None, "c": [{"type": "w"}]}) == [".c[0]: nothing like it there"]
    assert differences(there, {"a": 1, "b": None, "c": [{"type": "x", "y": 1}]}) == [
        ".c[0].y: string there, number here"
    ]
