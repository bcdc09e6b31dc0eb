"""`sandbox` and `providers`."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.program import (
    Sandbox,
    bifrost,
    finished,
    interrupt,
    kinds,
    line_of,
    results_in,
    shell,
    started,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """`sandbox serve` as a process; its URL."""
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "0")
    process = started("sandbox", "serve", "--port", "0")
    line = line_of(process, "stderr")
    (url,) = re.findall(r"^The sandbox is at (http://127\.0\.0\.1:\d+)\. ", line)
    yield url
    interrupt(process)
    assert finished(process).code == 0


def test_serve_and_env_point_a_shell_at_the_sandbox(server: str, two: Path) -> None:
    ran = shell(
        f'eval "$(bifrost sandbox env --url {server})" && '
        "bifrost batch create two.jsonl -p openai -o openai.jsonl -q && "
        "bifrost batch create two.jsonl -o anthropic.jsonl -q"
    )
    assert (ran.code, len(ran.words)) == (0, 2)
    for name in ("openai", "anthropic"):
        assert kinds(results_in(f"{name}.jsonl")) == {"one": "succeeded", "two": "succeeded"}


def test_serve_says_its_url_as_data_where_a_program_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    process = started("sandbox", "serve", "--port", "0", "--json")
    url = json.loads(line_of(process))["url"]
    assert httpx.get(f"{url}/_sandbox/counts", trust_env=False, verify=False).json()["openai"] == {}
    process.terminate()
    assert finished(process).code == 0


def test_serve_says_that_its_port_is_taken(sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    ran = bifrost("sandbox", "serve", "--port", port, code=2)
    assert "cannot listen there: Address already in use. Try --port 0." in ran.err


def test_env_prints_exports_that_a_shell_evaluates_and_json_for_others() -> None:
    ran = bifrost("sandbox", "env", "--port", 8123)
    assert {tuple(map(len, (shlex.split(line), line.split(" ", 1)))) for line in ran.out.splitlines()} == {(2, 2)}
    assert "export OPENAI_BASE_URL=http://127.0.0.1:8123/openai/v1" in ran.out.splitlines()
    assert "http://0.0.0.0:8088/openai" in bifrost("sandbox", "env", "--host", "0.0.0.0").out
    variables = bifrost("sandbox", "env", "--port", 8123, "--json").object
    assert variables["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8123/anthropic"
    assert variables.keys() >= {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}
    assert shell('eval "$(bifrost sandbox env --url "http://x/a b\'c")" && echo "$OPENAI_BASE_URL"').out == (
        "http://x/a b'c/openai/v1\n"
    )


def test_reset_forgets_what_the_sandbox_held(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bifrost("sandbox", "reset")  # Also where there is nothing.
    monkeypatch.setenv("BIFROST_SANDBOX_PACE", "0")
    (id,) = bifrost("batch", "create", two, "--sandbox", "-q").words
    bifrost("batch", "get", id, "--sandbox")
    assert bifrost("sandbox", "reset").err == "The sandbox is empty.\n"
    bifrost("batch", "get", id, "--sandbox", code=4)


# -- providers ---------------------------------------------------------------------------------------------------------


def providers() -> dict[str, dict[str, object]]:
    return {row["provider"]: row for row in bifrost("providers").objects}


def test_providers_say_where_a_key_came_from_and_mask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abcdefghijklmnop-WXYZ")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "short")
    rows = providers()
    assert (rows["openai"]["key"], rows["openai"]["key_from"]) == ("…WXYZ", "OPENAI_API_KEY")
    assert rows["anthropic"]["key"] == "…"
    assert "abcdefghijklmnop" not in str(rows)
    assert "short" not in str(rows)


def test_providers_say_address_and_capabilities_and_work_without_any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    rows = providers()
    assert (rows["openai"]["base_url"], rows["openai"]["base_url_from"]) == ("http://localhost:1/v1", "OPENAI_BASE_URL")
    assert rows["anthropic"]["base_url_from"] == "default"
    assert {row["key"] for row in rows.values()} == {None}
    capabilities = rows["anthropic"]["capabilities"]
    assert isinstance(capabilities, dict)
    assert capabilities["delete_batch"] is True


def test_headers_alone_are_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-team: a-long-enough-value")
    assert providers()["anthropic"]["key"] is None


def test_providers_say_what_a_config_file_gave(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text('[openai]\napi_key = "sk-from-a-file-of-mine"\n')
    ran = bifrost("providers", "--config", "mine.toml", "-q")
    assert {"anthropic", "openai"} <= set(ran.words)
    (row,) = [each for each in bifrost("providers", "--config", "mine.toml").objects if each["provider"] == "openai"]
    assert (row["key"], row["key_from"]) == ("…mine", "mine.toml [openai] api_key")
    assert "nowhere.toml does not exist" in bifrost("providers", "--config", "nowhere.toml", code=3).err
