"""What Converse refuses. First the shape, then who says what in what order, then what the model behind has against it;
texts are recorded or as users report them, and in the words of the model's vendor where they begin so."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import orjson

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.bedrock import models
from bifrost_cli.sandbox.bedrock.converse_blocks import check_block
from bifrost_cli.sandbox.bedrock.converse_params import CONVERSE, COUNTED
from bifrost_cli.sandbox.bedrock.errors import NATIVE, Refusal, fit
from bifrost_cli.sandbox.bedrock.native_params import EXTRA_FIELDS
from bifrost_cli.sandbox.bedrock.native_rules import (
    ceiling,
    check_length,
    check_prefill,
    check_sampling,
    check_thinking,
    check_while_thinking,
)
from bifrost_cli.sandbox.bedrock.native_words import describe
from bifrost_cli.sandbox.bedrock.prompts import converse_count, converse_text
from bifrost_cli.sandbox.example import flaw
from bifrost_cli.sandbox.shape import Mismatch

Body = Mapping[str, Any]
_START = "A conversation must start with a user message. Try again with a conversation that starts with a user message."
_ALTERNATE = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
    "user and assistant roles and try again."
)


def check_converse(body: Any, model: str) -> None:
    """Raises the Refusal that a request gets; else returns."""
    fit(CONVERSE, body)
    _check_messages(body, model)
    if body.get("guardrailConfig"):
        raise Refusal("The guardrail identifier or version provided in the request does not exist.")
    _check_model_rules(body, model)
    asked = triggers(converse_text(body["messages"]))
    if Trigger.ERROR in asked:
        raise Refusal(f"{NATIVE}[sandbox] this request is refused, as its prompt asks")
    if Trigger.OVERLOADED in asked:
        raise Refusal("Bedrock is unable to process your request.", "ServiceUnavailableException")


def check_counted(body: Any, model: str) -> None:
    """Raises the Refusal for a request whose tokens are to be counted; else returns."""
    fit(COUNTED, body)
    _check_messages(body, model)


def _check_messages(body: Body, model: str) -> None:
    messages = body.get("messages") or []
    for position, message in enumerate(messages):
        _check_content(message, position, model)
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if not roles or roles[0] != "user":
        raise Refusal(_START)
    if any(role == after for role, after in pairwise(roles)):
        raise Refusal(_ALTERNATE)
    _check_turns(messages)
    _check_tools(body, messages)


def _check_content(message: Body, position: int, model: str) -> None:
    if not message["content"]:
        raise Refusal(
            f"The content field in the Message object at messages.{position} is empty. Add a ContentBlock object to "
            "the content field and try again."
        )
    for number, block in enumerate(message["content"]):
        check_block(block, message["role"], f"messages.{position}.content.{number}", model)
    kinds = {name for block in message["content"] for name, value in block.items() if value is not None}
    if "document" in kinds and not kinds & {"text", "toolResult"}:
        raise Refusal("[sandbox] a message with a document needs a text block too")


def _check_turns(messages: list[Body]) -> None:
    """Each toolUse is answered in the next turn, and each toolResult answers one in the turn before."""
    asked: set[str] = set()
    for position, message in enumerate(messages):
        if message["role"] == "system":
            continue
        answered = _ids(message, "toolResult")
        if asked - answered:
            raise Refusal(
                f"Expected toolResult blocks at messages.{position}.content for the following Ids: "
                f"{', '.join(sorted(asked - answered))}"
            )
        if answered - asked:
            raise Refusal(
                f"The number of toolResult blocks at messages.{position}.content exceeds the number of toolUse blocks "
                "of previous turn."
            )
        asked = _ids(message, "toolUse")


def _ids(message: Body, kind: str) -> set[str]:
    return {block[kind]["toolUseId"] for block in message["content"] if block.get(kind) is not None}


def _check_tools(body: Body, messages: list[Body]) -> None:
    config = body.get("toolConfig")
    if config is None:
        if any(_ids(message, "toolUse") or _ids(message, "toolResult") for message in messages):
            raise Refusal("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        return
    specs = [tool["toolSpec"] for tool in config["tools"] if tool.get("toolSpec")]
    names = [spec["name"] for spec in specs]
    if len(set(names)) < len(names):
        raise Refusal(f"{NATIVE}tools: Tool names must be unique.")
    for number, spec in enumerate(specs):
        _check_input_schema(spec["inputSchema"]["json"], number)
    wanted = (config.get("toolChoice") or {}).get("tool")
    if wanted is not None and wanted["name"] not in names:
        raise Refusal(f"{NATIVE}Tool '{wanted['name']}' not found in provided tools")


def _check_input_schema(schema: Body, number: int) -> None:
    if schema.get("type") != "object" or flaw(schema):
        raise Refusal(
            f"The value at toolConfig.tools.{number}.toolSpec.inputSchema.json.type must be one of the following: "
            "object."
        )


def _check_model_rules(body: Body, model: str) -> None:
    config = body.get("inferenceConfig") or {}
    extra = body.get("additionalModelRequestFields") or {}
    if not isinstance(extra, dict):
        raise Refusal("[sandbox] additionalModelRequestFields must be an object", "SerializationException")
    limit, wanted = ceiling(model), config.get("maxTokens")
    if limit is not None and wanted is not None and wanted > limit:
        raise Refusal(
            f"The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens "
            f"value that is lower than {limit}."
        )
    check_length(model, converse_count(body), NATIVE)
    if models.speaks_anthropic(model):
        _check_anthropic_rules(body, config, extra, model)
    _check_schema(body)


def _check_anthropic_rules(body: Body, config: Body, extra: Body, model: str) -> None:
    """The model gets its extra fields as they are, and judges them itself."""
    try:
        EXTRA_FIELDS(extra)
    except Mismatch as mismatch:
        raise Refusal(NATIVE + describe(mismatch)) from None
    if "thinking" in extra:
        check_thinking(model, extra["thinking"], config.get("maxTokens"), NATIVE)
        if extra["thinking"]["type"] in ("enabled", "adaptive"):
            choice = (body.get("toolConfig") or {}).get("toolChoice") or {}
            forced = choice.get("any") is not None or choice.get("tool") is not None
            check_while_thinking(config.get("temperature"), forced, NATIVE)
    check_sampling(model, config.get("temperature"), config.get("topP"), extra.get("top_k"), NATIVE)
    check_prefill(model, body["messages"][-1]["role"], NATIVE)


def _check_schema(body: Body) -> None:
    text_format = (body.get("outputConfig") or {}).get("textFormat")
    if text_format is None:
        return
    try:
        schema = orjson.loads(text_format["structure"]["jsonSchema"]["schema"])
    except orjson.JSONDecodeError:
        schema = None
    if not isinstance(schema, dict) or flaw(schema):
        raise Refusal("[sandbox] outputConfig.textFormat.structure.jsonSchema.schema is the text of a JSON Schema")
