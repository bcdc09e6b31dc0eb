"""Reads the results of one batch in a process of its own, and says how much memory that took.

Standard input is an object: `environ`, `providers` (the registry), `provider`, and the batch's `id`. Python's own
allocations are measured at a second reading, so that what the first one imported does not count.
"""

import asyncio
import json
import sys
import tracemalloc
from contextlib import aclosing
from typing import Any

from bifrost_cli.config import Config
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.results import Audit
from bifrost_cli.providers import PROVIDERS


async def read(environ: dict[str, str], provider: str, id: str) -> dict[str, Any]:
    results, different, audit = 0, set(), Audit()
    async with Bifrost(Config(environ=environ), provider) as bifrost:
        async with aclosing(bifrost.batch_results(id)) as beginning:
            await anext(beginning)
        tracemalloc.start()
        async for result in bifrost.batch_results(id, audit=audit):
            results += 1
            different.add(hash(result["custom_id"]))
    peak = tracemalloc.get_traced_memory()[1]
    return {"results": results, "different": len(different), "agrees": audit.agrees, "peak": peak}


given = json.load(sys.stdin)
PROVIDERS.update(given.pop("providers"))
print(json.dumps(asyncio.run(read(**given))))
