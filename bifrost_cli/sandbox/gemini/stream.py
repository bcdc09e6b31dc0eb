"""A response as a stream: thoughts first, text in pieces, why it ended in the last frame, usage in every one
(recorded 2026-08)."""

from collections.abc import Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.gemini import models

Part = dict[str, Any]
_PIECE = 24
_GROWING = ("candidatesTokenCount", "thoughtsTokenCount")


def responses(whole: Mapping[str, Any], *, after_call: bool = False) -> Iterator[dict[str, Any]]:
    """The responses that a stream consists of; together they say what the whole one says. `after_call`: it answers
    the result of a function; models from 3 on then count the whole prompt in the last one only (recorded 2025-12)."""
    if "candidates" not in whole:
        yield dict(whole)
        return
    candidate, usage = whole["candidates"][0], whole["usageMetadata"]
    signing = models.signs(whole["modelVersion"])
    parts = list(_pieces(candidate["content"].get("parts", []), signing))
    shown = _halved(usage) if after_call and signing else usage
    done = 0
    for part in parts[:-1]:
        done += len(part.get("text", ""))
        piece = {"content": {"parts": [part], "role": "model"}, "index": 0}
        yield {**whole, "candidates": [piece], "usageMetadata": _so_far(shown, done, part)}
    yield {**whole, "candidates": [_ending(candidate, parts)]}


def _ending(candidate: Mapping[str, Any], parts: list[Part]) -> dict[str, Any]:
    content = {**candidate["content"], "parts": parts[-1:]} if parts else candidate["content"]
    ending = {**candidate, "content": content}
    if len(parts) > 1:
        ending.pop("finishMessage", None)
    return ending


def _pieces(parts: list[Part], signing: bool) -> Iterator[Part]:
    """Text in pieces. From 3 on, a last part without text follows the rest: it has the signature of a text, and after
    a call nothing (recorded 2025-12, 2026-08)."""
    for part in parts:
        if "text" not in part:
            yield part
            if signing:
                yield {"text": ""}
            continue
        kept = {name: value for name, value in part.items() if name != "thoughtSignature"}
        text = part["text"]
        for start in range(0, len(text), _PIECE):
            yield {**kept, "text": text[start : start + _PIECE]}
        if "thoughtSignature" in part:
            yield {"text": "", "thoughtSignature": part["thoughtSignature"]}


def _halved(usage: Mapping[str, Any]) -> dict[str, Any]:
    size = max(1, usage["promptTokenCount"] // 2)
    return {**usage, "promptTokenCount": size, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": size}]}


def _so_far(usage: Mapping[str, Any], done: int, part: Part) -> dict[str, Any]:
    """The usage when so much text has been said. While the model thinks, neither its thoughts nor an answer are
    counted (recorded 2026-08)."""
    thinking, most = "thought" in part, usage.get("candidatesTokenCount", 0)
    said = 0 if thinking else most if "functionCall" in part else min(most, max(1, done // 6))
    thoughts = 0 if thinking else usage.get("thoughtsTokenCount", 0)
    counts = {"candidatesTokenCount": said, "thoughtsTokenCount": thoughts}
    total = usage["promptTokenCount"] + said + thoughts
    shown = {**usage, **counts, "totalTokenCount": total}
    return {name: shown[name] for name in usage if name not in _GROWING or counts[name]}
