"""The part of S3 that Bedrock's jobs need, with boto3 and obstore as judges."""

import base64
import datetime
import hashlib
import hmac
import io
import os
import zlib
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from obstore.store import S3Store

from tests.sandbox.aws_kit import HTTP, Aws, refused

MB = 1024 * 1024
BUCKET = "bifrost-sandbox"


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


@pytest.fixture
def s3(aws: Aws) -> Any:
    return aws.s3


@pytest.fixture
def base(aws: Aws) -> str:
    return f"{aws.variables['AWS_ENDPOINT_URL_S3']}/{BUCKET}"


def send(request: Any, body: Any = None, **headers: str) -> httpx.Response:
    prepared = request.prepare()
    sent = {**prepared.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent.pop("Content-Length", None)
    return HTTP.request(prepared.method, prepared.url, headers=sent, content=prepared.body if body is None else body)


def code_of(answer: httpx.Response) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_put_get_head_delete(s3: Any) -> None:
    body = "Grüße\n".encode()
    put = s3.put_object(
        Bucket=BUCKET, Key="a/b c.txt", Body=body, ContentType="text/plain", Metadata={"name": "x", "Other": "y"}
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    got = s3.get_object(Bucket=BUCKET, Key="a/b c.txt")
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=BUCKET, Key="a/b c.txt", ChecksumMode="ENABLED")
    for answer in (got, head):
        assert answer["Metadata"] == {"name": "x", "other": "y"}
        assert (answer["ContentType"], answer["ContentLength"], answer["ETag"]) == ("text/plain", 8, put["ETag"])
        assert (answer["AcceptRanges"], answer["ServerSideEncryption"]) == ("bytes", "AES256")
        assert (answer["ChecksumCRC32"], answer["ChecksumType"]) == (put["ChecksumCRC32"], "FULL_OBJECT")
    assert s3.delete_object(Bucket=BUCKET, Key="a/b c.txt")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="a/b c.txt")
    s3.delete_object(Bucket=BUCKET, Key="a/b c.txt")


def test_an_object_is_replaced(aws: Aws, instant_url: str) -> None:
    for body in (b"one", b"two"):
        aws.s3.put_object(Bucket=BUCKET, Key="a", Body=body)
    assert (aws.read("a"), aws.keys()) == (b"two", ["a"])


@pytest.mark.parametrize(
    "name", ["a b", "ü/🎉", "a+b&c=d", "a//b", "trailing/", "a%2Fb", "x" * 1024, "a'(b)*!~.c", "../up", "?q#f"]
)
def test_odd_keys(s3: Any, name: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=name, Body=b"x")
    assert s3.get_object(Bucket=BUCKET, Key=name)["Body"].read() == b"x"
    (item,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert item["Key"] == name


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=2-4", "234"),
        ("bytes=7-", "789"),
        ("bytes=-3", "789"),
        ("bytes=0-99", "0123456789"),
        ("bytes=-99", "0123456789"),
    ],
)
def test_ranges(s3: Any, asked: str, part: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    answer = s3.get_object(Bucket=BUCKET, Key="a", Range=asked)
    assert answer["Body"].read().decode() == part
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentRange"].endswith("/10")


def test_a_range_beyond_the_end(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="a", Range="bytes=10-")
    assert refused(caught.value)[:2] == (416, "InvalidRange")
    assert s3.get_object(Bucket=BUCKET, Key="a", Range="lines=1-2")["Body"].read() == b"0123456789"


def test_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="a", Body=b"x", IfNoneMatch="*")["ETag"]
    for call in (
        lambda: s3.put_object(Bucket=BUCKET, Key="a", Body=b"y", IfNoneMatch="*"),
        lambda: s3.get_object(Bucket=BUCKET, Key="a", IfMatch='"other"'),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert refused(caught.value)[:2] == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=BUCKET, Key="a", IfMatch=etag)["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="a", IfNoneMatch=etag)
    assert refused(caught.value)[0] == 304


def test_listing(s3: Any, aws: Aws) -> None:
    keys = ["a", "b/1", "b/2", "b/c/3", "b2", "d/", "é", "z z"]
    for key in reversed(keys):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert aws.keys() == sorted(keys, key=str.encode)
    assert aws.keys("b/") == ["b/1", "b/2", "b/c/3"]
    top = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [item["Key"] for item in top["Contents"]] == ["a", "b2", "z z", "é"]
    assert [item["Prefix"] for item in top["CommonPrefixes"]] == ["b/", "d/"]
    inner = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/", Prefix="b/")
    assert [item["Prefix"] for item in inner["CommonPrefixes"]] == ["b/c/"]
    later = s3.list_objects_v2(Bucket=BUCKET, StartAfter="b/2")["Contents"]
    assert later[0]["Key"] == "b/c/3"
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="none").get("Contents") is None


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages(s3: Any, size: int) -> None:
    for key in ("a", "b/1", "b/2", "c", "d/1"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": size}
    )
    found: list[str] = []
    for page in pages:
        assert page["KeyCount"] <= size
        found += [item["Key"] for item in page.get("Contents", [])]
        found += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    assert sorted(found) == ["a", "b/", "c", "d/"]


def test_the_bucket(s3: Any) -> None:
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket="other")
    assert refused(caught.value)[:2] == (404, "404")
    for call in (s3.list_objects_v2, lambda **fields: s3.put_object(Key="a", Body=b"x", **fields)):
        with pytest.raises(ClientError) as caught:
            call(Bucket="other")
        assert refused(caught.value) == (404, "NoSuchBucket", "The specified bucket does not exist")


def test_deleting_many(s3: Any, aws: Aws) -> None:
    for key in ("a", "b", "c & d"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in ("a", "c & d", "none")]})
    assert [item["Key"] for item in gone["Deleted"]] == ["a", "c & d", "none"]
    assert aws.keys() == ["b"]
    assert "Deleted" not in s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}], "Quiet": True})


def test_twenty_megabytes_in_parts(s3: Any, tmp_path: Path) -> None:
    body = os.urandom(20 * MB + 17)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "big", ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=BUCKET, Key="big")
    assert (head["ContentLength"], head["Metadata"]) == (len(body), {"a": "b"})
    assert head["ETag"].endswith('-3"')
    s3.download_file(BUCKET, "big", str(tmp_path / "big"))
    assert (tmp_path / "big").read_bytes() == body
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "whole", Config=TransferConfig(multipart_threshold=64 * MB))
    assert s3.get_object(Bucket=BUCKET, Key="whole")["Body"].read() == body


@pytest.fixture
def upload(s3: Any) -> str:
    return str(s3.create_multipart_upload(Bucket=BUCKET, Key="big", ChecksumAlgorithm="SHA256")["UploadId"])


def put_part(s3: Any, upload: str, number: int, body: bytes) -> dict[str, Any]:
    put = s3.upload_part(
        Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
    )
    return {"ETag": put["ETag"], "PartNumber": number, "ChecksumSHA256": put["ChecksumSHA256"]}


def complete(s3: Any, upload: str, parts: list[dict[str, Any]], **fields: Any) -> Any:
    return s3.complete_multipart_upload(
        Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}, **fields
    )


def test_parts(s3: Any, aws: Aws, upload: str) -> None:
    parts = [put_part(s3, upload, number, body) for number, body in ((7, b"b"), (2, b"a" * 5 * MB))]
    put_part(s3, upload, 9, b"not used")
    assert aws.keys() == []
    done = complete(s3, upload, parts[::-1])
    digests = [hashlib.sha256(body).digest() for body in (b"a" * 5 * MB, b"b")]
    composite = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (f"{composite}-2", "COMPOSITE")
    assert s3.get_object(Bucket=BUCKET, Key="big")["Body"].read() == b"a" * 5 * MB + b"b"
    with pytest.raises(ClientError) as caught:
        complete(s3, upload, parts)
    assert refused(caught.value)[1] == "NoSuchUpload"


def test_bad_parts(s3: Any, upload: str) -> None:
    one, two = put_part(s3, upload, 1, b"small"), put_part(s3, upload, 2, b"small")
    for parts, code in (
        ([two, one], "InvalidPartOrder"),
        ([one, two], "EntityTooSmall"),
        ([{**one, "PartNumber": 3}], "InvalidPart"),
        ([{**one, "ETag": '"x"'}], "InvalidPart"),
    ):
        with pytest.raises(ClientError) as caught:
            complete(s3, upload, parts)
        assert refused(caught.value)[:2] == (400, code)
    s3.put_object(Bucket=BUCKET, Key="big", Body=b"x")
    with pytest.raises(ClientError) as caught:
        complete(s3, upload, [one], IfNoneMatch="*")
    assert refused(caught.value)[0] == 412


def test_an_aborted_upload(s3: Any, upload: str) -> None:
    part = put_part(s3, upload, 1, b"x")
    s3.abort_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload)
    for call in (
        lambda: put_part(s3, upload, 1, b"x"),
        lambda: complete(s3, upload, [part]),
        lambda: s3.abort_multipart_upload(Bucket=BUCKET, Key="big", UploadId=upload),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert refused(caught.value)[:2] == (404, "NoSuchUpload")


def test_the_parts_checksum_as_a_whole(s3: Any) -> None:
    made = s3.create_multipart_upload(Bucket=BUCKET, Key="big", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    part = s3.upload_part(
        Bucket=BUCKET, Key="big", UploadId=made["UploadId"], PartNumber=1, Body=b"hello", ChecksumAlgorithm="CRC32"
    )
    parts = [{"ETag": part["ETag"], "PartNumber": 1, "ChecksumCRC32": part["ChecksumCRC32"]}]
    with pytest.raises(ClientError) as caught:
        complete(s3, made["UploadId"], parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    assert refused(caught.value)[1] == "BadDigest"
    done = complete(s3, made["UploadId"], parts)
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (part["ChecksumCRC32"], "FULL_OBJECT")


def test_presigned(aws: Aws) -> None:
    fields = {"Bucket": BUCKET, "Key": "ü b"}
    put = aws.s3.generate_presigned_url("put_object", Params=fields, ExpiresIn=60)
    assert HTTP.put(put, content=b"hello").status_code == 200
    get = aws.s3.generate_presigned_url("get_object", Params=fields, ExpiresIn=60)
    assert HTTP.get(get).content == b"hello"
    assert code_of(HTTP.get(get.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))) == "SignatureDoesNotMatch"
    assert code_of(HTTP.delete(get)) == "SignatureDoesNotMatch"


def test_an_expired_url(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    past = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - datetime.timedelta(seconds=100)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *args, **fields: past)
    url = aws.s3.generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET}, ExpiresIn=60)
    answer = HTTP.get(url)
    assert (answer.status_code, code_of(answer)) == (403, "AccessDenied")
    assert "Request has expired" in answer.text


def chunked(aws: Aws, base: str, mode: str, chunks: list[bytes], trailers: dict[str, str]) -> tuple[Any, bytes]:
    """A put in AWS's chunked encoding, its beginning signed by botocore, and its body."""
    sent = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(sum(map(len, chunks))),
        **({"x-amz-trailer": ",".join(trailers)} if trailers else {}),
    }
    request = aws.signed("PUT", f"{base}/a", service="s3", payload=mode, **sent)
    seed = request.headers["Authorization"].rpartition("Signature=")[2]
    return request, _Chunks(aws, request.headers["X-Amz-Date"], seed, mode).encode(chunks, trailers)


class _Chunks:
    """Signs chunks as it is documented, which botocore does not do."""

    def __init__(self, aws: Aws, date: str, seed: str, mode: str) -> None:
        self.secret, self.date, self.previous, self.signed = aws.secret, date, seed, "HMAC" in mode

    def sign(self, kind: str, *hashes: str) -> str:
        key = f"AWS4{self.secret}".encode()
        for part in (self.date[:8], "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        lines = (f"AWS4-HMAC-SHA256-{kind}", self.date, f"{self.date[:8]}/us-east-1/s3/aws4_request", self.previous)
        self.previous = hmac.new(key, "\n".join((*lines, *hashes)).encode(), hashlib.sha256).hexdigest()
        return self.previous

    def encode(self, chunks: list[bytes], trailers: dict[str, str]) -> bytes:
        body = b""
        for chunk in [*chunks, b""]:
            hashes = (hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest())
            extension = f";chunk-signature={self.sign('PAYLOAD', *hashes)}" if self.signed else ""
            body += f"{len(chunk):x}{extension}\r\n".encode() + chunk + (b"\r\n" if chunk else b"")
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        if trailers:
            body += text.replace("\n", "\r\n").encode()
            if self.signed:
                signature = self.sign("TRAILER", hashlib.sha256(text.encode()).hexdigest())
                body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return body + b"\r\n"


CRC = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big")).decode()}
MODES = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": {},
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": CRC,
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": CRC,
}


@pytest.mark.parametrize("mode", MODES)
def test_chunked_bodies(aws: Aws, base: str, mode: str) -> None:
    request, body = chunked(aws, base, mode, [b"hello ", b"world"], MODES[mode])
    assert send(request, body).status_code == 200
    assert aws.read("a") == b"hello world"
    head = aws.s3.head_object(Bucket=BUCKET, Key="a", ChecksumMode="ENABLED")
    assert head.get("ChecksumCRC32") == MODES[mode].get("x-amz-checksum-crc32")
    assert "ContentEncoding" not in head


def test_chunks_as_botocore_makes_them(aws: Aws, base: str) -> None:
    """It does so over TLS only."""
    content = os.urandom(3 * MB)
    wrapped = AwsChunkedWrapper(
        io.BytesIO(content), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=MB
    )
    request, _ = chunked(aws, base, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", [content], CRC)
    assert send(request, wrapped.read()).status_code == 200
    assert aws.read("a") == content


@pytest.mark.parametrize("mode", MODES)
def test_chunked_bodies_that_were_changed(aws: Aws, base: str, mode: str) -> None:
    request, body = chunked(aws, base, mode, [b"hello ", b"world"], MODES[mode])
    expected = "BadDigest" if "UNSIGNED" in mode else "SignatureDoesNotMatch"
    assert code_of(send(request, body.replace(b"world", b"w0rld"))) == expected
    assert code_of(send(request, body[: body.rindex(b"\r\n0")])) == "IncompleteBody"
    assert code_of(send(request, b"nonsense\r\n" + body)) == "InvalidRequest"
    if "TRAILER" in mode:
        assert code_of(send(request, body.replace(CRC["x-amz-checksum-crc32"].encode(), b"AAAAAA=="))) == expected
    assert aws.keys() == []


def test_unsigned_and_wrong_hashes(aws: Aws, base: str) -> None:
    request = aws.signed("PUT", f"{base}/a", b"x", service="s3", payload="UNSIGNED-PAYLOAD")
    assert send(request).status_code == 200
    good = aws.signed("PUT", f"{base}/b", b"x", service="s3")
    assert code_of(send(good, b"y")) == "XAmzContentSHA256Mismatch"
    md5 = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    assert code_of(send(aws.signed("PUT", f"{base}/b", b"x", service="s3", content_md5=md5))) == "BadDigest"
    assert code_of(send(aws.signed("PUT", f"{base}/b", b"x", service="s3", content_md5="?"))) == "InvalidDigest"
    crc = {"x_amz_checksum_crc32": "AAAAAA=="}
    assert code_of(send(aws.signed("PUT", f"{base}/b", b"x", service="s3", **crc))) == "BadDigest"


REFUSED: dict[str, tuple[str, str, dict[str, str], str]] = {
    "copy": ("PUT", "/a", {"x_amz_copy_source": "b/c"}, "NotImplemented"),
    "acl": ("GET", "/a?acl", {}, "NotImplemented"),
    "tagging": ("PUT", "/a?tagging", {}, "NotImplemented"),
    "first listing": ("GET", "", {}, "NotImplemented"),
    "make a bucket": ("PUT", "", {}, "NotImplemented"),
    "delete a bucket": ("DELETE", "", {}, "MethodNotAllowed"),
    "long key": ("PUT", "/" + "x" * 1025, {}, "KeyTooLongError"),
    "metadata": ("PUT", "/a", {"x_amz_meta_a": "x" * 2048}, "MetadataTooLarge"),
    "delete without digest": ("POST", "?delete", {}, "InvalidRequest"),
    "delete without xml": ("POST", "?delete", {"content_md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "MalformedXML"),
    "max-keys": ("GET", "?list-type=2&max-keys=x", {}, "InvalidArgument"),
    "token": ("GET", "?list-type=2&continuation-token=x", {}, "InvalidArgument"),
    "mode": ("PUT", "/a", {}, "InvalidArgument"),
    "part number": ("PUT", "/a?partNumber=0&uploadId=x", {}, "NoSuchUpload"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(aws: Aws, base: str, case: str) -> None:
    method, path, headers, code = REFUSED[case]
    payload = "nonsense" if case == "mode" else None
    request = aws.signed(method, base + path, service="s3", payload=payload, **headers)
    answer = send(request, b"" if method in ("PUT", "POST") else None)
    assert (code_of(answer), answer.headers["content-type"]) == (code, "application/xml")
    assert answer.headers["x-amz-request-id"] in answer.text


def test_anonymous_calls_and_a_wrong_secret(aws: Aws, base: str, instant: Any) -> None:
    answer = HTTP.get(f"{base}?list-type=2")
    assert (answer.status_code, code_of(answer)) == (403, "AccessDenied")
    wrong = Aws(instant.url, instant.key, secret="other")
    with pytest.raises(ClientError) as caught:
        wrong.s3.put_object(Bucket=BUCKET, Key="a", Body=os.urandom(3 * MB))
    assert refused(caught.value)[:2] == (403, "SignatureDoesNotMatch")
    request = aws.signed("GET", f"{base}?list-type=2", service="s3")
    answer = send(request, x_amz_meta_late="x")
    assert "<HeadersNotSigned>x-amz-meta-late</HeadersNotSigned>" in answer.text


@pytest.fixture
def store(aws: Aws) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=aws.variables["AWS_ENDPOINT_URL_S3"],
        access_key_id=aws.key_id,
        secret_access_key=aws.secret,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def test_obstore(store: S3Store) -> None:
    obstore.put(store, "a/b.jsonl", b"hello", attributes={"Content-Type": "text/plain"})
    obstore.put(store, "a/c", os.urandom(12 * MB), use_multipart=True, chunk_size=5 * MB)
    assert bytes(obstore.get(store, "a/b.jsonl").bytes()) == b"hello"
    assert bytes(obstore.get_range(store, "a/b.jsonl", start=1, end=3)) == b"el"
    assert obstore.head(store, "a/c")["size"] == 12 * MB
    assert [item["path"] for item in obstore.list(store, "a").collect()] == ["a/b.jsonl", "a/c"]
    assert obstore.list_with_delimiter(store)["common_prefixes"] == ["a"]
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "a/b.jsonl", b"x", mode="create", use_multipart=False)
    obstore.delete(store, ["a/b.jsonl", "a/c"])
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "a/c")


@pytest.mark.parametrize("options", [{"unsigned_payload": True}, {"checksum_algorithm": "SHA256"}])
def test_obstore_in_other_forms(aws: Aws, store: S3Store, options: dict[str, Any]) -> None:
    other = S3Store(**{**store.config, **options}, client_options={"allow_http": True})
    obstore.put(other, "a", b"hello")
    assert aws.read("a") == b"hello"
