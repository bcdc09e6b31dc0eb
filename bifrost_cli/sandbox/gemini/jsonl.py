"""Reading the lines of a batch's input file.

The parser is another than that of requests: it knows the names of fields in snake_case only, and says where it stopped
as a line and a column (reported 2026-02, 2026-08). What it cannot read refuses the whole batch when it is created.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.gemini import messages
from bifrost_cli.sandbox.gemini.errors import Refusal
from bifrost_cli.sandbox.gemini.proto import PACKAGE, Misfit, read

MAX_ERRORS = 20
"""How many bad lines are told; nobody has reported a limit."""


class LineError(Exception):
    """What is wrong with a line: all of it, as it is told."""


def read_line(text: bytes) -> dict[str, Any]:
    """The line, its request in snake_case. Raises LineError."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineError(f"invalid JSON, near column {error.pos + 1}: {error.msg}") from None
    line, misfits = read(messages.LINE, value, snake_only=True)
    if misfits:
        raise LineError(_describe(misfits[0], text))
    if "request" not in line:
        raise LineError("[sandbox] the line has no request")
    _check_quirks(line["request"])
    return line


def _check_quirks(request: dict[str, Any]) -> None:
    """What files refuse and inline requests do not (reported 2025-07, 2026-08)."""
    if "model" in request:
        raise LineError("[sandbox] request.model is not taken in a file; the model is in the path")
    if "response_schema" in request.get("generation_config", {}):
        raise Refusal("Request contains an invalid argument.")
    parts = request.get("system_instruction", {}).get("parts", [{}])
    if "system_instruction" in request and not any(part.get("text", part) for part in parts):
        raise LineError("[sandbox] request.system_instruction has no text")


def _describe(misfit: Misfit, text: bytes) -> str:
    name = misfit.name or misfit.path.rpartition(".")[2].partition("[")[0]
    key = f'"{name}"'.encode()
    start = text.find(key)
    if misfit.kind == "unknown":
        return f"invalid JSON, near column {start + 1}: no such field: '{misfit.name}'"
    rest = text[start + len(key) :].lstrip(b" :\t\r\n")
    column = len(text) - len(rest) + 1
    if misfit.kind == "message" or (misfit.kind == "list" and misfit.type.startswith(PACKAGE)):
        found = rest[:1].decode("ascii", "replace")
        return f"invalid JSON, near column {column}: unexpected character: '{found}'; expected '{{'"
    return f"invalid JSON, near column {column}: [sandbox] the value of '{name}' does not fit"


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, but for blank ones at its end. Raises, once all of it has been read, the Refusal that names
    the lines that cannot be read, counted from 1."""
    errors: list[str] = []
    position, size = 0, _length(path)
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if position >= size or len(errors) == MAX_ERRORS:
                break
            position += len(text)
            try:
                yield read_line(text)
            except LineError as error:
                errors.append(f"Error on line {number}: {error}")
    if errors:
        raise Refusal("\n".join(errors))


def _length(path: Path) -> int:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        tail = file.read()
    return size - len(tail) + len(tail.rstrip())
