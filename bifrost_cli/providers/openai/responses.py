"""`/v1/responses`: a request as `input` items, and an answer's `output` items as content blocks."""

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

Item = dict[str, Any]

ENDPOINT = "/v1/responses"
LEAST_OUTPUT = 16
"""The least `max_output_tokens` that the service takes (documented); smaller ones are raised to it."""
LONGEST_NAME = 128
SIGNATURE = "bifrost-openai-reasoning"
"""A thinking block signed `bifrost-openai-reasoning:ID:ENCRYPTED` was a reasoning item, and becomes one again."""
REASONING_INCLUDED = ["reasoning.encrypted_content"]
MESSAGE = frozenset({"role", "content"})

FORM: Form = {
    "text": lambda value: {"type": "input_text", "text": value},
    "image": lambda url: {"type": "input_image", "image_url": url, "detail": "auto"},
    "image_file": lambda id: {"type": "input_image", "file_id": id, "detail": "auto"},
    "file_data": lambda name, url: {"type": "input_file", "filename": name, "file_data": url},
    "file_url": lambda url: {"type": "input_file", "file_url": url},
    "file_id": lambda id: {"type": "input_file", "file_id": id},
}


# -- requests ---------------------------------------------------------------------------------------------------


def _message(message: Item, field: str, params: dict[str, Any], drop: Drop, items: list[Item]) -> None:
    check_members(message, MESSAGE, field, drop)
    role = a_string(message["role"], f"{field}.role")
    if role not in ROLES:
        invalid(f"{field}.role", f"one of {', '.join(ROLES)}", role)
    content = message["content"]
    if type(content) is str:
        items.append({"role": "developer" if role == "system" else role, "content": content})
    else:
        ROLES[role](a_list(content, f"{field}.content", TEXT_OR_BLOCKS), f"{field}.content", params, drop, items)


def _user(blocks: list[Any], field: str, params: dict[str, Any], drop: Drop, items: list[Item]) -> None:
    made: list[Item] = []
    for index, block in enumerate(blocks):
        if (value := plain_text(block)) is not None:
            made.append({"type": "input_text", "text": value})
            continue
        where = f"{field}.{index}"
        if block_type(block, where) == "tool_result":
            made = _flush("user", made, items)
            items.append(_tool_result(block, where, drop))
        else:
            made += part(block, where, FORM, drop)
    _flush("user", made, items)


def _assistant(blocks: list[Any], field: str, params: dict[str, Any], drop: Drop, items: list[Item]) -> None:
    said: list[Item] = []
    for index, block in enumerate(blocks):
        if (value := plain_text(block)) is not None:
            said.append({"type": "output_text", "text": value})
            continue
        where = f"{field}.{index}"
        make = CALLS.get(block_type(block, where))
        if make is None:
            said.append({"type": "output_text", "text": text(block, where, drop)})
        elif item := make(block, where, params, drop):
            said = _flush("assistant", said, items)
            items.append(item)
    _flush("assistant", said, items)
    # The service refuses reasoning that nothing follows, as a cut-off answer leaves it.
    while items and items[-1].get("type") == "reasoning":
        items.pop()


def _system(blocks: list[Any], field: str, params: dict[str, Any], drop: Drop, items: list[Item]) -> None:
    said = [{"type": "input_text", "text": value} for value in texts(blocks, field, drop)]
    items.append({"role": "developer", "content": said})


ROLES: dict[str, Callable[[list[Any], str, dict[str, Any], Drop, list[Item]], None]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}


def _flush(role: str, made: list[Item], items: list[Item]) -> list[Item]:
    """Put what was said so far among the items; returns a new list to go on with."""
    if made:
        items.append({"role": role, "content": made})
    return []


def _tool_use(block: Item, field: str, params: dict[str, Any], drop: Drop) -> Item:
    check_call(CHECKS, block, field, drop)
    return {
        "type": "function_call",
        "call_id": tools.call_id(block.get("id"), f"{field}.id"),
        "name": tools.tool_name(block.get("name"), f"{field}.name", LONGEST_NAME),
        "arguments": tools.arguments(block, field),
    }


def _thinking(block: Item, field: str, params: dict[str, Any], drop: Drop) -> Item | None:
    """The reasoning item that a thinking block was. Another provider's means nothing here and is left out."""
    check_thinking(block, field, drop)
    mark, _, rest = answers.text(block.get("signature")).partition(":")
    id, _, encrypted = rest.partition(":")
    if mark != SIGNATURE or not encrypted or reasoning.traits(params["model"]).reasons is False:
        return None
    shown = answers.text(block.get("thinking"))
    summary = [{"type": "summary_text", "text": shown}] if shown else []
    return {"type": "reasoning", "id": id, "summary": summary, "encrypted_content": encrypted}


def _redacted_thinking(block: Item, field: str, params: dict[str, Any], drop: Drop) -> None:
    """Another provider's; left out."""
    check_thinking(block, field, drop)


CALLS: dict[str, Callable[[Item, str, dict[str, Any], Drop], Item | None]] = {
    "tool_use": _tool_use,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
}


def _tool_result(block: Item, field: str, drop: Drop) -> Item:
    check_members(block, TOOL_RESULT, field, drop)
    failed = a_flag(block.get("is_error"), f"{field}.is_error")
    call = tools.call_id(block.get("tool_use_id"), f"{field}.tool_use_id")
    output = _output(block.get("content"), f"{field}.content", drop)
    return {"type": "function_call_output", "call_id": call, "output": _mark_error(output) if failed else output}


def _output(content: Any, field: str, drop: Drop) -> str | list[Item]:
    """A text, or parts where there are several or others than text."""
    if content in (None, "", []) or isinstance(content, str):
        return content or ""
    made = parts(a_list(content, field, TEXT_OR_BLOCKS), field, FORM, drop)
    return str(made[0]["text"]) if len(made) == 1 and made[0]["type"] == "input_text" else made


def _mark_error(output: str | list[Item]) -> str | list[Item]:
    if isinstance(output, str):
        return tools.failed(output)
    return [{"type": "input_text", "text": "Error:"}, *output]


def _max_tokens(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    body["max_output_tokens"] = value if value > LEAST_OUTPUT else LEAST_OUTPUT


def _instructions(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if joined := fields.system_text(value, drop):
        body["instructions"] = joined


def _reasoning(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """`thinking` and `output_config.effort`. The reasoning itself is asked for too, since nothing is stored."""
    wanted, shown = reasoning.effort(params, drop), reasoning.shows_thinking(params)
    if reasoning.traits(params["model"]).reasons is False or (wanted is None and not reasoning.is_on(params)):
        return
    asked = {"effort": wanted} if wanted else {}
    if shown:
        asked["summary"] = "auto"
    if asked:
        body["reasoning"] = asked
    if wanted != "none":
        body["include"] = REASONING_INCLUDED


def _output_config(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    check_members(an_object(value, name), fields.OUTPUT_CONFIG, name, drop)
    if value.get("format") is not None:
        body["text"] = {"format": {"type": "json_schema", **fields.output_format(value["format"], drop)}}
    if value.get("effort") is not None and params.get("thinking") is None:
        _reasoning(body, name, value, params, drop)


def _tools(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if made := tools.functions(value, LONGEST_NAME, drop):
        body["tools"] = [{"type": "function", **tool} for tool in made]


def _tool_choice(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if chosen := tools.tool_choice(body, value, params, drop):
        named = tools.tool_name(chosen.get("name"), "tool_choice.name", LONGEST_NAME)
        body["tool_choice"] = {"type": "function", "name": named}


def _stop_sequences(body: Item, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    if fields.stops(value):
        refuse(name, "the Responses endpoint has no stop sequences", drop, fields.LEAVE_OUT_OR_CHAT)


FIELDS: dict[str, fields.Handler] = {
    **fields.SHARED,
    "max_tokens": _max_tokens,
    "system": _instructions,
    "thinking": _reasoning,
    "output_config": _output_config,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "stop_sequences": _stop_sequences,
}


class Responses(Encoder[Drop]):
    """Requests of `POST /v1/responses`."""

    provider = PROVIDER
    endpoint = ENDPOINT
    place = "input"
    handlers = FIELDS

    def start(self) -> Item:
        return {"store": False}

    def otherwise(self, body: Item, name: str, value: Any) -> None:
        refuse(name, NO_COUNTERPART, self.terms)

    def translate(self, messages: list[Any]) -> tuple[Encoder[Drop], list[Item]]:
        items: list[Item] = []
        for index, message in enumerate(messages):
            content = message["content"]
            if type(content) is str and len(message) == 2 and message["role"] in ("user", "assistant"):
                items.append(message)
            else:
                _message(message, f"messages.{index}", self.params, self.terms, items)
        if messages[-1]["role"] == "assistant":
            unsupported(f"messages.{len(messages) - 1}", fields.PREFILL, fields.END_WITH_USER)
        return self, items

    @staticmethod
    def frame(custom_id: Any, body: Any) -> Item:
        return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}


# -- answers ----------------------------------------------------------------------------------------------------

USAGE = answers.UsageNames("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")
CUT_SHORT = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


def decode(body: dict[str, Any]) -> dict[str, Any]:
    """Anthropic's message from a finished answer.

    Items that a message has no form for (image generation, web search calls, ...) make the whole answer stay beside it,
    as the member `body`.
    """
    items = answers.objects(body.get("output"))
    content: list[dict[str, Any]] = []
    for item in items:
        content += OUTPUT.get(answers.text(item.get("type")), _foreign)(item)
    known = [block for block in content if block]
    kinds, refusal = {block["type"] for block in known}, _refusal(items)
    stop_reason = _stop_reason(body, kinds, refusal)
    message = answers.message(body, _visible(known, kinds), stop_reason, USAGE, refusal=refusal)
    return message if len(known) == len(content) else {**message, "body": body}


def _said(item: Item) -> list[dict[str, Any]]:
    said = []
    for given in _content(item):
        if value := answers.text(given.get("text") or given.get("refusal")):
            said.append(answers.text_block(value, given.get("annotations")))
    return said


def _called(item: Item) -> list[dict[str, Any]]:
    return [answers.tool_use(item.get("call_id") or item.get("id"), item.get("name"), item.get("arguments"))]


def _thought(item: Item) -> list[dict[str, Any]]:
    """The summary, or the reasoning itself where a server shows it; the signature brings the item back."""
    shown = answers.objects(item.get("summary")) or _content(item)
    thinking = "\n\n".join(answers.text(given.get("text")) for given in shown)
    return [{"type": "thinking", "thinking": thinking, "signature": signature(item)}]


def signature(item: Item) -> str:
    """What a thinking block is signed with, which brings its reasoning item back; empty where nothing would."""
    encrypted = answers.text(item.get("encrypted_content"))
    return f"{SIGNATURE}:{answers.text(item.get('id'))}:{encrypted}" if encrypted else ""


def _foreign(item: Item) -> list[dict[str, Any]]:
    return [{}]


OUTPUT: dict[str, Callable[[Item], list[dict[str, Any]]]] = {
    "message": _said,
    "function_call": _called,
    "reasoning": _thought,
}


def _content(item: Item) -> list[dict[str, Any]]:
    return answers.objects(item.get("content"))


def _visible(content: list[dict[str, Any]], kinds: set[str]) -> list[dict[str, Any]]:
    """The blocks, less reasoning without text that no later call needs.

    Models reason unasked and show nothing of it. Such an item is wanted back with the results of the calls that it led
    to; in a plain answer it would only stand before the text that readers look for first.
    """
    if "thinking" not in kinds:
        return content
    if "tool_use" in kinds:
        return [block for block in content if block["type"] != "thinking" or block["thinking"] or block["signature"]]
    return [block for block in content if block["type"] != "thinking" or block["thinking"]]


def _stop_reason(body: dict[str, Any], kinds: set[str], refusal: str | None) -> str:
    if body.get("status") == "incomplete":
        details = body.get("incomplete_details")
        reason = answers.text(details.get("reason")) if isinstance(details, dict) else ""
        return CUT_SHORT.get(reason, "max_tokens")
    if refusal is not None:
        return "refusal"
    return "tool_use" if "tool_use" in kinds else "end_turn"


def _refusal(items: list[Item]) -> str | None:
    for item in items:
        for given in _content(item):
            if given.get("type") == "refusal":
                return answers.text(given.get("refusal"))
    return None
