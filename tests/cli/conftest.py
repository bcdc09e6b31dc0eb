"""A sandbox to use the program against, and a folder to do it in."""

import functools
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from bifrost_cli import repeats
from bifrost_cli.core import submit
from bifrost_cli.sandbox import background
from tests.cli.program import Ahead, Sandbox, ask, written

NEVER = 10_000.0
tls_context = functools.cache(ssl.create_default_context)
Serve = Callable[[float], Sandbox]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Gives the sandbox of a pace; one server for each, whichever tests use it."""
    servers: dict[float, Sandbox] = {}
    with ExitStack() as stack:

        def serve(pace: float) -> Sandbox:
            if pace not in servers:
                state, ahead = tmp_path_factory.mktemp("sandbox"), Ahead()
                url = stack.enter_context(background(state, pace=pace, clock=ahead))
                client = stack.enter_context(httpx.Client(base_url=url, trust_env=False, verify=False))
                servers[pace] = Sandbox(url, client, ahead)
            return servers[pace]

        yield serve


@pytest.fixture
def pace() -> float:
    """How long batches take: 0 is no time. Tests ask for another with `@pytest.mark.parametrize("pace", [...])`; at
    NEVER they end when the test says so (`sandbox.end_batches`)."""
    return 0.0


@pytest.fixture
def sandbox(served: Serve, pace: float, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Sandbox:
    """The environment points at a sandbox, with an account that no other test has."""
    found = served(pace)
    found.clear()
    key = "".join(letter if letter.isalnum() else "-" for letter in request.node.nodeid)
    for name, value in found.environment(key).items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within this process the authorities are read once: each time takes 50 ms, and nothing here speaks TLS."""
    monkeypatch.setattr(ssl, "create_default_context", tls_context)


@pytest.fixture
def two(folder: Path) -> Path:
    """A file of two good requests, `one` and `two`."""
    return written("two.jsonl", ask("one"), ask("two"))


@pytest.fixture
def mixed(folder: Path) -> Path:
    """A file of requests of which one succeeds and the others fail, each in its way."""
    words = {"fine": "Say hello.", "bad": "sandbox:error", "busy": "sandbox:overloaded", "late": "sandbox:expire"}
    return written("mixed.jsonl", *(ask(custom_id, text) for custom_id, text in words.items()))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within this process nothing is waited for before it is tried again."""
    monkeypatch.setattr(repeats, "pause", lambda error, attempt: 0.0)
    monkeypatch.setattr(submit, "LOOK_UPS", (0.0,))
