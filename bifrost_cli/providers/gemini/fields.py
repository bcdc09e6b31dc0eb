"""The top-level fields of a request but its messages.

A handler takes the request being made, the field's name and value, the whole `params`, and the terms.
"""

from collections.abc import Callable
from typing import Any

from bifrost_cli.providers.gemini import reasoning, schema, tools
from bifrost_cli.providers.gemini.blocks import texts
from bifrost_cli.providers.gemini.checks import (
    NO_COUNTERPART,
    Terms,
    a_number,
    a_string,
    a_whole,
    an_object,
    check_members,
    invalid,
    refuse,
)

Body = dict[str, Any]
Handler = Callable[[Body, str, Any, dict[str, Any], Terms], None]

HINTS = frozenset({"cache_control", "diagnostics"})
"""Fields that ask for nothing here: Gemini caches prompts by itself, and `diagnostics` is about Anthropic's cache."""
OUTPUT_CONFIG = frozenset({"effort", "format"})
MOST_STOPS = 5


def hint(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """A field that asks for nothing here."""


def only(*values: object) -> Handler:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
        if value not in values:
            refuse(name, NO_COUNTERPART, terms.drop)

    return check


def _max_tokens(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """Thinking counts against it, as at Anthropic."""
    body["generation_config"]["max_output_tokens"] = value


def _sampling(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """`temperature` and `top_p`. Gemini 3.6 and later ignore them (documented)."""
    body["generation_config"][name] = a_number(value, name)


def _top_k(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    body["generation_config"][name] = a_whole(value, name)


def _stop_sequences(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if not isinstance(value, list) or not all(isinstance(stop, str) for stop in value):
        invalid(name, "a list of strings", value)
    if len(value) > MOST_STOPS:
        refuse(name, f"Gemini takes at most {MOST_STOPS}, these are {len(value)}", terms.drop)
    if value:
        body["generation_config"]["stop_sequences"] = value[:MOST_STOPS]


def _metadata(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """`user_id` is a hint: it tells Anthropic's abuse detection who asks, and asks for nothing of the answer."""
    check_members(an_object(value, name), frozenset({"user_id"}), name, terms.drop)
    if value.get("user_id") is not None:
        a_string(value["user_id"], f"{name}.user_id")


def _system(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """An empty text in it makes a line fail (reported, July 2026), so it is left out."""
    said = [value] if type(value) is str or value == [] else texts(value, name, terms)
    if parts := [{"text": text} for text in said if text]:
        body["system_instruction"] = {"parts": parts}


def _thinking(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    """`thinking` and `output_config.effort`."""
    if config := reasoning.config(params, terms):
        body["generation_config"]["thinking_config"] = config


def _output_config(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    check_members(an_object(value, name), OUTPUT_CONFIG, name, terms.drop)
    if value.get("format") is not None:
        body["generation_config"].update(_format(value["format"], terms))
    if value.get("effort") is not None and params.get("thinking") is None:
        _thinking(body, name, value, params, terms)


def _format(value: Any, terms: Terms) -> Body:
    """`output_config.format`. Lines of file batches take response_json_schema (reported, July 2026)."""
    field = "output_config.format"
    given = an_object(value, field)
    check_members(given, frozenset({"type", "schema"}), field, terms.drop)
    if given.get("type") != "json_schema":
        invalid(f"{field}.type", "json_schema", given.get("type"))
    wanted = an_object(given.get("schema"), f"{field}.schema")
    if terms.schema_form == "schema":
        return {"response_mime_type": "application/json", "response_schema": schema.convert(wanted, f"{field}.schema")}
    return {"response_mime_type": "application/json", "response_json_schema": wanted}


def _tools(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    if not (made := tools.declarations(value, terms)):
        return
    body["tools"] = [{"function_declarations": made}]
    if tools.any_strict(value) and _mode(body) in (None, "AUTO"):
        body["tool_config"] = {"function_calling_config": {"mode": tools.STRICT}}


def _tool_choice(body: Body, name: str, value: Any, params: dict[str, Any], terms: Terms) -> None:
    calling = tools.calling(value, params.get("tools"), terms)
    if calling and (_mode(body), calling["mode"]) != (tools.STRICT, "AUTO"):
        body["tool_config"] = {"function_calling_config": calling}


def _mode(body: Body) -> str | None:
    """The mode of calling that is set; None where none is."""
    mode: str | None = body.get("tool_config", {}).get("function_calling_config", {}).get("mode")
    return mode


FIELDS: dict[str, Handler] = {
    **dict.fromkeys(HINTS, hint),
    "model": hint,
    "max_tokens": _max_tokens,
    "temperature": _sampling,
    "top_p": _sampling,
    "top_k": _top_k,
    "stop_sequences": _stop_sequences,
    "metadata": _metadata,
    "system": _system,
    "thinking": _thinking,
    "output_config": _output_config,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "service_tier": only("auto", "standard_only"),
    "stream": only(False),
    "speed": only("standard"),
}
"""`model` is in the address. A batch runs in a tier of its own, and a call in the standard one, which is what
`service_tier` asks for."""
