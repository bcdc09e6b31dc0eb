"""Rules that models have for length, and Anthropic's for sampling and thinking, told in their vendors' words. They hold
through both APIs; `prefix` is what Converse puts before them."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.errors import Refusal

_LARGE = ("opus", "fable", "mythos")
_INSTEAD = 'Use "thinking.type.adaptive" and "output_config.effort"'
_INPUT = "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again."
_WINDOWS = {"nova-micro": 128_000, "nova-lite": 300_000, "nova-pro": 300_000}
_OLD_WINDOW, _WINDOW = 200_000, 1_000_000
_CEILINGS = {(3, 0): 4096, (3, 5): 8192, (4, 5): 64_000}
"""The most output tokens by generation, where they are documented."""


def ceiling(model: str) -> int | None:
    """The most output tokens that a model gives, where it is known."""
    return _CEILINGS.get(models.generation(model)) if models.speaks_anthropic(model) else None


def check_length(model: str, size: int, prefix: str = "") -> None:
    """How many tokens may go in: documented for Amazon's models and for Claude up to 4.5 and after."""
    if models.speaks_anthropic(model):
        most = _OLD_WINDOW if (0, 0) < models.generation(model) <= (4, 5) else _WINDOW
        text = f"prompt is too long: {size} tokens > {most} maximum"
    else:
        most, text = _WINDOWS.get(models.short(model), _WINDOW), _INPUT  # recorded
    if size > most:
        raise Refusal(prefix + text)


def check_sampling(model: str, temperature: Any, top_p: Any, top_k: Any, prefix: str = "") -> None:
    """Models after Opus 4.6 take only what comes to the default (documented), those since 4.1 not both of two."""
    generation = models.generation(model)
    if generation >= (4, 7):
        _check_defaults(temperature, top_p, top_k, prefix)
    elif generation >= (4, 1) and temperature is not None and top_p is not None:
        raise Refusal("`temperature` and `top_p` cannot both be specified for this model")  # recorded so in both


def _check_defaults(temperature: Any, top_p: Any, top_k: Any, prefix: str) -> None:
    if temperature not in (None, 1):
        raise Refusal(f"{prefix}`temperature` may only be set to 1 for this model.")
    if top_p is not None and top_p < 0.99:
        raise Refusal(f"{prefix}`top_p` must be greater than or equal to 0.99 for this model.")
    if top_k is not None:
        raise Refusal(f"{prefix}`top_k` is not supported for this model.")


def check_thinking(model: str, thinking: Mapping[str, Any], limit: int | None, prefix: str = "") -> None:
    """Which way of thinking a model has, and that its budget is less than all it may say."""
    generation, kind = models.generation(model), thinking["type"]
    large = any(f"-{name}-" in models.short(model) for name in _LARGE)
    if kind == "enabled" and large and generation >= (4, 7):
        raise Refusal(f'{prefix}"thinking.type.enabled" is not supported for this model. {_INSTEAD}')
    if kind == "disabled" and large and generation >= (5, 1):
        raise Refusal(f'{prefix}"thinking.type.disabled" is not supported for this model. {_INSTEAD}')
    if kind == "adaptive" and (0, 0) < generation < (4, 6):
        raise Refusal(f"{prefix}adaptive thinking is not supported on this model")
    if kind == "enabled" and limit is not None and limit <= thinking["budget_tokens"]:
        raise Refusal(f"{prefix}`max_tokens` must be greater than `thinking.budget_tokens`.")


def check_while_thinking(temperature: Any, forced: bool, prefix: str = "") -> None:
    """What cannot be had while a model thinks."""
    if forced:
        raise Refusal(f"{prefix}Thinking may not be enabled when tool_choice forces tool use.")
    if temperature not in (None, 1):
        raise Refusal(f"{prefix}`temperature` may only be set to 1 when thinking is enabled.")


def check_prefill(model: str, last_role: str, prefix: str = "") -> None:
    """Models since 4.6 do not go on with what they are said to have begun."""
    if last_role == "assistant" and models.generation(model) >= (4, 6):
        raise Refusal(
            f"{prefix}This model does not support assistant message prefill. The conversation must end with a user "
            "message."
        )
