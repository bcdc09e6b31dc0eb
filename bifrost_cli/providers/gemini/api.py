"""Gemini's wire calls: Files, Batches and models of the Developer API, as of August 2026.

Batches are made from files of lines, since their results come back under keys; such results are files, too.
"""

import re
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import chain
from typing import Any

import orjson

from bifrost_cli.bodies import Source
from bifrost_cli.config import Setting
from bifrost_cli.errors import (
    ConfigError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedError,
    UpstreamTimeoutError,
)
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.base import Capabilities, Limits, Part, Provider
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.providers.gemini import failures, messages, translate
from bifrost_cli.providers.gemini.upload import upload
from bifrost_cli.transport import Client, Transport

OTHER_JSONL_TYPES = ("text/plain", "application/json")
"""What a file of lines may be called where the service refuses its proper type, as it did now and then in 2025."""
VERSION = re.compile(r"v\d+[a-z0-9]*")
ID = re.compile(r"[A-Za-z0-9_-]+")
LARGEST_PAGE = 100
MOST_MODELS = 1000
"""Of a page."""
CLOCKS_APART = timedelta(seconds=60)
LOOKS = 60
"""How often a file of lines is looked at, a second apart, until it can be used."""


class Gemini(Provider):
    """generativelanguage.googleapis.com, or a server with its wire."""

    name = "gemini"
    title = "Gemini"
    settings = (
        Setting("api_key", "an API key", env=("GEMINI_API_KEY", "GOOGLE_API_KEY"), secret=True, required=True),
        Setting(
            "base_url",
            "the address",
            env=("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"),
            default="https://generativelanguage.googleapis.com",
        ),
        Setting("api_version", "the version in paths", env=("GOOGLE_GENAI_API_VERSION",), default="v1beta"),
        Setting(
            "schema_form",
            "how structured output is asked for",
            env=("BIFROST_GEMINI_SCHEMA",),
            default="json_schema",
            choices=("json_schema", "schema"),
        ),
        Setting(
            "jsonl_mime",
            "the type that uploaded batch input has",
            env=("BIFROST_GEMINI_JSONL_TYPE",),
            default="application/jsonl",
        ),
    )
    capabilities = Capabilities(
        list_files=True,
        upload_files=True,
        batches=True,
        delete_batch=True,
        finds_by_tag=True,
        messages=True,
        count_tokens=True,
        list_models=True,
    )
    """Counters are given while a batch runs; where one was recorded they stood still until its end (2026-08)."""
    limits = Limits(max_requests=200_000, max_bytes=2_000_000_000, one_model=True)
    """2 GB is documented. A number of requests is not, for this API; 200,000 is that of the same models on Google's
    cloud platform."""

    # -- configuration ------------------------------------------------------------------------------------------

    def connect(self, client: Client) -> Transport:
        return Transport(
            provider=self.name,
            base_url=self._base_url,
            address_from=self.config.source("base_url") or "default",
            client=client,
            headers={"x-goog-api-key": self.config["api_key"]},
            secrets=(self.config["api_key"],),
            read_error=failures.read_error,
        )

    @property
    def _base_url(self) -> str:
        return self.config["base_url"].rstrip("/")

    @cached_property
    def _version(self) -> str:
        version = self.config["api_version"]
        if not VERSION.fullmatch(version):
            source = self.config.source("api_version")
            raise ConfigError(f"{source}: '{version}' is not an API version.", hint="Use v1beta, or v1.")
        return version

    # -- pure: no I/O -------------------------------------------------------------------------------------------

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return translate.encoder(params, self.config["schema_form"], self._files, self.context.drop)

    @cached_property
    def _files(self) -> str:
        """What file ids are below, in requests that name a file."""
        return f"{self._base_url}/{self._version}/files"

    def kept_used(self, params: dict[str, Any]) -> Iterator[str]:
        """Gemini takes the address of a file for the file, so addresses below its own count."""
        ids = (id.removeprefix(f"{self.name}:").removeprefix("files/") for id in super().kept_used(params))
        return chain(ids, translate.files_addressed(params, self._base_url))

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
        """A video may still be processed when this returns; the file's `state` says so."""
        if purpose:
            message = "Gemini's files have no purpose."
            raise UnsupportedError(message, hint="Leave --purpose out.", provider=self.name)
        if expires_in:
            message = "Gemini keeps every file for 48 hours."
            raise UnsupportedError(message, hint="Leave --expires-in out.", provider=self.name)
        types = self._jsonl_types if filename.endswith(".jsonl") else (media_type,)
        return translate.to_file(await self._upload(source, filename, types))

    @property
    def _jsonl_types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.config["jsonl_mime"], *OTHER_JSONL_TYPES)))

    async def _upload(self, source: Source, filename: str, types: tuple[str, ...]) -> dict[str, Any]:
        """Upload under the first of these types that the service takes; uploads cost nothing."""
        for media_type in types[:-1]:
            try:
                return await upload(self.http, f"/upload/{self._version}/files", source, filename, media_type)
            except InvalidRequestError as error:
                if not failures.UNSUPPORTED_TYPE.search(error.message):
                    raise
        return await upload(self.http, f"/upload/{self._version}/files", source, filename, types[-1])

    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        page: Page[File] = await self.http.json(
            "GET", f"/{self._version}/files", params=_paging(limit, after), read=translate.to_files
        )
        return page

    async def get_file(self, id: str) -> File:
        file: File = await self.http.json("GET", self._path("files", id), read=translate.to_file)
        return file

    async def delete_file(self, id: str) -> None:
        await self.http.request("DELETE", self._path("files", id))

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async with self.http.stream(f"{self._path('files', id)}:download", params={"alt": "media"}) as response:
            async for block in response.aiter_bytes():
                yield block

    # -- batches ------------------------------------------------------------------------------------------------

    async def create_batch(self, part: Part) -> Batch:
        if part.source is None or not part.model:
            raise UnsupportedError(
                "Gemini needs the model of a batch, which an uploaded file does not say.",
                hint="Give the JSONL itself instead of --file-id.",
                provider=self.name,
            )
        file = await self._upload(part.source, f"bifrost-{part.tag}.jsonl", self._jsonl_types)
        name = await self._usable(file)
        path = self._call(translate.model_name(part.model), "batchGenerateContent")
        body = {"batch": {"displayName": part.tag, "inputConfig": {"fileName": name}}}
        return await self._batch("POST", path, json=body, paid=True)

    async def _usable(self, file: dict[str, Any]) -> str:
        """The file's name, once it is ACTIVE; files of lines mostly are at once."""
        path = self._path("files", translate.to_file(file).id)
        for _ in range(LOOKS):
            if file.get("state") == "FAILED":
                raise failures.to_error(file.get("error"), 400)
            if file.get("state") != "PROCESSING":
                return str(file["name"])
            await self.http.sleep(1)
            file = await self.http.json("GET", path)
        raise UpstreamTimeoutError(f"Gemini still processes {file['name']}; no batch was created.", provider=self.name)

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        page: Page[Batch] = await self.http.json(
            "GET", f"/{self._version}/batches", params=_paging(limit, after), read=translate.to_batches
        )
        return page

    async def get_batch(self, id: str) -> Batch:
        return await self._batch("GET", self._path("batches", id))

    async def cancel_batch(self, id: str) -> Batch:
        """Gemini has no state for it: until the batch ends, only the answer to this call says `canceling`."""
        await self.http.request("POST", f"{self._path('batches', id)}:cancel")
        batch = await self.get_batch(id)
        if batch.ended:
            return batch
        return batch.model_copy(update={"processing_status": "canceling", "cancel_initiated_at": datetime.now(UTC)})

    async def delete_batch(self, id: str) -> None:
        """Refused while it runs: it would go on, and bill, with no way to its results."""
        if not (await self.get_batch(id)).ended:
            message = "A batch that has not ended cannot be deleted."
            raise InvalidRequestError(message, hint="Cancel it first.", provider=self.name)
        await self.http.request("DELETE", self._path("batches", id))

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        model = translate.member(batch.raw, "model").removeprefix("models/")
        for number, item in enumerate(translate.inlined(batch.raw), 1):
            yield translate.decode_inlined(item, number, model)
        number = 0
        async for line in self._result_lines(batch):
            number += 1
            yield translate.decode_result(line, number, model)

    async def raw_results(self, batch: Batch) -> AsyncIterator[bytes]:
        for item in translate.inlined(batch.raw):
            yield orjson.dumps(item)
        async for line in self._result_lines(batch):
            yield line

    async def _result_lines(self, batch: Batch) -> AsyncIterator[bytes]:
        if file := translate.results_file(batch.raw):
            async for line in self.http.lines(f"{self._path('files', file)}:download", params={"alt": "media"}):
                yield line

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        """By the tag, which is the batch's display name."""
        async for batch in self._batches_since(since - CLOCKS_APART):
            if translate.member(batch.raw, "displayName") == part.tag:
                return batch
        return None

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        model, body = self._translated(params)
        path, read = self._call(model, "generateContent"), partial(messages.decode, model=model)
        message: dict[str, Any] = await self.http.json("POST", path, json=body, once=True, read=read)
        return message

    async def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        model, body = self._translated(params)
        path = self._call(model, "streamGenerateContent")
        async with aclosing(self.http.events(path, json=body, params={"alt": "sse"})) as events:
            async for event in messages.events(model, events):
                yield event

    async def count_tokens(self, params: dict[str, Any]) -> int:
        model, body = self._translated(params)
        path, whole = self._call(model, "countTokens"), messages.to_counted(model, body)
        count: int = await self.http.json("POST", path, json=whole, once=True, read=messages.to_count)
        return count

    async def list_models(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = []
        params: dict[str, Any] = {"pageSize": MOST_MODELS}
        while True:
            page = await self.http.json("GET", f"/{self._version}/models", params=params, read=messages.to_models)
            models += page.data
            if page.next is None:
                return models
            params["pageToken"] = page.next

    def _translated(self, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return messages.encode(params, self.config["schema_form"], self._files, self.context.drop)

    def _call(self, model: str, verb: str) -> str:
        return f"/{self._version}/models/{model}:{verb}"

    async def _batches_since(self, since: datetime) -> AsyncIterator[Batch]:
        """Newest first."""
        page = await self.list_batches(limit=LARGEST_PAGE)
        while True:
            for batch in page.data:
                if batch.created_at < since:
                    return
                yield batch
            if page.next is None:
                return
            page = await self.list_batches(limit=LARGEST_PAGE, after=page.next)

    async def _batch(self, method: str, path: str, **options: Any) -> Batch:
        batch: Batch = await self.http.json(method, path, read=translate.to_batch, **options)
        return batch

    def _path(self, collection: str, id: str) -> str:
        # A colon in an id would make it another call; and ids inside answers are not checked as a caller's are.
        id = id.removeprefix(f"{collection}/")
        if not ID.fullmatch(id):
            raise NotFoundError(f"Gemini has no {collection} called '{id}'.", provider=self.name)
        return f"/{self._version}/{collection}/{id}"


def _paging(limit: int, after: str | None) -> dict[str, Any]:
    return {"pageSize": min(limit, LARGEST_PAGE)} | ({"pageToken": after} if after else {})
