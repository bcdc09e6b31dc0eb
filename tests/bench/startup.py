"""How soon a command is done that does little."""

import sys
from collections.abc import Iterator

from kit import SECONDS, Row, Setup, Target, in_turn
from processes import BIFROST, Command, environment, upstream

ONE_COMMAND = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str, loud: bool = typer.Option(False, help="Say it loudly.")) -> None:
    "Say hello."
app()
"""
ONE_CALL = """
import httpx, sys
with httpx.Client() as client:
    print(client.get(sys.argv[1], headers={"authorization": "Bearer sk-bench"}).text)
"""


def measure(setup: Setup) -> Iterator[Row]:
    """`--version`, `--help` and `batch get`."""
    yield _row(setup, 1.3, ["--version"], "import typer", "python -c 'import typer'")
    yield _row(setup, 1.3, ["--help"], ONE_COMMAND, "--help of a typer program with one command", "--help")
    with upstream(setup.folder) as provider:
        address = f"{provider.url}/v1/batches/batch-0-100"
        get = ["batch", "get", "openai:batch-0-100"]
        yield _row(setup, 2.2, get, ONE_CALL, "a script with httpx and one GET", address, url=provider.url)


def _row(
    setup: Setup, limit: float, arguments: list[str], script: str, floor_is: str, *given: str, url: str = ""
) -> Row:
    environ = environment(setup.folder / "home", url)
    ours = Command([BIFROST, *arguments], environ)
    floor = Command([sys.executable, "-c", script, *given], environ)
    ours.seconds(), floor.seconds()  # What is compiled and read from disk the first time.
    floors, measured = in_turn(setup.repeats(15), floor.seconds, ours.seconds)
    cpu = (min(ours.cpu), min(floor.cpu))
    what = f"`bifrost {' '.join(arguments[:2])}`"
    return Row(what, SECONDS, measured, floor_is, floors, (Target("ratio", limit),), cpu)
