"""A session for one virtual key: what is not the key's is not there, and what its rules forbid is refused.

Whether an id is another's or nobody's makes no difference: neither is asked of a provider, and the answer is the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.paging import ListPage
from bifrost_cli.core.planner import Admit
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.results import Audit
from bifrost_cli.core.tenants import Key, Tenants
from bifrost_cli.errors import ForbiddenError, NotFoundError
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.base import Provider

AT_ONCE = 16
"""How many of a page's items are asked of a provider at the same time."""
INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


@dataclass
class Fenced(Bifrost):
    """The session of `key`; a key that sees all is held by its rules only."""

    key: Key = field(default=Key("", ""))
    tenants: Tenants = field(default=None, repr=False)  # type: ignore[assignment]

    @classmethod
    def within(cls, session: Bifrost, key: Key, tenants: Tenants) -> Self:
        """A session over the connections and adapters of another."""
        same = {each.name: getattr(session, each.name) for each in fields(Bifrost)}
        return cls(**same, key=key, tenants=tenants)

    @property
    def owner(self) -> str | None:
        return self.key.id

    # -- what the rules allow -----------------------------------------------------------------------------------

    def ready(self, name: str) -> Provider:
        self._allow_provider(name)
        return super().ready(name)

    def _allow_provider(self, name: str) -> None:
        if not self.key.allows_provider(name):
            allowed = ", ".join(self.key.providers)
            raise ForbiddenError(f"The key '{self.key.name}' may not use the provider {name}; it may use: {allowed}.")

    @property
    def _admit(self) -> Admit:
        return self._check

    def _check(self, provider: str, params: dict[str, Any]) -> None:
        """Raises ForbiddenError or NotFoundError where the key may not ask a provider for that."""
        self._allow_provider(provider)
        adapter = self.adapter(provider)
        for model in adapter.models_used(params):
            self._allow_model(provider, model)
        if not self.key.sees_all:
            for native in adapter.kept_used(params):
                self._own_file(Ref(provider, native), native)

    def _allow_model(self, provider: str, model: str) -> None:
        if not self.key.allows_model(provider, model):
            allowed = ", ".join(self.key.models)
            raise ForbiddenError(
                f"The key '{self.key.name}' may not use the model {model[:100]} at {provider}; it may use: {allowed}."
            )

    async def list_models(self, *, provider: str | None = None) -> list[dict[str, Any]]:
        name = provider or self.default
        models = await super().list_models(provider=name)
        return [model for model in models if self.key.allows_model(name, str(model["id"]))]

    # -- what is there ------------------------------------------------------------------------------------------

    def batch_refs(self, id: str) -> tuple[Ref, ...]:
        parts = super().batch_refs(id)
        owned = [self.key.sees_all or self.tenants.owns_batch(self.key, ref) for ref in parts]
        if not all(owned):
            raise NotFoundError(f"There is no batch {id[:500]}.")
        return parts

    def _file(self, id: str) -> Ref:
        ref = super()._file(id)
        self._own_file(ref, id)
        return ref

    def _own_file(self, ref: Ref, said: str) -> None:
        if not self.key.sees_all and not self.tenants.owns_file(self.key, ref):
            raise NotFoundError(f"There is no file {said[:500]}.")

    def _files(self, provider: str) -> ListPage:
        if self.key.sees_all:
            return super()._files(provider)
        return self._own(provider, self.tenants.files, self.ready(provider).get_file)

    def _batches(self, provider: str) -> ListPage:
        if self.key.sees_all:
            return super()._batches(provider)
        return self._own(provider, self.tenants.batches, lambda native: self._get(Ref(provider, native)))

    def _own(
        self,
        provider: str,
        natives: Callable[[Key, str, str, str | None, int], list[str]],
        get: Callable[[str], Awaitable[File | Batch]],
    ) -> ListPage:
        """What lists a key's own, each asked of its provider: a list of the whole account may be of any length."""
        address = self.address(provider)

        async def page(*, limit: int, after: str | None = None) -> Page[Any]:
            found: list[Any] = []
            while len(found) < limit:
                ids = natives(self.key, provider, address, after, min(AT_ONCE, limit - len(found)))
                if not ids:
                    return Page(found)
                found += [item for item in await asyncio.gather(*(_present(get, id) for id in ids)) if item]
                after = ids[-1]
            return Page(found, after if natives(self.key, provider, address, after, 1) else None)

        return page

    # -- what becomes the key's, and what it used ---------------------------------------------------------------

    async def upload_file(self, path: Path, **options: Any) -> File:
        file = await super().upload_file(path, **options)
        ref, address = super()._file(file.id), self.address(self.default)
        await asyncio.to_thread(self.tenants.note_file, self.key, ref, address)
        return file

    async def delete_file(self, id: str) -> None:
        await super().delete_file(id)
        await asyncio.to_thread(self.tenants.forget_file, super()._file(id))

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        message = await super().create_message(params)
        self.tenants.count_message(self.key, *tokens_of(message.get("usage") or {}))
        return message

    async def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        usage: dict[str, Any] = {}
        try:
            async for event in super().stream_message(params):
                usage |= event.get("message", event).get("usage") or {}
                yield event
        finally:
            if usage:
                self.tenants.count_message(self.key, *tokens_of(usage))

    async def _part_results(self, ref: Ref, batch: Batch, audit: Audit) -> AsyncIterator[BatchResult]:
        input_tokens = output_tokens = 0
        async for result in super()._part_results(ref, batch, audit):
            if result["result"]["type"] == "succeeded":
                read, written = tokens_of(result["result"]["message"].get("usage") or {})
                input_tokens, output_tokens = input_tokens + read, output_tokens + written
            yield result
        await asyncio.to_thread(self.tenants.note_tokens, ref, input_tokens, output_tokens)


def tokens_of(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Input tokens, cached ones among them, and output tokens."""
    return sum(usage.get(name) or 0 for name in INPUT), usage.get("output_tokens") or 0


async def _present(get: Callable[[str], Awaitable[Any]], native: str) -> Any:
    """An item, or None where the provider has it no more."""
    try:
        return await get(native)
    except NotFoundError:
        return None
