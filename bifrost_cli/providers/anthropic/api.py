"""Anthropic's wire calls: Files, Message Batches and Messages, version 2023-06-01 unless a caller says otherwise."""

from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from datetime import datetime
from typing import Any

from bifrost_cli.bodies import Form, Source
from bifrost_cli.config import Setting
from bifrost_cli.errors import ConfigError, OutcomeUnknownError, UnsupportedError
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.anthropic import translate
from bifrost_cli.providers.base import Capabilities, Framing, Limits, Part, Provider
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.transport import Client, Transport

OLD_FILES_BETA = "files-api-2025-04-14"


class Anthropic(Provider):
    """api.anthropic.com, or any server with its wire (`bifrost serve` is one)."""

    name = "anthropic"
    title = "Anthropic"
    settings = (
        Setting("api_key", "an API key", env=("ANTHROPIC_API_KEY",), secret=True),
        Setting("auth_token", "a bearer token instead of a key", env=("ANTHROPIC_AUTH_TOKEN",), secret=True),
        Setting("base_url", "the address", env=("ANTHROPIC_BASE_URL",), default="https://api.anthropic.com"),
        Setting("custom_headers", "more headers, `Name: value` a line", env=("ANTHROPIC_CUSTOM_HEADERS",), secret=True),
    )
    capabilities = Capabilities(
        list_files=True,
        upload_files=True,
        expiring_files=True,
        batches=True,
        delete_batch=True,
        messages=True,
        count_tokens=True,
        list_models=True,
    )
    limits = Limits(max_requests=100_000, max_bytes=256 * 1024 * 1024)
    framing = Framing(b'{"requests":[', b",", b"]}")

    # -- configuration ------------------------------------------------------------------------------------------

    def require(self) -> None:
        if "api_key" not in self.config and "auth_token" not in self.config:
            raise ConfigError("anthropic needs an API key: set ANTHROPIC_API_KEY.", provider=self.name)

    def connect(self, client: Client) -> Transport:
        secrets = tuple(self.config[name] for name in ("api_key", "auth_token") if name in self.config)
        return Transport(
            provider=self.name,
            base_url=self.config["base_url"].rstrip("/"),
            address_from=self.config.source("base_url") or "default",
            client=client,
            headers=self._headers(),
            secrets=secrets,
            read_error=translate.read_error,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"anthropic-version": self.context.version or "2023-06-01"}
        if "api_key" in self.config:
            headers["x-api-key"] = self.config["api_key"]
        else:
            headers["authorization"] = f"Bearer {self.config['auth_token']}"
        if self.context.betas:
            headers["anthropic-beta"] = ",".join(self.context.betas)
        return headers | custom_headers(self.config.get("custom_headers", ""))

    # -- pure: no I/O -------------------------------------------------------------------------------------------

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return translate.Messages(params, None)

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
        if purpose:
            message = "Anthropic's files have no purpose."
            raise UnsupportedError(message, hint="Leave --purpose out.", provider=self.name)
        fields = {"expires_in_seconds": str(expires_in)} if expires_in else {}
        form = Form(fields, "file", filename, media_type)
        uploaded: File = await self.http.json("POST", "/v1/files", source=source, form=form, read=translate.to_file)
        return uploaded

    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        old = OLD_FILES_BETA in self.context.betas
        params = {"limit": min(limit, 1000)} | ({"after_id" if old else "page": after} if after else {})
        page: Page[File] = await self.http.json("GET", "/v1/files", params=params, read=translate.to_files)
        return page

    async def get_file(self, id: str) -> File:
        file: File = await self.http.json("GET", f"/v1/files/{id}", read=translate.to_file)
        return file

    async def delete_file(self, id: str) -> None:
        await self.http.request("DELETE", f"/v1/files/{id}")

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async with self.http.stream(f"/v1/files/{id}/content") as response:
            async for block in response.aiter_bytes():
                yield block

    # -- batches ------------------------------------------------------------------------------------------------

    async def create_batch(self, part: Part) -> Batch:
        if part.source is None:
            raise UnsupportedError(
                "Anthropic takes a batch's requests inline, not as an uploaded file.",
                hint="Give the JSONL itself instead of --file-id.",
                provider=self.name,
            )
        headers = {"content-type": "application/json"}
        return await self._batch("POST", "/v1/messages/batches", source=part.source, headers=headers, paid=True)

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        params: dict[str, Any] = {"limit": min(limit, 1000)} | ({"after_id": after} if after else {})
        page: Page[Batch] = await self.http.json(
            "GET", "/v1/messages/batches", params=params, read=translate.to_batches
        )
        return page

    async def get_batch(self, id: str) -> Batch:
        return await self._batch("GET", f"/v1/messages/batches/{id}")

    async def cancel_batch(self, id: str) -> Batch:
        return await self._batch("POST", f"/v1/messages/batches/{id}/cancel")

    async def delete_batch(self, id: str) -> None:
        await self.http.request("DELETE", f"/v1/messages/batches/{id}")

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for line in self.raw_results(batch):
            yield translate.decode_result(line)

    def raw_results(self, batch: Batch) -> AsyncIterator[bytes]:
        # The results_url of the answer is not followed: the key goes to the configured address only.
        return self.http.lines(f"/v1/messages/batches/{batch.raw['id']}/results")

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        """By time and count: Anthropic keeps no mark of ours. One match is taken; several settle nothing."""
        page = await self.list_batches(limit=1000)
        recent = [batch for batch in page.data if batch.created_at >= since and batch.id not in taken]
        matches = [batch for batch in recent if batch.request_counts.total == part.requests]
        if len(matches) > 1:
            ids = ", ".join(batch.id for batch in matches)
            several = OutcomeUnknownError(f"Several batches may be the one created: {ids}.", provider=self.name)
            several.candidates = matches
            raise several
        return matches[0] if matches else None

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        message: dict[str, Any] = await self.http.json(
            "POST", "/v1/messages", json=params, once=True, read=translate.to_message
        )
        return message

    async def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        async with aclosing(self.http.events("/v1/messages", json={**params, "stream": True})) as events:
            async for event in translate.to_events(events):
                yield event

    async def count_tokens(self, params: dict[str, Any]) -> int:
        path, read = "/v1/messages/count_tokens", translate.to_count
        count: int = await self.http.json("POST", path, json=params, once=True, read=read)
        return count

    async def list_models(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": 1000}
        while True:
            answer = await self.http.json("GET", "/v1/models", params=params, read=translate.to_models)
            models += answer.data
            if answer.next is None:
                return models
            params["after_id"] = answer.next

    async def _batch(self, method: str, path: str, **options: Any) -> Batch:
        batch: Batch = await self.http.json(method, path, read=translate.to_batch, **options)
        return batch


def custom_headers(text: str) -> dict[str, str]:
    """`Name: value` lines, as Anthropic's SDKs read ANTHROPIC_CUSTOM_HEADERS. Raises ConfigError on another form."""
    headers = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ConfigError("ANTHROPIC_CUSTOM_HEADERS holds a line that is not `Name: value`.")
        headers[name.strip().lower()] = value.strip()
    return headers
