"""Top-level fields that translate alike for both endpoints.

A handler takes the body being made, the field's name and value, the whole `params`, and the consent to lose fields.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from bifrost_cli.providers.openai.blocks import texts
from bifrost_cli.providers.openai.checks import (
    NO_COUNTERPART,
    Drop,
    a_number,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
)
from bifrost_cli.providers.openai.reasoning import takes_sampling
from bifrost_cli.providers.openai.tools import strictable

Body = dict[str, Any]
Handler = Callable[[Body, str, Any, dict[str, Any], Drop], None]

HINTS = frozenset({"cache_control", "diagnostics"})
"""Fields that ask for nothing here: OpenAI caches prompts by itself, and `diagnostics` is about Anthropic's cache."""
OUTPUT_CONFIG = frozenset({"effort", "format"})
PREFILL = "OpenAI's models do not continue an assistant message"
END_WITH_USER = "End with a user message."
LEAVE_OUT_OR_CHAT = "Leave it out, set BIFROST_OPENAI_ENDPOINT=chat"


def hint(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """A field that asks for nothing here."""


def only(*values: object) -> Handler:
    """A field of which these values ask for nothing, and all others have no place."""

    def check(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
        if value not in values:
            refuse(name, NO_COUNTERPART, drop)

    return check


def model(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """As it is."""
    body[name] = value


def sampling(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """`temperature` and `top_p`: models that reason take no other value than 1, so there 1 is left out."""
    if takes_sampling(params, drop):
        body[name] = a_number(value, name)
    elif a_number(value, name) != 1:
        refuse(name, f"{params['model']} takes it only while it does not reason", drop)


def metadata(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """`user_id` as `safety_identifier`: its SHA-256 in hex, since OpenAI asks for no more than 64 characters that
    identify nobody."""
    check_members(an_object(value, name), frozenset({"user_id"}), name, drop)
    if (user := value.get("user_id")) is not None:
        data = a_string(user, "metadata.user_id").encode("utf-8", "surrogatepass")
        body["safety_identifier"] = sha256(data).hexdigest()


def service_tier(body: Body, name: str, value: Any, params: dict[str, Any], drop: Drop) -> None:
    """`auto` is OpenAI's default too; `standard_only` is its `default`."""
    if value == "standard_only":
        body[name] = "default"
    elif value != "auto":
        refuse(name, f"OpenAI has no counterpart for {value!r}", drop)


SHARED: dict[str, Handler] = {
    **dict.fromkeys(HINTS, hint),
    "model": model,
    "temperature": sampling,
    "top_p": sampling,
    "metadata": metadata,
    "service_tier": service_tier,
    "stream": only(False),
    "speed": only("standard"),
}


def system_text(value: Any, drop: Drop) -> str:
    """The system prompt; nothing where there is none."""
    if isinstance(value, str):
        return value
    return "" if value in (None, []) else "\n\n".join(texts(value, "system", drop))


def stops(value: Any) -> list[str]:
    """The stop sequences, which may be none."""
    if not isinstance(value, list) or not all(isinstance(stop, str) for stop in value):
        invalid("stop_sequences", "a list of strings", value)
    return value


def output_format(value: Any, drop: Drop) -> dict[str, Any]:
    """`output_config.format` as OpenAI's json_schema: name, schema, and strict where the schema allows it."""
    given = an_object(value, "output_config.format")
    check_members(given, frozenset({"type", "schema"}), "output_config.format", drop)
    if given.get("type") != "json_schema":
        invalid("output_config.format.type", "json_schema", given.get("type"))
    schema = an_object(given.get("schema"), "output_config.format.schema")
    return {"name": "output", "schema": schema, "strict": strictable(schema)}
