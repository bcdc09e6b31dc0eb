"""What the caller consents to losing of OpenAI's own lines, where they go to other providers.

`--drop` names a field as elsewhere: by its path with or without indices, its last name, or its whole. Paths may begin
at the line, as messages have them, or in `body`.
"""

from typing import Any

from bifrost_cli.errors import UnsupportedError
from bifrost_cli.models import Request
from bifrost_cli.providers.checks import Drop, dropped, plain
from bifrost_cli.providers.openai import own
from bifrost_cli.providers.openai.own_parts import BODY, Object


def read(line: Object, drop: Drop) -> Request:
    """`own.read`, without what is refused there and `drop` consents to losing; all else of the line stays."""
    drop = frozenset(name.removeprefix(BODY) for name in drop)
    while True:
        try:
            return own.read(line)
        except UnsupportedError as error:
            lost = _lost(error.field or "", drop)
            if lost is None:
                raise
            try:
                line = _without(line, lost)
            except (LookupError, TypeError, ValueError):  # It is refused for lacking something.
                raise error from None


def _lost(field: str, drop: Drop) -> list[str] | None:
    """The path of what goes: no more than was consented to, and no less than makes sense without it."""
    inner = field.removeprefix(BODY)
    if not dropped(inner, drop):
        return None
    names = inner.split(".")
    consented = [length for length in range(1, len(names) + 1) if plain(".".join(names[:length])) in drop]
    path = names[: consented[-1]] if consented else names
    return ["body", *path] if field.startswith(BODY) else path


def _without(value: Any, path: list[str]) -> Any:
    """A copy of a JSON value that lacks what is at `path`."""
    name = int(path[0]) if isinstance(value, list) else path[0]
    made = value.copy()
    if len(path) > 1:
        made[name] = _without(value[name], path[1:])
    else:
        del made[name]
    return made
