"""What every test stands on: an environment with nothing of the outside in it, loopback only, no real pauses."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from httpx._transports import default

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `tests.…` is importable however pytest is started
pytest.register_assert_rewrite("tests.exam.exam", "tests.exam.subject")

OUTSIDE = re.compile(
    r"(?i)(ANTHROPIC|OPENAI|GEMINI|GOOGLE|AWS|BEDROCK|BIFROST|XDG|SSL_CERT|REQUESTS_CA|CURL_CA)_?.*"
    r"|.*(_API_KEY|_AUTH_TOKEN|_PROXY)|NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLUMNS|LINES"
    r"|CI|BUILD_NUMBER"  # Under these pytest explains a failed comparison in full, for minutes where it is a long one.
)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that are not there. For a numbered folder pytest reads all that are there, which adds up."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> Path:
    """No key, address, proxy or setting from outside; a home of the test's own, which is the value."""
    for name in filter(OUTSIDE.fullmatch, list(os.environ)):
        monkeypatch.delenv(name)
    home = next(homes)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # Keys are not to be asked for at a machine in the cloud.
    monkeypatch.setenv("BIFROST_HOME", str(home / "bifrost"))
    return home


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """A test that reaches for a real provider fails, whatever the machine's network."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:  # type: ignore[index]
            self.close()
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(autouse=True, scope="session")
def certificates_are_read_once() -> Iterator[None]:
    """Each client reads the system's certificates anew, which takes longer than most tests."""
    create = default.create_ssl_context
    made: dict[object, object] = {}

    def remembered(verify: object = True, cert: object = None, trust_env: bool = True) -> object:
        key = (verify, cert, trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if key not in made:
            made[key] = create(verify=verify, cert=cert, trust_env=trust_env)  # type: ignore[arg-type]
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", remembered)
        yield


@dataclass
class Clock:
    """A clock that stands still unless it is slept on; `naps` are the pauses that were asked for."""

    now: float = 0.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()
