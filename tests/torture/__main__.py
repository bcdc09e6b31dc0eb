"""`make torture`: creates are killed with SIGKILL, run again, and counted at the provider.

For each provider, for one part and for several, the command is killed at every request boundary (as the provider
receives a request, and after it has carried it out but before its answer is seen) and at random instants. After each
kill the same command runs again, undisturbed. Then the provider must have exactly one batch per part, and the results
must be complete. What is counted is what the emulator stored, not what the command says.
"""

import argparse
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from bifrost_cli import Bifrost, Config
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.sandbox import create_app, environment

PARTS = 3
PART = 4
PACE = 0.05
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
    """What came of one provider's kills."""

    kills: int = 0
    duplicates: int = 0
    lost: int = 0
    failures: list[str] = field(default_factory=list)


class Torture:
    """One provider, one number of parts."""

    def __init__(self, url: str, tap: Tap, folder: Path, provider: str, parts: int) -> None:
        self.url, self.tap, self.folder, self.provider, self.parts = url, tap, folder, provider, parts
        self.size = max(PART, load(provider).limits.min_requests)
        self.ids = {f"r{number}" for number in range(parts * self.size)}
        self.tally = Tally()
        self.count = 0
        self.input = folder / f"{provider}-{parts}.jsonl"
        self.input.write_text("".join(json.dumps(request(id)) + "\n" for id in sorted(self.ids)))

    def boundaries(self) -> None:
        """Kill at every request boundary of an undisturbed run."""
        for number in range(self._requests_of_a_run()):
            for phase in ("before", "after"):
                self._once(lambda child, at=(number, phase): self.tap.aim(child.pid, at))

    def instants(self, number: int, chance: random.Random) -> None:
        """Kill at random instants of a run."""
        length = self._length_of_a_run()
        for _ in range(number):
            self._once(lambda child: self._kill_after(child, chance.uniform(0.15, length)))

    def _requests_of_a_run(self) -> int:
        self.tap.aim(None, None)
        self._once(lambda child: None)
        return self.tap.seen // 2  # Of two runs, and a check

    def _length_of_a_run(self) -> float:
        start = time.monotonic()
        self._once(lambda child: None)
        return time.monotonic() - start

    def _kill_after(self, child: subprocess.Popen, seconds: float) -> None:
        time.sleep(seconds)
        child.kill()

    def _once(self, disturb: Callable[[subprocess.Popen], None]) -> None:
        self.count += 1
        name = f"{self.provider}-{self.parts}-{self.count}"
        home, output = self.folder / name, self.folder / f"{name}.jsonl"
        variables = {**self._environment(name), "BIFROST_HOME": str(home)}
        child = self._start(variables, output)
        disturb(child)
        killed = child.wait() == -signal.SIGKILL
        self.tap.victim = None
        self.tally.kills += killed
        again = self._start(variables, output)
        said = again.communicate()[1]
        self._check(name, variables, output, killed, again.returncode, said)

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

    def _check(self, name, variables, output, killed, code, said) -> None:
        ids = [json.loads(line)["custom_id"] for line in output.read_text().splitlines()] if output.exists() else []
        listed = asyncio.run(batches_of(self.provider, variables))
        # An undisturbed first run is complete, so that the second is a batch on purpose.
        expected = self.parts if killed else 2 * self.parts
        finished = not killed or listed == 2 * self.parts
        self.tally.duplicates += max(0, listed - (2 * self.parts if finished else expected))
        self.tally.lost += max(0, expected - listed) + len(self.ids - set(ids))
        if code != 0 or sorted(ids) != sorted(self.ids):
            self.tally.failures.append(f"{name}: exit {code}, {len(ids)} results\n{said}")


async def batches_of(provider: str, variables: dict[str, str]) -> int:
    """How many batches the provider has."""
    async with Bifrost(Config(environ=variables), provider, trust_env=False) as bifrost:
        return len([batch async for batch in bifrost.list_batches()])


def request(custom_id: str) -> dict:
    """A request that any provider takes."""
    params = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": f"Say {custom_id}."}]}
    return {"custom_id": custom_id, "params": params}


def main() -> None:
    """Run, and print kills, duplicates and lost for each provider."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--provider", choices=list(PROVIDERS), action="append")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap = Tap(create_app(folder / "sandbox", pace=PACE))
        url = serve(tap)
        tallies = [torture(url, tap, folder, name, options.instants, chance) for name in options.provider or PROVIDERS]
    sys.exit(any(t.duplicates or t.lost or t.failures for t in tallies))


def torture(url: str, tap: Tap, folder: Path, provider: str, instants: int, chance: random.Random) -> Tally:
    """All kills of one provider."""
    total = Tally()
    for parts in (1, PARTS):
        one = Torture(url, tap, folder, provider, parts)
        one.boundaries()
        one.instants(instants // 2, chance)
        total.kills += one.tally.kills
        total.duplicates += one.tally.duplicates
        total.lost += one.tally.lost
        total.failures += one.tally.failures
    print(f"{provider}: {total.kills} kills, {total.duplicates} duplicates, {total.lost} lost", flush=True)
    for failure in total.failures:
        print(failure)
    return total


def serve(app: Tap) -> str:
    """The emulators on a free loopback port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", ws="none"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


if __name__ == "__main__":
    main()
