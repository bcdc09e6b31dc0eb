"""Writing the result files of batches that have ended, when somebody looks; and failing those that lost their input."""

from typing import Any

from bifrost_cli.sandbox.account import StoredBatch, StoredFile
from bifrost_cli.sandbox.gemini import results
from bifrost_cli.sandbox.gemini.access import GENERATED, missing_file
from bifrost_cli.sandbox.gemini.access import LIFE as FILE_LIFE
from bifrost_cli.sandbox.gemini.operation import Standing, State, standing
from bifrost_cli.sandbox.http import Call

MEDIA_TYPE = "application/jsonl"


def result_file(batch: StoredBatch) -> str:
    """The id of a batch's result file, longer than those of other files (recorded 2026-01)."""
    return f"batch-{batch.id}"


def settle(call: Call) -> None:
    """Stores the result files of all of the caller's batches that have ended."""
    for batch in call.account.unsettled():
        settle_one(call, batch)


def settle_one(call: Call, batch: StoredBatch) -> StoredBatch:
    """The batch, with its result file stored if it has one."""
    stands = standing(batch, call.now)
    if batch.settled or stands.ended is None or (stands.state is State.SUCCEEDED and not stands.readable):
        return batch
    with call.sandbox.settling:
        current = call.account.batch(batch.id) or batch
        if not current.settled:
            _settle(call, current, stands)
    return call.account.batch(batch.id) or batch


def _settle(call: Call, batch: StoredBatch, stands: Standing) -> None:
    if stands.state is not State.SUCCEEDED:
        call.account.settle_batch(batch, batch.doc, {})
        return
    with call.sandbox.store.spool() as folder:
        size = 0
        with (folder / "output").open("wb") as output:
            for line in results.lines(batch, stands, call.account):
                size += output.write(line)
        created = stands.ended or batch.created
        file = StoredFile(result_file(batch), created, "", MEDIA_TYPE, size, GENERATED, created + FILE_LIFE)
        call.account.settle_batch(batch, batch.doc, {file: folder / "output"})


def fail_without(call: Call, file: str) -> None:
    """Fails the caller's batches that wait for a file which is deleted."""
    for batch in call.account.unsettled():
        if batch.doc["file"] == file and standing(batch, call.now).state is State.PENDING:
            call.account.settle_batch(batch, failed(batch.doc, file, call.now), {})


def failed(doc: Any, file: str, when: float) -> dict[str, Any]:
    """What is kept of a batch that fails at a time because its input is not there."""
    return {**doc, "failed_at": when, "error": missing_file(file).line()}
