"""Who sits the exam: a provider's adapter, the core over it, and the emulator behind it."""

import asyncio
import re
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import uuid4

import httpx
import pytest

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.errors import BifrostError, ConfigError, UnsupportedError
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers import load
from bifrost_cli.providers.base import Capabilities, Provider
from bifrost_cli.sandbox import EMULATORS, Emulator
from tests.clock import Clock
from tests.exam.service import SERVICE

T = TypeVar("T")
MODEL = "anthropic.exam-model"
"""A name that every emulator takes; some want a vendor before a dot."""
FILLER = "filler-"
"""How the ids of requests begin that only make a batch large enough for its provider."""


class Call(NamedTuple):
    """One request that reached the emulator; `path` is the vendor's."""

    method: str
    path: str


@dataclass
class Upstream:
    """One emulator in a running sandbox, seen through the sandbox's control routes."""

    name: str
    url: str
    clock: Clock
    control: httpx.Client
    created_before: int = 0

    def reset(self) -> None:
        """As if nothing had happened yet."""
        self.clock.set()
        self.control.delete("/_sandbox/faults").raise_for_status()
        self.control.delete("/_sandbox/log").raise_for_status()
        self.created_before = self.created_ever()

    def fault(self, kind: str, call: Call | None = None, *, times: int | None = 1, seconds: float = 0.0) -> None:
        """Something goes wrong with this call; any call where it is None, every time where `times` is."""
        where = {"method": call.method, "path": re.escape(call.path)} if call else {}
        fault = {"kind": kind, "times": times, "seconds": seconds, **where}
        self.control.post("/_sandbox/faults", json=fault).raise_for_status()

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.control.delete("/_sandbox/faults").raise_for_status()

    def calls(self) -> list[Call]:
        """What reached the emulator, once nothing more is noted: it notes a call when it is done with it."""
        before, seen = None, self._noted()
        while seen != before:
            time.sleep(0.01)
            before, seen = seen, self._noted()
        return seen

    def _noted(self) -> list[Call]:
        log = self.control.get("/_sandbox/log").raise_for_status().json()
        return [Call(entry["method"], entry["path"]) for entry in log if entry["provider"] == self.name]

    def forget_calls(self) -> None:
        self.control.delete("/_sandbox/log").raise_for_status()

    def created(self) -> int:
        """How many batches were created since the test began."""
        return self.created_ever() - self.created_before

    def created_ever(self) -> int:
        counts = self.control.get("/_sandbox/counts").raise_for_status().json()
        return int(counts.get(self.name, {}).get("batches", 0))


@dataclass
class Subject:
    """What an exam is given. `provider` is the adapter's name, which may be another than the emulator's."""

    provider: str
    upstream: Upstream
    folder: Path
    environ: dict[str, str] = field(repr=False)
    core: type[Bifrost] = Bifrost
    naps: list[float] = field(default_factory=list)
    whole: ClassVar[bool] = False
    """Another core is on the way, which has put right what does not add up."""

    @property
    def kind(self) -> type[Provider]:
        return load(self.provider)

    @property
    def capabilities(self) -> Capabilities:
        return self.kind.capabilities

    @property
    def secrets(self) -> list[str]:
        """The variables that hold this provider's secrets."""
        names = {name for setting in self.kind.settings if setting.secret for name in setting.env}
        return sorted(names & self.environ.keys())

    @property
    def refusal(self) -> type[BifrostError]:
        """What says that something is not offered."""
        return UnsupportedError

    def told(self, kind: type[BifrostError]) -> type[BifrostError]:
        """What a failure is called by the time it arrives here."""
        return kind

    def needs(self, *capabilities: str) -> None:
        """Pass over what this provider does not offer."""
        for name in capabilities:
            if not getattr(self.capabilities, name):
                pytest.skip(f"{self.provider} has no {name}")

    def elsewhere(self) -> dict[str, str]:
        """The environment of another machine with the same key."""
        return {"BIFROST_HOME": str(self.folder / uuid4().hex)}

    async def nap(self, seconds: float) -> None:
        """Takes no time, but lets others run."""
        self.naps.append(seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def open(self, **environ: str) -> AsyncIterator[Bifrost]:
        """The core over this provider, which pauses without waiting."""
        async with self.core(Config(environ={**self.environ, **environ}), self.provider) as bifrost:
            with suppress(ConfigError):
                bifrost.adapter(self.provider).http.sleep = self.nap
            yield bifrost

    # -- shorthands ---------------------------------------------------------------------------------------------

    def adapter(self, bifrost: Bifrost) -> Provider:
        return bifrost.adapter(self.provider)

    async def upload(self, bifrost: Bifrost, content: bytes = b"content", name: str = "a.txt", **options: Any) -> File:
        path = self.folder / uuid4().hex
        path.write_bytes(content)
        return await bifrost.upload_file(path, filename=name, **{"media_type": "text/plain", **options})

    def short_of(self, requests: int) -> int:
        """How many requests of one model are missing to the least that a batch takes."""
        return max(0, self.kind.limits.min_requests - requests)

    def filled(self, requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The requests, and after them as many more as the provider wants at least for each model."""
        asked = list(requests)
        models = Counter(line["params"]["model"] for line in asked)
        lacking = [model for model, count in models.items() for _ in range(self.short_of(count))]
        return asked + [request(f"{FILLER}{number}", model=model) for number, model in enumerate(lacking)]

    async def create(self, bifrost: Bifrost, requests: Iterable[dict[str, Any]]) -> Batch:
        """A batch of these requests."""
        lines = enumerate(self.filled(requests), 1)
        with bifrost.plan_batch(lines, source="exam", defaults={}) as plan:
            async with bifrost.submission(plan) as submission:
                submission.sleep = self.nap
                return await submission.create()

    async def ended(self, bifrost: Bifrost, requests: Iterable[dict[str, Any]]) -> Batch:
        """A batch of these requests, which has ended."""
        batch = await self.create(bifrost, requests)
        self.later()
        return await bifrost.get_batch(batch.id)

    def later(self, seconds: float = 120.0) -> None:
        """The emulator's clock jumps ahead; by default until every batch has ended."""
        self.upstream.clock.now += seconds

    async def watch(self, awaitable: Awaitable[Any]) -> list[Call]:
        """The calls that something makes, so that a fault can be put there without knowing the provider's paths."""
        self.upstream.forget_calls()
        await awaitable
        return self.upstream.calls()

    async def creating(self, bifrost: Bifrost) -> Call:
        """The call that creates a batch: the last that is no GET while one is created."""
        calls = await self.watch(self.create(bifrost, [request("watched")]))
        return [call for call in calls if call.method != "GET"][-1]


def request(custom_id: str, text: str | None = None, **params: Any) -> dict[str, Any]:
    """A line of input; without a text, one that only this id has."""
    message = {"role": "user", "content": text or f"say {custom_id}"}
    return {"custom_id": custom_id, "params": {"model": MODEL, "max_tokens": 200, "messages": [message], **params}}


def requests(count: int) -> list[dict[str, Any]]:
    return [request(f"r{number}") for number in range(count)]


def own(results: Iterable[BatchResult]) -> list[BatchResult]:
    """The results without those of fillers."""
    return [result for result in results if not result["custom_id"].startswith(FILLER)]


async def results_of(bifrost: Bifrost, id: str, **options: Any) -> list[BatchResult]:
    """What became of the requests of a batch, fillers left out."""
    return own([result async for result in bifrost.batch_results(id, **options)])


def said(result: BatchResult) -> str:
    """The text of a result's message."""
    return "".join(block.get("text", "") for block in result["result"]["message"]["content"])


async def listed(stream: AsyncIterator[T]) -> list[T]:
    return [item async for item in stream]


async def pages(list_page: Callable[..., Awaitable[Page[T]]], limit: int) -> list[list[T]]:
    """All pages of a list; one without end is cut."""
    found: list[list[T]] = []
    after: str | None = None
    while len(found) < 10:
        page = await list_page(limit=limit, after=after)
        found.append(page.data)
        after = page.next
        if after is None:
            break
    return found


def everything(error: BaseException) -> str:
    """All that a log or a screen could show of an error."""
    return "\n".join([str(error), repr(error), str(vars(error)), *traceback.format_exception(error)])


def emulator(name: str) -> Emulator:
    """The emulator of a provider. A provider without one cannot sit the exam, which is a failure."""
    known = {**EMULATORS, SERVICE.name: SERVICE}
    if name not in known:
        pytest.fail(f"the provider {name} has no emulator: it needs a folder and a line in bifrost_cli/sandbox")
    return known[name]


def keyed(variables: dict[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """The variables with keys of their own, so that each test has an account to itself."""
    mark = f"-sandbox-{uuid4().hex}"
    return variables | {name: f"{variables[name]}{mark}" for name in secrets}
