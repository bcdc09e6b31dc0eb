"""Hub -> wire and wire -> hub. The hub is Anthropic's own form, so there is little to do."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

from bifrost_cli.errors import BY_TYPE, BifrostError, NetworkError, UpstreamError, for_status
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.sse import Event


class Messages(Encoder[None]):
    """Requests as they are: members of `requests` in the create body."""

    provider = "anthropic"
    endpoint = "/v1/messages"
    place = "messages"

    def settle(self) -> dict[str, Any]:
        return self.params

    def translate(self, messages: list[Any]) -> tuple["Messages", list[Any]]:
        return self, messages

    @staticmethod
    def frame(custom_id: Any, params: Any) -> dict[str, Any]:
        return {"custom_id": custom_id, "params": params}


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


# -- messages ---------------------------------------------------------------------------------------------------


def to_message(answer: dict[str, Any]) -> dict[str, Any]:
    """A message, as it is."""
    if answer["type"] == "message" and isinstance(answer["content"], list):
        return answer
    raise odd()


def to_count(answer: dict[str, Any]) -> int:
    """`{"input_tokens": n}`."""
    return int(answer["input_tokens"])


def to_models(answer: dict[str, Any]) -> Page[dict[str, Any]]:
    """A page of models."""
    return Page(
        [item for item in answer["data"] if item["id"]], answer.get("last_id") if answer.get("has_more") else None
    )


async def to_events(events: AsyncIterator[Event]) -> AsyncIterator[dict[str, Any]]:
    """The events as they come. Raises what an `error` event says, and NetworkError where the last one is missing."""
    async for event in events:
        said = _parsed(event)
        if said["type"] == "error":
            raise _failure(said)
        yield said
        if said["type"] == "message_stop":
            return
    raise NetworkError("anthropic's stream ended before its last event.", provider="anthropic")


def _parsed(event: Event) -> dict[str, Any]:
    try:
        said: dict[str, Any] = orjson.loads(event.data)
        if isinstance(said["type"], str):
            return said
    except (orjson.JSONDecodeError, LookupError, TypeError):
        pass
    raise odd()


def _failure(said: dict[str, Any]) -> BifrostError:
    error = said.get("error")
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message") or "anthropic broke the stream off and gave no reason.")
    kind = BY_TYPE.get(str(error.get("type")), UpstreamError)
    return kind(message, provider="anthropic", request_id=said.get("request_id"))


def odd() -> BifrostError:
    """For an answer that is no message."""
    return BifrostError("anthropic's answer is not a message.", provider="anthropic")
