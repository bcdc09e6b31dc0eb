"""The sandbox as one ASGI application: each emulator below its own prefix, and `/_sandbox` for control."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from bifrost_cli.sandbox import anthropic, bedrock, gemini, openai
from bifrost_cli.sandbox.control import control
from bifrost_cli.sandbox.emulator import Emulator, Sandbox
from bifrost_cli.sandbox.faults import Fault, Faults, parse
from bifrost_cli.sandbox.faulty import Faulty
from bifrost_cli.sandbox.store import KEEP, Store

EMULATORS: dict[str, Emulator] = {
    emulator.name: emulator
    for emulator in (
        anthropic.EMULATOR,
        openai.EMULATOR,
        bedrock.EMULATOR,
        gemini.EMULATOR,
    )
}
"""Every emulator by its name. A further provider is one folder and one line here."""


def create_app(
    state: Path,
    *,
    clock: Callable[[], float] = time.time,
    pace: float = 1.0,
    faults: str | Iterable[Fault] = (),
    enqueued_tokens: int | None = None,
) -> Starlette:
    """The sandbox over the folder `state`, which is made if missing; what is older than a week is forgotten.

    `pace` scales how long new batches take: 1.0 is about three seconds, 0 ends them at once. `faults` is text in
    the syntax of `faults`, or Fault objects. `enqueued_tokens` limits what a model's unfinished batches may hold at
    providers that do so. Raises FaultSyntaxError.
    """
    parsed = parse_faults(faults) if isinstance(faults, str) else list(faults)
    store = Store(state)
    store.prune(clock() - KEEP)
    sandbox = Sandbox(store, clock, pace, enqueued_tokens, Faults(parsed))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    mounts = [Mount(f"/{name}", Faulty(emulator, sandbox)) for name, emulator in EMULATORS.items()]
    routes = [Mount("/_sandbox", control(sandbox, EMULATORS)), *mounts]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _nowhere})


def parse_faults(text: str) -> list[Fault]:
    """Faults in the syntax of `faults`, as the environment or a flag gives them. Raises FaultSyntaxError."""
    return parse(text, EMULATORS)


def environment(base_url: str) -> dict[str, str]:
    """The variables that point every vendor's SDK, and this tool, at the sandbox served at `base_url`."""
    base_url = base_url.rstrip("/")
    variables: dict[str, str] = {}
    for name, emulator in EMULATORS.items():
        variables |= emulator.environment(f"{base_url}/{name}")
    return variables


async def _nowhere(request: Request, error: Exception) -> Response:
    places = [f"/{name}" for name in EMULATORS]
    return JSONResponse({"error": {"message": f"nothing is served here; see {', '.join(places)} and /_sandbox"}}, 404)
