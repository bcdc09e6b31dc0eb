"""No field of a request is lost in silence: the encoded line moves when a field is given, or the field is refused by
its name, or it is among the few that ask for nothing at a provider, which are listed here with the reason.

The list of fields is written by hand, and held against the types of Anthropic's SDK so that it stays whole.
"""

import copy
import re
import typing
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import anthropic.types
import anthropic.types.message_create_params as create_params
import pytest

from bifrost_cli.config import Config
from bifrost_cli.errors import InvalidRequestError, UnsupportedError
from bifrost_cli.models import Request
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.base import Context, Line, Provider
from bifrost_cli.transport import new_client

Params = dict[str, Any]
MARK = "MARK-7f3a"
"""A text that must be found in a line that was moved by it, as it is or in base64."""
PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
CACHE = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"name": "weigh", "input_schema": SCHEMA}
HELLO = {"role": "user", "content": "hello"}
BASE: Params = {"max_tokens": 2000, "messages": [HELLO]}


@dataclass(frozen=True)
class Case:
    """A field given (`value` at `path`) to a request that lacks it. `covers` is what of Anthropic's types it is."""

    name: str
    path: str
    value: Any
    base: Params = field(default_factory=lambda: BASE)
    covers: str = ""


def user(*blocks: Params) -> Params:
    return {**BASE, "messages": [{"role": "user", "content": list(blocks)}]}


def answered(result: Params, **call: Any) -> Params:
    """A conversation in which a tool was called and gave this result."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "weigh", "input": {"a": "b"}, **call}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", **result}
    turns = [HELLO, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return {**BASE, "messages": turns, "tools": [TOOL]}


def spoken(*blocks: Params) -> Params:
    """A conversation in which the assistant said these blocks, and the user goes on."""
    turns = [HELLO, {"role": "assistant", "content": [*blocks, {"type": "text", "text": "there"}]}, HELLO]
    return {**BASE, "messages": turns}


def text(**members: Any) -> Params:
    return {"type": "text", "text": "some text", **members}


def image(source: Params | None = None, **members: Any) -> Params:
    source = source or {"type": "base64", "media_type": "image/png", "data": PNG}
    return {"type": "image", "source": source, **members}


def document(source: Params | None = None, **members: Any) -> Params:
    source = source or {"type": "text", "media_type": "text/plain", "data": "some words"}
    return {"type": "document", "source": source, **members}


def found(**members: Any) -> Params:
    return {"type": "search_result", "source": "https://a.example", "title": "t", "content": [text()], **members}


WITH_TOOL = {**BASE, "tools": [TOOL]}
IN_TEXT = user(text())
IN_IMAGE = user(image())
IN_FOUND = user(found())
SERVER_CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": MARK}}
CITED = {"type": "char_location", "cited_text": MARK, "document_index": 0, "document_title": MARK}
CITED |= {"start_char_index": 0, "end_char_index": 4}
SOURCES = {
    "text": {"type": "text", "media_type": "text/plain", "data": MARK},
    "base64": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    "content": {"type": "content", "content": [text(text=MARK)]},
    "content string": {"type": "content", "content": MARK},
    "url": {"type": "url", "url": f"https://a.example/{MARK}.pdf"},
    "file": {"type": "file", "file_id": f"file-{MARK}"},
}
IMAGES = {
    "base64": {"type": "base64", "media_type": "image/png", "data": PNG},
    "url": {"type": "url", "url": f"https://a.example/{MARK}.png"},
    "file": {"type": "file", "file_id": f"file-{MARK}"},
}
SERVER_TOOLS = ("web_search_20260318", "code_execution_20260521", "bash_20250124", "memory_20250818")
SERVER_RESULTS = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
)

AT_THE_TOP = [
    Case("system", "system", MARK, covers="create.system"),
    Case("system blocks", "system", [text(text=MARK)]),
    Case("system.cache_control", "system.0.cache_control", CACHE, {**BASE, "system": [text()]}),
    Case("system.citations", "system.0.citations", [CITED], {**BASE, "system": [text()]}),
    Case("stop_sequences", "stop_sequences", [MARK], covers="create.stop_sequences"),
    Case("five stop_sequences", "stop_sequences", ["1", "2", "3", "4", MARK]),
    Case("temperature", "temperature", 0.5),
    Case("top_p", "top_p", 0.5),
    Case("top_k", "top_k", 5),
    Case("metadata.user_id", "metadata", {"user_id": "someone"}, covers="create.metadata metadata.user_id"),
    Case("metadata.other", "metadata", {"other": MARK}),
    Case("service_tier", "service_tier", "standard_only", covers="create.service_tier"),
    Case("speed", "speed", "fast", covers="create.speed"),
    Case("cache_control", "cache_control", CACHE, covers="create.cache_control cache.type"),
    Case("cache_control.ttl", "cache_control", {**CACHE, "ttl": "1h"}, covers="cache.ttl"),
    Case("container", "container", "container_1", covers="create.container"),
    Case("container object", "container", {"id": "container_1", "skills": []}),
    Case("diagnostics", "diagnostics", {"previous_message_id": "msg_1"}, covers="create.diagnostics"),
    Case("inference_geo", "inference_geo", "us", covers="create.inference_geo"),
    Case("a field of the future", "field_of_the_future", MARK),
    Case("max_tokens", "max_tokens", 3000, covers="create.max_tokens"),
    Case("model", "model", "another-model", covers="create.model"),
    Case("messages", "messages", [{"role": "user", "content": MARK}], covers="create.messages"),
]
THINKING = [
    Case(
        "thinking enabled",
        "thinking",
        {"type": "enabled", "budget_tokens": 1024},
        covers="create.thinking enabled.type enabled.budget_tokens",
    ),
    Case("thinking adaptive", "thinking", {"type": "adaptive"}, covers="adaptive.type"),
    Case("thinking disabled", "thinking", {"type": "disabled"}, covers="disabled.type"),
    Case("thinking between_tools", "thinking", {"type": "between_tools"}, covers="between.type"),
    Case(
        "thinking.display",
        "thinking.display",
        "omitted",
        {**BASE, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        covers="enabled.display",
    ),
    Case(
        "adaptive thinking.display",
        "thinking.display",
        "omitted",
        {**BASE, "thinking": {"type": "adaptive"}},
        covers="adaptive.display",
    ),
    Case("thinking.of_the_future", "thinking.of_the_future", 1, {**BASE, "thinking": {"type": "adaptive"}}),
    Case("output_config.effort", "output_config", {"effort": "low"}, covers="create.output_config output.effort"),
    Case("another effort", "output_config.effort", "high", {**BASE, "output_config": {"effort": "low"}}),
    Case(
        "output_config.format",
        "output_config",
        {"format": {"type": "json_schema", "schema": {**SCHEMA, "title": MARK}}},
        covers="output.format format.type format.schema",
    ),
    Case("output_config.of_the_future", "output_config", {"of_the_future": 1}),
]
TOOLS = [
    Case("tools", "tools", [{**TOOL, "name": MARK}], covers="create.tools tool.name tool.input_schema"),
    Case("tool.description", "tools.0.description", MARK, WITH_TOOL, covers="tool.description"),
    Case("tool.strict", "tools.0.strict", True, WITH_TOOL, covers="tool.strict"),
    Case("tool.cache_control", "tools.0.cache_control", CACHE, WITH_TOOL, covers="tool.cache_control"),
    Case("tool.defer_loading", "tools.0.defer_loading", True, WITH_TOOL, covers="tool.defer_loading"),
    Case(
        "tool.eager_input_streaming",
        "tools.0.eager_input_streaming",
        True,
        WITH_TOOL,
        covers="tool.eager_input_streaming",
    ),
    Case(
        "tool.allowed_callers",
        "tools.0.allowed_callers",
        ["code_execution_20260521"],
        WITH_TOOL,
        covers="tool.allowed_callers",
    ),
    Case("tool.input_examples", "tools.0.input_examples", [{"a": MARK}], WITH_TOOL, covers="tool.input_examples"),
    Case("tool.type", "tools.0.type", "custom", WITH_TOOL, covers="tool.type"),
    Case("tool.of_the_future", "tools.0.of_the_future", 1, WITH_TOOL),
    *(Case(f"tools of {kind}", "tools", [{"type": kind, "name": "theirs"}]) for kind in SERVER_TOOLS),
    Case("tool_choice any", "tool_choice", {"type": "any"}, WITH_TOOL, covers="create.tool_choice any.type"),
    Case("tool_choice auto", "tool_choice", {"type": "auto"}, WITH_TOOL, covers="auto.type"),
    Case("tool_choice none", "tool_choice", {"type": "none"}, WITH_TOOL, covers="none.type"),
    Case(
        "tool_choice tool",
        "tool_choice",
        {"type": "tool", "name": "weigh"},
        WITH_TOOL,
        covers="tool_choice.type tool_choice.name",
    ),
    *(
        Case(
            f"tool_choice {kind}.disable_parallel_tool_use",
            "tool_choice.disable_parallel_tool_use",
            True,
            {**WITH_TOOL, "tool_choice": {"type": kind, **name}},
            covers=f"{covered}.disable_parallel_tool_use",
        )
        for kind, name, covered in (
            ("auto", {}, "auto"),
            ("any", {}, "any"),
            ("tool", {"name": "weigh"}, "tool_choice"),
        )
    ),
]
IN_MESSAGES = [
    Case("message.of_the_future", "messages.0.of_the_future", 1),
    Case("a system message", "messages", [HELLO, {"role": "system", "content": MARK}, HELLO]),
    Case("text", "messages.0.content", [text(text=MARK)], covers="message.content message.role text.type text.text"),
    Case("text.cache_control", "messages.0.content.0.cache_control", CACHE, IN_TEXT, covers="text.cache_control"),
    Case("text.of_the_future", "messages.0.content.0.of_the_future", 1, IN_TEXT),
    Case("text.citations", "messages.1.content.0.citations", [CITED], spoken(text()), covers="text.citations"),
    *(
        Case(f"image {name}", "messages.0.content", [image(source)], covers="image.type image.source")
        for name, source in IMAGES.items()
    ),
    Case("image.cache_control", "messages.0.content.0.cache_control", CACHE, IN_IMAGE, covers="image.cache_control"),
    Case(
        "image.transformations",
        "messages.0.content.0.transformations",
        {"oversized_image": "error"},
        IN_IMAGE,
        covers="image.transformations transformations.oversized_image",
    ),
    Case("image.of_the_future", "messages.0.content.0.of_the_future", 1, IN_IMAGE),
    Case("image.source.of_the_future", "messages.0.content.0.source.of_the_future", 1, IN_IMAGE),
    *(
        Case(f"document {name}", "messages.0.content", [document(source)], covers="document.type document.source")
        for name, source in SOURCES.items()
    ),
    *(
        Case(
            f"document {name}.{member}",
            f"messages.0.content.0.{member}",
            value,
            user(document(source)),
            covers=f"document.{member}",
        )
        for name, source in SOURCES.items()
        for member, value in (
            ("title", MARK),
            ("context", MARK),
            ("citations", {"enabled": True}),
            ("cache_control", CACHE),
            ("of_the_future", 1),
        )
    ),
    Case("search_result", "messages.0.content", [found(title=MARK)], covers="found.type found.title"),
    Case("search_result.source", "messages.0.content.0.source", MARK, IN_FOUND, covers="found.source"),
    Case("search_result.content", "messages.0.content.0.content", [text(text=MARK)], IN_FOUND, covers="found.content"),
    Case(
        "search_result.citations",
        "messages.0.content.0.citations",
        {"enabled": True},
        IN_FOUND,
        covers="found.citations citations.enabled",
    ),
    Case(
        "search_result.cache_control",
        "messages.0.content.0.cache_control",
        CACHE,
        IN_FOUND,
        covers="found.cache_control",
    ),
    Case("search_result.of_the_future", "messages.0.content.0.of_the_future", 1, IN_FOUND),
    Case(
        "container_upload",
        "messages.0.content",
        [text(), {"type": "container_upload", "file_id": "file_1"}],
        covers="upload.type upload.file_id upload.cache_control",
    ),
    Case("a block of the future", "messages.0.content", [text(), {"type": "of_the_future"}]),
]
IN_TOOL_TURNS = [
    Case("tool_use.input", "messages.1.content.0.input", {"a": MARK}, answered({}), covers="use.type use.input"),
    Case("tool_use.name", "messages.1.content.0.name", MARK, answered({}), covers="use.name"),
    Case("tool_use.id", "messages.1.content.0.id", MARK, answered({}), covers="use.id"),
    Case(
        "tool_use.cache_control", "messages.1.content.0.cache_control", CACHE, answered({}), covers="use.cache_control"
    ),
    Case("tool_use.toolset_name", "messages.1.content.0.toolset_name", MARK, answered({}), covers="use.toolset_name"),
    Case(
        "tool_use.caller",
        "messages.1.content.0.caller",
        {"type": "code_execution_20260521", "tool_id": "srvtoolu_1"},
        answered({}),
        covers="use.caller",
    ),
    Case("tool_use.of_the_future", "messages.1.content.0.of_the_future", 1, answered({})),
    Case(
        "tool_result.content", "messages.2.content.0.content", MARK, answered({}), covers="result.type result.content"
    ),
    Case("tool_result text", "messages.2.content.0.content", [text(text=MARK)], answered({})),
    Case("tool_result two texts", "messages.2.content.0.content", [text(), text(text=MARK)], answered({})),
    Case("tool_result image", "messages.2.content.0.content", [image(IMAGES["url"])], answered({})),
    Case("tool_result document", "messages.2.content.0.content", [document(SOURCES["text"])], answered({})),
    Case("tool_result pdf", "messages.2.content.0.content", [document(SOURCES["base64"])], answered({})),
    Case("tool_result search_result", "messages.2.content.0.content", [found(title=MARK)], answered({})),
    Case(
        "tool_result tool_reference",
        "messages.2.content.0.content",
        [{"type": "tool_reference", "tool_name": "weigh"}],
        answered({}),
    ),
    Case(
        "tool_result.tool_use_id", "messages.2.content.0.tool_use_id", MARK, answered({}), covers="result.tool_use_id"
    ),
    Case(
        "tool_result.is_error",
        "messages.2.content.0.is_error",
        True,
        answered({"content": "no"}),
        covers="result.is_error",
    ),
    Case("tool_result image.is_error", "messages.2.content.0.is_error", True, answered({"content": [image()]})),
    Case("empty tool_result.is_error", "messages.2.content.0.is_error", True, answered({})),
    Case(
        "tool_result.cache_control",
        "messages.2.content.0.cache_control",
        CACHE,
        answered({"content": "x"}),
        covers="result.cache_control",
    ),
    Case(
        "tool_result text.cache_control",
        "messages.2.content.0.content.0.cache_control",
        CACHE,
        answered({"content": [text()]}),
    ),
    Case(
        "tool_result.toolset_name",
        "messages.2.content.0.toolset_name",
        MARK,
        answered({"content": "x"}),
        covers="result.toolset_name",
    ),
    Case("tool_result.of_the_future", "messages.2.content.0.of_the_future", 1, answered({"content": "x"})),
    Case(
        "text beside a tool_result",
        "messages.2.content",
        [{"type": "tool_result", "tool_use_id": "toolu_1"}, text(text=MARK)],
        answered({}),
    ),
    Case(
        "thinking block",
        "messages.1.content",
        [{"type": "thinking", "thinking": MARK, "signature": "theirs"}, text(text="there")],
        spoken(),
        covers="thought.type thought.thinking thought.signature",
    ),
    Case(
        "redacted_thinking block",
        "messages.1.content",
        [{"type": "redacted_thinking", "data": MARK}, text(text="there")],
        spoken(),
        covers="redacted.type redacted.data",
    ),
    Case("assistant text", "messages.1.content.0.text", MARK, spoken()),
    Case("assistant image", "messages.1.content", [image(IMAGES["url"])], spoken()),
    Case(
        "server_tool_use",
        "messages.1.content",
        [SERVER_CALL, text(text="there")],
        spoken(),
        covers="server.type server.id server.name server.input server.cache_control server.caller",
    ),
    *(
        Case(
            kind,
            "messages.1.content",
            [SERVER_CALL, {"type": kind, "tool_use_id": "srvtoolu_1", "content": []}],
            spoken(),
        )
        for kind in SERVER_RESULTS
    ),
]
CASES = {case.name: case for case in [*AT_THE_TOP, *THINKING, *TOOLS, *IN_MESSAGES, *IN_TOOL_TURNS]}
CACHING = [name for name in CASES if "cache_control" in name]

ASKS_NOTHING: dict[str, dict[str, str]] = {
    "openai": {
        **dict.fromkeys(CACHING, "prompts are cached without asking"),
        "diagnostics": "it is about Anthropic's cache",
        "system.citations": "they say where an earlier text came from; the text goes whole",
        "text.citations": "they say where an earlier text came from; the text goes whole",
        "tool.eager_input_streaming": "a batch does not stream",
        "tool.type": "it says that the tool is of the usual kind",
        "thinking block": "another provider's signed thinking means nothing to these models",
        "redacted_thinking block": "another provider's encrypted thinking means nothing to these models",
    },
    "gemini": {
        **dict.fromkeys(CACHING, "prompts are cached without asking"),
        "diagnostics": "it is about Anthropic's cache",
        "metadata.user_id": "requests name no user",
        "service_tier": "a batch has no other tier",
        "system.citations": "they say where an earlier text came from; the text goes whole",
        "text.citations": "they say where an earlier text came from; the text goes whole",
        "tool.eager_input_streaming": "a batch does not stream",
        "tool.type": "it says that the tool is of the usual kind",
        "thinking block": "another provider's signed thinking means nothing to these models",
        "redacted_thinking block": "another provider's encrypted thinking means nothing to these models",
    },
    "bedrock": {
        **dict.fromkeys(CACHING, "a batch that caches prompts is refused"),
        "diagnostics": "it is about Anthropic's cache",
        "service_tier": "a batch has no other tier",
        "tool.eager_input_streaming": "a batch does not stream",
    },
}
"""What may be lost: nothing that is not here; and nothing is here that is not."""
MAY_ASK_NOTHING: dict[str, dict[str, str]] = {
    "openai": {
        "thinking adaptive": "some models think as they see fit without asking",
        "thinking disabled": "some models do not think",
        "thinking.display": "where no summary is asked for, none can be left out",
        "adaptive thinking.display": "where no summary is asked for, none can be left out",
    },
    "bedrock": {
        "metadata.user_id": "Converse names no user",
        "metadata.other": "what metadata says of a request is for Anthropic",
        "system.citations": "they say where an earlier text came from; in Converse the text goes whole",
        "text.citations": "they say where an earlier text came from; in Converse the text goes whole",
        "thinking disabled": "Nova 2 does not think unless asked",
        "thinking.display": "Nova 2 shows what it thinks, or it is redacted",
        "adaptive thinking.display": "Nova 2 shows what it thinks, or it is redacted",
    },
}
"""What may be lost with some models or settings, and is not with others."""
OF_WHAT_IS_REFUSED: dict[str, list[str]] = {
    "bedrock": [name for name in CASES if name.startswith(("document url.", "document file."))],
}
"""Members of what a provider never takes: it refuses the request without them, too."""
HALF_OF_A_PAIR = {"tool_use.id", "tool_result.tool_use_id"}
"""They part a call from its result: who needs the pair says that the request is wrong."""
KEPT_IN_PART = {"five stop_sequences"}
"""Of these consent gives up a part only."""
VARIANTS: dict[str, list[dict[str, str]]] = {
    "openai": [{"BIFROST_OPENAI_ENDPOINT": mode} for mode in ("auto", "responses", "chat")],
}
"""The settings under which a provider's requests take another form."""
MODELS: dict[str, list[str]] = {
    "anthropic": ["claude-sonnet-5-5"],
    "openai": ["gpt-5.6-sol", "gpt-5.1", "gpt-4.1", "o3", "some-model"],
    "gemini": ["gemini-3.5-flash", "gemini-2.5-flash", "some-model"],
    "bedrock": ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-2-lite-v1:0"],
}
"""Models that differ in what they take; a provider that is not here is asked with a name that says nothing."""


# -- the claim ---------------------------------------------------------------------------------------------------


def adapters(name: str) -> list[tuple[Provider, str]]:
    """A provider under each of its settings, with each of its models."""
    kind, client = load(name), new_client()
    configs = [Config(environ=variant) for variant in VARIANTS.get(name, [{}])]
    made = [kind(config.settings(name, kind.settings), client, Context()) for config in configs]
    return [(adapter, model) for adapter in made for model in MODELS.get(name, ["some-model"])]


ADAPTERS = {name: adapters(name) for name in PROVIDERS}


def encoded(provider: Provider, model: str, params: Params) -> Line:
    return provider.encode(Request(custom_id="a", params={"model": model, **copy.deepcopy(params)}))


def given(case: Case) -> Params:
    """The case's request with its field."""
    params = copy.deepcopy(case.base)
    *steps, last = case.path.split(".")
    place: Any = params
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = case.value
    return params


def refusal(provider: Provider, model: str, params: Params) -> UnsupportedError | None:
    try:
        encoded(provider, model, params)
    except UnsupportedError as error:
        return error
    return None


def invalid(provider: Provider, model: str, params: Params) -> str | None:
    """What is wrong with a request, where a provider says so."""
    try:
        encoded(provider, model, params)
    except InvalidRequestError as error:
        return None if isinstance(error, UnsupportedError) else str(error)
    return None


def fate(provider: Provider, model: str, case: Case) -> str:
    """`moved`, `refused` or `lost`; or `beside`, where the request is refused without the field too."""
    if refusal(provider, model, case.base):
        return "beside"
    if case.name in HALF_OF_A_PAIR and (wrong := invalid(provider, model, given(case))):
        assert "tool_use_id: must be the id of" in wrong
        return "refused"
    if error := refusal(provider, model, given(case)):
        assert error.field is not None, f"no field is named: {error}"
        assert case.path.startswith(error.field) or error.field.startswith(case.path)
        assert error.provider == provider.name
        return "refused"
    before, after = encoded(provider, model, case.base), encoded(provider, model, given(case))
    if before == after:
        return "lost"
    marks = (MARK.encode(), b64encode(MARK.encode()))
    said = any(mark in after.body for mark in marks)
    assert said or MARK not in str(case.value), "what the field says is not in the line"
    return "moved"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_field_moves_the_line_or_is_refused_by_name_or_asks_nothing(name: str, case: Case) -> None:
    fates = {fate(provider, model, case) for provider, model in ADAPTERS[name]} - {"beside"}
    if case.name in OF_WHAT_IS_REFUSED.get(name, []):
        assert not fates
        return
    assert fates, "no provider took the request without the field, so this shows nothing"
    if case.name in ASKS_NOTHING.get(name, {}):
        assert fates == {"lost"}
    elif case.name in MAY_ASK_NOTHING.get(name, {}):
        assert "lost" in fates
        assert fates != {"lost"}
    else:
        assert "lost" not in fates


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_refused_field_may_be_let_go_by_consent_and_then_alone(name: str, case: Case) -> None:
    """With consent the line is that of the request without the field; or the field stays refused."""
    for provider, model in ADAPTERS[name]:
        if case.name in HALF_OF_A_PAIR or fate(provider, model, case) == "beside":
            continue
        error = refusal(provider, model, given(case))
        if error is None:
            continue
        consent = Context(drop=frozenset([str(error.field)]))
        consenting = type(provider)(provider.config, provider.client, consent)
        if refusal(consenting, model, given(case)) is None and case.name not in KEPT_IN_PART:
            assert encoded(consenting, model, given(case)) == encoded(provider, model, case.base)


# -- the list is whole -------------------------------------------------------------------------------------------

TYPES: dict[str, Any] = {
    "create": create_params.MessageCreateParamsBase,
    "message": anthropic.types.message_param.UserMessageParam,
    "text": anthropic.types.TextBlockParam,
    "image": anthropic.types.ImageBlockParam,
    "transformations": anthropic.types.ImageTransformationsParam,
    "document": anthropic.types.DocumentBlockParam,
    "found": anthropic.types.SearchResultBlockParam,
    "citations": anthropic.types.CitationsConfigParam,
    "use": anthropic.types.ToolUseBlockParam,
    "result": anthropic.types.ToolResultBlockParam,
    "thought": anthropic.types.ThinkingBlockParam,
    "redacted": anthropic.types.RedactedThinkingBlockParam,
    "server": anthropic.types.ServerToolUseBlockParam,
    "upload": anthropic.types.ContainerUploadBlockParam,
    "cache": anthropic.types.CacheControlEphemeralParam,
    "metadata": anthropic.types.MetadataParam,
    "enabled": anthropic.types.ThinkingConfigEnabledParam,
    "adaptive": anthropic.types.ThinkingConfigAdaptiveParam,
    "disabled": anthropic.types.ThinkingConfigDisabledParam,
    "between": anthropic.types.ThinkingConfigBetweenToolsParam,
    "output": anthropic.types.OutputConfigParam,
    "format": anthropic.types.JSONOutputFormatParam,
    "tool": anthropic.types.ToolParam,
    "auto": anthropic.types.ToolChoiceAutoParam,
    "any": anthropic.types.ToolChoiceAnyParam,
    "none": anthropic.types.ToolChoiceNoneParam,
    "tool_choice": anthropic.types.ToolChoiceToolParam,
}
HEADERS = {"create.user_profile_id", "create.workspace_id"}
"""Arguments of the SDK that go out as headers."""


@pytest.mark.parametrize("prefix", TYPES)
def test_every_member_of_anthropics_types_is_in_the_list(prefix: str) -> None:
    members = {f"{prefix}.{name}" for name in typing.get_type_hints(TYPES[prefix])}
    covered = {name for case in CASES.values() for name in case.covers.split()}
    assert members
    assert members - covered - HEADERS == set()


def test_every_kind_of_block_is_in_the_list() -> None:
    kinds = [typing.get_type_hints(block)["type"] for block in typing.get_args(anthropic.types.ContentBlockParam)]
    names = {name for kind in kinds for name in re.findall(r"Literal\['(\w+)'\]", str(kind))}
    listed = {name for case in CASES.values() for name in re.findall(r"'type': '(\w+)'", f"{case.value} {case.base}")}
    assert len(names) == len(kinds)
    assert names - listed == set()
