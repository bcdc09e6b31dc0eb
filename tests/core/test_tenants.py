"""Virtual keys as they are kept: their secrets, their rules, their limits, and what they used."""

import threading
from pathlib import Path

import pytest

from bifrost_cli.core import tenants as module
from bifrost_cli.core.database import Database
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.tenants import Key, Tenants
from bifrost_cli.errors import ConflictError, NotFoundError


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    return Tenants(Database(tmp_path))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    time = [1_800_000_000.0]
    monkeypatch.setattr(module.time, "time", lambda: time[0])
    return time


def test_a_key_is_found_by_its_whole_secret_only(tenants: Tenants) -> None:
    key, secret = tenants.create("ci", providers=["openai"], models=["gpt-*", "o3"], rpm=5, expires_at=2e9)
    other = tenants.create("other")[1]
    assert tenants.find(secret) == key == tenants.all()[0]
    mixed = secret[: len("sk-bf-") + 13] + other[len("sk-bf-") + 13 :]
    assert [tenants.find(wrong) for wrong in ("", "sk-bf-", secret[:-1], secret.upper(), f" {secret}", mixed)] == [
        None
    ] * 6


def test_nothing_is_known_where_nothing_was_made(tenants: Tenants) -> None:
    assert (tenants.any(), tenants.all(), tenants.usage("2000-01-01")) == (False, [], [])
    assert tenants.find(f"sk-bf-{'0' * 12}-{'a' * 43}") is None
    assert not tenants.database.exists()


def test_names_are_unique_among_the_living(tenants: Tenants) -> None:
    first, _ = tenants.create("ci")
    with pytest.raises(ConflictError):
        tenants.create("ci")
    tenants.revoke("ci")
    second, _ = tenants.create("ci")
    assert tenants.revoke(second.id).id == second.id != first.id
    with pytest.raises(NotFoundError):
        tenants.revoke("ci")


@pytest.mark.parametrize(
    ("models", "provider", "model", "allowed"),
    [
        ((), "openai", "gpt-5.4", True),
        (("gpt-5.4",), "openai", "gpt-5.4", True),
        (("gpt-5.4",), "openai", "gpt-5.4-mini", False),
        (("gpt-5.4",), "openai", "GPT-5.4", False),
        (("gpt-5.4*",), "openai", "gpt-5.4-mini", True),
        (("openai/*",), "openai", "gpt-5.4", True),
        (("openai/*",), "gemini", "gemini-3-pro", False),
        (("gemini-*",), "gemini", "models/gemini-3-pro", False),
        (("claude-*", "gpt-*"), "openai", "gpt-5.4", True),
        (("gpt-?",), "openai", "gpt-55", False),
    ],
)
def test_the_patterns_of_models(models: tuple[str, ...], provider: str, model: str, allowed: bool) -> None:
    assert Key("i", "n", models=models).allows_model(provider, model) is allowed


def test_calls_come_back_evenly(tenants: Tenants, now: list[float]) -> None:
    key, _ = tenants.create("ci", rpm=4)
    assert [tenants.take(key) for _ in range(5)] == [0, 0, 0, 0, pytest.approx(15)]
    now[0] += 14
    assert tenants.take(key) == pytest.approx(1)
    now[0] += 1.01
    assert [tenants.take(key) for _ in range(2)] == [0, pytest.approx(14.99, abs=0.02)]
    now[0] += 3600
    assert sum(tenants.take(key) == 0 for _ in range(9)) == 4


def test_a_limit_holds_among_many_at_once(tmp_path: Path) -> None:
    key, _ = Tenants(Database(tmp_path)).create("ci", rpm=20)
    let_in: list[float] = []

    def call() -> None:
        let_in.extend(Tenants(Database(tmp_path)).take(key) for _ in range(15))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert let_in.count(0.0) in (20, 21)  # One comes back every three seconds, should this take that long.
    assert len(let_in) == 60


def test_what_was_counted_and_not_written_is_written_the_next_time(tenants: Tenants, tmp_path: Path) -> None:
    key, _ = tenants.create("ci")
    tenants.count_message(key, 3, 4)
    path = tenants.database.path
    tenants.database.close()
    good = path.read_bytes()
    path.unlink()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Exception, match="cannot be used"):
        tenants.flush()
    path.unlink()
    path.write_bytes(good)
    tenants.count_message(key, 10, 20)
    tenants.flush()
    tenants.flush()
    [used] = tenants.usage("2000-01-01")
    assert used[1:] == ("ci", 2, 0, 13, 24)


def test_files_are_listed_newest_first_and_only_ones_own(tenants: Tenants, now: list[float]) -> None:
    mine, yours = tenants.create("mine")[0], tenants.create("yours")[0]
    for number in range(6):
        now[0] += number % 2
        tenants.note_file(mine if number < 5 else yours, Ref("openai", f"f{number}"), "here")
    tenants.note_file(mine, Ref("openai", "elsewhere"), "there")
    tenants.note_file(mine, Ref("gemini", "g0"), "here")
    assert tenants.files(mine, "openai", "here", None, 10) == ["f4", "f3", "f2", "f1", "f0"]
    assert tenants.files(mine, "openai", "here", "f3", 2) == ["f2", "f1"]
    assert tenants.files(mine, "openai", "here", "f5", 2) == []
    assert tenants.owns_file(mine, Ref("openai", "f0"))
    assert not tenants.owns_file(yours, Ref("openai", "f0"))
    assert not tenants.owns_file(mine, Ref("gemini", "f0"))
    tenants.forget_file(Ref("openai", "f2"))
    assert tenants.files(mine, "openai", "here", "f3", 2) == ["f1", "f0"]
