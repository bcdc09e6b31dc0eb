"""What Gemini takes as a thinking configuration, and whether a model thinks with it.

Budgets belong to 2.5, levels to 3 and later, which still take a budget (documented).
"""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.gemini import models
from bifrost_cli.sandbox.gemini.errors import Refusal

_BUDGETS = {"gemini-2.5-pro": (128, 32_768), "gemini-2.5-flash-lite": (512, 24_576)}
_FLASH_BUDGET = (0, 24_576)


def check(model: str, config: Mapping[str, Any]) -> None:
    """Raises the Refusal for what a model does not take."""
    if "thinking_level" in config and "thinking_budget" in config:
        raise Refusal("You can only set only one of thinking budget and thinking level.")
    if not models.thinks(model):
        if config.get("include_thoughts") or "thinking_level" in config or config.get("thinking_budget"):
            raise Refusal("[sandbox] thinking_config is not supported by this model")
        return
    if "thinking_level" in config:
        _check_level(model, config["thinking_level"])
    if "thinking_budget" in config:
        _check_budget(model, config["thinking_budget"])
    if config.get("include_thoughts") and not on(model, config):
        raise Refusal("Thinking_config.include_thoughts is only enabled when thinking is enabled.")


def _check_level(model: str, level: str) -> None:
    if models.generation(model) < (3, 0):
        raise Refusal("Thinking level is not supported for this model.")
    unknown = level == "XHIGH" and models.generation(model) < (4, 0)
    if unknown or (level == "MINIMAL" and models.always_thinks(model)):
        raise Refusal(
            f"Thinking level {level} is not supported for this model. Please retry with other thinking level."
        )


def _check_budget(model: str, budget: int) -> None:
    low, high = _BUDGETS.get(model, _FLASH_BUDGET)
    if budget == 0 and models.always_thinks(model):
        raise Refusal("Budget 0 is invalid. This model only works in thinking mode.")
    if budget not in (-1, 0) and not low <= budget <= high:
        raise Refusal(f"The thinking budget {budget} is invalid. Please choose a value between {low} and {high}.")


def on(model: str, config: Mapping[str, Any]) -> bool:
    """Whether a model thinks: with no word about it all do that can, but for flash-lite (documented)."""
    if not models.thinks(model):
        return False
    if "thinking_budget" in config:
        return bool(config["thinking_budget"] != 0)
    if "thinking_level" in config:
        return bool(config["thinking_level"] != "MINIMAL")
    return not (models.generation(model) == (2, 5) and "flash-lite" in model)
