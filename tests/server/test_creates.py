"""Creates: what is sent twice is carried out once, and what cannot be translated is refused by name."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import uuid4

import anthropic
import httpx
import orjson
import pytest

from bifrost_cli.server.creates import Creates
from tests.server.conftest import MODELS, Served

PROVIDER = "openai"


def requests(mark: str = "", count: int = 2, **params: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"hello {mark}"}
    made = {"model": MODELS[PROVIDER], "max_tokens": 50, "messages": [message], **params}
    return {"requests": [{"custom_id": f"r{number}", "params": dict(made)} for number in range(count)]}


def create(served: Served, body: dict[str, Any], **headers: str) -> httpx.Response:
    with served.http(PROVIDER, **headers) as http:
        return http.post("/v1/messages/batches", json=body)


def test_two_equal_creates_at_the_same_time_are_one(served: Served) -> None:
    before, body = served.created(PROVIDER), requests(uuid4().hex)
    served.fault(f"slow=0.02@{PROVIDER} POST /v1/files")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: create(served, body), range(4)))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert served.created(PROVIDER) == before + 1


def test_an_equal_create_that_ends_while_a_body_comes_in_is_the_same(served: Served) -> None:
    before, text = served.created(PROVIDER), orjson.dumps(requests(uuid4().hex))
    begun, go_on = Event(), Event()

    def slowly() -> Iterator[bytes]:
        yield text[:20]
        begun.set()
        assert go_on.wait(30)
        yield text[20:]

    def post(content: Any) -> str:
        with served.http(PROVIDER) as http:
            return str(http.post("/v1/messages/batches", content=content).json()["id"])

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(post, slowly())
        assert begun.wait(30)
        time.sleep(0.2)  # What was sent of it is there.
        quick = post(text)
        go_on.set()
        assert slow.result() == quick
    assert served.created(PROVIDER) == before + 1


def test_equal_creates_one_after_another_are_two(served: Served) -> None:
    before, body = served.created(PROVIDER), requests(uuid4().hex)
    assert create(served, body).json()["id"] != create(served, body).json()["id"]
    assert served.created(PROVIDER) == before + 2


def test_an_sdks_retry_finds_the_batch_of_the_first_try(served: Served) -> None:
    before, body = served.created(PROVIDER), requests(uuid4().hex)
    first = create(served, body)
    again = create(served, body, **{"x-stainless-retry-count": "1"})
    assert again.json()["id"] == first.json()["id"]
    assert served.created(PROVIDER) == before + 1


def test_an_equal_idempotency_key_is_the_same_create_and_another_body_a_conflict(served: Served) -> None:
    before, key = served.created(PROVIDER), uuid4().hex
    body = requests(key)
    ids = {create(served, body, **{"idempotency-key": key}).json()["id"] for _ in range(3)}
    assert len(ids) == 1
    assert served.created(PROVIDER) == before + 1
    other = create(served, requests(key, count=3), **{"idempotency-key": key})
    assert (other.status_code, other.json()["error"]["type"]) == (409, "conflict_error")
    assert other.headers["x-should-retry"] == "false"


def test_an_unknown_outcome_is_not_to_be_tried_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bifrost_cli.core.submit.LOOK_UPS", (0.0,))
    served.fault(f"500@{PROVIDER} POST /v1/batches")
    answer = create(served, requests(uuid4().hex))
    assert answer.status_code == 500
    assert answer.headers["x-should-retry"] == "false"
    assert "may or may not have arrived" in answer.json()["error"]["message"]


def test_a_create_turned_away_says_when_to_try_again(served: Served) -> None:
    served.fault(f"429=7@{PROVIDER} POST /v1/batches")
    answer = create(served, requests(uuid4().hex))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert "x-should-retry" not in answer.headers


def test_requests_that_cannot_be_translated_are_named(served: Served) -> None:
    before, body = served.created(PROVIDER), requests(count=3)
    body["requests"][1]["params"]["top_k"] = 5
    del body["requests"][2]["params"]["max_tokens"]
    answer = create(served, body)
    assert answer.status_code == 400
    second, third = answer.json()["error"]["message"].split("\n")
    assert second.startswith("requests.1 (custom_id r1): top_k: ")
    assert "OpenAI" in second
    assert "x-bifrost-drop: top_k" in second
    assert third == "requests.2 (custom_id r2): max_tokens is missing"
    assert served.created(PROVIDER) == before
    assert create(served, requests(count=1, top_k=5), **{"x-bifrost-drop": "top_k"}).status_code == 200


def test_a_stray_url_in_params_is_tolerated(served: Served) -> None:
    assert create(served, requests(url="/v1/messages")).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b"{", "not valid JSON"),
        (b"{}", "requests: List should have at least 1 item"),
        (b'{"requests": []}', "requests: List should have at least 1 item"),
        (b'{"requests": {}}', "requests: must be a list"),
        (b'{"requests": [7]}', "requests.0: must be an object"),
        (b'{"requests": [{}], "more": 1}', "more: Extra inputs"),
        (b'{"requests": [{"custom_id": "a", "params": {}},]}', "comma"),
    ],
)
def test_a_body_that_is_no_create_is_refused(body: bytes, said: str, served: Served) -> None:
    with served.http() as http:
        answer = http.post("/v1/messages/batches", content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert said in answer.json()["error"]["message"]


def test_models_name_their_provider_and_a_batch_may_mix_them(served: Served) -> None:
    body = requests()
    body["requests"][0]["params"]["model"] = "openai/gpt-4o-mini"
    body["requests"][1]["params"]["model"] = "claude-sonnet-5-5"
    sdk = served.sdk()
    batch = sdk.messages.batches.create(**body)
    assert [id.partition(":")[0] for id in sorted(batch.id.split("~"))][1] == "openai"
    while batch.processing_status != "ended":
        batch = sdk.messages.batches.retrieve(batch.id)
    assert {result.custom_id for result in sdk.messages.batches.results(batch.id)} == {"r0", "r1"}


def test_a_header_that_contradicts_an_id_or_a_model_is_refused(served: Served) -> None:
    sdk = served.sdk("anthropic")
    with pytest.raises(anthropic.BadRequestError, match="one of openai"):
        sdk.messages.batches.retrieve("openai:batch_1")
    with pytest.raises(anthropic.BadRequestError, match="for openai"):
        sdk.messages.create(model="openai/gpt-4o-mini", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(anthropic.BadRequestError, match="anthropic, openai"):
        served.sdk("nowhere").messages.batches.list()


@pytest.mark.anyio
async def test_a_create_goes_on_when_its_caller_leaves() -> None:
    creates, made = Creates(), []

    async def create() -> Any:
        await asyncio.sleep(0.01)
        made.append(1)

    caller = asyncio.ensure_future(creates.see_through(create()))
    await asyncio.sleep(0)
    caller.cancel()
    await creates.settle()
    assert made == [1]
    assert creates.running == set()


@pytest.mark.anyio
async def test_a_create_that_fails_is_told_and_forgotten() -> None:
    creates = Creates()

    async def fail() -> Any:
        raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"):
        await creates.see_through(fail())
    await asyncio.sleep(0)
    assert creates.running == set()
