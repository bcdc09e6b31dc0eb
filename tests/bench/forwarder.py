"""The floor of the gateway: a bare ASGI application that passes bodies on and translates nothing."""

import argparse
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvicorn

BOUNDARY = "bench"
BEFORE = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{BOUNDARY}\r\n'
    'Content-Disposition: form-data; name="file"; filename="bench.jsonl"\r\n\r\n'
).encode()
AFTER = f"\r\n--{BOUNDARY}--\r\n".encode()
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
SCHEMA = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS made (id)"
JSON = {"content-type": "application/json", "authorization": "Bearer sk-bench"}


class Forwarder:
    """`POST /v1/messages` is one call upstream; a batch is two, with a durable commit before and after the second."""

    def __init__(self, upstream: str, folder: Path) -> None:
        self.upstream = upstream
        self.db = sqlite3.connect(folder / "forwarder.db", isolation_level=None)
        self.db.executescript(SCHEMA)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/healthz":
            await _answer(send, b"{}")
        elif scope["path"].endswith("/batches"):
            await _answer(send, await self._batch(await _body(receive)))
        else:
            await _answer(send, await self._post("/v1/responses", await _body(receive), JSON))

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _batch(self, body: bytes) -> bytes:
        uploaded = orjson.loads(await self._post("/v1/files", BEFORE + body + AFTER, {**JSON, **FORM}))
        self.db.execute("INSERT INTO made VALUES (?)", ("intended",))
        answered = await self._post("/v1/batches", orjson.dumps({"input_file_id": uploaded["id"]}), JSON)
        self.db.execute("INSERT INTO made VALUES (?)", (orjson.loads(answered)["id"],))
        return answered

    async def _post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        async with self.session.post(self.upstream + path, data=body, headers=headers) as response:
            return await response.read()


async def _body(receive: Any) -> bytes:
    blocks, more = [], True
    while more:
        message = await receive()
        blocks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(blocks)


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    app = Forwarder(given.upstream, given.folder)
    quiet = {"log_level": "warning", "access_log": False}
    uvicorn.run(app, host="127.0.0.1", port=given.port, loop="uvloop", http="httptools", **quiet)
