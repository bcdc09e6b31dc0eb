"""What the program says of itself: help, examples, version, completion; and how little it loads to say it."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import bifrost_cli
from bifrost_cli.cli.app import app
from tests.cli.program import bifrost, piped

HEAVY = {"httpx", "starlette", "uvicorn", "rich.progress", "orjson", "botocore"}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with what is typed for it."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
each_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        *("files upload", "files list", "files get", "files delete", "files download"),
        *("batch create", "batch list", "batch get", "batch cancel", "batch delete", "batch results", "batch wait"),
        *("batch retry", "batch reconcile", "providers", "sandbox serve", "sandbox env", "sandbox reset"),
    }


@each_command
def test_help_ends_with_an_example_and_the_exit_codes(path: tuple[str, ...]) -> None:
    said = " ".join(bifrost(*path, "--help").out.split())
    assert re.search(r"Example: .*Exit codes: 0 [^:]*\.$", said), said[-400:]


@each_command
def test_the_command_line_of_the_example_parses(path: tuple[str, ...]) -> None:
    (line,) = re.findall("Example: (.*)", COMMANDS[path].epilog)
    line = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line).partition(" | ")[0].partition(", then ")[0]
    program, *words = shlex.split(line)
    assert program == "bifrost"
    assert tuple(words[: len(path)]) == path
    COMMANDS[path].make_context(path[-1], words[len(path) :])


@each_command
def test_every_option_and_argument_says_what_it_is_for(path: tuple[str, ...]) -> None:
    silent = [parameter.name for parameter in COMMANDS[path].params if not getattr(parameter, "help", None)]
    assert silent == []


def test_the_exit_codes_that_help_names_are_those_of_the_errors() -> None:
    from bifrost_cli import errors

    known = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    for path, command in COMMANDS.items():
        codes = {int(code) for code in re.findall(r"\b(\d+) ", command.epilog.partition("Exit codes: ")[2])}
        assert codes <= {0, *known}, path


def test_no_command_shows_help_and_is_no_success() -> None:
    for arguments in ((), ("batch",), ("files",), ("sandbox",)):
        ran = bifrost(*arguments, code=2)
        assert "Usage: bifrost" in ran.out + ran.err


def test_version() -> None:
    assert bifrost("--version").out == f"bifrost {bifrost_cli.__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["batch", "create", "--help"]], ids=" ".join)
def test_version_and_help_load_nothing_heavy(arguments: list[str]) -> None:
    script = f"""
import sys
from bifrost_cli.cli.app import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit:
    print("LOADED", *sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.partition("LOADED")[2].split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()
    # Typer itself loads pydantic to describe the options of a command.
    assert "pydantic" not in loaded or "batch" in arguments
    assert not [name for name in loaded if re.match(r"bifrost_cli\.(providers\.\w+|core|server|sandbox)\b", name)]


def test_a_pipeline_loads_nothing_that_draws(two: Path) -> None:
    script = f"""
import sys
from bifrost_cli.cli.app import main
sys.argv[1:] = ["batch", "create", {str(two)!r}, "-p", "openai", "--model", "gpt-4o", "--dry-run"]
try:
    main()
finally:
    print("LOADED", *sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.partition("LOADED")[2].split())
    assert "bifrost_cli.core.plan" in loaded
    assert not loaded & {"rich.console", "rich.progress", "rich.table", "click"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_each_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    ran = piped("--show-completion", shell)
    assert ran.code == 0
    assert "BIFROST_COMPLETE" in ran.out or "complete" in ran.out.lower()


def test_completion_knows_commands_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_BIFROST_COMPLETE", "complete_bash")
    script = "from bifrost_cli.cli.app import app; app(prog_name='bifrost')"
    for words, expected in (("bifrost ba", "batch"), ("bifrost batch create --dr", "--dry-run")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert expected in ran.stdout.split()
