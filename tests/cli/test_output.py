"""`-o`: known to be writable before anything is submitted, whole or not there, nothing overwritten unasked."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import NEVER
from tests.cli.program import (
    Sandbox,
    ask,
    bifrost,
    finished,
    kinds,
    line_of,
    piped,
    results_in,
    shell,
    started,
    written,
)

SUCCEEDED = {"one": "succeeded", "two": "succeeded"}
FULL = Path("/dev/full")


def ended(path: Path, *options: str) -> str:
    """The id of a batch that has ended."""
    (id,) = bifrost("batch", "create", path, "--new", "-q", *options).words
    bifrost("batch", "wait", id, "-q", code=None)
    return id


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_create_waits_and_writes_every_outcome(sandbox: Sandbox, mixed: Path, provider: str) -> None:
    ran = bifrost("batch", "create", mixed, "-p", provider, "-o", "out.jsonl", code=9)
    assert kinds(results_in("out.jsonl")) == {
        "fine": "succeeded",
        "bad": "errored",
        "busy": "errored",
        "late": "expired",
    }
    assert ran.object["processing_status"] == "ended"


def test_it_implies_waiting_and_the_results_are_those_of_the_results_command(sandbox: Sandbox, two: Path) -> None:
    id = bifrost("batch", "create", two, "-p", "openai", "-o", "out.jsonl").object["id"]
    assert bifrost("batch", "results", id).out == Path("out.jsonl").read_text()


# -- before anything is submitted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("there.jsonl", "there.jsonl exists. Give --force to overwrite it, or another -o."),
        ("link.jsonl", "link.jsonl exists. Give --force to overwrite it, or another -o."),
        ("folder", "folder is a folder. Give -o the name of a file."),
        ("nowhere/out.jsonl", "nowhere/out.jsonl cannot be written: No such file or directory."),
        ("there.jsonl/out.jsonl", "there.jsonl/out.jsonl cannot be written: Not a directory."),
        ("", ". is a folder. Give -o the name of a file."),
    ],
)
def test_a_place_that_cannot_be_written_is_known_before_anything_is_submitted(
    sandbox: Sandbox, two: Path, folder: Path, output: str, said: str
) -> None:
    Path("there.jsonl").write_text("kept")
    Path("link.jsonl").symlink_to("there.jsonl")
    Path("folder").mkdir()
    before = sorted(folder.iterdir())
    ran = bifrost("batch", "create", two, "-p", "openai", "-o", output, code=2)
    assert ran.err == f"error: {said}\n"
    assert (sandbox.log(), ran.out) == ([], "")
    assert Path("there.jsonl").read_text() == "kept"
    assert sorted(folder.iterdir()) == before


def test_a_place_that_cannot_be_written_is_known_before_the_requests_are_read(sandbox: Sandbox) -> None:
    written("in.jsonl", "no request")
    Path("out.jsonl").touch()
    ran = bifrost("batch", "create", "in.jsonl", "-o", "out.jsonl", code=2)
    assert ran.err == "error: out.jsonl exists. Give --force to overwrite it, or another -o.\n"


def test_force_overwrites_and_follows_a_link(sandbox: Sandbox, two: Path) -> None:
    Path("there.jsonl").write_text("old")
    Path("link.jsonl").symlink_to("there.jsonl")
    bifrost("batch", "create", two, "-o", "link.jsonl", "--force")
    assert Path("link.jsonl").is_symlink()
    assert kinds(results_in("there.jsonl")) == SUCCEEDED


def test_a_link_to_nothing_makes_its_target(sandbox: Sandbox, two: Path) -> None:
    Path("link.jsonl").symlink_to("new.jsonl")
    bifrost("batch", "create", two, "-o", "link.jsonl")
    assert kinds(results_in("new.jsonl")) == SUCCEEDED


def test_a_device_is_written_to_and_stays_a_device(sandbox: Sandbox, two: Path) -> None:
    bifrost("batch", "create", two, "-o", "/dev/null", "--force")
    assert Path("/dev/null").is_char_device()


def test_a_named_pipe_is_written_to(sandbox: Sandbox, two: Path) -> None:
    os.mkfifo("pipe")
    id = ended(two)
    ran = shell('bifrost batch results "$ID" -o pipe & cat pipe; wait $!', ID=id)
    assert (ran.code, len(ran.objects)) == (0, 2)


def test_a_file_has_the_rights_that_any_new_file_has(sandbox: Sandbox, two: Path) -> None:
    bifrost("batch", "create", two, "-o", "out.jsonl")
    assert Path("out.jsonl").stat().st_mode == two.stat().st_mode


def test_a_name_as_long_as_names_may_be_is_one(sandbox: Sandbox, two: Path) -> None:
    name = "x" * 255
    bifrost("batch", "create", two, "-o", name)
    assert kinds(results_in(name)) == SUCCEEDED


# -- whole or not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [NEVER])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_nothing_is_there_while_it_waits_nor_after_it_was_stopped(
    sandbox: Sandbox, two: Path, folder: Path, how: signal.Signals
) -> None:
    process = started("batch", "create", two, "-o", "out.jsonl")
    line_of(process, "stderr")
    assert not Path("out.jsonl").exists()
    process.send_signal(how)
    assert finished(process).code == 130
    assert [path.name for path in folder.iterdir()] == [two.name]


def test_nothing_is_there_after_a_download_that_breaks_off(
    sandbox: Sandbox, two: Path, folder: Path, no_pauses: None
) -> None:
    id = ended(two)
    sandbox.fault("cut*@GET .*/results")
    ran = bifrost("batch", "results", id, "-o", "out.jsonl", code=7)
    assert "broke" in ran.err
    assert [path.name for path in folder.iterdir()] == [two.name]


def test_a_download_that_breaks_off_once_goes_on_without_a_line_twice(sandbox: Sandbox, two: Path) -> None:
    id = ended(two, "-p", "openai")
    sandbox.fault("cut@GET .*/content")
    ran = bifrost("batch", "results", id, "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == SUCCEEDED
    assert "2 in, 2 out: 2 succeeded." in ran.err


def test_what_does_not_fit_on_the_disk_leaves_nothing(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("many.jsonl", *(ask(f"r{number}") for number in range(100)))
    id = ended(Path("many.jsonl"))
    monkeypatch.setenv("BIFROST_HOME", str(folder.parent / "fresh"))  # Its journal is not what must not fit.
    ran = shell('ulimit -f 8; bifrost batch results "$ID" -o out.jsonl', ID=id)
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == "error: out.jsonl cannot be written: File too large."
    assert "Traceback" not in ran.err
    assert [path.name for path in folder.iterdir()] == ["many.jsonl"]


@pytest.mark.parametrize("options", [[], ["-o", "-"], ["-o", str(FULL)], ["--json"], ["-q"]] if FULL.exists() else [])
def test_a_full_disk_behind_the_output_is_an_error_in_a_line(sandbox: Sandbox, two: Path, options: list[str]) -> None:
    id = ended(two)
    with FULL.open("w") as full:
        ran = piped("batch", "results", id, *options, stdout=full)
    assert ran.code == 2
    assert "No space left on device" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert "Exception" not in ran.err


# -- stdout, and several batches ---------------------------------------------------------------------------------------


def test_a_dash_keeps_stdout_for_results_alone(sandbox: Sandbox, two: Path) -> None:
    ran = bifrost("batch", "create", two, "-p", "openai", "-o", "-")
    assert {line["custom_id"] for line in ran.objects} == {"one", "two"}
    assert ran.err.startswith("Created openai:batch_")


def test_a_dash_gives_whole_results_even_where_only_ids_are_wanted(sandbox: Sandbox, two: Path) -> None:
    ran = bifrost("batch", "create", two, "-o", "-", "-q")
    assert [line["result"]["type"] for line in ran.objects] == ["succeeded", "succeeded"]
    assert ran.err == ""


def test_several_batches_go_to_a_folder_a_file_for_each(sandbox: Sandbox, two: Path, mixed: Path) -> None:
    first, second = ended(two, "-p", "openai"), ended(mixed)
    ran = bifrost("batch", "wait", first, second, "-o", "made/here", code=9)
    files = {path.name: kinds(results_in(path)) for path in Path("made/here").iterdir()}
    assert files.keys() == {f"{first.replace(':', '-')}.jsonl", f"{second}.jsonl"}
    assert files[f"{first.replace(':', '-')}.jsonl"] == SUCCEEDED
    assert len(files[f"{second}.jsonl"]) == 4
    assert f"{first}: 2 in, 2 out: 2 succeeded." in ran.err
    assert f"error: 3 of 4 requests of {second} did not succeed." in ran.err


def test_a_combined_batch_has_a_name_that_a_folder_can_hold(sandbox: Sandbox, two: Path) -> None:
    written("models.jsonl", ask("x", model="gpt-5.4-mini"), ask("y", model="gpt-5.4-nano"))
    combined, other = ended(Path("models.jsonl"), "-p", "openai"), ended(two)
    bifrost("batch", "wait", combined, other, "-o", "made")
    (name,) = {path.name for path in Path("made").iterdir()} - {f"{other}.jsonl"}
    assert ":" not in name
    assert kinds(results_in(f"made/{name}")) == {"x": "succeeded", "y": "succeeded"}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("-", "The results of several batches do not go to stdout. Give -o the name of a folder."),
        ("two.jsonl", "two.jsonl cannot be a folder: File exists."),
    ],
)
def test_several_batches_go_nowhere_else(sandbox: Sandbox, two: Path, folder: Path, output: str, said: str) -> None:
    first, second = ended(two), ended(two)
    assert bifrost("batch", "wait", first, second, "-o", output, code=2).err == f"error: {said}\n"
    assert [path.name for path in folder.iterdir()] == [two.name]


def test_several_batches_overwrite_nothing_unasked(sandbox: Sandbox, two: Path) -> None:
    first, second = ended(two), ended(two)
    Path("made").mkdir()
    Path(f"made/{second}.jsonl").write_text("kept")
    assert "exists" in bifrost("batch", "wait", first, second, "-o", "made", code=2).err
    assert [path.read_text() for path in Path("made").iterdir()] == ["kept"]
    bifrost("batch", "wait", first, second, "-o", "made", "--force")
    assert kinds(results_in(f"made/{second}.jsonl")) == SUCCEEDED


def test_a_folder_that_is_there_takes_the_file_of_one_batch_too(sandbox: Sandbox, two: Path) -> None:
    id = ended(two)
    Path("made").mkdir()
    bifrost("batch", "wait", id, "-o", "made")
    assert kinds(results_in(f"made/{id}.jsonl")) == SUCCEEDED


def test_the_same_batch_named_twice_is_one(sandbox: Sandbox, two: Path) -> None:
    id = ended(two)
    bifrost("batch", "wait", id, id, "-o", "out.jsonl")
    assert kinds(results_in("out.jsonl")) == SUCCEEDED


# -- order and choice --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_order_input_gives_results_in_the_order_of_the_requests(sandbox: Sandbox, provider: str) -> None:
    names = [f"r{number}" for number in range(30)]
    written("in.jsonl", *(ask(name, "sandbox:error" if name == "r7" else "Hi") for name in names))
    id = ended(Path("in.jsonl"), "-p", provider)
    assert bifrost("batch", "results", id, "-q", "--order", "input", code=9).words == names
    assert sorted(bifrost("batch", "results", id, "-q", code=9).words) == sorted(names)
    assert bifrost("batch", "results", id, "-q", code=9).words != names


def test_order_input_holds_across_the_parts_of_a_batch(sandbox: Sandbox) -> None:
    models = ("gpt-5.4-mini", "gpt-5.4-nano")
    written("in.jsonl", *(ask(f"r{number}", model=models[number % 2]) for number in range(6)))
    bifrost("batch", "create", "in.jsonl", "-p", "openai", "-o", "out.jsonl", "--order", "input")
    assert list(results_in("out.jsonl")) == [f"r{number}" for number in range(6)]


def test_errors_only_leaves_out_what_succeeded_and_counts_it(sandbox: Sandbox, mixed: Path) -> None:
    ran = bifrost("batch", "results", ended(mixed), "--errors-only", code=9)
    assert {line["custom_id"] for line in ran.objects} == {"bad", "busy", "late"}
    assert "4 in, 4 out: 2 errored, 1 expired, 1 succeeded." in ran.err


def test_the_summary_tells_why_requests_failed_with_an_example_of_each(sandbox: Sandbox) -> None:
    written("in.jsonl", ask("x", "sandbox:error"), ask("y", "sandbox:error"), ask("z", "sandbox:expire"))
    ran = bifrost("batch", "results", ended(Path("in.jsonl")), code=9)
    reasons = [line for line in ran.err.splitlines() if "×" in line]
    assert reasons[0].startswith("  2 × invalid_request_error: [sandbox] this request is refused")
    assert reasons[1] == "  1 × expired (for example z)"
