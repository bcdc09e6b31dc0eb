"""Translation, one file per case in tests/golden/gemini: request -> exact batch line, result line -> exact result, and
the pieces of a stream -> exact events.

UPDATE_GOLDENS=1 writes the right-hand sides anew, to be read before they are kept.
"""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from bifrost_cli.providers.gemini import translate
from bifrost_cli.providers.gemini.generate_stream import GenerateStream

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "gemini"
CASES = sorted(FOLDER.glob("*.json"))
UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))
FILES = "https://generativelanguage.googleapis.com/v1beta/files"


def translated(case: dict[str, Any]) -> tuple[str, Any]:
    """The member that is expected, and what it is now."""
    if "request" in case:
        form, drop = case.get("schema_form", "json_schema"), frozenset(case.get("drop", ()))
        params = case["request"]["params"]
        encoder = translate.encoder(params, form, FILES, drop)
        return "upstream", orjson.loads(encoder.encode(case["request"]["custom_id"], params["messages"]).body)
    if "pieces" in case:
        stream = GenerateStream("gemini-3.8-flash")
        return "events", [event for piece in case["pieces"] for event in stream.tell(piece)] + list(stream.end())
    return "result", translate.decode_result(orjson.dumps(case["upstream"]), 1, "gemini-3.8-flash")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    name, now = translated(case)
    if UPDATE:
        path.write_bytes(orjson.dumps({**case, name: now}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        assert now == case[name], case["about"]


@pytest.mark.parametrize(
    "path", [path for path in CASES if path.stem.startswith("result-")], ids=lambda path: path.stem
)
def test_a_result_is_a_message_to_the_vendors_own_types(path: Path) -> None:
    result = translated(orjson.loads(path.read_bytes()))[1]["result"]
    if result["type"] == "succeeded":
        Message.model_validate(result["message"], strict=True)


@pytest.mark.parametrize(
    "path", [path for path in CASES if path.stem.startswith("stream-")], ids=lambda path: path.stem
)
def test_events_are_events_to_the_vendors_own_types(path: Path) -> None:
    for event in translated(orjson.loads(path.read_bytes()))[1]:
        TypeAdapter[Any](RawMessageStreamEvent).validate_python(event, strict=True)


def test_there_are_goldens() -> None:
    assert len(CASES) > 40
