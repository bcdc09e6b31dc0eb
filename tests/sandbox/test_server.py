"""Serving: start, stop, settings, what is kept between servers, and who sees it."""

import asyncio
import signal
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from bifrost_cli.sandbox import FaultSyntaxError, background, create_app, environment, reset, settings_from
from bifrost_cli.sandbox.http import MB
from bifrost_cli.sandbox.server import THREAD
from bifrost_cli.sandbox.store import KEEP, Store


def batch(client: anthropic.Anthropic, prompt: Any, count: int = 1) -> str:
    requests = [{"custom_id": f"r{number}", "params": prompt()} for number in range(count)]
    return client.messages.batches.create(requests=requests).id  # type: ignore[arg-type]


def counts(url: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = httpx.get(f"{url}/_sandbox/counts").json()
    return found


def test_it_starts_and_stops(tmp_path: Path) -> None:
    with background(tmp_path) as url:
        assert httpx.get(f"{url}/_sandbox/log").json() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_its_thread_ends_with_it(tmp_path: Path) -> None:
    def running() -> int:
        return [thread.name for thread in threading.enumerate()].count(THREAD)

    before = running()
    with background(tmp_path):
        assert running() == before + 1
    assert running() == before


def test_it_serves_while_the_main_thread_runs_a_loop(tmp_path: Path, prompt: Any) -> None:
    async def talk(url: str) -> str:
        async with anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key="sandbox", max_retries=0) as client:
            messages = await asyncio.gather(*(client.messages.create(**prompt(str(number))) for number in range(20)))
        return messages[-1].content[0].text

    with background(tmp_path) as url:
        assert asyncio.run(talk(url)) == "[sandbox] answer to: 19"


def test_a_process_serves_until_interrupted_and_others_see_its_state(
    tmp_path: Path, process: Any, clients: Any, prompt: Any
) -> None:
    with process(tmp_path) as (first, running):
        with background(tmp_path) as second:
            here, there = (
                clients.anthropic.with_options(base_url=f"{url}/anthropic", api_key="sandbox-shared")
                for url in (first, second)
            )
            ids = [batch(here, prompt), batch(there, prompt)]
            for client in (here, there):
                assert {found.id for found in client.messages.batches.list()} == set(ids)
            assert counts(first)["anthropic"] == counts(second)["anthropic"] == {"batches": 2}
        running.send_signal(signal.SIGINT)
        out, error = running.communicate(timeout=10)
    assert out == ""
    assert "Traceback" not in error or "KeyboardInterrupt" in error


def test_state_outlives_the_server(tmp_path: Path, clients: Any, prompt: Any, clock: Any) -> None:
    def client(url: str) -> anthropic.Anthropic:
        made: anthropic.Anthropic = clients.anthropic.with_options(base_url=f"{url}/anthropic", api_key="sandbox-a")
        return made

    with background(tmp_path, clock=clock) as url:
        id = batch(client(url), prompt, 3)
        file = client(url).files.upload(file=("a", b"x")).id
    clock.pass_(60)
    with background(tmp_path, clock=clock) as url:
        assert client(url).messages.batches.retrieve(id).request_counts.succeeded == 3
        assert client(url).files.retrieve_metadata(file).id == file
        assert len(list(client(url).messages.batches.results(id))) == 3
        assert counts(url)["anthropic"] == {"batches": 1, "files": 1}


def test_pace_belongs_to_the_batch(tmp_path: Path, clients: Any, prompt: Any, clock: Any) -> None:
    with background(tmp_path, clock=clock, pace=100) as url:
        slow = batch(clients.anthropic.with_options(base_url=f"{url}/anthropic"), prompt)
    clock.pass_(100)
    with background(tmp_path, clock=clock, pace=0) as url:
        client = clients.anthropic.with_options(base_url=f"{url}/anthropic")
        assert client.messages.batches.retrieve(slow).processing_status == "in_progress"
        assert client.messages.batches.retrieve(batch(client, prompt)).processing_status == "ended"


def test_what_is_older_than_a_week_is_forgotten_at_the_start(tmp_path: Path, clients: Any, clock: Any) -> None:
    ids = []
    for _ in range(2):
        with background(tmp_path, clock=clock) as url:
            client = clients.anthropic.with_options(base_url=f"{url}/anthropic")
            ids.append(client.files.upload(file=("a", b"x")).id)
        clock.pass_(KEEP - 10)
    with background(tmp_path, clock=clock) as url:
        client = clients.anthropic.with_options(base_url=f"{url}/anthropic")
        assert [file.id for file in client.files.list()] == ids[1:]
    assert [path.name for path in (tmp_path / "files").iterdir()] == ids[1:]


def test_two_keys_are_two_accounts(instant: Any, prompt: Any) -> None:
    with instant.anthropic("sandbox-one") as one, instant.anthropic("sandbox-two") as two:
        id, file = batch(one, prompt), one.files.upload(file=("a", b"x")).id
        assert list(two.messages.batches.list()) == []
        assert list(two.files.list()) == []
        for call in (two.messages.batches.retrieve, two.messages.batches.cancel, two.messages.batches.delete):
            with pytest.raises(anthropic.NotFoundError):
                call(id)
        with pytest.raises(anthropic.NotFoundError):
            two.files.delete(file)
        with pytest.raises(anthropic.NotFoundError):
            two.messages.create(
                **prompt(
                    messages=[
                        {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": file}}]}
                    ]
                )
            )
        assert one.files.retrieve_metadata(file).id == file


def test_one_key_at_two_vendors_is_two_accounts(instant: Any) -> None:
    with instant.anthropic() as claude, instant.openai() as gpt:
        claude.files.upload(file=("a", b"x"))
        assert list(gpt.files.list()) == []


def test_keys_are_not_kept(tmp_path: Path, clients: Any) -> None:
    secret = "sandbox-very-secret-key"
    with background(tmp_path) as url:
        client = clients.anthropic.with_options(base_url=f"{url}/anthropic", api_key=secret)
        client.files.upload(file=("a", b"x"))
        logged = httpx.get(f"{url}/_sandbox/log").text
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert secret not in logged


@pytest.mark.parametrize("path", ["/anthropic/v1/messages/batches", "/anthropic/v1/files", "/openai/v1/nonsense"])
def test_a_refusal_is_seen_by_who_is_still_sending(instant_url: str, path: str) -> None:
    """A connection closed with unread data in it would break the sending, and the refusal would be lost."""
    connection = HTTPConnection(instant_url.removeprefix("http://"), timeout=20)
    connection.request("POST", path, body=bytes(20 * MB), headers={"connection": "close"})
    answer = connection.getresponse()
    connection.close()
    assert answer.status == (404 if "nonsense" in path else 401)


def test_an_answer_takes_no_time(instant_url: str) -> None:
    """With Nagle's algorithm each would take 40 ms once a connection is no longer new. On a busy machine some do."""
    with httpx.Client() as http:
        taken = [http.get(f"{instant_url}/anthropic/v1/files").elapsed.total_seconds() for _ in range(60)]
    assert min(taken[30:]) < 0.03


def test_reset(tmp_path: Path, clients: Any, prompt: Any) -> None:
    reset(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with background(tmp_path) as url:
        client = clients.anthropic.with_options(base_url=f"{url}/anthropic")
        batch(client, prompt)
        client.files.upload(file=("a", b"x"))
        reset(tmp_path)
        assert list(client.messages.batches.list()) == []
        assert counts(url)["anthropic"] == {}
        batch(client, prompt)
    assert [path.name for path in (tmp_path / "files").iterdir()] == []


def test_the_log_and_the_counts(tmp_path: Path, clients: Any, prompt: Any) -> None:
    with background(tmp_path, pace=0) as url:
        client = clients.anthropic.with_options(base_url=f"{url}/anthropic")
        id = batch(client, prompt)
        client.messages.batches.retrieve(id)
        client.messages.create(**prompt())
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.create(requests=[])
        log = httpx.get(f"{url}/_sandbox/log").json()
        assert [(entry["method"], entry["path"], entry["status"]) for entry in log] == [
            ("POST", "/v1/messages/batches", 200),
            ("GET", f"/v1/messages/batches/{id}", 200),
            ("POST", "/v1/messages", 200),
            ("POST", "/v1/messages/batches", 400),
        ]
        assert set(log[0]) == {"provider", "method", "path", "status", "time"}
        client.messages.batches.delete(id)
        assert counts(url)["anthropic"] == {"batches": 1, "messages": 1}
        assert httpx.delete(f"{url}/_sandbox/log").json() == []


def test_the_environment_points_every_sdk_at_it(instant_url: str, monkeypatch: pytest.MonkeyPatch, prompt: Any) -> None:
    variables = environment(instant_url + "/")
    assert variables["ANTHROPIC_BASE_URL"] == f"{instant_url}/anthropic"
    assert variables["OPENAI_BASE_URL"] == f"{instant_url}/openai/v1"
    assert variables["BIFROST_OPENAI_ENDPOINT"] == "auto"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with anthropic.Anthropic(max_retries=0) as client:
        assert client.messages.create(**prompt()).stop_reason == "end_turn"


def test_settings_come_from_two_variables() -> None:
    assert settings_from({}) == {}
    settings = settings_from({"BIFROST_SANDBOX_PACE": "0.5", "BIFROST_SANDBOX_FAULTS": "429*2@POST /v1/files;cut"})
    assert settings["pace"] == 0.5
    assert [fault.kind for fault in settings["faults"]] == ["429", "cut"]
    for text in ("fast", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match="BIFROST_SANDBOX_PACE"):
            settings_from({"BIFROST_SANDBOX_PACE": text})
    with pytest.raises(FaultSyntaxError, match=r"BIFROST_SANDBOX_FAULTS: .*expected"):
        settings_from({"BIFROST_SANDBOX_FAULTS": "418"})


def test_bad_faults_are_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(FaultSyntaxError):
        create_app(tmp_path / "state", faults="nonsense")
    assert not (tmp_path / "state").exists()


def test_an_address_in_use_is_an_os_error(instant_url: str, tmp_path: Path) -> None:
    from bifrost_cli.sandbox import serve

    with pytest.raises(OSError, match="in use"):
        serve("127.0.0.1", int(instant_url.rpartition(":")[2]), tmp_path)


def test_other_paths_say_what_there_is(instant_url: str) -> None:
    answer = httpx.get(instant_url)
    assert answer.status_code == 404
    assert "/anthropic" in answer.json()["error"]["message"]


def test_a_crash_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def crash_while_spooling() -> None:
        with store.spool() as folder:
            (folder / "input").write_bytes(b"x" * MB)
            raise RuntimeError

    def crash_while_changing() -> None:
        with store.transaction() as db:
            db.execute("INSERT INTO counts VALUES ('a', 'b', 1)")
            raise RuntimeError

    for crash in (crash_while_spooling, crash_while_changing):
        with pytest.raises(RuntimeError):
            crash()
    assert store.counts() == {}
    store.close()
    assert list((tmp_path / "tmp").iterdir()) == []
