"""The reference: the smallest provider that passes the exam, and `Plain`, which offers the least that one can."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any, ClassVar, NoReturn

import httpx
import orjson
from pydantic import ValidationError

from bifrost_cli.bodies import Source
from bifrost_cli.config import Setting
from bifrost_cli.errors import BifrostError, OutcomeUnknownError, UnsupportedError, for_status
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.base import Capabilities, Limits, Part, Provider
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.transport import Transport

PURPOSES = ("batch", "other")


class Requests(Encoder[None]):
    """The hub's own form."""

    provider = "reference"
    endpoint = "/batches"
    place = "messages"
    handlers: ClassVar[dict[str, Any]] = {}

    def translate(self, messages: list[Any]) -> tuple[Encoder[None], list[Any]]:
        return self, messages

    @staticmethod
    def frame(custom_id: Any, body: Any) -> dict[str, Any]:
        return {"custom_id": custom_id, "params": body}


class Reference(Provider):
    """Offers everything; its wire is the hub's own shapes."""

    name = "reference"
    title = "Reference"
    settings = (
        Setting("api_key", "an API key", env=("REFERENCE_API_KEY",), secret=True, required=True),
        Setting("base_url", "the address", env=("REFERENCE_BASE_URL",), default="http://127.0.0.1:9"),
    )
    capabilities = Capabilities(
        list_files=True,
        upload_files=True,
        download_uploads=True,
        expiring_files=True,
        purposes=PURPOSES,
        batches=True,
        delete_batch=True,
        batch_from_file=True,
        live_counts=True,
        returns_input=True,
        finds_by_tag=True,
    )
    limits = Limits(max_requests=100_000, max_bytes=100_000_000, one_model=True)

    def connect(self, client: httpx.AsyncClient) -> Transport:
        return Transport(
            provider=self.name,
            base_url=self.config["base_url"],
            client=client,
            headers={"x-key": self.config["api_key"]},
            secrets=(self.config["api_key"],),
            read_error=self.read_error,
        )

    def read_error(self, response: httpx.Response) -> BifrostError:
        return for_status(response.status_code)(response.json()["message"])

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return Requests(params, None)

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
        if purpose and purpose not in self.capabilities.purposes:
            raise UnsupportedError(f"There is no purpose '{purpose}'.", provider=self.name)
        if expires_in and not self.capabilities.expiring_files:
            self.unsupported("expiring files")
        given = {"filename": filename, "media_type": media_type, "purpose": purpose, "expires_in": expires_in}
        params = {name: value for name, value in given.items() if value is not None}
        return self.file(await self.http.json("POST", "/files", params=params, source=source))

    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        items, following = self.page(await self.http.json("GET", "/files", params=_paging(limit, after)))
        return Page([self.file(item) for item in items], following)

    async def get_file(self, id: str) -> File:
        return self.file(await self.http.json("GET", f"/files/{id}"))

    async def delete_file(self, id: str) -> None:
        await self.http.json("DELETE", f"/files/{id}")

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async with self.http.stream(f"/files/{id}/content") as response:
            async for block in response.aiter_bytes():
                yield block

    # -- batches ------------------------------------------------------------------------------------------------

    async def create_batch(self, part: Part) -> Batch:
        params = {"file": part.file_id} if part.file_id else {}
        headers = {"x-tag": part.tag}
        sent = await self.http.json("POST", "/batches", params=params, source=part.source, headers=headers, paid=True)
        return self.batch(sent)

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        items, following = self.page(await self.http.json("GET", "/batches", params=_paging(limit, after)))
        return Page([self.batch(item) for item in items], following)

    async def get_batch(self, id: str) -> Batch:
        return self.batch(await self.http.json("GET", f"/batches/{id}"))

    async def cancel_batch(self, id: str) -> Batch:
        return self.batch(await self.http.json("POST", f"/batches/{id}/cancel"))

    async def delete_batch(self, id: str) -> None:
        await self.http.json("DELETE", f"/batches/{id}")

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for line in self.http.lines(f"/batches/{batch.raw['id']}/results"):
            yield self.result(line)

    async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        async for line in self.http.lines(f"/batches/{batch.raw['id']}/inputs"):
            yield orjson.loads(line)["custom_id"]

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        page = await self.list_batches(limit=100)
        return next((batch for batch in page.data if batch.raw["tag"] == part.tag), None)

    # -- answers ------------------------------------------------------------------------------------------------

    def file(self, answer: Any) -> File:
        try:
            return File.model_validate(answer)
        except ValidationError:
            self.nonsense()

    def batch(self, answer: Any) -> Batch:
        try:
            return Batch.model_validate({**answer, "raw": answer})
        except (ValidationError, TypeError):
            self.nonsense()

    def result(self, line: bytes) -> BatchResult:
        try:
            result: BatchResult = orjson.loads(line)
            return {"custom_id": result["custom_id"], "result": {**result["result"], "type": result["result"]["type"]}}
        except (orjson.JSONDecodeError, LookupError, TypeError):
            self.nonsense()

    def page(self, answer: Any) -> tuple[list[Any], str | None]:
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            self.nonsense()
        return answer["data"], answer.get("next")

    def nonsense(self) -> NoReturn:
        raise BifrostError(f"{self.name} answered something that makes no sense.", provider=self.name)

    def unsupported(self, what: str) -> NoReturn:
        raise UnsupportedError(f"There is no place for {what}.", provider=self.name)


class Plain(Reference):
    """Offers files and batches, and nothing beside."""

    capabilities = Capabilities(list_files=True, upload_files=True, batches=True)
    limits = Limits(max_requests=100_000, max_bytes=100_000_000)

    async def create_batch(self, part: Part) -> Batch:
        if part.source is None:
            self.unsupported("a batch from a file")
        return await super().create_batch(part)

    async def delete_batch(self, id: str) -> None:
        self.unsupported("deleting a batch")

    def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        self.unsupported("giving back a batch's input")

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        page = await self.list_batches(limit=100)
        recent = [batch for batch in page.data if batch.created_at >= since and batch.id not in taken]
        matches = [batch for batch in recent if batch.request_counts.total == part.requests]
        if len(matches) > 1:
            ids = ", ".join(batch.id for batch in matches)
            raise OutcomeUnknownError(f"It may be any of {ids}.", provider=self.name)
        return matches[0] if matches else None

    def batch(self, answer: Any) -> Batch:
        batch = super().batch(answer)
        counts = batch.request_counts
        if not batch.ended:
            counts.processing, counts.succeeded, counts.errored, counts.expired = counts.total, 0, 0, 0
        return batch


def _paging(limit: int, after: str | None) -> dict[str, Any]:
    return {"limit": limit} | ({"after": after} if after else {})
