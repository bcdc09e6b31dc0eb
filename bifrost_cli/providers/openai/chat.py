"""`/v1/chat/completions`: a request as chat messages, and an answer's first choice as content blocks."""

from collections.abc import Callable
from typing import Any

from bifrost_cli.providers.checks import plain_text
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.providers.openai import answers, fields, reasoning, tools
from bifrost_cli.providers.openai.blocks import (
    TEXT_OR_BLOCKS,
    Form,
    block_type,
    check_thinking,
    part,
    parts,
    text,
    texts,
)
from bifrost_cli.providers.openai.checks import (
    CHECKS,
    NO_COUNTERPART,
    PROVIDER,
    Drop,
    a_flag,
    a_list,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
    unsupported,
)
from bifrost_cli.providers.tools import TOOL_RESULT, check_call

Message = dict[str, Any]

ENDPOINT = "/v1/chat/completions"
LONGEST_NAME = 64
MOST_STOPS = 4
HIGHEST_EFFORT = "xhigh"
"""Here `max` is refused, by models too that have it on the Responses endpoint (reported 2026-08)."""
MESSAGE = frozenset({"role", "content"})

FORM: Form = {
    "text": lambda value: {"type": "text", "text": value},
    "image": lambda url: {"type": "image_url", "image_url": {"url": url}},
    "file_data": lambda name, url: {"type": "file", "file": {"filename": name, "file_data": url}},
    "file_id": lambda id: {"type": "file", "file": {"file_id": id}},
}
TEXT_FORM: Form = {"text": FORM["text"]}


# -- requests ---------------------------------------------------------------------------------------------------


def _system_prompt(params: dict[str, Any], drop: Drop) -> list[Message]:
    """OpenAI reads `system` as `developer` where a model wants that; other servers know `system` only."""
    joined = fields.system_text(params.get("system"), drop)
    return [{"role": "system", "content": joined}] if joined else []


def _system_field(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """Becomes the first of the messages."""


def _message(message: Message, field: str, drop: Drop, messages: list[Message]) -> None:
    check_members(message, MESSAGE, field, drop)
    role = a_string(message["role"], f"{field}.role")
    if role not in ROLES:
        invalid(f"{field}.role", f"one of {', '.join(ROLES)}", role)
    content = message["content"]
    if type(content) is str:
        messages.append({"role": role, "content": content})
    else:
        ROLES[role](a_list(content, f"{field}.content", TEXT_OR_BLOCKS), f"{field}.content", drop, messages)


def _user(blocks: list[Any], field: str, drop: Drop, messages: list[Message]) -> None:
    """Tool results come first, since they must follow their calls directly."""
    made: list[Message] = []
    for index, block in enumerate(blocks):
        if (value := plain_text(block)) is not None:
            made.append({"type": "text", "text": value})
            continue
        where = f"{field}.{index}"
        if block_type(block, where) == "tool_result":
            messages.append(_tool_result(block, where, drop))
        else:
            made += part(block, where, FORM, drop)
    if made:
        messages.append({"role": "user", "content": made})


def _assistant(blocks: list[Any], field: str, drop: Drop, messages: list[Message]) -> None:
    """Thinking has no place in a chat's history and is left out."""
    said: list[Message] = []
    calls: list[Message] = []
    for index, block in enumerate(blocks):
        where = f"{field}.{index}"
        name = block_type(block, where)
        if name == "tool_use":
            calls.append(_tool_use(block, where, drop))
        elif name in ("thinking", "redacted_thinking"):
            check_thinking(block, where, drop)
        else:
            said.append(FORM["text"](text(block, where, drop)))
    if said or calls:
        made: Message = {"role": "assistant", "content": _merged(said) if said else None}
        messages.append({**made, "tool_calls": calls} if calls else made)


def _system(blocks: list[Any], field: str, drop: Drop, messages: list[Message]) -> None:
    messages.append({"role": "system", "content": "\n\n".join(texts(blocks, field, drop))})


ROLES: dict[str, Callable[[list[Any], str, Drop, list[Message]], None]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}


def _merged(said: list[Message]) -> str | list[Message]:
    """One text as a string, which every server knows; several as parts."""
    return said if len(said) != 1 else str(said[0]["text"])


def _tool_use(block: Message, field: str, drop: Drop) -> Message:
    check_call(CHECKS, block, field, drop)
    name = tools.tool_name(block.get("name"), f"{field}.name", LONGEST_NAME)
    function = {"name": name, "arguments": tools.arguments(block, field)}
    return {"id": tools.call_id(block.get("id"), f"{field}.id"), "type": "function", "function": function}


def _tool_result(block: Message, field: str, drop: Drop) -> Message:
    check_members(block, TOOL_RESULT, field, drop)
    call = tools.call_id(block.get("tool_use_id"), f"{field}.tool_use_id")
    output = _output(block.get("content"), f"{field}.content", drop)
    if a_flag(block.get("is_error"), f"{field}.is_error"):
        output = tools.failed(output)
    return {"role": "tool", "tool_call_id": call, "content": output}


def _output(content: Any, field: str, drop: Drop) -> str:
    """Text only: the endpoint takes nothing else from a tool."""
    if content in (None, "", []) or isinstance(content, str):
        return content or ""
    return "\n\n".join(item["text"] for item in parts(a_list(content, field, TEXT_OR_BLOCKS), field, TEXT_FORM, drop))


def _max_tokens(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    body["max_completion_tokens"] = value


def _reasoning(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """`thinking` and `output_config.effort`. What the model thinks is not shown here, whatever `display` says."""
    if wanted := reasoning.effort(params, drop):
        body["reasoning_effort"] = HIGHEST_EFFORT if wanted == "max" else wanted


def _output_config(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    check_members(an_object(value, name), fields.OUTPUT_CONFIG, name, drop)
    if value.get("format") is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": fields.output_format(value["format"], drop)}
    if value.get("effort") is not None and params.get("thinking") is None:
        _reasoning(body, name, value, params, drop)


def _tools(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if made := tools.functions(value, LONGEST_NAME, drop):
        body["tools"] = [{"type": "function", "function": tool} for tool in made]


def _tool_choice(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if chosen := tools.tool_choice(body, value, params, drop):
        named = tools.tool_name(chosen.get("name"), "tool_choice.name", LONGEST_NAME)
        body["tool_choice"] = {"type": "function", "function": {"name": named}}


def _stop_sequences(body: Message, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    stops = fields.stops(value)
    if stops and reasoning.traits(params["model"]).reasons:
        refuse(name, f"{params['model']} takes no stop sequences", drop)
        return
    if len(stops) > MOST_STOPS:
        refuse(name, f"OpenAI takes at most {MOST_STOPS}, these are {len(stops)}", drop, "Shorten the list")
    if stops:
        body["stop"] = stops[:MOST_STOPS]


FIELDS: dict[str, fields.Handler] = {
    **fields.SHARED,
    "system": _system_field,
    "max_tokens": _max_tokens,
    "thinking": _reasoning,
    "output_config": _output_config,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "stop_sequences": _stop_sequences,
}


class Chat(Encoder[Drop]):
    """Requests of `POST /v1/chat/completions`."""

    provider = PROVIDER
    endpoint = ENDPOINT
    place = "messages"
    handlers = FIELDS

    def __init__(self, params: dict[str, Any], terms: Drop) -> None:
        super().__init__(params, terms)
        self._first = _system_prompt(params, terms)

    def otherwise(self, body: Message, name: str, value: Any) -> None:
        refuse(name, NO_COUNTERPART, self.terms)

    def translate(self, messages: list[Any]) -> tuple[Encoder[Drop], list[Message]]:
        made = [*self._first]
        for index, message in enumerate(messages):
            content = message["content"]
            if type(content) is str and len(message) == 2 and message["role"] in ("user", "assistant", "system"):
                made.append(message)
            else:
                _message(message, f"messages.{index}", self.terms, made)
        if messages[-1]["role"] == "assistant":
            unsupported(f"messages.{len(messages) - 1}", fields.PREFILL, fields.END_WITH_USER)
        return self, made

    @staticmethod
    def frame(custom_id: Any, body: Any) -> Message:
        return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}


# -- answers ----------------------------------------------------------------------------------------------------

USAGE = answers.UsageNames("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
FINISHED = {"length": "max_tokens", "content_filter": "refusal"}
UNTRANSLATED = frozenset({"audio", "images"})


def decode(body: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's message from an answer's first choice.

    Further choices, and sounds or images in it, make the whole answer stay beside the message, as the member `body`.
    """
    choices = answers.objects(body.get("choices"))
    choice: dict[str, Any] = choices[0] if choices else {}
    said = choice.get("message")
    said = said if isinstance(said, dict) else {"content": choice.get("text")}
    content = [*_thought(said), *_said(said), *_called(said)]
    stop_reason, stop_sequence = _stop(choice, said, content)
    refusal = answers.text(said.get("refusal")) or None
    message = answers.message(body, content, stop_reason, USAGE, stop_sequence=stop_sequence, refusal=refusal)
    is_whole = len(choices) <= 1 and (UNTRANSLATED.isdisjoint(said) or not any(map(said.get, UNTRANSLATED)))
    return message if is_whole else {**message, "body": body}


def _thought(said: Message) -> list[dict[str, Any]]:
    """OpenAI does not show it; other servers do, under either name."""
    thinking = answers.text(said.get("reasoning_content") or said.get("reasoning"))
    return [{"type": "thinking", "thinking": thinking, "signature": ""}] if thinking else []


def _said(said: Message) -> list[dict[str, Any]]:
    content = said.get("content")
    found = [content] if isinstance(content, str) else [item.get("text") for item in answers.objects(content)]
    found += [said.get("refusal")]
    return [answers.text_block(value, said.get("annotations")) for value in found if isinstance(value, str) and value]


def _called(said: Message) -> list[dict[str, Any]]:
    calls = answers.objects(said.get("tool_calls"))
    older = said.get("function_call")
    calls += [{"function": older}] if isinstance(older, dict) and not calls else []
    return [_call(call) for call in calls]


def _call(call: Message) -> dict[str, Any]:
    function: Message = next((call[name] for name in ("function", "custom") if isinstance(call.get(name), dict)), {})
    return answers.tool_use(call.get("id"), function.get("name"), function.get("arguments") or function.get("input"))


def _stop(choice: Message, said: Message, content: list[dict[str, Any]]) -> tuple[str, str | None]:
    """stop_reason and stop_sequence. Which string stopped it only some servers say, in the choice's `stop_reason`."""
    finish = answers.text(choice.get("finish_reason"))
    if finish in FINISHED:
        return FINISHED[finish], None
    if said.get("refusal"):
        return "refusal", None
    # A call that tool_choice named ends with `stop`, so the calls themselves decide.
    if "tool_use" in [block["type"] for block in content]:
        return "tool_use", None
    matched = answers.text(choice.get("stop_reason"))
    return ("stop_sequence", matched) if matched else ("end_turn", None)
