"""Answers held against recorded answers of the live services, member by member.

The recordings are other people's data and not part of this repository: BIFROST_RECORDINGS names their folder, else
`../shared/recordings` beside it is looked at, and without them what needs them is skipped. What is recorded is sent to
the emulator where the recording has it, and answers must have the same members, of the same JSON types, with the
same status and the headers that matter.
"""

import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(os.environ.get("BIFROST_RECORDINGS") or Path(__file__).parents[3] / "shared" / "recordings")
needed = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no recordings at {ROOT}; set BIFROST_RECORDINGS")

SAME = {
    "content-type",
    "cache-control",
    "retry-after",
    "x-should-retry",
    "openai-version",
    "www-authenticate",
    "access-control-allow-origin",
}
PRESENT = {"request-id", "x-request-id", "anthropic-organization-id", "openai-organization", "openai-project"}


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / name).read_text())
    return loaded


def kind(value: Any) -> str:
    """JSON's name for a value's type."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return "null" if value is None else names[type(value)]


def differences(recorded: Any, ours: Any, since: Iterable[str] = (), path: str = "") -> list[str]:
    """How our value's shape differs from the recorded one. Members named in `since` may be ours alone."""
    if kind(recorded) != kind(ours):
        return [f"{path or '.'}: {kind(recorded)} there, {kind(ours)} here"]
    if path.endswith(".metadata"):
        return []  # the caller's own
    if isinstance(recorded, dict):
        found = [f"{path}.{name}: missing here" for name in recorded.keys() - ours.keys()]
        found += [f"{path}.{name}: only here" for name in ours.keys() - recorded.keys() - set(since)]
        both = recorded.keys() & ours.keys()
        return found + [
            text for name in both for text in differences(recorded[name], ours[name], since, f"{path}.{name}")
        ]
    if isinstance(recorded, list):
        if not recorded:
            return []  # nothing to compare with
        return [text for number, item in enumerate(ours) for text in _like(recorded, item, since, f"{path}[{number}]")]
    return []


def _like(recorded: list[Any], item: Any, since: Iterable[str], path: str) -> list[str]:
    """How an item differs from the recorded one most like it; of typed items only those of its type count."""
    typed = [other for other in recorded if not isinstance(item, dict) or other.get("type") == item.get("type")]
    if not typed:
        return [f"{path}: nothing like it there"]
    return min((differences(other, item, since, path) for other in typed), key=len)


def hold(recording: dict[str, Any], answer: httpx.Response, since: Iterable[str] = ()) -> None:
    """Holds an answer against a recorded one: status, headers, and the body if the recording has it."""
    recorded = recording["response"]
    assert answer.status_code == recorded["status"]
    for name in SAME & recorded["headers"].keys():
        assert answer.headers.get(name) == recorded["headers"][name], name
    for name in PRESENT & recorded["headers"].keys():
        assert answer.headers.get(name), name
    if isinstance(recorded["body"], dict):
        assert differences(recorded["body"], answer.json(), since) == []


def frames(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (ROOT / name).read_text().splitlines()]


def unheld(folder: str, named: Iterable[str], source: str, not_held: Collection[str]) -> set[str]:
    """The recordings in a folder that are neither named, nor mentioned in a test's source, nor excused."""
    there = {path.name for path in (ROOT / folder).iterdir()}
    assert set(not_held) <= there
    return {name for name in there - {f"{name}.json" for name in named} - set(not_held) if not _mentioned(name, source)}


def _mentioned(name: str, source: str) -> bool:
    return name in source or name.partition(".")[0] in source
