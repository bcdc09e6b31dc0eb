"""Hub -> wire and wire -> hub: lines of a job's input and output, jobs, objects."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import orjson

from bifrost_cli.errors import BifrostError, NotFoundError
from bifrost_cli.models import (
    Batch,
    BatchError,
    BatchResult,
    File,
    Page,
    ProcessingStatus,
    RequestCounts,
    errored,
    succeeded,
)
from bifrost_cli.providers.base import Context, Part
from bifrost_cli.providers.bedrock import converse, invoke, model
from bifrost_cli.providers.bedrock.answers import count, digest, member, text
from bifrost_cli.providers.bedrock.checks import PROVIDER
from bifrost_cli.providers.bedrock.failures import describe_job, describe_record
from bifrost_cli.providers.bedrock.s3 import Head, Place
from bifrost_cli.providers.encoder import Encoder

NAME = "bifrost"
COUNT = re.compile(r"/bifrost-(\d+)-requests\.jsonl$")
NARROW = re.compile(r"[^A-Za-z0-9]+")


# -- requests ---------------------------------------------------------------------------------------------------


def encoder(params: dict[str, Any], mode: str, context: Context, *, batch: bool = True) -> Encoder[Any]:
    """Of requests with these settings, in a `batch` or alone. `mode` is the setting `body`."""
    if _endpoint(params["model"], mode) == model.INVOKE:
        return invoke.Invoke(params, context.betas, context.drop, batch=batch)
    return converse.Converse(params, context.drop, batch=batch)


@lru_cache(maxsize=1024)
def _endpoint(name: str, mode: str) -> str:
    model.check_name(name)
    return model.endpoint_of(name, mode)


def job_name(tag: str) -> str:
    """The intent's tag as a job's name and `clientRequestToken`: letters, digits, hyphens; 63 characters at most."""
    return f"{NAME}-{NARROW.sub('-', tag).strip('-')}"[:63].rstrip("-")


def input_key(requests: int) -> str:
    """A job's input object, below the batch's own folder. Its name says how many requests are in it, since a job knows
    its total only when it has been validated."""
    return f"{NAME}-{requests}-requests.jsonl"


def job_request(part: Part, folder: Place, role: str | None, hours: int, kms_key: str | None) -> dict[str, Any]:
    """The body of CreateModelInvocationJob; `folder` holds the input, and is where the output goes."""
    output = {"s3Uri": f"{folder}/"} | ({"s3EncryptionKeyId": kms_key} if kms_key else {})
    return {
        "jobName": job_name(part.tag),
        "clientRequestToken": job_name(part.tag),
        "roleArn": role,
        "modelId": part.model,
        "modelInvocationType": part.endpoint,
        "inputDataConfig": {
            "s3InputDataConfig": {"s3Uri": str(folder / input_key(part.requests)), "s3InputFormat": "JSONL"}
        },
        "outputDataConfig": {"s3OutputDataConfig": output},
        "timeoutDurationInHours": hours,
    }


def just_created(request: dict[str, Any], arn: str) -> dict[str, Any]:
    """What GetModelInvocationJob would say of the job right now; the create answers no more than its ARN."""
    now = datetime.now(UTC).isoformat()
    return {**request, "jobArn": arn, "status": "Submitted", "submitTime": now, "lastModifiedTime": now}


# -- results ----------------------------------------------------------------------------------------------------


class Origin(NamedTuple):
    """The batch that a line of output is of: its id, its model, and what its usage was billed as."""

    batch: str
    model: str
    tier: str


def decode_result(line: bytes, origin: Origin) -> BatchResult:
    """A line of a job's output."""
    row = _object(line)
    custom_id, answer, error = row.get("recordId"), row.get("modelOutput"), row.get("error")
    if not isinstance(custom_id, str):
        raise BifrostError("A line of Bedrock's results is not an object with a recordId.", provider=PROVIDER)
    if isinstance(error, dict) and error:
        return _decode_failure(custom_id, error)
    if not isinstance(answer, dict):
        return errored(custom_id, "api_error", "Bedrock's result for this request is empty.")
    kind = answer.get("type")
    if kind == "message":
        return succeeded(custom_id, invoke.decode(answer, origin.tier))
    if kind == "error":
        return _decode_error(custom_id, answer)
    return _decode_converse(custom_id, answer, row.get("modelInput"), origin)


def record_id(line: bytes) -> str | None:
    """The recordId of a line of input; None where Bedrock chose it."""
    return text(_object(line).get("recordId")) or None


def _object(line: bytes) -> dict[str, Any]:
    """The object that a line is, or an empty one."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) else {}


def _decode_failure(custom_id: str, error: dict[str, Any]) -> BatchResult:
    if error.get("expired"):
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    return errored(custom_id, *describe_record(error))


def _decode_error(custom_id: str, answer: dict[str, Any]) -> BatchResult:
    """Anthropic's own form of an error, as the answer of one of its models."""
    kind, message = text(member(answer, "error", "type")), text(member(answer, "error", "message"))
    return errored(custom_id, kind or "api_error", message or "The model answered with an error.")


def _decode_converse(custom_id: str, answer: dict[str, Any], request: Any, origin: Origin) -> BatchResult:
    try:
        made = converse.decode(answer, request, origin.model, f"{origin.batch}/{custom_id}", origin.tier)
    except BifrostError as error:
        return errored(custom_id, error.type, error.message)
    # What is neither (embeddings, a vendor's own form in somebody else's job) stays whole beside an empty message.
    return succeeded(custom_id, made if isinstance(answer.get("output"), dict) else {**made, "body": answer})


# -- jobs -------------------------------------------------------------------------------------------------------

ID = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.([A-Za-z0-9-]{1,63})")
STATUS: dict[str, ProcessingStatus] = {
    "Submitted": "in_progress",
    "Validating": "in_progress",
    "Scheduled": "in_progress",
    "InProgress": "in_progress",
    "Stopping": "canceling",
    "Stopped": "ended",
    "Completed": "ended",
    "PartiallyCompleted": "ended",
    "Failed": "ended",
    "Expired": "ended",
}
"""A state that is not here is a new one, and taken for running."""
REST = {
    "Completed": "errored",
    "Failed": "errored",
    "PartiallyCompleted": "expired",
    "Expired": "expired",
    "Stopped": "canceled",
}
"""What became of requests that an ended job's counters leave out."""
WITHOUT_OUTPUT = ("Failed", "Expired")
WINDOW_HOURS = 24
EPOCH = datetime.fromtimestamp(0, UTC)


class JobId(NamedTuple):
    """A batch's native id, `REGION.JOB`."""

    region: str
    job: str

    def __str__(self) -> str:
        return f"{self.region}.{self.job}"

    @classmethod
    def of(cls, id: str) -> "JobId":
        """From its text. Raises NotFoundError where it is none, since no job can have it."""
        if found := ID.fullmatch(id):
            return cls(found[1], found[2])
        hint = "Bedrock's look like us-east-1.abcdefghijkl."
        raise NotFoundError(f"There is no batch '{id}'.", hint=hint, provider=PROVIDER)

    @classmethod
    def of_arn(cls, arn: Any) -> "JobId":
        """From `arn:aws:bedrock:REGION:ACCOUNT:model-invocation-job/JOB`."""
        fields = text(arn).split(":")
        if len(fields) < 6:
            raise BifrostError("Bedrock's answer has no jobArn.", hint="Is the address right?", provider=PROVIDER)
        return cls(fields[3], fields[-1].rpartition("/")[2])


def to_batch(job: dict[str, Any]) -> Batch:
    """A job, of Get or of a list. Its `results_url` stays empty: results are in S3, found by `raw`."""
    state = text(job.get("status"))
    processing_status = STATUS.get(state, "in_progress")
    created_at = _time(job.get("submitTime")) or EPOCH
    modified_at = _time(job.get("lastModifiedTime"))
    hours = count(job.get("timeoutDurationInHours")) or WINDOW_HOURS
    return Batch(
        id=str(JobId.of_arn(job.get("jobArn"))),
        processing_status=processing_status,
        request_counts=to_counts(job, state),
        created_at=created_at,
        expires_at=_time(job.get("jobExpirationTime")) or created_at + timedelta(hours=hours),
        ended_at=_ended_at(job, state) if processing_status == "ended" else None,
        cancel_initiated_at=(_time(job.get("cancelTime")) or modified_at) if state in ("Stopping", "Stopped") else None,
        provider=PROVIDER,
        provider_status=state or None,
        errors=_errors(job, state),
        raw=job,
    )


def to_batches(answer: dict[str, Any]) -> Page[Batch]:
    """A page of jobs."""
    jobs = answer.get("invocationJobSummaries") or []
    return Page([to_batch(job) for job in jobs], text(answer.get("nextToken")) or None)


def to_counts(job: dict[str, Any], state: str) -> RequestCounts:
    """Counts that sum to the total: the job's own counters, live ones while it runs; at the end the rest by state.

    Until it is validated a job's total is 0 (recorded 2026); the name of its input knows better. Jobs from before April
    2026 have no counters, and when they have ended, none is made up for them.
    """
    done, failed = count(job.get("successRecordCount")), count(job.get("errorRecordCount"))
    total = count(job.get("totalRecordCount")) or announced(job)
    if job.get("totalRecordCount") is None and state in REST and state not in WITHOUT_OUTPUT:
        total = 0
    counts = RequestCounts(succeeded=done, errored=failed)
    name = REST.get(state, "processing")
    setattr(counts, name, getattr(counts, name) + max(0, total - done - failed))
    return counts


def announced(job: dict[str, Any]) -> int:
    """How many requests the input's name says it has; 0 for an input that is not ours."""
    found = COUNT.search(text(member(job, "inputDataConfig", "s3InputDataConfig", "s3Uri")))
    return int(found[1]) if found else 0


def input_place(job: dict[str, Any]) -> Place:
    """The job's input: an object, or the beginning of the keys of several."""
    return Place.of(member(job, "inputDataConfig", "s3InputDataConfig", "s3Uri"))


def output_place(job: dict[str, Any]) -> Place:
    """The folder that the job writes to, with its slash: `…/JOB/`."""
    place = Place.of(member(job, "outputDataConfig", "s3OutputDataConfig", "s3Uri"))
    return place / JobId.of_arn(job.get("jobArn")).job / ""


def missing_result(batch: Batch, custom_id: str) -> BatchResult:
    """The outcome of a request that an ended job's output does not mention, by the job's state."""
    state = batch.provider_status
    if state in ("Expired", "PartiallyCompleted"):
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    if state == "Stopped":
        return {"custom_id": custom_id, "result": {"type": "canceled"}}
    if state == "Failed":
        message = batch.errors[0].message if batch.errors else NO_REASON
        return errored(custom_id, describe_job(message), message)
    return errored(custom_id, "api_error", "The job's output does not mention this request.")


NO_REASON = "The job failed, and Bedrock gives no reason."


def _ended_at(job: dict[str, Any], state: str) -> datetime | None:
    """`endTime`; but that of an expired job is the end of its validation (recorded 2025)."""
    names = ("lastModifiedTime", "endTime") if state == "Expired" else ("endTime", "lastModifiedTime")
    return next(filter(None, (_time(job.get(name)) for name in names)), None)


def _errors(job: dict[str, Any], state: str) -> list[BatchError] | None:
    """A failed job's message, which lists leave out."""
    message = text(job.get("message"))
    return [BatchError(code=state, message=message)] if state == "Failed" and message else None


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


# -- files ------------------------------------------------------------------------------------------------------

FILES = "files"
NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_NAME = 100
LATEST = (1 << 44) - 1


def newest_first(at: datetime) -> str:
    """A moment as text that sorts the newest first: the milliseconds that are left of a long time, in hex."""
    return f"{LATEST - int(at.timestamp() * 1000):011x}"


def moment(key: str) -> datetime:
    """The moment that `newest_first` made text of."""
    return datetime.fromtimestamp((LATEST - int(key, 16)) / 1000, UTC)


def file_key(filename: str, at: datetime, salt: str) -> str:
    """The key of an upload below the prefix. It sorts the newest first, as lists give keys in their order; the name at
    its end is for people, in the few characters that jobs take."""
    plain = NOT_IN_KEYS.sub("-", filename).strip("-.")[-LONGEST_NAME:].strip("-.") or "file"
    return f"{FILES}/{newest_first(at)}{digest(salt)[:8]}/{plain}"


def file_id(key: str) -> str:
    """The native id of the object with this key below the prefix."""
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def key_of(id: str) -> str:
    """The key below the prefix that an id means. Raises NotFoundError where it means none."""
    try:
        key = urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode()
    except ValueError:
        key = ""
    if not key or file_id(key) != id or not key.isprintable() or {"", ".", ".."} & set(key.split("/")):
        raise NotFoundError(f"There is no file '{id}'.", provider=PROVIDER)
    return key


def to_metadata(filename: str) -> dict[str, str]:
    """A file's name as user metadata, which is ASCII, and 2 KB at most."""
    return {"filename": quote(filename, errors="replace")[:1800]}


def to_file(key: str, head: Head) -> File:
    """An object below the prefix; one that others put there is called by the last part of its key."""
    return File(
        id=file_id(key),
        filename=unquote(head.metadata.get("filename", "")) or key.rpartition("/")[2],
        mime_type=head.media_type,
        size_bytes=head.size,
        created_at=head.modified,
        downloadable=True,
        provider=PROVIDER,
    )
