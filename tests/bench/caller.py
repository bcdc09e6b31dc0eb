"""Calls over a number of connections at once, each kept alive; says how long they took, as JSON."""

import argparse
import asyncio
import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

NUMBER = b"@@@@@@@@"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Caller:
    """One body to one address."""

    def __init__(self, url: str, body: bytes, calls: int, key: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.head = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"x-api-key: {key}\r\nanthropic-version: 2023-06-01\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        self.before, self.number, self.after = body.partition(NUMBER)
        self.waiting = iter(range(calls))
        self.first: list[float] = []

    async def call_on(self) -> None:
        """One connection: the next call as long as there are any."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 22)
        stamp = time.time_ns() % 10_000_000 if self.number else 0
        for call in self.waiting:
            number = b"%08d" % ((stamp + call) % 100_000_000) if self.number else b""
            start = time.perf_counter()
            writer.write(b"".join((self.head, self.before, number, self.after)))
            await self._read(reader, start)
        writer.close()

    async def _read(self, reader: asyncio.StreamReader, start: float) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise RuntimeError((head + await reader.read(2000)).decode())
        length = LENGTH.search(head)
        if length:
            left = int(length[1])
            begun = await reader.read(left)
            self.first.append(time.perf_counter() - start)
            await reader.readexactly(left - len(begun))
        else:
            await self._read_chunks(reader, start)

    async def _read_chunks(self, reader: asyncio.StreamReader, start: float) -> None:
        size = int(await reader.readuntil(b"\r\n"), 16)
        self.first.append(time.perf_counter() - start)
        while size:
            await reader.readexactly(size + 2)
            size = int(await reader.readuntil(b"\r\n"), 16)
        await reader.readexactly(2)


async def main(caller: Caller, concurrency: int) -> None:
    """Prints `{"seconds", "first"}`: of all, and until each answer's body began."""
    start = time.perf_counter()
    await asyncio.gather(*(caller.call_on() for _ in range(concurrency)))
    print(json.dumps({"seconds": time.perf_counter() - start, "first": caller.first}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--calls", type=int)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--key")
    given = parser.parse_args()
    uvloop.run(main(Caller(given.url, given.body.read_bytes(), given.calls, given.key), given.concurrency))
