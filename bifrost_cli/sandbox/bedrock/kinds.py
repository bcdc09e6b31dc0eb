"""The two kinds of request that the runtime and batch jobs take: a model's own body, and Converse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bifrost_cli.sandbox.bedrock import converse_answer, models, native_answer
from bifrost_cli.sandbox.bedrock.converse_check import check_converse
from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.native_check import check_body
from bifrost_cli.sandbox.bedrock.prompts import converse_text, native_text

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of request. `check` raises the Refusal that a body gets from a model; `reply` answers one that has been
    checked; `last_text` is what its user said last; `usage` are the input and output tokens of a reply."""

    check: Callable[[Any, str], None]
    reply: Callable[[Body, str, str], dict[str, Any]]
    last_text: Callable[[Body], str]
    usage: Callable[[Body], tuple[int, int]]


def _check_native(body: Any, model: str) -> None:
    if not models.speaks_anthropic(model):
        raise Refusal("[sandbox] the sandbox knows the bodies of Anthropic's models only; use Converse for others")
    check_body(body, model)


def _native_usage(reply: Body) -> tuple[int, int]:
    return reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]


def _converse_usage(reply: Body) -> tuple[int, int]:
    return reply["usage"]["inputTokens"], reply["usage"]["outputTokens"]


INVOKE = Kind(_check_native, native_answer.reply, lambda body: native_text(body["messages"]), _native_usage)
CONVERSE = Kind(check_converse, converse_answer.reply, lambda body: converse_text(body["messages"]), _converse_usage)
