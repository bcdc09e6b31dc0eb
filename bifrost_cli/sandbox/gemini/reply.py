"""The answer of a model: a GenerateContentResponse, its members in the recorded order."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Answer, Finish, answer
from bifrost_cli.sandbox.gemini import models, prompt
from bifrost_cli.sandbox.gemini.conversation import signature
from bifrost_cli.sandbox.ids import MARK, derived

Request = Mapping[str, Any]
TIER, FILE_TIER = "standard", "SERVICE_TIER_STANDARD"
"""How the tier is named: the second in the result file of a batch (recorded 2026-07)."""

_REASONS = {
    Finish.END: "STOP",
    Finish.TOOL: "STOP",
    Finish.STOP: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.REFUSAL: "SAFETY",
}
_CALLED = "Model generated function call(s)."
_HARMS = (
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
)


def reply(request: Request, model: str, seed: str, *, tier: str = TIER) -> dict[str, Any]:
    """The response to a request that has been checked: the same each time for the same `seed`."""
    counts = prompt.count(request)
    said = answer(prompt.read(request, model, sum(counts.values())))
    return {
        **_said(request, said, model, seed),
        "usageMetadata": usage(counts, prompt.cached(request, model), said, tier),
        "modelVersion": model,
        "responseId": f"{MARK}{derived(seed, 19)}",
    }


def _said(request: Request, said: Answer, model: str, seed: str) -> dict[str, Any]:
    """A prompt that is declined has no candidates (documented); with settings of its own for safety it has one, whose
    content is empty (recorded 2025-06)."""
    if said.finish is Finish.REFUSAL and not request.get("safety_settings"):
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    return {"candidates": [_candidate(request, said, model, seed)]}


def _candidate(request: Request, said: Answer, model: str, seed: str) -> dict[str, Any]:
    reason = _REASONS[said.finish]
    if said.finish is Finish.REFUSAL:
        return {"content": {}, "finishReason": reason, "safetyRatings": _ratings()}
    thoughts = request.get("generation_config", {}).get("thinking_config", {}).get("include_thoughts", False)
    parts = _parts(said, model, seed, thoughts)
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    finish = {"content": content, "finishReason": reason, "index": 0}
    return {**finish, "finishMessage": _CALLED} if said.call is not None else finish


def _parts(said: Answer, model: str, seed: str, thoughts: bool) -> list[dict[str, Any]]:
    """What was said; an answer that spent its limit on thinking has no parts (recorded 2026-08)."""
    parts: list[dict[str, Any]] = []
    if thoughts and said.thinking:
        parts.append({"text": said.thinking, "thought": True})
    signed = {"thoughtSignature": signature(seed)} if said.thinking else {}
    if said.call is not None:
        call = {"name": said.call.name, "args": dict(said.call.arguments)}
        named = {"id": f"{MARK}{derived(seed, 5)}"} if models.names_calls(model) else {}
        parts.append({"functionCall": {**call, **named}, **signed})
    elif said.text:
        parts.append({"text": said.text, **(signed if models.signs(model) else {})})
    return parts


def _ratings() -> list[dict[str, Any]]:
    """The first category is the one that blocked (recorded 2025-06)."""
    blocked = {"category": _HARMS[0], "probability": "HIGH", "blocked": True}
    return [blocked, *({"category": harm, "probability": "NEGLIGIBLE"} for harm in _HARMS[1:])]


def usage(prompt_tokens: Mapping[str, int], cached: int, said: Answer, tier: str) -> dict[str, Any]:
    """Thoughts are counted apart from the candidates, what was cached is part of the prompt, and the total is the sum
    of prompt, candidates and thoughts (recorded 2026-08). Counts of zero are left out."""
    refused = said.finish is Finish.REFUSAL
    thoughts = 0 if refused else said.thinking_tokens
    candidates = 0 if refused else said.output_tokens - said.thinking_tokens
    total = sum(prompt_tokens.values())
    return {
        "promptTokenCount": total,
        **({"candidatesTokenCount": candidates} if candidates else {}),
        "totalTokenCount": total + candidates + thoughts,
        **({"cachedContentTokenCount": cached} if cached else {}),
        "promptTokensDetails": details(prompt_tokens),
        **({"cacheTokensDetails": details({"TEXT": cached})} if cached else {}),
        **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        "serviceTier": tier,
    }


def details(prompt_tokens: Mapping[str, int]) -> list[dict[str, Any]]:
    """Tokens by modality."""
    return [{"modality": name, "tokenCount": count} for name, count in prompt_tokens.items() if count]
