"""What all calls share: the configuration, the connections, and what is remembered while the server runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.requests import Request

from bifrost_cli.core import refs
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.server import caller
from bifrost_cli.server.background import Background
from bifrost_cli.server.caller import Caller
from bifrost_cli.server.creates import Creates
from bifrost_cli.server.origin import origin
from bifrost_cli.server.pages import Tokens

VIEWS = 512


@dataclass
class Gateway:
    """One server. `bifrost` is the session whose connections and keys every call uses."""

    bifrost: Bifrost
    public_url: str | None = None
    background: Background = field(init=False)
    creates: Creates = field(default_factory=Creates)
    files: Tokens = field(default_factory=Tokens)
    batches: Tokens = field(default_factory=Tokens)
    _view: Callable[[Caller], Bifrost] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.background = Background(self.bifrost)

        @lru_cache(maxsize=VIEWS)
        def view(asked: Caller) -> Bifrost:
            return self.bifrost.view(asked.provider, asked.context)

        self._view = view

    def call(self, request: Request) -> "Call":
        """A call as its handler sees it. Raises a BifrostError where its headers make no sense."""
        asked = caller.read(request.headers)
        same_for_all = Caller(asked.provider, asked.context)
        return Call(self, request, asked, self._view(same_for_all))


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
        headers, scheme = self.request.headers, self.request.url.scheme
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
