"""TLS whose certificates are read when a connection first needs them: that is most of what starting a client costs."""

import ssl
from functools import cached_property
from typing import Any, Self

import httpx


class LazyContext(ssl.SSLContext):
    """httpx's own context, made at the first handshake; with `trust_env`, from the CA variables where they are set."""

    def __new__(cls, *, trust_env: bool) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, *, trust_env: bool) -> None:
        self.trust_env = trust_env
        self.alpn: list[str] = []

    @cached_property
    def whole(self) -> ssl.SSLContext:
        """The context that shakes hands."""
        return httpx.create_ssl_context(trust_env=self.trust_env)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        self.alpn = list(alpn_protocols)

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        self.whole.set_alpn_protocols(self.alpn)
        return self.whole.wrap_bio(*args, **options)
