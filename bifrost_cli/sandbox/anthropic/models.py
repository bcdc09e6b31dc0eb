"""Anthropic's models: which exist, and what sets them apart."""

import re
from functools import cache
from typing import Any

from starlette.responses import JSONResponse, Response

from bifrost_cli.sandbox.answers import UNKNOWN_MODEL
from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.anthropic.paging import only, read_limit
from bifrost_cli.sandbox.http import Call

SNAPSHOTS = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
}
"""What an alias is answered as (recorded)."""

_LISTED = {
    "claude-opus-5-5": "2026-09-15T00:00:00Z",
    "claude-haiku-5-5": "2026-09-15T00:00:00Z",
    "claude-sonnet-5-5": "2026-09-15T00:00:00Z",
    "claude-opus-5": "2026-06-01T00:00:00Z",
    "claude-sonnet-5": "2026-06-01T00:00:00Z",
    "claude-opus-4-6": "2026-02-01T00:00:00Z",
    "claude-haiku-4-5-20251001": "2025-10-15T00:00:00Z",
}
_OLD_CEILING = 64_000
_OLD_WINDOW, _WINDOW = 200_000, 1_000_000
_LARGE = ("opus", "fable", "mythos")
_NAME = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d+)(?:-(?P<minor>\d{1,2}))?(?:-\d{8})?")


def snapshot(model: str) -> str:
    """The name that answers carry."""
    return SNAPSHOTS.get(model, model)


def require(model: str) -> None:
    """Raises the Refusal for a model that does not exist (text recorded)."""
    if model.startswith(UNKNOWN_MODEL):
        raise Refusal(f"model: {model}", 404)


@cache
def generation(model: str) -> tuple[int, int] | None:
    """4.5 as (4, 5); None for a name that does not say."""
    match = _NAME.fullmatch(model)
    return (int(match["major"]), int(match["minor"] or 0)) if match else None


def at_least(model: str, major: int, minor: int) -> bool:
    return (generation(model) or (0, 0)) >= (major, minor)


def thinks_adaptively(model: str) -> bool:
    """Whether it takes no thinking budget (reported for Opus 5, documented for later ones)."""
    return _family(model) in _LARGE and at_least(model, 4, 7)


def thinks_by_itself(model: str) -> bool:
    """Whether thinking cannot be turned off nor tool use forced: the class of Opus 5.5 and Fable 5.1 (documented)."""
    return _family(model) in _LARGE and at_least(model, 5, 1)


def _family(model: str) -> str:
    match = _NAME.fullmatch(model)
    return match["family"] if match else ""


def ceiling(model: str) -> int | None:
    """The most output tokens, where it is known: 64,000 for the models of 4.5 (recorded)."""
    return _OLD_CEILING if generation(model) == (4, 5) else None


def window(model: str) -> int:
    """The most input tokens: 200,000 for the models of 4.5 (recorded), a million for later ones."""
    return _OLD_WINDOW if generation(model) == (4, 5) else _WINDOW


def listing(call: Call) -> Response:
    """`GET /v1/models`"""
    only(call, {"limit", "after_id", "before_id"})
    names, limit = list(_LISTED), read_limit(call)
    for cursor in ("after_id", "before_id"):
        if call.query.get(cursor, names[0]) not in names:
            raise Refusal(f"model: {call.query[cursor]}", 404)
    if "before_id" in call.query:
        rest = names[: names.index(call.query["before_id"])]
        shown = rest[-limit:]
    else:
        rest = names[names.index(call.query["after_id"]) + 1 :] if "after_id" in call.query else names
        shown = rest[:limit]
    body = {
        "data": [_info(name) for name in shown],
        "has_more": len(shown) < len(rest),
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }
    return JSONResponse(body)


def get(call: Call) -> Response:
    """`GET /v1/models/{id}`"""
    require(call.path["id"])
    return JSONResponse(_info(snapshot(call.path["id"])))


def _info(name: str) -> dict[str, Any]:
    created = _LISTED.get(name, "2026-01-01T00:00:00Z")
    return {"type": "model", "id": name, "display_name": f"{name} (sandbox)", "created_at": created}
