"""Result lines of odd shapes, batches in every state, files, and errors."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    BillingError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    TooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
)
from bifrost_cli.providers.gemini import answers, failures, generate, translate

CREATED = datetime(2026, 8, 19, 14, 34, 12, tzinfo=UTC)
LATER = CREATED + timedelta(days=1)


def operation(state: str, *, stats: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/gemini-2.5-flash",
        "displayName": "tag",
        "inputConfig": {"fileName": "files/frh6ua11nk3o"},
        "createTime": "2026-08-19T14:34:12.000000999Z",
        "updateTime": "2026-08-19T14:40:30.652367227Z",
        "endTime": "2026-08-19T14:40:30.652367187Z",
        "batchStats": stats or {},
        "state": state,
    }
    metadata |= more.pop("metadata", {})
    return {"name": "batches/abc", "metadata": metadata, **more}


OUTPUT = {"output": {"responsesFile": "files/batch-abc"}}


# -- batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_"])
@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("PENDING", "in_progress"),
        ("RUNNING", "in_progress"),
        ("CANCELLING", "canceling"),
        ("SUCCEEDED", "ended"),
        ("FAILED", "ended"),
        ("CANCELLED", "ended"),
        ("EXPIRED", "ended"),
        ("HIBERNATING", "in_progress"),
        ("UNSPECIFIED", "in_progress"),
    ],
)
def test_states(prefix: str, state: str, status: str) -> None:
    batch = translate.to_batch(operation(prefix + state, metadata=OUTPUT))
    assert (batch.id, batch.processing_status, batch.provider_status) == ("abc", status, state)
    assert (batch.ended_at is not None) == batch.ended
    assert batch.created_at == CREATED
    assert batch.expires_at == CREATED + timedelta(hours=48)
    assert batch.provider == "gemini"


@pytest.mark.parametrize(
    ("state", "stats", "counts"),
    [
        ("PENDING", {"requestCount": "3", "pendingRequestCount": "3"}, (3, 0, 0, 0, 0)),
        ("RUNNING", {"requestCount": "5", "successfulRequestCount": "2", "failedRequestCount": "1"}, (2, 2, 1, 0, 0)),
        ("RUNNING", {"requestCount": "5000000000"}, (5_000_000_000, 0, 0, 0, 0)),
        ("SUCCEEDED", {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"}, (0, 2, 1, 0, 0)),
        ("SUCCEEDED", {"requestCount": "3", "successfulRequestCount": "2"}, (0, 2, 1, 0, 0)),
        ("FAILED", {"requestCount": "3", "pendingRequestCount": "3"}, (0, 0, 3, 0, 0)),
        ("CANCELLED", {"requestCount": "3", "successfulRequestCount": "1"}, (0, 1, 0, 2, 0)),
        ("CANCELLED", {"requestCount": "1", "pendingRequestCount": "1"}, (0, 0, 0, 1, 0)),
        ("EXPIRED", {"requestCount": "3", "successfulRequestCount": "2", "pendingRequestCount": "1"}, (0, 0, 0, 0, 3)),
        ("PENDING", {"pendingRequestCount": "2"}, (2, 0, 0, 0, 0)),
        ("PENDING", {}, (0, 0, 0, 0, 0)),
        ("PENDING", None, (0, 0, 0, 0, 0)),
        ("PENDING", {"requestCount": 4}, (4, 0, 0, 0, 0)),
        ("PENDING", {"requestCount": "many"}, (0, 0, 0, 0, 0)),
    ],
)
def test_counts_sum_to_the_total(state: str, stats: Any, counts: tuple[int, ...]) -> None:
    batch = translate.to_batch(operation(f"BATCH_STATE_{state}", stats=stats, metadata=OUTPUT))
    assert tuple(batch.request_counts.model_dump().values()) == counts


def test_a_batch_has_not_ended_while_its_results_are_not_named() -> None:
    stats = {"requestCount": "2", "successfulRequestCount": "2"}
    done = operation("BATCH_STATE_SUCCEEDED", stats=stats, done=True)
    ended_at = datetime(2026, 8, 19, 14, 40, 30, 652367, tzinfo=UTC)
    soon, late = (translate.to_batch(done, ended_at + timedelta(seconds=seconds)) for seconds in (119, 121))
    assert (soon.processing_status, soon.ended_at) == ("in_progress", None)
    assert (soon.request_counts.succeeded, soon.request_counts.total) == (2, 2)
    assert (late.processing_status, late.ended_at) == ("ended", ended_at)
    assert translate.results_file(late.raw) is None
    named: dict[str, Any]
    for named in ({"metadata": OUTPUT}, {"response": OUTPUT["output"]}):
        batch = translate.to_batch(operation("BATCH_STATE_SUCCEEDED", stats=stats, **named), ended_at)
        assert batch.ended
        assert translate.results_file(batch.raw) == "batch-abc"
    inline = operation("BATCH_STATE_SUCCEEDED", metadata={"inputConfig": {}})
    assert translate.to_batch(inline, ended_at).ended


def test_without_a_state_done_says_it() -> None:
    assert translate.to_batch({"name": "batches/a", "metadata": {}}).processing_status == "in_progress"
    assert translate.to_batch({"name": "batches/a", "done": True}).provider_status == "SUCCEEDED"
    assert translate.to_batch({"name": "batches/a", "done": True, "error": {"code": 3}}).provider_status == "FAILED"
    assert translate.to_batch({"metadata": {"name": "batches/a"}}).id == "a"
    with pytest.raises(BifrostError, match="names no batch"):
        translate.to_batch({"metadata": {}})


def test_a_failed_batch_says_why_for_each_request() -> None:
    error = {"code": 3, "message": "Line 2 is not a request."}
    batch = translate.to_batch(operation("BATCH_STATE_FAILED", error=error, done=True))
    assert [(e.code, e.message) for e in batch.errors or ()] == [("INVALID_ARGUMENT", "Line 2 is not a request.")]
    outcome = translate.missing_result(batch, "a", 1)["result"]
    assert outcome["error"]["error"] == {"type": "invalid_request_error", "message": "Line 2 is not a request."}
    silent = translate.to_batch(operation("BATCH_STATE_FAILED"))
    assert [e.message for e in silent.errors or ()] == ["Gemini failed the batch and gave no reason."]
    assert translate.missing_result(silent, "a", 1)["result"]["error"]["error"]["type"] == "api_error"


@pytest.mark.parametrize(
    ("state", "outcome"), [("CANCELLED", "canceled"), ("EXPIRED", "expired"), ("SUCCEEDED", "errored")]
)
def test_what_became_of_requests_that_are_not_mentioned(state: str, outcome: str) -> None:
    error = {"error": {"code": 13, "message": "Batch x failed without error."}} if state == "CANCELLED" else {}
    batch = translate.to_batch(operation(f"BATCH_STATE_{state}", metadata=OUTPUT, **error))
    assert batch.errors is None
    assert translate.missing_result(batch, "a", 1)["result"]["type"] == outcome


def test_a_full_queue_is_no_fault_of_the_requests() -> None:
    error = {"code": 8, "message": "Enqueued token quota exceeded for model gemini-2.5-flash."}
    full = translate.to_batch(operation("BATCH_STATE_FAILED", error=error))
    assert translate.quota_refused(full)
    assert not translate.quota_refused(translate.to_batch(operation("BATCH_STATE_FAILED", error={"code": 3})))
    assert not translate.quota_refused(translate.to_batch(operation("BATCH_STATE_RUNNING", error=error)))


def test_pages() -> None:
    page = translate.to_batches({"operations": [operation("BATCH_STATE_PENDING")], "nextPageToken": "p2"})
    assert ([batch.id for batch in page.data], page.next) == (["abc"], "p2")
    assert translate.to_batches({}).data == []
    odd: dict[str, Any]
    for odd in ({"data": []}, {"files": [FILE]}):
        with pytest.raises(BifrostError, match="no list of operations"):
            translate.to_batches(odd)
    assert (translate.to_files({}).data, translate.to_files({"files": [], "nextPageToken": ""}).next) == ([], None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda i: st.lists(i) | st.dictionaries(st.sampled_from(["metadata", "state", "batchStats", "output", "error", "code", "inlinedResponses", "response", "inputConfig"]), i)))  # fmt: skip  # noqa: E501
def test_no_operation_breaks_the_reading(anything: Any) -> None:
    batch = translate.to_batch({"name": "batches/a", "metadata": anything, "response": anything, "error": anything})
    assert batch.id == "a"
    translate.missing_result(batch, "a", 1)
    translate.inlined(batch.raw)
    translate.results_file(batch.raw)


# -- files ------------------------------------------------------------------------------------------------------

FILE = {
    "name": "files/k4t1ywl66fz2",
    "displayName": "sample.pdf",
    "mimeType": "application/pdf",
    "sizeBytes": "18810",
    "createTime": "2026-08-19T14:34:14.094797Z",
    "expirationTime": "2026-08-21T14:34:13.503405945Z",
    "state": "ACTIVE",
    "source": "UPLOADED",
}


def test_a_file() -> None:
    file = translate.to_file(FILE)
    assert (file.id, file.filename, file.mime_type, file.size_bytes) == (
        "k4t1ywl66fz2",
        "sample.pdf",
        "application/pdf",
        18810,
    )
    assert file.created_at == datetime(2026, 8, 19, 14, 34, 14, 94797, tzinfo=UTC)
    assert file.expires_at == datetime(2026, 8, 21, 14, 34, 13, 503405, tzinfo=UTC)
    assert (file.downloadable, file.provider, file.model_dump()["state"]) == (False, "gemini", "ACTIVE")


def test_a_file_with_little_to_say() -> None:
    file = translate.to_file({"name": "files/batch-abc", "source": "GENERATED"})
    assert (file.id, file.filename, file.size_bytes, file.downloadable) == ("batch-abc", "batch-abc", 0, True)
    assert (file.mime_type, file.expires_at) == ("application/octet-stream", None)


# -- results ----------------------------------------------------------------------------------------------------


def test_lines_that_cannot_be_placed() -> None:
    for line in (b"not json", b"[]", b'"a"', b"{}", b'{"custom_id":"a"}'):
        with pytest.raises(BifrostError, match="not an object with a response or an error"):
            translate.decode_result(line, 1, "m")
    assert translate.decode_result(b'{"response":{}}', 7, "m")["custom_id"] == "line-7"
    assert translate.decode_inlined({"metadata": {"custom_id": "c"}}, 1, "m")["custom_id"] == "c"
    assert translate.decode_inlined({"metadata": {"n": 1, "key": "k"}}, 1, "m")["custom_id"] == "k"
    assert translate.decode_inlined({}, 2, "m")["custom_id"] == "line-2"


@pytest.mark.parametrize("reason", sorted([*answers.STOPS, *answers.REFUSALS, *answers.FAILURES]))
def test_every_reason_to_stop(reason: str) -> None:
    response = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": reason}]}
    result = translate.decode_result(orjson.dumps({"key": "a", "response": response}), 1, "m")["result"]
    if reason in answers.FAILURES:
        assert reason in result["error"]["error"]["message"]
        return
    message = Message.model_validate(result["message"])
    assert message.content[0].text == "Hi"  # type: ignore[union-attr]
    assert message.stop_reason == answers.STOPS.get(reason, "refusal")
    assert (message.stop_details is not None) == (message.stop_reason == "refusal")


def test_every_reason_of_the_sdk_is_known() -> None:
    documented = """
    FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII
    MALFORMED_FUNCTION_CALL IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE IMAGE_RECITATION
    UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE ESCALATION
    PUP_LIMITED_DISABLED CONTINUATION MODEL_ARMOR
    """
    assert set(documented.split()) == {*answers.STOPS, *answers.REFUSALS, *answers.FAILURES}


@pytest.mark.parametrize(
    "reason",
    ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK", "NEW"],
)
def test_every_reason_to_block_a_prompt(reason: str) -> None:
    response = {"promptFeedback": {"blockReason": reason, "blockReasonMessage": "No."}}
    message = generate.decode(response, "a", "m")
    assert (message["stop_reason"], message["content"]) == ("refusal", [])
    assert message["stop_details"]["explanation"] == f"Gemini blocked the prompt: {reason}: No."


GRPC_TYPES = {
    2: "api_error",
    3: "invalid_request_error",
    4: "timeout_error",
    5: "not_found_error",
    6: "conflict_error",
    7: "permission_error",
    8: "rate_limit_error",
    9: "invalid_request_error",
    10: "conflict_error",
    11: "invalid_request_error",
    12: "invalid_request_error",
    13: "api_error",
    14: "overloaded_error",
    15: "api_error",
    16: "authentication_error",
    0: "api_error",
    99: "api_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


@pytest.mark.parametrize("code", GRPC_TYPES)
def test_codes_of_results(code: int) -> None:
    line = orjson.dumps({"error": {"code": code, "message": "Said so"}, "key": "a"})
    error = translate.decode_result(line, 1, "m")["result"]["error"]["error"]
    assert error == {"type": GRPC_TYPES[code], "message": "Said so"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                """
                candidates content parts text thought thoughtSignature functionCall id name args finishReason
                promptFeedback blockReason usageMetadata promptTokenCount responseId modelVersion safetyRatings
                category blocked error code message
                """.split()  # noqa: SIM905
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(response=JSON, error=JSON)
def test_no_result_breaks_the_translation(response: Any, error: Any) -> None:
    for row in ({"response": response}, {"response": response, "error": error}, {"error": error}):
        result = translate.decode_result(orjson.dumps({"key": "a", **row}), 1, "m")
        assert result["custom_id"] == "a"
        if result["result"]["type"] == "succeeded":
            Message.model_validate(result["result"]["message"])


# -- errors -----------------------------------------------------------------------------------------------------

BILLING = "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing."
MISSING = "You do not have permission to access the File abc or it may not exist."


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "Unknown name", InvalidRequestError),
        (400, "Request payload size exceeds the limit: 20971520 bytes.", TooLargeError),
        (400, "The free tier is not available in your country. Please enable billing.", BillingError),
        (401, "Request had invalid authentication credentials.", AuthError),
        (403, "The caller does not have permission", ForbiddenError),
        (403, MISSING, NotFoundError),
        (404, "models/x is not found for API version v1beta", NotFoundError),
        (409, "already exists", ConflictError),
        (413, "too large", TooLargeError),
        (429, "You exceeded your current quota, please check your plan and billing details.", RateLimitError),
        (429, BILLING, BillingError),
        (500, "Internal error", UpstreamError),
        (501, "not implemented", InvalidRequestError),
        (503, "The model is overloaded.", OverloadedError),
        (504, "Deadline expired", UpstreamTimeoutError),
    ],
)  # fmt: skip
def test_error_answers(status: int, message: str, expected: type[BifrostError]) -> None:
    body = {"error": {"code": status, "message": message, "status": "WHATEVER"}}
    for sent in (body, [body]):
        error = failures.read_error(httpx.Response(status, json=sent))
        assert type(error) is expected
        assert error.message == message


def test_a_bad_key_is_a_400() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": details}}
    error = failures.read_error(httpx.Response(400, json=body))
    assert type(error) is AuthError
    assert "GEMINI_API_KEY" in str(error)


@pytest.mark.parametrize(
    ("details", "message", "seconds"),
    [
        ([{"retryDelay": "48s"}], "Quota exceeded.", 48.0),
        ([{"links": []}, {"retryDelay": "0.5s"}], "Quota exceeded. Please retry in 48.9s.", 0.5),
        ([], "Quota exceeded.\nPlease retry in 48.939935699s.", 48.939935699),
        ([{"retryDelay": "soon"}], "Quota exceeded.", None),
        ([{"retryDelay": 5}], "Quota exceeded.", None),
        (None, "Quota exceeded.", None),
    ],
)
def test_when_to_come_again(details: Any, message: str, seconds: float | None) -> None:
    body = {"error": {"code": 429, "message": message, "details": details}}
    assert failures.read_error(httpx.Response(429, json=body)).retry_after == seconds


def test_a_message_never_repeats_a_key() -> None:
    message = "Permission denied: Consumer 'api_key:AIzaSyA-0123456789' has been suspended."
    error = failures.read_error(httpx.Response(403, json={"error": {"code": 403, "message": message}}))
    assert error.message == "Permission denied: Consumer 'api_key:[redacted]' has been suspended."
    line = orjson.dumps({"key": "a", "error": {"code": 7, "message": message}})
    assert b"AIza" not in orjson.dumps(translate.decode_result(line, 1, "m"))


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"[1]", b'{"error":"no"}', b'{"error":{"message":7}}'])
def test_an_answer_of_another_server(content: bytes) -> None:
    error = failures.read_error(httpx.Response(502, content=content))
    assert type(error) is UpstreamError
    assert error.message == "Gemini gave no message (502)."
