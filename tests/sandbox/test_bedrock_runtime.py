"""Bedrock's runtime, driven by boto3 and by Anthropic's own client for it."""

import base64
import json
import re
from typing import Any

import anthropic
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.aws_kit import CLAUDE, HTTP, NOVA, OLD_CLAUDE, Aws, converse, native, refused

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
SPEC = {"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}}}
TOOLS = {"tools": [SPEC]}
TOOL = {"name": "f", "input_schema": SCHEMA}
NATIVE = "The model returned the following errors: "


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


def post(aws: Aws, path: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    base = aws.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    request = aws.signed("POST", base + path, content, content_type="application/json").prepare()
    return HTTP.post(request.url, headers=dict(request.headers), content=content)


def invoke(aws: Aws, body: Any, model: str = CLAUDE) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(aws.runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
    return answer


def test_invoke(aws: Aws) -> None:
    answer = aws.runtime.invoke_model(modelId=CLAUDE, body=json.dumps(native()))
    message = json.loads(answer["body"].read())
    assert message["content"] == [{"type": "text", "text": "[sandbox] answer to: hi"}]
    assert message["model"] == "claude-haiku-4-5-20251001"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == str(message["usage"]["input_tokens"])
    assert headers["x-amzn-bedrock-output-token-count"] == str(message["usage"]["output_tokens"])
    assert set(invoke(aws, native(), OLD_CLAUDE)["usage"]) == {"input_tokens", "output_tokens"}


def test_invoke_as_a_stream(aws: Aws) -> None:
    body = native("sandbox:tool", tools=[TOOL], thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    answer = aws.runtime.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(body))
    assert answer["contentType"] == "application/json"
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert events[0]["type"] == "message_start"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] > 0
    starts = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert starts == ["thinking", "tool_use"]
    parts = [event["delta"].get("partial_json", "") for event in events if event["type"] == "content_block_delta"]
    assert json.loads("".join(parts)) == {"x": 1}


def test_converse(aws: Aws) -> None:
    answer = aws.runtime.converse(modelId=NOVA, **converse(system=[{"text": "be brief"}]))
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "[sandbox] answer to: hi"}]}
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]


def test_converse_as_a_stream(aws: Aws) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    body = converse("sandbox:tool", toolConfig=TOOLS, additionalModelRequestFields=thinking)
    whole = aws.runtime.converse(modelId=CLAUDE, **body)["output"]["message"]["content"]
    events = list(aws.runtime.converse_stream(modelId=CLAUDE, **body)["stream"])
    assert [next(iter(event)) for event in (events[0], *events[-2:])] == ["messageStart", "messageStop", "metadata"]
    starts = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
    assert [start["start"]["toolUse"]["name"] for start in starts] == ["f"]
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    thought = "".join(delta["delta"].get("reasoningContent", {}).get("text", "") for delta in deltas)
    assert thought == whole[0]["reasoningContent"]["reasoningText"]["text"]
    given = "".join(delta["delta"].get("toolUse", {}).get("input", "") for delta in deltas)
    assert json.loads(given) == whole[1]["toolUse"]["input"] == {"x": 1}
    assert next(event["messageStop"]["stopReason"] for event in events if "messageStop" in event) == "tool_use"


@pytest.mark.parametrize(
    ("word", "native_reason", "converse_reason"),
    [
        ("plain", "end_turn", "end_turn"),
        ("sandbox:refuse", "refusal", "content_filtered"),
        ("sandbox:max_tokens", "max_tokens", "max_tokens"),
        ("STOP here", "stop_sequence", "stop_sequence"),
    ],
)
def test_stop_reasons(aws: Aws, word: str, native_reason: str, converse_reason: str) -> None:
    message = invoke(aws, native(word, stop_sequences=["STOP"]))
    assert message["stop_reason"] == native_reason
    body = converse(word, inferenceConfig={"stopSequences": ["STOP"]})
    answer = aws.runtime.converse(modelId=CLAUDE, additionalModelResponseFieldPaths=["/stop_sequence"], **body)
    assert answer["stopReason"] == converse_reason
    assert answer["additionalModelResponseFields"] == {"stop_sequence": message["stop_sequence"]}


def test_structured_answers(aws: Aws) -> None:
    schema = json.dumps(SCHEMA)
    text_format = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "n"}}}
    answer = aws.runtime.converse(modelId=CLAUDE, **converse(outputConfig={"textFormat": text_format}))
    assert json.loads(answer["output"]["message"]["content"][0]["text"]) == {"x": 1}
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert json.loads(invoke(aws, native(output_config=config))["content"][0]["text"]) == {"x": 1}


def test_forced_tools_and_their_results(aws: Aws) -> None:
    body = converse(toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "f"}}})
    use = aws.runtime.converse(modelId=CLAUDE, **body)["output"]["message"]
    result = {"toolResult": {"toolUseId": use["content"][0]["toolUse"]["toolUseId"], "content": [{"json": {"y": 2}}]}}
    messages = [*body["messages"], use, {"role": "user", "content": [result]}]
    answer = aws.runtime.converse(modelId=CLAUDE, messages=messages, toolConfig=TOOLS)
    assert answer["output"]["message"]["content"][0]["text"] == '[sandbox] answer to: {"y": 2}'


def test_media(aws: Aws) -> None:
    blocks = [
        {"text": "look"},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"document": {"format": "pdf", "name": "My (1) doc-x", "source": {"bytes": b"%PDF-1.7"}}},
        {"document": {"format": "txt", "name": "t", "source": {"text": "hello"}}},
    ]
    messages = [{"role": "user", "content": blocks}]
    assert aws.runtime.converse(modelId=CLAUDE, messages=messages)["usage"]["inputTokens"] > 3000


@pytest.mark.parametrize("model", [CLAUDE, CLAUDE.replace(":", "%3A")])
def test_both_forms_of_the_path(aws: Aws, model: str) -> None:
    assert post(aws, f"/model/{model}/converse", converse()).status_code == 200


def test_an_arn_as_the_model(aws: Aws) -> None:
    arn = f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/{CLAUDE}"
    assert invoke(aws, native(), arn)["model"] == "claude-haiku-4-5-20251001"


def user(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}], **fields}


def turns(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "messages": [
            {"role": role, "content": [{"text": content}] if isinstance(content, str) else [content]}
            for role, content in messages
        ],
        **fields,
    }


USE = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}]}}
START = "A conversation must start with a user message."
CONVERSE: dict[str, tuple[Any, str]] = {
    "nothing": ({}, START),
    "no messages": ({"messages": []}, START),
    "assistant first": (turns(("assistant", "a"), ("user", "b")), START),
    "twice the same": (turns(("user", "a"), ("user", "b")), "A conversation must alternate between user and assistant"),
    "prefill": (turns(("user", "a"), ("assistant", "b")), f"{NATIVE}This model does not support assistant message pre"),
    "no content": (
        {"messages": [{"role": "user", "content": []}]},
        "The content field in the Message object at messages.0",
    ),
    "role": (
        turns(("tool", "a")),
        "at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum",
    ),
    "blank": (user({"text": " "}), "The text field in the ContentBlock object at messages.0.content.0 is blank."),
    "two in one": (user({"text": "a", "image": {}}), "only one member of a union may be set"),
    "empty block": (user({}), "exactly one of these members must be set"),
    "unknown block": (user({"url": "x"}), "url"),
    "unknown": (converse(stream=True), "stream"),
    "format": (user({"image": {"format": "bmp", "source": {"bytes": "eA=="}}}), "[png, jpeg, gif, webp]"),
    "image": (user({"image": {"format": "png", "source": {"bytes": "eA=="}}}), f"{NATIVE}Could not process image"),
    "url source": (user({"image": {"format": "png", "source": {"url": "https://x"}}}), "url"),
    "base64": (user({"image": {"format": "png", "source": {"bytes": "?"}}}), "base64"),
    "s3": (
        user(
            {"text": "a"}, {"document": {"format": "pdf", "name": "d", "source": {"s3Location": {"uri": "s3://abc/d"}}}}
        ),
        f"{NATIVE}messages.0.content.1.document.source.type: Field required",
    ),
    "document name": (
        user({"text": "a"}, {"document": {"format": "txt", "name": "a.txt", "source": {"text": "x"}}}),
        "The file name can only contain alphanumeric characters",
    ),
    "document alone": (user({"document": {"format": "txt", "name": "a", "source": {"text": "x"}}}), "text block"),
    "no tools": (
        turns(("user", "a"), ("assistant", USE), ("user", RESULT)),
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ),
    "no result": (
        turns(("user", "a"), ("assistant", USE), ("user", "b"), toolConfig=TOOLS),
        "Expected toolResult blocks at messages.2.content for the following Ids: t1",
    ),
    "no use": (turns(("user", RESULT), toolConfig=TOOLS), "exceeds the number of toolUse blocks of previous turn."),
    "empty tools": (converse(toolConfig={"tools": []}), "at 'toolConfig.tools' failed to satisfy constraint"),
    "same tools": (converse(toolConfig={"tools": [SPEC, SPEC]}), f"{NATIVE}tools: Tool names must be unique."),
    "choice": (converse(toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "g"}}}), "Tool 'g' not found"),
    "choice none": (converse(toolConfig={**TOOLS, "toolChoice": {"none": {}}}), "none"),
    "tool name": (
        converse(toolConfig={"tools": [{"toolSpec": {"name": "a b", "inputSchema": {"json": SCHEMA}}}]}),
        "at 'toolConfig.tools.1.member.toolSpec.name'",
    ),
    "max tokens": (converse(inferenceConfig={"maxTokens": 0}), "greater than or equal to 1"),
    "temperature": (converse(inferenceConfig={"temperature": 1.5}), "less than or equal to 1"),
    "top_k": (converse(inferenceConfig={"topK": 5}), "topK"),
    "both": (converse(inferenceConfig={"temperature": 1, "topP": 1}), "cannot both be specified"),
    "budget": (
        converse(additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 1}}),
        "greater than or equal to 1024",
    ),
    "guardrail": (converse(guardrailConfig={"guardrailIdentifier": "x"}), "The guardrail identifier or version"),
    "trigger": (converse("sandbox:error"), NATIVE),
}


@pytest.mark.parametrize("case", CONVERSE)
def test_converse_refuses(aws: Aws, case: str) -> None:
    body, text = CONVERSE[case]
    model = "us.anthropic.claude-opus-4-8" if case == "prefill" else CLAUDE
    for path in ("converse", "converse-stream"):
        answer = post(aws, f"/model/{model}/{path}", body)
        assert (answer.status_code, list(answer.json())) == (400, ["message"])
        assert text in answer.json()["message"]


def said(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return native(messages=[{"role": role, "content": content} for role, content in messages], **fields)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in native().items() if key != name}


INVOKE: dict[str, tuple[Any, str]] = {
    "no version": (without("anthropic_version"), "anthropic_version: Field required"),
    "version": (native(anthropic_version="2023-06-01"), "anthropic_version: Input should be 'bedrock-2023-05-31' or"),
    "newer version": (
        native(anthropic_version="2026-10-21"),
        "anthropic_version: Input should be 'bedrock-2023-05-31'",
    ),
    "no max_tokens": (without("max_tokens"), "max_tokens: Field required"),
    "no messages": (without("messages"), "messages: Field required"),
    "model": (native(model="x"), "model: Extra inputs are not permitted"),
    "stream": (native(stream=True), "stream: Extra inputs are not permitted"),
    "service tier": (native(service_tier="auto"), "service_tier: Extra inputs are not permitted"),
    "no message": (native(messages=[]), "messages: at least one message is required"),
    "empty": (said(("user", "")), "messages.0: all messages must have non-empty content"),
    "role": (said(("tool", "x")), "messages.0.role: Input should be 'user', 'assistant' or 'system'"),
    "file": (
        said(("user", [{"type": "document", "source": {"type": "file", "file_id": "x"}}])),
        "Input tag 'file' found using 'type' does not match any of the expected tags",
    ),
    "url": (
        said(("user", [{"type": "image", "source": {"type": "url", "url": "https://x"}}])),
        "Input tag 'url' found",
    ),
    "image": (
        said(
            ("user", [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}]),
        ),
        "Could not process image",
    ),
    "blank": (said(("user", [{"type": "text", "text": " "}])), "must contain non-whitespace text"),
    "no result": (
        said(("user", "a"), ("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]), ("user", "b")),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t.",
    ),
    "no use": (
        said(("user", [{"type": "tool_result", "tool_use_id": "t", "content": "x"}])),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t.",
    ),
    "choice": (native(tool_choice={"type": "auto"}), "tool_choice may only be specified while providing tools"),
    "same tools": (native(tools=[TOOL, TOOL]), "tools: Tool names must be unique."),
    "schema": (
        native(tools=[{"name": "f", "input_schema": {"type": "object", "required": 1}}]),
        "JSON schema is invalid",
    ),
    "temperature": (native(temperature=2), "temperature: Input should be less than or equal to 1"),
    "both": (native(temperature=1, top_p=1), "`temperature` and `top_p` cannot both be specified for this model"),
    "budget": (native(thinking={"type": "enabled", "budget_tokens": 1024}), "`max_tokens` must be greater than"),
    "trigger": (native("sandbox:error"), "as its prompt asks"),
    "no object": ([], "Input should be a valid dictionary"),
    "no json": (b"{", "Malformed input request, please reformat your input and try again."),
}


@pytest.mark.parametrize("case", INVOKE)
def test_invoke_refuses(aws: Aws, case: str) -> None:
    body, text = INVOKE[case]
    for path in ("invoke", "invoke-with-response-stream"):
        answer = post(aws, f"/model/{CLAUDE}/{path}", body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
        assert answer.headers["x-amzn-errortype"].startswith("ValidationException:")
        assert text in answer.json()["message"]


THINKING = {"type": "enabled", "budget_tokens": 1024}
OPUS, NEXT = "us.anthropic.claude-opus-4-8", "us.anthropic.claude-opus-5-5"
RULES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "temperature": (
        OPUS,
        {"temperature": 0.5},
        {"inferenceConfig": {"temperature": 0.5}},
        "`temperature` may only be set to 1 for this model.",
    ),
    "top_p": (
        OPUS,
        {"top_p": 0.5},
        {"inferenceConfig": {"topP": 0.5}},
        "`top_p` must be greater than or equal to 0.99 for this model.",
    ),
    "top_k": (
        OPUS,
        {"top_k": 5},
        {"additionalModelRequestFields": {"top_k": 5}},
        "`top_k` is not supported for this model.",
    ),
    "budget": (
        OPUS,
        {"thinking": THINKING, "max_tokens": 2000},
        {"additionalModelRequestFields": {"thinking": THINKING}},
        '"thinking.type.enabled" is not supported for this model.',
    ),
    "not thinking": (
        NEXT,
        {"thinking": {"type": "disabled"}},
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        '"thinking.type.disabled" is not supported for this model.',
    ),
    "adaptive": (
        CLAUDE,
        {"thinking": {"type": "adaptive"}},
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}},
        "adaptive thinking is not supported on this model",
    ),
    "small budget": (
        CLAUDE,
        {"thinking": {"type": "enabled", "budget_tokens": 5}},
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 5}}},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "budget and limit": (
        CLAUDE,
        {"thinking": THINKING, "max_tokens": 1024},
        {"additionalModelRequestFields": {"thinking": THINKING}, "inferenceConfig": {"maxTokens": 1024}},
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ),
    "forced": (
        CLAUDE,
        {"thinking": THINKING, "max_tokens": 2000, "tools": [TOOL], "tool_choice": {"type": "any"}},
        {
            "additionalModelRequestFields": {"thinking": THINKING},
            "toolConfig": {**TOOLS, "toolChoice": {"any": {}}},
        },
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "thinking and temperature": (
        CLAUDE,
        {"thinking": THINKING, "max_tokens": 2000, "temperature": 0},
        {"additionalModelRequestFields": {"thinking": THINKING}, "inferenceConfig": {"temperature": 0}},
        "`temperature` may only be set to 1 when thinking is enabled.",
    ),
    "unknown": (
        CLAUDE,
        {"topk": 5},
        {"additionalModelRequestFields": {"topk": 5}},
        "topk: Extra inputs are not permitted",
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_rules_of_models(aws: Aws, case: str) -> None:
    """They are the same through both APIs."""
    model, native_fields, converse_fields, text = RULES[case]
    answer = post(aws, f"/model/{model}/invoke", native(**native_fields))
    assert (answer.status_code, answer.json()["message"].partition(" Use ")[0]) == (400, text)
    answer = post(aws, f"/model/{model}/converse", converse(**converse_fields))
    assert (answer.status_code, answer.json()["message"].partition(" Use ")[0]) == (400, NATIVE + text)


def test_too_many_tokens_are_asked_for(aws: Aws) -> None:
    answer = post(aws, f"/model/{OLD_CLAUDE}/invoke", native(max_tokens=4097))
    assert answer.json()["message"].startswith("max_tokens: 4097 > 4096, which is the maximum allowed number of output")
    answer = post(aws, f"/model/{OLD_CLAUDE}/converse", converse(inferenceConfig={"maxTokens": 4097}))
    assert answer.json()["message"].startswith("The maximum tokens you requested exceeds the model limit of 4096.")


def test_the_cache(aws: Aws) -> None:
    """What is written to it is counted apart; a short prompt is not."""
    point = {"cachePoint": {"type": "default"}}
    for text, written in (("word " * 3000, 4000), ("word", 0)):
        body = converse("hi", system=[{"text": text}, point])
        usage = aws.runtime.converse(modelId=CLAUDE, **body)["usage"]
        assert usage["cacheWriteInputTokens"] == written
        assert usage["totalTokens"] == usage["inputTokens"] + written + usage["outputTokens"]
        assert ("cacheDetails" in usage) == bool(written)
        system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
        assert invoke(aws, native(system=system))["usage"]["cache_creation_input_tokens"] == written


def test_too_long_a_prompt(aws: Aws) -> None:
    body = native("word " * 151_000)
    answer = post(aws, f"/model/{CLAUDE}/invoke", body)
    assert re.fullmatch(r"prompt is too long: \d+ tokens > 200000 maximum", answer.json()["message"])
    assert post(aws, f"/model/{OPUS}/invoke", body).status_code == 200


def test_what_newer_models_take(aws: Aws) -> None:
    body = native(anthropic_version="2026-10-21", thinking={"type": "adaptive"}, output_config={"effort": "high"})
    message = invoke(aws, {**body, "max_tokens": 2000, "anthropic_beta": ["x"]}, OPUS)
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    answer = post(aws, f"/model/{OPUS}/invoke", {**body, "temperature": 1})
    assert answer.json()["message"] == "temperature: Extra inputs are not permitted"
    fields = {"thinking": {"type": "adaptive"}, "anthropic_beta": ["x"]}
    body = converse(additionalModelRequestFields=fields, outputConfig={"effort": "high"})
    assert len(aws.runtime.converse(modelId=OPUS, **body)["output"]["message"]["content"]) == 2


@pytest.mark.parametrize("model", ["anthropic.no-such-model-v1:0", "does-not-exist"])
@pytest.mark.parametrize(
    "path", ["invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens"]
)
def test_unknown_models(aws: Aws, model: str, path: str) -> None:
    answer = post(aws, f"/model/{model}/{path}", b"")
    assert (answer.status_code, answer.json()) == (400, {"message": "The provided model identifier is invalid."})


def test_overloaded(aws: Aws) -> None:
    with pytest.raises(ClientError) as caught:
        aws.runtime.converse(modelId=NOVA, **converse("sandbox:overloaded"))
    assert refused(caught.value)[:2] == (503, "ServiceUnavailableException")
    with pytest.raises(ClientError) as caught:
        invoke(aws, native("sandbox:overloaded"))
    assert refused(caught.value)[:2] == (503, "ServiceUnavailableException")


def test_count_tokens(aws: Aws) -> None:
    model = "anthropic.claude-sonnet-4-20250514-v1:0"
    count = aws.runtime.count_tokens
    few = count(modelId=model, input={"invokeModel": {"body": json.dumps(native())}})["inputTokens"]
    many = count(modelId=model, input={"invokeModel": {"body": json.dumps(native("word " * 500))}})["inputTokens"]
    assert 0 < few < 20 < 500 < many
    assert count(modelId=model, input={"converse": converse()})["inputTokens"] == few
    for other in (f"us.{model}", NOVA):
        with pytest.raises(ClientError) as caught:
            count(modelId=other, input={"converse": converse()})
        assert refused(caught.value)[2] == "The provided model doesn't support counting tokens."
    for body in (
        {},
        {"input": {}},
        {"input": {"invokeModel": {"body": "?"}}},
        {"input": {"converse": {"messages": []}}},
    ):
        assert post(aws, f"/model/{model}/count-tokens", body).status_code == 400
    bad = base64.b64encode(b"{}").decode()
    answer = post(aws, f"/model/{model}/count-tokens", {"input": {"invokeModel": {"body": bad}}})
    assert answer.json()["message"] == "anthropic_version: Field required"


@pytest.fixture
def claude(aws: Aws) -> anthropic.AnthropicBedrock:
    return anthropic.AnthropicBedrock(
        base_url=aws.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
        aws_access_key=aws.key_id,
        aws_secret_key=aws.secret,
        aws_region="us-east-1",
        max_retries=0,
    )


def test_anthropics_own_client(claude: anthropic.AnthropicBedrock) -> None:
    model = "us.anthropic.claude-opus-4-8"
    messages: Any = [{"role": "user", "content": "hi"}]
    message = claude.messages.create(model=model, max_tokens=100, messages=messages)
    assert message.content[0].text == "[sandbox] answer to: hi"  # type: ignore[union-attr]
    with claude.messages.stream(model=model, max_tokens=100, messages=messages) as stream:
        assert stream.get_final_text() == "[sandbox] answer to: hi"
    with pytest.raises(anthropic.BadRequestError, match="The provided model identifier is invalid"):
        claude.messages.create(model="no-such", max_tokens=100, messages=messages)
