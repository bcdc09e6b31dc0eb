"""Uploads in parts. An upload and its parts are objects too, in places that no bucket's name can reach."""

from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bifrost_cli.sandbox.bedrock.s3 import body, checksums
from bifrost_cli.sandbox.bedrock.s3.api import attributes, creates_only
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal, bad_digest
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.bedrock.s3.target import answer, bucket_of, key_of
from bifrost_cli.sandbox.bedrock.s3.xml import Node, read
from bifrost_cli.sandbox.http import MB, Call
from bifrost_cli.sandbox.ids import MARK, fresh

UPLOADS, PARTS = "/uploads", "/parts"
MIN_PART = 5 * MB
MAX_PARTS = 10_000


async def create(call: Call) -> Response:
    """`POST /{bucket}/{key}?uploads`"""
    bucket, key = bucket_of(call), key_of(call)
    headers = call.request.headers
    doc = {**attributes(headers), "key": key, "bucket": bucket}
    algorithm = headers.get("x-amz-checksum-algorithm", "").lower()
    doc["algorithm"] = algorithm if algorithm in checksums.ALGORITHMS else None
    doc["checksum_type"] = headers.get("x-amz-checksum-type", checksums.COMPOSITE).upper()
    id = fresh(MARK, 60)
    with call.sandbox.store.spool() as folder:
        (folder / "content").touch()
        Objects(call.account).put(StoredObject(UPLOADS, id, call.now, 0, doc), folder / "content")
    shown = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": str(doc["checksum_type"])}
    nodes: list[Node] = [("Bucket", bucket), ("Key", key), ("UploadId", id)]
    return answer("InitiateMultipartUploadResult", nodes, shown if doc["algorithm"] else None)


async def put_part(call: Call) -> Response:
    """`PUT /{bucket}/{key}?partNumber&uploadId`"""
    upload, number = _upload(call), call.query.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= MAX_PARTS:
        raise S3Refusal("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    with call.sandbox.store.spool() as folder:
        content = await body.receive(call, folder / "content")
        doc = {"etag": content.md5, "checksum": content.checksum, "checksum_type": upload.doc["checksum_type"]}
        part = StoredObject(PARTS, _part_key(upload.key, int(number)), call.now, content.size, doc)
        stored = Objects(call.account).put(part, folder / "content")
    assert stored is not None
    headers = {"etag": stored.etag, "x-amz-server-side-encryption": "AES256"}
    if content.checksum:
        headers[checksums.PREFIX + content.checksum[0]] = content.checksum[1]
    return Response(headers=headers)


async def complete(call: Call) -> Response:
    """`POST /{bucket}/{key}?uploadId`"""
    upload = _upload(call)
    root = read(await body.read(call, 2 * MB), "CompleteMultipartUpload")
    if root is None or not root.findall("Part"):
        raise S3Refusal("MalformedXML")
    stored = await run_in_threadpool(_complete, call, upload, root.findall("Part"))
    nodes: list[Node] = [
        ("Location", str(call.request.url.replace(query=""))),
        ("Bucket", stored.bucket),
        ("Key", stored.key),
        ("ETag", stored.etag),
    ]
    if stored.doc["checksum"]:
        nodes += [(f"Checksum{stored.doc['checksum'][0].upper()}", stored.doc["checksum"][1])]
        nodes += [("ChecksumType", stored.doc["checksum_type"])]
    return answer("CompleteMultipartUploadResult", nodes)


async def abort(call: Call) -> Response:
    """`DELETE /{bucket}/{key}?uploadId`"""
    _forget(Objects(call.account), _upload(call).key)
    return Response(status_code=204)


def _upload(call: Call) -> StoredObject:
    upload = Objects(call.account).get(UPLOADS, call.query.get("uploadId", ""))
    if upload is None or (upload.doc["bucket"], upload.doc["key"]) != (bucket_of(call), key_of(call)):
        raise S3Refusal("NoSuchUpload", nodes=[("UploadId", call.query.get("uploadId", ""))])
    return upload


def _part_key(upload_id: str, number: int) -> str:
    return f"{upload_id}/{number:05}"


@dataclass(frozen=True)
class _Claim:
    """A part as the request to complete names it."""

    number: int
    etag: str


def _claims(parts: list[Element]) -> list[_Claim]:
    claims = []
    for part in parts:
        number, etag = part.findtext("PartNumber", ""), part.findtext("ETag", "").strip('"')
        if not number.isdigit():
            raise S3Refusal("MalformedXML")
        claims.append(_Claim(int(number), etag))
    numbers = [claim.number for claim in claims]
    if numbers != sorted(set(numbers)):
        raise S3Refusal("InvalidPartOrder")
    return claims


def _complete(call: Call, upload: StoredObject, elements: list[Element]) -> StoredObject:
    objects = Objects(call.account)
    parts = [_part(objects, upload.key, claim) for claim in _claims(elements)]
    for part in parts[:-1]:
        if part.size < MIN_PART:
            nodes: list[Node] = [("ProposedSize", part.size), ("MinSizeAllowed", MIN_PART)]
            raise S3Refusal("EntityTooSmall", nodes=nodes)
    with call.sandbox.store.spool() as folder:
        whole = _join(parts, folder / "content", upload.doc["algorithm"])
        item = _whole(call, upload, parts, whole)
        stored = objects.put(item, folder / "content", fresh_only=creates_only(call))
    if stored is None:
        raise S3Refusal("PreconditionFailed", nodes=[("Condition", "If-None-Match")])
    call.account.count("objects")
    _forget(objects, upload.key)
    return stored


def _part(objects: Objects, upload_id: str, claim: _Claim) -> StoredObject:
    part = objects.get(PARTS, _part_key(upload_id, claim.number))
    if part is None or part.doc["etag"] != claim.etag:
        nodes: list[Node] = [("UploadId", upload_id), ("PartNumber", claim.number), ("ETag", claim.etag)]
        raise S3Refusal("InvalidPart", nodes=nodes)
    return part


def _join(parts: list[StoredObject], target: Path, algorithm: str | None) -> str | None:
    """Writes the parts one after another; gives the checksum of the whole, where it can be computed."""
    digest = checksums.digest_for(algorithm or "")
    with target.open("wb") as sink:
        for part in parts:
            with part.path.open("rb") as source:
                while data := source.read(MB):
                    sink.write(data)
                    if digest is not None:
                        digest.update(data)
    return checksums.encode(digest) if digest is not None else None


def _whole(call: Call, upload: StoredObject, parts: list[StoredObject], whole: str | None) -> StoredObject:
    """The object that the parts make. `whole` is the checksum of their bytes."""
    digests = b"".join(bytes.fromhex(part.doc["etag"]) for part in parts)
    etag = f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    doc: dict[str, Any] = {name: upload.doc[name] for name in ("headers", "metadata", "checksum_type")}
    doc |= {"etag": etag, "checksum": _checksum(call, upload, parts, whole)}
    return StoredObject(upload.doc["bucket"], upload.doc["key"], call.now, sum(part.size for part in parts), doc)


def _checksum(call: Call, upload: StoredObject, parts: list[StoredObject], whole: str | None) -> tuple[str, str] | None:
    """The checksum of the object: of its bytes, or of the checksums of its parts. One that was sent must be equal."""
    algorithm, claimed = upload.doc["algorithm"], checksums.sent(call.request.headers)
    if algorithm is None:
        return None
    value = whole
    if upload.doc["checksum_type"] == checksums.COMPOSITE:
        values = [part.doc["checksum"][1] for part in parts if part.doc["checksum"]]
        value = checksums.composite(algorithm, values) if len(values) == len(parts) else None
    if claimed is not None and value is not None and claimed[1].partition("-")[0] != value.partition("-")[0]:
        raise bad_digest(claimed[0].upper())
    return (algorithm, value) if value else claimed


def _forget(objects: Objects, upload_id: str) -> None:
    objects.delete(UPLOADS, upload_id)
    for part in list(objects.after(PARTS, upload_id + "/", "")):
        objects.delete(PARTS, part.key)
