"""Reading JSON lines: every bad input named with its line, every good form accepted."""

import io
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.core import jsonl
from bifrost_cli.errors import Problem

OK = {"custom_id": "a", "params": {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}}


def read(data: bytes, **options: Any) -> list[tuple[int, Any]]:
    return list(jsonl.read(io.BytesIO(data), **options))


def check(line: dict[str, Any]) -> str | None:
    """What is wrong with a request, as the three checks say it one after another."""
    if wrong := jsonl.check(line):
        return wrong
    params = line["params"]
    return jsonl.check_settings(params) or jsonl.check_messages(params.get("messages"))


def problem(data: bytes, **options: Any) -> Problem:
    [(number, found)] = read(data, **options)
    assert isinstance(found, Problem)
    assert found.line == number
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n  \n", []),
        (b'{"a":1}', [(1, {"a": 1})]),
        (b'{"a":1}\n', [(1, {"a": 1})]),
        (b'{"a":1}\r\n\r\n{"a":2}\r\n', [(1, {"a": 1}), (3, {"a": 2})]),
        (b'\xef\xbb\xbf{"a":1}\n{"a":2}', [(1, {"a": 1}), (2, {"a": 2})]),
        (b"\xef\xbb\xbf", []),
        ('{"a":"x\u2028y\u0085z"}\n'.encode(), [(1, {"a": "x\u2028y\u0085z"})]),
        (b' \t{"a":1} \n', [(1, {"a": 1})]),
    ],
    ids=["empty", "blank", "no-last-newline", "one", "crlf", "bom", "bom-alone", "separators-inside", "indented"],
)
def test_lines_are_read_whatever_their_ends(data: bytes, expected: list[tuple[int, Any]]) -> None:
    assert read(data) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]", "a line must be a JSON object, this is a list"),
        (b'"x"', "a line must be a JSON object, this is a string"),
        (b"7", "a line must be a JSON object, this is a number"),
        (b"7.5", "a line must be a JSON object, this is a number"),
        (b"null", "a line must be a JSON object, this is null"),
        (b"true", "a line must be a JSON object, this is a boolean"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 7 of the line"),
        (b'{"a":"caf\xe9"}', "invalid UTF-8 at byte 10 of the line"),
        ('{"a":1}'.encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (b"\xfe\xff" + '{"a":1}'.encode("utf-16-be"), "the file is UTF-16; save it as UTF-8"),
    ],
)
def test_what_is_no_json_object_is_named(line: bytes, message: str) -> None:
    assert problem(line) == Problem(1, None, message)


@pytest.mark.parametrize(
    ("line", "column"),
    [(b'{"a":1', 7), (b"{'a':1}", 2), (b'{"a":NaN}', 6), (b'{"a":1}{"a":2}', 8), (b"hello", 1)],
)
def test_what_is_no_json_is_named_with_its_column(line: bytes, column: int) -> None:
    message = problem(line).message
    assert message.startswith("not valid JSON: ")
    assert message.endswith(f", column {column}")


def test_a_bad_line_does_not_hide_the_lines_after_it() -> None:
    lines = read(b'nope\n\n{"a":1}\n[]\n{"a":2}\n')
    assert [number for number, _ in lines] == [1, 3, 4, 5]
    assert [isinstance(found, Problem) for _, found in lines] == [True, False, True, False]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_exactly_the_longest_length_is_read(end: bytes) -> None:
    line = b'{"a":"xxxx"}'
    assert read(line + end, longest=len(line + end)) == [(1, {"a": "xxxx"})]


def test_an_overlong_line_is_named_and_those_after_it_are_read() -> None:
    data = b'{"a":"' + b"x" * 5_000_000 + b'"}\n{"a":1}\n'
    assert read(data, longest=1000) == [(1, Problem(1, None, "the line is longer than 1,000 bytes")), (2, {"a": 1})]


def test_an_overlong_line_is_never_held_in_memory(tmp_path: Any) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        for _ in range(40):
            file.write(b"x" * 1024 * 1024)
    tracemalloc.start()
    with path.open("rb") as stream:
        assert [number for number, _ in jsonl.read(stream, longest=1000)] == [1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_good_request_has_nothing_wrong() -> None:
    assert check(OK) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"custom_id": ...}, "custom_id is missing"),
        ({"custom_id": None}, "custom_id is missing"),
        ({"custom_id": 7}, "custom_id must be a string, this is a number"),
        ({"custom_id": ["a"]}, "custom_id must be a string, this is a list"),
        ({"custom_id": ""}, "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        ({"custom_id": "x" * 65}, "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        ({"custom_id": "a b"}, "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        ({"custom_id": "a\n"}, "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        ({"custom_id": "é"}, "custom_id must be 1 to 64 characters of a-z A-Z 0-9 _ -"),
        ({"params": ...}, "params is missing"),
        ({"params": None}, "params is missing"),
        ({"params": "x"}, "params must be an object, this is a string"),
        ({"params": []}, "params must be an object, this is a list"),
        ({"body": {}}, "unknown member 'body' beside custom_id and params"),
        ({"method": "POST"}, "unknown member 'method' beside custom_id and params"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(change: dict[str, Any], message: str) -> None:
    assert check(changed(OK, change)) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": ...}, "model is missing (--model gives one to lines that lack it)"),
        ({"model": None}, "model is missing (--model gives one to lines that lack it)"),
        ({"model": ""}, "model must be a non-empty string, this is empty"),
        ({"model": 4}, "model must be a non-empty string, this is 4"),
        ({"model": {}}, "model must be a non-empty string, this is an object"),
        ({"max_tokens": ...}, "max_tokens is missing (--max-tokens gives one to lines that lack it)"),
        ({"max_tokens": None}, "max_tokens is missing (--max-tokens gives one to lines that lack it)"),
        ({"max_tokens": 0}, "max_tokens must be a whole number above 0, this is 0"),
        ({"max_tokens": -5}, "max_tokens must be a whole number above 0, this is -5"),
        ({"max_tokens": 1.5}, "max_tokens must be a whole number above 0, this is 1.5"),
        ({"max_tokens": "10"}, "max_tokens must be a whole number above 0, this is a string"),
        ({"max_tokens": True}, "max_tokens must be a whole number above 0, this is a boolean"),
        ({"messages": ...}, "messages is missing"),
        ({"messages": []}, "messages must be a non-empty list, this is empty"),
        ({"messages": "hi"}, "messages must be a non-empty list, this is a string"),
        ({"messages": {}}, "messages must be a non-empty list, this is an object"),
        ({"messages": ["hi"]}, "messages.0 must be an object with role and content"),
        ({"messages": [{"content": "hi"}]}, "messages.0 must be an object with role and content"),
        ({"messages": [{"role": 1, "content": "hi"}]}, "messages.0 must be an object with role and content"),
        (
            {"messages": [{"role": "user", "content": "hi"}, {"role": "user"}]},
            "messages.1 must be an object with role and content",
        ),
        ({"stream": True}, "stream: a batch cannot stream; leave it out"),
    ],
)
def test_what_is_wrong_with_params_is_named(change: dict[str, Any], message: str) -> None:
    assert check({**OK, "params": changed(OK["params"], change)}) == message


def test_a_stream_that_is_off_is_no_problem() -> None:
    assert check({**OK, "params": {**OK["params"], "stream": False}}) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["custom_id", "params", "model", "max_tokens", "messages", "role", "content"]), x)))  # fmt: skip
def test_no_json_value_breaks_the_check(value: Any) -> None:
    try:
        line = orjson.dumps(value)
    except TypeError:
        return
    for found in jsonl.read(io.BytesIO(line)):
        assert isinstance(found[1], Problem) or check(found[1]) is None or isinstance(check(found[1]), str)


def changed(value: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`value` with members set; `...` leaves one out."""
    return {name: member for name, member in {**value, **change}.items() if member is not ...}
