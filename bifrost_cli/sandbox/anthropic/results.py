"""The results of a batch, line by line, computed from its requests as they are asked for."""

from collections.abc import Iterator
from typing import Any

import orjson

from bifrost_cli.sandbox.account import Account, StoredBatch
from bifrost_cli.sandbox.answers import Trigger, triggers_in
from bifrost_cli.sandbox.anthropic import message
from bifrost_cli.sandbox.anthropic.check import Context, check_message
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.ids import MARK, derived
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, finishing
from bifrost_cli.sandbox.timeline import Moment, Stage


def lines(batch: StoredBatch, done: int, moment: Moment, account: Account) -> Iterator[bytes]:
    """The lines of an ended batch, in the order in which its requests finished; those after the first `done` were
    cancelled or expired."""
    context = Context(batch.doc["version"], True, lambda id: account.file(id) is not None)
    rest = "canceled" if moment.stage is Stage.CANCELLED else "expired"
    for rank, (number, letter, text) in enumerate(finishing(batch.folder)):
        request = orjson.loads(text)
        seed = f"{batch.id}/{number}"
        result = {"type": rest} if rank >= done else _result(request["params"], letter, seed, context)
        yield from _written(request["custom_id"], result, text)


def _result(params: Any, letter: bytes, seed: str, context: Context) -> dict[str, Any]:
    if letter == ERRORED:
        return {"type": "errored", "error": _error(params, seed, context)}
    if letter == EXPIRED:
        return {"type": "expired"}
    return {"type": "succeeded", "message": message.message(params, seed, "batch")}


def _error(params: Any, seed: str, context: Context) -> dict[str, Any]:
    """A whole envelope; what was wrong from the start has no request id, what went wrong while the request ran has a
    worker's (recorded)."""
    try:
        check_message(params, context)
        refusal = Refusal("Internal server error", 500, executed=True)
    except Refusal as error:
        refusal = error
    visible = {"error_visibility": "user_facing"}
    error_body = {
        "details": visible if refusal.status < 500 else None,
        "type": refusal.type,
        "message": refusal.message,
    }
    request_id = f"workerreq_01{MARK}{derived(seed, 19)}" if refusal.executed else None
    return {"type": "error", "error": error_body, "request_id": request_id}


def _written(custom_id: str, result: dict[str, Any], text: bytes) -> Iterator[bytes]:
    """The line of a result: once, unless the request asks for it to be lost, repeated or put under another id."""
    asked = triggers_in(text)
    if Trigger.LOSE in asked:
        return
    if Trigger.SWAP in asked:
        custom_id = f"unknown-{derived(custom_id, 8)}"
    line = orjson.dumps({"custom_id": custom_id, "result": result}) + b"\n"
    yield line
    if Trigger.REPEAT in asked:
        yield line
