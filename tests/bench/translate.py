"""Requests and results from one form to another, in memory, beside orjson's parsing and writing of the same lines.

All of it is computing in this process: what is measured is processor time.
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial

import lines
import orjson
from kit import Growth, Row, Setup, Target, in_turn, rate, timed

from bifrost_cli import Bifrost, Config
from bifrost_cli.core import jsonl
from bifrost_cli.core.planner import Planner
from bifrost_cli.models import BatchResult
from bifrost_cli.providers.anthropic import translate as anthropic
from bifrost_cli.providers.base import Provider
from bifrost_cli.providers.bedrock import translate as bedrock
from bifrost_cli.providers.gemini import translate as gemini
from bifrost_cli.providers.openai import translate as openai

MODELS = {"openai": lines.GPT, "gemini": lines.GEMINI, "bedrock": lines.CLAUDE}
ORIGIN = bedrock.Origin("us-east-1.job", lines.CLAUDE, "batch")
CONVERSE_ORIGIN = ORIGIN._replace(model=lines.NOVA)
DECODERS: dict[str, tuple[Callable[[str], object], Callable[[bytes], BatchResult]]] = {
    "Anthropic": (lines.anthropic_result, anthropic.decode_result),
    "OpenAI": (lines.openai_result, openai.decode_result),
    "Gemini": (lines.gemini_result, lambda line: gemini.decode_result(line, 1, lines.GEMINI)),
    "Bedrock": (lines.invoke_result, lambda line: bedrock.decode_result(line, ORIGIN)),
    "Bedrock Converse": (lines.converse_result, lambda line: bedrock.decode_result(line, CONVERSE_ORIGIN)),
}
FLOOR = "orjson loads + dumps"


def encode(setup: Setup) -> Iterator[Row]:
    """Anthropic's lines to each provider's batch input."""
    for name, model in MODELS.items():
        text = b"".join(lines.texts(setup.size(20_000), model))
        yield _row(setup, f"text requests → {_adapter(name).title}", text, partial(_encode, _adapter(name)), 0.35)
    text = b"".join(lines.texts(setup.size(20_000), lines.NOVA))
    yield _row(setup, "text requests → Bedrock Converse", text, partial(_encode, _adapter("bedrock")), 0.35)
    for name, model in MODELS.items():
        rich = b"".join(lines.rich(setup.size(6_000), model))
        what = f"tools, images, long dialogues → {_adapter(name).title}"
        yield _row(setup, what, rich, partial(_encode, _adapter(name)), 0.2)


def decode(setup: Setup) -> Iterator[Row]:
    """Each provider's result lines to Anthropic's."""
    for name, (make, read) in DECODERS.items():
        found = b"".join(lines.results(make, setup.size(20_000)))
        assert read(found.partition(b"\n")[0])["result"]["type"] == "succeeded"
        yield _row(setup, f"results of {name}", found, partial(_decode, read), 0.35)


def growth(setup: Setup, sizes: list[int]) -> Growth:
    """Encoding for OpenAI at growing sizes, once each."""
    figures = {}
    for size in sizes:
        path = lines.write(setup.folder / "growth.jsonl", lines.texts(size, lines.GPT))
        with path.open("rb") as stream:
            seconds = timed(lambda stream=stream: _encode_stream(_adapter("openai"), stream), time.process_time)()
        figures[size] = f"{seconds:.3g} s cpu"
    return Growth("encoding for OpenAI", figures)


def _row(setup: Setup, what: str, text: bytes, ours: Callable[[bytes], None], least: float) -> Row:
    floor = timed(lambda: parse_and_write(text), time.process_time)
    floors, measured = in_turn(setup.repeats(11), floor, timed(lambda: ours(text), time.process_time))
    return Row(what, rate("MB/s", len(text) / 1e6), measured, FLOOR, floors, (Target("rate", least),))


def parse_and_write(text: bytes) -> None:
    """What any translation of these lines takes: each parsed, each written."""
    for line in io.BytesIO(text):
        orjson.dumps(orjson.loads(line))


def _encode(adapter: Provider, text: bytes) -> None:
    _encode_stream(adapter, io.BytesIO(text))


def _encode_stream(adapter: Provider, stream: io.BufferedIOBase) -> None:
    planner = Planner(lambda name: adapter, lambda model, given: (adapter.name, model))
    for _, line in jsonl.read(stream):
        planner.encode(line)


def _decode(read: Callable[[bytes], BatchResult], text: bytes) -> None:
    for line in io.BytesIO(text):
        orjson.dumps(read(line), option=orjson.OPT_APPEND_NEWLINE)


def _adapter(name: str) -> Provider:
    return Bifrost(Config(environ={"BIFROST_OPENAI_ENDPOINT": "auto"})).adapter(name)


def encoded(path: str, out: str) -> None:
    """The lines of a file as OpenAI's batch input."""
    adapter = _adapter("openai")
    planner = Planner(lambda name: adapter, lambda model, given: (adapter.name, model))
    with open(path, "rb") as stream, open(out, "wb") as file:
        for _, line in jsonl.read(stream):
            file.write(planner.encode(line)[1].body + b"\n")
