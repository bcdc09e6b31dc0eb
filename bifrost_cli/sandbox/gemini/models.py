"""Gemini's models: which exist, and what sets them apart."""

import re
from functools import cache
from typing import Any

from starlette.responses import Response

from bifrost_cli.sandbox.answers import UNKNOWN_MODEL
from bifrost_cli.sandbox.gemini.errors import NOT_FOUND, Refusal
from bifrost_cli.sandbox.gemini.json import pretty
from bifrost_cli.sandbox.gemini.paging import cut, read_size
from bifrost_cli.sandbox.http import Call

_LISTED = (
    "gemini-4-argon",
    "gemini-3.8-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash",
    "gemini-3.1-pro-preview",
    "gemini-3-pro-preview",
    "gemini-3-flash-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.0-flash",
)
_METHODS = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
_NAME = re.compile(r"gemini-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?P<rest>-.*)?")
DEFAULT_PAGE, MAX_PAGE = 50, 1000


def bare(name: str) -> str:
    """A model's name without its collection."""
    return name.removeprefix("models/")


def exists(model: str) -> bool:
    return not model.startswith(UNKNOWN_MODEL)


@cache
def generation(model: str) -> tuple[int, int]:
    """gemini-3.1-pro as (3, 1); the newest for a name that does not say, such as gemini-flash-latest."""
    match = _NAME.fullmatch(model)
    return (int(match["major"]), int(match["minor"] or 0)) if match else (9, 0)


def thinks(model: str) -> bool:
    """Whether it can think: from 2.5 on (documented)."""
    return generation(model) >= (2, 5)


def always_thinks(model: str) -> bool:
    """Whether its thinking cannot be turned off: the pro models (documented)."""
    return thinks(model) and "-pro" in model


def signs(model: str) -> bool:
    """Whether it signs its text and asks for the signatures of its calls back: from 3 on (documented)."""
    return generation(model) >= (3, 0)


def names_calls(model: str) -> bool:
    """Whether its function calls have ids: not 3-pro-preview and older, but 3.1 and newer (recorded 2026-08)."""
    return generation(model) >= (3, 1)


def find(name: str, method: str, version: str) -> str:
    """The model that a path names. Raises the Refusal for one that does not exist (recorded 2026-08)."""
    if exists(name):
        return name
    lister = "ListModels" if method == "countTokens" else "ModelService.ListModels"
    raise Refusal(
        f"models/{name} is not found for API version {version}, or is not supported for {method}. Call {lister} to "
        "see the list of available models and their supported methods.",
        NOT_FOUND,
    )


def listing(call: Call) -> Response:
    """`GET /models`"""
    names, token = cut(call, _LISTED, read_size(call, DEFAULT_PAGE, MAX_PAGE))
    return pretty({"models": [_info(name) for name in names], **token})


def get(call: Call) -> Response:
    """`GET /models/{model}`"""
    model = call.path["model"]
    if not exists(model):
        raise Refusal(f"Model is not found: models/{model} for api version {call.path['version']}", NOT_FOUND)
    return pretty(_info(model))


def _info(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "[sandbox] an emulated model",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536 if thinks(name) else 8192,
        "supportedGenerationMethods": _METHODS,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        **({"thinking": True} if thinks(name) else {}),
    }
