"""Reading the requests of a new batch, which are in its body or in a file.

What cannot be read refuses the batch. What a model refuses becomes the result of that request.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.gemini.check import Context, model_of
from bifrost_cli.sandbox.gemini.errors import Refusal
from bifrost_cli.sandbox.gemini.generate import judge
from bifrost_cli.sandbox.gemini.prompt import count
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, SUCCEEDED, Index


class Intake:
    """What the requests come to: their index, and about how many tokens go in, which are counted on demand."""

    def __init__(self, context: Context, counting: bool) -> None:
        self.index = Index()
        self.tokens = 0
        self._context = context
        self._counting = counting

    def add(self, start: int, end: int, request: dict[str, Any]) -> None:
        try:
            letter = SUCCEEDED if judge(request, self._context) else EXPIRED
        except Refusal:
            letter = ERRORED
        if self._counting and letter == SUCCEEDED:
            self.tokens += sum(count(request).values())
        self.index.add(start, end, letter)


def read(folder: Path, items: Iterable[dict[str, Any]], context: Context, counting: bool) -> Intake:
    """Writes requests with what came beside each to `folder/input`, and their index beside it. Raises the Refusal of a
    request that names another model."""
    intake, position = Intake(context, counting), 0
    with (folder / "input").open("wb") as sink:
        for item in items:
            request = item.setdefault("request", {})
            model_of(request, context.model)
            size = sink.write(orjson.dumps(item) + b"\n")
            intake.add(position, position + size, request)
            position += size
    intake.index.save(folder)
    return intake
