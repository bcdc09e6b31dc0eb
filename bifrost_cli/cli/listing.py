"""What `list` shows of one provider, or of all that are configured."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from bifrost_cli.cli.render import Screen, sentence
from bifrost_cli.errors import BifrostError

T = TypeVar("T")


async def of_each(
    names: list[str], listed: Callable[[str], AsyncIterator[T]], screen: Screen
) -> tuple[list[T], BifrostError | None]:
    """The items of each provider, and the first error: one of several providers that fails hides none of the others."""
    found: list[T] = []
    first: BifrostError | None = None
    for name in names:
        try:
            found += [item async for item in listed(name)]
        except BifrostError as error:
            if len(names) == 1:
                raise
            screen.say(f"{name}: {sentence(error)}", style="red")
            first = first or error
    return found, first
