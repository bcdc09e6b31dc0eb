"""Gemini's batch mode.

Creating a batch reads all of its requests, from its body or from a file. Results of the first kind come in the answer,
of the second kind in a file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import Response

from bifrost_cli.sandbox.account import Page, StoredBatch
from bifrost_cli.sandbox.gemini import intake, jsonl, messages, models, results
from bifrost_cli.sandbox.gemini.access import find_active, media_type
from bifrost_cli.sandbox.gemini.check import Context
from bifrost_cli.sandbox.gemini.errors import NOT_FOUND, Refusal, out_of_quota
from bifrost_cli.sandbox.gemini.json import parse, pretty
from bifrost_cli.sandbox.gemini.operation import DURATIONS, Standing, State, describe, standing
from bifrost_cli.sandbox.gemini.paging import next_token, read_position, read_size
from bifrost_cli.sandbox.gemini.payload import fit
from bifrost_cli.sandbox.gemini.settling import failed, result_file, settle_one
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, fresh_hex
from bifrost_cli.sandbox.lines import EXPIRED, tally

DEFAULT_PAGE, MAX_PAGE = 50, 100
_EVERYTHING = 1_000_000


def create(call: Call) -> Response:
    """`POST /models/{model}:batchGenerateContent`"""
    body = fit(messages.CREATE_BATCH, parse(call.body))
    model = models.find(call.path["model"], "batchGenerateContent", call.path["version"])
    batch = _envelope(body, model)
    context = Context(model, media_type(call))
    with call.sandbox.store.spool() as folder:
        read = _read(call, batch["input_config"], folder, context)
        if not len(read.index):
            raise _broken("input_config", "[sandbox] a batch has at least one request.")
        _check_quota(call, model, read.tokens)
        doc = {**_kept(batch), "model": model, "expires": tally(folder)[EXPIRED] > 0, "tokens": read.tokens}
        stored = _store(call, doc, len(read.index), folder)
    return pretty(describe(stored, Standing(State.PENDING), None))


def _envelope(body: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """The batch in a body. A display name is required (documented)."""
    batch: Mapping[str, Any] = body.get("batch", {})
    if not batch.get("display_name"):
        raise _broken("display_name", "[sandbox] display_name is required.")
    if models.bare(batch.get("model", model)) != model:
        raise _broken("model", f"[sandbox] the batch names another model than the path, which names {model}.")
    config = batch.get("input_config", {})
    if "file_name" not in config and "requests" not in config:
        raise _broken("input_config", "[sandbox] either requests or file_name must be set.")
    return batch


def _kept(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of what the caller said."""
    file = batch["input_config"].get("file_name", "").removeprefix("files/")
    return {"display_name": batch["display_name"], "priority": batch.get("priority"), "file": file or None}


def _broken(field: str, reason: str) -> Refusal:
    return Refusal(f"* BatchGenerateContentRequest.batch.{field}: {reason}\n")


def _read(call: Call, config: Mapping[str, Any], folder: Path, context: Context) -> intake.Intake:
    counting = call.sandbox.enqueued_tokens is not None
    if "file_name" not in config:
        return intake.read(folder, config["requests"].get("requests", []), context, counting)
    name = config["file_name"]
    if not name.startswith("files/"):
        raise _broken("input_config.file_name", "[sandbox] file_name must be files/ and an id.")
    id = name.removeprefix("files/")
    file = find_active(call.account, id, call.now, call.sandbox.pace)
    return intake.read(folder, jsonl.lines(file.path), context, counting)


def _check_quota(call: Call, model: str, tokens: int) -> None:
    """The limit on what one model's unfinished batches hold, if the sandbox is set to have one."""
    limit = call.sandbox.enqueued_tokens
    if limit is None:
        return
    rows = call.account.batches(_EVERYTHING).rows
    waiting = [batch for batch in rows if batch.doc["model"] == model and standing(batch, call.now).ended is None]
    if sum(batch.doc["tokens"] for batch in waiting) + tokens > limit:
        raise out_of_quota()


def _store(call: Call, doc: dict[str, Any], total: int, folder: Path) -> StoredBatch:
    """Stores the batch. One whose input goes away before it starts will fail."""
    file = None if doc["file"] is None else call.account.file(doc["file"])
    starts = call.now + DURATIONS.validating * call.sandbox.pace
    if file is not None and file.expires is not None and file.expires <= starts:
        doc = failed(doc, file.id, file.expires)
    id, settled = fresh_hex(MARK, 33), doc["file"] is None
    batch = StoredBatch(id, call.now, call.sandbox.pace, total, doc, settled=settled)
    return call.account.add_batch(batch, folder)


def get(call: Call) -> Response:
    """`GET /batches/{id}`"""
    batch = settle_one(call, _find(call))
    return pretty(_describe(call, batch, inline=True))


def listing(call: Call) -> Response:
    """`GET /batches`, newest first. Results that came inline are not shown here (recorded 2025-07)."""
    page = _page(call)
    shown = [_describe(call, settle_one(call, batch), inline=False) for batch in page.rows]
    last = page.rows[-1] if page.more else None
    token = next_token(None if last is None else f"{last.created!r}/{last.id}")
    return pretty({**({"operations": shown} if shown else {}), **token})


def _page(call: Call) -> Page[StoredBatch]:
    size = read_size(call, DEFAULT_PAGE, MAX_PAGE)
    created, after = read_position(call)
    try:
        return call.account.batches(size, after)
    except LookupError:  # The row that a page ended with may be gone by the next.
        rows = [batch for batch in call.account.batches(_EVERYTHING).rows if batch.created < created]
        return Page(rows[:size], len(rows) > size)


def _describe(call: Call, batch: StoredBatch, *, inline: bool) -> dict[str, Any]:
    stands = standing(batch, call.now)
    output = None
    if stands.readable and batch.doc["file"] is not None:
        output = {"responsesFile": f"files/{result_file(batch)}"}
    elif stands.readable and inline:
        output = results.inlined(batch, stands, call.account)
    return describe(batch, stands, output)


def cancel(call: Call) -> Response:
    """`POST /batches/{id}:cancel`; a batch that has ended stays as it is."""
    batch = _find(call)
    if standing(batch, call.now).ended is None:
        call.account.cancel_batch(batch.id, call.now)
    return pretty({})


def delete(call: Call) -> Response:
    """`DELETE /batches/{id}`, or `POST /batches/{id}:delete`; a running batch stops (documented)."""
    call.account.delete_batch(_find(call).id)
    return pretty({})


def _find(call: Call) -> StoredBatch:
    batch = call.account.batch(call.path["id"])
    if batch is None:
        raise Refusal("Requested entity was not found.", NOT_FOUND)
    return batch
