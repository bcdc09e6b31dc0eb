"""Providers' pages as one list, or as pages of another size; each item under the id that routes itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from bifrost_cli.core.refs import Ref
from bifrost_cli.models import Batch, File, Page

T = TypeVar("T", File, Batch)
ListPage = Callable[..., Awaitable[Page[Any]]]
"""Gives a page of `limit` items or fewer behind the cursor `after`."""


def named(provider: str, item: T) -> T:
    """A provider's object under the id that routes itself."""
    return item.model_copy(update={"id": str(Ref(provider, item.id)), "provider": provider})


async def page(provider: str, list_page: ListPage, limit: int, after: str | None) -> Page[Any]:
    """A page of `limit` items, of as many of the provider's own pages as it takes."""
    found: list[Any] = []
    while True:
        page: Page[Any] = await list_page(limit=limit - len(found), after=after)
        found += [named(provider, item) for item in page.data]
        after = page.next
        if after is None or len(found) >= limit:
            return Page(found, after)


async def walk(provider: str, list_page: ListPage, limit: int | None) -> AsyncIterator[Any]:
    """The items of a paged list, up to `limit`."""
    left, after = limit, None
    while left is None or left > 0:
        page: Page[Any] = await list_page(limit=100 if left is None else min(left, 100), after=after)
        for item in page.data[:left]:
            yield named(provider, item)
        left = None if left is None else left - len(page.data)
        after = page.next
        if after is None:
            return
