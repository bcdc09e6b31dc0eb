"""A JSON value that satisfies a simple JSON Schema."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

Schema = Mapping[str, Any]
MAX_DEPTH = 20
"""How deep a schema that refers to itself is followed."""

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "sandbox@example.com",
    "uri": "https://example.com/sandbox",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: Schema, word: str) -> Any:
    """A value for `schema`, the same each time; `word` is what its strings say.

    Follows type, enum, const, properties, required, items, prefixItems, anyOf, oneOf, allOf, $ref within the
    schema, format, and the bounds of numbers, strings and lists. Patterns are not followed.
    """
    return _value(schema, schema, word, 0)


def flaw(schema: Any) -> str | None:
    """What makes a value no JSON Schema at all, in a few words; None when nothing does. Only the keywords that
    `example` follows are looked at."""
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, Mapping):
        return "a schema is an object"
    for name, value in schema.items():
        kind = _KEYWORDS.get(name)
        if kind is not None and (not isinstance(value, kind) or (kind is _NUMBER and isinstance(value, bool))):
            return f"{name!r} has the wrong type"
    return next(filter(None, map(flaw, _inner(schema))), None)


def _inner(schema: Schema) -> list[Any]:
    inner = [part for name in ("anyOf", "oneOf", "allOf", "prefixItems") for part in schema.get(name, ())]
    inner += [part for name in ("properties", "$defs", "definitions") for part in schema.get(name, {}).values()]
    return inner + ([schema["items"]] if "items" in schema else [])


_NUMBER = (int, float)
_KEYWORDS: dict[str, type | tuple[type, ...]] = {
    "type": (str, list),
    "enum": list,
    "properties": Mapping,
    "required": list,
    "items": (Mapping, bool),
    **dict.fromkeys(("$defs", "definitions"), Mapping),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), list),
    **dict.fromkeys(("$ref", "format"), str),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), int),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBER),
}


def _value(schema: Any, root: Schema, word: str, depth: int) -> Any:
    schema = _resolved(schema, root) if isinstance(schema, Mapping) else {}
    if depth > MAX_DEPTH:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _value(schema[key][0], root, word, depth + 1)
    return _TYPES.get(_type(schema), _null)(schema, root, word, depth)


def _resolved(schema: Schema, root: Schema) -> Schema:
    for _ in range(MAX_DEPTH):
        if "$ref" not in schema:
            break
        schema = _lookup(str(schema["$ref"]), root)
    for part in schema.get("allOf", ()):
        part = _resolved(part, root)
        properties = {**schema.get("properties", {}), **part.get("properties", {})}
        required = [*schema.get("required", ()), *part.get("required", ())]
        schema = {**schema, **part, **({"properties": properties, "required": required} if properties else {})}
    return schema


def _lookup(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _object(schema: Schema, root: Schema, word: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    # Optional members are left out below the second level, so that a schema may refer to itself.
    names = [name for name in properties if name in required or depth < 2]
    names += [name for name in required if name not in properties]
    return {name: _value(properties.get(name, {}), root, word, depth + 1) for name in names}


def _array(schema: Schema, root: Schema, word: str, depth: int) -> list[Any]:
    prefix = [_value(item, root, word, depth + 1) for item in schema.get("prefixItems", ())]
    count = max(int(schema.get("minItems", 0 if depth > 2 else 1)) - len(prefix), 0)
    count = min(count, int(schema.get("maxItems", count)))
    if not isinstance(schema.get("items", {}), Mapping):
        return prefix
    return prefix + [_value(schema.get("items", {}), root, word, depth + 1) for _ in range(count)]


def _string(schema: Schema, root: Schema, word: str, depth: int) -> str:
    text = _FORMATS.get(str(schema.get("format")), word)
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _integer(schema: Schema, root: Schema, word: str, depth: int) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 1) + 1) - 1)
    step = int(schema.get("multipleOf", 1)) or 1
    value: int = min(max(ceil(low), 1), int(high))
    return value + -value % step


def _number(schema: Schema, root: Schema, word: str, depth: int) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
    return float(low + (high - low) / 2)


def _boolean(schema: Schema, root: Schema, word: str, depth: int) -> bool:
    return True


def _null(schema: Schema, root: Schema, word: str, depth: int) -> None:
    return None


_TYPES: dict[str, Callable[[Schema, Schema, str, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
