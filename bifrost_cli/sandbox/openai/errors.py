"""OpenAI's refusals: its envelope, and its words for a value that does not fit."""

from collections.abc import Mapping
from typing import Any, NoReturn

import orjson
from starlette.responses import Response

from bifrost_cli.sandbox.shape import Check, Mismatch, Tag, listed, type_name


class Refusal(Exception):
    """An answer other than 2xx. `detail` adds the second object that errors of the Files API carry (recorded)."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str = "invalid_request_error",
        detail: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.type = type
        self.detail = detail

    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if not self.detail:
            return {"error": error}
        return {"error": error, "detail": {"message": self.message, "code": self.code}}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Indented by two spaces; the Files API ends with a line break and lets any origin read (recorded)."""
        body = orjson.dumps(self.body(), option=orjson.OPT_INDENT_2)
        sent = dict(headers or {})
        if self.detail:
            body += b"\n"
            sent["access-control-allow-origin"] = "*"
        return Response(body, self.status, headers=sent, media_type="application/json")


def overloaded() -> Refusal:
    """The passing failure."""
    message = "The server is currently overloaded with other requests. Sorry about that! Please try again later."
    return Refusal(message, 503, type="server_error", code="server_overloaded")


def missing(param: str) -> Refusal:
    return Refusal(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def invalid(message: str, param: str, code: str) -> Refusal:
    return Refusal(message, param=param, code=code)


def fit(check: Check, value: Any) -> None:
    """Raises the Refusal for a value that does not fit."""
    try:
        check(value)
    except Mismatch as mismatch:
        refuse(mismatch)


def refuse(mismatch: Mismatch) -> NoReturn:
    """Raises the Refusal that words a mismatch: `Unknown parameter: 'input[0].foo'.`"""
    param = dotted(mismatch.path)
    value, limit = mismatch.value, mismatch.limit
    match mismatch.kind:
        case "missing":
            raise missing(param)
        case "untagged":
            raise missing(f"{param}.{limit}")
        case "extra":
            raise invalid(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
        case "type":
            message = f"Invalid type for '{param}': expected {limit if ' ' in limit else _article(limit)}, but got "
            raise invalid(message + f"{_given(value)} instead.", param, "invalid_type")
        case "choice":
            raise invalid(f"Invalid value: '{value}'. Supported values are: {listed(limit)}.", param, "invalid_value")
        case "tag":
            message = f"Invalid value: '{value}'. Supported values are: {listed(limit[1])}."
            raise invalid(message, f"{param}.{limit[0]}", "invalid_value")
        case "minimum" | "maximum":
            raise _out_of_bounds(mismatch, param)
        case "short" | "long":
            raise _wrong_length(mismatch, param)
        case "pattern":
            message = f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
            raise invalid(message + f"'{limit}'.", param, "invalid_value")
    raise invalid(str(limit), param, "invalid_value")


def dotted(path: list[str | int]) -> str:
    """`input[0].content`; which member of a union was taken is not shown."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not isinstance(step, Tag):
            text += f".{step}" if text else step
    return text


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _given(value: Any) -> str:
    return "null" if value is None else _article({"number": "decimal number"}.get(type_name(value), type_name(value)))


def _out_of_bounds(mismatch: Mismatch, param: str) -> Refusal:
    kind = "decimal" if isinstance(mismatch.limit, float) else "integer"
    side, sign, code = (
        ("below minimum", ">=", "below_min") if mismatch.kind == "minimum" else ("above maximum", "<=", "above_max")
    )
    message = f"Invalid '{param}': {kind} {side} value. Expected a value {sign} {mismatch.limit:g}, but got "
    return invalid(message + f"{mismatch.value} instead.", param, f"{kind}_{code}_value")


_MEASURES = {
    "string": (
        "string too {}. Expected a string with {} length {}, but got a string with length {} instead.",
        "length",
    ),
    "array": ("array too {}. Expected an array with {} length {}, but got an array with length {} instead.", "length"),
    "object": (
        "too {} properties. Expected an object with {} {} properties, but got an object with {} properties instead.",
        "properties",
    ),
}


def _wrong_length(mismatch: Mismatch, param: str) -> Refusal:
    kind = type_name(mismatch.value)
    if kind != "object" and not mismatch.value:
        empty = f"Invalid '{param}': empty {kind}. Expected {_article(kind)} with minimum length {mismatch.limit}, but "
        return invalid(f"{empty}got an empty {kind} instead.", param, f"empty_{kind}")
    template, measure = _MEASURES[kind]
    short = mismatch.kind == "short"
    word = ("few" if short else "many") if kind == "object" else ("short" if short else "long")
    bound = ("at least" if short else "at most") if kind == "object" else ("minimum" if short else "maximum")
    message = template.format(word, bound, mismatch.limit, len(mismatch.value))
    return invalid(f"Invalid '{param}': {message}", param, f"{kind}_{'below_min' if short else 'above_max'}_{measure}")
