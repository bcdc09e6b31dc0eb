"""OpenAI's Batch API, driven by its SDK."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import APIStatusError, BadRequestError, ConflictError, NotFoundError

from bifrost_cli.sandbox import background

Line = dict[str, Any]
Submit = Callable[..., Any]


def line(custom_id: str, text: str = "hi", model: str = "gpt-5-nano", **body: Any) -> Line:
    request = {"model": model, "input": text, **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": request}


def chat_line(custom_id: str, text: str = "hi", **body: Any) -> Line:
    request = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": request}


def submit(client: openai.OpenAI, *lines: Line | str, endpoint: Any = "/v1/responses", **fields: Any) -> Any:
    """Uploads lines and makes a batch of them."""
    content = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in lines).encode()
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **fields)


def read(client: openai.OpenAI, file_id: str | None) -> list[Line]:
    assert file_id is not None
    return [json.loads(text) for text in client.files.content(file_id).text.splitlines()]


def test_from_creation_to_results(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        made = submit(client, *(line(f"r{number}") for number in range(4)), metadata={"tag": "x"})
        assert re.fullmatch(r"batch_sbx[0-9a-f]{29}", made.id)
        assert (made.status, made.model, made.request_counts.total, made.metadata) == (
            "validating",
            None,
            0,
            {"tag": "x"},
        )
        assert made.expires_at == made.created_at + 86_400
        clock.pass_(0.4)
        assert client.batches.retrieve(made.id) == made
        seen = []
        for _ in range(4):
            clock.pass_(0.6)
            batch = client.batches.retrieve(made.id)
            seen.append((batch.status, batch.request_counts.total, batch.request_counts.completed))
        assert seen == [
            ("in_progress", 4, 1),
            ("in_progress", 4, 2),
            ("in_progress", 4, 3),
            ("finalizing", 4, 4),
        ]
        assert (batch.model, batch.output_file_id, batch.usage.total_tokens) == ("gpt-5-nano-2025-08-07", None, 0)
        assert [file.purpose for file in client.files.list()] == ["batch"]
        clock.pass_(0.5)
        done = client.batches.retrieve(made.id)
        assert (done.status, done.error_file_id, done.errors) == ("completed", None, None)
        assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0
        assert done.created_at <= done.in_progress_at <= done.finalizing_at <= done.completed_at
        lines = read(client, done.output_file_id)
        assert {item["custom_id"] for item in lines} == {"r0", "r1", "r2", "r3"}
        assert [item["custom_id"] for item in lines] != ["r0", "r1", "r2", "r3"]
        assert {item["response"]["status_code"] for item in lines} == {200}
        assert lines[0]["response"]["body"]["output"][-1]["content"][0]["text"] == "[sandbox] answer to: hi"
        output = client.files.retrieve(done.output_file_id)
        assert (output.purpose, output.filename) == ("batch_output", f"{done.id}_output.jsonl")
        assert output.expires_at == done.completed_at + 2_592_000


def test_output_files_are_listed_before_their_batch_is_asked_for(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        submit(client, line("a"), output_expires_after={"anchor": "created_at", "seconds": 7200})
        clock.pass_(4)
        (output,) = client.files.list(purpose="batch_output")
        assert output.expires_at == output.created_at + 7200


def test_chat_and_mixed_outcomes(gpt: openai.OpenAI) -> None:
    made = submit(gpt, chat_line("good"), chat_line("bad", max_output_tokens=5), endpoint="/v1/chat/completions")
    batch = gpt.batches.retrieve(made.id)
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 1, 1)
    (good,), (bad,) = read(gpt, batch.output_file_id), read(gpt, batch.error_file_id)
    assert good["response"]["body"]["choices"][0]["message"]["content"] == "[sandbox] answer to: hi"
    assert (bad["custom_id"], bad["response"]["status_code"], bad["error"]) == ("bad", 400, None)
    assert bad["response"]["body"] == {
        "error": {
            "message": "Unknown parameter: 'max_output_tokens'.",
            "type": "invalid_request_error",
            "param": "max_output_tokens",
            "code": "unknown_parameter",
        }
    }


def test_all_failed_has_no_output_file(gpt: openai.OpenAI) -> None:
    batch = gpt.batches.retrieve(submit(gpt, line("a", stop="x"), line("b", max_tokens=5)).id)
    assert (batch.status, batch.output_file_id, batch.errors) == ("completed", None, None)
    assert len(read(gpt, batch.error_file_id)) == 2


def without(item: Line, name: str) -> Line:
    return {key: value for key, value in item.items() if key != name}


FAILED: dict[str, tuple[list[Line | str], list[tuple[str, int | None, str | None]]]] = {
    "not json": ([line("a"), "{oops"], [("invalid_json_line", 2, None)]),
    "blank line": ([line("a"), "", line("b")], [("invalid_json_line", 2, None)]),
    "missing": (
        [without(line(str(number)), name) for number, name in enumerate(("custom_id", "method", "url", "body"))],
        [
            ("missing_required_parameter", 1, "custom_id"),
            ("missing_required_parameter", 2, "method"),
            ("missing_required_parameter", 3, "url"),
            ("missing_required_parameter", 4, "body"),
        ],
    ),
    "duplicate": ([line("a"), line("b"), line("a")], [("duplicate_custom_id", 3, "custom_id")]),
    "model": ([line("a"), line("b", model="gpt-4.1")], [("mismatched_model", 2, "body.model")]),
    "no model": ([{**line("a"), "body": {"input": "x"}}], [("invalid_request", 1, "body.model")]),
    "no input": ([{**line("a"), "body": {"model": "gpt-5"}}], [("invalid_request", 1, "body.input")]),
    "url": ([{**line("a"), "url": "/v1/chat/completions"}], [("invalid_url", 1, "url")]),
    "method": ([{**line("a"), "method": "GET"}], [("invalid_method", 1, "method")]),
    "stream": ([line("a", stream=True)], [("streaming_unsupported", 1, "body.stream")]),
    "unknown model": ([line("a", model="no-such-model")], [("model_not_found", 1, "body.model")]),
    "too many": ([line(str(number)) for number in range(50_001)], [("too_many_tasks", None, None)]),
}


@pytest.mark.parametrize("case", FAILED)
def test_validation_fails_later(timed: Any, clock: Any, case: str) -> None:
    lines, expected = FAILED[case]
    with timed.openai() as client:
        made = submit(client, *lines)
        assert (made.status, made.errors) == ("validating", None)
        clock.pass_(1)
        batch = client.batches.retrieve(made.id)
        assert (batch.status, batch.request_counts.total, batch.model) == ("failed", 0, None)
        assert (batch.output_file_id, batch.error_file_id, batch.in_progress_at) == (None, None, None)
        assert batch.failed_at is not None
        assert [(error.code, error.line, error.param) for error in batch.errors.data] == expected
        with pytest.raises(ConflictError, match=r"Cannot cancel a batch with status 'failed'\."):
            client.batches.cancel(made.id)


def test_the_input_file_is_looked_for_later(gpt: openai.OpenAI) -> None:
    other = gpt.files.create(file=("a", b"x"), purpose="user_data").id
    for file_id in ("file-unknown", other):
        made = gpt.batches.create(input_file_id=file_id, endpoint="/v1/responses", completion_window="24h")
        batch = gpt.batches.retrieve(made.id)
        (error,) = batch.errors.data  # type: ignore[union-attr,misc]
        assert (batch.status, error.code, error.param, error.line) == ("failed", "invalid_request", "file_id", None)


def test_the_input_file_may_be_deleted_meanwhile(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        made = submit(client, line("a"))
        client.files.delete(made.input_file_id)
        clock.pass_(4)
        assert client.batches.retrieve(made.id).request_counts.completed == 1


GOOD = {"input_file_id": "file-x", "endpoint": "/v1/responses", "completion_window": "24h"}
REFUSED = {
    "no file": ({"input_file_id": ...}, "Missing required parameter: 'input_file_id'."),
    "no endpoint": ({"endpoint": ...}, "Missing required parameter: 'endpoint'."),
    "no window": ({"completion_window": ...}, "Missing required parameter: 'completion_window'."),
    "endpoint": (
        {"endpoint": "/v1/invalid/endpoint"},
        "Invalid value: '/v1/invalid/endpoint'. Supported values are: '",
    ),
    "window": ({"completion_window": "1h"}, "Invalid value: '1h'. Supported values are: '24h'."),
    "unknown": ({"x": 1}, "Unknown parameter: 'x'."),
    "metadata": (
        {"metadata": {"tags": ["a"]}},
        "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
    ),
    "metadata keys": (
        {"metadata": {str(number): "x" for number in range(17)}},
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object "
        "with 17 properties instead.",
    ),
    "metadata value": ({"metadata": {"a": "x" * 513}}, "Invalid 'metadata.a': string too long."),
    "expiry": ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "Invalid value: 'now'."),
    "expiry seconds": (
        {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
        "Invalid 'output_expires_after.seconds': integer below minimum value. Expected a value >= 3600",
    ),
    "not run here": ({"endpoint": "/v1/embeddings"}, "[sandbox] the sandbox runs batches for"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_envelopes_are_refused_at_once(instant: Any, case: str) -> None:
    fields, text = REFUSED[case]
    body = {name: value for name, value in {**GOOD, **fields}.items() if value is not ...}
    with instant.http("openai") as http:
        answer = http.post("/batches", json=body)
        assert http.get("/batches").json()["data"] == []
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json()["error"]["message"].startswith(text)


def test_no_json_is_refused(instant: Any) -> None:
    with instant.http("openai") as http:
        answer = http.post("/batches", content=b"{")
    assert answer.status_code == 400
    assert "could not parse the JSON body" in answer.json()["error"]["message"]


def test_cancel_while_validating_leaves_nothing(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        made = submit(client, line("a"))
        cancelling = client.batches.cancel(made.id)
        assert (cancelling.status, cancelling.cancelled_at) == ("cancelling", None)
        clock.pass_(1.1)
        batch = client.batches.retrieve(made.id)
        assert (batch.status, batch.request_counts.total, batch.model) == ("cancelled", 0, None)
        assert (batch.output_file_id, batch.error_file_id, batch.in_progress_at) == (None, None, None)
        assert client.batches.cancel(made.id).status == "cancelled"


def test_cancel_under_way_keeps_what_was_done(timed: Any, clock: Any) -> None:
    with timed.openai() as client:
        made = submit(client, *(line(str(number)) for number in range(10)))
        clock.pass_(1.5)
        assert client.batches.cancel(made.id).status == "cancelling"
        clock.pass_(1)
        batch = client.batches.retrieve(made.id)
        counts = batch.request_counts
        assert (batch.status, counts.total, counts.completed, counts.failed) == ("cancelled", 10, 5, 0)
        assert (batch.finalizing_at, batch.usage.total_tokens) == (None, 0)
        rest = read(client, batch.error_file_id)
        assert len(read(client, batch.output_file_id)) == len(rest) == 5
        assert {item["error"]["code"] for item in rest} == {"batch_cancelled"}
        assert {item["response"] for item in rest} == {None}


def test_a_finished_batch_cannot_be_cancelled(gpt: openai.OpenAI) -> None:
    made = submit(gpt, line("a"))
    with pytest.raises(ConflictError, match=r"Cannot cancel a batch with status 'completed'\."):
        gpt.batches.cancel(made.id)


def test_unknown_batches(gpt: openai.OpenAI) -> None:
    for call in (gpt.batches.retrieve, gpt.batches.cancel):
        with pytest.raises(NotFoundError, match="No batch found with id 'batch_x'"):
            call("batch_x")


def test_pages(gpt: openai.OpenAI) -> None:
    made = [submit(gpt, line("a")).id for _ in range(5)]
    page = gpt.batches.list(limit=2)
    assert ([batch.id for batch in page.data], page.has_more) == ([made[4], made[3]], True)
    assert [batch.id for batch in gpt.batches.list(limit=2)] == made[::-1]
    with pytest.raises(BadRequestError, match="Expected a value <= 100, but got 101 instead"):
        gpt.batches.list(limit=101)


def test_triggers(gpt: openai.OpenAI) -> None:
    words = ("plain", "error", "overloaded", "refuse", "max_tokens", "expire", "lose", "repeat", "swap")
    made = submit(gpt, *(line(word, f"sandbox:{word}") for word in words))
    batch = gpt.batches.retrieve(made.id)
    counts = batch.request_counts
    assert (batch.status, counts.total, counts.completed, counts.failed) == ("expired", 9, 6, 2)
    assert batch.completed_at is None
    assert batch.expired_at is not None
    output, errors = read(gpt, batch.output_file_id), read(gpt, batch.error_file_id)
    found = {item["custom_id"]: item for item in [*output, *errors]}
    assert found["error"]["response"]["status_code"] == 400
    assert found["overloaded"]["response"]["status_code"] == 503
    assert found["expire"]["error"]["code"] == "batch_expired"
    assert found["refuse"]["response"]["body"]["output"][-1]["content"][0]["type"] == "refusal"
    assert found["max_tokens"]["response"]["body"]["status"] == "incomplete"
    assert [item["custom_id"] for item in output].count("repeat") == 2
    assert not {"lose", "swap"} & set(found)
    assert len(set(found) - set(words)) == 1


def test_odd_custom_ids_come_back(gpt: openai.OpenAI) -> None:
    ids = ["a b/c ü🎉", "x" * 200, '\\quoted"']
    batch = gpt.batches.retrieve(submit(gpt, *map(line, ids)).id)
    assert {item["custom_id"] for item in read(gpt, batch.output_file_id)} == set(ids)


def test_lines_may_end_in_any_way(gpt: openai.OpenAI) -> None:
    for end in ("", "\n", "\r\n", "\n\n\n"):
        made = submit(gpt, json.dumps(line("a")) + "\r\n" + json.dumps(line("b")) + end)
        assert gpt.batches.retrieve(made.id).request_counts.completed == 2


def test_the_limit_on_enqueued_tokens(tmp_path: Path, key: str, clock: Any, clients: Any) -> None:
    with background(tmp_path, clock=clock, enqueued_tokens=30) as url:
        client = clients.openai.with_options(base_url=f"{url}/openai/v1", api_key=key)
        first = submit(client, line("a", "ten words " * 5))
        second = submit(client, line("a", "ten words " * 5))
        other = submit(client, line("a", "ten words " * 5, model="gpt-4.1"))
        clock.pass_(4)
        third = submit(client, line("a", "ten words " * 5))
        clock.pass_(4)
        batches = [client.batches.retrieve(batch.id) for batch in (first, second, other, third)]
        assert [batch.status for batch in batches] == ["completed", "failed", "completed", "completed"]
        assert batches[1].errors.data[0].code == "token_limit_exceeded"
        assert "Enqueued token limit reached for gpt-5-nano" in batches[1].errors.data[0].message


def test_answers_are_indented_but_for_a_cancel(timed: Any) -> None:
    with timed.http("openai") as http:
        id = http.post(
            "/batches", json={"input_file_id": "x", "endpoint": "/v1/responses", "completion_window": "24h"}
        ).json()["id"]
        assert http.get(f"/batches/{id}").text.startswith('{\n  "id"')
        assert http.post(f"/batches/{id}/cancel").text.startswith('{"id"')


def test_keys(instant: Any, gpt: openai.OpenAI) -> None:
    real = "sk-proj-" + "x" * 40 + "1234"
    with instant.http("openai", key=real) as http:
        answer = http.get("/batches")
        nothing = http.get("/batches", headers={"authorization": ""})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (401, "invalid_api_key", None)
    assert error["message"].startswith("Incorrect API key provided: sk-proj-")
    assert "x" not in error["message"].split()[4]
    assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (401, None)


def test_unknown_routes(instant: Any) -> None:
    with instant.http("openai") as http:
        missing, method = http.post("/nonsense"), http.put("/files")
    assert (missing.status_code, missing.json()["error"]["message"]) == (404, "Invalid URL (POST /v1/nonsense)")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_supported")


def test_errors_are_the_sdk_classes(gpt: openai.OpenAI) -> None:
    with pytest.raises(APIStatusError) as caught:
        gpt.batches.retrieve("x")
    assert caught.value.request_id is not None
    assert "sbx" in caught.value.request_id
