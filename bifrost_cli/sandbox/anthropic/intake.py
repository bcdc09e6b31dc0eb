"""Taking in the requests of a new batch: the checks of the envelope, and how each request will end."""

from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.anthropic import prompt
from bifrost_cli.sandbox.anthropic.check import Context, check_message
from bifrost_cli.sandbox.anthropic.errors import Refusal, describe
from bifrost_cli.sandbox.jsonspans import Data, JsonError, Span, items, members
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, SUCCEEDED, Index, Mapped
from bifrost_cli.sandbox.shape import Mismatch, mapping, record, string

MAX_REQUESTS = 100_000
_ID = string(short=1, long=64, pattern=r"^[a-zA-Z0-9_-]{1,64}$")
_REQUEST = record({"custom_id": _ID, "params": mapping()})


def read(folder: Path, context: Context) -> int:
    """Checks the body in `folder/input` and writes the index of its requests beside it; gives their number. Raises
    the Refusal that the whole batch gets."""
    index = Index()
    with Mapped(folder / "input") as data:
        try:
            _read_body(data, index, context)
        except JsonError as error:
            raise Refusal(f"The request body is not valid JSON: {error}: char {error.position}") from None
    index.save(folder)
    return len(index)


def _read_body(data: Data, index: Index, context: Context) -> None:
    seen: set[str] | None = None
    extra = None
    for name, span in members(data):
        if name == "requests":
            seen = _read_requests(data, span, index, context)
        else:
            _parse(data, span)
            extra = extra or name
    if seen is None:
        raise Refusal("requests: Field required")
    if extra is not None:
        raise Refusal(f"{extra}: Extra inputs are not permitted")


def _read_requests(data: Data, span: Span, index: Index, context: Context) -> set[str]:
    if data[span[0] : span[0] + 1] != b"[":
        _parse(data, span)
        raise Refusal("requests: Input should be a valid list")
    seen: set[str] = set()
    for start, end in items(data, span):
        request = _parse(data, (start, end))
        _check_request(request, len(index))
        if request["custom_id"] in seen:
            raise Refusal(
                "requests: custom_id's must be unique within a batch. Duplicate custom_id found: "
                f"{request['custom_id']}"
            )
        seen.add(request["custom_id"])
        index.add(start, end, outcome(request["params"], context))
    if not 1 <= len(index) <= MAX_REQUESTS:
        bound = "at least 1 item" if len(index) == 0 else f"at most {MAX_REQUESTS} items"
        raise Refusal(f"requests: List should have {bound} after validation, not {len(index)}")
    return seen


def _parse(data: Data, span: Span) -> Any:
    try:
        return orjson.loads(data[span[0] : span[1]])
    except orjson.JSONDecodeError as error:
        raise JsonError(str(error).partition(":")[0], span[0] + error.pos) from error


def _check_request(request: Any, position: int) -> None:
    try:
        _REQUEST(request)
    except Mismatch as mismatch:
        raise Refusal(describe(mismatch, "requests", position)) from None


def outcome(params: Any, context: Context) -> bytes:
    """How a request will end once it is reached."""
    try:
        check_message(params, context)
    except Refusal:
        return ERRORED
    asked = triggers(prompt.last_text(params["messages"]))
    return EXPIRED if Trigger.EXPIRE in asked else SUCCEEDED
