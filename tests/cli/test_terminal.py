"""On a real terminal: tables, bars, questions, colours, narrow windows, and nothing that steers it from outside."""

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from bifrost_cli.sandbox import background, environment
from tests.cli.conftest import NEVER
from tests.cli.program import Sandbox, Terminal, ask, bifrost, kinds, on_terminal, results_in, written

COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|4[0-9]|38;5;[0-9]+)m")
HARMLESS = re.compile(r"\x1b\[(\?25[hl]|[0-9;]*m|[0-9]*[AK])|[\r\n]")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202eback\x08\x7f"


def seen(*arguments: object, code: int | None = 0, columns: int = 140, **variables: str) -> str:
    """What a command writes to a terminal, without colours."""
    with on_terminal(*arguments, columns=columns, **variables) as terminal:
        return terminal.end(code)


def at_once(*commands: Sequence[object], columns: int = 140, code: int = 0) -> list[Terminal]:
    """Several commands, each on a terminal of its own, to their ends."""
    with ExitStack() as stack:
        terminals = [stack.enter_context(on_terminal(*command, columns=columns)) for command in commands]
        for terminal in terminals:
            terminal.end(code)
    return terminals


@pytest.fixture
def batch(sandbox: Sandbox, mixed: Path) -> str:
    """The id of a batch at OpenAI that has ended."""
    return bifrost("batch", "create", mixed, "-p", "openai", "-q").words[0]


# -- tables ------------------------------------------------------------------------------------------------------------


def test_lists_are_tables(batch: str) -> None:
    lines = seen("batch", "list", "-p", "openai").splitlines()
    assert lines[0].split() == ["ID", "Status", "Requests", "Succeeded", "Failed", "Created", "Elapsed"]
    assert lines[1].split()[:2] == [batch, "ended"]
    assert "{" not in "".join(lines)


def test_results_are_a_table_with_a_summary_below(batch: str) -> None:
    text = seen("batch", "results", batch, code=9)
    rows = {line.split()[0]: line.split()[1] for line in text.splitlines()[1:5]}
    assert rows == {"fine": "succeeded", "bad": "errored", "busy": "errored", "late": "expired"}
    assert "[sandbox] answer to: Say hello." in text
    assert "4 in, 4 out: 2 errored, 1 expired, 1 succeeded." in text


def test_one_object_is_facts_with_its_id_whole(batch: str) -> None:
    text = seen("batch", "get", batch, columns=40)
    assert re.search(rf"^id +{batch}$", text.replace("\r\n", "\n"), re.M)
    assert "1 succeeded, 2 errored, 1 expired" in text


def test_what_there_is_none_of_is_said(sandbox: Sandbox) -> None:
    lists = ["files", "list", "-p", "openai"], ["batch", "list", "-p", "openai"]
    files, batches, intents = at_once(*lists, ["batch", "reconcile"])
    assert (files.text.strip(), batches.text.strip()) == ("No files.", "No batches.")
    assert "No open intents" in intents.text


def test_a_plan_is_a_table_that_says_nothing_was_sent(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")  # Nothing listens there.
    text = seen("batch", "create", two, "-p", "openai", "--dry-run")
    assert "/v1/" in text
    assert "Nothing was submitted (--dry-run)." in text


def test_json_and_quiet_hold_on_a_terminal_too(batch: str) -> None:
    json, quiet = at_once(["batch", "get", batch, "--json"], ["batch", "get", batch, "-q"])
    assert json.text.startswith('{"id":"' + batch)
    assert quiet.text.split() == [batch]


def test_a_stdout_that_is_no_terminal_gets_data_whatever_stderr_is(batch: str) -> None:
    with (
        Path("out.jsonl").open("w") as out,
        on_terminal("batch", "results", batch, stdout=out) as terminal,
    ):
        assert "4 in, 4 out" in terminal.end(9)
    assert len(results_in("out.jsonl")) == 4


# -- narrow windows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60])
def test_ids_are_whole_however_narrow_the_window(sandbox: Sandbox, columns: int) -> None:
    names = [f"customer-{number}-order-{number * 111:05}" for number in range(3)]
    written("in.jsonl", *(ask(name, "Say hello. " * 20) for name in names))
    (batch,) = bifrost("batch", "create", "in.jsonl", "-p", "openai", "-q").words
    files = bifrost("files", "list", "-p", "openai", "-q").words
    commands = (
        (["batch", "list", "-p", "openai"], [batch], "ended (completed)"),
        (["files", "list", "-p", "openai"], files, "batch_output"),
        (["batch", "get", batch], [batch], "3 succeeded"),
        (["batch", "results", batch], names, "succeeded"),
    )
    texts = [terminal.text for terminal in at_once(*(command[0] for command in commands), columns=columns)]
    for text, (_, ids, said) in zip(texts, commands, strict=True):
        assert all(id in text for id in ids), text
        assert said in text.replace("\r\n", " "), text
    shown = [line for line in text.splitlines() if not line.startswith(batch)]
    assert all(len(line) <= columns for line in shown), text


def test_the_id_of_a_batch_in_parts_is_whole_however_long(sandbox: Sandbox) -> None:
    written("in.jsonl", *(ask(f"r{number}", model=f"gpt-5.4-mini-{number}") for number in range(3)))
    text = seen("batch", "create", "in.jsonl", "-p", "openai", columns=60)
    (id,) = {word.strip("'") for word in text.split() if word.count("~") == 2}
    assert id in seen("batch", "get", id, columns=60)


# -- progress ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("columns", [60, 140])
def test_create_shows_the_id_then_a_bar_then_the_outcome(sandbox: Sandbox, two: Path, columns: int) -> None:
    with on_terminal("batch", "create", two, "-p", "openai", "-o", "out.jsonl", columns=columns) as terminal:
        text = terminal.expect("Created openai:batch_")
        assert "2/2" not in text
        sandbox.end_batches()
        text = terminal.end()
    assert "2/2 2 ok 0 failed" in " ".join(text.split())
    assert "2 in, 2 out: 2 succeeded." in text
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")  # The cursor is back.
    assert kinds(results_in("out.jsonl")) == {"one": "succeeded", "two": "succeeded"}


def test_a_create_that_does_not_wait_says_how_to_go_on(sandbox: Sandbox, two: Path) -> None:
    text = seen("batch", "create", two, "-p", "openai")
    (id,) = bifrost("batch", "list", "-p", "openai", "-q").words
    assert f"Wait for its end with: bifrost batch wait {id}" in text
    assert f"Read its results with: bifrost batch results {id}" in text
    assert " with: " not in seen("batch", "create", two, "-p", "openai", "--json", "--new")
    assert " with: " not in seen("batch", "create", two, "-p", "openai", "-q", "--new")
    assert " with: " not in bifrost("batch", "create", two, "-p", "openai", "--new").err


def test_waiting_for_several_shows_a_bar_for_each(sandbox: Sandbox, two: Path) -> None:
    ids = [bifrost("batch", "create", two, "--new", "-p", name, "-q").words[0] for name in ("anthropic", "openai")]
    text = seen("batch", "wait", *ids, columns=150)
    assert text.count("2 ok 0 failed") >= 2
    assert all(id[-9:] in text for id in ids)


def test_the_time_of_a_batch_that_ended_long_ago_is_what_it_took(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with background(tmp_path / "state", pace=0, clock=lambda: time.time() - 3600) as url:
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        (id,) = bifrost("batch", "create", two, "-q").words
        text = seen("batch", "wait", id)
    assert "2 ok 0 failed 0:00:00" in " ".join(text.split())
    assert "1:00:0" not in text


def test_several_results_are_written_one_after_the_other(sandbox: Sandbox, two: Path) -> None:
    ids = [bifrost("batch", "create", two, "--new", "-q").words[0] for _ in range(2)]
    text = seen("batch", "wait", *ids, "-o", "made")
    assert [f"{id}: 2 in, 2 out: 2 succeeded." in text for id in ids] == [True, True]
    assert len(list(Path("made").iterdir())) == 2


def test_a_large_upload_has_a_bar_and_a_small_one_has_none(sandbox: Sandbox) -> None:
    Path("large.bin").write_bytes(bytes(3_000_000))
    Path("small.bin").write_bytes(b"x")
    assert "Uploading large.bin" in seen("files", "upload", "large.bin", "-p", "openai")
    assert "Uploading" not in seen("files", "upload", "small.bin", "-p", "openai")


def test_a_large_download_has_a_bar(sandbox: Sandbox) -> None:
    written("large.jsonl", *[{"custom_id": "x", "padding": "y" * 1000}] * 3000)
    (id,) = bifrost("files", "upload", "large.jsonl", "-p", "openai", "-q").words
    text = seen("files", "download", id, "-o", "back.jsonl")
    assert "Downloading large.jsonl" in text
    assert "Wrote back.jsonl." in text


def test_results_on_stdout_are_not_mixed_with_a_counter(batch: str) -> None:
    lines = [line for line in seen("batch", "results", batch, "-o", "-", code=9).splitlines() if "custom_id" in line]
    assert len(lines) == 4
    assert all(line.startswith('{"custom_id"') for line in lines)


def test_watching_draws_the_table_anew_until_ctrl_c(sandbox: Sandbox, two: Path) -> None:
    first = bifrost("batch", "create", two, "-p", "openai", "-q").words[0]
    with on_terminal("batch", "list", "--watch", "-p", "openai") as terminal:
        terminal.expect(first)
        second = bifrost("batch", "create", two, "-p", "openai", "-q", "--new").words[0]
        terminal.expect(second)
        terminal.type("\x03")
        assert "Interrupted." in terminal.end(130)
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")


def test_watching_where_there_is_nothing_yet(sandbox: Sandbox) -> None:
    with on_terminal("batch", "list", "--watch", "-p", "openai") as terminal:
        terminal.expect("No batches.")
        terminal.type("\x03")
        terminal.end(130)


# -- questions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "question"), [("files", "Delete 2 files?"), ("batch", "Delete 2 batches and the results?")]
)
def test_delete_asks_and_no_deletes_nothing(sandbox: Sandbox, two: Path, kind: str, question: str) -> None:
    make = ["files", "upload", two] if kind == "files" else ["batch", "create", two, "--new"]
    ids = [bifrost(*make, "-q").words[0] for _ in range(2)]
    with on_terminal(kind, "delete", *ids) as terminal:
        terminal.expect(question)
        terminal.type("n\n")
        assert "Nothing was deleted." in terminal.end(130)
    with on_terminal(kind, "delete", *ids) as terminal:
        terminal.expect(f"{question} [y/N]: ")
        terminal.type("\x04")  # Ctrl-D
        assert terminal.end(130).splitlines()[-1] == "Nothing was deleted."
    for id in ids:
        bifrost(kind, "get", id)
    with on_terminal(kind, "delete", *ids) as terminal:
        terminal.expect(question)
        terminal.type("y\n")
        text = terminal.end()
    assert all(f"Deleted {id}" in text for id in ids)
    bifrost(kind, "get", ids[0], code=4)


def test_yes_and_scripts_are_not_asked(sandbox: Sandbox, two: Path) -> None:
    one, other = bifrost("files", "upload", two, two, "-q").words
    assert "?" not in seen("files", "delete", one, "--yes")
    bifrost("files", "delete", other)


# -- colours, and what comes from outside ------------------------------------------------------------------------------


def test_colours_are_there_unless_no_color_says_otherwise(batch: str) -> None:
    for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with on_terminal("batch", "results", batch, **variables) as terminal:
            terminal.end(9)
        assert bool(COLOUR.search(terminal.raw)) is coloured


def steering(terminal: Terminal) -> list[str]:
    """Control characters that were written, beyond those of our own colours and bars."""
    return re.findall(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", HARMLESS.sub("", terminal.raw))


def test_an_answer_cannot_steer_the_terminal(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("x", HOSTILE))
    (id,) = bifrost("batch", "create", "in.jsonl", "-q").words
    forms: list[list[str]] = [[], ["--json"], ["-q"], ["-o", "-"]]
    for form, terminal in zip(forms, at_once(*(["batch", "results", id, *form] for form in forms)), strict=True):
        assert steering(terminal) == []
        assert "-q" in form or "red" in terminal.raw


@pytest.mark.parametrize("verb", ["list", "get"])
def test_a_files_name_cannot_steer_the_terminal(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    from tests.cli.test_files import stored_as

    key = f"sandbox-hostile-{verb}"
    id = stored_as(sandbox, "a\x1b[31mred\x9b2J.txt", key=key)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with on_terminal("files", verb, *([id] if verb == "get" else ["-p", "openai"])) as terminal:
        terminal.end()
    assert steering(terminal) == []
    assert "red" in terminal.text


def test_an_input_cannot_steer_the_terminal(sandbox: Sandbox) -> None:
    written("in.jsonl", {"custom_id": HOSTILE, "params": {}}, {**ask(), HOSTILE: 1})
    command = ["batch", "create", "in.jsonl"]
    for terminal in at_once(command, [*command, "--json"], code=2):
        assert steering(terminal) == []


# -- ctrl-c ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
def test_ctrl_c_while_waiting_cancels_nothing_and_says_how_to_come_back(sandbox: Sandbox, two: Path) -> None:
    with on_terminal("batch", "create", two, "-p", "openai", "-o", "my results.jsonl", "--order", "input") as terminal:
        terminal.expect("0 ok")
        terminal.type("\x03")
        text = terminal.end(130)
    (id,) = set(re.findall(r"Created (\S+)", text))
    assert f"Go on with: bifrost batch wait {id} -o 'my results.jsonl' --order input" in text
    assert "Traceback" not in text
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")
    assert bifrost("batch", "get", id).object["processing_status"] == "in_progress"
    assert not [each for each in sandbox.log() if each["path"].endswith("/cancel")]
