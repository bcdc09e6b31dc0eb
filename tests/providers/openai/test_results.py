"""Result lines of every shape, batches in every state, files, and errors: OpenAI's, and those of servers like it."""

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
from bifrost_cli.providers.openai import failures, responses, translate

BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "in_progress",
    "created_at": 1_787_150_474,
    "expires_at": 1_787_236_874,
}


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    found = translate.decode_result(orjson.dumps({"custom_id": "a", **row}))
    assert found["custom_id"] == "a"
    result: dict[str, Any] = dict(found["result"])
    return result


def succeeded(body: dict[str, Any]) -> dict[str, Any]:
    result = decoded({"id": "batch_req_1", "response": {"status_code": 200, "body": body}})
    assert result["type"] == "succeeded"
    Message.model_validate(result["message"], strict=True)
    message: dict[str, Any] = result["message"]
    return message


# -- results ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [{"object": "response", "output": []}, {"choices": []}, {"choices": [{}]}, {"output": [None]}]
)
def test_a_bare_answer_is_a_message_all_the_same(body: dict[str, Any]) -> None:
    message = succeeded(body)
    assert message["id"] == "msg_1"
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")
    assert message["usage"]["input_tokens"] == message["usage"]["output_tokens"] == 0


def test_cached_tokens_never_leave_less_than_none() -> None:
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 9, "cache_write_tokens": None},
        "output_tokens": 2.0,
    }
    assert succeeded({"output": [], "usage": usage})["usage"] == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 9,
        "output_tokens": 2,
        "output_tokens_details": {"thinking_tokens": 0},
        "service_tier": "batch",
    }


def test_reasoning_makes_the_round_trip() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Why"}],
        "encrypted_content": "gA:==",
    }
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    content = succeeded({"output": [item, call]})["content"]
    messages = [{"role": "assistant", "content": content}, {"role": "user", "content": "Go on"}]
    params = {"model": "gpt-5.4", "max_tokens": 64, "messages": messages}
    assert responses.Responses(params, frozenset()).body(params["messages"])["input"][:2] == [item, call]
    plain = responses.Responses({**params, "model": "gpt-4.1"}, frozenset()).body(params["messages"])["input"]
    assert plain[0] == call, "a model that does not reason takes no reasoning items"


@pytest.mark.parametrize(
    ("row", "type", "error"),
    [
        ({"response": None, "error": {}}, "errored", "api_error"),
        ({"response": {"status_code": 200, "body": None}}, "errored", "api_error"),
        ({"response": {"status_code": 404, "body": "gone"}}, "errored", "not_found_error"),
        ({"response": {"status_code": 413, "body": {}}}, "errored", "request_too_large"),
        ({"response": {"status_code": 401, "body": {"error": {"message": "m"}}}}, "errored", "authentication_error"),
        ({"response": {"status_code": 403, "body": {"error": {"message": "m"}}}}, "errored", "permission_error"),
        ({"response": {"status_code": 408, "body": {"error": "slow"}}}, "errored", "timeout_error"),
        ({"response": {"body": {"object": "response", "status": "cancelled", "output": []}}}, "errored", "api_error"),
        ({"error": {"code": "something_new", "message": "m"}}, "errored", "api_error"),
        ({"error": {"code": 422, "message": "m"}}, "errored", "invalid_request_error"),
        ({"error": {"code": "batch_expired"}}, "expired", None),
        ({"error": {"code": "batch_cancelled"}, "response": None}, "canceled", None),
    ],
)
def test_what_did_not_succeed(row: dict[str, Any], type: str, error: str | None) -> None:
    result = decoded(row)
    assert result["type"] == type
    assert result.get("error", {}).get("error", {}).get("type") == error


@pytest.mark.parametrize("line", [b"", b"null", b"{}", b"not json", b'{"custom_id":5}'])
def test_a_line_that_is_no_result_is_an_error(line: bytes) -> None:
    with pytest.raises(BifrostError, match="not an object with a custom_id"):
        translate.decode_result(line)
    assert translate.custom_id_of(line) is None


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


NAMES = words(
    """
    object output choices status error code message usage content type text summary arguments name
    call_id id tool_calls function refusal annotations finish_reason input_tokens input_tokens_details
    cached_tokens url_citation
    """
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=4)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=20
)


@given(body=st.dictionaries(NAMES, JSON, max_size=6), status=st.none() | st.integers(100, 600))
def test_no_answer_breaks_the_translation(body: dict[str, Any], status: int | None) -> None:
    result = decoded({"response": {"status_code": status, "body": body}})
    if result["type"] == "succeeded":
        Message.model_validate(result["message"])


# -- batches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "processing_status", "counts", "expected"),
    [
        ("validating", "in_progress", (0, 0, 0), (0, 0, 0, 0, 0)),
        ("in_progress", "in_progress", (10, 3, 1), (6, 3, 1, 0, 0)),
        ("finalizing", "in_progress", (10, 9, 1), (0, 9, 1, 0, 0)),
        ("cancelling", "canceling", (10, 3, 1), (6, 3, 1, 0, 0)),
        ("completed", "ended", (10, 8, 2), (0, 8, 2, 0, 0)),
        ("completed", "ended", (10, 8, 1), (0, 8, 2, 0, 0)),
        ("failed", "ended", (0, 0, 0), (0, 0, 0, 0, 0)),
        ("failed", "ended", (7, 0, 0), (0, 0, 7, 0, 0)),
        ("expired", "ended", (10, 3, 1), (0, 3, 1, 0, 6)),
        ("cancelled", "ended", (10, 3, 1), (0, 3, 1, 6, 0)),
        ("paused_for_tea", "in_progress", (10, 3, 1), (6, 3, 1, 0, 0)),
    ],
)
def test_states_and_counts(
    state: str, processing_status: str, counts: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    given = dict(zip(("total", "completed", "failed"), counts, strict=True))
    batch = translate.to_batch({**BATCH, "status": state, "request_counts": given})
    found = batch.request_counts
    assert batch.processing_status == processing_status
    assert batch.provider_status == state
    assert (found.processing, found.succeeded, found.errored, found.canceled, found.expired) == expected
    assert found.total == counts[0]


def test_times() -> None:
    batch = translate.to_batch(
        {**BATCH, "status": "cancelled", "cancelling_at": 1_787_150_500, "cancelled_at": 1_787_150_600}
    )
    assert batch.created_at == datetime.fromtimestamp(1_787_150_474, UTC)
    assert batch.expires_at == batch.created_at + timedelta(hours=24)
    assert batch.cancel_initiated_at == datetime.fromtimestamp(1_787_150_500, UTC)
    assert batch.ended_at == datetime.fromtimestamp(1_787_150_600, UTC)
    assert translate.to_batch({**BATCH, "completed_at": 1_787_150_600}).ended_at is None, "not ended yet"


def test_a_sparse_batch_is_read() -> None:
    batch = translate.to_batch(
        {"id": "b", "status": "completed", "request_counts": None, "errors": {}, "metadata": None}
    )
    assert batch.ended
    assert batch.request_counts.total == 0
    assert batch.errors is None
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    for answer in ({}, {"id": None}, [], None):
        with pytest.raises(BifrostError, match="no id"):
            translate.to_batch(answer)  # type: ignore[arg-type]


ERRORS = {
    "object": "list",
    "data": [
        {"code": "invalid_url", "line": 2, "message": "The URL does not match.", "param": "url"},
        {"code": "model_not_found", "line": None, "message": "No such model.", "param": None},
    ],
}


def test_a_full_queue_is_told_from_other_refusals() -> None:
    def refused(state: str, code: str) -> bool:
        return translate.quota_refused(
            translate.to_batch({**BATCH, "status": state, "errors": {"data": [{"code": code}]}})
        )

    assert refused("failed", "token_limit_exceeded")
    assert not refused("failed", "invalid_url")
    assert not refused("completed", "token_limit_exceeded")
    assert not translate.quota_refused(translate.to_batch({**BATCH, "status": "failed"}))


def test_missing_results_follow_the_state() -> None:
    def missing(state: str, line: int = 1, **more: Any) -> dict[str, Any]:
        batch = translate.to_batch({**BATCH, "status": state, **more})
        result = translate.missing_result(batch, "a", line)
        assert result["custom_id"] == "a"
        return dict(result["result"])

    assert missing("expired") == {"type": "expired"}
    assert missing("cancelled") == {"type": "canceled"}
    assert missing("completed")["error"]["error"]["type"] == "api_error"
    mine, other = missing("failed", 2, errors=ERRORS), missing("failed", 3, errors=ERRORS)
    assert mine["error"]["error"] == {
        "type": "invalid_request_error",
        "message": "The URL does not match. (code: invalid_url)",
    }
    assert other["error"]["error"]["message"].startswith("The batch was refused for its line 2: The URL")
    unblamed = missing("failed", 1, errors={"data": ERRORS["data"][1:]})  # type: ignore[index]
    assert unblamed["error"]["error"]["message"] == "No such model. (code: model_not_found)"
    assert missing("failed")["error"]["error"]["type"] == "invalid_request_error"


# -- files ------------------------------------------------------------------------------------------------------


def test_files() -> None:
    file = translate.to_file({"id": "file-1", "bytes": 5, "created_at": 1, "filename": "a.pdf", "purpose": "user_data"})
    assert (file.mime_type, file.size_bytes, file.downloadable, file.expires_at) == ("application/pdf", 5, False, None)
    output = translate.to_file(
        {"id": "file-2", "filename": "x_output.jsonl", "purpose": "batch_output", "expires_at": 9}
    )
    assert (output.mime_type, output.downloadable) == ("application/jsonl", True)
    assert output.expires_at == datetime.fromtimestamp(9, UTC)
    sparse = translate.to_file({"id": "file-3", "filename": None, "bytes": None, "purpose": None})
    assert (sparse.filename, sparse.mime_type, sparse.size_bytes) == ("", "application/octet-stream", 0)
    assert translate.to_file({"id": "file-4", "filename": "x"}, "text/csv").mime_type == "text/csv"


def test_pages() -> None:
    rows = [{"id": "file-1"}, {"id": "file-2"}]
    assert translate.to_page({"data": rows, "has_more": True, "last_id": "file-2"}, translate.to_file).next == "file-2"
    assert translate.to_page({"data": rows, "has_more": True}, translate.to_file).next == "file-2"
    assert translate.to_page({"data": rows, "has_more": False, "last_id": "file-2"}, translate.to_file).next is None
    assert translate.to_page({"data": None}, translate.to_file).data == []
    for answer in ({}, [], None, {"data": "x"}, {"hello": 1}):
        with pytest.raises(BifrostError, match="not a list"):
            translate.to_page(answer, translate.to_file)


@pytest.mark.parametrize("line", [b"", b"hello", b"[]", b'{"custom_id":"a"}', b'{"url":"/v1/files"}'])
def test_a_file_that_is_no_batch_input_is_refused(line: bytes) -> None:
    assert translate.endpoint_of(b'{"url":"/v1/embeddings"}') == "/v1/embeddings"
    with pytest.raises(InvalidRequestError, match="does not begin with a line of OpenAI's batch form"):
        translate.endpoint_of(line)


# -- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"message": "m"}, InvalidRequestError),
        (400, {"message": "File is too large."}, TooLargeError),
        (400, {"message": "m", "code": "model_not_found"}, NotFoundError),
        (401, {"message": "m", "code": "invalid_api_key"}, AuthError),
        (403, {"message": "m", "code": "model_not_found"}, ForbiddenError),
        (404, {"message": "m"}, NotFoundError),
        (409, {"message": "Cannot cancel a batch with status 'completed'."}, ConflictError),
        (413, {"message": "m"}, TooLargeError),
        (422, {"message": "m"}, InvalidRequestError),
        (429, {"message": "m", "code": "rate_limit_exceeded"}, RateLimitError),
        (429, {"message": "m", "code": "insufficient_quota"}, BillingError),
        (429, {"message": "m", "type": "insufficient_quota", "code": None}, BillingError),
        (500, {"message": "m"}, UpstreamError),
        (503, {"message": "m"}, OverloadedError),
        (504, {"message": "m"}, UpstreamTimeoutError),
    ],
)
def test_errors_by_status_and_code(status: int, error: dict[str, Any], expected: type[BifrostError]) -> None:
    response = httpx.Response(status, json={"error": error}, headers={"x-request-id": "req-1"})
    found = failures.read_error(response)
    assert type(found) is expected
    assert found.message.startswith(error["message"])
    assert found.request_id == "req-1"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"no such model"}', "no such model"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"message":"nope","code":7}', "nope"),
        (b'{"error":null,"detail":{"message":"why","code":null}}', "why"),
        (b"<html>Bad gateway</html>", "openai answered 502 without a message."),
        (b"[]", "openai answered 502 without a message."),
    ],
)
def test_errors_of_other_shapes(body: bytes, message: str) -> None:
    assert failures.read_error(httpx.Response(502, content=body)).message == message


def test_an_error_about_the_key_names_the_variable() -> None:
    found = failures.read_error(httpx.Response(401, json={"error": {"message": "Incorrect API key provided."}}))
    assert "OPENAI_API_KEY" in str(found)
