"""S3's calls for one object: put, get, head and delete; and those for a bucket that do not list it."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from bifrost_cli.sandbox.bedrock import aws
from bifrost_cli.sandbox.bedrock.s3 import body, checksums
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.bedrock.s3.target import (
    answer,
    bucket_of,
    checksum_headers,
    description,
    find,
    key_of,
)
from bifrost_cli.sandbox.bedrock.s3.xml import Node, read
from bifrost_cli.sandbox.http import MB, Call, download

MAX_METADATA = 2048
MAX_DELETED = 1000
_KEPT = ("content-type", "content-encoding", "cache-control", "content-disposition", "content-language", "expires")
_META = "x-amz-meta-"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK = 256 * 1024


async def put(call: Call) -> Response:
    """`PUT /{bucket}/{key}`"""
    bucket, key = bucket_of(call), key_of(call)
    doc = attributes(call.request.headers)
    fresh_only = creates_only(call)
    with call.sandbox.store.spool() as folder:
        content = await body.receive(call, folder / "content")
        doc |= {"etag": content.md5, "checksum": content.checksum, "checksum_type": checksums.FULL_OBJECT}
        item = StoredObject(bucket, key, call.now, content.size, doc)
        stored = await run_in_threadpool(_store, call, item, folder / "content", fresh_only)
    headers = {"etag": stored.etag, "x-amz-server-side-encryption": "AES256", **checksum_headers(stored)}
    return Response(headers=headers)


def _store(call: Call, item: StoredObject, content: Path, fresh_only: bool) -> StoredObject:
    stored = Objects(call.account).put(item, content, fresh_only=fresh_only)
    if stored is None:
        raise S3Refusal("PreconditionFailed", nodes=[("Condition", "If-None-Match")])
    call.account.count("objects")
    return stored


def creates_only(call: Call) -> bool:
    """Whether an object of that name is in the way of a put."""
    condition = call.request.headers.get("if-none-match")
    if condition not in (None, "*") or "if-match" in call.request.headers:
        raise S3Refusal("NotImplemented")
    return condition == "*"


def attributes(headers: Mapping[str, str]) -> dict[str, object]:
    """What is kept of the headers of a put. Raises S3Refusal when metadata is too large."""
    kept = {name: headers[name] for name in _KEPT if name in headers}
    kept.setdefault("content-type", "binary/octet-stream")
    encodings = [part.strip() for part in kept.pop("content-encoding", "").split(",")]
    encoding = ",".join(part for part in encodings if part and part != "aws-chunked")
    metadata = {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MAX_METADATA:
        raise S3Refusal("MetadataTooLarge", nodes=[("Size", size), ("MaxSizeAllowed", MAX_METADATA)])
    return {"headers": {**kept, **({"content-encoding": encoding} if encoding else {})}, "metadata": metadata}


async def get(call: Call) -> Response:
    """`GET /{bucket}/{key}`, whole or a range"""
    item = find(call)
    _check_conditions(call, item)
    headers = description(item)
    span = _range(call, item)
    if span is None:
        return download(item.path, headers | _checksum(call, item))
    start, end = span
    headers |= {"content-range": f"bytes {start}-{end}/{item.size}", "content-length": str(end - start + 1)}
    return StreamingResponse(_part(item.path, start, end + 1), 206, headers)


async def head(call: Call) -> Response:
    """`HEAD /{bucket}/{key}`"""
    item = find(call)
    _check_conditions(call, item)
    return Response(headers=description(item) | _checksum(call, item) | {"content-length": str(item.size)})


def _checksum(call: Call, item: StoredObject) -> dict[str, str]:
    wanted = call.request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    return checksum_headers(item) if wanted else {}


def _check_conditions(call: Call, item: StoredObject) -> None:
    matching, other = call.request.headers.get("if-match"), call.request.headers.get("if-none-match")
    if matching is not None and matching not in ("*", item.etag):
        raise S3Refusal("PreconditionFailed", nodes=[("Condition", "If-Match")])
    if other is not None and other in ("*", item.etag):
        raise S3Refusal("NotModified")


def _range(call: Call, item: StoredObject) -> tuple[int, int] | None:
    """The first and last byte that are asked for; None for all of them. A range that cannot be read is ignored."""
    match = _RANGE.fullmatch(call.request.headers.get("range", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, item.size - int(last)), item.size - 1
    else:
        start, end = int(first), min(int(last), item.size - 1) if last else item.size - 1
    if start >= item.size or (first and last and int(first) > int(last)):
        nodes: list[Node] = [("RangeRequested", match[0]), ("ActualObjectSize", item.size)]
        raise S3Refusal("InvalidRange", nodes=nodes)
    return start, end


async def _part(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := await run_in_threadpool(file.read, min(_CHUNK, end - start))):
            start += len(data)
            yield data


async def delete(call: Call) -> Response:
    """`DELETE /{bucket}/{key}`; also for an object that is not there"""
    Objects(call.account).delete(bucket_of(call), key_of(call))
    return Response(status_code=204)


async def delete_many(call: Call) -> Response:
    """`POST /{bucket}?delete`"""
    bucket = bucket_of(call)
    headers = call.request.headers
    if "content-md5" not in headers and checksums.sent(headers) is None and "x-amz-trailer" not in headers:
        raise S3Refusal("InvalidRequest", "Missing required header for this request: Content-MD5")
    root = read(await body.read(call, 2 * MB), "Delete")
    keys = [item.findtext("Key") for item in root.findall("Object")] if root is not None else []
    if root is None or not keys or len(keys) > MAX_DELETED or not all(keys):
        raise S3Refusal("MalformedXML")
    for key in keys:
        Objects(call.account).delete(bucket, str(key))
    quiet = root.findtext("Quiet") == "true"
    return answer("DeleteResult", [] if quiet else [("Deleted", [("Key", key)]) for key in keys])


async def head_bucket(call: Call) -> Response:
    """`HEAD /{bucket}`"""
    bucket_of(call)
    return Response(headers={"x-amz-bucket-region": aws.REGION})


async def location(call: Call) -> Response:
    """`GET /{bucket}?location`; the oldest region has no name here (documented)"""
    bucket_of(call)
    return answer("LocationConstraint", [])
