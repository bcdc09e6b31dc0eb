"""The records of batch jobs: what is refused of one that the runtime would take, and how each is answered."""

from collections.abc import Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.bedrock.converse_answer import with_nulls
from bifrost_cli.sandbox.bedrock.errors import Refusal
from bifrost_cli.sandbox.bedrock.kinds import CONVERSE, INVOKE
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, SUCCEEDED

Body = Mapping[str, Any]

KINDS = {"InvokeModel": INVOKE, "Converse": CONVERSE}
"""What a job's records hold, by its `modelInvocationType`."""

_FORBIDDEN = ("model", "modelId", "stream")
_NO_CACHE = "You invoked an unsupported model or your request did not allow prompt caching."


def check(body: Any, kind: str, model: str) -> None:
    """Raises the Refusal that a record gets; else returns."""
    if isinstance(body, dict):
        for name in _FORBIDDEN:
            if name in body:
                raise Refusal(f"{name}: Extra inputs are not permitted")
    if kind == "Converse" and isinstance(body, dict):
        _check_converse(body)
    KINDS[kind].check(body, model)


def _check_converse(body: Body) -> None:
    """Neither tools (documented) nor the cache (recorded) can be had."""
    if body.get("toolConfig") is not None:
        raise Refusal("[sandbox] toolConfig is not supported in batch inference with Converse")
    if any("cachePoint" in block for block in _blocks(body)):
        raise Refusal(_NO_CACHE, "AccessDeniedException")


def _blocks(body: Body) -> Iterator[Body]:
    contents = [body.get("system"), *(item.get("content") for item in _objects(body.get("messages")))]
    for content in contents:
        yield from _objects(content)


def _objects(value: Any) -> list[Body]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def outcome(body: Any, kind: str, model: str) -> bytes:
    """How a record will end once it is reached."""
    try:
        check(body, kind, model)
    except Refusal:
        return ERRORED
    asked = triggers(KINDS[kind].last_text(body))
    return EXPIRED if Trigger.EXPIRE in asked else SUCCEEDED


def reply(body: Body, kind: str, model: str, seed: str) -> tuple[dict[str, Any], tuple[int, int]]:
    """The answer to a record that has been checked, and its input and output tokens."""
    whole = KINDS[kind].reply(body, model, seed)
    return with_nulls(whole) if kind == "Converse" else whole, KINDS[kind].usage(whole)


def error(body: Any, kind: str, model: str) -> dict[str, Any]:
    """What stands in place of the answer to a record that is refused (recorded; the last two are not documented)."""
    try:
        check(body, kind, model)
        refusal = Refusal("The system encountered an unexpected error", "InternalServerException")
    except Refusal as caught:
        refusal = caught
    return {
        "errorCode": refusal.status,
        "errorMessage": refusal.message,
        "expired": False,
        "retryable": refusal.retryable,
    }
