"""Bedrock's model invocation jobs.

Creating a job checks what it says of itself; its input is validated later, and a job that does not pass ends as
`Failed`. A job belongs to the region that its creator signed for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.account import StoredBatch
from bifrost_cli.sandbox.bedrock import aws, intake, job_list, models
from bifrost_cli.sandbox.bedrock.errors import Refusal, fit, refusal
from bifrost_cli.sandbox.bedrock.job_params import CREATE, JOB_ID
from bifrost_cli.sandbox.bedrock.json import parse
from bifrost_cli.sandbox.bedrock.progress import STOPPABLE, Progress, Status, progress_of
from bifrost_cli.sandbox.bedrock.settling import settle_one
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, fresh_hex
from bifrost_cli.sandbox.lines import ERRORED, SUCCEEDED, finished, tally
from bifrost_cli.sandbox.shape import Mismatch

DEFAULT_HOURS = 24
_KEPT = ("jobName", "roleArn", "clientRequestToken", "inputDataConfig", "outputDataConfig", "vpcConfig")
_NOT_IN_SUMMARIES = ("message", "clientRequestToken", "jobExpirationTime")


def create(call: Call) -> Response:
    """`POST /model-invocation-job`"""
    body = parse(call.body)
    fit(CREATE, body)
    body = {name: value for name, value in body.items() if value is not None}
    _check_role(body["roleArn"])
    if not models.can_batch(body["modelId"]):
        raise Refusal("Batch inference is not supported for the requested model.")  # recorded
    with call.sandbox.settling:
        job_id = _repeated(call, body) or _create(call, body)
    return JSONResponse({"jobArn": aws.job_arn(_region(call), job_id)})


def _check_role(role: str) -> None:
    """The role must be the account's. One whose name has `no-pass` in it may not be handed to the service."""
    if role.split(":")[4] not in ("", aws.ACCOUNT):
        raise Refusal("Cross-account pass role is not allowed", "AccessDeniedException")  # recorded
    if "no-pass" in role:
        message = (
            f"User: arn:aws:iam::{aws.ACCOUNT}:user/sandbox is not authorized to perform: iam:PassRole on resource: "
            f"{role} because no identity-based policy allows the iam:PassRole action"
        )
        raise Refusal(message, "AccessDeniedException")


def _repeated(call: Call, body: Mapping[str, Any]) -> str | None:
    """The job that was created with the same token, whatever else was said then (documented). A name that is taken is
    a conflict."""
    region = _region(call)
    token = body.get("clientRequestToken")
    if token is not None and (job := job_list.first(call.account, region, "clientRequestToken", token)):
        return job
    if job_list.first(call.account, region, "jobName", body["jobName"]):
        raise Refusal(f"A job with the name {body['jobName']} already exists.", "ConflictException")
    return None


def _create(call: Call, body: Mapping[str, Any]) -> str:
    doc: dict[str, Any] = {name: body[name] for name in _KEPT if name in body}
    doc["modelId"] = body["modelId"]
    doc["modelInvocationType"] = body.get("modelInvocationType", "InvokeModel")
    doc["timeout"] = body.get("timeoutDurationInHours", DEFAULT_HOURS)
    doc["region"] = _region(call)
    job_id = fresh_hex(MARK, 9)
    with call.sandbox.store.spool() as folder:
        read = intake.read(folder, doc, call.account)
        doc |= {"failure": read.failure, "files": read.files, "counts": read.counts, "unreached": read.unreached}
        job = StoredBatch(job_id, call.now, call.sandbox.pace, read.total, doc)
        call.account.add_batch(job, folder)
    return job_id


def get(call: Call) -> Response:
    """`GET /model-invocation-job/{id}`, the id or the ARN"""
    job = settle_one(call, _find(call))
    return JSONResponse(_describe(job, progress_of(job, call.now)))


def listing(call: Call) -> Response:
    """`GET /model-invocation-jobs`, newest first unless asked otherwise"""
    query = job_list.read_query(call.query)
    page, token = job_list.page(call, query, _region(call))
    summaries = []
    for job, progress in page:
        whole = _describe(settle_one(call, job), progress)
        summaries.append({name: value for name, value in whole.items() if name not in _NOT_IN_SUMMARIES})
    return JSONResponse({"invocationJobSummaries": summaries, **({"nextToken": token} if token else {})})


def stop(call: Call) -> Response:
    """`POST /model-invocation-job/{id}/stop`"""
    job = _find(call)
    status = progress_of(job, call.now).status
    if status not in STOPPABLE:  # recorded for those that have completed
        arn = aws.job_arn(job.doc["region"], job.id)
        raise Refusal(f"The job {arn} cannot be stopped in its current state. State was: {status}")
    call.account.cancel_batch(job.id, call.now)
    return JSONResponse({})


def _find(call: Call) -> StoredBatch:
    identifier = unquote(call.path["id"])
    if not re.fullmatch(JOB_ID, identifier):
        raise refusal(Mismatch("pattern", identifier, JOB_ID, "jobIdentifier"))
    job = call.account.batch(identifier.rpartition("/")[2])
    region = _region(call)
    if job is None or job.doc["region"] != region or identifier not in (job.id, aws.job_arn(region, job.id)):
        raise Refusal(f"Could not find the model invocation job {identifier}.", "ResourceNotFoundException")
    return job


def _region(call: Call) -> str:
    return str(call.request.state.caller.region)


def _describe(job: StoredBatch, progress: Progress) -> dict[str, Any]:
    """A job; members that have no value (yet) are left out (recorded)."""
    doc = job.doc
    failed = progress.status is Status.FAILED
    described = {
        "jobArn": aws.job_arn(doc["region"], job.id),
        "jobName": doc["jobName"],
        "modelId": models.arn(doc["modelId"], doc["region"]),
        "clientRequestToken": doc.get("clientRequestToken"),
        "roleArn": doc["roleArn"],
        "status": progress.status,
        "message": doc["failure"] if failed else None,
        "submitTime": aws.iso_time(job.created),
        "lastModifiedTime": aws.iso_time(progress.modified),
        "endTime": aws.iso_time(progress.ended),
        "inputDataConfig": _with_owner(doc["inputDataConfig"]),
        "outputDataConfig": _with_owner(doc["outputDataConfig"]),
        "vpcConfig": doc.get("vpcConfig"),
        "timeoutDurationInHours": doc["timeout"],
        "jobExpirationTime": aws.iso_time(job.created + doc["timeout"] * 3600),
        "modelInvocationType": doc["modelInvocationType"],
        **_counts(job, progress),
    }
    return {name: value for name, value in described.items() if value is not None}


def _with_owner(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A place in S3 with the account that the bucket belongs to, which the service fills in (recorded)."""
    return {name: {**place, "s3BucketOwner": aws.ACCOUNT} for name, place in config.items()}


def _counts(job: StoredBatch, progress: Progress) -> dict[str, int]:
    """Zeros until the input has been validated (recorded)."""
    succeeded = failed = 0
    if progress.began and progress.share > 0:
        letters = tally(job.folder, finished(job.total, progress.share))
        succeeded, failed = letters[SUCCEEDED], letters[ERRORED]
    return {
        "totalRecordCount": job.total if progress.began else 0,
        "processedRecordCount": succeeded + failed,
        "successRecordCount": succeeded,
        "errorRecordCount": failed,
    }
