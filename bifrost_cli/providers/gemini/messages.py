"""A message alone: the same translation as in a batch, told at once or event by event."""

from collections.abc import AsyncIterator
from typing import Any

from bifrost_cli.errors import BifrostError
from bifrost_cli.models import Page
from bifrost_cli.providers.gemini import answers, generate, translate
from bifrost_cli.providers.gemini.checks import PROVIDER, Drop
from bifrost_cli.providers.gemini.events import told
from bifrost_cli.providers.gemini.failures import in_answer
from bifrost_cli.providers.gemini.generate_stream import GenerateStream, joined
from bifrost_cli.sse import Event


def encode(params: dict[str, Any], schema_form: str, files: str, drop: Drop) -> tuple[str, dict[str, Any]]:
    """The model's name, which goes into the address, and the body. `files` is the address that file ids are below."""
    encoder = translate.encoder(params, schema_form, files, drop)
    return encoder.kind.model, encoder.body(params["messages"])


def to_counted(model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body of `:countTokens`, which counts a whole request, its system and its tools too."""
    return {"generateContentRequest": {"model": f"models/{model}", **body}}


def to_count(answer: dict[str, Any]) -> int:
    """`{"totalTokens": n}`."""
    return int(answer["totalTokens"])


def decode(response: dict[str, Any], model: str) -> dict[str, Any]:
    """Anthropic's message. Raises the error that an answer is which failed."""
    if failure := in_answer(response):
        raise failure
    if response.keys().isdisjoint(translate.GENERATED):
        raise BifrostError("Gemini's answer is not a message.", hint="Is the address right?", provider=PROVIDER)
    message = generate.decode(joined(response), answers.chance(response), model)
    message["usage"]["service_tier"] = "standard"
    return message


async def events(model: str, stream: AsyncIterator[Event]) -> AsyncIterator[dict[str, Any]]:
    """Anthropic's events, from the answers that a stream holds."""
    answer = GenerateStream(model)
    async for event in told(stream, answer.tell, answer.end):
        yield event


def to_models(answer: dict[str, Any]) -> Page[dict[str, Any]]:
    """A page of the models that make messages, as Anthropic lists them; Gemini does not say since when they exist."""
    page = translate.to_page(answer, "models", _model)
    return Page([model for model in page.data if model], page.next)


def _model(given: dict[str, Any]) -> dict[str, Any]:
    """Empty where it makes none."""
    if generate.ENDPOINT not in (given.get("supportedGenerationMethods") or ()):
        return {}
    id = translate.native(given.get("name"), "models")
    name = answers.text(given.get("displayName")) or id
    return {"type": "model", "id": id, "display_name": name, "created_at": translate.EPOCH.isoformat()}
