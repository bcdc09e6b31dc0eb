"""Gemini's calls of a model, over plain HTTP: what is said, and what is refused in which words."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.gemini import MODEL, Gemini, Json, answered, called, connect, function, request, said

SKIP = "skip_thought_signature_validator"
LONG = "word " * 2000


@pytest.fixture
def gemini(instant: Any, key: str) -> Iterator[Gemini]:
    with connect(instant.url, key) as client:
        yield client


def generate(gemini: Gemini, body: Json, model: str = MODEL) -> Json:
    return gemini.post(f"models/{model}:generateContent", body)


def refusal(gemini: Gemini, body: Any, model: str = MODEL, status: int = 400) -> str:
    answer = gemini.call("POST", f"models/{model}:generateContent", body)
    assert answer.status_code == answer.json()["error"]["code"] == status, answer.text
    return str(answer.json()["error"]["message"])


def frames(gemini: Gemini, body: Json, model: str = MODEL) -> list[Json]:
    answer = gemini.call("POST", f"models/{model}:streamGenerateContent", body, alt="sse")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert answer.text.endswith("\r\n\r\n")
    texts = answer.text.split("\r\n\r\n")[:-1]
    assert all(text.startswith('data: {"') and "\n" not in text for text in texts)
    return [json.loads(text.removeprefix("data: ")) for text in texts]


def parts(answer: Json) -> list[Json]:
    return list(answer["candidates"][0]["content"]["parts"])


def config(**fields: Any) -> Json:
    return request(generationConfig=fields)


def test_an_answer(gemini: Gemini) -> None:
    answer = generate(gemini, request("What is 2 + 2?"), "gemini-2.5-flash")
    assert list(answer) == ["candidates", "usageMetadata", "modelVersion", "responseId"]
    assert answer["candidates"] == [
        {
            "content": {"parts": [{"text": "[sandbox] answer to: What is 2 + 2?"}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }
    ]
    usage = answer["usageMetadata"]
    assert list(usage) == [
        *("promptTokenCount", "candidatesTokenCount", "totalTokenCount", "promptTokensDetails", "thoughtsTokenCount"),
        "serviceTier",
    ]
    assert usage["totalTokenCount"] == sum(
        usage[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )
    assert answer["modelVersion"] == "gemini-2.5-flash"
    assert answer["responseId"].startswith("sbx")


def test_the_headers_of_an_answer(gemini: Gemini) -> None:
    answer = gemini.call("POST", f"models/{MODEL}:generateContent", request())
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert answer.headers["x-gemini-service-tier"] == "standard"
    assert answer.headers["server-timing"].startswith("gfet4t7; dur=")


def test_thoughts_are_counted_apart_and_shown_on_demand(gemini: Gemini) -> None:
    hidden = generate(gemini, request())
    shown = generate(gemini, config(thinkingConfig={"includeThoughts": True, "thinkingLevel": "low"}))
    off = generate(gemini, config(thinkingConfig={"thinkingLevel": "MINIMAL"}))
    assert [part.get("thought") for part in parts(hidden)] == [None]
    assert [part.get("thought") for part in parts(shown)] == [True, None]
    assert shown["usageMetadata"]["thoughtsTokenCount"] == hidden["usageMetadata"]["thoughtsTokenCount"] > 0
    assert "thoughtsTokenCount" not in off["usageMetadata"]
    assert "thoughtSignature" not in parts(off)[0]
    assert "thoughtsTokenCount" not in generate(gemini, request(), "gemini-2.0-flash")["usageMetadata"]
    assert "thoughtsTokenCount" not in generate(gemini, request(), "gemini-2.5-flash-lite")["usageMetadata"]


def test_a_limit_that_is_spent_on_thinking_leaves_no_parts(gemini: Gemini) -> None:
    answer = generate(gemini, config(maxOutputTokens=2), "gemini-2.5-pro")
    assert answer["candidates"] == [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]
    usage = answer["usageMetadata"]
    assert usage["thoughtsTokenCount"] == 2
    assert "candidatesTokenCount" not in usage
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 2
    cut = generate(gemini, request("sandbox:max_tokens"))
    assert (cut["candidates"][0]["finishReason"], bool(parts(cut)[0]["text"])) == ("MAX_TOKENS", True)


def test_a_long_instruction_is_cached_within_the_prompt(gemini: Gemini) -> None:
    usage = generate(gemini, request(systemInstruction={"parts": [{"text": LONG}]}))["usageMetadata"]
    assert 2000 < usage["cachedContentTokenCount"] < usage["promptTokenCount"]
    assert usage["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["cachedContentTokenCount"]}]
    assert usage["totalTokenCount"] == (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )


@pytest.mark.parametrize(
    ("model", "named", "signed"),
    [
        ("gemini-2.0-flash", False, False),
        ("gemini-2.5-flash", False, True),
        ("gemini-3-pro-preview", False, True),
        ("gemini-3.1-pro-preview", True, True),
        ("gemini-3.6-flash", True, True),
        ("gemini-4-argon", True, True),
        ("gemini-flash-latest", True, True),
    ],
)
def test_calls_of_functions_by_generation(gemini: Gemini, model: str, named: bool, signed: bool) -> None:
    answer = generate(gemini, request("sandbox:tool", tools=[function()]), model)
    (candidate,) = answer["candidates"]
    assert candidate["finishReason"] == "STOP"
    assert candidate["finishMessage"] == "Model generated function call(s)."
    (part,) = parts(answer)
    assert (part["functionCall"]["name"], part["functionCall"]["args"]) == ("look_up", {"q": "[sandbox]"})
    assert ("id" in part["functionCall"], "thoughtSignature" in part) == (named, signed)


def test_which_function_is_called(gemini: Gemini) -> None:
    old = {"name": "old", "parameters": {"type": "object", "properties": {"n": {"type": "INTEGER"}}}}
    tools = [{"functionDeclarations": [*function()["functionDeclarations"], old]}]

    def mode(name: str, **fields: Any) -> Json:
        return request(tools=tools, toolConfig={"functionCallingConfig": {"mode": name, **fields}})

    assert parts(generate(gemini, mode("ANY")))[0]["functionCall"]["name"] == "look_up"
    chosen = parts(generate(gemini, mode("any", allowedFunctionNames=["old"])))[0]["functionCall"]
    assert (chosen["name"], chosen["args"]) == ("old", {"n": 1})
    for name in ("AUTO", "NONE", "VALIDATED"):
        assert "text" in parts(generate(gemini, mode(name)))[0]


def test_a_whole_loop_with_a_function(gemini: Gemini) -> None:
    """What the model said goes back as it came; a signature may be in the other alphabet of base64 (recorded)."""
    first = [said("sandbox:tool")]
    tools = [function()]
    turn = generate(gemini, {"contents": first, "tools": tools})["candidates"][0]["content"]
    call = turn["parts"][0]["functionCall"]
    urlsafe = turn["parts"][0]["thoughtSignature"].replace("+", "-").replace("/", "_")
    turn["parts"][0]["thoughtSignature"] = urlsafe
    result = {"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "it is 42"}}}
    contents = [*first, turn, {"role": "user", "parts": [result]}]
    answer = generate(gemini, {"contents": contents, "tools": tools})
    assert parts(answer)[0]["text"] == "[sandbox] answer to: it is 42"


@pytest.mark.parametrize(
    "contents",
    [
        [said("x"), called(thoughtSignature=SKIP), answered()],
        [said("x"), called(thoughtSignature=SKIP), answered(), said("by the way")],
        [said("x"), called(thought_signature=SKIP), answered(), said("and now?")],
        [said("x"), called(), answered(), said("fine", "model"), said("and now?")],
        [
            said("x"),
            {"role": "model", "parts": [*called(thoughtSignature=SKIP)["parts"], *called("other")["parts"]]},
            {"role": "user", "parts": [*answered()["parts"], *answered("other")["parts"]]},
        ],
    ],
)
def test_conversations_that_are_signed_where_they_must_be(gemini: Gemini, contents: list[Json]) -> None:
    assert generate(gemini, {"contents": contents})["candidates"]


@pytest.mark.parametrize(
    ("contents", "name", "position"),
    [
        ([said("x"), called(), answered()], "look_up", 2),
        ([said("x"), called(thoughtSignature=SKIP), answered(), called("more"), answered("more")], "more", 4),
        ([said("x"), said("y", "model"), said("z"), called(), answered()], "look_up", 4),
        (
            [said("x"), called(), {"role": "user", "parts": [*answered()["parts"], {"text": "by the way"}]}],
            "look_up",
            2,
        ),
    ],
)
def test_calls_of_the_current_turn_must_be_signed(
    gemini: Gemini, contents: list[Json], name: str, position: int
) -> None:
    assert refusal(gemini, {"contents": contents}) == (
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance. Additional data, function "
        f"call `default_api:{name}` , position {position}. Please refer to "
        "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )
    assert generate(gemini, {"contents": contents}, "gemini-2.5-flash")["candidates"]


def test_a_signature_that_was_never_given_is_corrupted(gemini: Gemini) -> None:
    made_up = base64.b64encode(b"made up").decode()
    contents = [said("x"), called(thoughtSignature=made_up), answered()]
    assert refusal(gemini, {"contents": contents}) == "Corrupted thought signature."
    assert generate(gemini, {"contents": contents}, "gemini-2.5-flash")["candidates"]


def test_structured_answers(gemini: Gemini) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    for name in ("responseSchema", "responseJsonSchema", "response_json_schema"):
        body = config(**{"responseMimeType": "application/json", name: schema})
        assert json.loads(parts(generate(gemini, body))[0]["text"]) == {"n": 3}
    anything = json.loads(parts(generate(gemini, config(responseMimeType="application/json")))[0]["text"])
    assert anything == {"answer": "[sandbox]"}


def test_stop_sequences_end_an_answer(gemini: Gemini) -> None:
    answer = generate(gemini, request("a b c", generationConfig={"stopSequences": [" c"]}))
    assert (parts(answer)[0]["text"], answer["candidates"][0]["finishReason"]) == ("[sandbox] answer to: a b", "STOP")


def test_refusals_of_the_model(gemini: Gemini) -> None:
    blocked = generate(gemini, request("sandbox:refuse"))
    assert list(blocked) == ["promptFeedback", "usageMetadata", "modelVersion", "responseId"]
    assert blocked["usageMetadata"]["totalTokenCount"] == blocked["usageMetadata"]["promptTokenCount"]
    settings = [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_LOW_AND_ABOVE"}]
    (candidate,) = generate(gemini, request("sandbox:refuse", safetySettings=settings))["candidates"]
    assert (candidate["content"], candidate["finishReason"]) == ({}, "SAFETY")
    assert candidate["safetyRatings"][0]["blocked"] is True
    assert len(frames(gemini, request("sandbox:refuse"))) == 1


def test_a_stream(gemini: Gemini) -> None:
    body = config(thinkingConfig={"includeThoughts": True})
    whole, pieces = generate(gemini, body), frames(gemini, body)
    said_parts = [part for piece in pieces for part in parts(piece)]
    for thought in (True, None):
        text = "".join(part["text"] for part in said_parts if part.get("thought") is thought)
        assert text == "".join(part["text"] for part in parts(whole) if part.get("thought") is thought)
    assert said_parts[-1]["text"] == ""
    assert "thoughtSignature" in said_parts[-1]
    assert [piece["candidates"][0].get("finishReason") for piece in pieces] == [None] * (len(pieces) - 1) + ["STOP"]
    assert pieces[-1]["usageMetadata"] == whole["usageMetadata"]
    for piece in pieces:
        usage = piece["usageMetadata"]
        rest = sum(usage.get(name, 0) for name in ("candidatesTokenCount", "thoughtsTokenCount"))
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + rest
    assert "thoughtsTokenCount" not in pieces[0]["usageMetadata"]


def test_a_stream_of_a_call_is_one_frame(gemini: Gemini) -> None:
    (piece,) = frames(gemini, request("sandbox:tool", tools=[function()]), "gemini-2.5-flash")
    assert "functionCall" in parts(piece)[0]
    assert piece["candidates"][0]["finishMessage"] == "Model generated function call(s)."


def test_a_stream_of_a_call_ends_with_an_empty_text_from_3_on(gemini: Gemini) -> None:
    first, last = frames(gemini, request("sandbox:tool", tools=[function()]))
    assert ("functionCall" in parts(first)[0], "finishReason" in first["candidates"][0]) == (True, False)
    assert last["candidates"] == [
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]
    assert first["usageMetadata"] == last["usageMetadata"]


def test_a_prompt_may_be_counted_whole_in_the_last_frame_only(gemini: Gemini) -> None:
    contents = [said("x"), called(thoughtSignature=SKIP), answered(output="a long answer of a function, in pieces")]
    pieces = frames(gemini, {"contents": contents})
    sizes = [piece["usageMetadata"]["promptTokenCount"] for piece in pieces]
    assert sizes[0] == sizes[-2] < sizes[-1]
    whole = generate(gemini, {"contents": contents})["usageMetadata"]
    assert sizes[-1] == whole["promptTokenCount"]


def test_a_stream_without_frames_is_one_array(gemini: Gemini) -> None:
    path = f"models/{MODEL}:streamGenerateContent"
    good = gemini.call("POST", path, request())
    assert "".join(part["text"] for piece in good.json() for part in parts(piece)) == "[sandbox] answer to: hi"
    bad = gemini.call("POST", path, {})
    assert (bad.status_code, bad.json()[0]["error"]["code"]) == (400, 400)
    framed = gemini.call("POST", path, {}, alt="sse")
    assert (framed.status_code, framed.json()["error"]["code"]) == (400, 400)


def test_token_counts(gemini: Gemini) -> None:
    path = f"models/{MODEL}:countTokens"
    plain = gemini.post(path, {"contents": [said("hello there")]})
    assert plain["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": plain["totalTokens"]}]
    whole = request("hello there", model=f"models/{MODEL}", tools=[function()])
    assert gemini.post(path, {"generateContentRequest": whole})["totalTokens"] > plain["totalTokens"] + 20
    used = generate(gemini, request("hello there", tools=[function()]))["usageMetadata"]["promptTokenCount"]
    assert gemini.post(path, {"generateContentRequest": whole})["totalTokens"] == used
    for body in ({}, {"contents": [said("x")], "generateContentRequest": whole}, {"generateContentRequest": request()}):
        assert gemini.call("POST", path, body).status_code == 400


def test_models(gemini: Gemini) -> None:
    first = gemini.get("models", pageSize=4)
    second = gemini.get("models", pageSize=4, pageToken=first["nextPageToken"])
    names = [model["name"] for model in gemini.get("models")["models"]]
    assert [model["name"] for page in (first, second) for model in page["models"]] == names[:8]
    model = gemini.get("models/gemini-2.5-flash")
    assert (model["name"], model["thinking"]) == ("models/gemini-2.5-flash", True)
    assert "batchGenerateContent" in model["supportedGenerationMethods"]
    assert gemini.call("GET", "models/no-such-model").status_code == 404
    assert gemini.call("GET", "models", pageToken="x").status_code == 400


@pytest.mark.parametrize(
    ("method", "lister"),
    [
        ("generateContent", "ModelService.ListModels"),
        ("streamGenerateContent", "ModelService.ListModels"),
        ("countTokens", "ListModels"),
    ],
)
@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_unknown_models(gemini: Gemini, version: str, method: str, lister: str) -> None:
    url = f"/{version}/models/no-such-model:{method}"
    answer = gemini.http.post(url, json=request(), params={"alt": "sse"})
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": 404,
        "message": f"models/no-such-model is not found for API version {version}, or is not supported for {method}. "
        f"Call {lister} to see the list of available models and their supported methods.",
        "status": "NOT_FOUND",
    }


BLOB = {"inlineData": {"mimeType": "image/gif", "data": "R0lGODlh"}}
READ = [
    ({}, "* GenerateContentRequest.contents: contents is not specified\n"),
    ({"contents": [said("x", "assistant")]}, "Please use a valid role: user, model."),
    ({"contents": [{"parts": []}]}, "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n"),
    (
        {"contents": [{"parts": [{"thought": True}]}]},
        "* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must have one initialized "
        "field\n",
    ),
    (
        {"contents": [said("x"), called(""), answered()]},
        "* GenerateContentRequest.contents[1].parts[0].function_call.name: Name cannot be empty.\n",
    ),
    (
        {"contents": [said("x"), called(thoughtSignature=SKIP), answered("")]},
        "* GenerateContentRequest.contents[2].parts[0].function_response.name: Name cannot be empty.\n",
    ),
    (
        {"contents": [answered()]},
        "Please ensure that function response turn comes immediately after a function call turn.",
    ),
    (
        {"contents": [said("x"), called(thoughtSignature=SKIP), said("never mind"), answered()]},
        "Please ensure that function response turn comes immediately after a function call turn.",
    ),
    (
        {"contents": [called()]},
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
    ),
    (
        {
            "contents": [
                said("x"),
                {"role": "model", "parts": [*called()["parts"], *called()["parts"]]},
                answered(),
            ]
        },
        "Please ensure that the number of function response parts is equal to the number of function call parts of the "
        "function call turn.",
    ),
    ({"contents": [{"parts": [BLOB]}]}, "Unsupported MIME type: image/gif"),
    (config(stopSequences=list("abcdef")), "the number of stop_sequences must not exceed 5."),
    (config(temperature=2.1), "temperature must be in the range [0.0, 2.0]."),
    (config(topP=-0.1), "top_p must be in the range [0.0, 1.0]."),
    (config(maxOutputTokens=0), "max_output_tokens must be positive."),
    (config(candidateCount=2), "Multiple candidates is not enabled for this model"),
    (config(responseMimeType="text/csv"), "allowed mimetypes are"),
    (config(responseJsonSchema={}), "response_mime_type must be application/json"),
    (
        config(responseMimeType="application/json", responseJsonSchema={}, responseSchema={}),
        "response_schema and response_json_schema may not both be set",
    ),
    (config(responseMimeType="application/json", responseJsonSchema={"type": 7}), "is no JSON Schema"),
    (config(responseMimeType="application/json", responseJsonSchema=True), "is no JSON Schema: it is no object"),
    (request(tools=[{"functionDeclarations": [{"name": "f", "parametersJsonSchema": []}]}]), "is no JSON Schema"),
    ({"contents": [{"parts": [{"fileData": {"fileUri": "gs://a/b"}}]}]}, "Invalid or unsupported file uri: gs://a/b"),
    (
        config(responseMimeType="application/json", responseSchema={"type": "ARRAY"}),
        "* GenerateContentRequest.generation_config.response_schema.items: missing field.\n",
    ),
    (
        config(responseMimeType="application/json", responseSchema={"type": "OBJECT", "required": ["a"]}),
        "generation_config.response_schema.required[0]: property is not defined",
    ),
    (
        config(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"}),
        "You can only set only one of thinking budget and thinking level.",
    ),
    (config(thinkingConfig={"thinkingBudget": 99_999}), "The thinking budget 99999 is invalid."),
    (
        config(thinkingConfig={"thinkingLevel": "XHIGH"}),
        "Thinking level XHIGH is not supported for this model. Please retry with other thinking level.",
    ),
    (
        config(thinkingConfig={"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        "Thinking_config.include_thoughts is only enabled when thinking is enabled.",
    ),
    (request(tools=[function("7up")]), "Invalid function name. Must start with a letter or an underscore."),
    (request(tools=[function(), function()]), "Duplicate function declaration found: look_up"),
    (
        request(tools=[function(parameters={"type": "OBJECT"})]),
        "parameters and parameters_json_schema are mutually exclusive",
    ),
    (
        request(toolConfig={"functionCallingConfig": {"mode": "AUTO"}}),
        "Function calling config is set without function_declarations.",
    ),
    (
        request(tools=[function()], toolConfig={"functionCallingConfig": {"allowedFunctionNames": ["look_up"]}}),
        "may be set in the modes ANY and VALIDATED only",
    ),
    (
        request(
            tools=[function()], toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["x"]}}
        ),
        "x is not a declared function",
    ),
    (request(model="models/gemini-2.5-pro"), "the request names the model gemini-2.5-pro"),
    (request("sandbox:error"), "this request is refused, as its prompt asks"),
]


@pytest.mark.parametrize(("body", "text"), READ, ids=range(len(READ)))
def test_what_a_model_refuses(gemini: Gemini, body: Json, text: str) -> None:
    assert text in refusal(gemini, body)


def test_what_models_before_3_do_not_combine(gemini: Gemini) -> None:
    json_type = {"responseMimeType": "application/json"}
    with_json = request(tools=[function()], generationConfig=json_type)
    with_search = request(tools=[function(), {"googleSearch": {}}])
    message = "Function calling with a response mime type: 'application/json' is unsupported"
    assert refusal(gemini, with_json, "gemini-2.5-flash") == message
    assert refusal(gemini, with_search, "gemini-2.5-flash") == "Tool use with function calling is unsupported"
    assert generate(gemini, with_json)["candidates"]
    assert generate(gemini, with_search)["candidates"]


@pytest.mark.parametrize(
    ("model", "thinking", "text"),
    [
        ("gemini-2.5-flash", {"thinkingLevel": "LOW"}, "Thinking level is not supported for this model."),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, "Budget 0 is invalid. This model only works in thinking mode."),
        ("gemini-2.5-pro", {"thinkingBudget": 100}, "Please choose a value between 128 and 32768."),
        ("gemini-2.0-flash", {"includeThoughts": True}, "thinking_config is not supported by this model"),
        ("gemini-3.1-pro-preview", {"thinkingLevel": "MINIMAL"}, "Thinking level MINIMAL is not supported"),
    ],
)
def test_thinking_by_model(gemini: Gemini, model: str, thinking: Json, text: str) -> None:
    assert text in refusal(gemini, config(thinkingConfig=thinking), model)


UNREAD = [
    ({"stream": True}, [("", 'Invalid JSON payload received. Unknown name "stream": Cannot find field.')]),
    (
        config(max_tokens=5, topN=3),
        [
            ("generation_config", "Unknown name \"max_tokens\" at 'generation_config': Cannot find field."),
            ("generation_config", "Unknown name \"topN\" at 'generation_config': Cannot find field."),
        ],
    ),
    (
        request(tools=[{"functionDeclarations": [{"name": "f", "parameters": {"$schema": "x"}}]}]),
        [("tools[0].function_declarations[0].parameters", 'Unknown name "$schema" at ')],
    ),
    (
        request(
            tools=[
                {"functionDeclarations": [{"name": "f", "parameters": {"properties": {"a": {}, "b": {"const": 1}}}}]}
            ]
        ),
        [("tools[0].function_declarations[0].parameters.properties[1].value", 'Unknown name "const" at ')],
    ),
    (
        request(tools=[{"functionDeclarations": [{"name": "f", "parameters": {"type": ["string", "null"]}}]}]),
        [
            (
                "tools[0].function_declarations[0].parameters",
                "Unknown name \"type\" at 'tools[0].function_declarations[0].parameters': Proto field is not "
                "repeating, cannot start list.",
            )
        ],
    ),
    (
        {"contents": [{"parts": [{"text": "a", "inlineData": {}}]}]},
        [
            (
                "contents[0].parts[0]",
                "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set "
                "'inlineData'",
            )
        ],
    ),
    (
        {"contents": "hi"},
        [
            (
                "contents[0]",
                "Invalid value at 'contents[0]' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content), "
                '"hi"',
            )
        ],
    ),
    ({"contents": [{"parts": [{"text": 7}]}]}, [("contents[0].parts[0].text", "(TYPE_STRING), 7")]),
    ({"contents": [{"parts": [{"text": {}}]}]}, [("contents[0].parts[0]", "Starting an object on a scalar field.")]),
    (config(temperature="warm"), [("generation_config.temperature", '(TYPE_FLOAT), "warm"')]),
    (config(seed=2**31), [("generation_config.seed", "(TYPE_INT32), 2147483648")]),
    (config(topK=1.5), [("generation_config.top_k", "(TYPE_INT32), 1.5")]),
    (config(responseLogprobs="yes"), [("generation_config.response_logprobs", '(TYPE_BOOL), "yes"')]),
    (
        config(thinkingConfig={"thinkingLevel": "mad"}),
        [("generation_config.thinking_config.thinking_level", '.ThinkingConfig.ThinkingLevel), "mad"')],
    ),
    (
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]},
        [("contents[0].parts[0].inline_data.data", '(TYPE_BYTES), Base64 decoding failed for "!"')],
    ),
    (
        {"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]},
        [("contents[0].parts[0].function_call.args", "(type.googleapis.com/google.protobuf.Struct), []")],
    ),
    ([], [("", "Invalid value at ''")]),
]


@pytest.mark.parametrize(("body", "violations"), UNREAD, ids=range(len(UNREAD)))
def test_what_cannot_be_read(gemini: Gemini, body: Any, violations: list[tuple[str, str]]) -> None:
    answer = gemini.call("POST", f"models/{MODEL}:generateContent", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    (detail,) = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert error["message"] == "\n".join(found["description"] for found in detail["fieldViolations"])
    for (field, text), found in zip(violations, detail["fieldViolations"], strict=True):
        assert found.get("field", "") == field
        assert text in found["description"]


def test_what_a_reader_takes(gemini: Gemini) -> None:
    """Numbers as text, null for nothing, one value for a list, snake_case (documented for protobuf; recorded)."""
    body = {
        "contents": {"parts": {"text": "a b c"}},
        "system_instruction": None,
        "generationConfig": {"max_output_tokens": "500", "temperature": "0.5", "topK": 40.0, "stopSequences": " c"},
    }
    assert parts(generate(gemini, body))[0]["text"] == "[sandbox] answer to: a b"


def test_no_json_at_all(gemini: Gemini) -> None:
    answer = gemini.http.post(f"/v1beta/models/{MODEL}:generateContent", content=b"{contents:")
    assert answer.json()["error"]["message"].startswith("Invalid JSON payload received. ")


def test_an_overloaded_model(gemini: Gemini) -> None:
    message = refusal(gemini, request("sandbox:overloaded"), status=503)
    assert message == "The model is overloaded. Please try again later."


def test_keys(gemini: Gemini) -> None:
    bad = gemini.bare.get("/v1beta/models", headers={"x-goog-api-key": "invalid-key"})
    message = "API key not valid. Please pass a valid API key."
    assert bad.status_code == 400
    assert bad.json()["error"] == {
        "code": 400,
        "message": message,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
        ],
    }
    none = gemini.bare.get("/v1beta/models")
    assert (none.status_code, none.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert gemini.bare.get("/v1beta/models?key=sandbox").status_code == 200
    assert gemini.bare.get("/v1beta/models?key=x").status_code == 400


def test_places_that_are_none_answer_with_a_page(gemini: Gemini) -> None:
    for method, path in (("GET", "/v1beta/nothing"), ("GET", "/v2/models"), ("PUT", "/v1/files/x")):
        answer = gemini.http.request(method, path)
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_faults_answer_as_google_does(timed: Any, key: str, status: int) -> None:
    with connect(timed.url, key) as gemini:
        gemini.bare.post(f"{timed.url}/_sandbox/faults", json=f"{status}@gemini GET /v1beta/models").raise_for_status()
        answer = gemini.call("GET", "models")
        assert answer.status_code == status
        assert gemini.call("GET", "models").status_code == 200
    assert "retry-after" not in answer.headers
    if status == 502:
        assert answer.text.startswith("<!DOCTYPE html>")
        return
    assert answer.json()["error"]["code"] == status
    if status == 429:
        assert answer.json()["error"]["details"][-1] == {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": "1s",
        }


def test_what_is_counted(instant_url: str, gemini: Gemini) -> None:
    before = gemini.bare.get(f"{instant_url}/_sandbox/counts").json()["gemini"]
    generate(gemini, request())
    after = gemini.bare.get(f"{instant_url}/_sandbox/counts").json()["gemini"]
    assert after["generations"] == before.get("generations", 0) + 1
