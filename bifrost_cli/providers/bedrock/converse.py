"""Converse: a request as its body, and an answer's blocks as an Anthropic message.

| field | fate |
| --- | --- |
| `max_tokens`, `temperature`, `top_p`, `stop_sequences` | `inferenceConfig` |
| `top_k` | `additionalModelRequestFields`, under the vendor's name |
| `thinking` | the same, for Nova 2 (`reasoningConfig`) and Anthropic's models; refused for others, unless dropped |
| `output_config` | `outputConfig`: `format` as `textFormat`, `effort` as it is |
| `system`, `messages` | `system`, `messages`; neighbours of one role become one turn |
| images, PDFs, texts by value; search results | `image`, `document`; text |
| `thinking` and `redacted_thinking` blocks | `reasoningContent` |
| `tools`, `tool_choice`, calls and results | `toolConfig`, `toolUse`, `toolResult`; refused in a batch |
| `cache_control`, `metadata`, `diagnostics`, `service_tier`, `speed: standard` | left out: hints |
| sources of type `url` and `file`, citations, everything else | refused |
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.bedrock import model, tools
from bifrost_cli.providers.bedrock.answers import count, digest, member, objects, safe, text
from bifrost_cli.providers.bedrock.blocks import (
    TEXT_OR_BLOCKS,
    Part,
    Scope,
    block_type,
    misplaced,
    part,
    redacted_thinking,
    texts,
    thinking,
)
from bifrost_cli.providers.bedrock.checks import (
    NO_COUNTERPART,
    PROVIDER,
    Drop,
    a_list,
    a_number,
    a_string,
    an_object,
    check_members,
    dumps,
    invalid,
    refuse,
)
from bifrost_cli.providers.checks import plain_text
from bifrost_cli.providers.encoder import Encoder

Body = dict[str, Any]
Handler = Callable[[Body, str, Any, dict[str, Any], "Terms"], None]

HINTS = frozenset({"cache_control", "diagnostics", "metadata"})
"""Fields that ask for nothing here: batch jobs refuse cache points (recorded 2026), and Converse's own metadata is for
the account's invocation logs."""
MESSAGE = frozenset({"role", "content"})
OUTPUT_CONFIG = frozenset({"effort", "format"})
ROLES = ("user", "assistant", "system")
INFERENCE = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}


# -- requests ---------------------------------------------------------------------------------------------------


class Terms(NamedTuple):
    """What a request is translated under: the fields that it may lose, and whether tools have a place."""

    drop: Drop
    tools: bool


def _hint(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """A field that asks for nothing here."""


def _only(*values: object) -> Handler:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
        if value not in values:
            refuse(name, NO_COUNTERPART, terms.drop)

    return check


def _message(message: Part, field: str, scope: Scope) -> tuple[str, list[Part]]:
    check_members(message, MESSAGE, field, scope.drop)
    role, content = a_string(message["role"], f"{field}.role"), message["content"]
    if role not in ROLES:
        invalid(f"{field}.role", f"one of {', '.join(ROLES)}", role)
    if isinstance(content, str):
        return role, [{"text": content}]
    made: list[Part] = []
    for index, block in enumerate(a_list(content, f"{field}.content", TEXT_OR_BLOCKS)):
        if (said := plain_text(block)) is not None:
            made.append({"text": said})
        else:
            made += _block(role, block, f"{field}.content.{index}", scope)
    return role, made


def _block(role: str, block: Any, field: str, scope: Scope) -> list[Part]:
    name = block_type(block, field)
    if make := OF_ROLE[role].get(name):
        return make(block, field, scope)
    if role != "user" and name != "text":
        misplaced(field, name)
    return part(block, field, scope)


OF_ROLE: dict[str, dict[str, Callable[[Part, str, Scope], list[Part]]]] = {
    "user": {"tool_result": tools.result},
    "assistant": {"tool_use": tools.call, "thinking": thinking, "redacted_thinking": redacted_thinking},
    "system": {},
}


def _system(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if value not in ("", []):
        body[name] = [{"text": said} for said in texts(value, name, terms.drop)]


def _inference(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    body.setdefault("inferenceConfig", {})[INFERENCE[name]] = a_number(value, name)


def _stop_sequences(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if not isinstance(value, list) or not all(isinstance(stop, str) for stop in value):
        invalid(name, "a list of strings", value)
    if value:
        body.setdefault("inferenceConfig", {})["stopSequences"] = value


def _top_k(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    _add(body, model.top_k(params["model"], a_number(value, name)))


def _thinking(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    _add(body, model.thinking(params, terms.drop))


def _add(body: Body, fields: Body) -> None:
    if fields:
        body.setdefault("additionalModelRequestFields", {}).update(fields)


def _output_config(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    check_members(an_object(value, name), OUTPUT_CONFIG, name, terms.drop)
    made: Body = {}
    if value.get("format") is not None:
        made["textFormat"] = _format(value["format"], terms.drop)
    asked = model.effort(params)
    if asked and not model.effort_goes_with_thinking(params):
        made["effort"] = asked
    if made:
        body["outputConfig"] = made


def _format(value: Any, drop: Drop) -> Body:
    """A JSON schema, which Converse takes as text."""
    field = "output_config.format"
    check_members(an_object(value, field), frozenset({"type", "schema"}), field, drop)
    if value.get("type") != "json_schema":
        invalid(f"{field}.type", "json_schema", value.get("type"))
    schema = dumps(an_object(value.get("schema"), f"{field}.schema"), f"{field}.schema").decode()
    return {"type": "json_schema", "structure": {"jsonSchema": {"name": "output", "schema": schema}}}


def _tools(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if value == []:
        return
    if not terms.tools:
        tools.refuse_in_batch(name)
    body.setdefault("toolConfig", {})["tools"] = tools.specs(value, terms.drop)


def _tool_choice(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if chosen := tools.choice(value, params, terms.drop):
        body.setdefault("toolConfig", {})["toolChoice"] = chosen


FIELDS: dict[str, Handler] = {
    **dict.fromkeys(HINTS, _hint),
    **dict.fromkeys(INFERENCE, _inference),
    "model": _hint,
    "stream": _only(False),
    # No call here is of the priority tier, which is all that these two values differ in.
    "service_tier": _only("auto", "standard_only"),
    "speed": _only("standard"),
    "system": _system,
    "stop_sequences": _stop_sequences,
    "top_k": _top_k,
    "thinking": _thinking,
    "output_config": _output_config,
    "tools": _tools,
    "tool_choice": _tool_choice,
}


class Converse(Encoder[Terms]):
    """Requests of Converse, whose body is also a job's `modelInput`. A `batch` has no place for tools."""

    provider = PROVIDER
    endpoint = model.CONVERSE
    place = "messages"
    handlers = FIELDS

    def __init__(self, params: dict[str, Any], drop: Drop, *, batch: bool) -> None:
        super().__init__(params, Terms(drop, tools=not batch))

    def otherwise(self, body: Body, name: str, value: Any) -> None:
        refuse(name, NO_COUNTERPART, self.terms.drop)

    def translate(self, messages: list[Any]) -> tuple["Converse", list[Part]]:
        """Turns; neighbours of one role become one, since Converse wants the roles to alternate."""
        turns: list[Part] = []
        scope = None
        for index, message in enumerate(messages):
            role, content = message["role"], message["content"]
            if type(content) is str and len(message) == 2 and role in ("user", "assistant"):
                content = [{"text": content}]
            else:
                scope = scope or Scope(*self.terms)
                role, content = _message(message, f"messages.{index}", scope)
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"] += content
            else:
                turns.append({"role": role, "content": content})
        return self, turns

    @staticmethod
    def frame(record_id: Any, body: Any) -> Body:
        return {"recordId": record_id, "modelInput": body}


# -- answers ----------------------------------------------------------------------------------------------------

STOP_REASONS = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
MALFORMED = ("malformed_model_output", "malformed_tool_use")
"""Stop reasons of an answer that is none."""
WRITTEN, READ = "cacheWriteInputTokens", "cacheReadInputTokens"
"""Counts that models without a cache leave out."""


def decode(answer: dict[str, Any], request: Any, name: str, id: str, tier: str) -> dict[str, Any]:
    """Anthropic's message from a Converse answer, which has no id or model of its own.

    `request` is the body that was sent: where it had one stop sequence, that is the one that was met. `id` is what the
    message's id is made of; `tier` as in `invoke.decode`. Blocks that a message has no form for (image, video, …) make
    the whole answer stay beside it, as the member `body`. Raises BifrostError where the answer cannot be read.
    """
    reason = stop_reason(answer.get("stopReason"))
    content, foreign = _content(answer)
    message = {
        "id": message_id(id),
        "type": "message",
        "role": "assistant",
        "model": model.short(name),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": _stop_met(request) if reason == "stop_sequence" else None,
        "stop_details": {"type": "refusal", "category": None, "explanation": None} if reason == "refusal" else None,
        "usage": _usage(answer.get("usage"), tier),
    }
    return {**message, "body": answer} if foreign else message


def message_id(id: str) -> str:
    """A message's id, made of what stands for one (`id` in `decode`)."""
    return f"msg_{digest(id)}"


def stop_reason(given: Any) -> str:
    """Anthropic's name for why an answer stopped. Raises BifrostError for a reason that makes it none."""
    reason = text(given)
    if reason in STOP_REASONS:
        return STOP_REASONS[reason]
    if reason in MALFORMED:
        raise BifrostError(f"The model's answer cannot be read ({reason}).", provider=PROVIDER)
    return "end_turn"


def _content(answer: Body) -> tuple[list[Part], bool]:
    """The blocks that a message has a form for, and whether there were others."""
    content: list[Part] = []
    foreign = False
    for block in objects(member(answer, "output", "message", "content")):
        made = _decode_block(block)
        if made:
            content.append(made)
        elif made is not None:
            foreign = True
    return content, foreign


def _decode_block(block: Part) -> Part | None:
    """One block; None for an empty one, {} for one of another kind. Batch answers hold all kinds, all but one null."""
    for kind, value in block.items():
        if value is not None:
            return ANSWERED[kind](value) if kind in ANSWERED else {}
    return None


def _said(value: Any) -> Part | None:
    return {"type": "text", "text": value} if value and isinstance(value, str) else None


def _called(value: Any) -> Part:
    given = member(value, "input")
    return {
        "type": "tool_use",
        "id": safe(text(member(value, "toolUseId"))),
        "name": text(member(value, "name")),
        "input": given if isinstance(given, dict) else {},
    }


def _thought(value: Any) -> Part:
    if redacted := member(value, "redactedContent"):
        return {"type": "redacted_thinking", "data": text(redacted)}
    said = member(value, "reasoningText")
    return {"type": "thinking", "thinking": text(member(said, "text")), "signature": text(member(said, "signature"))}


def _cited(value: Any) -> Part | None:
    return _said("".join(text(said.get("text")) for said in objects(member(value, "content"))))


ANSWERED: dict[str, Callable[[Any], Part | None]] = {
    "text": _said,
    "toolUse": _called,
    "reasoningContent": _thought,
    "citationsContent": _cited,
}


def _stop_met(request: Any) -> str | None:
    stops = member(request, "inferenceConfig", "stopSequences")
    return stops[0] if isinstance(stops, list) and len(stops) == 1 else None


def _usage(given: Any, tier: str) -> Body:
    """Both count cached input apart (recorded 2025–2026: input + cached + output = total)."""
    given = given if isinstance(given, dict) else {}
    return {
        "input_tokens": count(given.get("inputTokens")),
        "cache_creation_input_tokens": count(given[WRITTEN]) if WRITTEN in given else 0,
        "cache_read_input_tokens": count(given[READ]) if READ in given else 0,
        "output_tokens": count(given.get("outputTokens")),
        "service_tier": tier,
    }
