"""Writing the output and error files of batches that have ended, when somebody looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from bifrost_cli.sandbox.account import StoredBatch, StoredFile
from bifrost_cli.sandbox.answers import Trigger, triggers_in
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, derived, derived_uuid
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, finished, finishing
from bifrost_cli.sandbox.openai.endpoint import files_of
from bifrost_cli.sandbox.openai.endpoints import ENDPOINTS, Endpoint, HasFile
from bifrost_cli.sandbox.openai.errors import Refusal
from bifrost_cli.sandbox.openai.json import line as written
from bifrost_cli.sandbox.timeline import Durations, Moment, Stage, Timeline

DURATIONS = Durations(validating=0.5, running=2.0, finalizing=0.5, cancelling=1.0)
OUTPUT_LIFE = 2_592_000
_CANCELLED = {
    "code": "batch_cancelled",
    "message": "This request was not executed because the batch was cancelled.",
}
_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


def moment_of(batch: StoredBatch, now: float) -> Moment:
    """Where a batch stands; one with an unreached request ends as expired."""
    return Timeline(batch.created, DURATIONS, batch.pace).at(now, batch.cancelled)


def settle(call: Call) -> None:
    """Stores the files of all of the caller's batches that have ended."""
    for batch in call.account.unsettled():
        settle_one(call, batch)


def settle_one(call: Call, batch: StoredBatch) -> StoredBatch:
    """The batch, with its files stored if it has ended."""
    moment = moment_of(batch, call.now)
    if batch.settled or not moment.final:
        return batch
    with call.sandbox.settling:
        current = call.account.batch(batch.id) or batch
        if not current.settled:
            _settle(call, batch, moment)
    return call.account.batch(batch.id) or batch


def _settle(call: Call, batch: StoredBatch, moment: Moment) -> None:
    with call.sandbox.store.spool() as folder:
        settlement = _Settlement(batch, moment, files_of(call.account, batch.created))
        settlement.write(folder)
        call.account.settle_batch(batch, settlement.doc(), settlement.files(folder))


@dataclass
class _Settlement:
    """The end of one batch."""

    batch: StoredBatch
    moment: Moment
    has_file: HasFile
    sizes: dict[str, int] = field(default_factory=lambda: {"output": 0, "error": 0})
    usage: dict[str, int] = field(default_factory=lambda: {"input": 0, "output": 0, "cached": 0, "reasoning": 0})

    def write(self, folder: Path) -> None:
        """Writes `output` and `error` in a folder. A batch that was cancelled while it was validated has neither
        (recorded)."""
        if self.moment.running_at is None:
            return
        endpoint = ENDPOINTS[self.batch.doc["endpoint"]]
        done = finished(self.batch.total, self.moment.progress)
        with (folder / "output").open("wb") as output, (folder / "error").open("wb") as error:
            sinks = {"output": output, "error": error}
            for rank, (number, letter, text) in enumerate(finishing(self.batch.folder)):
                request = orjson.loads(text)
                name, result = self._result(endpoint, request["body"], number, letter, rank < done)
                self._write_line(sinks[name], name, number, request["custom_id"], result, text)

    def _result(
        self, endpoint: Endpoint, body: Any, number: int, letter: bytes, reached: bool
    ) -> tuple[str, dict[str, Any]]:
        if not reached or letter == EXPIRED:
            cancelled = self.moment.stage is Stage.CANCELLED and letter != EXPIRED
            return "error", {"response": None, "error": _CANCELLED if cancelled else _EXPIRED}
        seed = f"{self.batch.id}/{number}"
        if letter == ERRORED:
            refusal = self._refusal(endpoint, body)
            return "error", _response(seed, refusal.status, refusal.body())
        created = int(self.moment.running_at or self.batch.created)
        reply = endpoint.reply(body, seed, created)
        self._add_usage(reply["usage"], endpoint.usage)
        return "output", _response(seed, 200, reply)

    def _refusal(self, endpoint: Endpoint, body: Any) -> Refusal:
        try:
            endpoint.judge(body, self.has_file)
        except Refusal as refusal:
            return refusal
        return Refusal("The server had an error while processing your request.", 500, type="server_error")

    def _write_line(
        self, sink: BinaryIO, name: str, number: int, custom_id: str, result: Mapping[str, Any], text: bytes
    ) -> None:
        """Writes the line of a result: once, unless the request asks for it to be lost, repeated or put under
        another id."""
        asked = triggers_in(text)
        if Trigger.SWAP in asked:
            custom_id = f"unknown-{derived(custom_id, 8)}"
        id = f"batch_req_{MARK}{derived(f'{self.batch.id}/{number}', 29)}"
        copies = 0 if Trigger.LOSE in asked else 2 if Trigger.REPEAT in asked else 1
        self.sizes[name] += sink.write(written({"id": id, "custom_id": custom_id, **result}) * copies)

    def _add_usage(self, usage: Mapping[str, Any], names: tuple[str, str, str, str]) -> None:
        self.usage["input"] += usage[names[0]]
        self.usage["output"] += usage[names[1]]
        self.usage["cached"] += usage[names[2]]["cached_tokens"]
        self.usage["reasoning"] += usage[names[3]]["reasoning_tokens"]

    def _id(self, name: str) -> str:
        return f"file-{MARK}{derived(f'{self.batch.id}/{name}', 19)}"

    def doc(self) -> dict[str, Any]:
        """The batch's last `doc`; a file without lines does not exist."""
        ids = {f"{name}_file_id": self._id(name) if size else None for name, size in self.sizes.items()}
        return {**self.batch.doc, **ids, "usage": self.usage}

    def files(self, folder: Path) -> dict[StoredFile, Path]:
        """The files to store, and where they are now."""
        created = self.moment.ended_at or self.batch.created
        expires = created + (self.batch.doc.get("output_life") or OUTPUT_LIFE)
        return {
            StoredFile(
                self._id(name),
                created,
                f"{self.batch.id}_{name}.jsonl",
                "application/octet-stream",
                size,
                "batch_output",
                int(expires),
            ): folder / name
            for name, size in self.sizes.items()
            if size
        }


def _response(seed: str, status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    response = {"status_code": status, "request_id": derived_uuid(seed), "body": body}
    return {"response": response, "error": None}
