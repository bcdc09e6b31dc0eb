"""Anthropic's Message Batches API, driven by its SDK."""

import json
import re
import socket
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import BadRequestError, NotFoundError


def requests(prompt: Any, *texts: str, **fields: object) -> list[dict[str, object]]:
    return [{"custom_id": f"r{number}", "params": prompt(text, **fields)} for number, text in enumerate(texts)]


def outcomes(client: anthropic.Anthropic, id: str) -> dict[str, Any]:
    return {line.custom_id: line.result for line in client.messages.batches.results(id)}


def test_from_creation_to_results(timed: Any, clock: Any, prompt: Any) -> None:
    with timed.anthropic() as client:
        made = client.messages.batches.create(requests=requests(prompt, "one", "two", "three"))
        assert re.fullmatch(r"msgbatch_sbx01\w+", made.id)
        assert (made.processing_status, made.request_counts.processing) == ("in_progress", 3)
        assert (made.expires_at - made.created_at).total_seconds() == 24 * 3600
        assert (made.ended_at, made.results_url, made.cancel_initiated_at, made.archived_at) == (None,) * 4
        clock.pass_(2.4)
        assert client.messages.batches.retrieve(made.id) == made
        clock.pass_(0.2)
        ended = client.messages.batches.retrieve(made.id)
        assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 3)
        assert ended.request_counts.processing == 0
        assert (ended.ended_at - made.created_at).total_seconds() == 2.5  # type: ignore[operator]
        assert ended.results_url == f"{timed.url}/anthropic/v1/messages/batches/{made.id}/results"
        found = list(client.messages.batches.results(made.id))
        assert {line.custom_id for line in found} == {"r0", "r1", "r2"}
        assert [line.custom_id for line in found] != ["r0", "r1", "r2"]
        message = outcomes(client, made.id)["r0"].message
        assert message.content[0].text == "[sandbox] answer to: one"
        assert (message.usage.service_tier, message.stop_reason) == ("batch", "end_turn")
        assert list(client.messages.batches.results(made.id)) == found


def test_headers(timed: Any, clock: Any, prompt: Any) -> None:
    with timed.http("anthropic") as http:
        made = http.post("/messages/batches", json={"requests": requests(prompt, "one")})
        path = f"/messages/batches/{made.json()['id']}"
        running = http.get(path)
        early = http.get(f"{path}/results")
        clock.pass_(3)
        ended = http.get(path)
        results = http.get(f"{path}/results")
    assert [answer.headers.get("retry-after") for answer in (made, running, ended)] == [None, "10", None]
    assert (early.status_code, early.headers["x-should-retry"]) == (404, "false")
    id = made.json()["id"]
    assert early.json()["error"]["message"] == f"Message Batch {id} has no available results."
    assert early.json()["request_id"] == early.headers["request-id"]
    assert results.headers["content-type"] == "application/x-jsonl"
    assert results.headers["content-disposition"] == f"attachment; filename*=utf-8''{id}_results.jsonl"
    assert results.headers["transfer-encoding"] == "chunked"
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}\+00:00", made.json()["created_at"])
    assert results.content.endswith(b"}\n")
    assert not results.content.endswith(b"\n\n")


def test_cancel_under_way(timed: Any, clock: Any, prompt: Any) -> None:
    with timed.anthropic() as client:
        made = client.messages.batches.create(requests=requests(prompt, *"abcdefghij"))
        clock.pass_(1.25)
        cancelled = client.messages.batches.cancel(made.id)
        assert (cancelled.processing_status, cancelled.request_counts.processing) == ("canceling", 10)
        assert cancelled.cancel_initiated_at is not None
        clock.pass_(0.5)
        assert client.messages.batches.cancel(made.id) == cancelled
        with pytest.raises(BadRequestError, match="In progress batches cannot be deleted"):
            client.messages.batches.delete(made.id)
        clock.pass_(0.5)
        ended = client.messages.batches.retrieve(made.id)
        counts = ended.request_counts
        assert (ended.processing_status, counts.succeeded, counts.canceled) == ("ended", 5, 5)
        kinds = [result.type for result in outcomes(client, made.id).values()]
        assert sorted(kinds) == ["canceled"] * 5 + ["succeeded"] * 5
        with pytest.raises(BadRequestError, match="already ended"):
            client.messages.batches.cancel(made.id)


def test_cancel_takes_a_body_of_braces(timed: Any, prompt: Any) -> None:
    with timed.http("anthropic") as http:
        id = http.post("/messages/batches", json={"requests": requests(prompt, "a")}).json()["id"]
        assert http.post(f"/messages/batches/{id}/cancel", json={}).json()["processing_status"] == "canceling"


def test_delete(claude: anthropic.Anthropic, prompt: Any, timed: Any) -> None:
    made = claude.messages.batches.create(requests=requests(prompt, "a"))
    assert claude.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(NotFoundError, match=f"Message Batch {made.id} not found"):
        claude.messages.batches.retrieve(made.id)
    with timed.anthropic() as client:
        running = client.messages.batches.create(requests=requests(prompt, "a"))
        with pytest.raises(BadRequestError, match=r"In progress batches cannot be deleted\. Consider canceling"):
            client.messages.batches.delete(running.id)


def test_pages(claude: anthropic.Anthropic, prompt: Any) -> None:
    made = [claude.messages.batches.create(requests=requests(prompt, "a")).id for _ in range(5)]
    page = claude.messages.batches.list(limit=2)
    assert ([batch.id for batch in page.data], page.has_more) == ([made[4], made[3]], True)
    assert (page.first_id, page.last_id) == (made[4], made[3])
    assert [batch.id for batch in claude.messages.batches.list(limit=2)] == made[::-1]
    newer = claude.messages.batches.list(limit=2, before_id=made[1])
    assert ([batch.id for batch in newer.data], newer.has_more) == ([made[3], made[2]], True)


def test_an_empty_list(claude: anthropic.Anthropic) -> None:
    page = claude.messages.batches.list()
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


BAD_ENVELOPES = {
    "{}": "requests: Field required",
    '{"requests":[]}': "requests: List should have at least 1 item after validation, not 0",
    '{"requests":{}}': "requests: Input should be a valid list",
    '{"requests":[{"params":{}}]}': "requests.0.custom_id: Field required",
    '{"requests":[{"custom_id":"a"}]}': "requests.0.params: Field required",
    '{"requests":[{"custom_id":"a","params":{},"x":1}]}': "requests.0.x: Extra inputs are not permitted",
    '{"requests":[{"custom_id":5,"params":{}}]}': "requests.0.custom_id: Input should be a valid string",
    '{"requests":[{"custom_id":"","params":{}}]}': "requests.0.custom_id: String should have at least 1 character",
    '{"requests":[{"custom_id":"a b","params":{}}]}': (
        "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    ),
    '{"requests":[{"custom_id":"%s","params":{}}]}' % ("x" * 65): (
        "requests.0.custom_id: String should have at most 64 characters"
    ),
    '{"requests":[{"custom_id":"dup","params":{}},{"custom_id":"dup","params":{}}]}': (
        "requests: custom_id's must be unique within a batch. Duplicate custom_id found: dup"
    ),
    '{"requests":[{"custom_id":"a","params":{}}],"x":1}': "x: Extra inputs are not permitted",
    "not json": "The request body is not valid JSON: ",
    '{"requests":[{"custom_id":"a","params":{]}]}': "The request body is not valid JSON: ",
    '{"requests":[{"custom_id":"a","params":{}}]': "The request body is not valid JSON: ",
}


@pytest.mark.parametrize("body", BAD_ENVELOPES)
def test_bad_envelopes_are_refused_at_once(instant: Any, body: str) -> None:
    with instant.http("anthropic") as http:
        answer = http.post("/messages/batches", content=body)
        listed = http.get("/messages/batches").json()["data"]
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], listed) == (400, "invalid_request_error", [])
    assert error["message"].startswith(BAD_ENVELOPES[body])


def test_a_body_too_large_is_refused_before_it_is_read(instant: Any) -> None:
    host, port = instant.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"POST /anthropic/v1/messages/batches HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: sandbox\r\n"
            b"anthropic-version: 2023-06-01\r\ncontent-length: %d\r\n\r\n" % (257 * 1024 * 1024)
        )
        answer = raw.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 413")
    assert '"type":"request_too_large"' in answer


ROWS = {
    "max_tokens": ({"max_tokens": ...}, "max_tokens: Field required"),
    "messages": ({"messages": ...}, "messages: Field required"),
    "unknown": ({"extra": 1}, "extra: Extra inputs are not permitted"),
    "stream": ({"stream": True}, '"stream=True" is not supported in the Message Batches API'),
    "zero": ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
    "type": ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    "role": ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be "),
    "ceiling": (
        {"model": "claude-haiku-4-5", "max_tokens": 100_000},
        "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for "
        "claude-haiku-4-5-20251001",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_bad_params_become_errored_rows(claude: anthropic.Anthropic, prompt: Any, case: str) -> None:
    fields, text = ROWS[case]
    params = {name: value for name, value in prompt(**fields).items() if value is not ...}
    made = claude.messages.batches.create(
        requests=[{"custom_id": "bad", "params": params}, {"custom_id": "good", "params": prompt(stream=False)}]  # type: ignore[typeddict-item]
    )
    counts = claude.messages.batches.retrieve(made.id).request_counts
    assert (counts.errored, counts.succeeded) == (1, 1)
    error = outcomes(claude, made.id)["bad"].error
    assert (error.type, error.error.type, error.request_id) == ("error", "invalid_request_error", None)
    assert error.error.message.startswith(text)


def test_an_unknown_model_is_a_not_found_row(claude: anthropic.Anthropic, prompt: Any) -> None:
    made = claude.messages.batches.create(requests=requests(prompt, "a", model="no-such-model"))
    error = outcomes(claude, made.id)["r0"].error
    assert (error.error.type, error.error.message) == ("not_found_error", "model: no-such-model")


def test_sampling_depends_on_the_version(instant: Any, prompt: Any) -> None:
    body = {"requests": requests(prompt, "a", model="claude-haiku-4-5", temperature=0.5)}
    found = {}
    for version in ("2023-06-01", "2026-10-21"):
        with instant.http("anthropic", **{"anthropic-version": version}) as http:
            id = http.post("/messages/batches", json=body).json()["id"]
            found[version] = http.get(f"/messages/batches/{id}/results").json()["result"]
    assert found["2023-06-01"]["type"] == "succeeded"
    assert found["2026-10-21"]["error"]["error"]["message"] == "temperature: Extra inputs are not permitted"


def test_triggers(claude: anthropic.Anthropic, prompt: Any) -> None:
    words = ("error", "overloaded", "refuse", "max_tokens", "expire", "lose", "repeat", "swap")
    made = claude.messages.batches.create(
        requests=[{"custom_id": word, "params": prompt(f"sandbox:{word}")} for word in words]
    )
    counts = claude.messages.batches.retrieve(made.id).request_counts
    lines = list(claude.messages.batches.results(made.id))
    found = {line.custom_id: line.result for line in lines}
    assert (counts.succeeded, counts.errored, counts.expired) == (5, 2, 1)
    assert found["error"].error.error.type == "invalid_request_error"
    assert found["overloaded"].error.error.type == "overloaded_error"
    assert re.match("workerreq_", found["overloaded"].error.request_id)
    assert found["refuse"].message.stop_reason == "refusal"
    assert found["max_tokens"].message.stop_reason == "max_tokens"
    assert found["expire"].type == "expired"
    assert "lose" not in found
    assert [line.custom_id for line in lines].count("repeat") == 2
    assert "swap" not in found
    assert len(set(found) - set(words)) == 1


def test_results_are_json_lines_without_blanks(claude: anthropic.Anthropic, prompt: Any, instant: Any) -> None:
    made = claude.messages.batches.create(requests=requests(prompt, "line\nbreak", "emoji 🎉"))
    with instant.http("anthropic") as http:
        text = http.get(f"/messages/batches/{made.id}/results").text
    assert [json.loads(line)["result"]["type"] for line in text.rstrip("\n").split("\n")] == ["succeeded"] * 2


def test_results_follow_the_address_that_was_asked(instant: Any, prompt: Any) -> None:
    with instant.http("anthropic") as http:
        id = http.post("/messages/batches", json={"requests": requests(prompt, "a")}).json()["id"]
    other = instant.url.replace("127.0.0.1", "localhost")
    headers = {"x-api-key": instant.key, "anthropic-version": "2023-06-01"}
    found = httpx.get(f"{other}/anthropic/v1/messages/batches/{id}", headers=headers).json()
    assert found["results_url"].startswith(other)
