"""Validating the input of a new job, as it lies in S3 when the job is created. What is wrong with it fails the whole
job, later; what is wrong with one record's `modelInput` becomes that record's error."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO

import orjson

from bifrost_cli.sandbox.account import Account
from bifrost_cli.sandbox.bedrock import aws, records
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.http import MB
from bifrost_cli.sandbox.lines import EXPIRED, Index

MIN_RECORDS = 100
MAX_RECORDS = 100_000
MAX_FILE = 1024**3
MAX_JOB = 5 * 1024**3
SUFFIX = ".jsonl"


class JobFailure(Exception):
    """Why a job fails in validation; the message is the job's."""


@dataclass
class Intake:
    """What the input came to: its files and how many records each has, whether some are not reached in time, and why
    the job fails, if it does."""

    files: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    unreached: bool = False
    failure: str | None = None

    @property
    def total(self) -> int:
        return sum(self.counts)


def read(folder: Path, job: Mapping[str, Any], account: Account) -> Intake:
    """Validates a job's input, and puts it into `folder` with an index of its records."""
    intake, index = Intake(), Index()
    try:
        _check_role(job["roleArn"])
        _check_output(job["outputDataConfig"]["s3OutputDataConfig"])
        files = _files(job["inputDataConfig"]["s3InputDataConfig"], account)
        _gather(files, folder / "input")
        _read_files(files, folder / "input", job, intake, index)
        _check_count(len(index))
    except JobFailure as failure:
        return Intake(failure=str(failure))
    index.save(folder)
    return intake


def _check_role(role: str) -> None:
    """A role whose name has `no-access` in it may not use the bucket."""
    if "no-access" in role:
        raise JobFailure(
            f"Access denied: the service role {role} may not read the input or write the output in Amazon S3."
        )


def _check_output(config: Mapping[str, Any]) -> None:
    _own(config, config["s3Uri"])


def _own(config: Mapping[str, Any], uri: str) -> tuple[str, str]:
    """The bucket and key in an S3 URI. Raises JobFailure when the bucket is not there or not the account's."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if bucket != aws.BUCKET or config.get("s3BucketOwner", aws.ACCOUNT) != aws.ACCOUNT:
        raise JobFailure(
            f"Could not access the Amazon S3 location {uri}. Check that it exists and that the service role may use it."
        )
    return bucket, key


def _files(config: Mapping[str, Any], account: Account) -> list[StoredObject]:
    """The input: one object, or all those below a prefix whose names say that they are JSONL."""
    uri = config["s3Uri"]
    bucket, key = _own(config, uri)
    objects = Objects(account)
    one = objects.get(bucket, key)
    prefix = key.rstrip("/") + "/" if key.rstrip("/") else ""
    files = [one] if one else [item for item in objects.after(bucket, prefix, "") if item.key.endswith(SUFFIX)]
    if not files or (one and not one.key.endswith(SUFFIX)):
        raise JobFailure(f"No input file whose name ends in {SUFFIX} was found at {uri}.")
    sizes = [item.size for item in files]
    if max(sizes) > MAX_FILE or sum(sizes) > MAX_JOB:
        raise JobFailure(f"The input is larger than the maximum of {MAX_FILE} bytes per file or {MAX_JOB} per job.")
    return files


def _gather(files: list[StoredObject], target: Path) -> None:
    """All input in one file, each line with its end."""
    if len(files) == 1:
        os.link(files[0].path, target)
        return
    with target.open("wb") as sink:
        for item in files:
            with item.path.open("rb") as source:
                copyfileobj(source, sink, MB)
            sink.write(b"\n")


def _read_files(files: list[StoredObject], path: Path, job: Mapping[str, Any], intake: Intake, index: Index) -> None:
    with path.open("rb") as file:
        for item in files:
            before = len(index)
            extra = 1 if len(files) > 1 else 0
            _read_lines(file, file.tell() + item.size + extra, item, job, intake, index)
            intake.files.append(item.key)
            intake.counts.append(len(index) - before)


def _read_lines(
    file: BinaryIO, end: int, item: StoredObject, job: Mapping[str, Any], intake: Intake, index: Index
) -> None:
    number, position = 0, file.tell()
    while position < end:
        line = file.readline()
        number += 1
        if line.strip():
            body = _record(line, number, item)["modelInput"]
            letter = records.outcome(body, job["modelInvocationType"], job["modelId"])
            intake.unreached = intake.unreached or letter == EXPIRED
            index.add(position, position + len(line), letter)
        position += len(line)
        if len(index) > MAX_RECORDS:
            return


def _record(line: bytes, number: int, item: StoredObject) -> Mapping[str, Any]:
    where = f"line {number} of s3://{item.bucket}/{item.key}"
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise JobFailure(f"The input is not in the expected format: {where} is not valid JSON.") from None
    if not isinstance(record, dict) or not isinstance(record.get("modelInput"), dict):
        raise JobFailure(f"The input is not in the expected format: {where} has no modelInput object.")
    if not isinstance(record.get("recordId", ""), str):
        raise JobFailure(f"The input is not in the expected format: recordId in {where} is not a string.")
    return record


def _check_count(count: int) -> None:
    if count < MIN_RECORDS:  # recorded
        raise JobFailure(f"Batch job contains less records ({count}) than the required minimum of: {MIN_RECORDS}")
    if count > MAX_RECORDS:
        raise JobFailure(f"Batch job contains more records than the allowed maximum of: {MAX_RECORDS}")
