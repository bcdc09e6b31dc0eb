"""The query parameters that Anthropic's lists share, and its times."""

from collections.abc import Collection
from datetime import UTC, datetime

from bifrost_cli.sandbox.anthropic.errors import Refusal
from bifrost_cli.sandbox.http import Call

MAX_LIMIT = 1000


def read_limit(call: Call) -> int:
    """`limit`: 1 to 1000, 20 if absent."""
    text = call.query.get("limit", "20")
    try:
        limit = int(text)
    except ValueError:
        raise Refusal("limit: Input should be a valid integer, unable to parse string as an integer") from None
    if limit < 1:
        raise Refusal("limit: Input should be greater than or equal to 1")
    if limit > MAX_LIMIT:
        raise Refusal(f"limit: Input should be less than or equal to {MAX_LIMIT}")
    return limit


def only(call: Call, names: Collection[str]) -> None:
    """Refuses query parameters other than these. `beta` is ignored everywhere: old SDKs send `?beta=true`."""
    for name in call.query:
        if name not in names and name != "beta":
            raise Refusal(f"{name}: Extra inputs are not permitted")


def has_beta(call: Call, beta: str) -> bool:
    sent = ",".join(call.request.headers.getlist("anthropic-beta"))
    return beta in (name.strip() for name in sent.split(","))


def batch_time(seconds: float | None) -> str | None:
    """`2026-08-19T14:44:51.493319+00:00`, as batches have it (recorded)."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def file_time(seconds: float | None) -> str | None:
    """`2026-08-19T14:34:11.612000Z`, milliseconds in six digits, as files have it (recorded)."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
