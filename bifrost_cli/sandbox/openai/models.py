"""OpenAI's models: which exist, and what sets them apart."""

import re
from functools import cache
from typing import Any

from starlette.responses import Response

from bifrost_cli.sandbox.answers import UNKNOWN_MODEL
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.openai.errors import Refusal
from bifrost_cli.sandbox.openai.json import pretty

SNAPSHOTS = {
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5.4": "gpt-5.4-2026-03-05",
    "gpt-5.4-nano": "gpt-5.4-nano-2026-03-17",
    "gpt-5.4-pro": "gpt-5.4-pro-2026-03-05",
}
"""What an alias is answered as (recorded)."""

_LISTED = (
    "gpt-6.1-sol",
    "gpt-6-luna",
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.4-nano",
    "gpt-5-nano",
    "gpt-4.1",
    "gpt-4o-mini",
    "o4-mini",
)
WINDOW = 400_000
"""The most input tokens of any model."""
_GPT = re.compile(r"gpt-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?P<rest>-.*)?")
_O_SERIES = re.compile(r"o\d+(-.*)?")


def snapshot(model: str) -> str:
    """The name that answers carry."""
    return SNAPSHOTS.get(model, model)


def exists(model: str) -> bool:
    return not model.startswith(UNKNOWN_MODEL)


@cache
def generation(model: str) -> tuple[int, int]:
    """gpt-5.4 as (5, 4); (0, 0) for a name that does not say."""
    match = _GPT.fullmatch(model)
    return (int(match["major"]), int(match["minor"] or 0)) if match else (0, 0)


def reasons(model: str) -> bool:
    """Whether it is a reasoning model: the o-series, and gpt-5 and later but for its chat variants."""
    return bool(_O_SERIES.fullmatch(model)) or (generation(model) >= (5, 0) and "-chat" not in model)


def efforts(model: str) -> tuple[str, ...]:
    """The reasoning efforts that a reasoning model takes: `none` came with gpt-5.1, in place of `minimal`."""
    if _O_SERIES.fullmatch(model):
        return ("low", "medium", "high")
    if generation(model) < (5, 1):
        return ("minimal", "low", "medium", "high")
    if "-pro" in model:
        return ("medium", "high", "xhigh")
    return ("none", "low", "medium", "high", "xhigh", "max")


def effort(model: str, asked: str | None) -> str | None:
    """The effort that a request comes to; None for a model that does not reason. gpt-5.1 to gpt-5.5 do not reason
    unless asked to (recorded for gpt-5.4-nano), others do."""
    if not reasons(model):
        return None
    quiet = (5, 1) <= generation(model) < (5, 6) and "none" in efforts(model)
    return asked or ("none" if quiet else "medium")


def listing(call: Call) -> Response:
    """`GET /v1/models`"""
    return pretty({"object": "list", "data": [_info(name) for name in _LISTED]})


def get(call: Call) -> Response:
    """`GET /v1/models/{id}`"""
    model = call.path["id"]
    if not exists(model):
        raise Refusal(f"The model '{model}' does not exist", 404, param="model", code="model_not_found")
    return pretty(_info(model))


def _info(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "sandbox"}
