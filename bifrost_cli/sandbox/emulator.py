"""What an emulator is, and what all of them share while they run."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from starlette.responses import Response
from starlette.types import ASGIApp

from bifrost_cli.sandbox.faults import Faults
from bifrost_cli.sandbox.store import Store

LOG_LENGTH = 10_000


@dataclass
class LogEntry:
    """One request. `status` is None until it is answered, and when the connection was closed without; `path` is the
    vendor's, without the emulator's prefix and without a query; `time` is when it came, in unix seconds."""

    provider: str
    method: str
    path: str
    status: int | None
    time: float


@dataclass(frozen=True)
class Sandbox:
    """One running sandbox. `pace` scales how long new batches take (0: they end at once); `enqueued_tokens` is
    what one model's unfinished batches may hold at providers that limit it, None for no limit. `settling` is held while
    the end of a batch is worked out, so that it is done once."""

    store: Store
    clock: Callable[[], float]
    pace: float = 1.0
    enqueued_tokens: int | None = None
    faults: Faults = field(default_factory=Faults)
    settling: Lock = field(default_factory=Lock)
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))


@dataclass(frozen=True)
class Emulator:
    """One vendor's API.

    `name` is the provider's name and the prefix that the API is served under. `app` makes the API itself.
    `environment` gives the variables that point the vendor's SDKs at a base URL, prefix included. `failure` is the
    vendor's answer for a status that a fault asks for, with the seconds after which to try again.
    """

    name: str
    app: Callable[[Sandbox], ASGIApp]
    environment: Callable[[str], dict[str, str]]
    failure: Callable[[int, float], Response]
