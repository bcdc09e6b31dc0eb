"""A provider on loopback that does next to nothing: swallows uploads, answers fixed bodies. Enough of OpenAI's wire.

It remembers nothing: a file's id says which requests are in it (`file-FIRST-COUNT`), and a batch's id says the same.
Counts are to the hundred, for which the dozen lines of a form are lost in the upload's.
"""

import argparse
import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lines
import orjson
import uvloop

HEAD = re.compile(rb"(\w+) (\S+) HTTP")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
FIRST = re.compile(rb'"custom_id":"r-(\d+)"')
SPAN = re.compile(r"-(\d+)-(\d+)")
KEPT = 65_536
"""Bytes of a body that are looked at."""
BLOCK = 1 << 20
CREATED = 1_790_000_000


def answer(body: bytes, media_type: str = "application/json", status: str = "200 OK") -> bytes:
    """A whole answer."""
    return _head(len(body), media_type, status) + body


def _head(length: int, media_type: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n".encode()


MESSAGE = answer(orjson.dumps(lines.response()))
STREAM = answer(b"".join(lines.response_events()), "text/event-stream")
HEALTHY = answer(b'{"status":"ok"}')


class Store:
    """Result files and inputs, made once each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, id: str) -> Path:
        """The content of `file-out-FIRST-COUNT` or `file-FIRST-COUNT`."""
        path = self.folder / id
        if not path.exists():
            first, count = span(id)
            make = lines.openai_result if id.startswith("file-out") else _input
            lines.write(path, lines.results(make, count, first))
        return path


def _input(custom_id: str) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": {"model": lines.GPT}}


def span(id: str) -> tuple[int, int]:
    """The first request and the number of them, from an id."""
    found = SPAN.search(id)
    assert found, id
    return int(found[1]), int(found[2])


def file(first: int, count: int) -> dict[str, Any]:
    """FileObject."""
    id = f"file-{first}-{count}"
    rest = {"filename": "bifrost.jsonl", "purpose": "batch", "status": "processed", "expires_at": None}
    return {"id": id, "object": "file", "bytes": 550 * count, "created_at": CREATED, **rest}


def batch(file_id: str) -> dict[str, Any]:
    """Batch, completed."""
    first, count = span(file_id)
    return {
        "id": f"batch-{first}-{count}",
        "object": "batch",
        "endpoint": "/v1/responses",
        "input_file_id": file_id,
        "completion_window": "24h",
        "status": "completed",
        "output_file_id": f"file-out-{first}-{count}",
        "error_file_id": None,
        "created_at": CREATED,
        "completed_at": CREATED + 60,
        "request_counts": {"total": count, "completed": count, "failed": 0},
        "metadata": {},
    }


class Wire(asyncio.Protocol):
    """One connection. A body is not kept, but for its beginning."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.pending = b""
        self.left = 0
        self.room = asyncio.Event()
        self.room.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.room.set()

    def data_received(self, data: bytes) -> None:
        if self.left:
            self._body(data)
            return
        self.pending += data
        end = self.pending.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = self.pending[: end + 2], self.pending[end + 4 :]
        self.pending = b""
        method, path = HEAD.match(head).groups()  # type: ignore[union-attr]
        length = LENGTH.search(head)
        self.route = (method.decode(), path.decode())
        self.begun, self.ends, self.left = b"", 0, int(length[1]) if length else 0
        if self.left:
            self._body(rest)
        else:
            self._answer()

    def _body(self, data: bytes) -> None:
        self.left -= len(data)
        if len(self.begun) < KEPT:
            self.begun += data[:KEPT]
        if self.route[1].endswith("/files"):
            self.ends += data.count(b"\n")
        if self.left <= 0:
            self.left = 0
            self._answer()

    def _answer(self) -> None:
        method, path = self.route
        if path.endswith("/responses"):
            self.transport.write(STREAM if b'"stream":true' in self.begun else MESSAGE)
        elif path.endswith("/content"):
            self.sending = asyncio.ensure_future(self._send(self.store.find(path.split("/")[-2])))
        elif path.endswith("/healthz"):
            self.transport.write(HEALTHY)
        else:
            self.transport.write(answer(orjson.dumps(self._object(method, path))))

    def _object(self, method: str, path: str) -> dict[str, Any]:
        if path.endswith("/files"):
            first = FIRST.search(self.begun)
            return file(int(first[1]) if first else 0, self.ends // 100 * 100)
        if method == "POST":
            return batch(orjson.loads(self.begun)["input_file_id"])
        return batch(path.rpartition("/")[2].replace("batch", "file"))

    async def _send(self, path: Path) -> None:
        self.transport.write(_head(path.stat().st_size, "application/octet-stream"))
        with path.open("rb") as content:
            while (block := content.read(BLOCK)) and not self.transport.is_closing():
                self.transport.write(block)
                await self.room.wait()


async def serve(port: int, make: Callable[[], Wire]) -> None:
    """Until the process ends."""
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    store = Store(given.folder)
    uvloop.run(serve(given.port, lambda: Wire(store)))
