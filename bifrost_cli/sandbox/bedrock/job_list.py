"""Listing jobs: what a query may say, which jobs it means, and a page of them."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bifrost_cli.sandbox.account import Account, StoredBatch
from bifrost_cli.sandbox.bedrock.errors import Refusal, refusal
from bifrost_cli.sandbox.bedrock.progress import Progress, Status, progress_of
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.shape import Mismatch, choice

MAX_RESULTS = 1000
_ROWS = 200
_CHOICES = {
    "statusEquals": choice(*Status),
    "sortBy": choice("CreationTime"),
    "sortOrder": choice("Ascending", "Descending"),
}


@dataclass(frozen=True)
class Query:
    """What a list was asked for. Times are in unix seconds."""

    limit: int
    after: str | None
    ascending: bool
    status: str | None
    name: str
    since: float
    until: float

    def means(self, job: StoredBatch, progress: Progress, region: str) -> bool:
        return (
            job.doc["region"] == region
            and self.status in (None, progress.status)
            and self.name in job.doc["jobName"]
            and self.since <= job.created <= self.until
        )


def read_query(query: Mapping[str, str]) -> Query:
    """The query of a list. Raises the Refusal for one that cannot be."""
    for name, check in _CHOICES.items():
        if name in query:
            _fit(name, check, query[name])
    return Query(
        limit=_limit(query.get("maxResults")),
        after=_decoded(query["nextToken"]) if "nextToken" in query else None,
        ascending=query.get("sortOrder") == "Ascending",
        status=query.get("statusEquals"),
        name=query.get("nameContains", ""),
        since=_time(query.get("submitTimeAfter"), float("-inf")),
        until=_time(query.get("submitTimeBefore"), float("inf")),
    )


def _fit(name: str, check: object, value: str) -> None:
    try:
        check(value)  # type: ignore[operator]
    except Mismatch as mismatch:
        mismatch.path.insert(0, name)
        raise refusal(mismatch) from None


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_RESULTS
    if not text.lstrip("-").isdigit():
        raise Refusal(f"'{text}' can not be converted to an Integer", "SerializationException")
    if int(text) < 1:
        raise refusal(Mismatch("minimum", text, 1, "maxResults"))
    if int(text) > MAX_RESULTS:
        raise refusal(Mismatch("maximum", text, MAX_RESULTS, "maxResults"))
    return int(text)


def _time(text: str | None, default: float) -> float:
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"'{text}' can not be converted to a Timestamp", "SerializationException") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def page(call: Call, query: Query, region: str) -> tuple[list[tuple[StoredBatch, Progress]], str | None]:
    """The jobs that a query means, up to its limit, and the token of the next page if there is one."""
    found: list[tuple[StoredBatch, Progress]] = []
    for job in _jobs(call.account, query):
        progress = progress_of(job, call.now)
        if not query.means(job, progress, region):
            continue
        if len(found) == query.limit:
            return found, _token(found[-1][0].id)
        found.append((job, progress))
    return found, None


def _jobs(account: Account, query: Query) -> Iterator[StoredBatch]:
    after, more = query.after, True
    while more:
        try:
            rows = account.batches(_ROWS, after, ascending=query.ascending)
        except LookupError:
            raise Refusal("The nextToken is not valid.") from None
        yield from rows.rows
        after, more = rows.rows[-1].id if rows.rows else None, rows.more


def first(account: Account, region: str, member: str, value: str) -> str | None:
    """The id of the oldest job of which a member has this value."""
    where = "provider = ? AND account = ? AND json_extract(doc, '$.region') = ? AND json_extract(doc, '$.' || ?) = ?"
    query = f"SELECT id FROM batches WHERE {where} ORDER BY seq LIMIT 1"
    rows = account.store.rows(query, account.provider, account.name, region, member, value)
    return str(rows[0]["id"]) if rows else None


def _token(id: str) -> str:
    return base64.urlsafe_b64encode(id.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeError):
        raise Refusal("The nextToken is not valid.") from None
