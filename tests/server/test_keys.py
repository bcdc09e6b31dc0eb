"""Virtual keys: who is let in, what their rules hold, and that nobody sees another's work."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bifrost_cli.config import Config
from bifrost_cli.core.database import Database
from bifrost_cli.core.tenants import Tenants, Usage
from bifrost_cli.providers import PROVIDERS
from bifrost_cli.sandbox import environment
from bifrost_cli.server import Settings
from tests import gateway
from tests.server.conftest import CHOSEN, MODELS, Keyed, Served

BATCHES = "/v1/messages/batches"
ANOTHER = {
    "anthropic": ("file_011CNha8iCJcU1wXNR6q4V8w", "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"),
    "openai": ("openai:file-8f3a5d2c9b1e4f60a7c2d9e1", "openai:batch_67f7bfc50b288190893f242d9fa93c52"),
    "gemini": ("gemini:abc123def456", "gemini:batches0123456789abcdef"),
    "bedrock": ("bedrock:YWJjLnR4dA", "bedrock:us-east-1.abcdefghijkl"),
}
"""A file and a batch that nobody has."""


def params(provider: str, text: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": MODELS[provider], "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}


def batch_of(provider: str, count: int = 2, **more: Any) -> dict[str, Any]:
    return {"requests": [{"custom_id": f"r{number}", "params": params(provider, **more)} for number in range(count)]}


def upload(holder: Served, provider: str) -> str:
    return holder.sdk(provider).files.upload(file=("notes.txt", b"my own", "text/plain")).id


def create(holder: Served, provider: str) -> str:
    return str(holder.sdk(provider).messages.batches.create(**batch_of(provider)).id)


def ended(holder: Served, id: str) -> None:
    deadline = time.monotonic() + 30
    while holder.sdk().messages.batches.retrieve(id).processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def document(file_id: str) -> list[dict[str, Any]]:
    return [{"type": "document", "source": {"type": "file", "file_id": file_id}}]


def told(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["type"], error["message"]


@pytest.fixture
def made() -> Iterator[Any]:
    """Keeps callers, and closes what they opened."""
    callers: list[Served] = []

    def keep(caller: Served) -> Served:
        callers.append(caller)
        return caller

    yield keep
    for caller in callers:
        caller.close()


# -- who is let in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["x-api-key", "authorization", "x-bf-vk"])
def test_a_key_is_taken_wherever_it_may_be(header: str, keyed: Keyed) -> None:
    key = keyed.holder().key
    given = {header: f"Bearer {key}" if header == "authorization" else key}
    if header == "x-bf-vk":
        given["x-api-key"] = "an-sdk-insists-on-one"
    assert httpx.get(f"{keyed.url}/v1/files", headers=given, trust_env=False).status_code == 200


def test_a_dummy_is_not_let_in_where_there_are_keys(keyed: Keyed) -> None:
    key = keyed.holder().key
    wrong = (
        None,
        "dummy",
        "",
        key[:-1],
        key + "x",
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        f"sk-bf-{'0' * 12}-{'a' * 43}",
    )
    asked, said = len(keyed.asked()), set()
    for path in ("/v1/files", f"{BATCHES}/msgbatch_1", "/v1/models"):
        for each in wrong:
            answer = httpx.get(
                keyed.url + path, headers={"x-api-key": each} if each is not None else {}, trust_env=False
            )
            said.add(told(answer))
    assert {status for status, *_ in said} == {401}
    assert len(said) == 1
    assert len(keyed.asked()) == asked


def test_a_key_made_or_ended_while_the_gateway_runs_counts_at_once(tmp_path: Path, sandbox: str, made: Any) -> None:
    tenants = Tenants(Database(tmp_path))
    with gateway.over({**environment(sandbox), "BIFROST_HOME": str(tmp_path)}) as url:
        dummy = made(Served(url, sandbox))
        assert dummy.http().get("/v1/files").status_code == 200
        _, secret = tenants.create("first")
        assert dummy.http().get("/v1/files").status_code == 401
        holder = made(Served(url, sandbox, secret))
        assert holder.http().get("/v1/files").status_code == 200
        tenants.revoke("first")
        status, kind, message = told(holder.http().get("/v1/files"))
        assert (status, kind) == (401, "authentication_error")
        assert message.startswith("The key 'first' is revoked since 20")
        assert dummy.http().get("/v1/files").status_code == 401


def test_a_gateway_that_was_closed_stays_so_without_its_database(tmp_path: Path, sandbox: str, made: Any) -> None:
    Tenants(Database(tmp_path)).create("first")
    with gateway.over({**environment(sandbox), "BIFROST_HOME": str(tmp_path)}) as url:
        for path in tmp_path.glob("journal.db*"):
            path.unlink()
        assert made(Served(url, sandbox)).http().get("/v1/files").status_code == 401


def test_an_expired_key_says_so(keyed: Keyed) -> None:
    holder = keyed.holder(expires_at=time.time() - 1)
    status, kind, message = told(holder.http().get("/v1/files"))
    assert (status, kind) == (401, "authentication_error")
    assert "is expired since 20" in message


def test_another_host_may_be_bound_once_there_are_keys(tmp_path: Path) -> None:
    config = Config(environ={"BIFROST_HOME": str(tmp_path), "BIFROST_SERVE_HOST": "0.0.0.0"})
    with pytest.raises(Exception, match="callers need no key of their own"):
        Settings.load(config)
    Tenants(Database(tmp_path)).create("first")
    assert Settings.load(config).host == "0.0.0.0"


def test_a_limit_of_calls_is_kept_and_says_when_to_come_again(keyed: Keyed) -> None:
    holder, other = keyed.holder(rpm=3), keyed.holder(rpm=3)
    with holder.http() as http:
        answers = [http.get("/v1/files") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    status, kind, message = told(answers[-1])
    assert (status, kind) == (429, "rate_limit_error")
    assert "3 calls a minute" in message
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert other.http().get("/v1/files").status_code == 200


# -- rules -------------------------------------------------------------------------------------------------------


def test_only_the_providers_of_its_rules_can_be_asked(keyed: Keyed) -> None:
    holder = keyed.holder(providers=("open*", "bedrock"))
    assert holder.http("openai").get("/v1/files").status_code == 200
    asked = len(keyed.asked())
    with holder.http("gemini") as http:
        answers = [
            http.get("/v1/files"),
            http.get(BATCHES),
            http.get("/v1/models"),
            http.post("/v1/messages", json=params("gemini")),
            http.post("/v1/messages/count_tokens", json=params("gemini")),
            http.post(BATCHES, json=batch_of("gemini")),
            http.post("/v1/files", files={"file": ("a.txt", b"x")}),
        ]
    for answer in answers:
        status, kind, message = told(answer)
        assert (status, kind) == (403, "permission_error")
        assert "may not use the provider gemini; it may use: open*, bedrock." in message
    assert len(keyed.asked()) == asked


@pytest.mark.parametrize("pattern", ["gpt-4o-mini", "gpt-4o*", "openai/*", "openai/gpt-4o-mini"])
def test_a_model_that_a_rule_names_can_be_asked_and_others_cannot(pattern: str, keyed: Keyed) -> None:
    holder = keyed.holder(models=(pattern,))
    with holder.http("openai") as http:
        assert http.post("/v1/messages", json=params("openai")).status_code == 200
        assert http.post("/v1/messages", json={**params("openai"), "model": "openai/gpt-4o-mini"}).status_code == 200
    with holder.http() as http:
        for model in ("claude-sonnet-5-5", "gemini/gemini-2.5-flash"):
            status, kind, message = told(http.post("/v1/messages", json={**params("openai"), "model": model}))
            assert (status, kind) == (403, "permission_error")
            assert f"it may use: {pattern}." in message


def test_one_request_of_a_thousand_for_another_model_refuses_the_batch_by_its_name(keyed: Keyed) -> None:
    holder, before = keyed.holder(models=(MODELS["openai"],)), keyed.asked()
    body = batch_of("openai", 1000)
    body["requests"][700]["params"]["model"] = "gpt-5.4"
    status, kind, message = told(holder.http("openai").post(BATCHES, json=body))
    assert (status, kind) == (403, "permission_error")
    assert message.startswith("requests.700 (custom_id r700): The key '")
    assert "may not use the model gpt-5.4 at openai" in message
    assert keyed.asked() == before


@pytest.mark.parametrize(
    "more",
    [
        {"fallbacks": [{"model": "claude-opus-5"}]},
        {"fallbacks": "default"},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}]},
    ],
)
def test_a_model_behind_the_model_is_held_to_the_rules_too(more: dict[str, Any], keyed: Keyed) -> None:
    holder, before = keyed.holder(models=("claude-sonnet-*",)), keyed.asked()
    with holder.http("anthropic") as http:
        answers = [
            http.post("/v1/messages", json=params("anthropic", **more)),
            http.post(BATCHES, json=batch_of("anthropic", **more)),
        ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert keyed.asked() == before


def test_models_are_listed_as_far_as_the_rules_go(keyed: Keyed) -> None:
    everything = {model.id for model in keyed.holder().sdk("openai").models.list()}
    some = {model.id for model in keyed.holder(models=("gpt-4o*",)).sdk("openai").models.list()}
    assert some == {id for id in everything if id.startswith("gpt-4o")}
    assert some < everything


# -- tenants -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=PROVIDERS)
def work(request: pytest.FixtureRequest, keyed_gateway: Keyed) -> Iterator[tuple[str, Served, str, str]]:
    """A provider, and what one key has there: a file and an ended batch."""
    provider, mine = request.param, replace(keyed_gateway.holder(), opened=[])
    file, batch = upload(mine, provider), create(mine, provider)
    ended(mine, batch)
    yield provider, mine, file, batch
    mine.close()


def routes(file: str, batch: str, provider: str) -> list[tuple[str, str, Any]]:
    """Every route that takes an id, with each place that one may be in."""
    return [
        ("GET", f"/v1/files/{file}", None),
        ("GET", f"/v1/files/{file}/content", None),
        ("DELETE", f"/v1/files/{file}", None),
        ("GET", f"{BATCHES}/{batch}", None),
        ("GET", f"{BATCHES}/{batch}/results", None),
        ("POST", f"{BATCHES}/{batch}/cancel", None),
        ("DELETE", f"{BATCHES}/{batch}", None),
        ("POST", "/v1/messages", params(provider, document(file))),
        ("POST", "/v1/messages", params(provider, document(file), stream=True)),
        ("POST", "/v1/messages/count_tokens", params(provider, document(file))),
        ("POST", BATCHES, batch_of(provider, text=document(file))),
        (
            "POST",
            BATCHES,
            batch_of(provider, text=[{"type": "tool_result", "tool_use_id": "t", "content": document(file)}]),
        ),
    ]


def test_anothers_work_is_not_there_whichever_way_it_is_asked_for(work: Any, keyed: Keyed) -> None:
    provider, mine, file, batch = work
    stranger = keyed.holder()
    before = keyed.asked()
    with stranger.http(provider) as http:
        for (method, path, body), (_, nowhere, other) in zip(
            routes(file, batch, provider), routes(*ANOTHER[provider], provider), strict=True
        ):
            said = told(http.request(method, path, json=body))
            unknown = told(http.request(method, nowhere, json=other))
            hidden = (said[2].replace(file, "FILE").replace(batch, "BATCH"), said[:2])
            for native in (file, batch):
                hidden = (hidden[0].replace(native.partition(":")[2] or native, "FILE"), hidden[1])
            absent = unknown[2].replace(ANOTHER[provider][0], "FILE").replace(ANOTHER[provider][1], "BATCH")
            absent = absent.replace(ANOTHER[provider][0].partition(":")[2] or "-", "FILE")
            assert said[:2] == unknown[:2] == (404, "not_found_error"), (method, path)
            assert hidden[0] == absent
    assert keyed.asked() == before  # Neither was asked of a provider: no time tells the two apart.
    with mine.http(provider) as http:
        assert http.get(f"/v1/files/{file}").status_code == 200
        assert http.get(f"{BATCHES}/{batch}/results").status_code == 200


def test_a_guess_at_prefixes_and_combined_ids_finds_nothing(work: Any, keyed: Keyed) -> None:
    provider, _, file, batch = work
    stranger = keyed.holder()
    own = create(stranger, provider)
    native = batch.partition(":")[2] or batch
    guesses = [f"{name}:{native}" for name in PROVIDERS]
    guesses += [f"{own}~{batch}", f"{batch}~{own}", f"{own}~{own}~{batch}", f"anthropic:{batch}", native.upper(), file]
    with stranger.http() as http:
        for guess in guesses:
            for method, path in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
                answer = http.request(method, f"{BATCHES}/{guess}{path}")
                assert answer.status_code == 404, (method, guess, path, answer.text)
        assert http.get(f"/v1/files/{batch}").status_code == 404
        assert http.get(f"{BATCHES}/{own}").status_code == 200


def old_list(holder: Served, provider: str) -> list[str]:
    """The ids of all files, as the old beta pages them."""
    ids: list[str] = []
    with holder.http(provider, **{"anthropic-beta": "files-api-2025-04-14"}) as http:
        more = True
        while more:
            page = http.get("/v1/files", params={"limit": 3, **({"after_id": ids[-1]} if ids else {})}).json()
            ids += [file["id"] for file in page["data"]]
            more = page["has_more"]
    return ids


@pytest.mark.parametrize("provider", PROVIDERS)
def test_lists_stay_apart_over_several_pages(provider: str, keyed: Keyed) -> None:
    holders = [keyed.holder(), keyed.holder()]
    batches: list[list[str]] = [[], []]
    files: list[list[str]] = [[], []]
    for _ in range(7):
        for number, holder in enumerate(holders):
            batches[number].append(create(holder, provider))
            files[number].append(upload(holder, provider))
    for number, holder in enumerate(holders):
        listed = [batch.id for batch in holder.sdk(provider).messages.batches.list(limit=3)]
        assert listed == batches[number][::-1]
        assert [file.id for file in holder.sdk(provider).files.list(limit=3)] == files[number][::-1]
        assert old_list(holder, provider) == files[number][::-1]
        with holder.http(provider) as http:
            after = http.get(BATCHES, params={"limit": 3, "after_id": batches[1 - number][3]})
            nowhere = http.get(BATCHES, params={"limit": 3, "after_id": ANOTHER[provider][1]})
            chosen = http.get("/v1/files", params={"ids[]": [files[1 - number][0], files[number][0]]})
        assert after.status_code == nowhere.status_code == 400
        assert told(after)[2].replace(batches[1 - number][3], "") == told(nowhere)[2].replace(ANOTHER[provider][1], "")
        assert [file["id"] for file in chosen.json()["data"]] == [files[number][0]]


def test_equal_requests_of_two_keys_are_two_batches(keyed: Keyed) -> None:
    holders, body = [keyed.holder(), keyed.holder()], batch_of("openai", text=uuid4().hex)
    for headers in ({"x-stainless-retry-count": "1"}, {"idempotency-key": uuid4().hex}):
        ids = {
            holder.http("openai", **headers).post(BATCHES, json=body).json()["id"]
            for holder in holders
            for _ in range(2)
        }
        assert len(ids) == 2


def test_what_was_made_outside_is_seen_by_a_key_that_sees_all_only(work: Any, keyed: Keyed) -> None:
    provider, mine, file, batch = work
    admin = keyed.holder(sees_all=True)
    assert batch in {each.id for each in admin.sdk(provider).messages.batches.list()}
    assert file in {each.id for each in admin.sdk(provider).files.list()}
    assert admin.sdk(provider).messages.batches.retrieve(batch).id == batch
    outside = {each.id for each in admin.sdk(provider).messages.batches.list()}
    assert {each.id for each in mine.sdk(provider).messages.batches.list()} <= outside
    assert list(keyed.holder().sdk(provider).messages.batches.list()) == []


def test_a_deleted_file_is_forgotten_and_the_lists_go_on(keyed: Keyed) -> None:
    holder = keyed.holder()
    ids = [upload(holder, "openai") for _ in range(5)]
    holder.sdk("openai").files.delete(ids[2])
    account = environment(keyed.sandbox)
    outside = f"{account['OPENAI_BASE_URL']}/files/{ids[1].partition(':')[2]}"
    bearer = {"authorization": f"Bearer {account['OPENAI_API_KEY']}"}
    httpx.delete(outside, headers=bearer, trust_env=False).raise_for_status()
    assert [file.id for file in holder.sdk("openai").files.list(limit=2)] == [ids[4], ids[3], ids[0]]
    assert holder.http("openai").get(f"/v1/files/{ids[2]}").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "https://generativelanguage.googleapis.com/v1beta/files/{}",
        "https://GenerativeLanguage.googleapis.com:443/v1/files/{}",
        "https://x@generativelanguage.googleapis.com/v1beta/files/{}?alt=media",
    ],
)
def test_the_address_of_anothers_file_is_not_there_either(url: str, keyed: Keyed) -> None:
    mine, stranger = keyed.holder(), keyed.holder()
    file = upload(mine, "gemini").partition(":")[2]
    source = [{"type": "document", "source": {"type": "url", "url": url.format(file)}}]
    assert stranger.http("gemini").post("/v1/messages", json=params("gemini", source)).status_code == 404
    assert stranger.http("gemini").post(BATCHES, json=batch_of("gemini", text=source)).status_code == 404


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"container": "container_011CPR5CNjB747bTd36fQLFk"}, 404),
        ({"container": {"id": "container_011CPR5CNjB747bTd36fQLFk"}}, 404),
        ({"container": {"skills": [{"type": "custom", "skill_id": "skill_01AbCd"}]}}, 404),
        (
            {
                "tools": [
                    {"name": "read", "input_schema": {"type": "object", "properties": {"file_id": {"type": "string"}}}}
                ]
            },
            200,
        ),
    ],
)
def test_other_kept_things_are_not_there_and_words_like_theirs_are_let_be(
    more: dict[str, Any], status: int, keyed: Keyed
) -> None:
    assert keyed.holder().http("anthropic").post("/v1/messages", json=params("anthropic", **more)).status_code == status


def test_lines_of_another_form_do_not_pass_the_fence(keyed: Keyed) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-4o-mini", "input": "x"}}
    answer = keyed.holder().http("openai").post(BATCHES, json={"requests": [line]})
    assert answer.status_code == 400
    assert "params is missing" in answer.text


# -- usage, and what is kept -------------------------------------------------------------------------------------


def test_usage_is_counted_once(keyed: Keyed) -> None:
    holder, before = keyed.holder(), time.strftime("%Y-%m-%d", time.gmtime())
    sdk = holder.sdk("openai")
    message = sdk.messages.create(**params("openai"))
    with sdk.messages.stream(**params("openai")) as stream:
        streamed = stream.get_final_message()
    headers, body = {"x-stainless-retry-count": "1"}, batch_of("openai", 5)
    ids = {holder.http("openai", **headers).post(BATCHES, json=body).json()["id"] for _ in range(3)}
    [id] = ids
    ended(holder, id)
    results, _again = (list(sdk.messages.batches.results(id)) for _ in range(2))
    answers = [message, streamed, *(result.result.message for result in results)]
    wanted = [sum(a.usage.input_tokens for a in answers), sum(a.usage.output_tokens for a in answers)]
    name = next(key.name for key in keyed.tenants.all() if key.id == holder.key.split("-")[2])
    deadline = time.monotonic() + 20
    while (used := _sum(keyed.tenants.usage(before), name))[0] < 7:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert used == [7, 1, *wanted]
    assert wanted[1] > 0


def _sum(rows: list[Usage], name: str) -> list[int]:
    """Of all days, as midnight may pass."""
    mine = [row[2:] for row in rows if row.key == name]
    return [sum(column) for column in zip(*mine, strict=True)] if mine else [0]


def test_no_key_is_kept_or_said(tmp_path: Path, sandbox: str, made: Any) -> None:
    home = tmp_path / "home"
    secrets = [Tenants(Database(home)).create(f"n{number}", rpm=8)[1] for number in range(3)]
    said = b""
    with gateway.in_process(tmp_path, **environment(sandbox), **CHOSEN) as process:
        for secret in secrets:
            holder = made(Served(process.url, sandbox, secret))
            upload(holder, "openai")
            create(holder, "openai")
            wrong = {"x-model-provider": secret}
            answers = [holder.http(**wrong).get(f"/v1/files/{number}") for number in range(9)]
            answers.append(holder.http().post("/v1/messages", content=b"{"))
            said += b"".join(answer.content + str(answer.headers.raw).encode() for answer in answers)
    logged = process.log.read_bytes()
    calls = [json.loads(line) for line in logged.splitlines() if line.startswith(b"{")]
    assert {call["key"] for call in calls if call["path"] != "/healthz"} == {secret.split("-")[2] for secret in secrets}
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"n0" in kept
    for secret in secrets:
        random = secret.split("-", 3)[3]
        assert not [word for word in (secret, random, random[:16], random[-16:]) if word.encode() in kept + logged]
        assert secret.encode() not in said.replace(
            f"there is no provider '{secret}'".encode(), b""
        )  # What it said itself.
