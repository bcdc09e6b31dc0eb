"""Which bucket and object a request is about, and the answers that most operations share."""

from collections.abc import Mapping, Sequence
from email.utils import formatdate
from urllib.parse import unquote

from starlette.responses import Response

from bifrost_cli.sandbox.bedrock import aws
from bifrost_cli.sandbox.bedrock.s3 import checksums
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.bedrock.s3.xml import Node, document
from bifrost_cli.sandbox.http import Call

LONGEST_KEY = 1024


def bucket_of(call: Call) -> str:
    """The bucket. Raises S3Refusal when there is none of that name."""
    name = unquote(call.path["bucket"])
    if name != aws.BUCKET:
        raise S3Refusal("NoSuchBucket", nodes=[("BucketName", name)])
    return name


def key_of(call: Call) -> str:
    """The key of the object. Raises S3Refusal when it is too long."""
    key = unquote(call.path["key"])
    size = len(key.encode("utf-8", "surrogateescape"))
    if size > LONGEST_KEY:
        raise S3Refusal("KeyTooLongError", nodes=[("Size", size), ("MaxSizeAllowed", LONGEST_KEY)])
    return key


def find(call: Call) -> StoredObject:
    """The object. Raises S3Refusal when there is none."""
    bucket, key = bucket_of(call), key_of(call)
    item = Objects(call.account).get(bucket, key)
    if item is None:
        raise S3Refusal("NoSuchKey", nodes=[("Key", key)])
    return item


def answer(name: str, nodes: Sequence[Node], headers: Mapping[str, str] | None = None) -> Response:
    """An XML document with status 200."""
    return Response(document(name, nodes), headers=dict(headers or {}), media_type="application/xml")


def description(item: StoredObject) -> dict[str, str]:
    """The headers that describe an object."""
    return {
        **item.doc["headers"],
        **{f"x-amz-meta-{name}": value for name, value in item.doc["metadata"].items()},
        "last-modified": formatdate(int(item.modified), usegmt=True),
        "etag": item.etag,
        "accept-ranges": "bytes",
        "x-amz-server-side-encryption": "AES256",
    }


def checksum_headers(item: StoredObject) -> dict[str, str]:
    """The headers with an object's checksum, where it has one."""
    if not item.doc.get("checksum"):
        return {}
    algorithm, value = item.doc["checksum"]
    return {checksums.PREFIX + algorithm: value, checksums.PREFIX + "type": item.doc["checksum_type"]}
