"""Gemini's batch mode, over plain HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bifrost_cli.sandbox import background
from tests.sandbox.gemini import MODEL, Gemini, Json, connect, inline, item, line, request, said

CREATE = f"models/{MODEL}:batchGenerateContent"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}


@pytest.fixture
def gemini(instant: Any, key: str) -> Iterator[Gemini]:
    with connect(instant.url, key) as client:
        yield client


@pytest.fixture
def slow(timed: Any, key: str) -> Iterator[Gemini]:
    with connect(timed.url, key) as client:
        yield client


def states(slow: Gemini, clock: Any, name: str, *steps: float) -> list[tuple[str, bool, bool]]:
    """State, `done` and whether there is output, after each step."""
    seen = []
    for step in steps:
        clock.pass_(step)
        body = slow.get(name)
        seen.append((body["metadata"]["state"], "done" in body, "output" in body["metadata"]))
    return seen


def responses(operation: Json) -> list[Json]:
    return list(operation["response"]["inlinedResponses"]["inlinedResponses"])


def keys(lines: list[Json]) -> list[str]:
    return [entry["key"] for entry in lines]


def refusal(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT"), answer.text
    return str(answer.json()["error"]["message"])


def test_from_creation_to_a_result_file(slow: Gemini, clock: Any) -> None:
    made = slow.file_batch(*(line(f"r{number}") for number in range(4)))
    metadata = made["metadata"]
    assert list(made) == ["name", "metadata"]
    assert list(metadata) == [
        *("@type", "model", "displayName", "inputConfig", "createTime", "updateTime", "batchStats", "state", "name"),
    ]
    assert re.fullmatch(r"batches/sbx[a-z0-9]{33}", made["name"])
    assert metadata["@type"] == "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
    assert (metadata["model"], metadata["name"]) == (f"models/{MODEL}", made["name"])
    assert metadata["batchStats"] == {"requestCount": "4", "pendingRequestCount": "4"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", metadata["createTime"])
    assert slow.get(made["name"]) == made
    clock.pass_(1.5)
    running = slow.get(made["name"])
    assert running == {**made, "metadata": {**metadata, "state": "BATCH_STATE_RUNNING"}}
    assert states(slow, clock, made["name"], 0.99, 0.01, 0.25) == [
        ("BATCH_STATE_RUNNING", False, False),
        ("BATCH_STATE_SUCCEEDED", True, False),
        ("BATCH_STATE_SUCCEEDED", True, True),
    ]
    done = slow.get(made["name"])
    assert done["metadata"]["batchStats"] == {"requestCount": "4", "successfulRequestCount": "4"}
    output = {"responsesFile": made["name"].replace("batches/", "files/batch-")}
    assert done["metadata"]["output"] == output
    kind = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatchOutput"
    assert done["response"] == {"@type": kind, **output}
    assert done["metadata"]["endTime"] == done["metadata"]["updateTime"] > metadata["createTime"]
    lines = slow.results(done)
    assert sorted(keys(lines)) == ["r0", "r1", "r2", "r3"] != keys(lines)
    assert {entry["response"]["usageMetadata"]["serviceTier"] for entry in lines} == {"SERVICE_TIER_STANDARD"}
    assert len({tuple(entry) for entry in lines}) == 2
    assert len({tuple(entry["response"]) for entry in lines}) > 2


def test_results_that_come_inline(slow: Gemini, clock: Any) -> None:
    items = [item("a"), item("b", "sandbox:error"), {"request": request("c"), "metadata": {"other": "name"}}]
    made = slow.batch(*items, {"request": request("d")})
    assert "inputConfig" not in made["metadata"]
    assert states(slow, clock, made["name"], 0, 0.5, 2) == [
        ("BATCH_STATE_PENDING", False, False),
        ("BATCH_STATE_RUNNING", False, False),
        ("BATCH_STATE_SUCCEEDED", True, True),
    ]
    done = slow.get(made["name"])
    assert done["response"]["inlinedResponses"] == done["metadata"]["output"]["inlinedResponses"]
    first, second, third, fourth = responses(done)
    assert first["response"]["candidates"][0]["content"]["parts"][0]["text"] == "[sandbox] answer to: hi"
    assert first["response"]["usageMetadata"]["serviceTier"] == "standard"
    assert second == {
        "error": {"code": 3, "message": "[sandbox] this request is refused, as its prompt asks"},
        "metadata": {"key": "b"},
    }
    assert third["metadata"] == {"other": "name"}
    assert "metadata" not in fourth
    stats = {"requestCount": "4", "successfulRequestCount": "3", "failedRequestCount": "1"}
    assert done["metadata"]["batchStats"] == stats
    (listed,) = slow.get("batches")["operations"]
    assert "output" not in listed["metadata"]
    assert "inlinedResponses" not in listed["response"]


def test_requests_inline_may_be_in_snake_case(gemini: Gemini) -> None:
    body = {
        "batch": {
            "display_name": "snake",
            "model": f"models/{MODEL}",
            "priority": "7",
            "input_config": {
                "requests": {
                    "requests": [
                        {"request": {"model": f"models/{MODEL}", **request(), "system_instruction": {"parts": []}}},
                        {"request": {**request("x"), "generation_config": {"max_output_tokens": 300}}},
                    ]
                }
            },
        }
    }
    made = gemini.post(CREATE, body)
    assert (made["metadata"]["displayName"], made["metadata"]["priority"]) == ("snake", "7")
    broken, good = responses(gemini.get(made["name"]))
    assert "parts must not be empty" in broken["error"]["message"]
    assert good["response"]["candidates"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"batch": {"inputConfig": {"fileName": "files/x"}}}, "display_name is required"),
        ({"batch": {"displayName": "d"}}, "either requests or file_name must be set"),
        ({}, "display_name is required"),
        (inline(), "at least one request"),
        (inline(item("a"), model="models/gemini-2.5-pro"), "names another model"),
        (inline(item("a", model="models/gemini-2.5-pro")), "the request names the model gemini-2.5-pro"),
        ({"batch": {"displayName": "d", "inputConfig": {"fileName": "x"}}}, "must be files/ and an id"),
        (
            {"batch": {"displayName": "d", "inputConfig": {"fileName": "files/x", "requests": {}}}},
            "Invalid value at 'batch.input_config' (oneof), oneof field 'data' is already set. Cannot set 'requests'",
        ),
        (
            inline({"request": request(colour="red"), "metadata": {}}),
            'Invalid JSON payload received. Unknown name "colour" at '
            "'batch.input_config.requests.requests[0].request': Cannot find field.",
        ),
        (
            {"batch": {"displayName": "d", "inputConfig": {"requests": [item("a")]}}},
            "Unknown name \"requests\" at 'batch.input_config': Proto field is not repeating, cannot start list.",
        ),
    ],
)
def test_bad_creates_are_refused(gemini: Gemini, body: Json, text: str) -> None:
    assert text in refusal(gemini.call("POST", CREATE, body))
    assert gemini.get("batches") == {}


def test_the_model_must_exist(gemini: Gemini) -> None:
    answer = gemini.call("POST", "models/no-such-model:batchGenerateContent", inline(item("a")))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith(
        "models/no-such-model is not found for API version v1beta, or is not supported for batchGenerateContent."
    )


def test_the_file_must_be_the_callers_own(gemini: Gemini, instant: Any) -> None:
    name = gemini.upload_lines(line("a"))
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": name}}}
    with connect(instant.url, "sandbox-other") as other:
        answer = other.call("POST", CREATE, body)
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


def test_more_than_20_megabytes_inline_are_refused(gemini: Gemini) -> None:
    answer = gemini.call("POST", CREATE, inline(item("a", "x" * (20 * 1024 * 1024))))
    assert refusal(answer) == "Request payload size exceeds the limit: 20971520 bytes."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"key": "a", "request": {"contents": [], "generationConfig": {}}}',
            "column 42: no such field: 'generationConfig'",
        ),
        ('{"key": "a", "request": {"contents": [{"parts": [{"inlineData": {}}]}]}}', "no such field: 'inlineData'"),
        ('{"request": {"contents": []}, "custom_id": "a"}', "column 31: no such field: 'custom_id'"),
        ('{"request": {"thinking_config": {}}}', "column 14: no such field: 'thinking_config'"),
        (
            '{"request": {"system_instruction": ["x"]}}',
            "column 36: unexpected character: '['; expected '{'",
        ),
        ('{"request": {"contents": ["hi"]}}', "unexpected character: '['; expected '{'"),
        ('{"request": {"service_tier": "loud"}}', "column 30: [sandbox] the value of 'service_tier' does not fit"),
        ('{"request": {"contents": [{"parts": [{"text": "", "function_call": {}}]}]}}', "'function_call' does not fit"),
        ('{"request": {"model": "models/x"}}', "request.model is not taken in a file"),
        ('{"request": {"system_instruction": {"parts": {"text": ""}}}}', "request.system_instruction has no text"),
        ('{"key": "a"}', "the line has no request"),
        ('{"key": 7, "request": {}}', "column 9: [sandbox] the value of 'key' does not fit"),
        ("[1]", "invalid JSON, near column"),
        ("nonsense", "invalid JSON, near column 1: "),
        ("", "invalid JSON, near column 1: "),
    ],
)
def test_a_file_is_read_strictly(gemini: Gemini, text: str, message: str) -> None:
    content = f"{json.dumps(line('good'))}\n{text}\n{json.dumps(line('good'))}\n".encode()
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": gemini.upload(content)["name"]}}}
    told = refusal(gemini.call("POST", CREATE, body))
    assert told.startswith("Error on line 2: ")
    assert message in told
    assert "\n" not in told
    assert gemini.get("batches") == {}


def test_every_bad_line_is_told_up_to_a_point(gemini: Gemini) -> None:
    content = b'{"request": {"x": 1}}\n' * 30
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": gemini.upload(content)["name"]}}}
    told = refusal(gemini.call("POST", CREATE, body)).splitlines()
    assert (len(told), told[1]) == (20, "Error on line 2: invalid JSON, near column 14: no such field: 'x'")


def test_an_empty_file_is_refused(gemini: Gemini) -> None:
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": gemini.upload(b"\n\n")["name"]}}}
    assert "at least one request" in refusal(gemini.call("POST", CREATE, body))


def test_schemas_work_under_one_name_in_a_file_and_another_inline(gemini: Gemini) -> None:
    """Reported: a file takes `response_json_schema` only; inline that one gives a template full of nulls."""
    json_type = {"response_mime_type": "application/json"}
    done = gemini.get(
        gemini.file_batch(line("a", generation_config={**json_type, "response_json_schema": SCHEMA}))["name"]
    )
    (result,) = gemini.results(done)
    text = result["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert json.loads(text) == {"name": "[sandbox]", "age": 1}
    content = json.dumps(line("a", generation_config={**json_type, "response_schema": SCHEMA})).encode()
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": gemini.upload(content)["name"]}}}
    assert refusal(gemini.call("POST", CREATE, body)) == "Request contains an invalid argument."
    named = ({"responseSchema": SCHEMA}, {"responseJsonSchema": SCHEMA})
    items = [item("a", generationConfig={"responseMimeType": "application/json", **name}) for name in named]
    texts = [
        json.loads(result["response"]["candidates"][0]["content"]["parts"][0]["text"])
        for result in responses(gemini.get(gemini.batch(*items)["name"]))
    ]
    assert texts == [{"name": "[sandbox]", "age": 1}, {"name": None, "age": None}]


def test_what_a_model_refuses_is_that_requests_result(gemini: Gemini) -> None:
    both = {"thinking_budget": 100, "thinking_level": "LOW"}
    lines = [
        line("good"),
        line("level", generation_config={"thinking_config": both}),
        line("overloaded", "sandbox:overloaded"),
        line("refused", "sandbox:refuse"),
        {"key": "unsigned", "request": {"contents": [said("x"), {"role": "model", "parts": [{"function_call": {}}]}]}},
        {"request": request("no key")},
    ]
    done = gemini.get(gemini.file_batch(*lines)["name"])
    stats = {"requestCount": "6", "successfulRequestCount": "3", "failedRequestCount": "3"}
    assert done["metadata"]["batchStats"] == stats
    results = {entry.get("key"): entry for entry in gemini.results(done)}
    assert results["level"]["error"] == {
        "code": 3,
        "message": "You can only set only one of thinking budget and thinking level.",
    }
    assert results["overloaded"]["error"]["code"] == 14
    assert results["refused"]["response"]["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert results["unsigned"]["error"]["code"] == 3
    assert list(results[None]) == ["response"]


def test_results_that_are_lost_repeated_and_swapped(gemini: Gemini) -> None:
    texts = {"a": "hi", "lost": "sandbox:lose", "twice": "sandbox:repeat", "other": "sandbox:swap"}
    done = gemini.get(gemini.file_batch(*(line(key, text) for key, text in texts.items()))["name"])
    assert done["metadata"]["batchStats"]["successfulRequestCount"] == "4"
    seen = sorted(keys(gemini.results(done)))
    assert seen[:3] == ["a", "twice", "twice"]
    assert seen[3].startswith("unknown-")
    done = gemini.get(gemini.batch(*(item(key, text) for key, text in texts.items()))["name"])
    inlined = [result["metadata"]["key"] for result in responses(done)]
    assert inlined[:3] == ["a", "twice", "twice"]
    assert inlined[3].startswith("unknown-")


@pytest.mark.parametrize("form", ["file", "inline"])
def test_a_request_that_is_not_reached_expires_them_all(gemini: Gemini, form: str) -> None:
    """Documented: an expired batch has no results at all."""
    texts = ("hi", "sandbox:expire")
    made = gemini.file_batch(*map(line, "ab", texts)) if form == "file" else gemini.batch(*map(item, "ab", texts))
    done = gemini.get(made["name"])
    assert (done["metadata"]["state"], done["done"]) == ("BATCH_STATE_EXPIRED", True)
    assert done["metadata"]["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    assert "response" not in done
    assert "output" not in done["metadata"]
    assert done["error"]["code"] == 13
    assert [file for file in gemini.get("files").get("files", []) if file["source"] == "GENERATED"] == []


def test_what_takes_longer_than_two_days_expires(tmp_path: Path, clock: Any) -> None:
    with background(tmp_path, clock=clock, pace=100_000) as url, connect(url, "sandbox") as gemini:
        made = gemini.batch(item("a"))
        assert states(gemini, clock, made["name"], 60_000, 112_799, 1) == [
            ("BATCH_STATE_RUNNING", False, False),
            ("BATCH_STATE_RUNNING", False, False),
            ("BATCH_STATE_EXPIRED", True, False),
        ]


def test_a_cancel_before_the_start(slow: Gemini, clock: Any) -> None:
    made = slow.batch(item("a"))
    assert slow.post(f"{made['name']}:cancel") == {}
    assert states(slow, clock, made["name"], 0, 0.5) == [
        ("BATCH_STATE_PENDING", False, False),
        ("BATCH_STATE_CANCELLED", True, False),
    ]
    done = slow.get(made["name"])
    id = made["name"].removeprefix("batches/")
    assert done["error"] == {"code": 13, "message": f"Batch {id} failed without error."}
    assert done["metadata"]["batchStats"] == {"requestCount": "1", "pendingRequestCount": "1"}


@pytest.mark.parametrize("form", ["file", "inline"])
def test_a_cancel_after_the_start(slow: Gemini, clock: Any, form: str) -> None:
    """Recorded: it ends as succeeded, and what was not served has the error 1 without a message."""
    names = [f"r{number}" for number in range(4)]
    made = slow.file_batch(*map(line, names)) if form == "file" else slow.batch(*map(item, names))
    clock.pass_(1.5)
    assert slow.post(f"{made['name']}:cancel") == {}
    assert states(slow, clock, made["name"], 0, 0.5) == [
        ("BATCH_STATE_RUNNING", False, False),
        ("BATCH_STATE_SUCCEEDED", True, True),
    ]
    done = slow.get(made["name"])
    stats = {"requestCount": "4", "successfulRequestCount": "2", "failedRequestCount": "2"}
    assert done["metadata"]["batchStats"] == stats
    results = slow.results(done) if form == "file" else responses(done)
    assert len(results) == 4
    assert [result["error"] for result in results if "error" in result] == [{"code": 1}] * 2


def test_a_cancel_after_the_end_changes_nothing(gemini: Gemini) -> None:
    made = gemini.batch(item("a"))
    done = gemini.get(made["name"])
    assert gemini.post(f"{made['name']}:cancel") == {}
    assert gemini.get(made["name"]) == done


def test_a_batch_fails_when_its_file_is_deleted_before_it_starts(slow: Gemini, clock: Any) -> None:
    made = slow.file_batch(line("a"))
    clock.pass_(0.2)
    slow.call("DELETE", made["metadata"]["inputConfig"]["fileName"])
    failed = slow.get(made["name"])
    assert (failed["metadata"]["state"], failed["done"]) == ("BATCH_STATE_FAILED", True)
    assert failed["error"]["code"] == 7
    clock.pass_(9)
    assert slow.get(made["name"]) == failed
    running = slow.file_batch(line("a"))
    clock.pass_(1)
    slow.call("DELETE", running["metadata"]["inputConfig"]["fileName"])
    clock.pass_(2)
    assert slow.get(running["name"])["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"


def test_a_batch_fails_when_its_file_expires_before_it_starts(slow: Gemini, clock: Any) -> None:
    name = slow.upload_lines(line("a"))
    clock.pass_(48 * 3600 - 0.3)
    made = slow.post(CREATE, {"batch": {"displayName": "d", "inputConfig": {"fileName": name}}})
    assert states(slow, clock, made["name"], 0, 0.3) == [
        ("BATCH_STATE_PENDING", False, False),
        ("BATCH_STATE_FAILED", True, False),
    ]


def test_lists(gemini: Gemini) -> None:
    assert gemini.get("batches") == {}
    names = [gemini.batch(item("a"))["name"] for _ in range(4)] + [gemini.file_batch(line("a"))["name"]]
    first = gemini.get("batches", pageSize=2)
    assert [operation["name"] for operation in first["operations"]] == [names[4], names[3]]
    assert first["operations"][0]["metadata"]["output"]["responsesFile"].startswith("files/batch-")
    second = gemini.get("batches", pageSize=2, pageToken=first["nextPageToken"])
    assert gemini.call("DELETE", names[1]).json() == gemini.post(f"{names[2]}:delete") == {}
    last = gemini.get("batches", pageSize=2, pageToken=second["nextPageToken"])
    assert ([operation["name"] for operation in last["operations"]], "nextPageToken" in last) == ([names[0]], False)


def test_unknown_foreign_and_deleted_batches_are_not_found(gemini: Gemini, instant: Any) -> None:
    mine = gemini.batch(item("a"))["name"]
    with connect(instant.url, "sandbox-other") as other:
        for method, path in (("GET", mine), ("POST", f"{mine}:cancel"), ("DELETE", mine), ("POST", f"{mine}:delete")):
            answer = other.call(method, path)
            assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert gemini.call("DELETE", mine).json() == {}
    assert gemini.call("GET", mine).status_code == 404
    assert gemini.call("GET", "batches/never").status_code == 404


def test_a_deleted_batch_stops(slow: Gemini, clock: Any) -> None:
    made = slow.file_batch(line("a"))
    clock.pass_(1)
    assert slow.call("DELETE", made["name"]).json() == {}
    clock.pass_(9)
    assert [file["source"] for file in slow.get("files")["files"]] == ["UPLOADED"]


def test_a_result_file_is_listed_before_its_batch_is_asked_for(slow: Gemini, clock: Any) -> None:
    slow.file_batch(line("a"))
    clock.pass_(2.5)
    assert len(slow.get("files")["files"]) == 1
    clock.pass_(0.25)
    assert [file["source"] for file in slow.get("files")["files"]] == ["GENERATED", "UPLOADED"]


def test_enqueued_tokens(tmp_path: Path, clock: Any) -> None:
    """The 429 of a create has a Help detail only (recorded 2026-01)."""
    with background(tmp_path, clock=clock, enqueued_tokens=10) as url, connect(url, "sandbox") as gemini:
        gemini.batch(item("a", "one two three four five"))
        refused = gemini.call("POST", CREATE, inline(item("a", "one two three four five")))
        assert (refused.status_code, refused.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        kinds = [detail["@type"] for detail in refused.json()["error"]["details"]]
        assert kinds == ["type.googleapis.com/google.rpc.Help"]
        gemini.batch(item("a", "one two three four five"), model="gemini-2.5-flash")
        clock.pass_(3)
        gemini.batch(item("a", "one two three four five"))


def test_a_large_file(gemini: Gemini) -> None:
    made = gemini.file_batch(*(line(f"r{number}") for number in range(5000)))
    done = gemini.get(made["name"])
    seen = keys(gemini.results(done))
    assert len(seen) == len(set(seen)) == 5000
