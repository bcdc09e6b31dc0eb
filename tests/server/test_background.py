"""Small batches whose work the gateway does itself, and goes on with after a restart."""

import asyncio
import time
from pathlib import Path

import pytest

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.base import Provider
from bifrost_cli.sandbox import environment
from tests import gateway
from tests.server.conftest import CHOSEN, MODELS, Served

HERE = [name for name in PROVIDERS if load(name).runs_here is not Provider.runs_here]


@pytest.mark.parametrize("provider", HERE)
@pytest.mark.anyio
async def test_a_batch_that_nobody_works_on_is_taken_up_at_the_start(
    provider: str, sandbox: str, tmp_path: Path
) -> None:
    environ = {**environment(sandbox), **CHOSEN, "BIFROST_HOME": str(tmp_path)}
    params = {"model": MODELS[provider], "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    lines = [(number, {"custom_id": f"r{number}", "params": dict(params)}) for number in range(3)]
    async with Bifrost(Config(environ=environ), provider, trust_env=False) as bifrost:
        with bifrost.plan_batch(iter(lines), source="test", defaults={}) as plan:
            batch = await bifrost.create_batch(plan)
        assert bifrost.runs_here(batch.id)
        assert not (await bifrost.get_batch(batch.id)).ended
    with gateway.over(environ) as url:
        sdk = Served(url, sandbox).sdk()
        deadline = time.monotonic() + 20
        while (seen := sdk.messages.batches.retrieve(batch.id)).processing_status != "ended":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert seen.request_counts.succeeded == 3
        assert {result.custom_id for result in sdk.messages.batches.results(batch.id)} == {"r0", "r1", "r2"}
        sdk.close()
