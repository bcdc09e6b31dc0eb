"""Files, batches and errors as Anthropic's wire has them, whichever line of the SDK asks."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bifrost_cli.providers import PROVIDERS
from bifrost_cli.sandbox import background, environment
from tests.server.conftest import MODELS, Served

OLD = {"anthropic-beta": "files-api-2025-04-14"}


def upload(served: Served, provider: str, count: int) -> list[str]:
    sdk = served.sdk(provider)
    return [sdk.files.upload(file=(f"{number}.txt", b"x", "text/plain")).id for number in range(count)]


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not_found_error"),
        ("GET", "/v1/nothing", 404, "not_found_error"),
        ("PUT", "/v1/messages", 405, "invalid_request_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages", 400, "invalid_request_error"),
        ("POST", "/v1/files", 400, "invalid_request_error"),
        ("GET", "/v1/files/file_none", 404, "not_found_error"),
        ("GET", "/v1/messages/batches/msgbatch_none", 404, "not_found_error"),
        ("GET", "/v1/messages/batches/a%20b", 400, "invalid_request_error"),
        ("GET", "/v1/messages/batches?limit=0", 400, "invalid_request_error"),
        ("GET", "/v1/messages/batches?after_id=msgbatch_none", 400, "invalid_request_error"),
        ("GET", "/v1/files?page=%25", 400, "invalid_request_error"),
        ("GET", "/v1/files?after_id=file_1", 400, "invalid_request_error"),
    ],
)
def test_an_error_has_anthropics_shape(method: str, path: str, status: int, kind: str, served: Served) -> None:
    with served.http() as http:
        answer = http.request(method, path)
    said = answer.json()
    assert (answer.status_code, said["type"], said["error"]["type"]) == (status, "error", kind)
    assert said["error"]["message"]
    assert said["request_id"] == answer.headers["request-id"]
    assert answer.headers["x-should-retry"] == "false"


def test_any_key_will_do_but_one_there_must_be(served: Served) -> None:
    assert httpx.get(f"{served.base}/v1/files", trust_env=False).status_code == 401
    for headers in ({"x-api-key": "x"}, {"authorization": "Bearer x"}):
        assert httpx.get(f"{served.base}/v1/files", headers=headers, trust_env=False).status_code == 200


def test_each_route_is_there_with_and_without_the_prefix(served: Served) -> None:
    for base in (served.url, served.base):
        answer = httpx.get(f"{base}/v1/files?beta=true", headers={"x-api-key": "x"}, trust_env=False)
        assert answer.status_code == 200
    for path in ("/healthz", "/readyz"):
        assert httpx.get(f"{served.url}{path}", trust_env=False).json()["status"] in ("ok", "ready")


def test_without_any_key_of_its_own_it_is_not_ready(gateway_over: Callable[..., Any]) -> None:
    with gateway_over(ANTHROPIC_API_KEY="", OPENAI_API_KEY="", AWS_ACCESS_KEY_ID="") as served:
        answer = httpx.get(f"{served.url}/readyz", trust_env=False)
        with served.http("openai") as http:
            said = http.get("/v1/files")
    assert answer.json()["providers"] in ([], ["bedrock"])
    assert (said.status_code, said.json()["error"]["type"]) == (401, "authentication_error")
    assert "OPENAI_API_KEY" in said.json()["error"]["message"]
    assert " -p" not in said.text
    assert "--" not in said.text


# -- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_files_page_in_both_shapes_and_each_comes_once(provider: str, served: Served) -> None:
    made = upload(served, provider, 7)
    listed = [file.id for file in served.sdk(provider).files.list(limit=3)]
    assert listed[:7] == made[::-1]
    assert len(listed) == len(set(listed))
    with served.http(provider, **OLD) as http:
        first = http.get("/v1/files", params={"limit": 3}).json()
        second = http.get("/v1/files", params={"limit": 3, "after_id": first["last_id"]}).json()
        back = http.get("/v1/files", params={"limit": 3, "before_id": second["first_id"]}).json()
    assert set(first) == {"data", "has_more", "first_id", "last_id"}
    assert [file["id"] for file in (*first["data"], *second["data"])] == made[:0:-1]
    assert [file["id"] for file in back["data"]] == made[:3:-1]
    assert "expires_at" not in first["data"][0] or first["data"][0]["expires_at"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_files_chosen_by_id_leave_unknown_ones_out(provider: str, served: Served) -> None:
    first, gone, last = upload(served, provider, 3)
    sdk = served.sdk(provider)
    assert sdk.files.delete(gone).to_dict() == {"id": gone, "type": "file_deleted"}
    with served.http(provider) as http:
        answer = http.get("/v1/files", params={"ids[]": [first, gone, last, first]}).json()
    assert [file["id"] for file in answer["data"]] == [first, last]
    assert answer["next_page"] is None


def test_a_file_says_its_size_under_both_names(served: Served) -> None:
    file = served.sdk().files.upload(file=("a.txt", b"12345", "text/plain")).to_dict()
    assert (file["size"], file["size_bytes"]) == (5, 5)
    assert file["expires_at"] is None


# -- batches -----------------------------------------------------------------------------------------------------


def batch(served: Served, provider: str, **headers: str) -> httpx.Response:
    params = {"model": MODELS[provider], "max_tokens": 50, "messages": [{"role": "user", "content": "hi\u2028there"}]}
    with served.http(provider, **headers) as http:
        return http.post("/v1/messages/batches", json={"requests": [{"custom_id": "a", "params": params}]})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_batches_page_forth_and_back_and_each_comes_once(provider: str, served: Served) -> None:
    made = [batch(served, provider).raise_for_status().json()["id"] for _ in range(5)]
    sdk = served.sdk(provider)
    listed = [each.id for each in sdk.messages.batches.list(limit=2)]
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))
    back = sdk.messages.batches.list(limit=2, before_id=made[0])
    assert [each.id for each in back.data] == [made[2], made[1]]
    assert back.has_more


@pytest.mark.parametrize("provider", PROVIDERS)
def test_results_are_json_lines_of_this_server(provider: str, served: Served) -> None:
    id = batch(served, provider).json()["id"]
    with served.http(provider) as http:
        while (seen := http.get(f"/v1/messages/batches/{id}").json())["processing_status"] != "ended":
            assert seen["results_url"] is None
        assert seen["results_url"] == f"{served.base}/v1/messages/batches/{id}/results"
        answer = http.get(seen["results_url"])
    assert answer.headers["content-type"] == "application/x-jsonl"
    assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{id}_results.jsonl"
    assert answer.content.count(b"\n") == 1
    assert answer.content.endswith(b"}\n")


def test_results_asked_too_early_are_not_there(gateway_over: Callable[..., Any], tmp_path: Path) -> None:
    with background(tmp_path, pace=100) as url, gateway_over(**environment(url)) as served:
        id = batch(served, "openai").json()["id"]
        with served.http() as http:
            answer = http.get(f"/v1/messages/batches/{id}/results")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"Message Batch {id} has no available results."


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({"host": "gw.example:9000"}, "http://gw.example:9000/anthropic"),
        ({"x-forwarded-proto": "https", "x-forwarded-host": "a.example, b"}, "https://a.example/anthropic"),
        ({"x-forwarded-host": "a.example", "x-forwarded-prefix": "/llm/"}, "http://a.example/llm/anthropic"),
    ],
)
def test_results_url_is_where_the_caller_sees_this_server(headers: dict[str, str], origin: str, served: Served) -> None:
    id = batch(served, "anthropic").json()["id"]
    with served.http(**headers) as http:
        while (seen := http.get(f"/v1/messages/batches/{id}").json())["processing_status"] != "ended":
            pass
    assert seen["results_url"] == f"{origin}/v1/messages/batches/{id}/results"


def test_the_list_of_models_pages(served: Served) -> None:
    sdk = served.sdk("openai")
    every = [model.id for model in sdk.models.list()]
    paged = [model.id for model in sdk.models.list(limit=2)]
    assert paged == every
    assert len(sdk.models.list(limit=2).data) == 2
    assert math.ceil(len(every) / 2) > 1
