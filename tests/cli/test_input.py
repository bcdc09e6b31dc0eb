"""What is wrong with an input is told line by line, and then nothing is submitted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bifrost_cli.core.jsonl import LONGEST_LINE
from tests.cli.program import Sandbox, ask, bifrost, kinds, results_in, written

GOOD = json.dumps(ask("good")).encode()
OWN = {"custom_id": "own", "method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "Hello!"}}


def params(**changed: Any) -> dict[str, Any]:
    """A request named `x` with other params; those that are None are left out."""
    given = {**ask()["params"], **changed}
    return {"custom_id": "x", "params": {name: value for name, value in given.items() if value is not None}}


LINES: dict[str, tuple[Any, str]] = {
    "not JSON": (b'{"custom_id": "x", ', ": not valid JSON"),
    "invalid UTF-8": (b'{"custom_id": "\xff"}', ": invalid UTF-8 at byte 16"),
    "a list": ([1], ": a line must be a JSON object, this is a list"),
    "no custom_id": ({"params": ask()["params"]}, ": custom_id is missing"),
    "custom_id a number": ({"custom_id": 7, "params": {}}, ": custom_id must be a string, this is a number"),
    "custom_id empty": ({"custom_id": "", "params": {}}, ": custom_id must be 1 to 64 characters"),
    "custom_id with a space": ({"custom_id": "x y", "params": {}}, ": x y: custom_id must be 1 to 64 characters"),
    "custom_id too long": ({"custom_id": "x" * 65, "params": {}}, f": {'x' * 65}: custom_id must be 1 to 64"),
    "neither form": ({"custom_id": "x", "prompt": "Hi"}, ": x: params is missing"),
    "params a list": ({"custom_id": "x", "params": []}, ": x: params must be an object, this is a list"),
    "a member too many": ({**params(), "priority": 1}, ": x: unknown member 'priority'"),
    "no model": (params(model=None), ": x: model is missing (--model gives one"),
    "model a number": (params(model=4), ": x: model must be a non-empty string"),
    "no max_tokens": (params(max_tokens=None), ": x: max_tokens is missing (--max-tokens gives one"),
    "max_tokens zero": (params(max_tokens=0), ": x: max_tokens must be a whole number above 0, this is 0"),
    "max_tokens text": (params(max_tokens="64"), ": x: max_tokens must be a whole number above 0"),
    "max_tokens true": (params(max_tokens=True), ": x: max_tokens must be a whole number above 0"),
    "no messages": (params(messages=None), ": x: messages is missing"),
    "messages empty": (params(messages=[]), ": x: messages must be a non-empty list, this is empty"),
    "a message without role": (params(messages=[{"content": "Hi"}]), ": x: messages.0 must be an object with"),
    "streaming": (params(stream=True), ": x: stream: a batch cannot stream"),
    "a custom_id twice": (ask("good"), ": good: this custom_id is already that of line 1"),
}


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
@pytest.mark.parametrize(("line", "said"), LINES.values(), ids=LINES.keys())
def test_a_bad_line_is_named_with_its_reason_and_nothing_is_submitted(
    sandbox: Sandbox, folder: Path, provider: str, line: Any, said: str
) -> None:
    content = line if isinstance(line, bytes) else json.dumps(line).encode()
    Path("in.jsonl").write_bytes(GOOD + b"\n\n" + content + b"\n")
    ran = bifrost("batch", "create", "in.jsonl", "-p", provider, "-o", "out.jsonl", code=2)
    first, last = ran.err.splitlines()
    assert first.startswith(f"in.jsonl:3{said}")
    assert last == "error: in.jsonl: 1 problem; nothing was submitted."
    assert ran.out == ""
    assert sandbox.log() == []
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]


REFUSED = {
    "a field without a counterpart": (
        "openai",
        params(top_k=5),
        r"in.jsonl:1: x: top_k: .*--drop top_k",
    ),
    "a fifth stop sequence": (
        "openai",
        params(stop_sequences=list("abcde")),
        r"in.jsonl:1: x: stop_sequences: .*--drop stop_sequences",
    ),
    "another provider's own form, of what only that has": (
        "anthropic",
        {**OWN, "body": {**OWN["body"], "previous_response_id": "resp_1"}},
        r"in.jsonl:1: own: body.previous_response_id: other providers have no counterpart for it.*-p openai",
    ),
    "a model that says another provider": (
        "openai",
        params(model="anthropic/claude-haiku-4-5"),
        r"in.jsonl:1: x: model 'anthropic/claude-haiku-4-5' is for anthropic, but the provider given is openai",
    ),
}


@pytest.mark.parametrize(("provider", "line", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_provider_cannot_take_is_refused_by_name(
    sandbox: Sandbox, provider: str, line: dict[str, Any], said: str
) -> None:
    written("in.jsonl", line, ask("good"))
    ran = bifrost("batch", "create", "in.jsonl", "-p", provider, code=2)
    assert re.match(said, ran.err)
    assert sandbox.log() == []


def test_drop_consents_to_losing_a_field(sandbox: Sandbox) -> None:
    written("in.jsonl", params(top_k=5))
    ran = bifrost("batch", "create", "in.jsonl", "-p", "openai", "--drop", "top_k", "-o", "out.jsonl")
    assert ran.object["request_counts"]["succeeded"] == 1
    assert kinds(results_in("out.jsonl")) == {"x": "succeeded"}


def test_drop_reaches_lines_in_openais_form_that_go_elsewhere(sandbox: Sandbox) -> None:
    written(
        "in.jsonl", {**OWN, "body": {**OWN["body"], "model": "anthropic/m", "max_output_tokens": 9, "logprobs": True}}
    )
    ran = bifrost("batch", "create", "in.jsonl", code=2)
    assert "body.logprobs: other providers have no counterpart for it." in ran.err
    assert "consent to losing it with --drop logprobs" in ran.err
    bifrost("batch", "create", "in.jsonl", "--drop", "logprobs", "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == {"own": "succeeded"}


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", b"\xef\xbb\xbf"], ids=["empty", "blank lines", "a BOM alone"])
def test_a_file_without_requests_is_an_error(sandbox: Sandbox, content: bytes) -> None:
    Path("in.jsonl").write_bytes(content)
    ran = bifrost("batch", "create", "in.jsonl", code=2)
    assert ran.err.startswith("in.jsonl: there are no requests in it\n")
    assert sandbox.log() == []


def test_a_file_of_another_encoding_is_named_as_such(sandbox: Sandbox) -> None:
    Path("in.jsonl").write_text(json.dumps(ask()) + "\n", encoding="utf-16")
    ran = bifrost("batch", "create", "in.jsonl", code=2)
    assert ran.err.startswith("in.jsonl:1: the file is UTF-16; save it as UTF-8\n")


def test_a_line_beyond_all_measure_is_named_and_the_next_is_read(sandbox: Sandbox) -> None:
    with Path("in.jsonl").open("wb") as file:
        file.truncate(LONGEST_LINE + 1)
        file.seek(0, 2)
        file.write(b'\n{"custom_id": "next"}\n')
    ran = bifrost("batch", "create", "in.jsonl", code=2)
    assert ran.err.splitlines()[:2] == [
        f"in.jsonl:1: the line is longer than {LONGEST_LINE:,} bytes",
        "in.jsonl:2: next: params is missing",
    ]
    assert sandbox.log() == []


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_bom_crlf_blank_lines_and_a_missing_last_line_end_are_accepted(sandbox: Sandbox, provider: str) -> None:
    lines = [json.dumps(ask(name)).encode() for name in ("one", "two", "three")]
    Path("in.jsonl").write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n" + lines[1] + b"\n" + lines[2])
    bifrost("batch", "create", "in.jsonl", "-p", provider, "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == dict.fromkeys(("one", "two", "three"), "succeeded")


def test_problems_are_told_in_the_order_of_lines_and_limited_with_a_count(sandbox: Sandbox) -> None:
    Path("in.jsonl").write_text("".join(f"{json.dumps(ask('same'))}\n[{number}]\n" for number in range(13)))
    *problems, more, last = bifrost("batch", "create", "in.jsonl", code=2).err.splitlines()
    numbers = [int(line.split(":")[1]) for line in problems]
    assert len(numbers) == 20
    assert numbers == sorted(numbers)
    assert more == "… and 5 more."
    assert last == "error: in.jsonl: 25 problems; nothing was submitted."


def test_problems_are_members_of_the_json_error(sandbox: Sandbox) -> None:
    written("in.jsonl", {"custom_id": "x"}, [1])
    ran = bifrost("batch", "create", "in.jsonl", "--json", code=2)
    assert len(ran.err.splitlines()) == 1
    assert ran.error["exit_code"] == 2
    assert ran.error["error"]["total_problems"] == 2
    first, second = ran.error["error"]["problems"]
    assert (first["line"], first["custom_id"], first["message"]) == (1, "x", "params is missing")
    assert (second["line"], second["custom_id"]) == (2, None)


def test_requests_come_from_stdin_and_its_problems_say_so(sandbox: Sandbox) -> None:
    ran = bifrost("batch", "create", "-", "-o", "-", input=json.dumps(ask("piped")) + "\n")
    assert ran.object["custom_id"] == "piped"
    assert bifrost("batch", "create", "-", input="[]\n", code=2).err.startswith("stdin:1: a line must be")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.jsonl", "error: nowhere.jsonl cannot be read: No such file or directory."),
        (".", "error: . is a folder, not a file."),
        ("", "error: The empty name cannot be read: No such file or directory."),
    ],
)
def test_an_input_that_cannot_be_read_is_an_error_at_once(sandbox: Sandbox, name: str, said: str) -> None:
    assert bifrost("batch", "create", name, code=2).err == f"{said}\n"
    assert bifrost("files", "upload", name, code=2).err == f"{said}\n"
    assert sandbox.log() == []


def test_openai_lines_in_its_own_form_go_out_as_they_are_beside_canonical_ones(sandbox: Sandbox) -> None:
    written("in.jsonl", OWN, ask("canonical"))
    bifrost("batch", "create", "in.jsonl", "-p", "openai", "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == {"own": "succeeded", "canonical": "succeeded"}
    (input_file,) = [each for each in bifrost("files", "list", "-p", "openai").objects if each["purpose"] == "batch"]
    sent = bifrost("files", "download", input_file["id"], "-o", "-")
    assert sent.objects[0] == OWN


# -- leaving bad lines out ---------------------------------------------------------------------------------------------


def test_bad_lines_may_be_left_out_and_are_kept_with_their_reasons(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("good"), {"custom_id": "bad"}, [1], ask("better"))
    ran = bifrost("batch", "create", "in.jsonl", "--skip-invalid", "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == {"good": "succeeded", "better": "succeeded"}
    assert "Skipped 2 lines that cannot be sent; see out.skipped.jsonl for the reasons." in ran.err
    first, second = (json.loads(line) for line in Path("out.skipped.jsonl").read_text().splitlines())
    assert (first["line"], first["custom_id"], first["reason"]) == (2, "bad", "params is missing")
    assert first["request"] == {"custom_id": "bad"}
    assert (second["line"], second["custom_id"]) == (3, None)


def test_where_no_line_is_bad_no_file_tells_of_them(sandbox: Sandbox, folder: Path, two: Path) -> None:
    ran = bifrost("batch", "create", two, "--skip-invalid")
    assert "Skipped" not in ran.err
    assert [path.name for path in folder.iterdir()] == [two.name]


def test_where_every_line_is_bad_nothing_is_submitted(sandbox: Sandbox, folder: Path) -> None:
    written("in.jsonl", [1], [2])
    bifrost("batch", "create", "in.jsonl", "--skip-invalid", code=2)
    assert sandbox.log() == []
    assert not [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def test_what_an_earlier_run_skipped_is_not_overwritten_unasked(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("good"), [1])
    bifrost("batch", "create", "in.jsonl", "--skip-invalid")
    kept = Path("in.skipped.jsonl").read_text()
    written("in.jsonl", ask("good"), [1], [2])
    ran = bifrost("batch", "create", "in.jsonl", "--skip-invalid", code=2)
    assert "in.skipped.jsonl holds what an earlier run skipped. Give --force" in ran.err
    assert Path("in.skipped.jsonl").read_text() == kept
    assert sandbox.created() == 1
    bifrost("batch", "create", "in.jsonl", "--skip-invalid", "--force")
    assert len(Path("in.skipped.jsonl").read_text().splitlines()) == 2


def test_where_every_line_is_bad_each_is_told(sandbox: Sandbox, folder: Path) -> None:
    written("all.jsonl", "nope", ask("one", max_tokens=0))
    ran = bifrost("batch", "create", "all.jsonl", "-p", "openai", "--skip-invalid", code=2)
    assert "all.jsonl:1: a line must be a JSON object, this is a string" in ran.err
    assert "all.jsonl:2: one: max_tokens must be a whole number above 0, this is 0" in ran.err
    assert "2 problems; nothing was submitted" in ran.err
    assert not list(folder.glob("*.skipped.jsonl"))


def test_a_command_that_skips_the_same_lines_again_may_be_run_again(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("good"), [1])
    for _ in range(2):
        assert "Skipped 1 line" in bifrost("batch", "create", "in.jsonl", "--skip-invalid").err


def test_a_dry_run_says_what_would_be_skipped_and_writes_nothing(sandbox: Sandbox, folder: Path) -> None:
    written("in.jsonl", ask("good"), {"custom_id": "bad"})
    ran = bifrost("batch", "create", "in.jsonl", "--skip-invalid", "--dry-run")
    assert ran.object["requests"] == 1
    assert "in.jsonl:2: bad: params is missing" in ran.err
    assert "Would skip 1 line that cannot be sent." in ran.err
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]
