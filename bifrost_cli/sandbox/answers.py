"""What the emulated models say: always the same for the same prompt, and plainly the sandbox's.

What the user said last may hold trigger words. They work alike at every provider, sent alone or in a batch:

| word                 | effect                                                                                      |
| -------------------- | ------------------------------------------------------------------------------------------- |
| `sandbox:error`      | the request is refused as invalid (a 400, or an errored row)                                |
| `sandbox:overloaded` | the request fails for a passing reason (529 or 503, or an errored row)                      |
| `sandbox:refuse`     | the model declines to answer                                                                |
| `sandbox:tool`       | the model calls the first tool that it was given, if any                                    |
| `sandbox:max_tokens` | the answer is cut off by the token limit                                                    |
| `sandbox:file`       | at Anthropic, alone, with a code execution tool: the model makes a file to download         |
| `sandbox:expire`     | in a batch: the request is not reached before the batch expires                             |
| `sandbox:lose`       | in a batch: the line of its result is missing                                               |
| `sandbox:repeat`     | in a batch: the line of its result comes twice                                              |
| `sandbox:swap`       | in a batch: its result comes under an id that nobody sent                                   |

The last three are looked for in the whole request. A model whose name begins with `no-such` does not exist; any other
does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from bifrost_cli.sandbox.example import example

SIGN = "[sandbox]"
UNKNOWN_MODEL = "no-such"
_EXCERPT = 72


class Trigger(StrEnum):
    """A word in a prompt that makes something happen; see the table above."""

    ERROR = "sandbox:error"
    OVERLOADED = "sandbox:overloaded"
    REFUSE = "sandbox:refuse"
    TOOL = "sandbox:tool"
    MAX_TOKENS = "sandbox:max_tokens"
    FILE = "sandbox:file"
    EXPIRE = "sandbox:expire"
    LOSE = "sandbox:lose"
    REPEAT = "sandbox:repeat"
    SWAP = "sandbox:swap"


class Finish(StrEnum):
    """Why a model stopped. Each provider words these in its own way."""

    END = "end"
    TOOL = "tool"
    LENGTH = "length"
    STOP = "stop"
    REFUSAL = "refusal"


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `schema` is the JSON Schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Prompt:
    """What any provider's request comes to.

    `text` is the last thing that the user said; `tokens` is the size of all that was sent. `forced` is the name of
    the tool that must be called, "" for any of them, None for none in particular. `schema` is the JSON Schema of
    a structured answer. `limit` is the most output tokens, and `thinking` says whether the model thinks first.
    """

    text: str
    tokens: int
    tools: tuple[Tool, ...] = ()
    forced: str | None = None
    schema: Mapping[str, Any] | None = None
    limit: int | None = None
    stops: tuple[str, ...] = ()
    thinking: bool = False


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, with arguments that satisfy its schema, and the JSON that the model wrote for them. Where
    the token limit cut that off, it is no JSON any more and `arguments` are empty."""

    name: str
    arguments: Mapping[str, Any]
    text: str


@dataclass(frozen=True)
class Answer:
    """What the model says: `text`, or `call`, or for a refusal the reason as `text`. `stop` is the sequence that
    ended it. Token counts are plausible, no more; `output_tokens` include `thinking_tokens`."""

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    call: ToolCall | None = None
    stop: str | None = None
    thinking: str = ""
    thinking_tokens: int = 0


def triggers(text: str) -> frozenset[Trigger]:
    """The trigger words in a text."""
    if "sandbox:" not in text:
        return frozenset()
    return frozenset(trigger for trigger in Trigger if re.search(rf"{trigger}\b", text))


def triggers_in(request: bytes) -> frozenset[Trigger]:
    """The trigger words anywhere in the text of a request."""
    return triggers(request.decode("utf-8", "replace")) if b"sandbox:" in request else frozenset()


def tokens(text: str) -> int:
    """About how many tokens a text has: four for three words, and no fewer than one for six characters."""
    return max(len(text.split()) * 4 // 3, (len(text) + 5) // 6)


def answer(prompt: Prompt) -> Answer:
    """What the model says to a prompt."""
    asked = triggers(prompt.text)
    thinking = f"{SIGN} thinking about: {_excerpt(prompt.text)}" if prompt.thinking else ""
    text, finish, call = _content(prompt, asked)
    text, stop = _stopped(text, prompt.stops) if finish is Finish.END else (text, None)
    said = max(1, tokens(text if call is None else call.text))
    spent = tokens(thinking)
    if Trigger.MAX_TOKENS in asked:
        limit = spent + max(1, said // 2)
    elif prompt.limit is not None and spent + said > prompt.limit:
        limit = prompt.limit
    else:
        finish = Finish.STOP if stop is not None else finish
        return Answer(text, finish, prompt.tokens, spent + said, call, stop, thinking, spent)
    return _cut(Answer(text, Finish.LENGTH, prompt.tokens, spent + said, call, None, thinking, spent), limit)


def _content(prompt: Prompt, asked: frozenset[Trigger]) -> tuple[str, Finish, ToolCall | None]:
    if Trigger.REFUSE in asked:
        return f"{SIGN} declined, as the prompt asks", Finish.REFUSAL, None
    tool = _called(prompt, asked)
    if tool is not None:
        return "", Finish.TOOL, _call(tool)
    if prompt.schema is not None:
        return orjson.dumps(example(prompt.schema, SIGN)).decode(), Finish.END, None
    return f"{SIGN} answer to: {_excerpt(prompt.text)}", Finish.END, None


def _called(prompt: Prompt, asked: frozenset[Trigger]) -> Tool | None:
    if not prompt.tools or (prompt.forced is None and Trigger.TOOL not in asked):
        return None
    named = (tool for tool in prompt.tools if tool.name == prompt.forced)
    return next(named, prompt.tools[0])


def _call(tool: Tool) -> ToolCall:
    value = example({"type": "object", **tool.schema}, SIGN)
    arguments = value if isinstance(value, dict) else {}
    return ToolCall(tool.name, arguments, orjson.dumps(arguments).decode())


def _stopped(text: str, stops: Iterable[str]) -> tuple[str, str | None]:
    """The text up to the first stop sequence in it, and which that was."""
    found = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return text, None
    position, stop = min(found)
    return text[:position], stop


def _cut(whole: Answer, limit: int) -> Answer:
    """As much of an answer as `limit` tokens hold; thinking is paid first."""
    thinking_tokens = min(whole.thinking_tokens, limit)
    room, said = limit - thinking_tokens, whole.output_tokens - whole.thinking_tokens
    call = None
    if whole.call is not None and room:
        call = ToolCall(whole.call.name, {}, whole.call.text[: len(whole.call.text) * room // said])
    text = whole.text[: len(whole.text) * room // said]
    return replace(whole, text=text, call=call, output_tokens=limit, thinking_tokens=thinking_tokens)


def _excerpt(text: str) -> str:
    words = " ".join(text[: 4 * _EXCERPT].split())
    return words if len(words) <= _EXCERPT else words[: _EXCERPT - 1].rstrip() + "…"
