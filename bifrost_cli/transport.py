"""HTTP to one provider: pooling, retry, redaction, and a failed answer turned into an error of the tree.

Reads are repeated on any passing failure. A call marked `paid` (it creates something that costs) is repeated only
when it surely did not arrive: the connection failed, or the provider answered 429. Where its outcome cannot be known,
`OutcomeUnknownError` says so.

What each call costs in processor time is the gateway's, too: requests are made here, without a client's merging, and
the client only carries them.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import TracebackType
from typing import Any, Protocol

import httpx
import orjson

from bifrost_cli import __version__, sse
from bifrost_cli.bodies import Content, Form, Source, content_of
from bifrost_cli.errors import (
    BifrostError,
    ConfigError,
    NetworkError,
    OutcomeUnknownError,
    UpstreamTimeoutError,
)
from bifrost_cli.repeats import NEVER_ARRIVED, Sleep, passing, repeated, retry_after, surely_absent
from bifrost_cli.tls import LazyContext

ATTEMPTS = 5
HOPS = 3
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
LONG_TIMEOUT = httpx.Timeout(600.0, connect=10.0)
HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": f"bifrost/{__version__}"}
"""Of every request, unless it says otherwise."""
_url = lru_cache(maxsize=256)(httpx.URL)


class Client(Protocol):
    """What carries requests to their hosts over pooled connections, as `httpx.AsyncClient` does.

    Redirects are not followed. Raises httpx.TransportError, of the kinds that httpx has.
    """

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """The answer; with `stream` its body is still to be read, and the answer to be closed."""

    async def aclose(self) -> None:
        """Close the connections."""


def new_client(*, trust_env: bool = True) -> httpx.AsyncClient:
    """A pooled client. Proxy and CA variables hold unless `trust_env` is off; redirects are not followed."""
    logging.getLogger("httpx").addFilter(_hide_queries)
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    return httpx.AsyncClient(limits=limits, trust_env=trust_env, verify=LazyContext(trust_env=trust_env))


def _hide_queries(record: logging.LogRecord) -> bool:
    """Log addresses without their queries, which may be credentials (those of uploads and of signed addresses are)."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True


@dataclass
class Transport:
    """One provider's address, credentials and way of saying no, over a shared client.

    `read_error` turns an answer of 400 and above, its body read, into an error; `secrets` never reach a message. `auth`
    signs each attempt anew, where headers do not suffice.
    """

    provider: str
    base_url: str
    client: Client
    read_error: Callable[[httpx.Response], BifrostError]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    address_from: str = "default"
    auth: Callable[[httpx.Request], Awaitable[None]] | None = field(default=None, repr=False)
    attempts: int = ATTEMPTS
    sleep: Sleep = asyncio.sleep

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigError(
                    f"{self.provider}: the value of the header {name} holds characters that HTTP cannot carry.",
                    hint="Was a key copied with quotes or line breaks?",
                    provider=self.provider,
                )

    @property
    def address(self) -> str:
        """The address as messages name it."""
        return self.redact(self.base_url)

    def session(self, url: str) -> "Transport":
        """The wire of an address that is its own credential, as an upload's is: no header of ours goes there, messages
        do not name it, and a failed call is left to the caller.

        Raises BifrostError where the address is on another origin than ours.
        """
        if _origin(url) != _origin(self.base_url):
            raise BifrostError(
                f"{self.provider} gave an address for the upload that is not on its own host, so it is not used.",
                hint=f"The address of {self.provider} is {self.address} (from: {self.address_from}).",
                provider=self.provider,
            )
        secrets = (*self.secrets, url, url.partition("?")[2] or url)
        return replace(self, base_url=url, headers={}, secrets=secrets, auth=None, attempts=1)

    async def json(self, method: str, path: str, *, read: Callable[[Any], Any] | None = None, **options: Any) -> Any:
        """What `read` makes of a successful answer's parsed body, or that itself. Options are those of `request`.

        An answer that `read` breaks on makes no sense: BifrostError; a paid call's outcome is then unknown.
        """
        response = await self.request(method, path, **options)
        try:
            parsed = self.parse(response)
            return read(parsed) if read else parsed
        except BifrostError as error:
            raise (self._unknown(error.message) if options.get("paid") else error) from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            odd = f"{self.provider} answered {response.status_code} with JSON of a form that makes no sense here."
            raise (self._unknown(odd) if options.get("paid") else self._elsewhere(odd)) from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        source: Source | None = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        paid: bool = False,
        once: bool = False,
    ) -> httpx.Response:
        """Send, repeat what may be repeated, and return the answer with its body read.

        The body is `json`, or `source` streamed as it is, or `source` as the file of `form`. `once` is for what costs
        and leaves nothing behind: repeated as rarely as a paid call, its failure told as what it is. Raises a
        BifrostError.
        """
        if form is not None:
            form.check()

        async def attempt() -> httpx.Response:
            with source.open() if source else nullcontext() as file:
                long = source is not None or paid or once
                request = self._request(method, path, content_of(json, file, form), params, headers, long=long)
                return await self._send(request, paid=paid, stream=False)

        return await self._repeat(attempt, paid=paid or once)

    def stream(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> "Streamed":
        """GET whose body is read by the caller, block by block. A break midway raises NetworkError.

        With `json` it is a POST that is sent `once` (see `request`). A redirect of a GET is followed within the same
        origin.
        """
        once = json is not None

        async def attempt() -> httpx.Response:
            method = "POST" if once else "GET"
            request = self._request(method, path, content_of(json, None, None), params, headers, long=once)
            return await self._send(request, paid=False, stream=True, hops=0 if once else HOPS)

        return Streamed(lambda: self._repeat(attempt, paid=once), lambda error: self._broken(error, paid=False))

    async def events(self, path: str, *, json: Any, **options: Any) -> AsyncGenerator[sse.Event]:
        """The server-sent events that a POST is answered with."""
        async with self.stream(path, json=json, **options) as response:
            async for event in sse.read(response.aiter_bytes()):
                yield event

    async def lines(self, path: str, **options: Any) -> AsyncIterator[bytes]:
        """The body's lines, without their LF; blank ones are left out. Split on LF alone (a body may hold U+2028)."""
        async with self.stream(path, **options) as response:
            pending: list[bytes] = []
            async for block in response.aiter_bytes(65536):
                if b"\n" not in block:  # A line of many blocks is joined once, not at each of them.
                    pending.append(block)
                    continue
                *whole, rest = b"".join([*pending, block]).split(b"\n")
                pending = [rest]
                for line in whole:
                    if line and not line.isspace():
                        yield line
            last = b"".join(pending)
            if last and not last.isspace():
                yield last

    def parse(self, response: httpx.Response) -> Any:
        """The JSON of an answer. Raises BifrostError where it is none."""
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            kind = response.headers.get("content-type", "no content type")
            raise self._elsewhere(
                f"{self.provider} answered {response.status_code} with a body that is not JSON ({kind})."
            ) from None

    def redact(self, text: str) -> str:
        """`text` without any of the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        return text

    def _request(
        self,
        method: str,
        path: str,
        content: Content,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        long: bool,
    ) -> httpx.Request:
        url = _url(self.base_url + path)
        host = {"host": url.netloc.decode("ascii")}
        return httpx.Request(
            method,
            url,
            params=params,
            headers={**host, **HEADERS, **self.headers, **content.headers, **(headers or {})},
            extensions={"timeout": (LONG_TIMEOUT if long else TIMEOUT).as_dict()},
            **content.body,
        )

    async def _send(self, request: httpx.Request, *, paid: bool, stream: bool, hops: int = HOPS) -> httpx.Response:
        try:
            if self.auth:
                await self.auth(request)
            response = await self.client.send(request, stream=stream)
            if response.status_code >= 400:
                await response.aread()
        except httpx.TransportError as error:
            raise self._broken(error, paid=paid) from error
        if response.status_code >= 400:
            raise self._refused(response, paid=paid)
        if response.status_code >= 300:
            await response.aclose()
            following = _following(request, response) if stream and hops else None
            if following:
                return await self._send(following, paid=paid, stream=stream, hops=hops - 1)
            raise self._redirected(response)
        return response

    def _refused(self, response: httpx.Response, *, paid: bool) -> BifrostError:
        error = self.read_error(response)
        error.message = self.redact(error.message)
        error.args = (error.message,)
        error.provider = error.provider or self.provider
        if error.retry_after is None:
            error.retry_after = retry_after(response.headers)
        if paid and (response.status_code >= 500 or response.status_code == 408):
            unknown = self._unknown(f"{self.provider} answered {response.status_code} to it: {error.message}")
            unknown.__cause__ = error
            return unknown
        return error

    def _redirected(self, response: httpx.Response) -> BifrostError:
        # The key goes to the configured address only, and what a POST becomes on the way is anyone's guess.
        return self._elsewhere(f"{self.provider} answered {response.status_code}, a redirect, which is not followed.")

    def _elsewhere(self, message: str) -> BifrostError:
        """An answer that makes no sense, as another server than the provider's gives it."""
        hint = f"Is {self.address} the right address? It came from: {self.address_from}."
        return BifrostError(message, hint=hint, provider=self.provider)

    def _broken(self, error: httpx.TransportError, *, paid: bool) -> BifrostError:
        reason = self.redact(str(error)) or type(error).__name__
        if paid and not isinstance(error, NEVER_ARRIVED):
            return self._unknown(f"no answer came from {self.provider} ({reason})")
        address = f"The address is {self.address} (from: {self.address_from})."
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, NEVER_ARRIVED):
            late = f"{self.provider} did not answer in time."
            return UpstreamTimeoutError(late, hint=address, provider=self.provider)
        if isinstance(error, NEVER_ARRIVED):
            hint = f"{address} Check the network, and HTTPS_PROXY if you need one."
            return NetworkError(f"{self.provider} could not be reached: {reason}.", hint=hint, provider=self.provider)
        return NetworkError(f"The connection to {self.provider} broke: {reason}.", hint=address, provider=self.provider)

    def _unknown(self, reason: str) -> OutcomeUnknownError:
        return OutcomeUnknownError(f"The create may or may not have arrived: {reason}.", provider=self.provider)

    async def _repeat(self, attempt: Callable[[], Awaitable[httpx.Response]], *, paid: bool) -> httpx.Response:
        may_repeat = surely_absent if paid else passing
        return await repeated(attempt, may_repeat, attempts=self.attempts, sleep=self.sleep)


def _following(request: httpx.Request, response: httpx.Response) -> httpx.Request | None:
    """The GET that a redirect leads to, where that is on the same origin."""
    try:
        url = request.url.join(response.headers.get("location", ""))
    except httpx.InvalidURL:
        return None
    same = response.has_redirect_location and _origin(str(url)) == _origin(str(request.url))
    return httpx.Request("GET", url, headers=request.headers, extensions=request.extensions) if same else None


def _origin(address: str) -> tuple[str, str, int | None] | None:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return None
    return url.scheme, url.host, url.port


class Streamed:
    """An answer whose body is being read, as a context manager that gives the response.

    It is not made of a generator: one that is left suspended (a pipe closed at the other end) is closed by the event
    loop on its own, beside the generator that reads from it.
    """

    def __init__(
        self, begin: Callable[[], Awaitable[httpx.Response]], broken: Callable[[httpx.TransportError], BifrostError]
    ) -> None:
        self._begin = begin
        self._broken = broken

    async def __aenter__(self) -> httpx.Response:
        self._response = await self._begin()
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._response.aclose()
        if isinstance(error, httpx.TransportError):
            raise self._broken(error) from error
