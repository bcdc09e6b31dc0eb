"""What failed, once more: which requests of an ended batch are worth sending again, and both runs seen as one."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from bifrost_cli.core.jsonl import Lines, Numbered, as_stream
from bifrost_cli.core.order import in_order
from bifrost_cli.core.results import Audit
from bifrost_cli.errors import UsageError
from bifrost_cli.models import BatchResult, Result

if TYPE_CHECKING:
    from bifrost_cli.core.bifrost import Bifrost

PASSING = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})


def worth_retrying(result: Result) -> bool:
    """Whether a request failed for a reason that may pass: it expired, or the provider failed."""
    return result["type"] == "expired" or (result["type"] == "errored" and result["error"]["error"]["type"] in PASSING)


async def failed_requests(bifrost: "Bifrost", id: str, *, all_failed: bool = False) -> set[int]:
    """The hashes of the ids of requests to send again; with `all_failed`, of all that did not succeed."""
    wanted: Callable[[Result], bool] = (lambda result: result["type"] != "succeeded") if all_failed else worth_retrying
    return {hash(r["custom_id"]) async for r in bifrost.batch_results(id) if wanted(r["result"])}


def only(lines: Lines, wanted: set[int]) -> Iterator[Numbered]:
    """The lines of these requests. Raises UsageError at the end where some were not among them."""
    found = 0
    for number, line in lines:
        custom_id = line.get("custom_id") if isinstance(line, dict) else None
        if isinstance(custom_id, str) and hash(custom_id) in wanted:
            found += 1
            yield number, line
    if found != len(wanted):
        raise UsageError(
            f"{len(wanted) - found:,} of the {len(wanted):,} requests to retry are not in the input.",
            hint="Give the input that the batch was made from.",
        )


def merged_results(
    bifrost: "Bifrost",
    id: str,
    audit: Audit,
    *,
    order: Literal["any", "input"] = "any",
    inputs: Iterable[str] | None = None,
) -> AsyncIterator[BatchResult]:
    """The results of a retry and of what it is a retry of, as one: the retry's own come instead of the failed ones.

    The input's order is that of the first batch; see `Bifrost.batch_results`. Raises UsageError where this machine's
    journal does not know the batch as a retry.
    """
    results = _merged(bifrost, id, audit)
    if order == "any":
        return results
    return in_order(results, bifrost.batch_inputs(original(bifrost, id)) if inputs is None else as_stream(inputs))


def original(bifrost: "Bifrost", id: str) -> str:
    """The first batch of those that are retries of each other."""
    origin = bifrost.journal.origin(bifrost.batch_refs(id))
    return original(bifrost, origin.parent) if origin and origin.parent else id


async def _merged(bifrost: "Bifrost", id: str, audit: Audit) -> AsyncIterator[BatchResult]:
    parts = bifrost.batch_refs(id)
    origin, inputs = bifrost.journal.origin(parts), bifrost.journal.inputs(parts)
    if origin is None or origin.parent is None or inputs is None:
        raise UsageError(f"{id} is not known here as a retry.", hint="Leave --merged out, or run it where it was made.")
    again = {hash(custom_id) for custom_id in inputs()}
    async for result in _whole(bifrost, origin.parent, audit):
        if hash(result["custom_id"]) in again:
            audit.outcomes[result["result"]["type"]] -= 1
        else:
            yield result
    audit.expected -= len(again)
    async for result in bifrost.batch_results(id, audit=audit):
        yield result


def _whole(bifrost: "Bifrost", id: str, audit: Audit) -> AsyncIterator[BatchResult]:
    origin = bifrost.journal.origin(bifrost.batch_refs(id))
    if origin and origin.parent:
        return _merged(bifrost, id, audit)
    return bifrost.batch_results(id, audit=audit)
