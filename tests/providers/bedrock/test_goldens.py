"""Translation, one file per case in tests/golden/bedrock: request -> exact record, output record -> exact result.

UPDATE_GOLDENS=1 writes the right-hand sides anew, to be read before they are kept.
"""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from bifrost_cli.providers.base import Context
from bifrost_cli.providers.bedrock import converse, translate

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "bedrock"
CASES = sorted(FOLDER.glob("*.json"))
UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))


def translated(case: dict[str, Any]) -> tuple[str, Any]:
    """The member that is expected, and what it is now. `live` cases are of one call, which has a place for tools."""
    drop = frozenset(case.get("drop", ()))
    if case.get("live"):
        return "upstream", converse.encode(case["request"]["params"], drop, batch=False)
    if "request" in case:
        context = Context(betas=tuple(case.get("betas", ())), drop=drop)
        line = translate.encode(case["request"], case.get("mode", "auto"), context)
        assert line.endpoint == case["endpoint"]
        return "upstream", orjson.loads(line.body)
    return "result", translate.decode_result(
        orjson.dumps(case["upstream"]), translate.Origin("us-east-1.abc", case["model"], "batch")
    )


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
