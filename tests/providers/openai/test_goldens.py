"""Translation, one file per case in tests/golden/openai: request -> exact batch line, result line -> exact result.

UPDATE_GOLDENS=1 writes the right-hand sides anew, to be read before they are kept.
"""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from bifrost_cli.providers.openai import translate

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "openai"
CASES = sorted(FOLDER.glob("*.json"))
UPDATE = bool(os.environ.get("UPDATE_GOLDENS"))


def translated(case: dict[str, Any]) -> tuple[str, Any]:
    """The member that is expected, and what it is now."""
    if "request" in case:
        params = case["request"]["params"]
        encoder = translate.encoder(params, case.get("mode", "auto"), frozenset(case.get("drop", ())))
        line = encoder.encode(case["request"]["custom_id"], params["messages"])
        return "upstream", orjson.loads(line.body)
    return "result", translate.decode_result(orjson.dumps(case["upstream"]))


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
