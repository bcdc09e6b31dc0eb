"""The transport: what is repeated and when, what a failure is called, and that no secret is in what it says."""

import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bifrost_cli import transport as module
from bifrost_cli.bodies import Form, Source
from bifrost_cli.errors import (
    BifrostError,
    ConfigError,
    InvalidRequestError,
    NetworkError,
    OutcomeUnknownError,
    OverloadedError,
    RateLimitError,
    UpstreamError,
    UpstreamTimeoutError,
    for_status,
)
from bifrost_cli.repeats import retry_after
from bifrost_cli.server.upstream import gateway_client
from bifrost_cli.transport import ATTEMPTS, Client, Transport, new_client
from tests.conftest import Clock
from tests.loopback import Received, Scripted, answer, chunked, closed_port, scripted, silence, then_closed

pytestmark = pytest.mark.anyio
SECRET = "sk-a-long-secret-0123456789"
connect: Callable[[], Client] = new_client
"""The client that is tested."""


@pytest.fixture(params=[new_client, gateway_client], ids=["commands", "gateway"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Every test that sends something holds for both clients."""
    monkeypatch.setitem(globals(), "connect", request.param)
    return Clock()


def read_error(response: httpx.Response) -> BifrostError:
    return for_status(response.status_code)(response.text or f"status {response.status_code}")


@asynccontextmanager
async def connected(clock: Clock, url: str, **options: Any) -> AsyncIterator[Transport]:
    async with aclosing(connect()) as client:
        given = {"headers": {"x-key": SECRET}, "secrets": (SECRET,), "sleep": clock.sleep, **options}
        yield Transport("someone", url, client, read_error, **given)


@asynccontextmanager
async def talking(clock: Clock, *answers: Any, **options: Any) -> AsyncIterator[tuple[Transport, Scripted]]:
    async with scripted(*answers) as upstream, connected(clock, upstream.url, **options) as transport:
        yield transport, upstream


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits that a test can wait for."""
    for name in ("TIMEOUT", "LONG_TIMEOUT"):
        monkeypatch.setattr(module, name, httpx.Timeout(0.1))


# -- what is sent ------------------------------------------------------------------------------------------------


async def test_a_json_body_and_all_headers_arrive(clock: Clock) -> None:
    async with talking(clock, answer(body=b'{"a":1}')) as (transport, upstream):
        found = await transport.json("POST", "/x", params={"q": "a b"}, json={"é": [1]}, headers={"x-more": "m"})
    [sent] = upstream.received
    assert found == {"a": 1}
    assert (sent.method, sent.target, sent.body) == ("POST", "/x?q=a+b", '{"é":[1]}'.encode())
    assert (sent.headers["x-key"], sent.headers["x-more"]) == (SECRET, "m")
    assert sent.headers["content-type"] == "application/json"


async def test_a_file_is_sent_with_its_length_and_not_chunked(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(bytes(range(256)) * 4000)
    told: list[int] = []
    async with talking(clock, answer()) as (transport, upstream):
        await transport.request("POST", "/x", source=Source(path, told.append))
    [sent] = upstream.received
    assert sent.body == path.read_bytes()
    assert sent.headers["content-length"] == str(len(sent.body))
    assert "transfer-encoding" not in sent.headers
    assert sum(told) == len(sent.body)
    assert len(told) > 2


async def test_a_file_is_sent_whole_again_when_it_is_repeated(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x" * 600_000)
    async with talking(clock, answer(500), answer()) as (transport, upstream):
        await transport.request("POST", "/x", source=Source(path))
    assert [sent.body == path.read_bytes() for sent in upstream.received] == [True, True]


async def test_a_form_carries_its_fields_before_its_file(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"content\x00\xff")
    form = Form({"purpose": "batch"}, "file", "naïve 日本.txt", "text/plain")
    async with talking(clock, answer()) as (transport, upstream):
        await transport.request("POST", "/x", source=Source(path), form=form)
    [sent] = upstream.received
    assert sent.headers["content-length"] == str(len(sent.body))
    assert 'filename="naïve 日本.txt"'.encode() in sent.body
    assert sent.body.index(b"purpose") < sent.body.index(b"content\x00\xff")


@pytest.mark.parametrize("name", ['say "hi".txt', "back\\slash.txt", "tab\tbed.txt", "new\nline.txt"])
async def test_a_filename_that_a_form_would_change_is_refused(clock: Clock, tmp_path: Path, name: str) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x")
    async with talking(clock, answer()) as (transport, upstream):
        with pytest.raises(InvalidRequestError, match="cannot be uploaded as"):
            await transport.request("POST", "/x", source=Source(path), form=Form({}, "file", name, "text/plain"))
    assert upstream.received == []


# -- reads are repeated ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529, 408])
async def test_a_read_is_repeated_after_a_passing_status(clock: Clock, status: int) -> None:
    async with talking(clock, answer(status), answer(status), answer()) as (transport, upstream):
        assert await transport.json("GET", "/x") == {}
    assert len(upstream.received) == 3
    assert len(clock.naps) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
async def test_a_refusal_is_not_repeated(clock: Clock, status: int) -> None:
    async with talking(clock, answer(status, b"no"), answer()) as (transport, upstream):
        with pytest.raises(for_status(status), match="no") as caught:
            await transport.json("GET", "/x")
    assert len(upstream.received) == 1
    assert caught.value.provider == "someone"


async def test_a_read_is_repeated_after_a_broken_connection(clock: Clock) -> None:
    async with talking(clock, None, then_closed(b""), then_closed(answer()[:-1]), answer()) as (transport, upstream):
        assert await transport.json("GET", "/x") == {}
    assert len(upstream.received) == 4


async def test_pauses_double_with_a_little_chance(clock: Clock) -> None:
    async with talking(clock, answer(500)) as (transport, upstream):
        with pytest.raises(UpstreamError):
            await transport.json("GET", "/x")
    assert len(upstream.received) == ATTEMPTS
    assert [0.8 * base <= nap <= 1.2 * base for base, nap in zip((0.5, 1, 2, 4), clock.naps, strict=True)] == [True] * 4


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (529, OverloadedError), (500, UpstreamError)])
async def test_what_does_not_pass_is_raised_in_the_end(clock: Clock, status: int, kind: type[BifrostError]) -> None:
    async with talking(clock, answer(status, b"still")) as (transport, upstream):
        with pytest.raises(kind, match="still"):
            await transport.json("GET", "/x")
    assert len(upstream.received) == ATTEMPTS


@pytest.mark.parametrize("headers", [{"retry-after": "7"}, {"retry-after-ms": "7000", "retry-after": "99"}])
async def test_a_pause_that_is_asked_for_is_made(clock: Clock, headers: dict[str, str]) -> None:
    async with talking(clock, answer(429, **headers), answer()) as (transport, _):
        await transport.json("GET", "/x")
    assert clock.naps == [7.0]


async def test_a_pause_of_more_than_a_minute_is_the_callers_affair(clock: Clock) -> None:
    async with talking(clock, answer(429, retry_after="3600")) as (transport, upstream):
        with pytest.raises(RateLimitError) as caught:
            await transport.json("GET", "/x")
    assert caught.value.retry_after == 3600
    assert (len(upstream.received), clock.naps) == (1, [])


# -- paid calls are not ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
async def test_a_paid_call_is_not_repeated_after_a_failure(clock: Clock, status: int) -> None:
    async with talking(clock, answer(status, b"oops"), answer()) as (transport, upstream):
        with pytest.raises(OutcomeUnknownError, match=f"someone answered {status} to it: oops"):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(upstream.received) == 1


@pytest.mark.parametrize("broken", [None, then_closed(b""), then_closed(answer()[:-1]), then_closed(b"HTTP/1.1 200")])
async def test_a_paid_call_is_not_repeated_after_a_broken_connection(clock: Clock, broken: Any) -> None:
    async with talking(clock, broken, answer()) as (transport, upstream):
        with pytest.raises(OutcomeUnknownError, match="no answer came from someone"):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(upstream.received) == 1


async def test_a_paid_call_is_not_repeated_when_no_answer_comes(clock: Clock, impatient: None) -> None:
    async with talking(clock, silence) as (transport, upstream):
        with pytest.raises(OutcomeUnknownError):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(upstream.received) == 1


@pytest.mark.parametrize("body", [b"<html>a proxy's page</html>", b"", b'{"id":'])
async def test_an_unreadable_answer_to_a_paid_call_leaves_its_outcome_unknown(clock: Clock, body: bytes) -> None:
    async with talking(clock, answer(200, body)) as (transport, upstream):
        with pytest.raises(OutcomeUnknownError):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(upstream.received) == 1


async def test_a_paid_call_that_was_turned_away_is_repeated(clock: Clock) -> None:
    async with talking(clock, answer(429, retry_after="3"), answer()) as (transport, upstream):
        await transport.json("POST", "/x", json={}, paid=True)
    assert (len(upstream.received), clock.naps) == (2, [3.0])


async def test_a_paid_call_that_never_left_is_repeated_and_is_no_unknown_outcome(clock: Clock) -> None:
    async with connected(clock, closed_port()) as transport:
        with pytest.raises(NetworkError, match="someone could not be reached"):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(clock.naps) == ATTEMPTS - 1


async def test_what_costs_and_leaves_nothing_is_sent_once_and_its_failure_told_as_it_is(clock: Clock) -> None:
    async with talking(clock, answer(500, b"oops"), answer()) as (transport, upstream):
        with pytest.raises(UpstreamError, match="oops"):
            await transport.json("POST", "/x", json={}, once=True)
    assert len(upstream.received) == 1
    async with talking(clock, answer(429), answer()) as (transport, upstream):
        await transport.json("POST", "/x", json={}, once=True)
    assert len(upstream.received) == 2


async def test_a_refused_paid_call_is_a_refusal(clock: Clock) -> None:
    async with talking(clock, answer(400, b"no"), answer()) as (transport, upstream):
        with pytest.raises(InvalidRequestError):
            await transport.json("POST", "/x", json={}, paid=True)
    assert len(upstream.received) == 1


# -- what failures are called ------------------------------------------------------------------------------------


async def test_an_unreachable_address_is_named_with_where_it_came_from(clock: Clock) -> None:
    address = closed_port()
    async with connected(clock, address, address_from="SOME_URL") as transport:
        with pytest.raises(NetworkError) as caught:
            await transport.json("GET", "/x")
    assert f"The address is {address} (from: SOME_URL)." in str(caught.value)
    assert len(clock.naps) == ATTEMPTS - 1


async def test_an_address_that_is_no_url_is_named_with_where_it_came_from(clock: Clock) -> None:
    async with connected(clock, "localhost:8080", address_from="SOME_URL") as transport:
        with pytest.raises(BifrostError) as caught:
            await transport.json("GET", "/x")
    assert "localhost:8080" in str(caught.value)
    assert "SOME_URL" in str(caught.value)


async def test_silence_is_a_timeout(clock: Clock, impatient: None) -> None:
    async with talking(clock, silence, attempts=1) as (transport, _):
        with pytest.raises(UpstreamTimeoutError, match=r"someone did not answer in time\."):
            await transport.json("GET", "/x")


async def test_an_answer_that_is_not_json_is_named_with_the_address(clock: Clock) -> None:
    page = answer(200, b"<html>", content_type="text/html")
    async with talking(clock, page, address_from="SOME_URL") as (transport, upstream):
        with pytest.raises(BifrostError) as caught:
            await transport.json("GET", "/x")
    assert caught.value.message == "someone answered 200 with a body that is not JSON (text/html)."
    assert caught.value.hint == f"Is {upstream.url} the right address? It came from: SOME_URL."
    assert type(caught.value) is BifrostError


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"7", b'{"id": null}'])
async def test_an_answer_of_an_unexpected_form_is_named_with_the_address(clock: Clock, body: bytes) -> None:
    async with talking(clock, answer(200, body), address_from="SOME_URL") as (transport, upstream):
        with pytest.raises(BifrostError) as caught:
            await transport.json("GET", "/x", read=lambda found: found["id"].upper())
        with pytest.raises(OutcomeUnknownError):
            await transport.json("POST", "/x", json={}, paid=True, read=lambda found: found["id"].upper())
    assert type(caught.value) is BifrostError
    assert caught.value.hint == f"Is {upstream.url} the right address? It came from: SOME_URL."


async def test_an_answer_is_read_as_it_is_asked(clock: Clock) -> None:
    async with talking(clock, answer(200, b'{"id": "a"}')) as (transport, _):
        assert await transport.json("GET", "/x", read=lambda found: found["id"].upper()) == "A"


async def test_an_answer_that_is_not_http_is_a_network_error(clock: Clock) -> None:
    async with talking(clock, then_closed(b"SSH-2.0-OpenSSH_9.6\r\n")) as (transport, _):
        with pytest.raises(NetworkError):
            await transport.json("GET", "/x")


async def test_a_redirect_is_not_followed_with_the_key(clock: Clock) -> None:
    async with scripted(answer()) as elsewhere, talking(clock, answer(307, location=elsewhere.url)) as (transport, _):
        with pytest.raises(BifrostError, match="answered 307, a redirect"):
            await transport.request("DELETE", "/x")
        with pytest.raises(BifrostError, match="answered 307, a redirect"):
            await lines(transport)
    assert elsewhere.received == []


# -- streams -----------------------------------------------------------------------------------------------------


async def lines(transport: Transport, found: list[bytes] | None = None) -> list[bytes]:
    found = [] if found is None else found
    async for line in transport.lines("/x"):
        found.append(line)
    return found


async def test_lines_are_split_on_lf_alone_across_chunks(clock: Clock) -> None:
    body = '{"a":"x\u2028y\u0085"}\n\n  \r\n{"b":2}\r\n{"c":3}'.encode()
    async with talking(clock, chunked(*(body[at : at + 3] for at in range(0, len(body), 3)))) as (transport, _):
        assert await lines(transport) == ['{"a":"x\u2028y\u0085"}'.encode(), b'{"b":2}\r', b'{"c":3}']


async def test_one_long_line_in_many_pieces_is_one_line(clock: Clock) -> None:
    pieces = [b"x" * 65_536] * 32
    async with talking(clock, chunked(*pieces)) as (transport, _):
        [line] = await lines(transport)
    assert len(line) == 32 * 65_536


@pytest.mark.parametrize(
    "cut",
    [chunked(b'{"a":1}\n{"b":', whole=False), answer(200, b'{"a":1}\n{"b":', content_length="100")],
    ids=["chunked", "with-length"],
)
async def test_a_stream_that_breaks_is_an_error_and_its_half_line_is_no_line(clock: Clock, cut: bytes) -> None:
    found: list[bytes] = []
    async with talking(clock, then_closed(cut)) as (transport, upstream):
        with pytest.raises(NetworkError, match="The connection to someone broke"):
            await lines(transport, found)
    assert found in ([], [b'{"a":1}'])
    assert len(upstream.received) == 1


async def test_a_stream_is_begun_anew_only_before_it_has_begun(clock: Clock) -> None:
    async with talking(clock, answer(500), None, answer(200, b"a\nb\n")) as (transport, upstream):
        assert await lines(transport) == [b"a", b"b"]
    assert len(upstream.received) == 3


async def test_a_refused_stream_is_a_refusal(clock: Clock) -> None:
    async with talking(clock, answer(404, b"gone")) as (transport, _):
        with pytest.raises(for_status(404), match="gone"):
            await lines(transport)


# -- secrets -----------------------------------------------------------------------------------------------------


def everything(error: BaseException) -> str:
    """All that a log or a screen could show of an error."""
    parts = [str(error), repr(error), str(vars(error)), *traceback.format_exception(error)]
    return "\n".join(parts)


@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_key_that_is_echoed_is_not_shown(clock: Clock, status: int, paid: bool) -> None:
    async with talking(clock, answer(status, f"bad key {SECRET}!".encode())) as (transport, _):
        with pytest.raises(BifrostError) as caught:
            await transport.json("POST", "/x", json={}, paid=paid)
    assert "bad key [redacted]!" in caught.value.message
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize("key", [f"{SECRET}\nsecond line", f"{SECRET}\x00", f"{SECRET}\u201d", f"{SECRET} é"])
async def test_a_key_that_no_header_can_hold_is_an_error_that_does_not_show_it(clock: Clock, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with connected(clock, "http://127.0.0.1:1", headers={"x-key": key}, secrets=(key,)) as transport:
            await transport.json("GET", "/x")
    assert "x-key" in caught.value.message
    assert SECRET not in everything(caught.value)


async def test_no_repr_shows_a_secret(clock: Clock) -> None:
    async with connected(clock, "http://127.0.0.1:1") as transport:
        assert SECRET not in f"{transport!r} {transport}"


# -- Retry-After -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "inf"}, None),
    ],
)
def test_retry_after_is_read_in_each_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    found = retry_after({"retry-after": format_datetime(later, usegmt=True)})
    assert found is not None
    assert 80 < found <= 90


# -- the client --------------------------------------------------------------------------------------------------


async def test_proxy_variables_hold_unless_they_are_to_be_ignored(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(answer(200, b'"proxied"')) as proxy, scripted(answer(200, b'"direct"')) as upstream:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        found = []
        for trust_env in (True, False):
            async with new_client(trust_env=trust_env) as client:
                transport = Transport("someone", upstream.url, client, read_error, sleep=clock.sleep)
                found.append(await transport.json("GET", "/x"))
    assert found == ["proxied", "direct"]


async def test_the_client_says_who_it_is(clock: Clock) -> None:
    async with talking(clock, answer()) as (transport, upstream):
        await transport.json("GET", "/x")
    sent: Received = upstream.received[0]
    assert sent.headers["user-agent"].startswith("bifrost/")
