"""OpenAI's own batch lines, read into the canonical form for other providers: `body` as `params`.

| OpenAI | canonical |
|---|---|
| `instructions`; `system` and `developer` messages at the beginning | `system`; later ones stay in place, as `system` |
| consecutive messages, calls or results of one role | one turn; tool results come first in it |
| `tool_calls`, `function_call` / `tool` messages, `function_call_output` | `tool_use` / `tool_result` |
| images, PDF and plain text as data: URLs or by address | `image`, `document` |
| `reasoning_effort`, `reasoning.effort` | `output_config.effort` (`minimal` is `low`); `none` is `thinking` disabled |
| `reasoning.summary: auto` | `thinking` adaptive |
| `service_tier: default` | `standard_only` |
| `prompt_cache_key`, `prompt_cache_retention`, the name of a schema, labels of earlier answers | left out: hints |
| reasoning items and encrypted reasoning | left out: they mean nothing to another model |
| file ids, built-in tools, everything else | refused |

Members that are null ask for nothing. Paths begin at the line: `body.messages.0.content`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bifrost_cli.models import Request
from bifrost_cli.providers.openai import chat, own_turns, responses
from bifrost_cli.providers.openai.checks import a_flag, a_list, a_number, a_string, an_object, invalid
from bifrost_cli.providers.openai.own_parts import Object, check_members, refuse, text
from bifrost_cli.providers.openai.translate import ENDPOINTS

Field = Callable[[Object, str, Any], None]
"""Takes the params being made, the field's path and its value."""

LINE = frozenset({"custom_id", "method", "url", "body"})
FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
FORMAT = frozenset({"type", "name", "schema", "strict"})

CHOICES = {"auto": "auto", "required": "any", "none": "none"}
TIERS = {"auto": "auto", "default": "standard_only"}
EFFORTS = {"minimal": "low", **{name: name for name in ("low", "medium", "high", "xhigh", "max")}}


def read(line: Object) -> Request:
    """The canonical request; what every request must have is the caller's to check.

    Raises UnsupportedError for what other providers have no place for, InvalidRequestError for what nobody takes.
    """
    check_members(line, LINE, "")
    turns, fields = _endpoint(line)
    made: Object = {}
    for name, value in an_object(line.get("body"), "body").items():
        if value is not None:
            fields.get(name, _refuse_field)(made, f"body.{name}", value)
    _check_turns(made.get("messages"), f"body.{turns}")
    return Request(custom_id=a_string(line.get("custom_id"), "custom_id"), params=_settled(made))


def _endpoint(line: Object) -> tuple[str, Mapping[str, Field]]:
    """The member that holds the conversation, and what reads each member."""
    if line.get("method") != "POST":
        invalid("method", '"POST"', line.get("method"))
    url = a_string(line.get("url"), "url")
    if url not in ENDPOINTS:
        invalid("url", f"one of {', '.join(ENDPOINTS)}", url)
    if url not in READERS:
        refuse("url", f"only lines of {' and '.join(READERS)} can go to other providers", "Send it with -p openai.")
    return READERS[url]


def _check_turns(turns: Any, field: str) -> None:
    if not turns:
        invalid(field, "a conversation with a message of the user", turns)
    if turns[-1]["role"] == "assistant":
        reason = "other providers go on with an assistant message that comes last, instead of answering it"
        refuse(field, reason, "End with a user message.")


def _settled(made: Object) -> Object:
    """The params, with what depends on several fields."""
    if "system" in made:
        made["system"] = own_turns.plain(made["system"])
    choice = made.get("tool_choice", {})
    if not made.get("tools"):
        if choice.get("type") in ("any", "tool"):
            invalid("body.tools", "given where tool_choice asks for one", made.get("tools"))
        made.pop("tool_choice", None)
    elif choice.get("type") == "none":
        made["tool_choice"] = {"type": "none"}
    return made


# -- fields -----------------------------------------------------------------------------------------------------


def _turns(made: Object, field: str, value: Any) -> None:
    system, made["messages"] = own_turns.read(value, field)
    if system:
        made["system"] = made.get("system", []) + system


def _input(made: Object, field: str, value: Any) -> None:
    if isinstance(value, str):
        made["messages"] = [{"role": "user", "content": value}]
    else:
        _turns(made, field, value)


def _instructions(made: Object, field: str, value: Any) -> None:
    if a_string(value, field):
        made["system"] = [text(value), *made.get("system", [])]


def _refuse_field(made: Object, field: str, value: Any) -> None:
    refuse(field)


def _hint(made: Object, field: str, value: Any) -> None:
    """Asks for nothing elsewhere."""


def _only(*values: object) -> Field:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(made: Object, field: str, value: Any) -> None:
        if value not in values:
            refuse(field)

    return check


def _as(name: str, check: Callable[[Any, str], Any]) -> Field:
    """A field that is params' member `name`; two that are the same member must agree."""

    def put(made: Object, field: str, value: Any) -> None:
        if made.setdefault(name, check(value, field)) != value:
            refuse(field, "another field asks for something else in its place", "Leave one of the two out.")

    return put


def _whole(value: Any, field: str) -> int:
    return value if type(value) is int else invalid(field, "a whole number", value)


def _user_id(made: Object, field: str, value: Any) -> None:
    _as("user_id", a_string)(made.setdefault("metadata", {}), field, value)


def _stop(made: Object, field: str, value: Any) -> None:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(stop, str) for stop in given):
        invalid(field, "a string or a list of strings", value)
    made["stop_sequences"] = given


def _service_tier(made: Object, field: str, value: Any) -> None:
    if a_string(value, field) not in TIERS:
        refuse(field, f"other providers have no counterpart for '{value}'")
    made["service_tier"] = TIERS[value]


def _effort(made: Object, field: str, value: Any) -> None:
    if a_string(value, field) not in ("none", *EFFORTS):
        invalid(field, f"one of none, {', '.join(EFFORTS)}", value)
    if value == "none":
        made["thinking"] = {"type": "disabled"}
    else:
        made.setdefault("output_config", {})["effort"] = EFFORTS[value]


def _reasoning(made: Object, field: str, value: Any) -> None:
    check_members(an_object(value, field), {"effort", "summary"}, field)
    if value.get("summary") is not None:
        _only("auto")(made, f"{field}.summary", value["summary"])
        made["thinking"] = {"type": "adaptive"}
    if value.get("effort") is not None:
        _effort(made, f"{field}.effort", value["effort"])


def _include(made: Object, field: str, value: Any) -> None:
    for index, name in enumerate(value if isinstance(value, list) else invalid(field, "a list", value)):
        _only("reasoning.encrypted_content")(made, f"{field}.{index}", name)


def _response_format(made: Object, field: str, value: Any) -> None:
    if an_object(value, field).get("type") == "json_schema":
        check_members(value, {"type", "json_schema"}, field)
        where = f"{field}.json_schema"
        _put_format(made, an_object(value.get("json_schema"), where), where)
    else:
        _plain_format(value, field)


def _text_field(made: Object, field: str, value: Any) -> None:
    check_members(an_object(value, field), {"format", "verbosity"}, field)
    _only(None, "medium")(made, f"{field}.verbosity", value.get("verbosity"))
    given, where = value.get("format"), f"{field}.format"
    if given is not None and an_object(given, where).get("type") == "json_schema":
        _put_format(made, given, where)
    elif given is not None:
        _plain_format(given, where)


def _plain_format(value: Object, field: str) -> None:
    if a_string(value.get("type"), f"{field}.type") != "text":
        refuse(f"{field}.type", "other providers take a JSON schema only", "Give a json_schema.")
    check_members(value, {"type"}, field)


def _put_format(made: Object, given: Object, field: str) -> None:
    """`strict` says how sure the form is to be, and elsewhere it always is."""
    check_members(given, FORMAT, field)
    a_flag(given.get("strict"), f"{field}.strict")
    schema = an_object(given.get("schema"), f"{field}.schema")
    made.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}


def _tools(made: Object, field: str, value: Any) -> None:
    given = value if value == [] else a_list(value, field)
    if given:
        made["tools"] = [_function(tool, f"{field}.{index}") for index, tool in enumerate(given)]


def _function(tool: Any, field: str) -> Object:
    """A function: Chat describes it in a member of the tool, Responses in the tool itself."""
    kind = a_string(an_object(tool, field).get("type"), f"{field}.type")
    if kind != "function":
        refuse(f"{field}.type", f"tools of type '{kind}' are OpenAI's own")
    if tool.get("function") is None:
        return _custom_tool(tool, field)
    check_members(tool, {"type", "function"}, field)
    return _custom_tool(an_object(tool["function"], f"{field}.function"), f"{field}.function")


def _custom_tool(function: Object, field: str) -> Object:
    check_members(function, FUNCTION, field)
    made: Object = {"name": a_string(function.get("name"), f"{field}.name")}
    if function.get("description") is not None:
        made["description"] = a_string(function["description"], f"{field}.description")
    parameters = function.get("parameters")
    known = an_object({"properties": {}} if parameters is None else parameters, f"{field}.parameters")
    made["input_schema"] = known if "type" in known else {"type": "object", **known}
    if a_flag(function.get("strict"), f"{field}.strict"):
        made["strict"] = True
    return made


def _tool_choice(made: Object, field: str, value: Any) -> None:
    if not isinstance(value, str):
        chosen = {"type": "tool", "name": _chosen(an_object(value, field), field)}
    elif value in CHOICES:
        chosen = {"type": CHOICES[value]}
    else:
        invalid(field, f"one of {', '.join(CHOICES)}, or a function", value)
    made["tool_choice"] = {**made.get("tool_choice", {}), **chosen}


def _chosen(value: Object, field: str) -> str:
    """The name of the function, which is in a member of the choice or in the choice itself."""
    if value.get("type") != "function":
        refuse(f"{field}.type", "other providers can be told of one function only")
    if value.get("function") is None:
        check_members(value, {"type", "name"}, field)
        return a_string(value.get("name"), f"{field}.name")
    check_members(value, {"type", "function"}, field)
    function = an_object(value["function"], f"{field}.function")
    check_members(function, {"name"}, f"{field}.function")
    return a_string(function.get("name"), f"{field}.function.name")


def _parallel(made: Object, field: str, value: Any) -> None:
    if not a_flag(value, field):
        made["tool_choice"] = {"type": "auto", **made.get("tool_choice", {}), "disable_parallel_tool_use": True}


SHARED: Mapping[str, Field] = {
    "model": _as("model", a_string),
    "temperature": _as("temperature", a_number),
    "top_p": _as("top_p", a_number),
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _parallel,
    "user": _user_id,
    "safety_identifier": _user_id,
    "service_tier": _service_tier,
    "prompt_cache_key": _hint,
    "prompt_cache_retention": _hint,
    "stream": _only(False),
    "store": _only(False),
    "top_logprobs": _only(0),
    "metadata": _only({}),
}
READERS: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    chat.ENDPOINT: (
        "messages",
        {
            **SHARED,
            "messages": _turns,
            "max_tokens": _as("max_tokens", _whole),
            "max_completion_tokens": _as("max_tokens", _whole),
            "stop": _stop,
            "response_format": _response_format,
            "reasoning_effort": _effort,
            "verbosity": _only("medium"),
            "modalities": _only(["text"]),
            "n": _only(1),
            "logprobs": _only(False),
            "logit_bias": _only({}),
            "presence_penalty": _only(0),
            "frequency_penalty": _only(0),
        },
    ),
    responses.ENDPOINT: (
        "input",
        {
            **SHARED,
            "input": _input,
            "instructions": _instructions,
            "max_output_tokens": _as("max_tokens", _whole),
            "text": _text_field,
            "reasoning": _reasoning,
            "include": _include,
            "truncation": _only("disabled"),
            "background": _only(False),
        },
    ),
}
