"""The canonical shapes: Anthropic's own, as its Files and Message Batches APIs answer them.

Objects that people look at (`File`, `Batch`) are pydantic models. What passes by the hundred thousand
(requests in, results out) are typed dicts: no model object is made per request.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
ProcessingStatus = Literal["in_progress", "canceling", "ended"]
Outcome = Literal["succeeded", "errored", "canceled", "expired"]


class Request(TypedDict):
    """One line of input: `params` is the body of Anthropic's `POST /v1/messages`."""

    custom_id: str
    params: dict[str, Any]


class ErrorBody(TypedDict):
    """The inner error; `type` is one of Anthropic's (`invalid_request_error`, `overloaded_error`, ...)."""

    type: str
    message: str


class ErrorEnvelope(TypedDict):
    """Anthropic's whole error answer; a batch result nests it as `result.error`."""

    type: Literal["error"]
    error: ErrorBody
    request_id: NotRequired[str | None]


class Result(TypedDict):
    """What became of one request: `message` where it succeeded, `error` where it errored."""

    type: Outcome
    message: NotRequired[dict[str, Any]]
    error: NotRequired[ErrorEnvelope]


class BatchResult(TypedDict):
    """One line of `results`."""

    custom_id: str
    result: Result


def succeeded(custom_id: str, message: dict[str, Any]) -> BatchResult:
    """A result that carries an Anthropic message."""
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}


def errored(custom_id: str, type: str, message: str, request_id: str | None = None) -> BatchResult:
    """A result that carries Anthropic's error envelope; `type` is one of its error types."""
    envelope: ErrorEnvelope = {"type": "error", "error": {"type": type, "message": message}, "request_id": request_id}
    return {"custom_id": custom_id, "result": {"type": "errored", "error": envelope}}


class Model(BaseModel):
    """Members that a provider adds later pass through."""

    model_config = ConfigDict(extra="allow")


class File(Model):
    """Anthropic's FileMetadata. Beyond its members: `provider`, and `purpose` where the provider has one."""

    id: str
    type: Literal["file"] = "file"
    filename: str
    mime_type: str
    size_bytes: int
    created_at: datetime
    downloadable: bool = False
    expires_at: datetime | None = None
    provider: str | None = None
    purpose: str | None = None


class RequestCounts(BaseModel):
    """Always sum to the number of requests in the batch."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """All requests of the batch."""
        return self.done + self.processing

    @property
    def done(self) -> int:
        """Those with an outcome."""
        return self.succeeded + self.errored + self.canceled + self.expired


class BatchError(BaseModel):
    """Why a provider refused a whole batch; `line` is 1-based in the input, where it blames one."""

    code: str | None = None
    message: str
    line: int | None = None


class Batch(Model):
    """Anthropic's MessageBatch. Beyond its members: `provider`, the provider's own state, and its `errors`.

    `raw` is the provider's answer as it came. It feeds the adapter's later calls and is never printed.
    """

    id: str
    type: Literal["message_batch"] = "message_batch"
    processing_status: ProcessingStatus
    request_counts: RequestCounts
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    results_url: str | None = None
    provider: str | None = None
    provider_status: str | None = None
    errors: list[BatchError] | None = None
    raw: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)

    @property
    def ended(self) -> bool:
        """Nothing more will happen to its requests."""
        return self.processing_status == "ended"


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, newest first; `next` is the cursor of the page after it."""

    data: list[T]
    next: str | None = None
