"""Google's words for JSON that does not fit its messages."""

import json
from collections.abc import Sequence
from typing import Any

from bifrost_cli.sandbox.gemini.errors import Refusal
from bifrost_cli.sandbox.gemini.proto import Message, Misfit, read

_HEAD = "Invalid JSON payload received. "
_REASONS = {
    "unknown": "Cannot find field.",
    "list": "Proto field is not repeating, cannot start list.",
    "object": "Starting an object on a scalar field.",
}


def fit(message: Message, value: Any, path: str = "") -> dict[str, Any]:
    """The message in a JSON value. Raises the Refusal that names everything that does not fit."""
    result, misfits = read(message, value, path=path)
    if misfits:
        raise refusal(misfits)
    return result


def refusal(misfits: Sequence[Misfit]) -> Refusal:
    """All violations in one message, a line each, and again as details (reported)."""
    described = [(misfit.path, _describe(misfit)) for misfit in misfits]
    violations = [{**({"field": path} if path else {}), "description": text} for path, text in described]
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}
    return Refusal("\n".join(text for _, text in described), details=[detail])


def _describe(misfit: Misfit) -> str:
    if misfit.kind in _REASONS:
        place = f" at '{misfit.path}'" if misfit.path else ""
        return f'{_HEAD}Unknown name "{misfit.name}"{place}: {_REASONS[misfit.kind]}'
    if misfit.kind == "oneof":
        return (
            f"Invalid value at '{misfit.path}' (oneof), oneof field 'data' is already set. Cannot set '{misfit.name}'"
        )
    if misfit.kind == "base64":
        return f"Invalid value at '{misfit.path}' (TYPE_BYTES), Base64 decoding failed for {_shown(misfit.value)}"
    return f"Invalid value at '{misfit.path}' ({misfit.type}), {_shown(misfit.value)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
