"""OpenAI's wire calls: Files, Batches and Responses or Chat, as of August 2026; also of servers that imitate them."""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from bifrost_cli.bodies import Form, Source
from bifrost_cli.config import Setting
from bifrost_cli.errors import BifrostError, InvalidRequestError, OutcomeUnknownError, UnsupportedError
from bifrost_cli.models import Batch, BatchResult, File, Page, Request
from bifrost_cli.providers.base import Capabilities, Limits, Part, Provider
from bifrost_cli.providers.encoder import Encoder, Line
from bifrost_cli.providers.openai import failures, messages, own_losses, translate
from bifrost_cli.transport import Client, Transport

HOST = "api.openai.com"
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
SHORTEST_LIFE, LONGEST_LIFE = 3600, 2_592_000
TAG = "bifrost"
CLOCKS_APART = timedelta(seconds=60)


class OpenAI(Provider):
    """api.openai.com, or any server with its wire."""

    name = "openai"
    title = "OpenAI"
    settings = (
        Setting("api_key", "an API key", env=("OPENAI_API_KEY",), secret=True, required=True),
        Setting("base_url", "the address", env=("OPENAI_BASE_URL",), default="https://api.openai.com/v1"),
        Setting("organization", "the organization that pays", env=("OPENAI_ORG_ID",)),
        Setting("project", "the project that pays", env=("OPENAI_PROJECT_ID",)),
        Setting(
            "endpoint",
            "the endpoint of batches; unset: auto at api.openai.com, chat elsewhere",
            env=("BIFROST_OPENAI_ENDPOINT",),
            choices=("auto", "responses", "chat"),
        ),
    )
    capabilities = Capabilities(
        list_files=True,
        upload_files=True,
        expiring_files=True,
        purposes=PURPOSES,
        batches=True,
        batch_from_file=True,
        live_counts=True,
        returns_input=True,
        finds_by_tag=True,
        messages=True,
        count_tokens=True,
        list_models=True,
    )
    limits = Limits(max_requests=50_000, max_bytes=200_000_000, one_model=True)

    # -- configuration ------------------------------------------------------------------------------------------

    def connect(self, client: Client) -> Transport:
        return Transport(
            provider=self.name,
            base_url=self.config["base_url"].rstrip("/"),
            address_from=self.config.source("base_url") or "default",
            client=client,
            headers=self._headers(),
            secrets=(self.config["api_key"],),
            read_error=failures.read_error,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self.config['api_key']}"}
        if "organization" in self.config:
            headers["openai-organization"] = self.config["organization"]
        if "project" in self.config:
            headers["openai-project"] = self.config["project"]
        return headers

    @cached_property
    def _is_official(self) -> bool:
        host = urlsplit(self.config["base_url"]).hostname or ""
        return host == HOST or host.endswith(f".{HOST}")

    @cached_property
    def _mode(self) -> str:
        """Servers that imitate OpenAI rarely have batches of the Responses endpoint."""
        return self.config.get("endpoint") or ("auto" if self._is_official else "chat")

    # -- pure: no I/O -------------------------------------------------------------------------------------------

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return translate.encoder(params, self._mode, self.context.drop)

    @classmethod
    def owns(cls, line: dict[str, Any]) -> bool:
        return translate.owns(line)

    @classmethod
    def own_body(cls, line: dict[str, Any]) -> dict[str, Any]:
        body = line.get("body")
        return body if isinstance(body, dict) else {}

    def encode_own(self, line: dict[str, Any]) -> Line:
        return translate.encode_own(line)

    @classmethod
    def read_own(cls, line: dict[str, Any], drop: frozenset[str] = frozenset()) -> Request:
        return own_losses.read(line, drop)

    def missing_result(self, batch: Batch, custom_id: str, line: int) -> BatchResult:
        return translate.missing_result(batch, custom_id, line)

    def quota_refused(self, batch: Batch) -> bool:
        return translate.quota_refused(batch)

    # -- files --------------------------------------------------------------------------------------------------

    async def upload_file(
        self,
        source: Source,
        *,
        filename: str,
        media_type: str,
        purpose: str | None = None,
        expires_in: int | None = None,
    ) -> File:
        purpose = purpose or ("batch" if filename.lower().endswith(".jsonl") else "user_data")
        form = Form(self._upload_fields(purpose, expires_in), "file", filename, media_type)
        return translate.to_file(await self.http.json("POST", "/files", source=source, form=form), media_type)

    def _upload_fields(self, purpose: str, expires_in: int | None) -> dict[str, str]:
        if purpose not in PURPOSES:
            known = f"Use one of: {', '.join(PURPOSES)}."
            raise UnsupportedError(f"OpenAI has no purpose '{purpose}'.", hint=known, provider=self.name)
        if expires_in is None:
            return {"purpose": purpose}
        if not SHORTEST_LIFE <= expires_in <= LONGEST_LIFE:
            raise InvalidRequestError(
                f"OpenAI keeps a file from 1 hour to 30 days, not {expires_in:,} seconds.",
                hint=f"Choose {SHORTEST_LIFE} to {LONGEST_LIFE} seconds, or leave it out.",
                provider=self.name,
            )
        expiry = {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(expires_in)}
        return {"purpose": purpose, **expiry}

    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        params: dict[str, Any] = {"limit": min(limit, 10_000), "order": "desc"} | ({"after": after} if after else {})
        return translate.to_page(await self.http.json("GET", "/files", params=params), translate.to_file)

    async def get_file(self, id: str) -> File:
        return translate.to_file(await self.http.json("GET", f"/files/{id}"))

    async def delete_file(self, id: str) -> None:
        await self.http.request("DELETE", f"/files/{id}")

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async with self.http.stream(_content(id)) as response:
            async for block in response.aiter_bytes():
                yield block

    # -- batches ------------------------------------------------------------------------------------------------

    async def create_batch(self, part: Part) -> Batch:
        file_id, endpoint = part.file_id, part.endpoint
        if part.source is not None:
            form = Form({"purpose": "batch"}, "file", f"bifrost-{part.tag}.jsonl", "application/jsonl")
            file_id = translate.id_of(await self.http.json("POST", "/files", source=part.source, form=form))
        elif file_id is not None and not endpoint:
            endpoint = await self._endpoint_of(file_id)
        body = {
            "input_file_id": file_id,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": {TAG: part.tag},
        }
        answer = await self.http.json("POST", "/batches", json=body, paid=True)
        try:
            return translate.to_batch(answer)
        except BifrostError as error:
            raise OutcomeUnknownError(f"The create was answered in an unknown form: {error.message}") from error

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        params: dict[str, Any] = {"limit": min(limit, 100)} | ({"after": after} if after else {})
        return translate.to_page(await self.http.json("GET", "/batches", params=params), translate.to_batch)

    async def get_batch(self, id: str) -> Batch:
        return translate.to_batch(await self.http.json("GET", f"/batches/{id}"))

    async def cancel_batch(self, id: str) -> Batch:
        return translate.to_batch(await self.http.json("POST", f"/batches/{id}/cancel"))

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for line in self.raw_results(batch):
            yield translate.decode_result(line)

    async def raw_results(self, batch: Batch) -> AsyncIterator[bytes]:
        # Which of the two files exists says nothing about what is in the other: all may have failed, or none.
        for id in filter(None, (batch.raw.get("output_file_id"), batch.raw.get("error_file_id"))):
            async for line in self.http.lines(_content(id)):
                yield line

    async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        # A line that cannot be read has no custom_id; such a batch was refused for it.
        async for line in self.http.lines(_content(str(batch.raw.get("input_file_id")))):
            if custom_id := translate.custom_id_of(line):
                yield custom_id

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        """By the tag in the batch's metadata.

        Other servers may not keep metadata: there, a batch with none that is not `taken` settles nothing.
        """
        unmarked = []
        async for batch in self._batches_since(since - CLOCKS_APART):
            if (mark := _tag(batch)) == part.tag:
                return batch
            if mark is None and batch.id not in taken:
                unmarked.append(batch.id)
        if unmarked and not self._is_official:
            ids = ", ".join(unmarked)
            raise OutcomeUnknownError(f"One of these may be the batch that was created: {ids}.", provider=self.name)
        return None

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        path, body = messages.encode(params, self._mode, self.context.drop)
        message: dict[str, Any] = await self.http.json("POST", path, json=body, once=True, read=messages.decode)
        return message

    async def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        path, body = messages.encode(params, self._mode, self.context.drop, stream=True)
        async with aclosing(self.http.events(path, json=body)) as events:
            async for event in messages.events(path, events):
                yield event

    async def count_tokens(self, params: dict[str, Any]) -> int:
        if self._mode == "chat":
            hint = "Only the Responses endpoint counts; servers that imitate OpenAI rarely have it."
            raise UnsupportedError("Chat Completions does not count tokens.", hint=hint, provider=self.name)
        body = messages.encode_count(params, self.context.drop)
        count: int = await self.http.json(
            "POST", "/responses/input_tokens", json=body, once=True, read=lambda answer: int(answer["input_tokens"])
        )
        return count

    async def list_models(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = await self.http.json("GET", "/models", read=messages.to_models)
        return models

    async def _batches_since(self, since: datetime) -> AsyncIterator[Batch]:
        """Newest first."""
        page = await self.list_batches(limit=100)
        while True:
            for batch in page.data:
                if batch.created_at < since:
                    return
                yield batch
            if page.next is None:
                return
            page = await self.list_batches(limit=100, after=page.next)

    async def _endpoint_of(self, file_id: str) -> str:
        """The `url` of an uploaded file's first line."""
        async with self.http.stream(_content(file_id)) as response:
            first = b""
            async for block in response.aiter_bytes():
                first += block
                if b"\n" in first.lstrip():
                    break
        return translate.endpoint_of(first.lstrip().partition(b"\n")[0])


def _content(id: str) -> str:
    # Ids inside answers are the server's own, and have not been checked as a caller's are.
    return f"/files/{quote(id, safe=':')}/content"


def _tag(batch: Batch) -> str | None:
    """Our mark; empty where the batch carries another's metadata, None where it carries none."""
    metadata = batch.raw.get("metadata")
    return str(metadata.get(TAG, "")) if isinstance(metadata, dict) and metadata else None
