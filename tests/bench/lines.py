"""What is sent and answered: requests of about 570 bytes and of a richer kind, and each provider's result lines."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.openai import responses, responses_stream

GPT, CLAUDE, GEMINI = "gpt-5.4-mini", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "gemini-3.8-flash"
NOVA = "us.amazon.nova-lite-v1:0"
REVIEWS = (
    "the room was quiet and the bed was good but breakfast ended at nine and nobody at the desk knew when the bus to "
    "the old town leaves so we walked along the river past the mill and were there in half an hour which we liked",
    'Three nights, room 412.\n\n"Best bed ever", said my wife. Breakfast: 7:00-9:30 (too early!).\n- The desk didn\'t '
    'know the bus times\n- Wi-Fi: "ok"\n\nWe\'d walk to the old town again: half an hour, past the mill.',
    "Séjour très agréable à l’hôtel, chambre calme, lit parfait ; le petit-déjeuner finit à neuf heures, et personne à "
    "la réception ne connaît l’horaire du bus. Nous sommes allés à pied le long de la rivière, jusqu’en ville.",
    "Lovely place – quiet room, great bed 😀 but breakfast till 9 only… and nobody knew when the bus leaves 🚌 “Just "
    "walk”, they said: half an hour by the river, past the old mill. We liked it! 👍 Would come again, 4/5 ⭐",
)
"""As people write them: bare ASCII, lines and quotes, accents, and what phones type."""
WORDS = [review.split(" ") for review in REVIEWS]
IMAGE = base64.b64encode(bytes(range(256)) * 16).decode()
ANSWER = 'The guest liked the walk to the "old town" — breakfast and bus were a nuisance.\n\nSentiment: mixed, 3 of 5.'
TOOL = {
    "name": "note_review",
    "description": "Note what a review says, for the monthly report.",
    "input_schema": {
        "type": "object",
        "properties": {
            "stars": {"type": "integer", "description": "One to five"},
            "topics": {"type": "array", "items": {"type": "string", "enum": ["room", "food", "staff", "place"]}},
            "quote": {"type": "string"},
        },
        "required": ["stars", "topics"],
    },
}


def words(number: int, count: int) -> str:
    """`count` words of a review, another for each `number`."""
    review = WORDS[number % len(WORDS)]
    start = number // len(WORDS) % len(review)
    turned = review[start:] + review[:start]
    return f"{number}: " + " ".join((turned * (count // len(turned) + 1))[:count])


def text(number: int, model: str) -> dict[str, Any]:
    """A classification with a system prompt; about 570 bytes as a line."""
    asked = {"role": "user", "content": f"Review {words(number, 58)}"}
    system = "You sort hotel reviews. Answer with one sentence, and the sentiment as a number from one to five."
    return {"model": model, "max_tokens": 64, "temperature": 0.2, "system": system, "messages": [asked]}


def tools(number: int, model: str) -> dict[str, Any]:
    """A tool, its call and its result."""
    call = {"type": "tool_use", "id": f"toolu_{number}", "name": TOOL["name"], "input": {"stars": 3, "topics": []}}
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": [{"type": "text", "text": "noted"}]}
    messages = [
        {"role": "user", "content": words(number, 60)},
        {"role": "assistant", "content": [{"type": "text", "text": "I note it."}, call]},
        {"role": "user", "content": [result, {"type": "text", "text": "And in one word?"}]},
    ]
    return {"model": model, "max_tokens": 256, "tools": [TOOL], "tool_choice": {"type": "auto"}, "messages": messages}


def image(number: int, model: str) -> dict[str, Any]:
    """A picture of 4 KB, by value, and a question."""
    source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
    content = [{"type": "image", "source": source}, {"type": "text", "text": words(number, 20)}]
    return {"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": content}]}


def dialogue(number: int, model: str) -> dict[str, Any]:
    """Twenty-one turns."""
    messages = [
        {"role": "assistant" if turn % 2 else "user", "content": [{"type": "text", "text": words(number + turn, 40)}]}
        for turn in range(21)
    ]
    return {"model": model, "max_tokens": 256, "system": [{"type": "text", "text": "Be brief."}], "messages": messages}


RICH = (tools, image, dialogue)


def texts(count: int, model: str, first: int = 0) -> Iterator[bytes]:
    """Lines of text requests, each id unique."""
    return (_line(number, text(number, model)) for number in range(first, first + count))


def rich(count: int, model: str) -> Iterator[bytes]:
    """Lines of tools, images and long dialogues, in turn."""
    return (_line(number, RICH[number % 3](number, model)) for number in range(count))


def _line(number: int, params: dict[str, Any]) -> bytes:
    return orjson.dumps({"custom_id": custom_id(number), "params": params}, option=orjson.OPT_APPEND_NEWLINE)


def custom_id(number: int) -> str:
    """Ids of ten characters, so that lines made from one pattern are of one length."""
    return f"r-{number:08d}"


def write(path: Path, lines: Iterator[bytes]) -> Path:
    """A file of lines."""
    with path.open("wb") as file:
        file.writelines(lines)
    return path


def requests_body(count: int, model: str) -> bytes:
    """The body of `POST /v1/messages/batches`."""
    requests = [{"custom_id": custom_id(number), "params": text(number, model)} for number in range(count)]
    return orjson.dumps({"requests": requests})


# -- what providers answer --------------------------------------------------------------------------------------


def response() -> dict[str, Any]:
    """OpenAI's Response to a text request, with all members that it has."""
    body = {"model": GPT, "input": "Say hello.", "max_output_tokens": 64}
    whole = responses.reply(body, "seed", 1_790_000_000)
    for item in whole["output"]:
        if item["type"] == "message":
            item["content"][0]["text"] = ANSWER
    return whole


def response_events() -> list[bytes]:
    """The same as server-sent events."""
    return list(responses_stream.events(response(), obfuscate=False))


def openai_result(custom_id: str) -> dict[str, Any]:
    """A line of an output file."""
    answered = {"status_code": 200, "request_id": "req_0f0e", "body": response()}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": answered, "error": None}


def gemini_result(custom_id: str) -> dict[str, Any]:
    """A line of a result file."""
    candidate = {"content": {"parts": [{"text": ANSWER}], "role": "model"}, "finishReason": "STOP", "index": 0}
    details = [{"modality": "TEXT", "tokenCount": 130}]
    usage = {"promptTokenCount": 130, "candidatesTokenCount": 31, "totalTokenCount": 161}
    answered = {
        "candidates": [candidate],
        "usageMetadata": {**usage, "promptTokensDetails": details},
        "modelVersion": GEMINI,
        "responseId": f"mnhGavTtJvqf-{custom_id}",
    }
    return {"response": answered, "key": custom_id}


def anthropic_result(custom_id: str) -> dict[str, Any]:
    """A line of results."""
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": message(custom_id)}}


def message(custom_id: str) -> dict[str, Any]:
    """Anthropic's message."""
    usage = {"input_tokens": 130, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 31}
    return {
        "id": f"msg_{custom_id}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**usage, "service_tier": "batch"},
    }


def invoke_result(custom_id: str) -> dict[str, Any]:
    """A line of a job's output, of an Anthropic model; jobs give the input back in it."""
    asked = text(int(custom_id[2:]), CLAUDE)
    del asked["model"]
    return {
        "modelInput": {"anthropic_version": "bedrock-2023-05-31", **asked},
        "modelOutput": message(custom_id),
        "recordId": custom_id,
    }


def converse_result(custom_id: str) -> dict[str, Any]:
    """A line of a job's output, of another model."""
    asked = [{"role": "user", "content": [{"text": words(int(custom_id[2:]), 58)}]}]
    said = {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}
    usage = {"inputTokens": 130, "outputTokens": 31, "totalTokens": 161}
    return {
        "modelInput": {"messages": asked, "inferenceConfig": {"maxTokens": 64}},
        "modelOutput": {"output": said, "stopReason": "end_turn", "metrics": {"latencyMs": 310}, "usage": usage},
        "recordId": custom_id,
    }


def results(make: Callable[[str], dict[str, Any]], count: int, first: int = 0) -> Iterator[bytes]:
    """Result lines for requests from number `first` on. All but the id is one pattern, so that this is fast."""
    mark = custom_id(0)
    pattern = orjson.dumps(make(mark), option=orjson.OPT_APPEND_NEWLINE).split(mark.encode())
    return (custom_id(number).encode().join(pattern) for number in range(first, first + count))
