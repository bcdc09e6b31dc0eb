"""Results in the order of the input, by way of the disk."""

import tempfile
from collections.abc import AsyncIterator

import orjson

from bifrost_cli.core.ids import Marks
from bifrost_cli.models import BatchResult


async def in_order(
    results: AsyncIterator[BatchResult], ids: AsyncIterator[str], expected: int = 0
) -> AsyncIterator[BatchResult]:
    """The results in the order of `ids`; those of other ids follow in the order they came.

    Results are spooled to a file; what memory holds is where each ends there. `expected` is their number, where known.
    """
    with tempfile.TemporaryFile(prefix="bifrost-") as spool:
        offsets = Marks(expected, "q")
        spool.write(b"\n")  # No result is at 0, which stands for none.
        async for result in results:
            offsets.values[offsets.slot(result["custom_id"])] = spool.tell()
            spool.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
        async for id in ids:
            slot = offsets.slot(id)
            if offset := offsets.values[slot]:
                offsets.values[slot] = 0
                spool.seek(offset)
                yield orjson.loads(spool.readline())
        for offset in sorted(filter(None, offsets.values)):
            spool.seek(offset)
            yield orjson.loads(spool.readline())
