"""Several provider batches seen as one."""

from collections.abc import Callable, Sequence

from bifrost_cli.core.refs import Ref, join, parse_one
from bifrost_cli.models import Batch, RequestCounts


def combine(refs: Sequence[Ref], batches: Sequence[Batch]) -> Batch:
    """The batch made of these parts: ended when all are, canceling while any is, its counts their sums."""
    if len(batches) == 1:
        return batches[0].model_copy(update={"id": join(refs), "provider": refs[0].provider})
    ended = all(batch.ended for batch in batches)
    canceling = any(batch.processing_status == "canceling" for batch in batches)
    return Batch(
        id=join(refs),
        processing_status="ended" if ended else "canceling" if canceling else "in_progress",
        request_counts=sum_counts([batch.request_counts for batch in batches]),
        created_at=min(batch.created_at for batch in batches),
        expires_at=max(batch.expires_at for batch in batches),
        ended_at=max((b.ended_at for b in batches if b.ended_at), default=None) if ended else None,
        cancel_initiated_at=min((b.cancel_initiated_at for b in batches if b.cancel_initiated_at), default=None),
        archived_at=min((b.archived_at for b in batches if b.archived_at), default=None),
        provider=", ".join(dict.fromkeys(ref.provider for ref in refs)),
        provider_status=", ".join(dict.fromkeys(b.provider_status for b in batches if b.provider_status)) or None,
        errors=[error for batch in batches for error in batch.errors or []] or None,
    )


def group(batches: Sequence[Batch], run_of: Callable[[Ref], tuple[Ref, ...]]) -> list[Batch]:
    """A list of provider batches in which the parts of one run, where all of them are listed, are seen as one.

    `run_of` gives the parts of the run that a batch is of, itself alone where nothing is known.
    """
    listed = {parse_one(batch.id): batch for batch in batches}
    seen: dict[tuple[Ref, ...], Batch] = {}
    for ref, batch in listed.items():
        parts = run_of(ref)
        whole = len(parts) > 1 and all(part in listed for part in parts)
        seen.setdefault(parts if whole else (ref,), combine(parts, [listed[p] for p in parts]) if whole else batch)
    return list(seen.values())


def with_total(batch: Batch, requests: int | None) -> Batch:
    """The batch with its total, where a provider has not counted yet, or never will because it refused the whole."""
    if not requests or batch.request_counts.total:
        return batch
    place = "errored" if batch.ended else "processing"
    return batch.model_copy(update={"request_counts": RequestCounts(**{place: requests})})


def sum_counts(counts: Sequence[RequestCounts]) -> RequestCounts:
    """Member by member."""
    names = RequestCounts.model_fields
    return RequestCounts(**{name: sum(getattr(each, name) for each in counts) for name in names})
