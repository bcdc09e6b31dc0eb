"""Writing the output of jobs that have ended into S3, when somebody looks."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import md5
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.account import StoredBatch
from bifrost_cli.sandbox.answers import Trigger, triggers_in
from bifrost_cli.sandbox.bedrock import records
from bifrost_cli.sandbox.bedrock.progress import WITH_OUTPUT, Progress, progress_of
from bifrost_cli.sandbox.bedrock.s3.checksums import FULL_OBJECT
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.http import MB, Call
from bifrost_cli.sandbox.ids import MARK, derived
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, finished, finishing


def settle(call: Call) -> None:
    """Writes the output of all of the caller's jobs that have ended."""
    for job in call.account.unsettled():
        settle_one(call, job)


def settle_one(call: Call, job: StoredBatch) -> StoredBatch:
    """The job, with its output written if it has ended."""
    progress = progress_of(job, call.now)
    if job.settled or not progress.final:
        return job
    with call.sandbox.settling:
        current = call.account.batch(job.id) or job
        if not current.settled:
            _settle(call, job, progress)
    return call.account.batch(job.id) or job


def _settle(call: Call, job: StoredBatch, progress: Progress) -> None:
    """A job that was stopped before it ran has no output."""
    if progress.status in WITH_OUTPUT and progress.share > 0:
        with call.sandbox.store.spool() as folder:
            settlement = _Settlement(job, progress)
            settlement.write(folder)
            _store(Objects(call.account), settlement, folder)
    call.account.settle_batch(job, job.doc, {})


def _store(objects: Objects, settlement: "_Settlement", folder: Path) -> None:
    bucket, prefix = place(settlement.job)
    for number, name in enumerate(settlement.names()):
        content = folder / str(number)
        objects.put(_object(bucket, f"{prefix}{name}.out", content, settlement.progress), content)
    manifest = folder / "manifest"
    manifest.write_bytes(orjson.dumps(settlement.manifest))
    objects.put(_object(bucket, f"{prefix}manifest.json.out", manifest, settlement.progress), manifest)


def place(job: StoredBatch) -> tuple[str, str]:
    """The bucket and the prefix of a job's output."""
    uri = job.doc["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    return bucket, f"{prefix}/{job.id}/" if prefix else f"{job.id}/"


def _object(bucket: str, key: str, content: Path, progress: Progress) -> StoredObject:
    digest = md5(usedforsecurity=False)
    with content.open("rb") as file:
        while chunk := file.read(MB):
            digest.update(chunk)
    headers = {"content-type": "binary/octet-stream"}
    doc = {
        "headers": headers,
        "metadata": {},
        "etag": digest.hexdigest(),
        "checksum": None,
        "checksum_type": FULL_OBJECT,
    }
    return StoredObject(bucket, key, progress.ended or 0.0, content.stat().st_size, doc)


def _counters() -> dict[str, int]:
    return dict.fromkeys(
        (
            "totalRecordCount",
            "processedRecordCount",
            "successRecordCount",
            "errorRecordCount",
            "inputTokenCount",
            "outputTokenCount",
        ),
        0,
    )


@dataclass
class _Settlement:
    """The end of one job."""

    job: StoredBatch
    progress: Progress
    manifest: dict[str, int] = field(default_factory=_counters)

    def names(self) -> list[str]:
        """The input files, as the output names them: below the prefix that was given, else without any."""
        prefix = self.job.doc["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].removeprefix("s3://").partition("/")[2]
        keys: list[str] = self.job.doc["files"]
        if keys == [prefix]:
            return [prefix.rpartition("/")[2]]
        return [key.removeprefix(prefix).lstrip("/") for key in keys]

    def write(self, folder: Path) -> None:
        """Writes a file for each input file, named by its number. Records that were not reached are missing."""
        self.manifest["totalRecordCount"] = self.job.total
        done = finished(self.job.total, self.progress.share)
        ends = list(accumulate(self.job.doc["counts"]))
        with ExitStack() as stack:
            sinks = [stack.enter_context((folder / str(number)).open("wb")) for number in range(len(ends))]
            for rank, (number, letter, text) in enumerate(finishing(self.job.folder)):
                if rank < done and letter != EXPIRED:
                    sinks[bisect_right(ends, number)].writelines(self._lines(number, letter, text))

    def _lines(self, number: int, letter: bytes, text: bytes) -> Iterator[bytes]:
        """The line of a record: once, unless the record asks for it to be lost, repeated or put under another id."""
        record = orjson.loads(text)
        result = self._result(record["modelInput"], letter, f"{self.job.id}/{number}")
        record_id = record.get("recordId") or f"{MARK}{derived(f'{self.job.id}/{number}', 8)}".upper()
        asked = triggers_in(text)
        if Trigger.SWAP in asked:
            record_id = f"unknown-{derived(record_id, 8)}"
        if Trigger.LOSE in asked:
            return
        line = orjson.dumps({"recordId": record_id, "modelInput": record["modelInput"], **result}) + b"\n"
        yield line
        if Trigger.REPEAT in asked:
            yield line

    def _result(self, body: Mapping[str, Any], letter: bytes, seed: str) -> dict[str, Any]:
        kind, model = self.job.doc["modelInvocationType"], self.job.doc["modelId"]
        self.manifest["processedRecordCount"] += 1
        if letter == ERRORED:
            self.manifest["errorRecordCount"] += 1
            return {"error": records.error(body, kind, model)}
        output, tokens = records.reply(body, kind, model, seed)
        self.manifest["successRecordCount"] += 1
        self.manifest["inputTokenCount"] += tokens[0]
        self.manifest["outputTokenCount"] += tokens[1]
        return {"modelOutput": output}
