"""What OpenAI refuses because of the model: reasoning models take fewer parameters, and other efforts."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.openai import models
from bifrost_cli.sandbox.openai.errors import Refusal, invalid
from bifrost_cli.sandbox.shape import listed

_SAMPLING = ("top_p", "presence_penalty", "frequency_penalty")
_UNSUPPORTED = ("logprobs", "top_logprobs", "logit_bias", "stop")


def unsupported(name: str, more: str = "") -> Refusal:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{more}"
    return invalid(message, name, "unsupported_parameter")


def check_effort(model: str, asked: str | None, param: str) -> None:
    """Raises the Refusal for an effort that the model does not have."""
    if asked is None:
        return
    if not models.reasons(model):
        raise unsupported(param)
    if asked not in models.efforts(model):
        message = f"Unsupported value: '{asked}' is not supported with the '{model}' model. Supported values are: "
        raise invalid(f"{message}{listed(models.efforts(model))}.", param, "unsupported_value")


def check_chat(body: Mapping[str, Any], effort: str | None) -> None:
    """Raises the Refusal for what a model does not take in Chat Completions. With the effort `none` a reasoning
    model takes sampling parameters and stop sequences (reported)."""
    model = body["model"]
    if models.reasons(model) and body.get("max_tokens") is not None:
        raise unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    if effort in (None, "none"):
        return
    if body.get("temperature") not in (None, 1):
        message = f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. Only the "
        raise invalid(f"{message}default (1) value is supported.", "temperature", "unsupported_value")
    for name in _SAMPLING:
        if body.get(name) not in (None, 1 if name == "top_p" else 0):
            raise unsupported(name)
    for name in _UNSUPPORTED:
        if body.get(name):
            raise unsupported(name)
    if body.get("tools") and models.generation(model) >= (5, 4):
        raise Refusal(
            f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. To use "
            "function tools, use /v1/responses or set reasoning_effort to 'none'.",
            param="reasoning_effort",
        )


def check_responses(body: Mapping[str, Any], effort: str | None) -> None:
    """Raises the Refusal for what a model does not take in Responses (reported: no code there)."""
    if effort in (None, "none"):
        return
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            raise Refusal(f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
