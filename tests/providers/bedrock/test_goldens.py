"""Translation, one file per case in tests/golden/bedrock: request -> exact record or call, output record -> exact
result, frames of a stream -> exact events.

UPDATE_GOLDENS=1 writes the right-hand sides anew, to be read before they are kept.
"""

import asyncio
import os
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message

from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import frames, messages, model, translate
from tests.providers.bedrock import streams

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "bedrock"
CASES = sorted(FOLDER.glob("*.json"))
UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))


async def streamed(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream, of which every frame is encoded and decoded on the way."""
    named = model.endpoint_of(case["model"])
    call = messages.Call("", case["request"], case["model"], named, "id")
    encode = streams.event if named == model.CONVERSE else lambda kind, payload: streams.chunk(payload)
    decode = frames.decoder()

    async def stream() -> AsyncIterator[frames.Frame]:
        for kind, payload in case["frames"]:
            for frame in decode(encode(kind, payload)):
                yield frame

    return [event async for event in messages.events(stream(), call)]


def translated(case: dict[str, Any]) -> tuple[str, Any]:
    """The member that is expected, and what it is now. `live` cases are of one call, which has a place for tools."""
    if "frames" in case:
        return "events", asyncio.run(streamed(case))
    context = Context(betas=tuple(case.get("betas", ())), drop=frozenset(case.get("drop", ())))
    if case.get("live"):
        return "upstream", messages.encode(case["request"]["params"], "auto", context).body
    if case.get("count"):
        return "upstream", counted(*messages.encode_count(case["request"]["params"], "auto", context))
    if "request" in case:
        params = case["request"]["params"]
        encoder = translate.encoder(params, case.get("mode", "auto"), context)
        line = encoder.encode(case["request"]["custom_id"], params["messages"])
        assert line.kind.endpoint == case["endpoint"]
        return "upstream", orjson.loads(line.body)
    return "result", translate.decode_result(
        orjson.dumps(case["upstream"]), translate.Origin("us-east-1.abc", case["model"], "batch")
    )


def counted(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What counts tokens, its inner body to be read."""
    given = body["input"]
    if "invokeModel" in given:
        given = {"invokeModel": {"body": orjson.loads(b64decode(given["invokeModel"]["body"]))}}
    return {"path": path, "input": given}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    name, now = translated(case)
    if UPDATE:
        path.write_bytes(orjson.dumps({**case, name: now}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        assert now == case[name], case["about"]


def test_there_are_goldens() -> None:
    assert len(CASES) > 40


STREAMS = [path for path in CASES if path.stem.startswith("stream-")]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_the_events_of_a_golden_come_in_their_order(path: Path) -> None:
    events = orjson.loads(path.read_bytes())["events"]
    streams.check_order([event for event in events if event["type"] != "ping"])
    Message.model_validate(streams.folded(events), strict=False)
