"""What Anthropic refuses in a Messages request.

First its shape, then the rules that tie fields together, then the rules of its model. Texts are the recorded ones
where there are any, else as users report them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.anthropic import models, params, prompt
from bifrost_cli.sandbox.anthropic.blocks import check_blocks
from bifrost_cli.sandbox.anthropic.conversation import check_messages
from bifrost_cli.sandbox.anthropic.errors import Refusal, fit
from bifrost_cli.sandbox.example import flaw

Params = Mapping[str, Any]

_DOCS = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


@dataclass(frozen=True)
class Context:
    """What a request is checked against: the API version, whether it is in a batch, and which files exist."""

    version: str
    batch: bool
    has_file: Callable[[str], bool]


def check_message(request: Any, context: Context) -> None:
    """Raises the Refusal that a Messages request, alone or in a batch, gets; else returns."""
    _require_object(request)
    if context.batch:
        _check_batchable(request)
    fit(params.MESSAGES[context.version], request)
    if request["max_tokens"] < (1 if context.batch else 0):
        raise Refusal("max_tokens: must be greater than or equal to 1")
    models.require(request["model"])
    _check_prompt(request, context)
    _check_length(request)
    _check_limits(request)
    _check_sampling(request)
    _check_triggers(request)


def check_count(request: Any, context: Context) -> None:
    """Raises the Refusal that a token count gets; else returns."""
    _require_object(request)
    fit(params.COUNT_TOKENS[context.version], request)
    models.require(request["model"])
    _check_prompt(request, context)


def _require_object(request: Any) -> None:
    if not isinstance(request, dict):
        raise Refusal("Input should be a valid dictionary")


def _check_batchable(request: Params) -> None:
    if request.get("stream") is True:
        raise Refusal('"stream=True" is not supported in the Message Batches API')
    if request.get("speed") is not None:
        raise Refusal('"speed" is not supported in the Message Batches API')


def _check_prompt(request: Params, context: Context) -> None:
    check_messages(request, context.version)
    _check_tools(request)
    _check_thinking(request)
    _check_output(request)
    check_blocks(request, context.has_file)


def _check_tools(request: Params) -> None:
    tools, choice = request.get("tools") or [], request.get("tool_choice")
    names = [tool.get("name") for tool in tools if "name" in tool]
    if len(set(names)) < len(names):
        raise Refusal("tools: Tool names must be unique.")
    for position, tool in enumerate(tools):
        if flaw(tool.get("input_schema", {})):
            raise Refusal(
                f"tools.{position}.custom.input_schema: JSON schema is invalid. It must match JSON Schema "
                "draft 2020-12 (https://json-schema.org/draft/2020-12)."
            )
    if choice is None:
        return
    if not tools:
        raise Refusal("tool_choice may only be specified while providing tools")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise Refusal(f"Tool '{choice['name']}' not found in provided tools")
    if choice["type"] in ("any", "tool") and models.thinks_by_itself(request["model"]):
        raise Refusal(f"tool_choice: '{choice['type']}' is not supported for this model")


def _check_thinking(request: Params) -> None:
    thinking = request.get("thinking") or {"type": "disabled"}
    kind, model = thinking["type"], request["model"]
    if kind == "enabled" and models.thinks_adaptively(model):
        raise Refusal(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort"'
        )
    if kind == "disabled" and "thinking" in request and models.thinks_by_itself(model):
        raise Refusal(
            '"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort"'
        )
    if kind == "adaptive" and not models.at_least(model, 4, 6) and models.generation(model):
        raise Refusal("adaptive thinking is not supported on this model")
    choice = request.get("tool_choice") or {}
    if kind in ("enabled", "adaptive") and choice.get("type") in ("any", "tool"):
        raise Refusal("Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "enabled" and "max_tokens" in request and request["max_tokens"] <= thinking["budget_tokens"]:
        raise Refusal(
            f"`max_tokens` must be greater than `thinking.budget_tokens`. {_DOCS}#max-tokens-and-context-window-size"
        )


def _check_output(request: Params) -> None:
    config = request.get("output_config") or {}
    effort = config.get("effort")
    if effort == "xhigh" and models.generation(request["model"]) and not models.at_least(request["model"], 4, 7):
        raise Refusal("This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium.")
    problem = flaw((config.get("format") or {}).get("schema", {}))
    if problem:
        raise Refusal(f"output_config.format.schema: {problem}")


def _check_length(request: Params) -> None:
    size, most = prompt.count(request), models.window(request["model"])
    if size > most:
        raise Refusal(f"prompt is too long: {size} tokens > {most} maximum")


def _check_limits(request: Params) -> None:
    ceiling, wanted = models.ceiling(request["model"]), request["max_tokens"]
    if ceiling and wanted > ceiling:
        raise Refusal(
            f"max_tokens: {wanted} > {ceiling}, which is the maximum allowed number of output tokens for "
            f"{models.snapshot(request['model'])}"
        )


def _check_sampling(request: Params) -> None:
    model, temperature, top_p = request["model"], request.get("temperature"), request.get("top_p")
    thinking = (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if thinking and temperature not in (None, 1):
        raise Refusal(f"`temperature` may only be set to 1 when thinking is enabled. {_DOCS}")
    if models.at_least(model, 4, 7):
        _check_new_sampling(request)
    elif models.at_least(model, 4, 1) and temperature is not None and top_p is not None:
        raise Refusal("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_new_sampling(request: Params) -> None:
    """Models after Opus 4.6 take only what comes to the default (documented)."""
    if request.get("temperature", 1) != 1:
        raise Refusal("`temperature` may only be set to 1 for this model.")
    if request.get("top_p", 1) < 0.99:
        raise Refusal("`top_p` must be greater than or equal to 0.99 for this model.")
    if "top_k" in request:
        raise Refusal("`top_k` is not supported for this model.")


def _check_triggers(request: Params) -> None:
    asked = triggers(prompt.last_text(request["messages"]))
    if Trigger.ERROR in asked:
        raise Refusal("[sandbox] this request is refused, as its prompt asks")
    if Trigger.OVERLOADED in asked:
        raise Refusal("Overloaded", 529, executed=True)
