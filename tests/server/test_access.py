"""The access log: every line is written, and a log that cannot be written stops no call."""

import asyncio
import io

import pytest

from bifrost_cli.server.access import AccessLog

pytestmark = pytest.mark.anyio


async def test_lines_are_written_whole_and_in_order() -> None:
    stream = io.StringIO()
    access = AccessLog(stream)
    for turn in ("ab", "c"):
        for line in turn:
            access.add(line)
        await asyncio.sleep(0)
    assert stream.getvalue() == "a\nb\nc\n"


async def test_a_log_that_is_closed_stops_nothing() -> None:
    stream, said = io.StringIO(), []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    stream.close()
    AccessLog(stream).add("a")
    await asyncio.sleep(0)
    assert said == []
