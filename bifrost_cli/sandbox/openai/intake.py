"""Validating the input file of a new batch. What is wrong with a line fails the whole batch, later; what is wrong
with a request's body, where the model is asked, becomes a line of the error file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bifrost_cli.sandbox.lines import ERRORED, Index
from bifrost_cli.sandbox.openai import models
from bifrost_cli.sandbox.openai.endpoints import ENDPOINTS, Endpoint, HasFile
from bifrost_cli.sandbox.openai.errors import Refusal

MAX_LINES = 50_000
MAX_ERRORS = 100
"""How many bad lines are told; nobody has reported a limit."""


class LineError(Exception):
    """What is wrong with a line: code, message and the member at fault."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def batch_error(code: str, message: str, param: str | None = None, line: int | None = None) -> dict[str, Any]:
    """An entry of a failed batch's `errors.data`; lines count from 1."""
    return {"code": code, "line": line, "message": message, "param": param}


@dataclass
class Intake:
    """What the file came to: its lines' model, about how many tokens go in, and what is wrong with it."""

    model: str | None = None
    tokens: int = 0
    counting: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)
    index: Index = field(default_factory=Index)
    seen: set[str] = field(default_factory=set)


def read(folder: Path, url: str, has_file: HasFile, *, count: bool = False) -> Intake:
    """Validates the lines of `folder/input` for an endpoint and writes their index beside it. Tokens are counted
    when `count` says so."""
    intake, position = Intake(counting=count), 0
    size = _length(folder / "input")
    with (folder / "input").open("rb") as file:
        for number, line in enumerate(file, start=1):
            if position >= size:
                break
            if number > MAX_LINES:
                message = f"The batch input file has more than the maximum of {MAX_LINES} requests."
                intake.errors = [batch_error("too_many_tasks", message)]
                break
            _read_line(intake, line, number, position, url, has_file)
            position += len(line)
    intake.index.save(folder)
    return intake


def _length(path: Path) -> int:
    """The file's length without the blank lines at its end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        tail = file.read()
    return size - len(tail) + len(tail.rstrip())


def _read_line(intake: Intake, line: bytes, number: int, position: int, url: str, has_file: HasFile) -> None:
    try:
        request = _request(line)
        endpoint = _check_line(intake, request, url)
    except LineError as error:
        if len(intake.errors) < MAX_ERRORS:
            intake.errors.append(batch_error(error.code, error.message, error.param, number))
        return
    if intake.errors:
        return
    intake.seen.add(request["custom_id"])
    intake.index.add(position, position + len(line), _judge(intake, endpoint, request["body"], has_file))


def _judge(intake: Intake, endpoint: Endpoint, body: Any, has_file: HasFile) -> bytes:
    try:
        letter = endpoint.judge(body, has_file)
    except Refusal:
        return ERRORED
    if intake.counting:
        intake.tokens += endpoint.count(body)
    return letter


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise LineError("invalid_json_line", "This line is not parseable as valid JSON.", None)
    return request


def _check_line(intake: Intake, request: dict[str, Any], url: str) -> Endpoint:
    """Codes and messages are the reported ones where there are any."""
    for name in ("custom_id", "method", "url", "body"):
        if request.get(name) is None:
            raise LineError("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    if not isinstance(request["custom_id"], str) or not request["custom_id"]:
        raise LineError("invalid_type", "Invalid type for 'custom_id': expected a non-empty string.", "custom_id")
    if request["custom_id"] in intake.seen:
        message = f"The custom_id '{request['custom_id']}' for this request is a duplicate of another request."
        raise LineError("duplicate_custom_id", message, "custom_id")
    if request["method"] != "POST":
        raise LineError("invalid_method", "The HTTP method provided for this request is not supported.", "method")
    if request["url"] != url:
        message = "The URL provided for this request does not match the batch endpoint."
        raise LineError("invalid_url", message, "url")
    if not isinstance(request["body"], dict):
        raise LineError("invalid_type", "Invalid type for 'body': expected an object.", "body")
    _check_body(intake, request["body"], ENDPOINTS[url])
    return ENDPOINTS[url]


def _check_body(intake: Intake, body: dict[str, Any], endpoint: Endpoint) -> None:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise LineError("invalid_request", "Model parameter is required.", "body.model")
    if endpoint.content not in body:
        name = endpoint.content
        raise LineError("invalid_request", f"{name.capitalize()} parameter is required.", f"body.{name}")
    if not models.exists(model):
        message = f"The provided model '{model}' is not supported by the Batch API."
        raise LineError("model_not_found", message, "body.model")
    if body.get("stream"):
        message = f"{endpoint.label}: Streaming is not supported in the Batch API."
        raise LineError("streaming_unsupported", message, "body.stream")
    intake.model = intake.model or model
    if model != intake.model:
        message = f"The model '{model}' for this request does not match the rest of the batch. Each batch must contain "
        raise LineError("mismatched_model", message + "requests for a single model.", "body.model")
