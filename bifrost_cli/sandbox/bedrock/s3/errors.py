"""S3's refusals: a code and a message, in XML."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from bifrost_cli.sandbox.bedrock.s3.xml import Node, document

_ERRORS = {
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (400, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (400, "Query-string authentication requires more parameters."),
    "BadDigest": (400, "The {} you specified did not match the calculated checksum."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpiredToken": (400, "The provided token has expired."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
    ),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
    ),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
    "NotModified": (304, ""),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
    ),
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "SlowDown": (503, "Please reduce your request rate."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}
"""Status and message by code (documented)."""


class S3Refusal(Exception):
    """An answer other than 2xx. `nodes` are further members of the error."""

    def __init__(self, code: str, message: str | None = None, nodes: Sequence[Node] = (), status: int = 0) -> None:
        super().__init__(code)
        known, text = _ERRORS[code]
        self.code = code
        self.status = status or known
        self.message = text if message is None else message
        self.nodes = nodes

    def response(self, request_id: str, resource: str, headers: Mapping[str, str] | None = None) -> Response:
        """The whole answer. One to HEAD has no body on the wire (documented)."""
        if self.status == 304:
            return Response(status_code=304)
        nodes = [("Code", self.code), ("Message", self.message), *self.nodes, ("Resource", resource)]
        body = document("Error", [*nodes, ("RequestId", request_id), ("HostId", host_id(request_id))], namespace=False)
        return Response(body, self.status, headers=dict(headers or {}), media_type="application/xml")


def bad_digest(algorithm: str) -> S3Refusal:
    return S3Refusal("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def host_id(request_id: str) -> str:
    return f"sbx/{request_id}="
