"""Tools and the schemas that they and structured answers use, as both endpoints share them."""

import re
from hashlib import sha256
from typing import Any

from bifrost_cli.providers import tools as shared
from bifrost_cli.providers.openai.checks import (
    CHECKS,
    Drop,
    a_flag,
    a_string,
    an_object,
    dumps,
    refuse,
    unsupported,
)

CHOICES = {"auto": "auto", "any": "required", "none": "none"}
NAME = re.compile(r"[a-zA-Z0-9_-]+")
LONGEST_CALL_ID = 64

STRICT_KEYWORDS = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"),
        *("$ref", "$defs", "definitions", "title", "description", "pattern", "format", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
    )
)
"""What a schema may hold where `strict` is on (documented); others make the request fail."""
DEEPEST_STRICT = 40
STRICT_RULE = "each object has additionalProperties false and requires all its properties, with plain keywords only"


def functions(tools: Any, longest: int, drop: Drop) -> list[dict[str, Any]]:
    """The tools, which may be none, as OpenAI describes functions: name, description, parameters, strict. `longest` is
    the endpoint's limit of a name."""
    return [_function(tool, field, longest, drop) for tool, field in shared.customs(CHECKS, tools, drop)]


def _function(tool: dict[str, Any], field: str, longest: int, drop: Drop) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool_name(tool.get("name"), f"{field}.name", longest)}
    if described := shared.description(CHECKS, tool, field):
        made["description"] = described
    made["parameters"] = _parameters(tool.get("input_schema"), f"{field}.input_schema")
    # Where it is absent the service tries strict mode and rewrites the schema; so it is always said.
    made["strict"] = _is_strict(tool, field, drop)
    return made


def tool_name(value: Any, field: str, longest: int) -> str:
    """A name that the endpoint takes."""
    name = a_string(value, field)
    if len(name) > longest or not NAME.fullmatch(name):
        unsupported(field, f"OpenAI's names here are 1 to {longest} of a-z A-Z 0-9 _ -", "Shorten or rename it.")
    return name


def tool_choice(body: dict[str, Any], value: Any, params: dict[str, Any], drop: Drop) -> dict[str, Any] | None:
    """Sets `tool_choice` and `parallel_tool_calls`; gives the choice where it names a tool, for the endpoint to put."""
    choice = shared.choice(CHECKS, value, params.get("tools"), drop)
    if choice is None:
        return None
    if shared.is_alone(CHECKS, choice):
        body["parallel_tool_calls"] = False
    if choice["type"] == "tool":
        return choice
    body["tool_choice"] = CHOICES[choice["type"]]
    return None


def call_id(value: Any, field: str) -> str:
    """A call's id as it is, or its hash where it is longer than OpenAI takes; the same for the call and its output."""
    id = a_string(value, field)
    if 0 < len(id) <= LONGEST_CALL_ID:
        return id
    return f"call_{sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:48]}"


def failed(output: str) -> str:
    """The output of a call that failed; OpenAI has no member that says so, so the text does."""
    return f"Error: {output}" if output else "Error"


def arguments(block: dict[str, Any], field: str) -> str:
    """A tool call's input as JSON text."""
    return dumps(an_object(block.get("input"), f"{field}.input"), f"{field}.input").decode()


def _parameters(schema: Any, field: str) -> dict[str, Any]:
    """The schema; one of an object without properties gets an empty set of them, since OpenAI refuses it otherwise."""
    known = an_object(schema, field)
    return known if "properties" in known or known.get("type") != "object" else {**known, "properties": {}}


def _is_strict(tool: dict[str, Any], field: str, drop: Drop) -> bool:
    if not a_flag(tool.get("strict"), f"{field}.strict"):
        return False
    if strictable(tool["input_schema"]):
        return True
    refuse(f"{field}.strict", f"OpenAI takes it only where {STRICT_RULE}", drop)
    return False


# -- schemas ----------------------------------------------------------------------------------------------------


def strictable(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes the schema of a whole answer: an object, and what is in it."""
    return isinstance(schema, dict) and schema.get("type") == "object" and _fits(schema, 0)


def _fits(schema: Any, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > DEEPEST_STRICT or not schema.keys() <= STRICT_KEYWORDS:
        return False
    if (schema.get("type") == "object" or "properties" in schema) and not _is_closed(schema):
        return False
    return all(_fits(inner, depth + 1) for inner in _inner(schema))


def _is_closed(schema: dict[str, Any]) -> bool:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return schema.get("additionalProperties") is False and all(name in required for name in properties)


def _inner(schema: dict[str, Any]) -> list[Any]:
    """The schemas right inside a schema."""
    inner = [schema["items"]] if "items" in schema else []
    if "anyOf" in schema:
        inner += schema["anyOf"] if isinstance(schema["anyOf"], list) else [None]
    for name in ("properties", "$defs", "definitions"):
        if name in schema:
            inner += schema[name].values() if isinstance(schema[name], dict) else [None]
    return inner
