"""JSON Schema as Gemini's own `Schema` (a subset of OpenAPI 3.0), for accounts and models where only that works."""

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from bifrost_cli.providers.gemini.checks import a_list, a_string, an_object, unsupported

Schema = dict[str, Any]

TYPES = {
    "string": "STRING",
    "number": "NUMBER",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "array": "ARRAY",
    "object": "OBJECT",
    "null": "NULL",
}
KEPT = {
    "title": "title",
    "description": "description",
    "format": "format",
    "pattern": "pattern",
    "default": "default",
    "minimum": "minimum",
    "maximum": "maximum",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "required": "required",
    "propertyOrdering": "property_ordering",
    "nullable": "nullable",
}
"""Keywords that mean the same there."""
IGNORED = frozenset({"$schema", "$id", "$comment", "$defs", "definitions"})
"""`$defs` are put where they are referred to."""
DEEPEST = 60
HINT = "Set BIFROST_GEMINI_SCHEMA=json_schema, or simplify the schema."


class Place(NamedTuple):
    """Where in a schema something stands: its dotted path, the whole schema, and the references on the way to it."""

    field: str
    root: Schema
    refs: tuple[str, ...] = ()

    def at(self, name: object) -> "Place":
        """One step further in."""
        return self._replace(field=f"{self.field}.{name}")

    def refuse(self, reason: str) -> NoReturn:
        """Raise UnsupportedError naming this place."""
        unsupported(self.field, reason, HINT)


def convert(schema: Schema, field: str) -> Schema:
    """The schema in Gemini's form. Raises UnsupportedError naming the keyword that has none."""
    return _convert(schema, Place(field, schema))


def _convert(given: Any, place: Place) -> Schema:
    schema, place = _resolved(an_object(given, place.field), place)
    if place.field.count(".") > DEEPEST:
        place.refuse("the schema is too deep for Gemini's own form")
    made: Schema = {}
    for keyword, value in schema.items():
        if keyword in KEPT:
            made[KEPT[keyword]] = value
        elif keyword in WRITERS:
            WRITERS[keyword](made, value, place.at(keyword))
        elif keyword not in IGNORED:
            place.at(keyword).refuse("Gemini's own form of schema has no place for it")
    return made


def _resolved(schema: Schema, place: Place) -> tuple[Schema, Place]:
    """The schema that a reference means, with what stands beside the reference."""
    while "$ref" in schema:
        path = a_string(schema["$ref"], f"{place.field}.$ref")
        if path in place.refs:
            place.at("$ref").refuse("Gemini's own form of schema takes none that holds itself")
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**_target(path, place), **beside}
        place = place._replace(refs=(*place.refs, path))
    return schema, place


def _target(path: str, place: Place) -> Schema:
    target: Any = place.root if path.startswith("#") else None
    for name in filter(None, path.removeprefix("#").split("/")):
        target = target.get(name) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        place.at("$ref").refuse("it refers to nothing in this schema")
    return target


def _type(made: Schema, value: Any, place: Place) -> None:
    """A type, or one type and null."""
    names = [value] if isinstance(value, str) else a_list(value, place.field, "a type or a list of types")
    others = [a_string(name, place.field) for name in names if name != "null"] or ["null"]
    if len(others) > 1 or others[0] not in TYPES:
        place.refuse("Gemini's own form of schema takes one known type, and null beside it")
    made["type"] = TYPES[others[0]]
    if "null" in names and others != ["null"]:
        made["nullable"] = True


def _enum(made: Schema, value: Any, place: Place) -> None:
    options = [option for option in a_list(value, place.field) if option is not None]
    if not options or not all(isinstance(option, str) for option in options):
        place.refuse("Gemini's own form of schema takes strings only here")
    made.setdefault("type", "STRING")
    made["enum"] = options
    if len(options) < len(value):
        made["nullable"] = True


def _const(made: Schema, value: Any, place: Place) -> None:
    _enum(made, [value], place)


def _items(made: Schema, value: Any, place: Place) -> None:
    made["items"] = _convert(value, place)


def _properties(made: Schema, value: Any, place: Place) -> None:
    given = an_object(value, place.field).items()
    made["properties"] = {name: _convert(schema, place.at(name)) for name, schema in given}


def _additional(made: Schema, value: Any, place: Place) -> None:
    """Gemini makes no other members than those described, so false asks for nothing."""
    if value is not False:
        place.refuse("Gemini's own form of schema takes false only here")


def _any_of(made: Schema, value: Any, place: Place) -> None:
    """Alternatives; null among them is a flag."""
    options = [option for option in a_list(value, place.field) if option != {"type": "null"}]
    converted = [_convert(option, place.at(index)) for index, option in enumerate(options)]
    made.update(converted[0] if len(converted) == 1 else {"any_of": converted})
    if len(options) < len(value):
        made["nullable"] = True


WRITERS: dict[str, Callable[[Schema, Any, Place], None]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "anyOf": _any_of,
    "oneOf": _any_of,
}
