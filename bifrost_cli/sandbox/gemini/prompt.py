"""From a request to the prompt that a model answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bifrost_cli.sandbox.answers import Prompt, Tool, tokens
from bifrost_cli.sandbox.gemini import models, thinking
from bifrost_cli.sandbox.gemini.check import parts

Request = Mapping[str, Any]
_TOOL_TOKENS = 30
_CACHED = 1024
_MEDIA = {"image": ("IMAGE", 258), "audio": ("AUDIO", 320), "video": ("VIDEO", 2630)}
_DOCUMENT = ("DOCUMENT", 258)
_KEYWORDS = {
    "any_of": "anyOf",
    "max_items": "maxItems",
    "min_items": "minItems",
    "max_length": "maxLength",
    "min_length": "minLength",
    "enum": "enum",
    "required": "required",
    "format": "format",
    "minimum": "minimum",
    "maximum": "maximum",
    "default": "default",
}


def read(request: Request, model: str, size: int) -> Prompt:
    """The prompt in a request that has been checked, of so many tokens."""
    config = request.get("generation_config", {})
    calling = request.get("tool_config", {}).get("function_calling_config", {})
    return Prompt(
        text=last_text(request),
        tokens=size,
        tools=() if calling.get("mode") == "NONE" else tuple(_tools(request, calling)),
        forced="" if calling.get("mode") == "ANY" else None,
        schema=_answer_schema(config),
        limit=config.get("max_output_tokens"),
        stops=tuple(config.get("stop_sequences", ())),
        thinking=thinking.on(model, config.get("thinking_config", {})),
    )


def last_text(request: Request) -> str:
    """What the user said last; for the answers of functions, what those say."""
    for content in reversed(request["contents"]):
        if content.get("role") != "model":
            return "\n".join(_texts(content["parts"]))
    return ""


def count(request: Request) -> dict[str, int]:
    """About how many tokens go in, by modality."""
    total = {"TEXT": 0}
    for part in parts(request):
        total["TEXT"] += sum(map(tokens, _texts([part])))
        kind = part.get("inline_data", part.get("file_data", {})).get("mime_type")
        if "inline_data" in part or "file_data" in part:
            modality, size = _MEDIA.get(str(kind).partition("/")[0], _DOCUMENT)
            total[modality] = total.get(modality, 0) + size
    total["TEXT"] += sum(_TOOL_TOKENS + tokens(str(tool)) for tool in request.get("tools", ()))
    return total


def cached(request: Request, model: str) -> int:
    """How much of a prompt is taken from the implicit cache, of models from 2.5 on: here it is an instruction that is
    long enough (documented: 1024 tokens)."""
    size = sum(map(tokens, _texts(request.get("system_instruction", {}).get("parts", ()))))
    return size if models.thinks(model) and size >= _CACHED else 0


def _texts(items: Iterable[Request]) -> Iterator[str]:
    for part in items:
        if "text" in part:
            yield part["text"]
        elif "function_response" in part:
            yield from _strings(part["function_response"].get("response", {}))
        elif "function_call" in part:
            yield str(part["function_call"].get("args", {}))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def _tools(request: Request, calling: Request) -> Iterator[Tool]:
    allowed = calling.get("allowed_function_names", ())
    for tool in request.get("tools", ()):
        for function in tool.get("function_declarations", ()):
            if not allowed or function["name"] in allowed:
                schema = function.get("parameters_json_schema") or json_schema(function.get("parameters", {}))
                yield Tool(function["name"], schema)


def _answer_schema(config: Request) -> Mapping[str, Any] | None:
    if config.get("response_mime_type", "text/plain") != "application/json":
        return None
    if "response_json_schema" in config:
        return dict(config["response_json_schema"])
    if "response_schema" in config:
        return json_schema(config["response_schema"])
    return {"type": "object", "properties": {"answer": {"type": "string"}}}


def json_schema(schema: Request) -> dict[str, Any]:
    """A Schema as JSON Schema writes it."""
    result: dict[str, Any] = {_KEYWORDS[name]: value for name, value in schema.items() if name in _KEYWORDS}
    if schema.get("type", "TYPE_UNSPECIFIED") != "TYPE_UNSPECIFIED":
        result["type"] = schema["type"].lower()
    if "any_of" in schema:
        result["anyOf"] = [json_schema(inner) for inner in schema["any_of"]]
    if "items" in schema:
        result["items"] = json_schema(schema["items"])
    if "properties" in schema:
        result["properties"] = {name: json_schema(inner) for name, inner in schema["properties"].items()}
    return result
