"""The client's certificates: read when a handshake needs them, and judged as httpx's own."""

import ssl
from pathlib import Path

import httpx
import pytest

from bifrost_cli.transport import new_client
from tests.loopback import scripted

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""A key and its own certificate, for localhost, valid until 2126; it guards nothing."""
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def server_side() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def ask(trust_env: bool) -> int:
    async with scripted(OK, tls=server_side()) as server, new_client(trust_env=trust_env) as client:
        return (await client.get(server.url)).status_code


async def test_the_ca_variable_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert await ask(trust_env=True) == 200


async def test_an_authority_that_is_not_trusted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(trust_env=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(trust_env=False)


async def test_no_certificate_is_read_for_an_address_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    async with scripted(OK) as server, new_client() as client:
        assert (await client.get(server.url)).status_code == 200
