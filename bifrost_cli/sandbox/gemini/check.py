"""What Gemini refuses in a request that can be read: values that are out of bounds, and what does not go together.

A request is in snake_case here, as `proto` leaves it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bifrost_cli.sandbox.example import flaw
from bifrost_cli.sandbox.gemini import conversation, models, thinking
from bifrost_cli.sandbox.gemini.access import MediaType
from bifrost_cli.sandbox.gemini.errors import PERMISSION_DENIED, Refusal
from bifrost_cli.sandbox.gemini.messages import BUILT_IN_TOOLS, DATA

Request = Mapping[str, Any]
MAX_STOPS = 5
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_BAD_NAME = (
    "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), "
    "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128."
)
_MIME_TYPES = ("text/plain", "application/json", "text/x.enum", "application/xml", "application/yaml")
_BOUNDS = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0)}
_POSITIVE = ("max_output_tokens", "top_k", "candidate_count")
_READABLE = (
    *(f"image/{name}" for name in ("png", "jpeg", "webp", "heic", "heif")),
    *(f"application/{name}" for name in ("pdf", "json", "rtf", "x-javascript", "x-typescript", "x-python-code")),
)
_FILE_URI = re.compile(r"(?:https?://[^?#]+/v1(?:beta)?/)?files/(?P<id>[a-z0-9-]+)")


@dataclass(frozen=True)
class Context:
    """Who asks what: the model's name, and what tells the media type of a file, or raises the Refusal for one that
    cannot be used."""

    model: str
    media_type: MediaType


def broken(field: str, reason: str) -> Refusal:
    """A rule of a field that is broken, in the words of the service (reported)."""
    return Refusal(f"* GenerateContentRequest.{field}: {reason}\n")


def check(request: Request, context: Context) -> None:
    """Raises the Refusal that a request gets; else returns."""
    if not request.get("contents"):
        raise broken("contents", "contents is not specified")
    for position, content in enumerate(request["contents"]):
        _check_content(content, f"contents[{position}]")
    if "system_instruction" in request:
        _check_parts(request["system_instruction"], "system_instruction")
    _check_tools(request)
    _check_combination(request, context.model)
    _check_config(request.get("generation_config", {}))
    thinking.check(context.model, request.get("generation_config", {}).get("thinking_config", {}))
    conversation.check(request["contents"], context.model)
    _check_files(request, context)
    if "cached_content" in request:
        message = f"CachedContent not found (or permission denied) for {request['cached_content']}"
        raise Refusal(message, PERMISSION_DENIED)


def _check_content(content: Request, path: str) -> None:
    if content.get("role") not in (None, "", "user", "model"):
        raise Refusal("Please use a valid role: user, model.")
    _check_parts(content, path)


def _check_parts(content: Request, path: str) -> None:
    if not content.get("parts"):
        raise broken(f"{path}.parts", "contents.parts must not be empty.")
    for position, part in enumerate(content["parts"]):
        _check_part(part, f"{path}.parts[{position}]")


def _check_part(part: Request, path: str) -> None:
    if not any(name in part for name in DATA):
        raise broken(f"{path}.data", "required oneof field 'data' must have one initialized field")
    for name in ("function_call", "function_response"):
        if name in part and not part[name].get("name"):
            raise broken(f"{path}.{name}.name", "Name cannot be empty.")
    if "function_response" in part and "response" not in part["function_response"]:
        raise broken(f"{path}.function_response.response", "[sandbox] response must be set.")
    for name, member in (("inline_data", "data"), ("file_data", "file_uri")):
        if name in part and not part[name].get(member):
            raise broken(f"{path}.{name}.{member}", f"[sandbox] {member} must be set.")
    if "inline_data" in part and not part["inline_data"].get("mime_type"):
        raise broken(f"{path}.inline_data.mime_type", "[sandbox] mime_type must be set.")


def _check_tools(request: Request) -> None:
    names: set[str] = set()
    for path, tool in _functions(request):
        name = tool.get("name", "")
        if not _FUNCTION_NAME.fullmatch(name):
            raise broken(f"{path}.name", _BAD_NAME)
        if name in names:
            raise Refusal(f"Duplicate function declaration found: {name}")
        names.add(name)
        _check_parameters(tool, path)
    _check_calling(request.get("tool_config", {}).get("function_calling_config", {}), names)


def _check_combination(request: Request, model: str) -> None:
    """Models before 3 do not combine functions with JSON or with tools of Google's (reported)."""
    tools = request.get("tools", ())
    if models.generation(model) >= (3, 0) or not any("function_declarations" in tool for tool in tools):
        return
    kind = request.get("generation_config", {}).get("response_mime_type", "text/plain")
    if kind != "text/plain":
        raise Refusal(f"Function calling with a response mime type: '{kind}' is unsupported")
    if any(name in tool for tool in tools for name in BUILT_IN_TOOLS):
        raise Refusal("Tool use with function calling is unsupported")


def _functions(request: Request) -> Iterator[tuple[str, Request]]:
    for outer, tool in enumerate(request.get("tools", ())):
        for inner, function in enumerate(tool.get("function_declarations", ())):
            yield f"tools[{outer}].function_declarations[{inner}]", function


def _check_parameters(tool: Request, path: str) -> None:
    if "parameters" in tool and "parameters_json_schema" in tool:
        message = "parameters and parameters_json_schema are mutually exclusive; only one of them may be set."
        raise broken(path, f"[sandbox] {message}")
    if "parameters" in tool:
        check_schema(tool["parameters"], f"{path}.parameters")
    elif "parameters_json_schema" in tool:
        _check_json_schema(tool["parameters_json_schema"], f"{path}.parameters_json_schema")


def _check_calling(config: Request, names: set[str]) -> None:
    allowed = config.get("allowed_function_names", ())
    field = "tool_config.function_calling_config"
    if allowed and config.get("mode") not in ("ANY", "VALIDATED"):
        raise broken(f"{field}.allowed_function_names", "[sandbox] may be set in the modes ANY and VALIDATED only.")
    for name in allowed:
        if name not in names:
            raise broken(f"{field}.allowed_function_names", f"[sandbox] {name} is not a declared function.")
    if config and not names:
        raise Refusal("Function calling config is set without function_declarations.")


def check_schema(schema: Request, path: str) -> None:
    """Raises the Refusal for a Schema that contradicts itself (reported)."""
    kind = schema.get("type")
    if kind == "ARRAY" and "items" not in schema:
        raise broken(f"{path}.items", "missing field.")
    if kind == "OBJECT" and "properties" in schema and not schema["properties"] and schema.get("required"):
        raise broken(f"{path}.properties", "should be non-empty for OBJECT type")
    for name in schema.get("required", ()):
        if name not in schema.get("properties", {}):
            raise broken(f"{path}.required[{schema['required'].index(name)}]", "property is not defined")
    if schema.get("enum") and kind not in ("STRING", None):
        raise broken(f"{path}.enum", "only allowed for STRING type")
    for name, inner in schema.get("properties", {}).items():
        check_schema(inner, f"{path}.properties[{name}]")
    if "items" in schema:
        check_schema(schema["items"], f"{path}.items")
    for position, inner in enumerate(schema.get("any_of", ())):
        check_schema(inner, f"{path}.any_of[{position}]")


def _check_json_schema(schema: Any, path: str) -> None:
    problem = flaw(schema) if isinstance(schema, Mapping) else "it is no object"
    if problem:
        raise broken(path, f"[sandbox] is no JSON Schema: {problem}")


def _check_config(config: Request) -> None:
    for name, (low, high) in _BOUNDS.items():
        if not low <= config.get(name, low) <= high:
            raise broken(f"generation_config.{name}", f"{name} must be in the range [{low}, {high}].")
    for name in _POSITIVE:
        if config.get(name, 1) < 1:
            raise broken(f"generation_config.{name}", f"{name} must be positive.")
    if config.get("candidate_count", 1) > 1:
        raise Refusal("Multiple candidates is not enabled for this model")
    if len(config.get("stop_sequences", ())) > MAX_STOPS:
        raise broken("generation_config.stop_sequences", f"the number of stop_sequences must not exceed {MAX_STOPS}.")
    _check_format(config)


def _check_format(config: Request) -> None:
    kind = config.get("response_mime_type") or "text/plain"
    if kind not in _MIME_TYPES:
        allowed = ", ".join(_MIME_TYPES)
        raise broken("generation_config.response_mime_type", f"allowed mimetypes are {allowed}.")
    given = [name for name in ("response_schema", "response_json_schema") if name in config]
    if len(given) == 2:
        message = "[sandbox] response_schema and response_json_schema may not both be set."
        raise broken("generation_config.response_json_schema", message)
    for name in given:
        if kind == "text/plain":
            message = f"{name} with {kind} is unsupported; response_mime_type must be application/json."
            raise broken(f"generation_config.{name}", f"[sandbox] {message}")
    if "response_schema" in config:
        check_schema(config["response_schema"], "generation_config.response_schema")
    if "response_json_schema" in config:
        _check_json_schema(config["response_json_schema"], "generation_config.response_json_schema")


def _check_files(request: Request, context: Context) -> None:
    for part in parts(request):
        kind = part.get("inline_data", part.get("file_data", {})).get("mime_type")
        if "file_data" in part:
            kind = _media_type(part["file_data"]["file_uri"], context) or kind
        if kind is not None and not _readable(kind):
            raise Refusal(f"Unsupported MIME type: {kind}")


def parts(request: Request) -> Iterator[Request]:
    """All parts of a request: the instruction's, the conversation's, and those inside function responses."""
    for content in (request.get("system_instruction", {}), *request.get("contents", ())):
        for part in content.get("parts", ()):
            yield part
            yield from part.get("function_response", {}).get("parts", ())


def _media_type(uri: str, context: Context) -> str | None:
    match = _FILE_URI.fullmatch(uri)
    if match is not None:
        return context.media_type(match["id"])
    if not uri.startswith(("https://", "http://")):
        raise Refusal(f"Invalid or unsupported file uri: {uri}")
    return None


def _readable(kind: str) -> bool:
    """Whether models read a media type (documented)."""
    return kind.startswith(("text/", "audio/", "video/")) or kind in _READABLE


def model_of(request: Request, path_model: str) -> None:
    """Raises the Refusal for a request that names another model than the path does."""
    named = models.bare(request.get("model", ""))
    if named and named != path_model:
        raise Refusal(f"[sandbox] the request names the model {named}, the path {path_model}")
