"""A batch that ends while it is asked to stop."""

import orjson
import pytest

from bifrost_cli import Bifrost, Config
from bifrost_cli.errors import InvalidRequestError
from tests.loopback import answer, scripted

pytestmark = pytest.mark.anyio

COUNTS = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": COUNTS,
    "created_at": "2026-11-01T00:00:00Z",
    "expires_at": "2026-11-02T00:00:00Z",
    "ended_at": None,
    "cancel_initiated_at": None,
    "archived_at": None,
    "results_url": None,
}
RUNS = answer(200, orjson.dumps(BATCH))
ENDED = answer(200, orjson.dumps({**BATCH, "processing_status": "ended", "ended_at": "2026-11-01T00:05:00Z"}))
REFUSAL = {"type": "error", "error": {"type": "invalid_request_error", "message": "It has already ended."}}
REFUSED = answer(400, orjson.dumps(REFUSAL))


def asked(url: str) -> Bifrost:
    return Bifrost(Config(environ={"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url}), trust_env=False)


async def test_a_batch_that_has_just_ended_is_given_as_it_is() -> None:
    async with scripted(RUNS, REFUSED, ENDED) as server, asked(server.url) as bifrost:
        assert (await bifrost.cancel_batch("msgbatch_1")).processing_status == "ended"
        assert [request.method for request in server.received] == ["GET", "POST", "GET"]


async def test_a_refusal_of_what_still_runs_is_told() -> None:
    async with scripted(RUNS, REFUSED, RUNS) as server, asked(server.url) as bifrost:
        with pytest.raises(InvalidRequestError, match="It has already ended"):
            await bifrost.cancel_batch("msgbatch_1")
