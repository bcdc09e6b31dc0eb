"""The smallest service that a provider can be the adapter of: the hub's own shapes over HTTP, all state in memory.

It stands beside the sandbox's emulators while the exam runs, so that faults, log and counts are the same for it.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bifrost_cli.sandbox import Emulator, Sandbox
from bifrost_cli.sandbox.account import Account as Counted
from bifrost_cli.sandbox.answers import Finish, Prompt, Tool, Trigger, answer, triggers, triggers_in
from bifrost_cli.sandbox.lines import finished, finishing_order
from bifrost_cli.sandbox.timeline import LIFE, Durations, Stage, Timeline

STOPS = {
    Finish.END: "end_turn",
    Finish.TOOL: "tool_use",
    Finish.LENGTH: "max_tokens",
    Finish.STOP: "stop_sequence",
    Finish.REFUSAL: "refusal",
}


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Kept:
    """A batch; `cancelled` is when its cancel was asked for."""

    id: str
    timeline: Timeline
    tag: str
    lines: list[bytes]
    cancelled: float | None = None


@dataclass
class Account:
    """What one key holds, oldest first."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, Kept] = field(default_factory=dict)


class Service:
    """The routes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.accounts: dict[str, Account] = defaultdict(Account)

    def app(self) -> Starlette:
        routes = [
            Route("/files", self.upload, methods=["POST"]),
            Route("/files", self.list_files),
            Route("/files/{id}", self.get_file, methods=["GET"]),
            Route("/files/{id}", self.delete_file, methods=["DELETE"]),
            Route("/files/{id}/content", self.content),
            Route("/batches", self.create, methods=["POST"]),
            Route("/batches", self.list_batches),
            Route("/batches/{id}", self.get_batch, methods=["GET"]),
            Route("/batches/{id}", self.delete_batch, methods=["DELETE"]),
            Route("/batches/{id}/cancel", self.cancel, methods=["POST"]),
            Route("/batches/{id}/results", self.results),
            Route("/batches/{id}/inputs", self.inputs),
        ]
        return Starlette(routes=routes, exception_handlers={Refused: _refusal})

    def account(self, request: Request) -> Account:
        key = request.headers.get("x-key", "")
        if "sandbox" not in key:
            raise Refused(401, f"the key {key} is not known")
        return self.accounts[key]

    # -- files --------------------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        account, now, query, content = self.account(request), self.sandbox.clock(), request.query_params, b""
        async for chunk in request.stream():
            content += chunk
        file = {
            "id": f"file-{secrets.token_hex(8)}",
            "filename": query["filename"],
            "mime_type": query["media_type"],
            "size_bytes": len(content),
            "created_at": _time(now),
            "expires_at": _time(now + int(query["expires_in"])) if "expires_in" in query else None,
            "downloadable": True,
            "purpose": query.get("purpose"),
        }
        account.files[file["id"]], account.contents[file["id"]] = file, content
        return JSONResponse(file)

    async def list_files(self, request: Request) -> Response:
        return _page(request, list(self.account(request).files.values())[::-1])

    async def get_file(self, request: Request) -> Response:
        return JSONResponse(_find(self.account(request).files, request))

    async def delete_file(self, request: Request) -> Response:
        account = self.account(request)
        del account.files[_find(account.files, request)["id"]]
        return JSONResponse({})

    async def content(self, request: Request) -> Response:
        account = self.account(request)
        return Response(account.contents[_find(account.files, request)["id"]])

    # -- batches ------------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        account, body = self.account(request), await request.body()
        if file := request.query_params.get("file"):
            body = account.contents[_find(account.files, request, file)["id"]]
        durations = Durations(validating=0.5, running=2.0, finalizing=0.5, cancelling=1.0)
        timeline = Timeline(self.sandbox.clock(), durations, self.sandbox.pace)
        batch = Kept(f"batch-{secrets.token_hex(8)}", timeline, request.headers["x-tag"], body.splitlines())
        account.batches[batch.id] = batch
        Counted(self.sandbox.store, "reference", "").count("batches")
        return JSONResponse(self.describe(batch))

    async def list_batches(self, request: Request) -> Response:
        return _page(request, [self.describe(batch) for batch in self.account(request).batches.values()][::-1])

    async def get_batch(self, request: Request) -> Response:
        return JSONResponse(self.describe(_find(self.account(request).batches, request)))

    async def cancel(self, request: Request) -> Response:
        batch = _find(self.account(request).batches, request)
        if self.moment(batch).final:
            raise Refused(409, "it has ended")
        batch.cancelled = batch.cancelled or self.sandbox.clock()
        return JSONResponse(self.describe(batch))

    async def delete_batch(self, request: Request) -> Response:
        account = self.account(request)
        del account.batches[_find(account.batches, request).id]
        return JSONResponse({})

    async def results(self, request: Request) -> Response:
        batch = _find(self.account(request).batches, request)
        if not self.moment(batch).final:
            raise Refused(404, "it has not ended")
        return StreamingResponse(_in_blocks(self.result_lines(batch)), media_type="application/x-jsonl")

    async def inputs(self, request: Request) -> Response:
        batch = _find(self.account(request).batches, request)
        return Response(b"\n".join(batch.lines))

    # -- what becomes of a batch --------------------------------------------------------------------------------

    def moment(self, batch: Kept) -> Any:
        return batch.timeline.at(self.sandbox.clock(), batch.cancelled)

    def describe(self, batch: Kept) -> dict[str, Any]:
        moment = self.moment(batch)
        states = {Stage.CANCELLING: "canceling"}
        return {
            "id": batch.id,
            "processing_status": "ended" if moment.final else states.get(moment.stage, "in_progress"),
            "request_counts": self.counts(batch),
            "created_at": _time(batch.timeline.created),
            "expires_at": _time(batch.timeline.created + LIFE),
            "ended_at": _time(moment.ended_at) if moment.final else None,
            "cancel_initiated_at": _time(batch.cancelled) if batch.cancelled else None,
            "tag": batch.tag,
        }

    def counts(self, batch: Kept) -> dict[str, int]:
        moment = self.moment(batch)
        outcomes = [outcome for _, outcome in self.outcomes(batch)]
        if not moment.final:
            outcomes = outcomes[: finished(len(batch.lines), moment.progress)]
        names = ("succeeded", "errored", "canceled", "expired")
        return {"processing": len(batch.lines) - len(outcomes), **{name: outcomes.count(name) for name in names}}

    def outcomes(self, batch: Kept) -> Iterator[tuple[bytes, str]]:
        """Each line and its outcome, in the order in which they finish."""
        moment, total = self.moment(batch), len(batch.lines)
        rest = "canceled" if moment.stage is Stage.CANCELLED else "expired"
        for rank, number in enumerate(finishing_order(total)):
            done = not moment.final or rank < finished(total, moment.progress)
            yield batch.lines[number], _outcome(batch.lines[number]) if done else rest

    def result_lines(self, batch: Kept) -> Iterator[bytes]:
        for line, outcome in self.outcomes(batch):
            request, asked = orjson.loads(line), triggers_in(line)
            id = f"unknown-{request['custom_id']}" if Trigger.SWAP in asked else request["custom_id"]
            result = {"type": outcome, **_said(request["params"], outcome)}
            for _ in range(0 if Trigger.LOSE in asked else 2 if Trigger.REPEAT in asked else 1):
                yield orjson.dumps({"custom_id": id, "result": result}) + b"\n"


def _outcome(line: bytes) -> str:
    asked = triggers_in(line)
    if Trigger.EXPIRE in asked:
        return "expired"
    return "errored" if asked & {Trigger.ERROR, Trigger.OVERLOADED} else "succeeded"


def _said(params: dict[str, Any], outcome: str) -> dict[str, Any]:
    text = params["messages"][-1]["content"]
    if outcome == "errored":
        passing = Trigger.OVERLOADED in triggers(text)
        kind = "overloaded_error" if passing else "invalid_request_error"
        return {"error": {"type": "error", "error": {"type": kind, "message": "as the prompt asks"}}}
    return {"message": _message(params, text)} if outcome == "succeeded" else {}


def _message(params: dict[str, Any], text: str) -> dict[str, Any]:
    tools = tuple(Tool(tool["name"], tool["input_schema"]) for tool in params.get("tools", ()))
    said = answer(Prompt(text, len(text), tools, limit=params["max_tokens"]))
    block: dict[str, Any] = {"type": "text", "text": said.text}
    if said.call:
        block = {"type": "tool_use", "id": "toolu_1", "name": said.call.name, "input": said.call.arguments}
    return {
        "id": f"msg_{secrets.token_hex(8)}",
        "type": "message",
        "role": "assistant",
        "model": params["model"],
        "content": [block],
        "stop_reason": STOPS[said.finish],
        "stop_sequence": said.stop,
        "usage": {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens},
    }


def _in_blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    block = b""
    for line in lines:
        block += line
        if len(block) > 65_536:
            yield block
            block = b""
    yield block


def _find(kept: dict[str, Any], request: Request, id: str | None = None) -> Any:
    id = id or request.path_params["id"]
    if id not in kept:
        raise Refused(404, f"{id} is not here")
    return kept[id]


def _page(request: Request, items: list[dict[str, Any]]) -> Response:
    """Items after the one with the id `after`, up to `limit`."""
    limit, after = int(request.query_params["limit"]), request.query_params.get("after")
    start = next((place + 1 for place, item in enumerate(items) if item["id"] == after), 0)
    shown = items[start : start + limit]
    return JSONResponse({"data": shown, "next": shown[-1]["id"] if start + limit < len(items) else None})


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"message": str(error)}, error.status)


def _failure(status: int, seconds: float) -> Response:
    headers = {"retry-after": f"{seconds:g}"} if status == 429 else {}
    return JSONResponse({"message": "as the fault asks"}, status, headers=headers)


def _environment(url: str) -> dict[str, str]:
    return {"REFERENCE_BASE_URL": url, "REFERENCE_API_KEY": "a-sandbox-key"}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


SERVICE = Emulator("reference", lambda sandbox: Service(sandbox).app(), _environment, _failure)
