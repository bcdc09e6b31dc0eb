"""The gateway beside a bare forwarder, curl, or the provider itself."""

import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import lines
import orjson
import translate
from kit import MEGABYTES, MILLISECONDS, SECONDS, Row, Series, Setup, Target, in_turn, rate, timed
from processes import Load, Outcome, Server, forwarder, gateway, upstream

from bifrost_cli.core.database import Database
from bifrost_cli.core.tenants import Tenants

MODEL = f"openai/{lines.GPT}"
MESSAGES, BATCHES = "/anthropic/v1/messages", "/anthropic/v1/messages/batches"
CALLERS = 16


class Loaded(NamedTuple):
    """A server and what it is to bear."""

    server: Server
    load: Load


def messages(setup: Setup) -> Iterator[Row]:
    """`POST /v1/messages`."""
    load = Load(MESSAGES, orjson.dumps(lines.text(0, MODEL)), setup.size(5_000), CALLERS)
    with (
        upstream(setup.folder) as provider,
        forwarder(setup.folder, provider.url) as bare,
        gateway(setup.folder, provider.url) as ours,
    ):
        what = f"serve: messages, {CALLERS} callers"
        yield _compared(setup, what, Loaded(ours, load), Loaded(bare, load), "a bare forwarder", 0.4)
        alone = Load("/v1/responses", load.body, load.calls, CALLERS)
        (series,) = in_turn(setup.repeats(5), lambda: alone.put(provider, setup.folder).seconds)
        yield Row("the same callers at the provider itself", rate("calls/s", load.calls), series)


def workers(setup: Setup) -> Iterator[Row]:
    """The same with two workers beside one."""
    load = Load(MESSAGES, orjson.dumps(lines.text(0, MODEL)), setup.size(5_000), CALLERS)
    with (
        upstream(setup.folder) as provider,
        gateway(setup.folder, provider.url) as one,
        gateway(setup.folder, provider.url, "--workers", "2") as two,
    ):
        what = "serve: messages, `--workers 2`"
        yield _compared(setup, what, Loaded(two, load), Loaded(one, load), "`--workers 1`")


def batches(setup: Setup) -> Iterator[Row]:
    """Creates of batches of a hundred requests."""
    params = lines.text(0, MODEL)
    params["system"] += " @@@@@@@@"  # Equal creates at the same time would be one.
    requests = [{"custom_id": lines.custom_id(number), "params": params} for number in range(100)]
    requests[1:] = orjson.loads(lines.requests_body(100, MODEL))["requests"][1:]
    load = Load(BATCHES, orjson.dumps({"requests": requests}), setup.size(500), CALLERS)
    with (
        upstream(setup.folder) as provider,
        forwarder(setup.folder, provider.url) as bare,
        gateway(setup.folder, provider.url) as ours,
    ):
        floor_is = "a forwarder with two calls and two durable commits"
        what = f"serve: batch creates of 100 requests, {CALLERS} callers"
        yield _compared(setup, what, Loaded(ours, load), Loaded(bare, load), floor_is, 0.4)


def keys(setup: Setup) -> Iterator[Row]:
    """`POST /v1/messages` with one of many virtual keys, beside one of one, and beside no keys at all."""
    number = setup.size(10_000)
    load = Load(MESSAGES, orjson.dumps(lines.text(0, MODEL)), setup.size(5_000), CALLERS)
    homes = [setup.folder / "one-key", setup.folder / "many-keys"]
    lone, one_of_many = make_keys(homes[0], 1), make_keys(homes[1], number)
    with (
        upstream(setup.folder) as provider,
        gateway(setup.folder, provider.url) as none,
        gateway(setup.folder, provider.url, home=homes[0]) as one,
        gateway(setup.folder, provider.url, home=homes[1]) as many,
    ):
        what, ours = f"serve: messages, {number:,} virtual keys", Loaded(many, replace(load, key=one_of_many))
        yield _compared(setup, what, ours, Loaded(one, replace(load, key=lone)), "with one key", 0.9)
        yield _compared(setup, what, ours, Loaded(none, load), "with none", 0.9)


def make_keys(home: Path, number: int) -> str:
    """Virtual keys, of which one is given."""
    tenants = Tenants(Database(home))
    secrets = [tenants.create(f"key-{count}")[1] for count in range(number)]
    tenants.database.close()
    return secrets[number // 2]


def _compared(setup: Setup, what: str, ours: Loaded, floor: Loaded, floor_is: str, least: float | None = None) -> Row:
    """The rates of two servers."""
    outcomes: dict[int, list[Outcome]] = {ours.server.pid: [], floor.server.pid: []}

    def seconds(side: Loaded) -> float:
        outcomes[side.server.pid].append(side.load.put(side.server, setup.folder))
        return outcomes[side.server.pid][-1].seconds

    seconds(floor), seconds(ours)  # Connections are made and modules loaded.
    floors, measured = in_turn(setup.repeats(5), lambda: seconds(floor), lambda: seconds(ours))
    cpu = tuple(min(outcome.cpu for outcome in outcomes[server.pid]) for server in (ours.server, floor.server))
    targets = (Target("rate", least),) if least else ()
    return Row(what, rate("calls/s", ours.load.calls), measured, floor_is, floors, targets, cpu)


def results(setup: Setup) -> Iterator[Row]:
    """The results of a large batch, downloaded."""
    size = setup.size(100_000)
    body, out = setup.folder / "batch.json", setup.folder / "out.jsonl"
    body.write_bytes(lines.requests_body(size, MODEL))
    with upstream(setup.folder) as provider, gateway(setup.folder, provider.url) as served:
        made = curl(f"{served.url}{BATCHES}", "-H", "content-type: application/json", "--data-binary", f"@{body}")
        id = orjson.loads(made)["id"]
        parts = [part.removeprefix("openai:").removeprefix("batch-") for part in id.split("~")]

        def ours() -> None:
            curl(f"{served.url}{BATCHES}/{id}/results", "-o", str(out))

        def floor() -> None:
            for part in parts:
                curl(f"{provider.url}/v1/files/file-out-{part}/content", "-o", str(out))
                translate.parse_and_write(out.read_bytes())

        floor(), ours()
        assert sum(1 for _ in out.open("rb")) == size
        floors, measured = in_turn(setup.repeats(5), timed(floor), timed(ours))
    floor_is = "curl from the provider, and orjson over the lines"
    yield Row(f"serve: results, {size:,} lines", SECONDS, measured, floor_is, floors, (Target("ratio", 3),))


def curl(url: str, *arguments: str) -> str:
    """What curl prints."""
    command = ["curl", "-sSf", "-H", "Expect:", "-H", "x-api-key: any", *arguments, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def stream(setup: Setup) -> Iterator[Row]:
    """Until the first event of a streamed answer, one caller."""
    body = orjson.dumps({**lines.text(0, MODEL), "stream": True})
    calls = setup.size(1_000)
    with upstream(setup.folder) as provider, gateway(setup.folder, provider.url) as served:

        def direct() -> float:
            return _first(Load("/v1/responses", body, calls, 1).put(provider, setup.folder))

        def ours() -> float:
            return _first(Load(MESSAGES, body, calls, 1).put(served, setup.folder))

        direct(), ours()
        floors, measured = in_turn(setup.repeats(5), direct, ours)
    what, target = "serve: first event of a stream", Target("added", 3e-3)
    yield Row(what, MILLISECONDS, measured, "the provider itself", floors, (target,))


def _first(outcome: Outcome) -> float:
    return statistics.median(outcome.first)


def idle(setup: Setup) -> Iterator[Row]:
    """From the start of the program to its first answer; and its memory after one message."""
    load = Load(MESSAGES, orjson.dumps(lines.text(0, MODEL)), 1, 1)
    started, memory = [], []
    with upstream(setup.folder) as provider:
        for _ in range(setup.repeats(5)):
            with gateway(setup.folder, provider.url) as served:
                load.put(served, setup.folder)
                started.append(served.started_in)
                memory.append(served.memory())
    yield Row("serve: from start to first answer", SECONDS, Series(tuple(started)), targets=(Target("value", 1.5),))
    yield Row("serve: memory, idle", MEGABYTES, Series(tuple(memory)), targets=(Target("value", 80e6),))
