"""ListObjectsV2: the keys below a prefix, page by page, those with a delimiter after it rolled up."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from bifrost_cli.sandbox.bedrock import aws
from bifrost_cli.sandbox.bedrock.s3.errors import S3Refusal
from bifrost_cli.sandbox.bedrock.s3.objects import Objects, StoredObject
from bifrost_cli.sandbox.bedrock.s3.target import answer, bucket_of
from bifrost_cli.sandbox.bedrock.s3.xml import Node
from bifrost_cli.sandbox.http import Call

MAX_KEYS = 1000
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class _Entry:
    """An object, or a prefix that several have in common (`item` is None). `last` is where the next page begins."""

    name: str
    last: str
    item: StoredObject | None = None


async def list_objects(call: Call) -> Response:
    """`GET /{bucket}?list-type=2`"""
    bucket, query = bucket_of(call), call.query
    if query.get("list-type") != "2":
        raise S3Refusal("NotImplemented", "[sandbox] only version 2 of listing (list-type=2) is served")
    prefix, limit = query.get("prefix", ""), _limit(call)
    start = (
        _decoded_token(query["continuation-token"]) if "continuation-token" in query else query.get("start-after", "")
    )
    entries: list[_Entry] = []
    more = False
    for entry in _entries(Objects(call.account), bucket, prefix, query.get("delimiter", ""), start):
        more = len(entries) >= limit
        if more:
            break
        entries.append(entry)
    return answer("ListBucketResult", _result(call, bucket, limit, entries, more and limit > 0))


def _limit(call: Call) -> int:
    text = call.query.get("max-keys", str(MAX_KEYS))
    if not text.isdigit():
        raise S3Refusal("InvalidArgument", "Provided max-keys not an integer or within integer range")
    return min(int(text), MAX_KEYS)


def _entries(objects: Objects, bucket: str, prefix: str, delimiter: str, start: str) -> Iterator[_Entry]:
    """What comes after `start`; what lies below a common prefix is skipped at once."""
    while True:
        for item in objects.after(bucket, prefix, start):
            cut = item.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = item.key[: cut + len(delimiter)]
                start = common + _LAST
                yield _Entry(common, start)
                break
            yield _Entry(item.key, item.key, item)
        else:
            return


def _result(call: Call, bucket: str, limit: int, entries: list[_Entry], more: bool) -> list[Node]:
    query = call.query
    encode = _url if query.get("encoding-type") == "url" else str
    nodes: list[Node] = [
        ("Name", bucket),
        ("Prefix", encode(query.get("prefix", ""))),
        ("StartAfter", encode(query["start-after"]) if "start-after" in query else None),
        ("ContinuationToken", query.get("continuation-token")),
        ("NextContinuationToken", _token(entries[-1].last) if more else None),
        ("KeyCount", len(entries)),
        ("MaxKeys", limit),
        ("Delimiter", encode(query["delimiter"]) if query.get("delimiter") else None),
        ("EncodingType", query.get("encoding-type")),
        ("IsTruncated", more),
    ]
    nodes += [("Contents", _contents(entry.item, encode(entry.name))) for entry in entries if entry.item]
    return nodes + [("CommonPrefixes", [("Prefix", encode(entry.name))]) for entry in entries if not entry.item]


def _contents(item: StoredObject, key: str) -> list[Node]:
    checksum = item.doc.get("checksum")
    return [
        ("Key", key),
        ("LastModified", aws.iso_time(int(item.modified))),
        ("ETag", item.etag),
        ("ChecksumAlgorithm", checksum[0].upper() if checksum else None),
        ("ChecksumType", item.doc["checksum_type"] if checksum else None),
        ("Size", item.size),
        ("StorageClass", "STANDARD"),
    ]


def _url(text: str) -> str:
    return quote(text, safe="/-_.~*")


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeError):
        raise S3Refusal("InvalidArgument", "The continuation token provided is incorrect") from None
