"""Lists as Anthropic pages them, over providers that page otherwise.

Anthropic goes on after an *id* (`after_id`); some providers go on after a token of their own. The token behind each
page's last id is remembered; where it is not (another process, a restart, an id of the caller's own choice), the list
is walked from its beginning until the id comes.
"""

import base64
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.datastructures import QueryParams

from bifrost_cli.errors import InvalidRequestError
from bifrost_cli.models import Batch, File, Page

T = TypeVar("T", File, Batch)
GetPage = Callable[..., Awaitable[Page[T]]]
DEFAULT, MOST = 20, 1000
REMEMBERED = 10_000
CURSOR = "page_"


@dataclass
class Tokens:
    """Where lists go on: the provider's token by the id before it. The oldest are forgotten."""

    known: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def note(self, id: str, token: str) -> None:
        """Remember."""
        self.known[id] = token
        self.known.move_to_end(id)
        if len(self.known) > REMEMBERED:
            self.known.popitem(last=False)


@dataclass
class Shown(Generic[T]):
    """One page as it is shown; `more` follow in the direction that was asked for."""

    data: list[T]
    more: bool
    token: str | None = None

    def by_ids(self) -> dict[str, Any]:
        """The members that go on by ids."""
        ids = [item.id for item in self.data]
        return {"has_more": self.more, "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}


@dataclass
class Asked:
    """What a query asks of a list."""

    limit: int
    after: str | None = None
    before: str | None = None

    @classmethod
    def of(cls, query: QueryParams, whole_id: Callable[[str], str]) -> "Asked":
        """`whole_id` gives an id as it stands in the list. Raises InvalidRequestError."""
        after, before = (whole_id(query[name]) if query.get(name) else None for name in ("after_id", "before_id"))
        if after and before:
            raise InvalidRequestError("before_id: cannot be combined with after_id")
        return cls(limit_of(query), after, before)

    async def show(self, get_page: GetPage[T], tokens: Tokens) -> Shown[T]:
        """The page. Raises InvalidRequestError where an id is not in the list."""
        if self.before:
            return await self._before(get_page)
        return await self._after(get_page, tokens)

    async def _after(self, get_page: GetPage[T], tokens: Tokens) -> Shown[T]:
        token = tokens.known.get(self.after) if self.after else None
        if self.after and token is None:
            return await self._walk(get_page, tokens, self.after)
        return noted(await get_page(limit=self.limit, after=token), tokens)

    async def _walk(self, get_page: GetPage[T], tokens: Tokens, after: str) -> Shown[T]:
        token = None
        while True:
            page = await get_page(limit=self.limit, after=token)
            ids = [item.id for item in page.data]
            if after in ids:
                rest = page.data[ids.index(after) + 1 :]
                if rest or page.next is None:
                    return noted(Page(rest, page.next), tokens)
                return noted(await get_page(limit=self.limit, after=page.next), tokens)
            if page.next is None:
                raise InvalidRequestError(f"after_id: '{after[:200]}' is not in the list.")
            token = page.next

    async def _before(self, get_page: GetPage[T]) -> Shown[T]:
        newer: deque[T] = deque(maxlen=self.limit + 1)
        token = None
        while True:
            page = await get_page(limit=MOST, after=token)
            for item in page.data:
                if item.id == self.before:
                    more = len(newer) > self.limit
                    return Shown(list(newer)[1:] if more else list(newer), more)
                newer.append(item)
            if page.next is None:
                raise InvalidRequestError(f"before_id: '{str(self.before)[:200]}' is not in the list.")
            token = page.next


def noted(page: Page[T], tokens: Tokens) -> Shown[T]:
    """A page, and where the list goes on behind it."""
    if page.next is not None and page.data:
        tokens.note(page.data[-1].id, page.next)
    return Shown(page.data, page.next is not None, page.next)


def limit_of(query: QueryParams) -> int:
    """`limit`, 1 to 1000, 20 where it is absent. Raises InvalidRequestError."""
    text = query.get("limit", str(DEFAULT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise InvalidRequestError(f"limit: must be a whole number from 1 to {MOST}.")
    return int(text)


def cursor(token: str | None) -> str | None:
    """A provider's token as an opaque `page_…`."""
    return CURSOR + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=") if token else None


def token_of(text: str | None) -> str | None:
    """The token in a cursor. Raises InvalidRequestError where it is none of ours."""
    if text is None:
        return None
    encoded = text.removeprefix(CURSOR)
    try:
        token = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True).decode()
    except ValueError:
        token = ""
    if not token:
        raise InvalidRequestError("page: Invalid page cursor")
    return token
