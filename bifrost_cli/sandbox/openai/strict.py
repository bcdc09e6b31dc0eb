"""What OpenAI asks of a JSON Schema: that it is one, and in strict mode that it leaves nothing open."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.example import flaw
from bifrost_cli.sandbox.openai.errors import Refusal


def check_parameters(name: str, schema: Any, strict: bool, param: str) -> None:
    """Raises the Refusal for the parameters of a function."""
    problem = _problem(schema or {}, strict)
    if problem:
        message = f"Invalid schema for function '{name}': {problem}"
        raise Refusal(message, param=param, code="invalid_function_parameters")


def check_format(name: str, schema: Any, strict: bool, param: str) -> None:
    """Raises the Refusal for the schema of a structured answer."""
    problem = _problem(schema, strict)
    if problem:
        message = f"Invalid schema for response_format '{name}': {problem}"
        raise Refusal(message, param=param, code="invalid_json_schema")


def _problem(schema: Any, strict: bool) -> str | None:
    found = flaw(schema)
    if found:
        return f"schema is not valid: {found}."
    if schema.get("type", "object") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema['type']}\"'."
    return _open(schema, ()) if strict else None


def _open(schema: Any, path: tuple[str, ...]) -> str | None:
    """What strict mode misses: every object closed, every property required."""
    if not isinstance(schema, Mapping):
        return None
    properties = schema.get("properties", {})
    if schema.get("type") == "object" or properties:
        if schema.get("additionalProperties") is not False:
            return f"In context={path}, 'additionalProperties' is required to be supplied and to be false."
        missing = [name for name in properties if name not in schema.get("required", ())]
        if missing:
            return (
                f"In context={path}, 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing[0]}'."
            )
    return next(filter(None, (_open(part, (*path, *step)) for step, part in _inner(schema))), None)


def _inner(schema: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    inner = [(("properties", name), part) for name, part in schema.get("properties", {}).items()]
    inner += [(("$defs", name), part) for name, part in schema.get("$defs", {}).items()]
    inner += [(("anyOf", str(position)), part) for position, part in enumerate(schema.get("anyOf", ()))]
    return inner + ([(("items",), schema["items"])] if "items" in schema else [])
