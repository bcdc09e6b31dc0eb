"""Hub -> wire and wire -> hub. The hub is Anthropic's own form, so there is little to do."""

from typing import Any

import httpx
import orjson

from bifrost_cli.errors import BifrostError, for_status
from bifrost_cli.models import Batch, BatchResult, File, Page, Request
from bifrost_cli.providers.base import Line

ENDPOINT = "/v1/messages"


def encode(request: Request) -> Line:
    """The request as it is: one member of `requests` in the create body."""
    return Line(request["custom_id"], request["params"]["model"], ENDPOINT, orjson.dumps(request))


def decode_result(line: bytes) -> BatchResult:
    """A line of the results, as it is. Raises BifrostError where it is none."""
    try:
        result: BatchResult = orjson.loads(line)
        if isinstance(result["custom_id"], str) and result["result"]["type"]:
            return result
    except (orjson.JSONDecodeError, LookupError, TypeError):
        pass
    raise BifrostError(
        "A line of anthropic's results is not an object with custom_id and result.", provider="anthropic"
    )


def to_file(answer: dict[str, Any]) -> File:
    """FileMetadata."""
    return File.model_validate(answer)


def to_files(answer: dict[str, Any]) -> Page[File]:
    """A page of files: `next_page`, or in the shape of the old beta `has_more` and `last_id`."""
    following = answer.get("next_page") or (answer["last_id"] if answer.get("has_more") else None)
    return Page([to_file(item) for item in answer["data"]], following)


def to_batches(answer: dict[str, Any]) -> Page[Batch]:
    """A page of batches."""
    return Page([to_batch(item) for item in answer["data"]], answer["last_id"] if answer.get("has_more") else None)


def to_batch(answer: dict[str, Any]) -> Batch:
    """MessageBatch."""
    return Batch.model_validate({**answer, "raw": answer, "provider_status": answer["processing_status"]})


def read_error(response: httpx.Response) -> BifrostError:
    """An error answer: `{"type":"error","error":{"type","message"},"request_id"}`."""
    try:
        body = orjson.loads(response.content)
        message, request_id = body["error"]["message"], body.get("request_id")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        message, request_id = f"anthropic answered {response.status_code} {response.reason_phrase}.", None
    request_id = request_id or response.headers.get("request-id")
    return for_status(response.status_code)(message, request_id=request_id)
