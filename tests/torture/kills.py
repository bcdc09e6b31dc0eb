"""Kills the command at chosen requests and at random instants, runs it again, and counts (see `__main__`)."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from bifrost_cli import Bifrost, Config
from bifrost_cli.providers import load
from bifrost_cli.sandbox import create_app, environment

PARTS = 3
PART = 4
PACE = 0.05
STEP = 25
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1"  # A name that every provider takes.
CHILD = """
import dataclasses, sys
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.cli.app import main
for name in PROVIDERS:
    kind = load(name)
    kind.limits = dataclasses.replace(kind.limits, max_requests=int(sys.argv[1]))
del sys.argv[1]
main()
"""


class Tap:
    """The emulators, with someone who kills a process at a chosen request."""

    def __init__(self, app) -> None:
        self.app = app
        self.victim: int | None = None
        self.at: tuple[int, str] | None = None
        self.seen = 0

    def aim(self, victim: int | None, at: tuple[int, str] | None) -> None:
        """Kill `victim` at the request with this number, `before` or `after` it is carried out."""
        self.victim, self.at, self.seen = victim, at, 0

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number, self.seen = self.seen, self.seen + 1
        self._kill(number, "before")

        async def held(message) -> None:
            self._kill(number, "after")
            await send(message)

        await self.app(scope, receive, held)

    def _kill(self, number: int, phase: str) -> None:
        if self.victim is not None and self.at == (number, phase):
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None


@dataclass
class Tally:
    """What came of one provider's kills; `kills` are by kind."""

    provider: str
    kills: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    lost: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.duplicates or self.lost or self.failures)

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kind}" for kind, number in self.kills.items())
        kills = f"{self.kills.total()} kills ({kinds})"
        return f"{self.provider}: {kills}, {self.duplicates} duplicates, {self.lost} lost, {len(self.failures)} failed"


@dataclass
class Emulators:
    """Where they are, who watches them, and a folder for what the runs leave."""

    url: str
    tap: Tap
    folder: Path


class Torture:
    """One provider, one number of parts."""

    def __init__(self, emulators: Emulators, provider: str, parts: int, tally: Tally) -> None:
        self.url, self.tap, self.folder = emulators.url, emulators.tap, emulators.folder
        self.provider, self.parts, self.tally = provider, parts, tally
        self.size = max(PART, load(provider).limits.min_requests)
        self.ids = {f"r{number}" for number in range(parts * self.size)}
        self.count = 0
        self.input = self.folder / f"{provider}-{parts}.jsonl"
        self.input.write_text("".join(json.dumps(request(id)) + "\n" for id in sorted(self.ids)))
        self.requests, self.seconds = self._undisturbed()

    def boundaries(self) -> None:
        """Kill at every request boundary of an undisturbed run."""
        places = [(number, phase) for number in range(self.requests) for phase in ("before", "after")]
        for done, at in enumerate(places, 1):
            self._once("at boundaries", lambda child, at=at: self.tap.aim(child.pid, at))
            self._tell(done, len(places), "boundaries")

    def instants(self, number: int, chance: random.Random) -> None:
        """Kill at random instants of a run, until so many kills have met it alive."""
        landed, misses = 0, 0
        while landed < number and misses <= number:
            alive = self._once(
                "at random instants", lambda child: kill_after(child, chance.uniform(0.15, self.seconds))
            )
            landed, misses = landed + alive, misses + (not alive)
            self.seconds *= 1 if alive else 0.95  # A run may have been timed while the machine was busier than now.
            self._tell(landed, number, "random instants")
        if landed < number:
            self.tally.failures.append(f"{self.provider}: only {landed} of {number} kills at random instants landed")

    def _undisturbed(self) -> tuple[int, float]:
        """How many requests a run makes, and how many seconds it takes."""
        name, variables, output = self._run()
        self.tap.aim(None, None)
        start = time.monotonic()
        child = self._start(variables, output)
        said = child.communicate()[1]
        seconds = time.monotonic() - start
        requests = self.tap.seen
        self._check(name, variables, output, {self.parts}, child.returncode, said)
        return requests, seconds

    def _once(self, kind: str, disturb: Callable[[subprocess.Popen], None]) -> bool:
        """Run, disturbed, and run again; whether the first was killed."""
        name, variables, output = self._run()
        child = self._start(variables, output)
        disturb(child)
        child.communicate()
        killed = child.returncode == -signal.SIGKILL
        self.tap.victim = None
        self.tally.kills[kind] += killed
        batches = {self.parts} if killed else set()
        if output.exists():  # The first was complete, and if it also noted that, the second is a batch on purpose.
            batches.add(2 * self.parts)
        again = self._start(variables, output)
        said = again.communicate()[1]
        self._check(name, variables, output, batches, again.returncode, said)
        return killed

    def _run(self) -> tuple[str, dict[str, str], Path]:
        """A new run's name, its environment (with an account and a home of its own), and its output."""
        self.count += 1
        name = f"{self.provider}-{self.parts}-{self.count}"
        variables = {**self._environment(name), "BIFROST_HOME": str(self.folder / name)}
        return name, variables, self.folder / f"{name}.jsonl"

    def _tell(self, done: int, number: int, what: str) -> None:
        if done and (done % STEP == 0 or done == number):
            parts = "1 part" if self.parts == 1 else f"{self.parts} parts"
            print(f"{self.provider}, {parts}: {done} of {number} {what}", file=sys.stderr, flush=True)

    def _start(self, variables: dict[str, str], output: Path) -> subprocess.Popen:
        arguments = [
            "batch",
            "create",
            str(self.input),
            "-p",
            self.provider,
            "--poll",
            "0.05s",
            "-o",
            str(output),
            "--force",
        ]
        command = [sys.executable, "-c", CHILD, str(self.size), *arguments]
        return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _environment(self, account: str) -> dict[str, str]:
        known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        variables = environment(self.url)
        for name, value in variables.items():
            if name.endswith(("_API_KEY", "_KEY_ID", "_ACCESS_KEY")):  # An account of its own.
                variables[name] = f"{value}-{account}"
        return known | variables

    def _check(self, name, variables, output, batches, code, said) -> None:
        """Count; `batches` are the numbers of batches that the provider may have."""
        ids = [json.loads(line)["custom_id"] for line in output.read_text().splitlines()] if output.exists() else []
        listed = asyncio.run(batches_of(self.provider, variables))
        if listed not in batches:
            self.tally.duplicates += max(0, listed - min(batches))
            self.tally.lost += max(0, min(batches) - listed)
        self.tally.lost += len(self.ids - set(ids))
        if code != 0 or listed not in batches or sorted(ids) != sorted(self.ids):
            self.tally.failures.append(f"{name}: exit {code}, {listed} batches, {len(ids)} results\n{said}")


def kill_after(child: subprocess.Popen, seconds: float) -> None:
    """Kill a process some time from now."""
    time.sleep(seconds)
    child.kill()


async def batches_of(provider: str, variables: dict[str, str]) -> int:
    """How many batches the provider has."""
    async with Bifrost(Config(environ=variables), provider, trust_env=False) as bifrost:
        return len([batch async for batch in bifrost.list_batches()])


def request(custom_id: str) -> dict:
    """A request that any provider takes."""
    params = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": f"Say {custom_id}."}]}
    return {"custom_id": custom_id, "params": params}


def torture(provider: str, instants: int, seed: int) -> Tally:
    """All kills of one provider."""
    chance, tally = random.Random(f"{seed} {provider}"), Tally(provider)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap = Tap(create_app(folder / "sandbox", pace=PACE))
        emulators = Emulators(serve(tap), tap, folder)
        for parts, number in ((1, instants // 2), (PARTS, instants - instants // 2)):
            one = Torture(emulators, provider, parts, tally)
            one.boundaries()
            one.instants(number, chance)
    return tally


def serve(app: Tap) -> str:
    """The emulators on a free loopback port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
