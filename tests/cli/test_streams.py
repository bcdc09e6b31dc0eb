"""stdout is data and nothing else; stderr is everything else. What pipes, scripts and CI see."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import NEVER
from tests.cli.program import (
    Sandbox,
    ask,
    bifrost,
    finished,
    interrupt,
    line_of,
    piped,
    shell,
    started,
    written,
)

READ_JSON = f"{sys.executable} -c 'import json, sys; print(*sorted(json.loads(x)[\"custom_id\"] for x in sys.stdin))'"


@pytest.fixture
def batch(sandbox: Sandbox, two: Path) -> str:
    """The id of a batch at OpenAI that has ended."""
    return bifrost("batch", "create", two, "-p", "openai", "-q").words[0]


@pytest.fixture
def file(sandbox: Sandbox, two: Path) -> str:
    """The id of a file at OpenAI."""
    return bifrost("files", "upload", two, "-p", "openai", "-q").words[0]


def check_forms(kind: str, *arguments: str) -> None:
    """Off a terminal a command prints objects of a kind, with `--json` too, and with `-q` their ids alone."""
    ran = bifrost(*arguments)
    assert ran.objects
    assert {value["type"] for value in ran.objects} == {kind}
    assert bifrost(*arguments, "--json").out == ran.out
    quiet = bifrost(*arguments, "-q")
    assert quiet.words == ([] if "wait" in arguments else [value["id"] for value in ran.objects])
    assert quiet.err == ""


def test_batches_are_objects_in_anthropics_shape_and_ids_where_only_these_are_wanted(batch: str) -> None:
    check_forms("message_batch", "batch", "list", "-p", "openai")
    for verb in ("get", "wait", "cancel"):
        check_forms("message_batch", "batch", verb, batch)


def test_files_are_objects_in_anthropics_shape_and_ids_where_only_these_are_wanted(file: str) -> None:
    check_forms("file", "files", "list", "-p", "openai")
    check_forms("file", "files", "get", file)


def test_what_is_deleted_is_said_in_anthropics_shape(sandbox: Sandbox, two: Path) -> None:
    one, other = bifrost("files", "upload", two, two, "-q").words
    assert bifrost("files", "delete", one).object == {"id": one, "type": "file_deleted"}
    assert bifrost("files", "delete", other, "-q").out == f"{other}\n"
    (id,) = bifrost("batch", "create", two, "-q").words
    assert bifrost("batch", "delete", id).object == {"id": id, "type": "message_batch_deleted"}


def test_results_are_anthropics_result_lines(batch: str) -> None:
    for line in bifrost("batch", "results", batch).objects:
        assert line.keys() == {"custom_id", "result"}
        message = line["result"]["message"]
        assert (line["result"]["type"], message["type"], message["role"]) == ("succeeded", "message", "assistant")
        assert message["content"][0]["text"].startswith("[sandbox]")
        assert message["usage"]["output_tokens"] > 0


def test_a_colour_that_ci_forces_does_not_turn_data_into_tables(batch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.setenv(name, "1")
    assert bifrost("batch", "list", "-p", "openai").object["id"] == batch


def test_data_is_utf8_whatever_the_locale(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    written("in.jsonl", ask("x", "Grüße, 世界 🌍"))
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    ran = piped("batch", "create", "in.jsonl", "-o", "-")
    assert "Grüße, 世界 🌍" in ran.object["result"]["message"]["content"][0]["text"]


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_an_id_in_a_variable_leads_to_results_in_a_pipe(sandbox: Sandbox, two: Path) -> None:
    ran = shell(
        'ID=$(bifrost batch create two.jsonl -p openai -q) && bifrost batch wait "$ID" -q && '
        f'bifrost batch results "$ID" | {READ_JSON}'
    )
    assert (ran.code, ran.out) == (0, "one two\n")


def test_requests_from_a_pipe_go_to_results_in_a_file(sandbox: Sandbox, two: Path) -> None:
    ran = shell("cat two.jsonl | bifrost batch create - -p openai -o out.jsonl")
    assert ran.code == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 2


def test_the_exit_code_of_a_failing_request_reaches_the_script_and_its_reason_the_screen(
    sandbox: Sandbox, mixed: Path
) -> None:
    ran = shell('bifrost batch create mixed.jsonl -p openai -o out.jsonl >ids || echo "exit $?"')
    assert ran.out == "exit 9\n"
    assert "[sandbox] this request is refused, as its prompt asks (for example bad)" in ran.err


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("options", [["--wait"], ["-o", "out.jsonl"], ["--wait", "-q"]], ids=" ".join)
def test_the_id_is_in_the_pipe_before_any_waiting(
    sandbox: Sandbox, two: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    process = started("batch", "create", two, "-p", "openai", *options)
    line = line_of(process, "stdout" if "-q" in options else "stderr")
    assert process.poll() is None
    interrupt(process)
    assert finished(process).code == 130
    id = line.removeprefix("Created ").strip()
    assert bifrost("batch", "get", id).object["processing_status"] == "in_progress"


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_that_leaves_early_is_no_error(sandbox: Sandbox, reader: str) -> None:
    written("many.jsonl", *(ask(f"r{number}") for number in range(400)))
    (id,) = bifrost("batch", "create", "many.jsonl", "-p", "openai", "-q").words
    ran = shell(f'{{ bifrost batch results "$ID"; echo "exit $?" >&2; }} | {reader}', ID=id)
    assert ran.err == "exit 0\n"
    assert len(ran.objects) == (1 if "head" in reader else 0)
    ran = shell(f'{{ bifrost batch wait "$ID" 2>&1; echo "exit $?" >&2; }} | {reader} >seen', ID=id)
    assert ran.err == "exit 0\n"


def test_progress_off_a_terminal_is_plain_lines_on_stderr(sandbox: Sandbox, two: Path) -> None:
    id = bifrost("batch", "create", two, "-p", "openai", "-q").words[0]
    (line,) = bifrost("batch", "wait", id).err.splitlines()
    assert line.endswith(f"Z {id} ended 2/2 done, 2 ok, 0 failed")


# -- errors ------------------------------------------------------------------------------------------------------------

WRONG = {
    "no such command": (["batch", "gett"], 2, "No such command"),
    "no such option": (["batch", "list", "--limitt", "3"], 2, "No such option"),
    "a missing argument": (["batch", "get"], 2, "Missing argument"),
    "a value of the wrong kind": (["batch", "list", "--limit", "many"], 2, "--limit"),
    "a value out of range": (["files", "list", "--limit", "0"], 2, "--limit"),
    "an id that is none": (["batch", "get", "two words"], 2, "'two words' is not an id."),
    "no such batch": (["batch", "get", "openai:batch_none"], 4, "batch_none"),
    "no such file": (["files", "get", "file_none"], 4, "file_none"),
    "a length of time that is none": (
        ["batch", "wait", "x", "--timeout", "soon"],
        2,
        "'soon' is not a length of time.",
    ),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_an_error_is_on_stderr_with_nothing_on_stdout(
    sandbox: Sandbox, arguments: list[str], code: int, said: str
) -> None:
    ran = bifrost(*arguments, code=code)
    assert ran.out == ""
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_with_json_an_error_is_one_object_that_holds_the_exit_code(
    sandbox: Sandbox, arguments: list[str], code: int, said: str
) -> None:
    ran = bifrost(*arguments, "--json", code=code)
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert ran.error["exit_code"] == code
    assert said in ran.error["error"]["message"]
    assert ran.error["error"].keys() >= {"type", "message", "hint", "provider"}


def test_debug_shows_where_an_error_came_from(sandbox: Sandbox) -> None:
    assert "Traceback" not in bifrost("batch", "get", "openai:batch_none", code=4).err
    ran = bifrost("batch", "get", "openai:batch_none", "--debug", code=4)
    assert "Traceback (most recent call last):" in ran.err
    assert ran.err.splitlines()[-1].startswith("error: No batch found")


def test_debug_shows_no_key(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-this-is-a-secret-of-mine")
    ran = bifrost("batch", "list", "-p", "openai", "--debug", code=3)
    assert "Traceback" in ran.err
    assert "this-is-a-secret" not in ran.err + ran.out


def test_the_module_runs_as_the_script_does(sandbox: Sandbox) -> None:
    script = Path(sys.executable).with_name("bifrost")
    ran = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == piped("--version").out


def test_a_stdout_that_is_closed_is_an_error_in_a_line(sandbox: Sandbox, two: Path) -> None:
    ran = shell(f"bifrost batch create {two} >&-")
    assert (ran.code, ran.err) == (2, "error: stdout is closed. Give it a place, if only /dev/null.\n")
    ran = shell("bifrost batch list --json >&-")
    assert (ran.code, ran.error["error"]["message"]) == (2, "stdout is closed.")
    assert sandbox.log() == []


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_stdin_and_stderr_may_be_closed(sandbox: Sandbox, two: Path, closed: str) -> None:
    ran = shell(f"bifrost batch create {two} -o out.jsonl {closed}")
    assert (ran.code, ran.err.count("Traceback")) == (0, 0)
    assert len(Path("out.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("options", [["--wait"], ["-o", "out.jsonl"]])
def test_a_create_that_waits_tells_the_id_at_once_and_gives_one_object_of_the_end(
    sandbox: Sandbox, two: Path, options: list[str]
) -> None:
    process = started("batch", "create", two, "-p", "openai", *options)
    said = line_of(process, "stderr")
    sandbox.end_batches()
    ran = finished(process)
    assert said == f"Created {ran.object['id']}\n"
    assert (ran.code, ran.object["processing_status"], ran.object["request_counts"]["succeeded"]) == (0, "ended", 2)


@pytest.mark.parametrize("pace", [NEVER])
def test_a_create_whose_wait_is_interrupted_gives_the_object_as_it_was(sandbox: Sandbox, two: Path) -> None:
    process = started("batch", "create", two, "--wait", "--json")
    line_of(process, "stderr")
    interrupt(process)
    ran = finished(process)
    assert (ran.code, ran.object["processing_status"]) == (130, "in_progress")


def test_quiet_gives_one_id_whether_it_waits_or_not(sandbox: Sandbox, two: Path) -> None:
    ran = shell(f'id=$(bifrost batch create {two} --wait -q) && bifrost batch get "$id" -q')
    assert len(ran.words) == 1
