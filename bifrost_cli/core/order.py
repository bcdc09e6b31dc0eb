"""Results in the order of the input, by way of the disk."""

import tempfile
from collections.abc import AsyncIterator

import orjson

from bifrost_cli.core.jsonl import hash64
from bifrost_cli.models import BatchResult


async def in_order(results: AsyncIterator[BatchResult], ids: AsyncIterator[str]) -> AsyncIterator[BatchResult]:
    """The results in the order of `ids`; those of other ids follow in the order they came.

    Results are spooled to a file; what memory holds is a number or two for each.
    """
    with tempfile.TemporaryFile(prefix="bifrost-") as spool:
        offsets: dict[int, int] = {}
        async for result in results:
            offsets[hash64(result["custom_id"])] = spool.tell()
            spool.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
        async for id in ids:
            if (offset := offsets.pop(hash64(id), None)) is not None:
                spool.seek(offset)
                yield orjson.loads(spool.readline())
        for offset in offsets.values():
            spool.seek(offset)
            yield orjson.loads(spool.readline())
