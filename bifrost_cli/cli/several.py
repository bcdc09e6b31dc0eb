"""Commands on several ids: a question first, and each id tried."""

import sys
from collections.abc import Awaitable, Callable, Sequence

import typer

from bifrost_cli.cli.render import Screen, sentence
from bifrost_cli.cli.session import INTERRUPTED
from bifrost_cli.errors import BifrostError


def confirm(screen: Screen, question: str, yes: bool) -> None:
    """Ask, where a person can answer. On a no, nothing is done, and what follows in a script should not be either."""
    if yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D, which leave the cursor behind the question.
        agreed = False
        screen.say("")
    if not agreed:
        screen.say("Nothing was deleted.")
        raise typer.Exit(INTERRUPTED)


async def each(ids: Sequence[str], act: Callable[[str], Awaitable[object]], screen: Screen, *, undone: str) -> None:
    """Act on every id; one that fails hinders none of the others. Raises the first error, saying how many failed.

    `undone` is what those are that failed: `not deleted`.
    """
    errors: list[BifrostError] = []
    for id in ids:
        try:
            await act(id)
        except BifrostError as error:
            if len(ids) == 1:
                raise
            screen.say(f"{id}: {sentence(error)}", style="red")
            errors.append(error)
    if errors:
        first = errors[0]
        first.message = f"{len(errors)} of {len(ids)} {undone}: {first.message}"
        raise first
