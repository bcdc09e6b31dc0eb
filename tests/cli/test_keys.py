"""`bifrost keys`, and `serve` where there are keys."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bifrost_cli.core.database import Database
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.tenants import Tenants
from tests.cli.program import bifrost, finished, interrupt, line_of, on_terminal, started

FORM = re.compile(r"sk-bf-[0-9a-f]{12}-[A-Za-z0-9_-]{43}")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIFROST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_key_is_shown_once_and_then_by_its_rules() -> None:
    made = bifrost(
        "keys",
        "create",
        "ci",
        "-p",
        "openai",
        "-p",
        "gem*",
        "--model",
        "gpt-5.4*,gemini-*",
        "--rpm",
        "60",
        "--expires",
        "90d",
    )
    assert FORM.fullmatch(made.object["key"])
    [listed] = bifrost("keys", "list").objects
    assert listed == {name: value for name, value in made.object.items() if name != "key"}
    assert listed["providers"] == ["openai", "gem*"]
    assert listed["models"] == ["gpt-5.4*", "gemini-*"]
    assert (listed["rpm"], listed["sees_all"], listed["state"]) == (60, False, "active")
    in_90_days = datetime.now(UTC) + timedelta(days=90)
    assert abs(datetime.fromisoformat(listed["expires_at"]) - in_90_days) < timedelta(minutes=5)


def test_quiet_gives_the_key_alone_and_a_terminal_says_that_it_is_the_only_time() -> None:
    assert FORM.fullmatch(bifrost("keys", "create", "a", "-q").out.strip())
    with on_terminal("keys", "create", "b", "--sees-all") as terminal:
        seen = terminal.end()
    assert FORM.search(seen)
    assert "This is shown once." in seen
    with on_terminal("keys", "list", columns=120) as terminal:
        listed = terminal.end()
    assert not FORM.search(listed)
    assert re.search(r"b +active, sees all +all +all +- +-", listed)


def test_an_ended_key_is_listed_and_its_name_is_free_again() -> None:
    first = bifrost("keys", "create", "ci").object["id"]
    assert "There is a key 'ci' already." in bifrost("keys", "create", "ci", code=5).err
    assert bifrost("keys", "revoke", "ci").object["state"] == "revoked"
    second = bifrost("keys", "create", "ci").object["id"]
    assert bifrost("keys", "revoke", second).code == 0
    assert [(key["id"], key["state"]) for key in bifrost("keys", "list").objects] == [
        (first, "revoked"),
        (second, "revoked"),
    ]
    assert "There is no key 'ci'." in bifrost("keys", "revoke", "ci", code=4).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", "-p", "opnai"), "--provider: 'opnai' fits none of: anthropic, openai, gemini, bedrock."),
        (("x", "--model", "gpt 4"), "--model: 'gpt 4' is not a name or pattern."),
        (("x", "--model", ""), "--model: '' is not a name or pattern."),
        (("x", "--expires", "2020-01-01"), "--expires: 2020-01-01 is past."),
        (("x", "--expires", "soon"), "--expires: 'soon' is neither a length of time (90d) nor a day (2027-01-31)."),
        (("x" * 65,), "is not a name: 1 to 64 printable characters."),
        (("x", "--rpm", "0"), "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_makes_no_key(arguments: tuple[str, ...], said: str) -> None:
    ran = bifrost("keys", "create", *arguments, code=2)
    assert said in " ".join(ran.err.replace("│", " ").split())
    assert bifrost("keys", "list").objects == []


def test_usage_is_by_day_and_key(home: Path) -> None:
    bifrost("keys", "create", "ci")
    bifrost("keys", "create", "other")
    tenants = Tenants(Database(home))
    ci, other = tenants.all()
    for key in (ci, ci, other):
        tenants.count_message(key, 10, 5)
    tenants.flush()
    tenants.note_tokens(Ref("openai", "batch_none"), 7, 7)
    rows = {
        row["key"]: (row["requests"], row["batches"], row["input_tokens"], row["output_tokens"])
        for row in bifrost("keys", "usage").objects
    }
    assert rows == {"ci": (2, 0, 20, 10), "other": (1, 0, 10, 5)}
    assert [row["key"] for row in bifrost("keys", "usage", "other", "--days", "2").objects] == ["other"]
    assert "There is no key 'nobody'." in bifrost("keys", "usage", "nobody", code=4).err


def test_with_a_key_the_gateway_may_be_reached_from_outside() -> None:
    closed = bifrost("serve", "--sandbox", "--host", "0.0.0.0", "--port", "0", code=2)
    assert "bifrost keys create" in closed.err
    key = bifrost("keys", "create", "ci", "-q").out.strip()
    process = started("serve", "--sandbox", "--host", "0.0.0.0", "--port", "0")
    [port] = re.findall(r"http://0\.0\.0\.0:(\d+)/", line_of(process, "stderr"))
    url = f"http://127.0.0.1:{port}/v1/files"
    assert httpx.get(url, headers={"x-api-key": "dummy"}, trust_env=False).status_code == 401
    assert httpx.get(url, headers={"x-api-key": key}, trust_env=False).status_code == 200
    interrupt(process)
    ran = finished(process)
    assert ran.code == 0
    assert key not in ran.err
