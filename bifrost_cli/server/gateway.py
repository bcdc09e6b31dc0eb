"""What all calls share: the configuration, the connections, and what is remembered while the server runs."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.requests import Request

from bifrost_cli.core import refs
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.fenced import Fenced
from bifrost_cli.core.tenants import Key, Tenants
from bifrost_cli.errors import BifrostError
from bifrost_cli.server import caller
from bifrost_cli.server.admission import Admission
from bifrost_cli.server.background import Background
from bifrost_cli.server.caller import Caller
from bifrost_cli.server.creates import Creates
from bifrost_cli.server.origin import origin
from bifrost_cli.server.pages import Tokens

LOG = logging.getLogger("bifrost.serve")
VIEWS = 512
COUNTED_EVERY = 1.0


@dataclass
class Gateway:
    """One server. `bifrost` is the session whose connections and keys every call uses."""

    bifrost: Bifrost
    public_url: str | None = None
    background: Background = field(init=False)
    tenants: Tenants = field(init=False)
    admission: Admission = field(init=False)
    creates: Creates = field(default_factory=Creates)
    _view: Callable[[Caller], Bifrost] = field(init=False, repr=False)
    _fenced: Callable[[Caller, Key], Bifrost] = field(init=False, repr=False)
    tokens: Callable[[str, str | None], Tokens] = field(init=False, repr=False)
    """Where the lists of a kind, `files` or `batches`, go on for their owner."""

    def __post_init__(self) -> None:
        self.background = Background(self.bifrost)
        self.tenants = Tenants(self.bifrost.journal.database)
        self.admission = Admission(self.tenants)

        @lru_cache(maxsize=VIEWS)
        def view(asked: Caller) -> Bifrost:
            return self.bifrost.view(asked.provider, asked.context)

        @lru_cache(maxsize=VIEWS)
        def fenced(asked: Caller, key: Key) -> Bifrost:
            return Fenced.within(view(asked), key, self.tenants)

        @lru_cache(maxsize=VIEWS)
        def tokens(kind: str, owner: str | None) -> Tokens:
            return Tokens()

        self._view, self._fenced, self.tokens = view, fenced, tokens

    async def call(self, request: Request) -> "Call":
        """A call as its handler sees it. Raises a BifrostError where its caller may not, or its headers make no
        sense."""
        key = self.admission.admit(request.headers)
        if key:
            request.scope["state"]["key"] = key.id
            await self.admission.take(key)
        asked = caller.read(request.headers)
        wishes = Caller(asked.provider, asked.context)
        return Call(self, request, asked, self._fenced(wishes, key) if key else self._view(wishes))

    async def count(self) -> None:
        """Write down what keys used, every second, until cancelled."""
        while True:
            await asyncio.sleep(COUNTED_EVERY)
            try:
                await asyncio.to_thread(self.tenants.flush)
            except BifrostError as error:
                LOG.warning("what keys used is not written down yet: %s", error)


@dataclass(frozen=True)
class Call:
    """One call: its request, what its headers ask, and the core as they ask for it."""

    gateway: Gateway
    request: Request
    caller: Caller
    bifrost: Bifrost

    @property
    def id(self) -> str:
        """The id that a path names, as it was sent."""
        return str(self.request.path_params["id"])

    @property
    def request_id(self) -> str:
        """The id of this call."""
        return str(self.request.state.request_id)

    @property
    def base(self) -> str:
        """The address of the API as the caller sees it, up to `/v1`."""
        headers, scheme = self.request.headers, self.request.scope["scheme"]
        mount = self.request.scope["path"].partition("/v1/")[0]
        return f"{origin(headers, scheme, self.gateway.public_url)}{mount}/v1"

    def whole_id(self, id: str) -> str:
        """An id as it routes itself, whichever of its forms the caller used."""
        return str(refs.parse_one(id, given=self.bifrost.given, default=self.bifrost.default))

    def provider_of(self, id: str | None) -> str:
        """The provider of an id in a query, else the one that is meant anyway."""
        if id is None:
            return self.bifrost.default
        return refs.parse_one(id, given=self.bifrost.given, default=self.bifrost.default).provider
