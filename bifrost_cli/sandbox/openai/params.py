"""Shapes that several of OpenAI's request bodies share."""

from bifrost_cli.sandbox.shape import (
    Check,
    anything,
    array,
    boolean,
    choice,
    mapping,
    nullable,
    number,
    record,
    string,
    tagged,
)

text = string()
url = string(short=1)
metadata = nullable(mapping(string(long=512), key=string(long=64), long=16))
effort = nullable(choice("none", "minimal", "low", "medium", "high", "xhigh", "max"))
verbosity = nullable(choice("low", "medium", "high"))
service_tier = nullable(choice("auto", "default", "flex", "scale", "priority", "fast"))
temperature = nullable(number(0.0, 2.0))
top_p = nullable(number(0.0, 1.0))
penalty = nullable(number(-2.0, 2.0))
detail = choice("auto", "low", "high", "original")
format_name = string(short=1, long=64, pattern=r"^[a-zA-Z0-9_-]+$")
strict = nullable(boolean)
open_object: Check = record({"type": anything}, extra=True)

COMMON: dict[str, Check] = {
    "metadata": metadata,
    "temperature": temperature,
    "top_p": top_p,
    "top_logprobs": nullable(number(0, 20)),
    "service_tier": service_tier,
    "store": nullable(boolean),
    "stream": nullable(boolean),
    "parallel_tool_calls": nullable(boolean),
    "prompt_cache_key": nullable(text),
    "prompt_cache_options": mapping(),
    "prompt_cache_retention": nullable(choice("in_memory", "24h")),
    "safety_identifier": nullable(string(long=128)),
    "user": text,
    "moderation": nullable(mapping()),
}
"""Top-level members of both Responses and Chat Completions."""

FORMATS: dict[str, Check] = {"text": record({"type": anything}), "json_object": record({"type": anything})}
SCHEMA_FORMAT: dict[str, Check] = {"description": text, "strict": strict}


def named_tool(length: int) -> Check:
    """The name of a function: at most 128 characters in Responses, 64 in Chat Completions (documented)."""
    return string(short=1, long=length, pattern=r"^[a-zA-Z0-9_-]+$")


def parts(**table: Check) -> Check:
    """A list of content parts."""
    return array(tagged(table))
